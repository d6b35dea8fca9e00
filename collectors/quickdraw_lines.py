"""Drawings out of a stream of ndjson bytes, which may begin in the middle of a file."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from collectors.quickdraw_formats import LineError, RefusedRecord

_BLOCK_BYTES = 1 << 16
_MOST_BYTES = 1 << 25  # A longer line is no drawing; without a limit a file without newlines would fill the memory.

Parsed = TypeVar("Parsed")


def iter_ndjson(
    read: Callable[[int], bytes],
    parse: Callable[[bytes], Parsed],
    on_refused: Callable[[RefusedRecord], None],
    *,
    offset: int = 0,
    synchronise: bool = False,
) -> Iterator[tuple[int, Parsed]]:
    """Read one object a line from a stream of bytes; memory holds one line.

    Args:
        read: Gives the next bytes, about as many as asked for; none at the end of the file.
        parse: Reads a line or raises `LineError`.
        on_refused: Called for every line that is not a drawing; the reason begins with the number of the line where
            that is known. Empty lines are passed over in silence.
        offset: Where in the file the first byte stands.
        synchronise: Begin after the first newline: the bytes before it are the end of somebody's line.

    Yields:
        Where in the file each line begins, and what it holds.
    """
    buffer, base, number = b"", offset, 0
    is_inside = synchronise
    while block := read(_BLOCK_BYTES):
        lines = (buffer + block).split(b"\n")
        buffer = lines.pop()
        for line in lines:
            number += 1
            if is_inside:
                is_inside = False
            elif line.strip():
                yield from _parsed(line, base, 0 if synchronise else number, parse, on_refused)
            base += len(line) + 1
        if len(buffer) > _MOST_BYTES and not is_inside:
            on_refused(RefusedRecord(base, len(buffer), "not-json", f"{len(buffer)} bytes without a newline"))
            is_inside = True
        if is_inside:
            base, buffer = base + len(buffer), b""
    if buffer.strip() and not is_inside:
        yield from _parsed(buffer, base, 0 if synchronise else number + 1, parse, on_refused)


def _parsed(
    line: bytes,
    offset: int,
    number: int,
    parse: Callable[[bytes], Parsed],
    on_refused: Callable[[RefusedRecord], None],
) -> Iterator[tuple[int, Parsed]]:
    try:
        parsed = parse(line)
    except LineError as error:
        place = f"line {number}: " if number else ""
        on_refused(RefusedRecord(offset, len(line), error.code, place + error.reason))
    else:
        yield offset, parsed
