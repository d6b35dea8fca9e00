"""Values of examples that may lack them, or have others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.classification_features import raw_features, raw_pixels
from records.errors import ExampleError
from records.example import BytesList, FloatList, Int64List
from records.example_values import first_bytes, first_int, first_text, texts_of, values_of

_FEATURES = {
    "words": BytesList((b"cat", b"\xff")),
    "numbers": Int64List((7, 8)),
    "fractions": FloatList((0.5,)),
    "no words": BytesList(),
    "nothing": None,
}


@pytest.mark.parametrize(
    ("key", "values", "texts", "content", "number"),
    [
        ("words", (b"cat", b"\xff"), ["cat", "\ufffd"], b"cat", 0),
        ("numbers", (7, 8), [], b"", 7),
        ("fractions", (0.5,), [], b"", 0),
        ("no words", (), [], b"", 0),
        ("nothing", (), [], b"", 0),
        ("missing", (), [], b"", 0),
    ],
)
def test_what_is_missing_or_of_another_kind_is_empty(key, values, texts, content, number):
    assert values_of(_FEATURES, key) == values
    assert texts_of(_FEATURES, key) == texts
    assert first_bytes(_FEATURES, key) == content
    assert first_text(_FEATURES, key) == content.decode()
    assert first_int(_FEATURES, key) == number


@given(st.integers(1, 9), st.data())
def test_a_drawing_comes_back_as_it_was_put_in(side, data):
    pixels = data.draw(st.binary(min_size=side * side, max_size=side * side))
    features = raw_features(label=1, text="cat", side=side, pixels=pixels, source="cat.npy", drawing=b"0")
    found = raw_pixels(features)
    assert found is not None
    assert found.tolist() == np.frombuffer(pixels, np.uint8).reshape(side, side).tolist()


@pytest.mark.parametrize(("height", "width"), [(2, 4), (0, 0), (-2, -3)])
def test_a_drawing_of_another_size_than_it_says_is_refused(height, width):
    features = {"image/raw": BytesList((b"123456",)), "image/height": Int64List((height,)),
                "image/width": Int64List((width,))}  # fmt: skip
    with pytest.raises(ExampleError, match="has 6 bytes"):
        raw_pixels(features)
    assert raw_pixels({}) is None
