"""Frames made by the thousand are those that the encoder of single examples makes."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from records.classification_features import encoded_features, raw_features
from records.drawing_frames import DrawingLabel, drawing_frames, frame_bytes
from records.drawing_reading import DrawingRows
from records.errors import ExampleError
from records.example import decode_example, encode_example
from records.tfrecord import read_frames, write_frames

_TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=150)
_NAMES = st.lists(st.binary(min_size=1, max_size=200), max_size=12)


@given(_NAMES, st.integers(1, 2**31 - 1), _TEXT, _TEXT, st.integers(1, 13), st.integers(0, 2**32 - 1))
def test_raw_frames_are_those_of_the_encoder(names, label, text, source, side, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (len(names), side**2), np.uint8)
    frames = drawing_frames(
        DrawingLabel(label, text, source), DrawingRows(tuple(names), pixels), side=side, encoding="raw"
    )
    stream = io.BytesIO()
    write_frames(
        stream,
        (
            encode_example(
                raw_features(label=label, text=text, side=side, pixels=row.tobytes(), source=source, drawing=name)
            )
            for name, row in zip(names, pixels, strict=True)
        ),
    )
    assert b"".join(frames) == stream.getvalue()


def test_no_drawings_give_no_frames():
    rows = DrawingRows((), np.zeros((0, 784), np.uint8))
    assert drawing_frames(DrawingLabel(1, "cat", "cat.npy"), rows, side=28, encoding="raw") == []


def test_a_frame_is_as_large_as_it_says():
    rows = DrawingRows((b"123456",), np.zeros((1, 784), np.uint8))
    (frame,) = drawing_frames(DrawingLabel(1, "cat", "cat.npy"), rows, side=28, encoding="raw")
    assert len(frame) == frame_bytes(DrawingLabel(1, "cat", "cat.npy"), side=28) == 988


@pytest.mark.parametrize("encoding", ["png", "jpeg"])
def test_encoded_frames_hold_the_picture(encoding):
    pixels = np.zeros((1, 400), np.uint8)
    pixels[0, 200:] = 255
    frames = drawing_frames(DrawingLabel(2, "cat", "cat.npy"), DrawingRows((b"7",), pixels), side=20, encoding=encoding)
    (frame,) = read_frames(io.BytesIO(b"".join(frames)), path="x")
    features = decode_example(frame.payload)
    assert features["image/format"].values == (encoding.encode(),)
    assert features["image/class/label"].values == (2,)
    assert features["tagbox/drawing"].values == (b"7",)
    with Image.open(io.BytesIO(features["image/encoded"].values[0])) as image:
        assert (image.format, image.size, image.mode) == (encoding.upper(), (20, 20), "L")
        assert np.abs(np.asarray(image).reshape(1, 400).astype(int) - pixels).max() <= (0 if encoding == "png" else 8)


def test_wrong_values_are_refused():
    with pytest.raises(ExampleError, match="783 bytes"):
        raw_features(label=1, text="cat", side=28, pixels=bytes(783), source="x", drawing=b"1")
    with pytest.raises(ExampleError, match="ids are from 1"):
        raw_features(label=0, text="cat", side=1, pixels=b"0", source="x", drawing=b"1")
    with pytest.raises(ExampleError, match="ids are from 1"):
        encoded_features(labels=[], texts=[], encoded=b"", format_name="jpeg", width=1, height=1)
