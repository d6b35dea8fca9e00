from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.quickdraw_formats import read_simplified
from collectors.rasterize import rasterize_drawings, rasterize_placed

IDENTITY = np.array([[1.0, 0, 0], [0, 1.0, 0]])
HORIZONTAL = np.array([[0, 0], [255, 0]], np.int16)


def _area(coverage):
    return coverage.sum(dtype=float) / 255


def _simplified(shared_data: Path, name: str):
    path = shared_data / "quickdraw" / "simplified_25x344" / f"{name}.ndjson"
    return [drawing.strokes for drawing in read_simplified(path, pytest.fail)]


@pytest.mark.parametrize("category", ["cat", "apple"])
def test_official_bitmaps_are_matched(shared_data: Path, category):
    # The rows of the published bitmaps are in the order of the published drawings.
    official = np.load(shared_data / "quickdraw" / "npy" / f"{category}.npy")[:25].reshape(-1, 28, 28)
    mine = rasterize_drawings(_simplified(shared_data, category))
    difference = np.abs(mine.astype(float) - official)
    assert difference.mean() <= 0.3
    assert difference.mean(axis=(1, 2)).max() <= 0.5
    assert difference.max() <= 40


@pytest.mark.parametrize(("side", "line_width"), [(28, 16), (85, 5), (85, 16)])
def test_a_real_drawing_looks_the_same_alone_and_among_others(shared_data: Path, side, line_width):
    # Among them are scribbles that lie across themselves within a pixel.
    names = ["banana", "clock", "cow", "garden", "ladder", "police car", "snake", "wristwatch"]
    drawings = [strokes for name in names for strokes in _simplified(shared_data, name)]
    together = rasterize_drawings(drawings, side=side, line_width=line_width)
    for strokes, picture in zip(drawings, together, strict=True):
        np.testing.assert_array_equal(rasterize_drawings([strokes], side=side, line_width=line_width)[0], picture)


@pytest.mark.parametrize(("side", "allowed"), [(28, 0.3), (63, 0.3), (64, 0.4), (85, 0.3), (224, 0.15)])
def test_cairo_is_matched_at_any_size(shared_data: Path, side, allowed):
    cairo = pytest.importorskip("cairocffi", reason="the oracle, cairocffi with libcairo2, is not installed")
    names = ["cat", "bicycle", "hurricane", "The Eiffel Tower"] if side > 28 else _categories(shared_data)[::28]
    drawings = [strokes for name in names for strokes in _simplified(shared_data, name)]
    truth = np.stack([_with_cairo(cairo, strokes, side) for strokes in drawings])
    assert np.abs(rasterize_drawings(drawings, side=side).astype(float) - truth).mean() <= allowed


def _categories(shared_data: Path):
    return sorted(path.stem for path in (shared_data / "quickdraw" / "simplified_25x344").glob("*.ndjson"))


def _with_cairo(cairo, strokes, side, line_width=16, padding=16):
    surface = cairo.ImageSurface(cairo.FORMAT_ARGB32, side, side)
    context = cairo.Context(surface)
    context.set_antialias(cairo.ANTIALIAS_BEST)
    context.set_line_cap(cairo.LINE_CAP_ROUND)
    context.set_line_join(cairo.LINE_JOIN_ROUND)
    context.set_line_width(line_width)
    border = padding * 2 + line_width
    context.scale(side / (256 + border), side / (256 + border))
    context.translate(border / 2, border / 2)
    context.set_source_rgb(1, 1, 1)
    left, top = (256 - np.concatenate(strokes).max(axis=0)) / 2
    for stroke in strokes:
        context.move_to(stroke[0][0] + left, stroke[0][1] + top)
        for x, y in stroke:
            context.line_to(x + left, y + top)
        context.stroke()
    return np.frombuffer(surface.get_data(), np.uint8).reshape(side, -1)[:, : 4 * side : 4].copy()


@pytest.mark.parametrize("side", [28, 100])
def test_a_line_covers_its_area_in_the_middle(side):
    picture = rasterize_drawings([[HORIZONTAL]], side=side)[0]
    scale = side / (256 + 48)
    ideal = (255 * 16 + np.pi * 8**2) * scale**2
    assert _area(picture) == pytest.approx(ideal, rel=0.01)
    assert np.abs(picture[::-1].astype(int) - picture).max() <= 2, "centred by its largest y"
    rows, columns = np.indices(picture.shape) + 0.5
    centre = (picture * columns).sum() / picture.sum(), (picture * rows).sum() / picture.sum()
    assert centre == pytest.approx((side / 2, side / 2), abs=0.05)


@pytest.mark.parametrize("side", [28, 100])
@pytest.mark.parametrize("dot", [[[0, 0]], [[9, 9], [9, 9]]], ids=["one point", "the same point twice"])
def test_a_stroke_without_length_is_a_dot(side, dot):
    picture = rasterize_drawings([[np.array(dot, np.int16)]], side=side)[0]
    # Agg's circle is a polygon within an eighth of a pixel; cairo's, at 28 pixels, is a hexagon.
    assert _area(picture) == pytest.approx(np.pi * (8 * side / 304) ** 2, rel=0.07)


