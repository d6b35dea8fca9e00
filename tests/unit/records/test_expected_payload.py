"""An example is recognised by its bytes, and only when all of it is what the manifest says."""

import dataclasses
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.annotations import Box
from records.errors import ExampleError
from records.example import encode_example
from records.expected_payload import picture_as_expected
from records.features import ExampleObject, ExampleSource, detection_features

_TEXT = st.text(max_size=8)
_OBJECTS = st.lists(
    st.builds(
        ExampleObject,
        label=st.integers(1, 300),
        text=_TEXT,
        box=st.builds(lambda x, y, w, h: Box(x, y, x + w, y + h), *[st.integers(0, 40)] * 2, *[st.integers(1, 40)] * 2),
        difficult=st.booleans(),
        truncated=st.booleans(),
        view=_TEXT,
    ),
    max_size=3,
).map(tuple)
_SOURCES = st.builds(
    ExampleSource,
    source_id=st.integers(1, 2**31 - 1),
    image_path=_TEXT,
    xml_path=_TEXT,
    image_sha256=st.just(hashlib.sha256(b"picture").hexdigest()),
    xml_sha256=_TEXT,
    width=st.just(80),
    height=st.just(80),
    format=st.sampled_from(["jpeg", "png"]),
    class_folder=_TEXT,
    split=st.sampled_from(["training", "verification"]),
    objects=_OBJECTS,
)


@given(_SOURCES, st.binary(max_size=300))
def test_what_was_written_is_recognised(source, picture):
    payload = encode_example(detection_features(source, picture))
    assert picture_as_expected(payload, source) == (picture, source.image_sha256)


@given(_SOURCES, st.binary(max_size=30), st.data())
def test_a_flipped_bit_outside_the_picture_is_never_overlooked(source, picture, data):
    payload = bytearray(encode_example(detection_features(source, picture)))
    payload[data.draw(st.integers(0, len(payload) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    found = picture_as_expected(bytes(payload), source)
    # What is left is a flip in the picture, which its hash tells.
    assert found is None or (found[0] != picture and len(found[0]) == len(picture))


@given(_SOURCES, _SOURCES)
def test_another_source_is_told_apart(source, other):
    payload = encode_example(detection_features(source, b"picture"))
    expected = encode_example(detection_features(other, b"picture"))
    assert (picture_as_expected(payload, other) is not None) == (payload == expected)


def test_an_unsound_entry_is_refused():
    source = ExampleSource(
        1, "a", "b", "0" * 64, "x", 80, 80, "png", "c", "training", (ExampleObject(1, "c", Box(0, 0, 9, 9)),)
    )
    payload = encode_example(detection_features(source, b"picture"))
    broken = dataclasses.replace(source, objects=(ExampleObject(1, "c", Box(9, 9, 1, 1)),))
    with pytest.raises(ExampleError, match="nothing is left"):
        picture_as_expected(payload, broken)
