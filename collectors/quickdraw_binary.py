"""QuickDraw's binary drawings: the simplified strokes in a quarter of the space, records without any frame.

A record is little-endian and unpadded: key_id (u64), country (2 letters), recognized (i8), timestamp (u32, seconds
since 1970), number of strokes (u16), then for each stroke its number of points (u16), all x and all y (u8 each). A file
has no header, no index and no count, so a reader that loses its place, or begins in the middle, looks for the next run
of records that make sense.
"""

import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from collectors.errors import InputError
from collectors.quickdraw_formats import Drawing, LineError, RefusedRecord, Stroke

HEADER_BYTES = 17
_HEADER = struct.Struct("<Q2sbIH")
_COUNT = struct.Struct("<H")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BLOCK_BYTES = 1 << 16
# The game ran from November 2016; the dataset was made in 2017. Used only to find a place to begin.
_LIKELY_SECONDS = range(1_450_000_000, 1_600_000_000)
_LIKELY_STROKES = 2_000
_ALIKE_IN_A_ROW = 4
_MOST_BYTES = 1 << 22  # Nothing drawn in 20 seconds is longer; damaged counts are.


class CutRecordError(Exception):
    """The bytes end before the record does."""


def read_binary(path: Path, word: str, on_refused: Callable[[RefusedRecord], None]) -> Iterator[Drawing]:
    """Stream the drawings of a .bin file; memory does not grow with the file.

    Args:
        path: The file; an empty one gives nothing.
        word: The category: the file itself does not say.
        on_refused: Called for every stretch of bytes that is no drawing; every byte of the file belongs to a drawing
            or to one such stretch.

    Raises:
        InputError: The file is missing or cannot be read.
    """
    try:
        with path.open("rb") as stream:
            for _, drawing in iter_binary(stream.read, word, on_refused):
                yield drawing
    except OSError as error:
        raise InputError(
            f"cannot read the drawings: {error.strerror or error}", where=str(path), fix="Check the path."
        ) from error


def iter_binary(
    read: Callable[[int], bytes],
    word: str,
    on_refused: Callable[[RefusedRecord], None],
    *,
    offset: int = 0,
    synchronise: bool = False,
) -> Iterator[tuple[int, Drawing]]:
    """Read drawings from a stream of bytes.

    Args:
        read: Gives the next bytes, about as many as asked for; none at the end of the file.
        word: The category.
        on_refused: As for `read_binary`.
        offset: Where in the file the first byte stands.
        synchronise: Begin with the first record that is found, in silence, not with the first byte.

    Yields:
        Where in the file each drawing begins, and the drawing.
    """
    buffer, start, at_end, base = b"", 0, False, offset
    lost_from: int | None = offset if synchronise else None
    is_silent = synchronise
    while True:
        if lost_from is not None:
            found = find_record(buffer, start, at_end=at_end)
            if found is not None:
                if not is_silent:
                    on_refused(_not_a_record(lost_from, base + found - lost_from))
                start, lost_from, is_silent = found, None, False
            elif at_end:
                on_refused(_not_a_record(lost_from, base + len(buffer) - lost_from))
                return
        if lost_from is None:
            try:
                while start < len(buffer):
                    item, end = parse_record(buffer, start, word)
                    if isinstance(item, Drawing):
                        yield base + start, item
                    else:
                        on_refused(RefusedRecord(base + start, end - start, item.code, item.reason))
                    start = end
            except CutRecordError:
                if at_end:
                    length = len(buffer) - start
                    reason = f"the file ends within a record, after {length} bytes of it"
                    on_refused(RefusedRecord(base + start, length, "cut-record", reason))
                    return
            except LineError:
                lost_from = base + start
                start += 1
                continue
        if at_end:
            return
        more = read(_BLOCK_BYTES)
        at_end = not more
        if lost_from is not None:
            # Nothing was found in these bytes but, perhaps, a beginning near their end.
            start = max(start, len(buffer) - _BLOCK_BYTES)
        base, buffer, start = base + start, buffer[start:] + more, 0


