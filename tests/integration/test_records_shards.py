"""Shards: only what changed is written, shares for a scheduler, one build at a time, workers without TensorFlow."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from collectors.errors import ConfigError, InputError
from collectors.processes import process_pool
from labeling.check_cache import CheckCache
from records.build import build_from_plan, build_part, build_records
from records.errors import PictureChangedError
from records.local_engine import LocalEngine, _write_named
from records.output_lock import OutputBusyError, output_lock
from records.prepare import prepare_build
from records.verify import verify_records
from tests.unit.records.pictures import make_data

_TAGBOX = [sys.executable, "-c", "from scripts.cli import main; main()"]
_SMALL = 4000


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _inodes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_ino for path in folder.glob("*.record*")}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_data(tmp_path / "data", training=20, verification=4)


def test_only_the_shard_that_changed_is_written(tmp_path, data):
    out = tmp_path / "records"
    build_records(data, out, shard_bytes=_SMALL)
    before = _inodes(out)
    assert len(before) > 10
    xml = data / "cat" / "training" / "cat_training_07.xml"
    xml.write_text(xml.read_text().replace("<xmax>24", "<xmax>23"))
    checked = build_records(data, out, shard_bytes=_SMALL, dry_run=True)
    ((file, reason),) = [pair for outcome in checked.outcomes for pair in outcome.rebuilt]
    assert str(reason) == "inputs changed"
    build_records(data, out, shard_bytes=_SMALL)
    assert [name for name, inode in _inodes(out).items() if before[name] != inode] == [file]
    build_records(data, tmp_path / "anew", shard_bytes=_SMALL)
    assert _contents(out) == _contents(tmp_path / "anew")


def test_a_check_says_what_is_to_be_done_and_why(tmp_path, data):
    out = tmp_path / "records"
    first = build_records(data, out, shard_bytes=_SMALL, dry_run=True)
    assert not first.is_current
    assert {str(reason) for outcome in first.outcomes for _, reason in outcome.rebuilt} == {"new"}
    build_records(data, out, shard_bytes=_SMALL)
    assert build_records(data, out, shard_bytes=_SMALL, dry_run=True).is_current
    path = sorted(out.glob("cat_training*"))[0]
    path.write_bytes(path.read_bytes()[:-1])
    damaged = build_records(data, out, shard_bytes=_SMALL, dry_run=True)
    assert [pair for outcome in damaged.outcomes for pair in outcome.rebuilt] == [
        (path.name, "file is missing or damaged")
    ]
    build_records(data, out, shard_bytes=_SMALL)
    (out / "label_map.csv").unlink()
    texts = build_records(data, out, shard_bytes=_SMALL, dry_run=True)
    assert texts.is_up_to_date
    assert not texts.is_current


def test_shares_add_up_to_the_build_in_any_order(tmp_path, data):
    build_records(data, tmp_path / "whole", shard_bytes=_SMALL)
    out = tmp_path / "records"
    missing = []
    for index in (3, 1, 4, 2):
        plan = prepare_build(data, shard_bytes=_SMALL)
        missing.append(build_part(plan, out, part=(index, 4)).num_missing)
        assert (out / "manifest.json").exists() == (index == 2)
    assert missing == sorted(missing, reverse=True)
    assert missing[-1] == 0
    assert _contents(out) == _contents(tmp_path / "whole")
    plan = prepare_build(data, shard_bytes=_SMALL)
    assert build_part(plan, out, part=(1, 4)).is_up_to_date


def test_a_whole_build_takes_up_what_shares_have_built(tmp_path, data):
    out = tmp_path / "records"
    plan = prepare_build(data, shard_bytes=_SMALL)
    build_part(plan, out, part=(1, 2))
    staged = {path.stat().st_ino for path in (out / ".building").iterdir()}
    build_from_plan(plan, out)
    assert staged <= set(_inodes(out).values())
    assert not (out / ".building").exists()


def test_a_damaged_share_is_found_before_the_commit(tmp_path, data):
    out = tmp_path / "records"
    plan = prepare_build(data, shard_bytes=_SMALL)
    build_part(plan, out, part=(1, 2))
    damaged = sorted((out / ".building").iterdir())[0]
    damaged.write_bytes(damaged.read_bytes()[:-5])
    with pytest.raises(InputError, match="shards are damaged"):
        build_part(plan, out, part=(2, 2))
    assert not (out / "manifest.json").exists()
    build_part(plan, out, part=(1, 2))
    assert verify_records(out).findings == ()


@pytest.mark.parametrize("part", [(0, 2), (3, 2)])
def test_a_share_that_there_is_not(tmp_path, data, part):
    with pytest.raises(ConfigError, match="there is no shard"):
        build_part(prepare_build(data), tmp_path / "records", part=part)


def test_two_builds_on_one_folder_at_once(tmp_path, data, repository):
    out = tmp_path / "records"
    with output_lock(out):
        with pytest.raises(OutputBusyError, match="another build writes into this folder"):
            build_records(data, out)
        done = subprocess.run(
            [*_TAGBOX, "records", "build", str(data), "--out", str(out)],
            cwd=repository, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 6
        assert done.stderr.splitlines()[-1].startswith(f"error: {out}: another build writes into this folder")
    assert not out.exists()
    with output_lock(out, shared=True):
        with pytest.raises(OutputBusyError):
            build_records(data, out)
        # Shares stand beside each other; who is alone at the end commits.
        report = build_part(prepare_build(data), out, part=(1, 1))
        assert not (out / "manifest.json").exists()
        assert report.num_missing == 0
    assert build_part(prepare_build(data), out, part=(1, 1)).num_written == 48
    assert verify_records(out).findings == ()


def test_workers_import_neither_tensorflow_nor_what_checks_need(tmp_path, data):
    plan = prepare_build(data)
    shard = plan.records[0].shards[0]
    with process_pool(1) as pool:
        name, summary = pool.submit(_write_named, "x", shard, data, tmp_path / "x").result()
        modules = pool.submit(eval, "sorted(__import__('sys').modules)").result()
    assert (name, summary.num_examples) == ("x", 20)
    assert not {"tensorflow", "numpy", "PIL.Image", "lxml", "apache_beam", "official"} & set(modules)


@pytest.fixture(params=["threads", "processes"])
def two_workers(request, monkeypatch) -> LocalEngine:
    """Two workers of either kind, whatever there is to write."""
    monkeypatch.setattr("records.local_engine._BYTES_WORTH_PROCESSES", 0 if request.param == "processes" else 1 << 40)
    return LocalEngine(2)


def test_several_workers_count_every_example_and_write_the_same_bytes(tmp_path, data, two_workers):
    told = []
    plan = prepare_build(data, shard_bytes=_SMALL)
    build_from_plan(plan, tmp_path / "records", engine=two_workers, progress=lambda *step: told.append(step[:2]))
    assert told[0] == (0, 48)
    assert told[-1] == (48, 48)
    assert told == sorted(told)
    build_from_plan(plan, tmp_path / "alone", engine=LocalEngine(1))
    assert _contents(tmp_path / "records") == _contents(tmp_path / "alone")


def test_one_replaced_picture_stops_all_workers_and_leaves_no_half_shard(tmp_path, data, two_workers):
    plan = prepare_build(data, shard_bytes=_SMALL)
    example = plan.records[0].shards[-1].examples[-1]
    picture = data / example.image_path
    picture.write_bytes(picture.read_bytes()[:-1] + b"\0")
    out = tmp_path / "records"
    with pytest.raises(PictureChangedError, match="changed between the check and the build"):
        build_from_plan(plan, out, engine=two_workers)
    assert not list(out.rglob("*.tmp"))
    assert not (out / "manifest.json").exists()


def test_an_interruption_stops_the_threads_at_once(tmp_path, data):
    plan = prepare_build(data)
    told = []

    def interrupted(*step):
        told.append(step)
        if len(told) == 2:  # the first is told before the threads begin
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_from_plan(plan, tmp_path / "records", engine=LocalEngine(2), progress=interrupted)
    assert not list(tmp_path.rglob("*.tmp"))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("shard")]


def test_a_build_after_a_check_reads_no_picture_to_check_it(tmp_path, data, monkeypatch):
    monkeypatch.setattr("labeling.check_cache._SETTLED_NS", 0)
    first = CheckCache(data)
    build_records(data, tmp_path / "cold", cache=first)
    assert (first.num_recalled, first.num_read) == (0, 48)
    second = CheckCache(data)
    build_records(data, tmp_path / "warm", cache=second)
    assert (second.num_recalled, second.num_read) == (48, 0)
    assert _contents(tmp_path / "warm") == _contents(tmp_path / "cold")
    (data / ".tagbox" / "check-cache.json").unlink()
    build_records(data, tmp_path / "dry", dry_run=True)
    assert not (data / ".tagbox" / "check-cache.json").exists()


_KILLER = """
import os, random, signal, sys, time
from pathlib import Path
from records.build import build_records

