"""Strokes to pixels: how much of every pixel the ink covers.

The pen is round, caps and joins alike, and the strokes of a drawing are laid "over" each other, which is how Google
made the official 28 by 28 bitmaps. Coverage comes from Agg, the anti-aliasing rasteriser inside matplotlib, that fills
a sheet of many drawings, one cell below the other, in a single call.

Agg adds up areas where a stroke crosses itself within one pixel, which shows in small pictures. There every stroke gets
a cell of its own at three times the size, is averaged down and then laid over the others: mean difference to cairo,
which made the official bitmaps, 0.23 of 255 at 28 pixels, against 0.72 without. Large pictures stay below that anyway,
and Agg lays the strokes over each other itself.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.path import Path as AggPath
from matplotlib.transforms import IdentityTransform
from numpy.typing import NDArray

CANVAS = 256
"""Side of the square that drawings live on: coordinates run from 0 up to but not including it."""

AnyStroke: TypeAlias = NDArray[np.integer] | NDArray[np.floating]
"""The points of one pen movement, shape ``(points, 2)``, columns ``x y``."""

_Renderer: TypeAlias = Callable[
    [Sequence[Sequence[AnyStroke]], NDArray[np.float64], int, float, float], NDArray[np.uint8]
]
_IDENTITY = IdentityTransform()
_DOT = 1e-3  # Agg draws nothing for a stroke without length, and a dot for one this long.
_SMALL_PX = 64
_FINER = 3
_GRID = 1 << 16  # Steps a pixel; Agg takes 256 of them.
_SHEET_PX = 1 << 20  # Pixels of a sheet, 4 bytes each: it should stay in the processor's cache.


@dataclass(frozen=True, slots=True)
class InkPatch:
    """Ink in a window of a picture: ``coverage[y, x]`` (0 to 255) belongs to pixel ``(left + x, top + y)``."""

    left: int
    top: int
    coverage: NDArray[np.uint8]


def rasterize_drawings(
    drawings: Sequence[Sequence[AnyStroke]], *, side: int = 28, line_width: float = 16.0, padding: float = 16.0
) -> NDArray[np.uint8]:
    """Render drawings as QuickDraw's official bitmaps look, at any size.

    Every drawing is centred by its largest x and y (its smallest are taken as 0), and canvas, padding and half a pen
    on each side are scaled to the picture.

    Args:
        drawings: For each drawing its strokes, each of shape ``(points, 2)``, coordinates from 0 up to 256. One point
            makes a dot.
        side: Side of the square pictures in pixels.
        line_width: Pen width in units of the drawing.
        padding: Free border in units of the drawing.

    Returns:
        Coverage, shape ``(drawings, side, side)``: 255 is ink, 0 is none. No drawings give an empty first axis.

    Raises:
        ValueError: A drawing has no stroke, a stroke has no point, another shape or a coordinate off the canvas, or a
            number is out of range.
    """
    scale = _scale_of(drawings, side, line_width, padding)
    pictures = np.empty((len(drawings), side, side), np.uint8)
    render = _renderer(side)
    done = 0
    for batch in _batches(drawings, side):
        offsets = _offsets(batch, side / scale)
        pictures[done : done + len(batch)] = render(batch, offsets, side, scale, line_width * scale)
        done += len(batch)
    return pictures


def rasterize_layers(
    drawings: Sequence[Sequence[AnyStroke]],
    *,
    side: int = 28,
    line_width: float = 16.0,
    padding: float = 16.0,
    max_layers: int = 16,
) -> Iterator[NDArray[np.uint8]]:
    """Render every stroke alone, where it stands in the picture of its drawing.

    Laid over each other, ``255 * (1 - prod(1 - layer / 255))``, the layers make the picture of `rasterize_drawings` but
    for rounding: half a level a layer below 64 px a side, and from there on, where Agg rounds too, a level a stroke.

    Args:
        drawings: As for `rasterize_drawings`, and so are ``side``, ``line_width`` and ``padding``.
        side: Side of the square layers in pixels.
        line_width: Pen width in units of the drawing.
        padding: Free border in units of the drawing.
        max_layers: At least 1. Of a drawing with more strokes the last layer has all that are left.

    Yields:
        The layers of one drawing after the other, coverage ``(layers, side, side)``, in the order of its strokes.

    Raises:
        ValueError: As for `rasterize_drawings`.
    """
    scale = _scale_of(drawings, side, line_width, padding)
    if max_layers < 1:
        raise ValueError(f"cannot make {max_layers} layers")
    render = _renderer(side)
    for batch in _batches(drawings, side):
        stacks = [_grouped(drawing, max_layers) for drawing in batch]
        counts = [len(stack) for stack in stacks]
        offsets = np.repeat(_offsets(batch, side / scale), counts, axis=0)
        groups = [group for stack in stacks for group in stack]
        layers = np.empty((len(groups), side, side), np.uint8)
        done = 0
        for part in _batches(groups, side):
            end = done + len(part)
            layers[done:end] = render(part, offsets[done:end], side, scale, line_width * scale)
            done = end
        yield from np.split(layers, np.cumsum(counts)[:-1])


def _grouped(drawing: Sequence[AnyStroke], max_groups: int) -> list[Sequence[AnyStroke]]:
    """Return each stroke by itself, and of too many those that are left together."""
    if len(drawing) <= max_groups:
        return [[stroke] for stroke in drawing]
    return [*([stroke] for stroke in drawing[: max_groups - 1]), drawing[max_groups - 1 :]]


def _scale_of(drawings: Sequence[Sequence[AnyStroke]], side: int, line_width: float, padding: float) -> float:
    """Check what is to be drawn, and return how many pixels a unit of the drawing is."""
    if not (1 <= side <= 8192 and 0 < line_width <= CANVAS and 0 <= padding <= CANVAS):
        raise ValueError(f"cannot render with side {side}, line width {line_width}, padding {padding}")
    for number, drawing in enumerate(drawings):
        _check_shape(drawing, f"drawing {number}")
    return side / (CANVAS + 2 * padding + line_width)


def rasterize_placed(strokes: Sequence[AnyStroke], transform: NDArray[np.float64], *, line_width_px: float) -> InkPatch:
    """Draw strokes at any place, size and angle of a picture, to a fraction of a pixel.

    Args:
        strokes: Each of shape ``(points, 2)``, columns ``x y``, in any unit; one point makes a dot.
        transform: Shape ``(2, 3)``: a point goes to ``transform @ (x, y, 1)``, px from the picture's top-left corner.
        line_width_px: Width of the round pen in the picture, not scaled by ``transform``.

    Returns:
        The smallest window that holds all the ink; it may reach beyond the picture.

    Raises:
        ValueError: There is no stroke, or a stroke has no point or another shape.
    """
    _check_shape(strokes, "the drawing")
    points = _points(strokes) @ transform[:, :2].T + transform[:, 2]
    reach = line_width_px / 2
    left, top = (int(edge) for edge in np.floor(points.min(axis=0) - reach))
    right, bottom = (int(edge) for edge in np.ceil(points.max(axis=0) + reach))
    sheet = _Sheet(right - left, bottom - top, line_width_px)
    sheet.draw(points - (left, top), _lengths(strokes))
    return InkPatch(left, top, sheet.coverage().copy())


class _Sheet:
    """An Agg canvas with a white round pen."""

    def __init__(self, width: int, height: int, line_width: float) -> None:
        self._renderer = RendererAgg(width, height, 72)  # type: ignore[no-untyped-call]
        self._height = height
        self._pen = self._renderer.new_gc()
        self._pen.set_linewidth(line_width)
        self._pen.set_foreground((1.0, 1.0, 1.0))
        self._pen.set_capstyle("round")
        self._pen.set_joinstyle("round")
        self._pen.set_snap(False)

    def draw(self, points: NDArray[np.float64], lengths: NDArray[np.intp]) -> None:
        """Draw polylines, ``lengths`` points each, as one figure: among themselves they unite, they do not overlay."""
        ends = np.cumsum(lengths)
        starts = ends - lengths
        # Agg's y axis points up.
        vertices = np.column_stack([points[:, 0], self._height - points[:, 1]])
        codes = np.full(len(points), AggPath.LINETO, np.uint8)
        codes[starts] = AggPath.MOVETO
        extent = np.maximum.reduceat(vertices, starts) - np.minimum.reduceat(vertices, starts)
        dots = ends[(extent == 0).all(axis=1)]
        if len(dots):
            vertices = np.insert(vertices, dots, vertices[dots - 1] + (_DOT, 0), axis=0)
            codes = np.insert(codes, dots, AggPath.LINETO)
        path = AggPath(vertices, codes)
        path.should_simplify = False
        self._renderer.draw_path(self._pen, path, _IDENTITY)  # type: ignore[no-untyped-call]

    def coverage(self) -> NDArray[np.uint8]:
        """Return the ink, ``(height, width)``: a view of the canvas."""
        return self.pixels()[..., 3]

    def pixels(self) -> NDArray[np.uint8]:
        """Return the canvas, ``(height, width, 4)``, the ink in the last channel."""
        return np.asarray(self._renderer.buffer_rgba())  # type: ignore[no-untyped-call]


def _renderer(side: int) -> _Renderer:
    return _render_small if side < _SMALL_PX else _render_large


def _render_small(
    batch: Sequence[Sequence[AnyStroke]], offsets: NDArray[np.float64], side: int, scale: float, line_width: float
) -> NDArray[np.uint8]:
    """One cell a stroke, `_FINER` times larger; averaged down; laid over each other in floating point."""
    strokes = [stroke for drawing in batch for stroke in drawing]
    first = np.cumsum([0] + [len(drawing) for drawing in batch[:-1]])
    lengths = _lengths(strokes)
    offsets = np.repeat(offsets, [len(drawing) for drawing in batch], axis=0)
    cell = _FINER * side
    sheet = _Sheet(cell, cell * len(strokes), _FINER * line_width)
    points = _on_grid((_points(strokes) + np.repeat(offsets, lengths, axis=0)) * (_FINER * scale))
    points[:, 1] += np.repeat(np.arange(len(strokes)) * cell, lengths)
    sheet.draw(points, lengths)
    fine = sheet.coverage().reshape(len(strokes), side, _FINER, side, _FINER)
    summed = np.zeros((len(strokes), side, side), np.uint16)
    for row in range(_FINER):
        for column in range(_FINER):
            summed += fine[:, :, row, :, column]
    clear = 1 - summed.reshape(len(strokes), -1) * np.float32(1 / (_FINER**2 * 255))
    seen: NDArray[np.float32] = 255 * (1 - np.multiply.reduceat(clear, first, axis=0))
    return np.rint(seen).astype(np.uint8).reshape(len(batch), side, side)


def _render_large(
    batch: Sequence[Sequence[AnyStroke]], offsets: NDArray[np.float64], side: int, scale: float, line_width: float
) -> NDArray[np.uint8]:
    """One cell a drawing: the first strokes of all drawings in one call, then the second ones over them, and so on."""
    sheet = _Sheet(side, side * len(batch), line_width)
    for turn in range(max(len(drawing) for drawing in batch)):
        cells = [number for number, drawing in enumerate(batch) if len(drawing) > turn]
        strokes = [batch[cell][turn] for cell in cells]
        lengths = _lengths(strokes)
        points = _on_grid((_points(strokes) + np.repeat(offsets[cells], lengths, axis=0)) * scale)
        points[:, 1] += np.repeat(np.array(cells) * side, lengths)
        sheet.draw(points, lengths)
    return sheet.coverage().reshape(len(batch), side, side)


def _batches(drawings: Sequence[Sequence[AnyStroke]], side: int) -> Iterator[Sequence[Sequence[AnyStroke]]]:
    """Cut the work into sheets of about `_SHEET_PX` pixels, at least one drawing each."""
    start, pixels = 0, 0
    for number, drawing in enumerate(drawings):
        needed = len(drawing) * (_FINER * side) ** 2 if side < _SMALL_PX else side * side
        if number > start and pixels + needed > _SHEET_PX:
            yield drawings[start:number]
            start, pixels = number, 0
        pixels += needed
    if start < len(drawings):
        yield drawings[start:]


def _offsets(batch: Sequence[Sequence[AnyStroke]], cell: float) -> NDArray[np.float64]:
    """Return how far each drawing moves to stand in the middle of its cell, shape ``(drawings, 2)``."""
    strokes = [stroke for drawing in batch for stroke in drawing]
    counts = np.array([sum(map(len, drawing)) for drawing in batch])
    points = _points(strokes)
    largest = np.maximum.reduceat(points, np.cumsum(counts) - counts)
    # Written so that a NaN is refused as well: ink off the canvas would run into the cell of another drawing.
    if not (points.min() >= 0 and largest.max() < CANVAS):
        raise ValueError(f"a drawing has a coordinate outside 0 to {CANVAS}")
    moved: NDArray[np.float64] = (cell - largest) / 2
    return moved


def _points(strokes: Sequence[AnyStroke]) -> NDArray[np.float64]:
    return np.concatenate(strokes, dtype=np.float64)


def _on_grid(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round points so that adding whole pixels is exact: a stroke then looks the same in every cell of a sheet.

    Where a stroke lies across itself within a pixel, the last bit of a coordinate can change what Agg adds up there.
    """
    rounded: NDArray[np.float64] = np.rint(points * _GRID) / _GRID
    return rounded


def _lengths(strokes: Sequence[AnyStroke]) -> NDArray[np.intp]:
    return np.fromiter(map(len, strokes), np.intp, len(strokes))


def _check_shape(strokes: Sequence[AnyStroke], name: str) -> None:
    if not len(strokes):
        raise ValueError(f"{name} has no strokes")
    for stroke in strokes:
        if not (isinstance(stroke, np.ndarray) and stroke.ndim == 2 and stroke.shape[1] == 2 and len(stroke)):
            raise ValueError(f"{name} has a stroke that is not an array of points, shape (points, 2), at least one")
