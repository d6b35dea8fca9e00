import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.quickdraw_formats import read_simplified
from collectors.stroke_simplification import simplify_strokes

coordinates = st.floats(-1000, 1000, allow_nan=False)
raw_strokes = st.lists(
    st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=12).map(np.array), min_size=1, max_size=4
)


@given(raw_strokes)
def test_the_result_is_in_the_schema(strokes):
    simple = simplify_strokes(strokes)
    assert len(simple) == len(strokes)
    points = np.concatenate(simple)
    assert points.min() >= 0
    assert points.max() <= 255
    assert all(len(stroke) >= 1 for stroke in simple)


@given(raw_strokes.filter(lambda strokes: all(len(stroke) < 3 for stroke in strokes)))
def test_short_strokes_are_scaled_to_the_canvas(strokes):
    points = np.concatenate(simplify_strokes(strokes))
    assert points.min(axis=0).tolist() == [0, 0]
    extent = np.ptp(np.concatenate(strokes), axis=0).max()
    assert points.max() == (255 if extent > 0 else 0)


def test_a_straight_line_keeps_its_ends():
    line = np.column_stack([np.linspace(10, 50, 30), np.linspace(5, 25, 30)])
    assert [stroke.tolist() for stroke in simplify_strokes([line])] == [[[0, 0], [255, 128]]]


def test_a_bend_of_more_than_two_pixels_stays_and_a_smaller_one_goes():
    bend = np.array([[0.0, 0.0], [128.0, 3.0], [255.0, 0.0]])
    flat = np.array([[0.0, 0.0], [128.0, 1.0], [255.0, 0.0]])
    assert len(simplify_strokes([bend])[0]) == 3
    assert len(simplify_strokes([flat])[0]) == 2


def test_a_drawing_without_extent_is_at_the_origin():
    assert simplify_strokes([np.array([[7.0, 7.0]])])[0].tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("strokes", [[], [np.empty((0, 2))]])
def test_nothing_to_simplify_is_refused(strokes):
    with pytest.raises(ValueError, match="at least one"):
        simplify_strokes(strokes)


def test_real_raw_drawings_become_googles_simplified_ones(shared_data: Path):
    raw = {}
    for path in sorted((shared_data / "quickdraw" / "raw").glob("*.ndjson")):
        for line in path.read_text().splitlines():
            value = json.loads(line)
            raw[value["key_id"]] = [np.array(stroke[:2], float).T for stroke in value["drawing"]]
    pairs = 0
    for path in sorted((shared_data / "quickdraw" / "simplified_25x344").glob("*.ndjson")):
        if not (shared_data / "quickdraw" / "raw" / path.name).exists():
            continue
        for drawing in read_simplified(path, pytest.fail):
            if drawing.key_id in raw:
                pairs += 1
                mine = simplify_strokes(raw[drawing.key_id])
                assert [stroke.tolist() for stroke in mine] == [stroke.tolist() for stroke in drawing.strokes]
    assert pairs == 210
