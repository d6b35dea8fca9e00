"""Strokes to pixels: how much of every pixel the ink covers.

The pen is round (caps and joins). Coverage comes from Agg, the anti-aliasing rasteriser of matplotlib, drawn
`_OVERSAMPLING` times larger and averaged down: Agg adds up areas where a stroke crosses itself inside one pixel, the
average keeps that from showing. Strokes of one drawing are laid "over" each other, as cairo did for Google's bitmaps.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.path import Path as AggPath
from matplotlib.transforms import IdentityTransform
from numpy.typing import NDArray

_IDENTITY = IdentityTransform()
_DOT = 1e-3  # Agg draws nothing for a stroke without length, and a dot for this one.


@dataclass(frozen=True, slots=True)
class InkPatch:
    """Ink in a window of a picture: ``coverage[y, x]`` (0 to 255) belongs to pixel ``(left + x, top + y)``."""

    left: int
    top: int
    coverage: NDArray[np.uint8]


def rasterize_placed(
    strokes: Sequence[NDArray[np.generic]], transform: NDArray[np.float64], *, line_width_px: float
) -> InkPatch:
    """Draw strokes at any place, size and angle of a picture, to a fraction of a pixel.

    Args:
        strokes: Each of shape ``(points, 2)``, columns ``x y``; one point makes a dot.
        transform: Shape ``(2, 3)``: a point goes to ``transform @ (x, y, 1)``, px from the picture's top-left corner.
        line_width_px: Width of the round pen in the picture, not scaled by ``transform``.

    Returns:
        The smallest window that holds all the ink; it may reach beyond the picture.

    Raises:
        ValueError: There is no stroke, or a stroke has no point.
    """
    if not strokes or not all(len(stroke) for stroke in strokes):
        raise ValueError("a drawing needs at least one stroke, and a stroke at least one point")
    points = np.concatenate(strokes) @ transform[:, :2].T + transform[:, 2]
    reach = line_width_px / 2
    left, top = np.floor(points.min(axis=0) - reach).astype(int)
    right, bottom = np.ceil(points.max(axis=0) + reach).astype(int)
    ends = np.cumsum([len(stroke) for stroke in strokes])
    canvas = _stroke_paths(points - (left, top), ends, right - left, bottom - top, line_width_px)
    return InkPatch(int(left), int(top), canvas)


def _stroke_paths(
    points: NDArray[np.float64], ends: NDArray[np.int_], width: int, height: int, line_width: float
) -> NDArray[np.uint8]:
    """Return the coverage ``(height, width)`` of polylines that lie one after the other in ``points``."""
    starts = np.concatenate([[0], ends[:-1]])
    codes = np.full(len(points), AggPath.LINETO, np.uint8)
    codes[starts] = AggPath.MOVETO
    # Agg's y axis points up. A dot is a stroke to a point beside itself.
    vertices = np.stack([points[:, 0], height - points[:, 1]], axis=1)
    dots = starts[ends - starts == 1]
    vertices = np.insert(vertices, dots + 1, vertices[dots] + (_DOT, 0), axis=0)
    codes = np.insert(codes, dots + 1, AggPath.LINETO)
    path = AggPath(vertices, codes)
    path.should_simplify = False
    renderer = RendererAgg(width, height, 72)
    pen = renderer.new_gc()
    pen.set_linewidth(line_width)
    pen.set_capstyle("round")
    pen.set_joinstyle("round")
    pen.set_snap(False)
    renderer.draw_path(pen, path, _IDENTITY)
    return np.array(renderer.buffer_rgba())[..., 3]
