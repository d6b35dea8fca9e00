"""Strokes one by one: each is drawn as it is drawn alone, and laid over each other they make the drawing."""

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.rasterize import rasterize_drawings, rasterize_layers
from records.errors import ExampleError
from records.stroke_layers import MAX_LAYERS, lay_over, pack_layers, unpack_layers

_POINTS = st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255)), min_size=1, max_size=5)
_DRAWINGS = st.lists(st.lists(_POINTS.map(np.array), min_size=1, max_size=22), min_size=1, max_size=4)


@given(_DRAWINGS, st.sampled_from([9, 28, 63, 64, 85]), st.sampled_from([(16.0, 16.0), (5.0, 0.5)]))
def test_layers_laid_over_each_other_make_the_drawing(drawings, side, pen):
    style = {"side": side, "line_width": pen[0], "padding": pen[1]}
    pictures = rasterize_drawings(drawings, **style)
    stacks = list(rasterize_layers(drawings, max_layers=MAX_LAYERS, **style))
    assert [len(stack) for stack in stacks] == [min(len(drawing), MAX_LAYERS) for drawing in drawings]
    for drawing, picture, layers in zip(drawings, pictures, stacks, strict=True):
        # Half a level of rounding a layer and half for the picture. From 64 px on Agg rounds after every stroke.
        allowed = (len(layers) + 1) / 2 + (0 if side < 64 else len(drawing))
        assert np.abs(lay_over(layers).astype(int) - picture).max() <= allowed
        if len(drawing) == 1:
            np.testing.assert_array_equal(layers[0], picture)


@pytest.mark.parametrize(("side", "levels"), [(28, 1), (85, 4)])
def test_real_drawings_differ_by_their_rounding_only(shared_data, side, levels):
    from collectors.quickdraw_formats import read_simplified

    folder = shared_data / "quickdraw" / "simplified_25x344"
    drawings = [
        drawing.strokes
        for path in sorted(folder.glob("*.ndjson"))[::40]
        for drawing in read_simplified(path, pytest.fail)
    ]
    pictures = rasterize_drawings(drawings, side=side)
    layers = rasterize_layers(drawings, side=side)
    drawn = np.stack([lay_over(stack) for stack in layers])
    assert np.abs(drawn.astype(int) - pictures).max() <= levels


@pytest.mark.parametrize("side", [28, 85])
def test_of_too_many_strokes_the_last_layer_has_what_is_left(side):
    drawing = [np.array([[10 * number, 0], [10 * number, 200]]) for number in range(20)]
    (layers,) = rasterize_layers([drawing], side=side, max_layers=4)
    (each,) = rasterize_layers([drawing], side=side, max_layers=20)
    assert (len(layers), len(each)) == (4, 20)
    np.testing.assert_array_equal(layers[:3], each[:3])
    assert np.abs(lay_over(each[3:]).astype(int) - layers[3]).max() <= 9
    (one,) = rasterize_layers([drawing], side=side, max_layers=1)
    np.testing.assert_array_equal(one, rasterize_drawings([drawing], side=side))


def test_layers_do_not_depend_on_what_is_drawn_beside_them(monkeypatch):
    drawings = [[np.array([[0, 0], [9 * number, 255]])] * (1 + number % 5) for number in range(20)]
    together = list(rasterize_layers(drawings))
    monkeypatch.setattr("collectors.rasterize._SHEET_PX", 20_000)
    for alone, stack in zip(rasterize_layers(drawings), together, strict=True):
        np.testing.assert_array_equal(alone, stack)


def test_no_drawings_have_no_layers_and_what_cannot_be_drawn_is_refused():
    assert list(rasterize_layers([])) == []
    with pytest.raises(ValueError, match="0 layers"):
        list(rasterize_layers([], max_layers=0))
    with pytest.raises(ValueError, match="outside 0 to 256"):
        list(rasterize_layers([[np.array([[300, 0]])]]))


@given(st.integers(1, MAX_LAYERS), st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_what_is_packed_comes_out_again(count, height, width, seed):
    layers = np.random.default_rng(seed).integers(0, 256, (count, height, width), np.uint8)
    np.testing.assert_array_equal(unpack_layers(pack_layers(layers), height, width), layers)


@given(st.binary(max_size=40), st.integers(0, 3), st.integers(0, 3))
def test_any_bytes_are_layers_or_refused(content, height, width):
    for packed in (content, zlib.compress(content)):
        try:
            layers = unpack_layers(packed, height, width)
        except ExampleError:
            continue
        assert 1 <= len(layers) <= MAX_LAYERS


@pytest.mark.parametrize(
    ("packed", "words"),
    [
        (b"", "is cut"),
        (b"strokes", "no ZLIB stream"),
        (zlib.compress(bytes(6))[:-1], "is cut"),
        (zlib.compress(bytes(6)) + b"x", "stands behind"),
        (zlib.compress(b""), "0 bytes are no"),
        (zlib.compress(bytes(5)), "5 bytes are no stroke layers of 3 x 2 px"),
        (zlib.compress(bytes(10**7)), "more than 16 stroke layers"),
    ],
)
def test_what_is_no_layers_is_refused(packed, words):
    with pytest.raises(ExampleError, match=words):
        unpack_layers(packed, 2, 3)


def test_more_or_fewer_layers_than_an_example_may_have_are_refused():
    for count in (0, MAX_LAYERS + 1):
        with pytest.raises(ExampleError, match="1 to 16"):
            pack_layers(np.zeros((count, 2, 2), np.uint8))


def test_no_layers_give_no_ink():
    assert not lay_over(np.zeros((0, 3, 4), np.uint8)).any()
