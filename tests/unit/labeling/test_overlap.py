from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.annotations import Annotation, Box, LabeledObject
from labeling.checks.overlap import NEAR_IOU, _near, nearly_repeated, nested
from labeling.checks.subject import Subject
from labeling.dataset import LabelFile, Match
from labeling.voc_reader import Reading

_EDGE = st.integers(0, 12)


def _subject(objects: list[LabeledObject]) -> Subject:
    files = LabelFile(Path("a.xml"), (Path("a.jpg"),), Match.STEM, "", "")
    return Subject(files, Reading(Annotation("a.jpg", 20, 20, objects=tuple(objects))), None)


def _iou(a: Box, b: Box) -> tuple[float, float]:
    width = min(a.xmax, b.xmax) - max(a.xmin, b.xmin)
    height = min(a.ymax, b.ymax) - max(a.ymin, b.ymin)
    shared = max(width, 0) * max(height, 0)
    area = a.width * a.height
    return shared / (area + b.width * b.height - shared), shared / area


@given(
    st.lists(
        st.tuples(st.sampled_from(["cat", "dog"]), _EDGE, _EDGE, st.integers(1, 20), st.integers(1, 20)), max_size=7
    )
)
def test_vectors_find_what_comparing_one_by_one_finds(values: list[tuple[str, int, int, int, int]]) -> None:
    objects = [LabeledObject(name, Box(x, y, x + w, y + h)) for name, x, y, w, h in values]
    near, inside = set(), set()
    for i, one in enumerate(objects):
        for j, other in enumerate(objects):
            if i == j or one.name != other.name or one.box == other.box:
                continue
            iou, share = _iou(one.box, other.box)
            if iou > NEAR_IOU and j < i:
                near.add(i + 1)
            is_larger = other.box.width * other.box.height > one.box.width * one.box.height
            if share >= 0.95 and is_larger and iou <= NEAR_IOU:
                inside.add(i + 1)
    subject = _subject(objects)
    assert [finding.object_index for finding in nearly_repeated(subject)] == sorted(near)
    assert [finding.object_index for finding in nested(subject)] == sorted(inside)


def test_broken_boxes_are_not_compared() -> None:
    boxes = [Box(5, 5, 5, 9), Box(float("nan"), 1, 2, 3), Box(9, 9, 1, 1), Box(0, 0, float("inf"), 5)]
    subject = _subject([LabeledObject("cat", box) for box in boxes * 2])
    assert list(nearly_repeated(subject)) == []
    assert list(nested(subject)) == []


_BOXES = st.lists(
    st.builds(lambda x, y, width, height: Box(x, y, x + width, y + height), _EDGE, _EDGE, *[st.integers(1, 12)] * 2),
    min_size=2, max_size=24,
)  # fmt: skip


@given(_BOXES, st.booleans(), st.sampled_from([1.0, 0.37]))
def test_few_boxes_and_many_are_compared_alike(boxes, is_nested, scale):
    boxes = [Box(*(edge * scale for edge in (box.xmin, box.ymin, box.xmax, box.ymax))) for box in boxes]
    boxes = [box for box in boxes if box.xmin < box.xmax and box.ymin < box.ymax]
    indices = list(range(100, 100 + len(boxes)))
    found = []
    for few in (0, 100):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("labeling.checks.overlap._FEW_OBJECTS", few)
            found.append(list(_near(indices, boxes, is_nested=is_nested)))
    assert found[0] == found[1]
