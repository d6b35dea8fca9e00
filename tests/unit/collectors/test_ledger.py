import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from collectors.errors import InputError
from collectors.ledger import Ledger, Query, open_ledger, record_call
from collectors.ledger_lock import RootBusyError, exclusive
from collectors.ledger_reports import ledger_status
from collectors.ledger_schema import LEDGER_PATH, SCHEMA_VERSION
from collectors.media_table import MediaTable, Transfer
from collectors.refusals import Refusal
from collectors.tumblr_posts import Candidate, Post


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return open_ledger(tmp_path / "data")


def _candidate(key: str, *, width: int = 640, position: int = 1, root_blog: str = "b") -> Candidate:
    return Candidate(key, f"http://m/{key}/{width}", width, width, position, "words", root_blog, "9", is_external=False)


def _post(number: int, *candidates: Candidate, tags: tuple[str, ...] = ("pose",), blog: str = "b") -> Post:
    return Post(str(number), blog, f"t:{blog}", "url", number, number, "", tags, "photo", None, False, candidates)


def _admit_all(post: Post, candidate: Candidate) -> Refusal | None:
    return None


def _refuse_all(post: Post, candidate: Candidate) -> Refusal | None:
    return Refusal("nsfw", "marked")


def _states(ledger: Ledger) -> dict[str, tuple[str, str]]:
    rows = ledger.connection.execute("SELECT media_key, state, code FROM media ORDER BY id")
    return {row["media_key"]: (row["state"], row["code"]) for row in rows}


def _recount(ledger: Ledger) -> list[tuple[object, ...]]:
    rows = ledger.connection.execute(
        "SELECT query_id, class_name, state, code, is_retryable, count(*), sum(bytes) FROM media "
        "GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5"
    )
    return [tuple(row) for row in rows]


def test_a_page_is_stored_once_however_often_it_comes(ledger: Ledger) -> None:
    query_id = ledger.query_id(Query("pose", "pose"))
    assert ledger.query_id(Query("pose", "pose")) == query_id
    walk = ledger.start_walk(query_id, before=None, floor=0, is_head=False)
    page = [_post(1, _candidate("a"), _candidate("b", position=2)), _post(2, _candidate("a")), _post(3)]
    assert ledger.add_posts(walk, "pose", page, _admit_all) == 3
    assert ledger.add_posts(walk, "pose", page, _admit_all) == 0
    assert _states(ledger) == {"a": ("seen", ""), "b": ("seen", "")}
    assert ledger.connection.execute("SELECT count(*) FROM sightings").fetchone()[0] == 3
    assert ledger.known_post_ids(["1", "3", "77"]) == {"1", "3"}


def test_a_larger_rendition_replaces_the_url_until_something_was_fetched(ledger: Ledger) -> None:
    walk = ledger.start_walk(ledger.query_id(Query("pose", "pose")), before=None, floor=0, is_head=False)
    ledger.add_posts(walk, "pose", [_post(1, _candidate("a", width=500))], _admit_all)
    ledger.add_posts(walk, "pose", [_post(2, _candidate("a", width=1280))], _admit_all)
    ledger.add_posts(walk, "pose", [_post(3, _candidate("a", width=640))], _admit_all)
    assert ledger.connection.execute("SELECT url FROM media").fetchone()[0] == "http://m/a/1280"
    MediaTable(ledger).take(1, after=0, class_name="pose", walk_id=None)
    ledger.add_posts(walk, "pose", [_post(4, _candidate("a", width=2048))], _admit_all)
    assert ledger.connection.execute("SELECT url FROM media").fetchone()[0] == "http://m/a/1280"


def test_a_policy_refusal_is_judged_again_when_the_picture_is_seen_again(ledger: Ledger) -> None:
    walk = ledger.start_walk(ledger.query_id(Query("pose", "pose")), before=None, floor=0, is_head=False)
    ledger.add_posts(walk, "pose", [_post(1, _candidate("a"))], _refuse_all)
    assert _states(ledger) == {"a": ("refused", "nsfw")}
    ledger.add_posts(walk, "pose", [_post(2, _candidate("a"))], _admit_all)
    assert _states(ledger) == {"a": ("seen", "")}


def test_what_is_forgotten_is_not_stored(ledger: Ledger) -> None:
    with ledger.transaction() as db:
        db.executemany(
            "INSERT INTO tombstones VALUES (?, ?, 0)", [("post", "1"), ("blog", "shy"), ("media_key", "secret")]
        )
    walk = ledger.start_walk(ledger.query_id(Query("pose", "pose")), before=None, floor=0, is_head=False)
    page = [
        _post(1, _candidate("a")),
        _post(2, _candidate("b"), blog="shy"),
        _post(3, _candidate("c", root_blog="shy")),
        _post(4, _candidate("secret"), _candidate("d", position=2)),
    ]
    ledger.add_posts(walk, "pose", page, _admit_all)
    assert set(_states(ledger)) == {"d"}


