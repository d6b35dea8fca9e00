"""Writing one shard, and taking up shards that an earlier build finished."""

import dataclasses
import hashlib

import pytest

from collectors.errors import InputError
from collectors.progress import no_progress
from records.errors import PictureChangedError
from records.example import BytesList, decode_example
from records.features import ExampleSource
from records.local_engine import LocalEngine
from records.plan import ShardPlan
from records.shard import summarize_shard, write_shard
from records.staging import FOLDER_NAME, build_shards, commit_shards
from records.tfrecord import read_tfrecord


def _shard(folder, *names: str, file: str = "cat_training.record") -> ShardPlan:
    examples = []
    for number, name in enumerate(names, start=1):
        content = f"picture {name}".encode()
        (folder / name).write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        examples.append(ExampleSource(number, name, f"{name}.xml", digest, "x", 4, 3, "jpeg", "cat", "training"))
    return ShardPlan(file, tuple(examples))


def test_a_shard_has_the_pictures_of_its_plan_and_the_summary_fits_the_file(tmp_path):
    path = tmp_path / "out" / "x.record"
    told = []
    summary = write_shard(
        _shard(tmp_path, "a", "b"), data_root=tmp_path, path=path, progress=lambda *step: told.append(step)
    )
    pictures = [decode_example(frame.payload)["image/encoded"] for frame in read_tfrecord(path)]
    assert pictures == [BytesList((b"picture a",)), BytesList((b"picture b",))]
    assert (summary.num_examples, summary.num_bytes) == (2, path.stat().st_size)
    assert summary.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert summarize_shard(path, file=summary.file, fingerprint=summary.fingerprint) == summary
    assert told == [(1, 2), (2, 2)]


def test_a_picture_that_changed_is_refused_and_nothing_is_left(tmp_path):
    shard = _shard(tmp_path, "a", "b")
    (tmp_path / "b").write_bytes(b"another picture")
    with pytest.raises(PictureChangedError, match="b: the picture changed between the check and the build"):
        write_shard(shard, data_root=tmp_path, path=tmp_path / "out" / "x.record")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_picture_that_went_is_said_to_be_unreadable_not_unwritable(tmp_path):
    shard = _shard(tmp_path, "a")
    (tmp_path / "a").unlink()
    with pytest.raises(InputError, match="cannot read the picture: No such file"):
        write_shard(shard, data_root=tmp_path, path=tmp_path / "x.record")


def test_a_damaged_or_missing_shard_has_no_summary(tmp_path):
    path = tmp_path / "x.record"
    write_shard(_shard(tmp_path, "a"), data_root=tmp_path, path=path)
    path.write_bytes(path.read_bytes()[:-1])
    assert summarize_shard(path, file="x") is None
    assert summarize_shard(tmp_path / "none", file="x") is None


def _shards(folder) -> list[ShardPlan]:
    return [_shard(folder, name, f"{name}2", file=f"cat_training.record-{name}") for name in "ab"]


def test_finished_shards_are_taken_up_and_anything_else_goes(tmp_path):
    shards = _shards(tmp_path)
    out = tmp_path / "out"
    first = build_shards(shards, tmp_path, out, progress=no_progress, engine=LocalEngine(1))
    staged = sorted((out / FOLDER_NAME).iterdir())
    kept, lost = staged
    inode = kept.stat().st_ino
    content = lost.read_bytes()
    lost.write_bytes(content[:-3])
    (out / FOLDER_NAME / "cat_training.record-b.0123.tmp").write_bytes(b"half")
    assert build_shards(shards, tmp_path, out, progress=no_progress, engine=LocalEngine(1)) == first
    assert sorted((out / FOLDER_NAME).iterdir()) == staged
    assert kept.stat().st_ino == inode
    assert lost.read_bytes() == content


def test_a_shard_of_another_plan_is_not_taken_up(tmp_path):
    shards = _shards(tmp_path)
    out = tmp_path / "out"
    build_shards(shards, tmp_path, out, progress=no_progress, engine=LocalEngine(1))
    others = [ShardPlan(shard.file, tuple(dataclasses.replace(e, width=9) for e in shard.examples)) for shard in shards]
    build_shards(others, tmp_path, out, progress=no_progress, engine=LocalEngine(1))
    assert len(list((out / FOLDER_NAME).iterdir())) == 2
    commit_shards(others, out)
    frames = list(read_tfrecord(out / "cat_training.record-a"))
    assert decode_example(frames[0].payload)["image/width"].values == (9,)
    assert not (out / FOLDER_NAME).exists()


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_failure_leaves_finished_shards_and_nothing_else(tmp_path, jobs):
    shards = _shards(tmp_path)
    (tmp_path / "b2").write_bytes(b"changed")
    out = tmp_path / "out"
    with pytest.raises(PictureChangedError):
        build_shards(shards, tmp_path, out, progress=no_progress, engine=LocalEngine(jobs))
    names = [path.name for path in (out / FOLDER_NAME).iterdir()]
    assert [name.rpartition(".")[0] for name in names] == ["cat_training.record-a"]


def test_a_failure_before_the_first_shard_leaves_nothing(tmp_path):
    shards = _shards(tmp_path)
    (tmp_path / "a").unlink()
    with pytest.raises(InputError):
        build_shards(shards, tmp_path, tmp_path / "out", progress=no_progress, engine=LocalEngine(1))
    assert not (tmp_path / "out").exists()


def test_progress_counts_all_shards_and_never_goes_back(tmp_path):
    told = []
    build_shards(
        _shards(tmp_path),
        tmp_path,
        tmp_path / "out",
        progress=lambda *step: told.append(step[:2]),
        engine=LocalEngine(1),
    )
    assert told == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
