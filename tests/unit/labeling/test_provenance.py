import contextlib
import sqlite3
from pathlib import Path

import pytest

from collectors.ledger_schema import LEDGER_PATH, connect
from labeling.provenance import blogs_by_picture, posts_by_picture


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A ledger of the collector: picture 1 in posts 10 and 11, the second a reblog of post 9; picture 2 not fetched."""
    with contextlib.closing(connect(tmp_path / LEDGER_PATH, create=True)) as db:
        db.execute("INSERT INTO queries VALUES (1, 'cat', 'cat', '', 0, 0)")
        db.execute("INSERT INTO walks (id, query_id, state, is_head, floor) VALUES (1, 1, 'done', 1, 0)")
        for row, post_id in enumerate(("10", "11"), start=1):
            db.execute(
                "INSERT INTO posts VALUES (?, ?, 'b', 'u', 'https://b/1', 0, '', '[]', 'photo', 0, 0, 1, 1, 0)",
                (row, post_id),
            )
        for row, digest in ((1, "a" * 64), (2, None)):
            db.execute(
                "INSERT INTO media (id, media_key, url, declared_width, declared_height, class_name, query_id, "
                "walk_id, state, sha256) VALUES (?, ?, '', 1, 1, 'cat', 1, 1, 'kept', ?)",
                (row, str(row), digest),
            )
        for media, post, root_post in ((1, 1, ""), (1, 2, "9"), (2, 2, "9")):
            db.execute("INSERT INTO sightings VALUES (?, ?, 0, '', '', '', ?)", (media, post, root_post))
    return tmp_path


def test_posts_and_what_they_were_reblogged_from(ledger: Path) -> None:
    assert posts_by_picture(ledger) == {"a" * 64: frozenset({"9", "10", "11"})}


def test_blogs(ledger: Path) -> None:
    assert blogs_by_picture(ledger) == {"a" * 64: frozenset({"b"})}


def test_nothing_without_a_ledger_or_with_a_broken_one(tmp_path: Path) -> None:
    assert posts_by_picture(tmp_path) == {}
    (tmp_path / ".tagbox").mkdir()
    (tmp_path / LEDGER_PATH).write_bytes(b"no database")
    assert posts_by_picture(tmp_path) == {}
    (tmp_path / LEDGER_PATH).unlink()
    sqlite3.connect(tmp_path / LEDGER_PATH).close()
    assert posts_by_picture(tmp_path) == {}
