"""QuickDraw's drawings in memory, and its simplified files: one JSON object a line.

The other published forms have modules of their own: `collectors.quickdraw_raw`, `collectors.quickdraw_binary`,
`collectors.quickdraw_bitmaps` and `collectors.quickdraw_sketchrnn`.

A simplified line has the keys ``word``, ``countrycode``, ``timestamp``, ``recognized``, ``key_id`` and ``drawing``;
``drawing`` is a list of strokes, each ``[[x0, x1, ...], [y0, y1, ...]]`` with integers from 0 to 255, origin at the
top-left corner of the drawing. A reader never stops at a broken line: it names it and goes on.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from collectors.errors import InputError
from collectors.files import atomic_writer

_Drawing = TypeVar("_Drawing")

MAX_COORDINATE = 255

Stroke: TypeAlias = NDArray[np.int16]
"""The points of one pen movement, shape ``(points, 2)``, columns ``x y``."""


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """One drawing: what it shows, who drew it when, and its strokes in drawing order.

    ``key_id`` is the decimal text of an unsigned 64-bit number, unique in all of QuickDraw; ``timestamp`` is kept as
    the file has it. ``strokes`` holds at least one stroke, each of shape ``(points, 2)`` with at least one point,
    coordinates from 0 to 255.
    """

    word: str
    key_id: str
    strokes: tuple[Stroke, ...]
    countrycode: str = ""
    timestamp: str = ""
    recognized: bool = True

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Drawing):
            return NotImplemented
        return self._metadata() == other._metadata() and (
            len(self.strokes) == len(other.strokes)
            and all(np.array_equal(mine, theirs) for mine, theirs in zip(self.strokes, other.strokes, strict=True))
        )

    def __hash__(self) -> int:
        return hash(self._metadata())

    def _metadata(self) -> tuple[str, str, str, str, bool]:
        return self.word, self.key_id, self.countrycode, self.timestamp, self.recognized


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A line that is not a drawing: its number (from 1), a stable code and the reason in words.

    Codes: ``not-json``, ``not-an-object``, ``bad-word``, ``bad-key-id``, ``bad-metadata``, ``bad-strokes``.
    """

    line: int
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class RefusedRecord:
    """A stretch of a file that is no drawing: where it begins in bytes, how long it is, a stable code and the reason.

    Codes: those of `RefusedLine`, and ``not-a-record`` (bytes of a binary file that make no sense, up to the next
    record) and ``cut-record`` (the file ends within it).
    """

    offset: int
    length: int
    code: str
    reason: str


def read_simplified(path: Path, on_refused: Callable[[RefusedLine], None]) -> Iterator[Drawing]:
    """Stream the drawings of a simplified ndjson file; memory does not grow with the file.

    Args:
        path: The file. Empty lines are passed over in silence, an empty file gives nothing.
        on_refused: Called for every line that is not a drawing; reading goes on with the next line.

    Yields:
        The drawings in file order. Every non-empty line gives one drawing or one call of ``on_refused``.

    Raises:
        InputError: The file is missing or cannot be read.
    """
    return read_drawings(path, parse_simplified, on_refused)


def read_drawings(
    path: Path, parse: Callable[[bytes], _Drawing], on_refused: Callable[[RefusedLine], None]
) -> Iterator[_Drawing]:
    """Stream the drawings of an ndjson file, each line read by ``parse``; see `read_simplified`.

    Args:
        path: The file.
        parse: Raises `LineError` for a line that is not a drawing.
        on_refused: Called for each of these.
    """
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                if not line.strip():
                    continue
                try:
                    drawing = parse(line)
                except LineError as error:
                    on_refused(RefusedLine(number, error.code, error.reason))
                else:
                    yield drawing
    except OSError as error:
        raise InputError(
            f"cannot read the drawings: {error.strerror or error}", where=str(path), fix="Check the path."
        ) from error


