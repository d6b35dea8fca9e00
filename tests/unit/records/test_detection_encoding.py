"""The quick way to a detection example gives the bytes that its features give."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.annotations import Box
from records.detection_encoding import encode_detection
from records.errors import ExampleError
from records.example import encode_example
from records.features import FORMATS, ExampleObject, ExampleSource, OtherSource, detection_features

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
_EDGES = st.tuples(st.floats(-50, 400), st.floats(-50, 400), st.floats(0.5, 400), st.floats(0.5, 400))


@st.composite
def _objects(draw):
    x, y, width, height = draw(_EDGES)
    return ExampleObject(
        draw(st.integers(0, 2**40)), draw(_TEXT), Box(x, y, x + width, y + height), draw(st.booleans()),
        draw(st.booleans()), draw(_TEXT),
    )  # fmt: skip


_SOURCES = st.builds(
    ExampleSource,
    source_id=st.integers(0, 2**31 - 1), image_path=_TEXT, xml_path=_TEXT, image_sha256=_TEXT, xml_sha256=_TEXT,
    width=st.integers(1, 10_000), height=st.integers(1, 10_000), format=st.sampled_from(FORMATS), class_folder=_TEXT,
    split=_TEXT, objects=st.lists(_objects(), max_size=4).map(tuple),
    post_urls=st.lists(_TEXT, max_size=3).map(tuple), transcoding=st.sampled_from(["", "exif turned 90"]),
    others=st.lists(st.builds(OtherSource, _TEXT, _TEXT, _TEXT, _TEXT), max_size=2).map(tuple),
)  # fmt: skip


def _result(function):
    try:
        return function()
    except ExampleError as error:
        return str(error)


@given(_SOURCES, st.one_of(st.binary(max_size=300), st.integers(4000, 70_000).map(bytes)))
def test_the_bytes_and_the_errors_are_those_of_the_features(source, encoded):
    expected = _result(lambda: encode_example(detection_features(source, encoded)))
    assert _result(lambda: b"".join(encode_detection(source, encoded))) == expected


def test_a_large_picture_is_passed_on_uncopied():
    source = ExampleSource(1, "a.jpg", "a.xml", "00", "11", 5, 5, "jpeg", "cat", "training")
    encoded = bytes(100_000)
    assert any(piece is encoded for piece in encode_detection(source, encoded))


def test_a_label_past_64_bits_is_refused():
    item = ExampleObject(1 << 63, "cat", Box(1, 1, 2, 2))
    source = ExampleSource(1, "a.jpg", "a.xml", "00", "11", 5, 5, "jpeg", "cat", "training", (item,))
    with pytest.raises(ExampleError, match=r"image/object/class/label do not fit an Int64List"):
        encode_detection(source, b"x")
