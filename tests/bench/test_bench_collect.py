"""The numbers of the collector, against the local Tumblr in a process of its own. Run: make bench."""

import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from collectors.ledger import open_ledger
from tests.support.collecting import (
    command,
    differences,
    environment,
    is_finished,
    outcomes,
    run,
    run_and_kill,
    tumblr_words,
)
from tests.support.fake_tumblr import FakeTumblr, Faults, World, WorldSettings

pytestmark = pytest.mark.bench

# 2,000 posts with 3,000 pictures of about 60 kB.
_SETTINGS = WorldSettings(posts=2_000, pictures_per_post=1.625)
_ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def _served(settings: WorldSettings, *, faults: float, warm: bool = False) -> Iterator[str]:
    """A local Tumblr in a process of its own, with every picture drawn before it is asked for when ``warm``."""
    code = (
        "import sys, time\n"
        "from tests.support.fake_tumblr import FakeTumblr, Faults, World, WorldSettings\n"
        "from tests.support.fake_tumblr.pictures import picture_bytes, scaled\n"
        f"world = World({settings!r}, Faults.everything({faults}))\n"
        f"for picture in world.pictures.values() if {warm} else ():\n"
        "    picture_bytes(scaled(picture.recipe, 1280, 1920))\n"
        "fake = FakeTumblr(world).start()\n"
        "fake.keeps_journal = False\n"
        "print(fake.url, flush=True)\n"
        "time.sleep(7200)\n"
    )
    server = subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment(Path("/"), PYTHONPATH=str(_ROOT)),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        yield server.stdout.readline().strip()
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def test_the_truth_of_3000_pictures_with_every_fault_at_two_percent(tmp_path: Path) -> None:
    world = World(_SETTINGS, Faults.everything(0.02))
    truth = world.truth()
    with _served(_SETTINGS, faults=0.02, warm=True) as url:
        started = time.monotonic()
        done = run(tumblr_words(tmp_path / "data", url), tmp_path, timeout=1_200)
        seconds = time.monotonic() - started
    assert done.returncode == 0, done.stderr
    found = outcomes(tmp_path / "data")
    assert found == truth
    kept = list(truth.values()).count("kept")
    assert sum(1 for _ in (tmp_path / "data" / "pose" / "unlabeled" / "images").iterdir()) == kept
    print(f"\n{len(world.posts)} posts, {len(world.pictures)} pictures: {kept} kept, every one of {len(truth)} as the "
          f"truth has it, in {seconds:.0f} s")  # fmt: skip
    print(dict(Counter(truth.values()).most_common()))


def test_twenty_kills(tmp_path: Path) -> None:
    chance = random.Random(20)
    settings = WorldSettings(posts=700, pictures_per_post=1.625)
    with _served(settings, faults=0.02, warm=True) as url:
        started = time.monotonic()
        whole = run(tumblr_words(tmp_path / "whole", url), tmp_path, timeout=600)
        seconds = time.monotonic() - started
        assert whole.returncode == 0, whole.stderr
        port = url.rsplit(":", 1)[1]
    # A fresh server at the same address, for passing faults pass once in its life.
    with FakeTumblr(World(settings, Faults.everything(0.02)), port=int(port)) as fake:
        fake.keeps_journal = False
        words = tumblr_words(tmp_path / "killed", url)
        kills = 0
        while kills < 20 and not is_finished(tmp_path / "killed"):
            kills += run_and_kill(words, tmp_path, after_s=chance.uniform(0.4, 0.4 + seconds / 18))
        if not is_finished(tmp_path / "killed"):
            last = run(words, tmp_path, timeout=600)
            assert last.returncode == 0, last.stderr
    assert differences(tmp_path / "whole", tmp_path / "killed") == []
    print(f"\n{kills} kills in a run of {seconds:.0f} s: the same files and the same ledger")
    assert kills == 20