def parse_record(buffer: bytes, start: int, word: str) -> tuple[Drawing | LineError, int]:
    """Read the record that begins at ``start``.

    Returns:
        The drawing, or why a record of sound frame is none (no stroke, a stroke without points), and where the next
        record begins.

    Raises:
        CutRecordError: The record goes on beyond the buffer.
        LineError: This is no record: the country is no text, ``recognized`` neither 0 nor 1, or it is over 4 MiB long.
    """
    if len(buffer) < start + HEADER_BYTES:
        raise CutRecordError
    key_id, country, recognized, seconds, num_strokes = _HEADER.unpack_from(buffer, start)
    if recognized not in (0, 1) or not (country == b"\0\0" or all(32 <= letter < 127 for letter in country)):
        raise LineError("not-a-record", "the bytes are no record of a drawing")
    position = start + HEADER_BYTES
    strokes: list[Stroke] = []
    for _ in range(num_strokes):
        if len(buffer) < position + 2:
            raise CutRecordError
        (num_points,) = _COUNT.unpack_from(buffer, position)
        position += 2
        if position + 2 * num_points - start > _MOST_BYTES:
            raise LineError("not-a-record", "the bytes are no record of a drawing")
        if len(buffer) < position + 2 * num_points:
            raise CutRecordError
        points = np.frombuffer(buffer, np.uint8, 2 * num_points, position).reshape(2, num_points)
        strokes.append(points.T.astype(np.int16))
        position += 2 * num_points
    if not strokes:
        return LineError("bad-strokes", "the drawing has no strokes"), position
    if not all(map(len, strokes)):
        return LineError("bad-strokes", "a stroke has no points"), position
    drawing = Drawing(
        word=word,
        key_id=str(key_id),
        strokes=tuple(strokes),
        countrycode=country.rstrip(b"\0").decode("ascii"),
        timestamp=(_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S UTC"),
        recognized=bool(recognized),
    )
    return drawing, position


def format_record(drawing: Drawing) -> bytes:
    """Return a drawing as one binary record; fractions of a second are lost.

    Raises:
        ValueError: The country has not two letters, the timestamp is not like ``2017-03-02 23:25:10.07453 UTC``, or
            there are more than 65,535 strokes or points in a stroke.
    """
    country = drawing.countrycode.encode("ascii") or b"\0\0"
    if len(country) != 2:
        raise ValueError(f"a country has two letters, not {drawing.countrycode!r}")
    seconds = int(_moment(drawing.timestamp).timestamp())
    if not 0 <= seconds < 1 << 32 or max(len(drawing.strokes), *map(len, drawing.strokes)) > 0xFFFF:
        raise ValueError(f"drawing {drawing.key_id} does not fit into a binary record")
    parts = [_HEADER.pack(int(drawing.key_id), country, drawing.recognized, seconds, len(drawing.strokes))]
    for stroke in drawing.strokes:
        parts += [_COUNT.pack(len(stroke)), stroke.T.astype(np.uint8).tobytes()]
    return b"".join(parts)


def find_record(buffer: bytes, start: int, *, at_end: bool) -> int | None:
    """Return where the next record begins, at ``start`` or after it; ``None`` when the buffer shows none.

    A place counts when a run of records follows that all look like drawings of the game (a country in capitals, a
    time between 2016 and 2020), or when all that is left of the file does.
    """
    for place in range(start, len(buffer) - HEADER_BYTES + 1):
        # Cheap first: most places fail at the sixth byte already.
        is_likely = 65 <= buffer[place + 8] <= 90 and 65 <= buffer[place + 9] <= 90 and buffer[place + 10] <= 1
        if is_likely and _run_of_records(buffer, place, at_end=at_end):
            return place
    return None


def begins_with_records(head: bytes, *, at_end: bool) -> bool:
    """Say whether bytes begin with a run of records that look like drawings of the game; see `find_record`."""
    return _run_of_records(head, 0, at_end=at_end)


def _run_of_records(buffer: bytes, place: int, *, at_end: bool) -> bool:
    for _ in range(_ALIKE_IN_A_ROW):
        if place == len(buffer):
            return at_end
        if len(buffer) < place + HEADER_BYTES:
            return False
        _, country, recognized, seconds, num_strokes = _HEADER.unpack_from(buffer, place)
        likely = country.isalpha() and country.isupper() and recognized in (0, 1)
        if not (likely and seconds in _LIKELY_SECONDS and 0 < num_strokes <= _LIKELY_STROKES):
            return False
        place += HEADER_BYTES
        for _ in range(num_strokes):
            if len(buffer) < place + 2:
                return False
            (num_points,) = _COUNT.unpack_from(buffer, place)
            place += 2 + 2 * num_points
            if not num_points or place > len(buffer):
                return False
    return True


def _moment(timestamp: str) -> datetime:
    if not timestamp:
        return _EPOCH
    text = timestamp.removesuffix(" UTC").split(".")[0]
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)


def _not_a_record(offset: int, length: int) -> RefusedRecord:
    return RefusedRecord(offset, length, "not-a-record", f"{length} bytes that are no record of a drawing")
