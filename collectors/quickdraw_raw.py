"""QuickDraw's raw drawings, one JSON object a line: the pen as it moved, with times.

The keys are those of the simplified files; every stroke is ``[[x0, ...], [y0, ...], [t0, ...]]``: x and y are real
numbers in pixels of whatever screen it was, t is milliseconds since the first point.
"""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from collectors.quickdraw_formats import Drawing, LineError, RefusedLine, metadata_of, parse_object, read_drawings
from collectors.stroke_simplification import simplify_strokes

TimedStroke: TypeAlias = NDArray[np.float64]
"""The points of one pen movement, shape ``(points, 3)``, columns ``x y t``; px, px, ms."""


@dataclass(frozen=True, slots=True, eq=False)
class RawDrawing:
    """One drawing as it was drawn; the fields are those of `collectors.quickdraw_formats.Drawing`.

    ``strokes`` holds at least one stroke, each of shape ``(points, 3)`` with at least one point, all finite.
    """

    word: str
    key_id: str
    strokes: tuple[TimedStroke, ...]
    countrycode: str = ""
    timestamp: str = ""
    recognized: bool = True

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RawDrawing):
            return NotImplemented
        return format_raw(self) == format_raw(other)

    def __hash__(self) -> int:
        return hash((self.word, self.key_id))


def simplify(raw: RawDrawing) -> Drawing:
    """Return the drawing as Google's simplified files have it, point by point."""
    return Drawing(
        word=raw.word,
        key_id=raw.key_id,
        strokes=simplify_strokes([stroke[:, :2] for stroke in raw.strokes]),
        countrycode=raw.countrycode,
        timestamp=raw.timestamp,
        recognized=raw.recognized,
    )


def read_raw(path: Path, on_refused: Callable[[RefusedLine], None]) -> Iterator[RawDrawing]:
    """Stream the drawings of a raw ndjson file; memory does not grow with the file.

    Args:
        path: The file. Empty lines are passed over in silence, an empty file gives nothing.
        on_refused: Called for every line that is not a drawing; reading goes on with the next line.

    Yields:
        The drawings in file order. Every non-empty line gives one drawing or one call of ``on_refused``.

    Raises:
        InputError: The file is missing or cannot be read.
    """
    return read_drawings(path, parse_raw, on_refused)


def parse_raw(line: bytes) -> RawDrawing:
    """Read one line of raw ndjson.

    Raises:
        LineError: The line is not a drawing; its codes are those of `collectors.quickdraw_formats.RefusedLine`.
    """
    value = parse_object(line)
    strokes = value.get("drawing")
    if not isinstance(strokes, list) or not strokes:
        raise LineError("bad-strokes", "`drawing` has no strokes")
    return RawDrawing(
        strokes=tuple(_stroke(number, stroke) for number, stroke in enumerate(strokes, start=1)), **metadata_of(value)
    )


def format_raw(drawing: RawDrawing) -> bytes:
    """Return one drawing as one line of raw ndjson, newline included; whole numbers are written without a point."""
    value = {
        "word": drawing.word,
        "countrycode": drawing.countrycode,
        "timestamp": drawing.timestamp,
        "recognized": drawing.recognized,
        "key_id": drawing.key_id,
        "drawing": [[[_shortest(part) for part in axis] for axis in stroke.T.tolist()] for stroke in drawing.strokes],
    }
    return json.dumps(value, separators=(",", ":")).encode("ascii") + b"\n"


def _stroke(number: int, value: Any) -> TimedStroke:
    if not isinstance(value, list) or len(value) != 3 or not all(isinstance(axis, list) for axis in value):
        raise LineError("bad-strokes", f"stroke {number} is not three lists, x, y and t (simplified drawings have two)")
    xs, ys, ts = value
    if not xs or not len(xs) == len(ys) == len(ts):
        raise LineError("bad-strokes", f"stroke {number} has {len(xs)} x, {len(ys)} y and {len(ts)} t values")
    # `type` and not isinstance: true and false are no coordinates. Beyond 1e9 arithmetic would lose the pixels.
    if not all(
        type(part) in (int, float) and math.isfinite(part) and abs(part) <= 1e9 for axis in value for part in axis
    ):
        raise LineError("bad-strokes", f"stroke {number} has a coordinate that is no number below 1e9")
    return np.array(value, np.float64).T


def _shortest(number: float) -> int | float:
    return int(number) if number.is_integer() else number