def test_the_status_of_a_million_rows(tmp_path: Path) -> None:
    data = tmp_path / "data"
    ledger = open_ledger(data)
    with ledger.transaction() as db:
        db.execute("INSERT INTO queries (class_name, tag, blog, since, until) VALUES ('pose', 'pose', '', 0, 0)")
        db.execute("INSERT INTO walks (query_id, state, is_head, floor, pages, posts) VALUES (1, 'done', 0, 0, 9, 9)")
        db.executemany(
            "INSERT INTO media (id, media_key, url, declared_width, declared_height, class_name, query_id, walk_id, "
            "turn, state, code, is_retryable, bytes, sha256, phash, path, file_state) "
            "VALUES (?, ?, ?, 1280, 960, 'pose', 1, 1, ?, ?, ?, ?, 60000, ?, ?, ?, ?)",
            (
                (
                    number, f"{number:032x}:{number:016x}-00", f"https://64.media.tumblr.com/{number:032x}/x/y.jpg",
                    number, "kept" if number % 2 else "refused", "" if number % 2 else f"http_{400 + number % 40}",
                    int(number % 40 == 0), f"{number:064x}", number,
                    f"pose/unlabeled/images/{number}.jpg" if number % 2 else "",
                    "placed" if number % 2 else "",
                )
                for number in range(1, 1_000_001)
            ),
        )  # fmt: skip
    ledger.close()
    started = time.monotonic()
    done = run(["status", "--data", str(data), "--json"], tmp_path)
    seconds = time.monotonic() - started
    assert json.loads(done.stdout)["pictures"] == 1_000_000
    size = (data / ".tagbox" / "ledger.sqlite").stat().st_size
    print(f"\nstatus of 1,000,000 rows ({size / 1e6:.0f} MB): {seconds:.2f} s, the whole command")
    assert seconds < 2


def test_memory_with_100000_rows(tmp_path: Path) -> None:
    data = tmp_path / "data"
    ledger = open_ledger(data)
    chance = random.Random(1)
    with ledger.transaction() as db:
        db.execute("INSERT INTO queries (class_name, tag, blog, since, until) VALUES ('pose', 'pose', '', 0, 0)")
        db.execute("INSERT INTO walks (query_id, state, is_head, floor, pages, posts) VALUES (1, 'done', 0, 0, 9, 9)")
        db.executemany(
            "INSERT INTO media (media_key, url, declared_width, declared_height, class_name, query_id, walk_id, "
            "state, sha256, phash, mirror_phash, width, height, path) VALUES (?, 'u', 1280, 960, 'pose', 1, 1, 'kept', "
            "?, ?, ?, 1280, 960, ?)",
            (
                (
                    f"old-{number}",
                    f"{number:064x}",
                    chance.getrandbits(64) - 2**63,
                    chance.getrandbits(64) - 2**63,
                    f"p/{number}",
                )
                for number in range(100_000)
            ),
        )
    ledger.close()
    with _served(WorldSettings(posts=200), faults=0.0, warm=True) as url:
        started = time.monotonic()
        process = subprocess.Popen(
            command(*tumblr_words(data, url)),
            env=environment(tmp_path),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        _, told = process.communicate()
        seconds = time.monotonic() - started
    assert process.returncode == 0, told
    # The largest child so far; the servers are larger than the collector only when they drew many pictures.
    peak = _peak_of(tmp_path, data)
    print(f"\ncollecting beside 100,000 kept pictures: {seconds:.1f} s; peak memory of a session {peak / 1e6:.0f} MB")
    assert peak < 300_000_000


def _peak_of(home: Path, data: Path) -> int:
    """Peak memory, bytes, of a session that measures itself."""
    code = (
        "import resource, sys\nfrom scripts.cli import main\ntry:\n    main()\nfinally:\n"
        "    print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)\n"
    )
    with _served(WorldSettings(posts=260), faults=0.0, warm=True) as url:
        words = ["collect", *tumblr_words(data, url)]
        done = subprocess.run(
            [sys.executable, "-c", code, *words], env=environment(home), capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr
    unit = 1 if sys.platform == "darwin" else 1024
    return int(done.stderr.split("peak ")[1]) * unit