def test_the_counters_follow_every_change(ledger: Ledger) -> None:
    walk = ledger.start_walk(ledger.query_id(Query("pose", "pose")), before=None, floor=0, is_head=False)
    ledger.add_posts(walk, "pose", [_post(n, _candidate(f"k{n}")) for n in range(9)], _admit_all)
    media = MediaTable(ledger)
    jobs = media.take(6, after=0, class_name="pose", walk_id=None)
    media.record_transfers([Transfer(jobs[0].media_id, status=200, attempts=2, num_bytes=70, etag="")])
    media.refuse(jobs[0].media_id, Refusal("http_503", "busy", is_retryable=True))
    media.refuse(jobs[1].media_id, Refusal("http_404", "gone"))
    media.put_back([jobs[2].media_id])
    media.set_state([jobs[3].media_id], "labelled")
    ledger.connection.execute("DELETE FROM sightings WHERE media = ?", (jobs[4].media_id,))
    ledger.connection.execute("DELETE FROM media WHERE id = ?", (jobs[4].media_id,))
    counters = ledger.connection.execute("SELECT * FROM counters WHERE num != 0 ORDER BY 1, 2, 3, 4, 5")
    assert [tuple(row) for row in counters] == _recount(ledger)
    status = ledger_status(ledger)
    assert status.num_pictures == 8
    assert (status.refusals, status.num_retryable) == ({"http_404": (1, 0), "http_503": (1, 1)}, 1)
    assert status.spending["media_bytes"] == 70
    assert status.queries[0].kept == 1


def test_a_failed_step_leaves_nothing_behind(ledger: Ledger) -> None:
    def fail() -> None:
        with ledger.transaction() as db:
            db.execute("INSERT INTO tombstones VALUES ('post', '1', 0)")
            with ledger.transaction() as inner:
                inner.execute("INSERT INTO tombstones VALUES ('post', '2', 0)")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not ledger.is_forgotten("post", "1")
    assert not ledger.is_forgotten("post", "2")


def test_a_full_disk_is_one_clear_line_and_loses_nothing(ledger: Ledger) -> None:
    walk = ledger.start_walk(ledger.query_id(Query("pose", "pose")), before=None, floor=0, is_head=False)
    pages = ledger.connection.execute("PRAGMA page_count").fetchone()[0]
    ledger.connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(InputError, match=r"cannot write the ledger: .*full"):
        ledger.add_posts(walk, "pose", [_post(n, _candidate(f"k{n}" * 50)) for n in range(200)], _admit_all)
    assert _states(ledger) == {}
    ledger.connection.execute("PRAGMA max_page_count = 100000")
    assert ledger.add_posts(walk, "pose", [_post(1, _candidate("a"))], _admit_all) == 1


def test_a_newer_ledger_is_left_alone(tmp_path: Path) -> None:
    open_ledger(tmp_path).close()
    connection = sqlite3.connect(tmp_path / LEDGER_PATH)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    before = (tmp_path / LEDGER_PATH).read_bytes()
    with pytest.raises(InputError, match="a newer tagbox wrote this ledger"):
        open_ledger(tmp_path)
    assert (tmp_path / LEDGER_PATH).read_bytes() == before


def test_something_else_under_the_name_of_the_ledger(tmp_path: Path) -> None:
    path = tmp_path / LEDGER_PATH
    path.parent.mkdir()
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(InputError, match="cannot be opened"):
        open_ledger(tmp_path)
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE other (x)")
    connection.close()
    with pytest.raises(InputError, match="no ledger of tagbox"):
        open_ledger(tmp_path)


def test_no_ledger_is_said_not_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no ledger here"):
        open_ledger(tmp_path, create=False)
    assert not (tmp_path / ".tagbox").exists()


def test_calls_are_remembered_for_a_day(ledger: Ledger) -> None:
    for at in (1_000.0, 90_000.0, 90_001.0):
        record_call(ledger.root / LEDGER_PATH, at)
    assert ledger.recent_calls(100_000.0) == [90_000.0, 90_001.0]
    assert ledger_status(ledger).spending["api_calls"] == 3


def test_the_second_collector_is_refused_and_a_dead_one_is_no_obstacle(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from collectors.ledger_lock import exclusive\n"
        "with exclusive(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    told: list[str] = []
    with (
        pytest.raises(RootBusyError, match=rf"another collector is at work here \(process {process.pid}"),
        exclusive(tmp_path),
    ):
        pass
    with pytest.raises(RootBusyError), exclusive(tmp_path, wait_s=0.2, on_wait=told.append):
        pass
    assert len(told) == 1
    process.kill()
    process.wait()
    process.stdout.close()
    with exclusive(tmp_path):
        pass