data, undisturbed, out = map(Path, sys.argv[1:])
options = {"shard_bytes": 40_000}
build_records(data, undisturbed, jobs=1, **options)  # fills the cache of the checks
whole = 60.0
for turn in range(3):  # the quickest: others may be using the machine
    started = time.monotonic()
    build_records(data, undisturbed.with_name(f"timed{turn}"), jobs=1, **options)
    whole = min(whole, time.monotonic() - started)
chance = random.Random(6)
killed = 0
for moment in range(20):
    child = os.fork()
    if child == 0:
        os.setsid()
        build_records(data, out, jobs=1 + (moment % 5 == 4), **options)
        os._exit(0)
    time.sleep(chance.uniform(0.02, whole))
    try:
        os.killpg(child, signal.SIGKILL)
    except ProcessLookupError:
        os.kill(child, signal.SIGKILL)
    is_killed = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    killed += is_killed
    if not is_killed:  # so that the next one has everything to write once more
        (out / "manifest.json").unlink()
print(killed)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork is Unix's")
def test_a_build_killed_at_twenty_moments_ends_with_the_same_bytes(tmp_path, repository):
    data = make_data(tmp_path / "data", training=150, verification=20)
    out = tmp_path / "records"
    done = subprocess.run(
        [sys.executable, "-c", _KILLER, str(data), str(tmp_path / "undisturbed"), str(out)],
        cwd=repository, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(done.stdout) >= 10
    build_records(data, out, shard_bytes=40_000)
    assert _contents(out) == _contents(tmp_path / "undisturbed")
    assert verify_records(out).findings == ()