@pytest.mark.parametrize("side", [28, 100])
def test_strokes_lie_over_each_other(side):
    """A pixel half covered by two strokes each is covered three quarters, as cairo draws it."""
    once = rasterize_drawings([[HORIZONTAL]], side=side)[0] / 255
    twice = rasterize_drawings([[HORIZONTAL, HORIZONTAL]], side=side)[0] / 255
    assert np.abs(twice - (1 - (1 - once) ** 2)).max() < 0.015
    assert ((once > 0.1) & (once < 0.9)).any()


@pytest.mark.parametrize("side", [16, 63, 64, 90])
def test_a_drawing_looks_the_same_alone_and_in_a_crowd(side):
    rng = np.random.default_rng(4)
    drawings = [
        [rng.integers(0, 256, (int(rng.integers(1, 9)), 2), np.int16) for _ in range(int(rng.integers(1, 7)))]
        for _ in range(60)
    ]
    together = rasterize_drawings(drawings, side=side)
    alone = np.concatenate([rasterize_drawings([drawing], side=side) for drawing in drawings])
    # Agg rounds to 1/256 of a pixel, and where a cell stands decides which way.
    assert np.abs(together.astype(int) - alone).max() <= 3
    assert together.any(axis=(1, 2)).all()


@pytest.mark.parametrize("side", [28, 100])
def test_no_ink_runs_into_the_neighbour_without_padding(side):
    full = [np.array([[0, 0], [255, 0], [255, 255], [0, 255], [0, 0]], np.int16)]
    dot = [np.array([[0, 0]], np.int16)]
    pictures = rasterize_drawings([full, dot, full, dot], side=side, padding=0)
    assert np.array_equal(pictures[1], pictures[3])
    assert not pictures[1][:4].any()
    assert pictures[0][0].any(), "without padding the ink reaches the border"


def test_no_drawings_give_no_pictures():
    assert rasterize_drawings([], side=40).shape == (0, 40, 40)


@pytest.mark.parametrize(
    "drawing",
    [
        pytest.param([], id="no strokes"),
        pytest.param([np.empty((0, 2))], id="no points"),
        pytest.param([np.zeros((2, 3))], id="three columns"),
        pytest.param([[[0, 0], [1, 1]]], id="lists"),
        pytest.param([np.array([[0, 256]])], id="off the canvas"),
        pytest.param([np.array([[-1, 0]])], id="negative"),
        pytest.param([np.array([[np.nan, 0.0]])], id="not a number"),
    ],
)
def test_what_is_no_drawing_is_refused(drawing):
    with pytest.raises(ValueError, match="drawing"):
        rasterize_drawings([[HORIZONTAL], drawing])


@pytest.mark.parametrize("options", [{"side": 0}, {"line_width": 0.0}, {"padding": -1.0}])
def test_impossible_geometry_is_refused(options):
    with pytest.raises(ValueError, match="cannot render"):
        rasterize_drawings([[HORIZONTAL]], **options)


@given(
    angle=st.floats(-3.2, 3.2),
    scale=st.floats(0.1, 2),
    x=st.floats(-300, 300),
    y=st.floats(-300, 300),
    pen=st.floats(1, 12),
)
def test_placed_ink_bounds_the_geometry_anywhere(angle, scale, x, y, pen):
    strokes = [np.array([[0, 0], [255, 40], [90, 200]], np.int16), np.array([[10, 100]], np.int16)]
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * scale
    transform = np.column_stack([turn, (x, y)])
    patch = rasterize_placed(strokes, transform, line_width_px=pen)
    points = np.concatenate(strokes) @ turn.T + (x, y)
    rows, columns = np.flatnonzero((patch.coverage >= 32).any(1)), np.flatnonzero((patch.coverage >= 32).any(0))
    low = np.array([patch.left + columns[0], patch.top + rows[0]])
    high = np.array([patch.left + columns[-1] + 1, patch.top + rows[-1] + 1])
    assert np.abs(low - (points.min(axis=0) - pen / 2)).max() <= 1
    assert np.abs(high - (points.max(axis=0) + pen / 2)).max() <= 1


def test_placed_ink_moves_by_fractions_of_a_pixel():
    line = [np.array([[0, 0], [20, 0]], np.int16)]
    profiles = []
    for shift in (0.0, 0.25, 0.5):
        patch = rasterize_placed(line, np.array([[1, 0, 5], [0, 1, 7 + shift]]), line_width_px=2)
        profiles.append({patch.top + i: int(row[10]) for i, row in enumerate(patch.coverage) if row[10] > 2})
    assert profiles[0] == {6: 255, 7: 255}
    assert profiles[1] == pytest.approx({6: 191, 7: 255, 8: 64}, abs=2)
    assert profiles[2] == pytest.approx({6: 128, 7: 255, 8: 128}, abs=2)


def test_the_pen_is_not_scaled_with_the_drawing():
    for scale in (0.5, 1.0, 3.0):
        patch = rasterize_placed([HORIZONTAL], IDENTITY * scale, line_width_px=4)
        assert patch.coverage.shape[0] == 4
        assert patch.coverage.shape[1] == 255 * scale + 4 or patch.coverage.shape[1] == np.ceil(255 * scale + 2) + 2


def test_placing_nothing_is_refused():
    with pytest.raises(ValueError, match="no strokes"):
        rasterize_placed([], IDENTITY, line_width_px=2)
