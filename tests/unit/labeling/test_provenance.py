import contextlib
import hashlib
import sqlite3
from pathlib import Path

import pytest

from collectors.ledger_schema import LEDGER_PATH, connect
from labeling.labelled_pictures import look_at_labels
from labeling.pair_repair import RepairOptions
from labeling.picture_groups import Bond, group_pictures
from labeling.provenance import blogs_by_picture, posts_by_picture
from labeling.repairs import apply_repairs, plan_repairs
from tests.unit.labeling.labeled_pictures import annotation, encoded, picture_bytes, varied_picture, write_pair


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A ledger: picture 1 in posts 10 and 11, the second a reblog of 9; 2 not fetched; 3 a copy of 1, in post 12."""
    with contextlib.closing(connect(tmp_path / LEDGER_PATH, create=True)) as db:
        db.execute("INSERT INTO queries VALUES (1, 'cat', 'cat', '', 0, 0)")
        db.execute("INSERT INTO walks (id, query_id, state, is_head, floor) VALUES (1, 1, 'done', 1, 0)")
        for row, post_id in enumerate(("10", "11", "12"), start=1):
            db.execute(
                "INSERT INTO posts VALUES (?, ?, 'b', 'u', 'https://b/1', 0, '', '[]', 'photo', 0, 0, 1, 1, 0)",
                (row, post_id),
            )
        rows = ((1, "a" * 64, "cat/unlabeled/images/p.1.jpg", None), (2, None, "", None), (3, "b" * 64, "", 1))
        for row, digest, path, copy_of in rows:
            db.execute(
                "INSERT INTO media (id, media_key, url, declared_width, declared_height, class_name, query_id, "
                "walk_id, state, sha256, path, duplicate_of) VALUES (?, ?, '', 1, 1, 'cat', 1, 1, 'kept', ?, ?, ?)",
                (row, str(row), digest, path, copy_of),
            )
        for media, post, root_post in ((1, 1, ""), (1, 2, "9"), (2, 2, "9"), (3, 3, "8")):
            db.execute("INSERT INTO sightings VALUES (?, ?, 0, '', '', '', ?)", (media, post, root_post))
    return tmp_path


def test_posts_and_what_they_were_reblogged_from(ledger: Path) -> None:
    posts = frozenset({"8", "9", "10", "11", "12"})
    assert posts_by_picture(ledger) == {"a" * 64: posts, "cat/p.1": posts}


def test_blogs(ledger: Path) -> None:
    assert blogs_by_picture(ledger) == {"a" * 64: frozenset({"b"}), "cat/p.1": frozenset({"b"})}


def test_a_picture_that_was_turned_for_good_keeps_its_posts(ledger: Path) -> None:
    """Its bytes are others then; the other picture of the post has the name of nothing."""
    write_pair(ledger / "cat" / "unlabeled", "p.1", image=picture_bytes(orientation=6, seed=1))
    xml = annotation((5, 6, 40, 30), filename="q.jpg")
    path = write_pair(ledger / "cat" / "unlabeled", "q", xml=xml, image=encoded(varied_picture(5)))
    digest = hashlib.sha256((path.parent / "images" / "q.jpg").read_bytes()).hexdigest()
    with contextlib.closing(connect(ledger / LEDGER_PATH, create=False)) as db:
        db.execute("UPDATE media SET sha256 = ? WHERE id = 2", (digest,))
    assert apply_repairs(plan_repairs(ledger, RepairOptions())).repair is not None
    (group,) = group_pictures(look_at_labels(ledger).pictures, posts=posts_by_picture(ledger))
    assert {tie.bond for tie in group.ties} == {Bond.POST}


def test_nothing_without_a_ledger_or_with_a_broken_one(tmp_path: Path) -> None:
    assert posts_by_picture(tmp_path) == {}
    (tmp_path / ".tagbox").mkdir()
    (tmp_path / LEDGER_PATH).write_bytes(b"no database")
    assert posts_by_picture(tmp_path) == {}
    (tmp_path / LEDGER_PATH).unlink()
    sqlite3.connect(tmp_path / LEDGER_PATH).close()
    assert posts_by_picture(tmp_path) == {}
