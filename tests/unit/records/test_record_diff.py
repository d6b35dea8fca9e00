"""What changed between two sets of records, from manifests and from the records alone."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from collectors.errors import InputError
from labeling.annotations import Box
from records.build import build_records
from records.example import BytesList
from records.record_diff import RecordChangeKind, diff_records
from records.record_pictures import read_content
from tests.support.od_api_records import od_example, write_records
from tests.unit.records.pictures import HEIGHT, WIDTH, add_picture, make_data, picture_bytes


@pytest.fixture(scope="module")
def old(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("old")
    data = make_data(root / "data", training=3, verification=2)
    add_picture(data, "cat", "training", "two", boxes=[(1, 1, 9, 9), (14, 4, 30, 20)], labels=["cat", "dog"])
    build_records(data, root / "records")
    return root


@pytest.fixture
def changed(old, tmp_path):
    """A copy of the data, and a function that builds it and compares it with the old records, in both ways."""
    data = Path(shutil.copytree(old / "data", tmp_path / "data"))

    def compare() -> list[tuple[str, str, int | None]]:
        build_records(data, tmp_path / "records", shard_bytes=3000)
        answers = []
        for first, second in (
            (old / "records", tmp_path / "records"),
            (_bare(old, tmp_path), _bare(tmp_path, tmp_path)),
        ):
            found = diff_records(first, second)
            back = diff_records(second, first)
            assert len(back.pictures) == len(found.pictures)
            answers.append([(one.picture, one.kind, one.object_index) for one in found.pictures])
        assert answers[0] == answers[1]
        return answers[0]

    return data, compare


def _bare(root: Path, tmp_path: Path) -> Path:
    """The records without their manifest."""
    folder = tmp_path / f"bare_{root.name}"
    shutil.copytree(root / "records", folder, ignore=shutil.ignore_patterns("manifest.json"))
    return folder


def test_the_same_records_are_the_same_however_they_are_read(old, tmp_path):
    bare = _bare(old, tmp_path)
    for first in (old / "records", old / "records" / "manifest.json", bare, str(bare / "*.record")):
        found = diff_records(Path(first), old / "records")
        assert (found.is_empty, found.num_same) == (True, 11)


def test_a_picture_more_and_one_less_renumber_the_others_and_change_nothing_else(changed):
    data, compare = changed
    add_picture(data, "cat", "training", "aaa_first")
    (data / "dog" / "training" / "dog_training_01.xml").unlink()
    (data / "dog" / "training" / "images" / "dog_training_01.jpg").unlink()
    assert compare() == [
        ("cat/training/images/aaa_first.jpg", RecordChangeKind.ADDED, None),
        ("dog/training/images/dog_training_01.jpg", RecordChangeKind.REMOVED, None),
    ]


def test_boxes_moved_relabelled_added_and_removed(changed):
    data, compare = changed
    add_picture(
        data,
        "cat",
        "training",
        "two",
        boxes=[(1, 1, 10, 9), (14, 4, 30, 20), (31, 21, 39, 29)],
        labels=["cat", "cat", "dog"],
    )
    add_picture(data, "dog", "training", "dog_training_00", boxes=[])
    name = "cat/training/images/two.jpg"
    assert compare() == [
        (name, "moved", 1), (name, "relabelled", 2), (name, "added", 3),
        ("dog/training/images/dog_training_00.jpg", "removed", 1),
    ]  # fmt: skip


def test_a_picture_with_other_bytes_one_in_another_split_and_one_of_another_name(changed):
    data, compare = changed
    add_picture(
        data,
        "cat",
        "training",
        "two",
        boxes=[(1, 1, 9, 9), (14, 4, 30, 20)],
        labels=["cat", "dog"],
        content=picture_bytes("new"),
    )
    for suffix, below in ((".xml", ""), (".jpg", "images/")):
        (data / "dog/training" / f"{below}dog_training_00{suffix}").rename(
            data / "dog/verification" / f"{below}dog_training_00{suffix}"
        )
        (data / "dog/training" / f"{below}dog_training_01{suffix}").rename(
            data / "dog/training" / f"{below}renamed{suffix}"
        )
    assert compare() == [
        ("cat/training/images/two.jpg", "replaced", None),
        ("dog/training/images/renamed.jpg", "renamed", None),
        ("dog/verification/images/dog_training_00.jpg", "placed", None),
    ]  # fmt: skip


def test_ids_that_moved_and_a_class_more(old, tmp_path):
    data = Path(shutil.copytree(old / "data", tmp_path / "data"))
    (data / "label_map.pbtxt").write_text(
        "item { id: 2 name: 'cat' } item { id: 5 name: 'dog' } item { id: 7 name: 'owl' }"
    )
    build_records(data, tmp_path / "records")
    found = diff_records(old / "records", tmp_path / "records")
    assert [(one.name, one.before, one.after) for one in found.classes] == [
        ("cat", 1, 2),
        ("dog", 2, 5),
        ("owl", None, 7),
    ]
    assert found.pictures == ()
    assert not found.is_empty


def test_records_of_another_tool(tmp_path):
    picture = Image.effect_noise((100, 80), 60).convert("RGB")
    first = [od_example(picture, [(0.1, 0.1, 0.5, 0.5)], [1])]
    second = [
        od_example(picture, [(0.1, 0.1, 0.5, 0.5)], [1], image__object__class__text=BytesList((b"other",))),
        od_example(picture.rotate(180), source_id="b", image__filename=BytesList((b"b.jpg",))),
    ]
    found = diff_records(
        write_records(tmp_path / "a_train.record", first), write_records(tmp_path / "b_train.record", second)
    )
    assert [(one.picture, one.kind, one.object_index) for one in found.pictures] == [
        ("b.jpg", "added", None),
        ("raccoon-1.jpg", "relabelled", 1),
    ]


def test_what_is_missing_or_no_record(old, tmp_path):
    (tmp_path / "x.record").write_text("a text in place of a record")
    for path in (tmp_path / "nowhere", tmp_path / "x.record", tmp_path / "manifest.json"):
        with pytest.raises(InputError):
            diff_records(old / "records", path)


@given(
    st.lists(
        st.tuples(st.integers(0, WIDTH - 2), st.integers(0, HEIGHT - 2), st.integers(1, WIDTH), st.integers(1, HEIGHT)),
        max_size=4,
    )
)
def test_a_record_reads_as_its_manifest_whatever_the_boxes_are(tmp_path_factory, boxes):
    root = tmp_path_factory.mktemp("boxes")
    edges = [Box(x, y, min(x + w, WIDTH), min(y + h, HEIGHT)) for x, y, w, h in boxes]
    add_picture(root / "data", "cat", "training", "a", boxes=sorted({(b.xmin, b.ymin, b.xmax, b.ymax) for b in edges}))
    build_records(root / "data", root / "records")
    listed = read_content(root / "records")
    (root / "records" / "manifest.json").unlink()
    assert read_content(root / "records") == listed
