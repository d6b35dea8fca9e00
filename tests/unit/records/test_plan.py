"""The plan of a record: order, numbers, shards, fingerprints."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.errors import ConfigError
from labeling.annotations import Box
from records.features import ExampleObject, ExampleSource
from records.plan import MERGED, Refusal, plan_record, record_file_name


def _example(name: str) -> ExampleSource:
    return ExampleSource(
        source_id=0,
        image_path=f"cat/training/images/{name}.jpg",
        xml_path=f"cat/training/{name}.xml",
        image_sha256=name,
        xml_sha256=name,
        width=10,
        height=10,
        format="jpeg",
        class_folder="cat",
        split="training",
        objects=(ExampleObject(1, "cat", Box(1.0, 1.0, 5.0, 5.0)),),
    )


def _plan(candidates, **changes):
    options = {"file": "cat_training.record", "class_name": "cat", "split": "training", "block": 1, "shard_bytes": 100}
    return plan_record(candidates, **{**options, **changes})


_CANDIDATES = st.lists(st.tuples(st.text("abc", min_size=1, max_size=4), st.integers(1, 150)), unique_by=lambda c: c[0])


@given(_CANDIDATES, st.randoms())
def test_any_order_of_the_folder_gives_the_same_plan(names, chance):
    candidates = [(_example(name), size) for name, size in names]
    shuffled = list(candidates)
    chance.shuffle(shuffled)
    assert _plan(shuffled) == _plan(candidates)
    assert _plan(shuffled).fingerprint == _plan(candidates).fingerprint


@given(_CANDIDATES)
def test_every_example_is_in_one_shard_in_order_of_paths_with_a_number_of_its_own(names):
    plan = _plan([(_example(name), size) for name, size in names])
    assert sorted(example.image_sha256 for example in plan.examples()) == sorted(name for name, _ in names)
    own = 1_000_000 // max(len(plan.shards), 1)
    for index, shard in enumerate(plan.shards):
        paths = [example.image_path for example in shard.examples]
        assert paths == sorted(paths)
        first = 2_000_001 + index * own
        assert [example.source_id for example in shard.examples] == list(range(first, first + len(paths)))


@given(_CANDIDATES)
def test_every_shard_has_a_picture_and_they_are_as_few_as_keep_to_the_size(names):
    sizes = dict(names)
    plan = _plan([(_example(name), size) for name, size in names])
    contents = [[sizes[example.image_sha256] for example in shard.examples] for shard in plan.shards]
    assert all(contents)
    assert [sum(content) for content in contents] == [shard.picture_bytes for shard in plan.shards]
    assert len(contents).bit_count() <= 1
    if sum(sizes.values()) <= 100 and sizes:
        assert len(contents) == 1


def _many(count: int) -> list[tuple[ExampleSource, int]]:
    return [(_example(f"{index:05d}"), 10) for index in range(count)]


def test_shards_of_many_pictures_keep_to_their_size():
    plan = _plan(_many(2000), shard_bytes=3000)
    assert len(plan.shards) == 8
    assert all(1500 <= shard.picture_bytes <= 3000 for shard in plan.shards)


def test_a_picture_that_comes_goes_or_changes_touches_one_shard():
    candidates = _many(2000)
    before = [shard.fingerprint for shard in _plan(candidates, shard_bytes=3200).shards]
    came = [*candidates, (_example("00000a"), 10)]
    went = candidates[1:]
    changed = [(dataclasses.replace(candidates[0][0], xml_sha256="other"), 10), *candidates[1:]]
    for now in (came, went, changed):
        after = [shard.fingerprint for shard in _plan(now, shard_bytes=3200).shards]
        assert sum(one != other for one, other in zip(before, after, strict=True)) == 1


def test_names_of_shards():
    one = _plan([(_example("a"), 90)])
    four = _plan(_many(8), shard_bytes=40)
    assert [shard.file for shard in one.shards] == ["cat_training.record"]
    assert [shard.file for shard in four.shards] == [
        f"cat_training.record-{index:05d}-of-{len(four.shards):05d}" for index in range(len(four.shards))
    ]
    assert len(four.shards) > 1
    assert record_file_name("cat", "training") == "cat_training.record"


def test_a_merged_record_has_numbers_of_its_own():
    plans = [_plan(_many(3), class_name=MERGED, split=split, block=0) for split in ("training", "verification")]
    assert [[e.source_id for e in plan.examples()] for plan in plans] == [
        [1, 2, 3], [1_000_000_001, 1_000_000_002, 1_000_000_003],
    ]  # fmt: skip


def test_one_file_when_asked_for():
    plan = _plan([(_example(name), 90) for name in "abc"], shard_bytes=None)
    assert [shard.file for shard in plan.shards] == ["cat_training.record"]
    assert plan.num_written == 3


def test_nothing_usable_gives_no_shards_and_keeps_the_account():
    refusals = [Refusal("cat/training/b.xml", "X01", "broken"), Refusal("cat/training/a.xml", "L01", "no picture")]
    plan = _plan([], refused=refusals)
    assert plan.shards == ()
    assert (plan.num_found, plan.num_written, plan.num_boxes) == (2, 0, 0)
    assert [item.path for item in plan.refused] == ["cat/training/a.xml", "cat/training/b.xml"]


def test_numbers_of_two_classes_and_splits_never_meet():
    blocks = [(block, split) for block in (1, 2, 1072) for split in ("training", "verification")]
    ids = [next(_plan([(_example("a"), 1)], block=block, split=split).examples()).source_id for block, split in blocks]
    assert ids == [2_000_001, 3_000_001, 4_000_001, 5_000_001, 2_144_000_001, 2_145_000_001]


def test_no_numbers_left():
    with pytest.raises(ConfigError, match="no free picture numbers for cat/training"):
        _plan([(_example("a"), 1)], block=1074)


@pytest.mark.parametrize(
    "change",
    [
        {"image_sha256": "other"},
        {"xml_sha256": "other"},
        {"width": 11},
        {"format": "png"},
        {"objects": ()},
        {"objects": (ExampleObject(2, "cat", Box(1.0, 1.0, 5.0, 5.0)),)},
        {"objects": (ExampleObject(1, "cat", Box(1.0, 1.0, 5.0, 5.5)),)},
    ],
)
def test_anything_the_bytes_depend_on_changes_the_fingerprint(change):
    example = _example("a")
    assert _plan([(example, 1)]).fingerprint != _plan([(dataclasses.replace(example, **change), 1)]).fingerprint


def test_refusals_and_sizes_do_not_change_the_fingerprint():
    plain = _plan([(_example("a"), 1)])
    assert _plan([(_example("a"), 2)], refused=[Refusal("x.xml", "X01", "broken")]).fingerprint == plain.fingerprint
