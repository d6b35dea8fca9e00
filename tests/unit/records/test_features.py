"""The keys of a detection example."""

import math
import struct

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from labeling.annotations import Box
from records.errors import ExampleError
from records.example import BytesList, FloatList, Int64List, decode_example, encode_example
from records.features import ExampleObject, ExampleSource, area_px, detection_features, normalized_box

_SIZE = st.integers(1, 10_000)
_EDGE = st.floats(-20_000, 20_000)


def _source(**changes):
    values = {
        "source_id": 7,
        "image_path": "cat/training/images/a b.jpg",
        "xml_path": "cat/training/a b.xml",
        "image_sha256": "ab" * 32,
        "xml_sha256": "cd" * 32,
        "width": 200,
        "height": 100,
        "format": "jpeg",
        "class_folder": "cat",
        "split": "training",
        "objects": (
            ExampleObject(2, "cat", Box(50, 25, 150, 75), difficult=True, view="Frontal"),
            ExampleObject(1, "dög", Box(1, 1, 200, 100), truncated=True),
        ),
    }
    return ExampleSource(**{**values, **changes})


def test_every_key_with_its_kind_and_value():
    assert detection_features(_source(), b"jpeg bytes") == {
        "image/height": Int64List((100,)),
        "image/width": Int64List((200,)),
        "image/filename": BytesList((b"a b.jpg",)),
        "image/source_id": BytesList((b"7",)),
        "image/key/sha256": BytesList((b"ab" * 32,)),
        "image/encoded": BytesList((b"jpeg bytes",)),
        "image/format": BytesList((b"jpeg",)),
        "image/object/bbox/xmin": FloatList((0.25, struct.unpack("<f", struct.pack("<f", 1 / 200))[0])),
        "image/object/bbox/ymin": FloatList((0.25, struct.unpack("<f", struct.pack("<f", 1 / 100))[0])),
        "image/object/bbox/xmax": FloatList((0.75, 1.0)),
        "image/object/bbox/ymax": FloatList((0.75, 1.0)),
        "image/object/class/text": BytesList((b"cat", "dög".encode())),
        "image/object/class/label": Int64List((2, 1)),
        "image/object/area": FloatList((5000.0, 199.0 * 99.0)),
        "image/object/is_crowd": Int64List((0, 0)),
        "image/object/difficult": Int64List((1, 0)),
        "image/object/truncated": Int64List((0, 1)),
        "image/object/view": BytesList((b"Frontal", b"Unspecified")),
        "tagbox/image_path": BytesList((b"cat/training/images/a b.jpg",)),
        "tagbox/image_sha256": BytesList((b"ab" * 32,)),
        "tagbox/xml_path": BytesList((b"cat/training/a b.xml",)),
        "tagbox/xml_sha256": BytesList((b"cd" * 32,)),
        "tagbox/class_folder": BytesList((b"cat",)),
        "tagbox/split": BytesList((b"training",)),
        "tagbox/post_url": BytesList(),
        "tagbox/transcoding": BytesList(),
    }


def test_a_negative_picture_has_empty_lists_of_the_right_kind():
    features = detection_features(_source(objects=()), b"x")
    assert features["image/object/bbox/xmin"] == FloatList(())
    assert features["image/object/class/label"] == Int64List(())
    assert features["image/object/class/text"] == BytesList(())
    assert set(features) == set(detection_features(_source(), b"x"))


def test_features_survive_the_bytes_unchanged():
    features = detection_features(_source(), bytes(range(256)))
    assert decode_example(encode_example(features)) == features


def test_a_box_beyond_the_edge_is_clipped_and_so_is_its_area():
    box = Box(-2, 1, 202, 99)
    assert normalized_box(box, width=200, height=100) == (0.0, pytest.approx(0.01), 1.0, pytest.approx(0.99))
    assert area_px(box, width=200, height=100) == 200 * 98


@given(_SIZE, _SIZE, _EDGE, _EDGE, _EDGE, _EDGE)
def test_a_box_is_sound_after_rounding_or_refused(width, height, xmin, ymin, xmax, ymax):
    try:
        edges = normalized_box(Box(xmin, ymin, xmax, ymax), width=width, height=height)
    except ExampleError:
        # Nothing of it is inside, or what is inside is thinner than the numbers can tell.
        left, right = max(xmin, 0) / width, min(xmax, width) / width
        top, bottom = max(ymin, 0) / height, min(ymax, height) / height
        assert right - left < 1e-7 or bottom - top < 1e-7
        return
    assert 0 <= edges[0] < edges[2] <= 1
    assert 0 <= edges[1] < edges[3] <= 1
    assert struct.unpack("<4f", struct.pack("<4f", *edges)) == edges


@given(_SIZE, _SIZE, st.data())
def test_pixels_come_back_from_the_fractions(width, height, data):
    xmin, xmax = sorted(data.draw(st.tuples(st.integers(0, width), st.integers(0, width))))
    ymin, ymax = sorted(data.draw(st.tuples(st.integers(0, height), st.integers(0, height))))
    assume(xmin < xmax)
    assume(ymin < ymax)
    edges = normalized_box(Box(xmin, ymin, xmax, ymax), width=width, height=height)
    scaled = [round(edge * size) for edge, size in zip(edges, (width, height, width, height), strict=True)]
    assert scaled == [xmin, ymin, xmax, ymax]


@pytest.mark.parametrize(
    "box",
    [
        Box(math.nan, 0, 5, 5),
        Box(0, 0, 5, math.nan),
        Box(5, 0, 5, 5),
        Box(6, 0, 5, 5),
        Box(0, 6, 5, 5),
        Box(200, 0, 210, 5),
        Box(-9, 0, 0, 5),
        Box(100, 0, 100.000001, 5),
    ],
)
def test_an_unsound_box_is_refused(box):
    with pytest.raises(ExampleError):
        detection_features(_source(objects=(ExampleObject(1, "cat", box),)), b"x")


def test_label_0_is_refused():
    with pytest.raises(ExampleError, match="background"):
        detection_features(_source(objects=(ExampleObject(0, "cat", Box(0, 0, 5, 5)),)), b"x")


def test_the_reference_page_names_every_key(repository):
    text = (repository / "docs" / "reference" / "records.md").read_text()
    for key in detection_features(_source(), b"x"):
        # Keys of one kind share a row: `image/width`, `image/height`, or the last part only.
        assert f"`{key}`" in text or f"`{key.rpartition('/')[2]}`" in text
