"""One example in words and as a picture."""

import io

import numpy as np
import pytest
from PIL import Image

from labeling.annotations import Box
from records.errors import ExampleError
from records.example import BytesList, FloatList, Int64List
from records.features import ExampleObject, ExampleSource, detection_features
from records.preview import describe_features, draw_example


def _features(**changes):
    stream = io.BytesIO()
    Image.new("RGB", (400, 300), "white").save(stream, "PNG")
    objects = (ExampleObject(1, "cat", Box(100, 60, 300, 240)),)
    source = ExampleSource(1, "a.png", "a.xml", "s", "x", 400, 300, "png", "c", "training", objects=objects)
    return {**detection_features(source, stream.getvalue()), **changes}


def test_keys_are_sorted_and_long_bytes_are_shown_by_their_hash():
    rows = describe_features({"b": Int64List((1, 2)), "a": BytesList((b"\xff" * 9, b"text", b"")), "c": None})
    assert [row["key"] for row in rows] == ["a", "b", "c"]
    assert rows[0]["values"][0]["bytes"] == 9
    assert rows[0]["values"][1:] == ["text", ""]
    assert rows[1] == {"key": "b", "kind": "int64", "count": 2, "values": [1, 2]}
    assert rows[2] == {"key": "c", "kind": "none", "count": 0, "values": []}


def test_the_box_is_drawn_where_it_is():
    pixels = np.asarray(draw_example(_features()))
    drawn = np.argwhere((pixels != 255).any(axis=2))
    (_, left), (bottom, right) = drawn.min(axis=0), drawn.max(axis=0)
    assert (left, right, bottom) == pytest.approx((100, 300, 240), abs=3)
    # The words stand above the left end of the upper edge; its right end shows where the edge is.
    assert np.flatnonzero((pixels[:120, 290] != 255).any(axis=1)).tolist() == [60, 61]


def test_boxes_without_names_or_ids_or_sense_are_no_obstacle():
    features = _features(**{
        "image/object/bbox/xmin": FloatList((0.9, float("nan"), -5.0)),
        "image/object/bbox/xmax": FloatList((0.1, 0.5, 7.0)),
        "image/object/bbox/ymin": FloatList((0.9, 0.1, 0.2)),
        "image/object/bbox/ymax": FloatList((0.1, 0.5, 0.4)),
        "image/object/class/text": BytesList(),
        "image/object/class/label": Int64List((3,)),
    })  # fmt: skip
    assert draw_example(features).size == (400, 300)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image/encoded": None}, "nothing to draw"),
        ({"image/encoded": BytesList((b"<html>",))}, "does not decode"),
        ({"image/object/bbox/xmin": FloatList((0.1, 0.2))}, "differ in length"),
    ],
)
def test_what_cannot_be_drawn_is_refused(changes, message):
    with pytest.raises(ExampleError, match=message):
        draw_example(_features(**changes))