def write_simplified(path: Path, drawings: Iterable[Drawing]) -> int:
    """Write drawings as simplified ndjson, one compact JSON object a line, keys in QuickDraw's order.

    Returns:
        The number of drawings written; none gives an empty file.

    Raises:
        InputError: The disk or the folder refuses the file; a file of that name stays as it was.
    """
    count = 0
    with atomic_writer(path) as stream:
        for drawing in drawings:
            stream.write(format_simplified(drawing))
            count += 1
    return count


def format_simplified(drawing: Drawing) -> bytes:
    """Return one drawing as one line of simplified ndjson, newline included, plain ASCII."""
    value = {
        "word": drawing.word,
        "countrycode": drawing.countrycode,
        "timestamp": drawing.timestamp,
        "recognized": drawing.recognized,
        "key_id": drawing.key_id,
        "drawing": [stroke.T.tolist() for stroke in drawing.strokes],
    }
    return json.dumps(value, separators=(",", ":")).encode("ascii") + b"\n"


def parse_simplified(line: bytes) -> Drawing:
    """Read one line of simplified ndjson.

    Raises:
        ValueError: The line is not a drawing; the error's ``code`` and ``reason`` say why.
    """
    value = parse_object(line)
    return Drawing(strokes=_strokes(value.get("drawing")), **metadata_of(value))


def parse_object(line: bytes) -> dict[str, Any]:
    """Read a line that must hold one JSON object.

    Raises:
        LineError: It does not.
    """
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise LineError("not-json", f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise LineError("not-an-object", f"a JSON object was expected, not {_kind(value)}")
    return value


def metadata_of(value: dict[str, Any]) -> dict[str, Any]:
    """Return what simplified and raw drawings have in common: all fields but the strokes, checked.

    Raises:
        LineError: A field is missing or of the wrong kind.
    """
    texts = [value.get("countrycode", ""), value.get("timestamp", "")]
    recognized = value.get("recognized", True)
    if not all(isinstance(text, str) for text in texts) or not isinstance(recognized, bool):
        raise LineError("bad-metadata", "`countrycode` and `timestamp` must be text, `recognized` true or false")
    return {
        "word": _word(value.get("word")),
        "key_id": _key_id(value.get("key_id")),
        "countrycode": texts[0],
        "timestamp": texts[1],
        "recognized": recognized,
    }


class LineError(ValueError):
    """A line or record that is not a drawing: a stable ``code`` and the ``reason`` in words."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def _word(value: Any) -> str:
    if isinstance(value, str) and value.strip():
        return value
    raise LineError("bad-word", "`word`, the category, is missing or not text")


def _key_id(value: Any) -> str:
    # Published copies hold the number as text; some conversions made it a number.
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= 20 and int(text) < 1 << 64:
        return text
    raise LineError("bad-key-id", "`key_id` is missing or not an unsigned 64-bit number")


def _strokes(value: Any) -> tuple[Stroke, ...]:
    if not isinstance(value, list) or not value:
        raise LineError("bad-strokes", "`drawing` has no strokes")
    return tuple(_stroke(number, stroke) for number, stroke in enumerate(value, start=1))


def _stroke(number: int, value: Any) -> Stroke:
    if not isinstance(value, list) or len(value) != 2 or not all(isinstance(axis, list) for axis in value):
        raise LineError("bad-strokes", f"stroke {number} is not a pair of lists, x and y (raw drawings have three)")
    xs, ys = value
    if not xs or len(xs) != len(ys):
        raise LineError("bad-strokes", f"stroke {number} has {len(xs)} x and {len(ys)} y values")
    # `type` and not isinstance: true and false are no coordinates.
    if not all(type(number) is int and 0 <= number <= MAX_COORDINATE for axis in value for number in axis):
        raise LineError("bad-strokes", f"stroke {number} has a coordinate that is not an integer from 0 to 255")
    return np.array(value, np.int16).T


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    return {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list"}[type(value)]
