"""Leaving boxes out on request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.errors import ConfigError
from labeling.annotations import Box
from records.box_filters import BoxFilters, SmallestBox, parse_smallest_box
from records.features import ExampleObject


def _object(box: Box, *, difficult: bool = False) -> ExampleObject:
    return ExampleObject(1, "cat", box, difficult=difficult)


def test_nothing_is_left_out_unless_asked_for():
    objects = (_object(Box(0, 0, 0.5, 0.5), difficult=True),)
    assert BoxFilters().apply(objects, width=1000, height=1000) == (objects, {})
    assert BoxFilters().words() == ()


def test_difficult_and_small_boxes_are_counted_apart():
    filters = BoxFilters(drop_difficult=True, smallest=SmallestBox(8, 300, 300))
    kept = _object(Box(0, 0, 100, 100))
    objects = [kept, _object(Box(0, 0, 9, 9), difficult=True), _object(Box(0, 0, 9, 300)), _object(Box(5, 5, 300, 9))]
    assert filters.apply(objects, width=600, height=600) == ((kept,), {"difficult": 1, "small": 2})
    assert filters.words() == ("drop-difficult", "min-box 8@300")


@pytest.mark.parametrize(
    ("box", "is_kept"),
    [
        (Box(0, 0, 16, 16), True),  # 8 x 8 where the model sees half the size
        (Box(0, 0, 15.9, 16), False),
        (Box(-100, 0, 15, 100), False),  # what lies outside of the picture does not count
    ],
)
def test_the_side_is_measured_at_the_size_the_model_sees(box, is_kept):
    kept, _ = BoxFilters(smallest=SmallestBox(8, 300, 300)).apply([_object(box)], width=600, height=600)
    assert bool(kept) is is_kept


def test_a_picture_that_is_squeezed_has_its_boxes_squeezed():
    filters = BoxFilters(smallest=parse_smallest_box("10@320x320"))
    kept, _ = filters.apply([_object(Box(0, 0, 30, 30))], width=1280, height=320)
    assert kept == ()


@pytest.mark.parametrize("text", ["8", "8@", "@300", "8@300x", "x@300", "0@300", "-1@300", "8@0", "8@300x0", "nan@300"])
def test_what_is_no_smallest_box(text):
    if text == "8@300x":
        assert parse_smallest_box(text) == SmallestBox(8, 300, 300)
        return
    with pytest.raises(ConfigError, match=r"is no smallest box\. Write N@SIZE"):
        parse_smallest_box(text)


@given(st.floats(0.1, 1000), st.integers(1, 5000), st.integers(1, 5000))
def test_a_smallest_box_reads_as_it_is_written(side, width, height):
    smallest = SmallestBox(float(f"{side:g}"), width, height)
    assert parse_smallest_box(str(smallest)) == smallest
