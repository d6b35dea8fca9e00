"""Reading records back: names, examples, refusals."""

import io
from pathlib import Path

import numpy as np
import pytest

from collectors.errors import InputError
from labeling.annotations import Box
from records.errors import DamagedRecordError, ExampleError
from records.example import BytesList, FloatList, Int64List, encode_example
from records.features import ExampleObject, ExampleSource, detection_features
from records.reading import detection_example, expand_record_paths, read_examples, read_features_at
from records.tfrecord import write_frames


def _features(number: int = 1, **changes):
    objects = (
        ExampleObject(2, "cat", Box(10, 10, 20, 30), difficult=True),
        ExampleObject(1, "ant", Box(0, 0, 40, 40)),
    )
    source = ExampleSource(
        number, "c/t/images/a.jpg", "c/t/a.xml", "s", "x", 40, 40, "jpeg", "c", "training", objects=objects
    )
    return {**detection_features(source, b"jpeg"), **changes}


def _write(path: Path, *examples) -> Path:
    stream = io.BytesIO()
    write_frames(stream, [encode_example(example) for example in examples])
    path.write_bytes(stream.getvalue())
    return path


def test_examples_of_several_files_in_order(tmp_path):
    _write(tmp_path / "b.record", _features(3))
    _write(tmp_path / "a.record", _features(1), _features(2))
    examples = list(read_examples([tmp_path / "*.record"]))
    assert [(example.path.name, example.index, example.source_id) for example in examples] == [
        ("a.record", 0, "1"), ("a.record", 1, "2"), ("b.record", 0, "3"),
    ]  # fmt: skip


def test_examples_at_some_places_and_nothing_behind_them(tmp_path):
    paths = [_write(tmp_path / f"{part}.record", *(_features(2 * part + one) for one in range(2))) for part in range(2)]
    every = dict(read_features_at(paths, range(9)))
    assert list(every) == [0, 1, 2, 3]
    found = list(read_features_at([*paths, tmp_path / "not there"], {2, 1}))
    assert found == [(1, every[1]), (2, every[2])]
    assert list(read_features_at([tmp_path / "not there"], ())) == []


def test_one_example(tmp_path):
    example = next(read_examples([_write(tmp_path / "a.record", _features())]))
    assert example.encoded == b"jpeg"
    assert (example.filename, example.format, example.width, example.height) == ("a.jpg", "jpeg", 40, 40)
    assert example.boxes_norm.dtype == np.float32
    assert example.boxes_norm.tolist() == [[0.25, 0.25, 0.5, 0.75], [0, 0, 1, 1]]
    assert example.labels.tolist() == [2, 1]
    assert example.texts == ("cat", "ant")
    assert example.difficult.tolist() == [True, False]
    assert example.is_crowd.tolist() == [False, False]
    assert example.num_boxes == 2
    assert "tagbox/image_path" in example.features


def test_the_least_that_other_tools_write():
    features = {"image/encoded": BytesList((b"x",)), "image/object/bbox/xmin": Int64List(())}
    example = detection_example(features, path=Path("x"), index=0)
    assert example.boxes_norm.shape == (0, 4)
    assert example.labels.shape == (0,)
    assert (example.source_id, example.width, example.texts) == ("", 0, ())


def test_missing_names_and_flags_are_filled_in():
    features = _features()
    for key in ("class/text", "difficult", "is_crowd"):
        del features[f"image/object/{key}"]
    example = detection_example(features, path=Path("x"), index=0)
    assert example.texts == ("", "")
    assert example.is_crowd.tolist() == [False, False]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image/object/bbox/xmax": FloatList((0.5,))}, "2 xmin but 1 xmax"),
        ({"image/object/class/label": Int64List((1,))}, "2 xmin but 1 class/label"),
        ({"image/object/class/label": FloatList((1.0, 2.0))}, "is a FloatList, not a Int64List"),
        ({"image/object/class/text": BytesList((b"a",))}, "2 boxes but 1 values of image/object/class/text"),
        ({"image/encoded": BytesList()}, "image/encoded is missing"),
        ({"image/encoded": None}, "image/encoded is missing"),
        ({"image/source_id": BytesList((b"1", b"2"))}, "2 values, not one"),
        ({"image/width": Int64List((1, 2))}, "2 values, not one"),
    ],
)
def test_what_is_no_detection_example_is_named_with_its_place(tmp_path, changes, message):
    path = _write(tmp_path / "a.record", _features(), _features(**changes))
    examples = read_examples([path])
    next(examples)
    with pytest.raises(ExampleError, match=rf"a\.record: example 1: .*{message}"):
        next(examples)


def test_a_record_that_is_no_example_is_named(tmp_path):
    stream = io.BytesIO()
    write_frames(stream, [b"\xff\xff"])
    (tmp_path / "a.record").write_bytes(stream.getvalue())
    with pytest.raises(ExampleError, match=r"a\.record: example 0"):
        list(read_examples([tmp_path / "a.record"]))


def test_a_file_of_0_bytes_is_refused_and_not_taken_for_no_examples(tmp_path):
    (tmp_path / "a.record").write_bytes(b"")
    with pytest.raises(DamagedRecordError, match="no examples"):
        list(read_examples([tmp_path / "a.record"]))


def test_names_of_files(tmp_path):
    names = ["cat_training.record-00000-of-00002", "cat_training.record-00001-of-00002", "dog_training.record"]
    for name in names:
        (tmp_path / name).touch()
    shards = [tmp_path / name for name in names[:2]]
    assert expand_record_paths([tmp_path / "cat_training.record"]) == shards
    assert expand_record_paths([str(tmp_path / "cat*")]) == shards
    assert expand_record_paths([tmp_path / names[1]]) == shards[1:]
    assert expand_record_paths([tmp_path / "*_training.record*", tmp_path / "dog_training.record"]) == [
        tmp_path / name for name in names
    ]


def test_a_file_whose_name_looks_like_a_glob(tmp_path):
    (tmp_path / "a[1].record").touch()
    assert expand_record_paths([tmp_path / "a[1].record"]) == [tmp_path / "a[1].record"]


@pytest.mark.parametrize("pattern", ["cat.record", "cat.record*"])
def test_a_missing_shard_is_named(tmp_path, pattern):
    (tmp_path / "cat.record-00000-of-00003").touch()
    (tmp_path / "cat.record-00002-of-00003").touch()
    with pytest.raises(InputError, match=r"cat\.record: 1 of 3 shards are missing, the first is number 1"):
        expand_record_paths([tmp_path / pattern])


def test_a_missing_record_names_what_there_is(tmp_path):
    (tmp_path / "dog_training.record").touch()
    with pytest.raises(InputError, match=r"no such record\. There are: dog_training\.record"):
        expand_record_paths([tmp_path / "cat_training.record"])
    with pytest.raises(InputError, match="Build it with: tagbox records build"):
        expand_record_paths([tmp_path / "nowhere" / "cat_training.record"])
