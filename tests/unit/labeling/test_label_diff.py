from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.annotations import Annotation, Box, LabeledObject
from labeling.errors import DatasetError
from labeling.label_diff import diff_labels
from labeling.voc import write_annotation

_CAT = LabeledObject("cat", Box(5, 6, 40, 30))
_DOG = LabeledObject("dog", Box(1, 20, 60, 47))


def _write(root: Path, place: str = "a", *objects: LabeledObject, **fields: object) -> None:
    drawn = Annotation(f"{Path(place).name}.jpg", 64, 48, objects=objects or (_CAT, _DOG))
    write_annotation(replace(drawn, **fields), root / f"{place}.xml")  # type: ignore[arg-type]


def _diff(root: Path) -> list[tuple[str, str, int | None, str, str]]:
    changes = diff_labels(root / "old", root / "new")
    return [(one.stem, one.kind.value, one.object_index, one.before, one.after) for one in changes]


def test_order_and_decoration_do_not_matter(tmp_path: Path) -> None:
    _write(tmp_path / "old")
    _write(tmp_path / "new", "a", _DOG, _CAT, path="C:\\x", folder="y", filename="z")
    assert _diff(tmp_path) == []


@pytest.mark.parametrize(
    ("objects", "expected"),
    [
        ((_CAT,), ("a", "removed", 2, "'dog' (1, 20)-(60, 47)", "")),
        ((_CAT, _DOG, replace(_CAT, box=Box(50, 1, 60, 9))), ("a", "added", 3, "", "'cat' (50, 1)-(60, 9)")),
        ((replace(_CAT, name="fox"), _DOG), ("a", "relabelled", 1, "'cat'", "'fox'")),
        ((replace(_CAT, box=Box(6, 6, 40, 30)), _DOG), ("a", "moved", 1, "(5, 6)-(40, 30)", "(6, 6)-(40, 30)")),
        ((_CAT, replace(_DOG, difficult=True)), ("a", "marked", 2, "no marks", "difficult")),
    ],
)
def test_changes_of_objects(objects: tuple[LabeledObject, ...], expected: tuple[object, ...], tmp_path: Path) -> None:
    _write(tmp_path / "old")
    _write(tmp_path / "new", "a", *objects)
    assert _diff(tmp_path) == [expected]


def test_changes_of_pictures(tmp_path: Path) -> None:
    _write(tmp_path / "old", "cat/training/a")
    _write(tmp_path / "old", "cat/training/b")
    _write(tmp_path / "old", "cat/training/gone")
    _write(tmp_path / "new", "cat/verification/a", width=32)
    _write(tmp_path / "new", "cat/training/b", verified=True)
    _write(tmp_path / "new", "cat/training/new")
    assert _diff(tmp_path) == [
        ("a", "placed", None, "cat/training", "cat/verification"),
        ("a", "resized", None, "64x48", "32x48"),
        ("b", "marked", None, "not verified", "verified"),
        ("gone", "removed", None, "cat/training", ""),
        ("new", "added", None, "", "cat/training"),
    ]


def test_two_files(tmp_path: Path) -> None:
    _write(tmp_path, "old")
    _write(tmp_path, "new", _CAT)
    changes = diff_labels(tmp_path / "old.xml", tmp_path / "new.xml")
    assert [(one.kind.value, one.object_index) for one in changes] == [("removed", 2)]


def test_files_that_break_are_named(tmp_path: Path) -> None:
    _write(tmp_path / "old")
    _write(tmp_path / "new")
    (tmp_path / "new" / "a.xml").write_text("<annotation>")
    ((_, kind, _, before, after),) = _diff(tmp_path)
    assert (kind, before) == ("unreadable", "readable")
    assert after


def test_a_missing_side_is_an_error(tmp_path: Path) -> None:
    _write(tmp_path / "old")
    with pytest.raises(DatasetError):
        diff_labels(tmp_path / "old", tmp_path / "none")


_OBJECTS = st.lists(
    st.builds(LabeledObject, st.sampled_from(["cat", "dog"]),
              st.builds(Box, *[st.integers(0, 9)] * 2, *[st.integers(10, 20)] * 2), difficult=st.booleans()),
    max_size=5,
)  # fmt: skip


@given(before=_OBJECTS, after=_OBJECTS)
def test_every_object_is_accounted_for(
    before: list[LabeledObject], after: list[LabeledObject], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("diff")
    for name, objects in (("old", before), ("new", after)):
        write_annotation(Annotation("a.jpg", 64, 48, objects=tuple(objects)), root / name / "a.xml")
    kinds = [kind for _, kind, index, _, _ in _diff(root) if index is not None]
    assert len(before) - kinds.count("removed") == len(after) - kinds.count("added")
    assert (kinds == []) is (sorted(map(repr, before)) == sorted(map(repr, after)))
