"""Which drawings of a file are taken.

``first`` takes them from the beginning, ``all`` takes every one, and ``spread`` takes blocks from evenly spaced places:
the order of the published files is not known to be random, and a few places cost hardly more than one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from collectors.errors import ConfigError
from collectors.quickdraw_binary import iter_binary
from collectors.quickdraw_bitmaps import ROW_BYTES, BitmapTable, rows_of
from collectors.quickdraw_flagged import FlaggedDrawings
from collectors.quickdraw_formats import Drawing, RefusedRecord, parse_simplified
from collectors.quickdraw_lines import iter_ndjson
from collectors.quickdraw_raw import parse_raw, simplify

SAMPLES = ("spread", "first", "all")
_MOST_BLOCKS = 16
_LEAST_A_BLOCK = 64
_ROWS_AT_ONCE = 4096
_LEAST_READ, _MOST_READ = 2048, 1 << 20
LIKELY_BYTES = {"binary": 140, "simplified": 500, "raw": 4000}
"""About what a drawing weighs in each format of strokes."""


class ByteSource(Protocol):
    """Random access to the bytes of one file, here or far away."""

    where: str

    @property
    def size(self) -> int:
        """Size of the whole file."""
        ...

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes from ``start`` up to ``stop`` or the end of the file."""
        ...


@dataclass(frozen=True, slots=True)
class Selection:
    """What to take of each category; checked when made.

    Attributes:
        limit: The most drawings of a category; ``None`` only with the sample ``all``.
        sample: One of `SAMPLES`.
        recognized_only: Leave out drawings that QuickDraw's own classifier did not recognise.
        countries: Take only drawings from these countries, two capital letters each; empty takes all.
        flagged: Drawings to leave out.
    """

    limit: int | None = 10_000
    sample: str = "spread"
    recognized_only: bool = False
    countries: frozenset[str] = frozenset()
    flagged: FlaggedDrawings = field(default_factory=FlaggedDrawings)

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if self.sample not in SAMPLES:
            raise ConfigError(f"sample must be one of {', '.join(SAMPLES)}, not {self.sample!r}")
        if (self.limit is None) != (self.sample == "all"):
            raise ConfigError("a limit goes with the samples spread and first, and none with all")
        if self.limit is not None and self.limit < 1:
            raise ConfigError("limit must be at least 1")
        odd = sorted(code for code in self.countries if not (len(code) == 2 and code.isascii() and code.isupper()))
        if odd:
            raise ConfigError(f"a country is two capital letters, such as US, not {odd[0]!r}")

    @property
    def needs_metadata(self) -> bool:
        """Whether bitmaps, which carry no metadata, cannot answer it."""
        return self.recognized_only or bool(self.countries) or bool(self.flagged.key_ids)


@dataclass(frozen=True, slots=True)
class BitmapBlock:
    """Pictures out of a file of bitmaps: ``rows`` are their numbers there, shape of ``pictures`` (rows, 28, 28)."""

    rows: tuple[int, ...]
    pictures: NDArray[np.uint8]


def plan_stretches(total: int, selection: Selection, *, is_rows: bool) -> list[tuple[int, int, int]]:
    """Say where to look: ``(start, stop, wanted)``, in rows or in bytes, in order, without overlap.

    Together the stretches cover the file, so that drawings left out by a filter are made up for further on.
    """
    if selection.limit is None:
        return [(0, total, total)]
    limit = min(selection.limit, total) if is_rows else selection.limit
    blocks = 1 if selection.sample == "first" else max(1, min(_MOST_BLOCKS, limit // _LEAST_A_BLOCK))
    edges = [total * number // blocks for number in range(blocks + 1)]
    wanted = [limit * number // blocks for number in range(blocks + 1)]
    return [(edges[n], edges[n + 1], wanted[n + 1] - wanted[n]) for n in range(blocks)]


def select_bitmaps(
    source: ByteSource,
    table: BitmapTable,
    selection: Selection,
    flagged_rows: frozenset[int],
    on_left_out: Callable[[str], None],
) -> Iterator[BitmapBlock]:
    """Take pictures out of a file of bitmaps, a few thousand at a time.

    Args:
        source: The file.
        table: Where its rows lie.
        selection: What to take; it must not need metadata.
        flagged_rows: Rows to leave out.
        on_left_out: Called with ``flagged`` for each row passed over.

    Yields:
        The pictures, by row number.
    """
    carried = 0
    for start, stop, quota in plan_stretches(table.num_rows, selection, is_rows=True):
        wanted = quota + carried
        row = start
        while wanted and row < stop:
            end = min(stop, row + min(wanted, _ROWS_AT_ONCE))
            chosen = [number for number in range(row, end) if number not in flagged_rows]
            for _ in range(end - row - len(chosen)):
                on_left_out("flagged")
            if chosen:
                first = table.offset + row * ROW_BYTES
                pictures = rows_of(source.read(first, first + (end - row) * ROW_BYTES))
                if len(chosen) < len(pictures):
                    pictures = pictures[np.array(chosen) - row]
                yield BitmapBlock(tuple(chosen), pictures)
            wanted -= len(chosen)
            row = end
        carried = wanted


def select_drawings(
    source: ByteSource,
    format_name: str,
    category: str,
    selection: Selection,
    on_left_out: Callable[[str], None],
    on_refused: Callable[[RefusedRecord], None],
) -> Iterator[tuple[int, Drawing]]:
    """Take drawings out of a file of strokes, reading about as much as they need.

    Args:
        source: The file.
        format_name: ``binary``, ``simplified`` or ``raw``; raw drawings come out simplified.
        category: The word of binary drawings, which do not carry it.
        selection: What to take.
        on_left_out: Called with ``unrecognized``, ``other-country`` or ``flagged`` for each drawing passed over.
        on_refused: Called for each record that is no drawing.

    Yields:
        The byte at which the drawing begins in the file, and the drawing. When filters leave a stretch short, the
        rest is taken from the others, in turns, so the order is that of the file unless filters are hard.
    """
    plan = plan_stretches(source.size, selection, is_rows=False)
    weight = _Weight(float(LIKELY_BYTES[format_name]))
    streams = [_Stream(source, format_name, category, start, stop, weight, on_refused) for start, stop, _ in plan]
    wanted = selection.limit if selection.limit is not None else source.size
    quotas = [quota for _, _, quota in plan]
    while wanted and streams:
        for stream, quota in zip(streams, quotas, strict=True):
            taken = 0
            while taken < quota and wanted:
                found = stream.next(quota - taken)
                if found is None:
                    break
                reason = _reason_to_leave_out(found[1], selection)
                if reason:
                    on_left_out(reason)
                    continue
                taken += 1
                wanted -= 1
                yield found
        streams = [stream for stream in streams if not stream.is_exhausted]
        share, rest = divmod(wanted, len(streams)) if streams else (0, 0)
        quotas = [share + (number < rest) for number in range(len(streams))]


def _reason_to_leave_out(drawing: Drawing, selection: Selection) -> str:
    if drawing.key_id in selection.flagged.key_ids:
        return "flagged"
    if selection.recognized_only and not drawing.recognized:
        return "unrecognized"
    if selection.countries and drawing.countrycode not in selection.countries:
        return "other-country"
    return ""


@dataclass(slots=True)
class _Weight:
    """How many bytes a drawing of this file takes: a guess first, then what was seen."""

    likely_bytes: float
    num_seen: int = 0
    seen_bytes: int = 0

    def learn(self, num_bytes: int) -> None:
        self.num_seen += 1
        self.seen_bytes += num_bytes
        if self.num_seen >= 8:
            self.likely_bytes = self.seen_bytes / self.num_seen

    def bytes_for(self, wanted: int) -> int:
        """Return how much to read: little before anything is known, then about what is needed."""
        wanted = min(wanted, 12) if self.num_seen < 8 else wanted
        return min(max(int(wanted * self.likely_bytes * 1.02), _LEAST_READ), _MOST_READ)


class _Stream:
    """The drawings that begin in one stretch of a file; reads ahead by what is wanted, not more."""

    def __init__(
        self,
        source: ByteSource,
        format_name: str,
        category: str,
        start: int,
        stop: int,
        weight: _Weight,
        on_refused: Callable[[RefusedRecord], None],
    ) -> None:
        self.is_exhausted = False
        self._source = source
        self._stop = stop
        self._position = start
        self._weight = weight
        self._last = -1
        self._wanted = 0
        in_the_middle = start > 0

        def refuse(record: RefusedRecord) -> None:
            if record.offset < stop:  # what begins later is the next stretch's
                on_refused(record)

        self._drawings: Iterator[tuple[int, Drawing]]
        if format_name == "binary":
            self._drawings = iter_binary(self._read, category, refuse, offset=start, synchronise=in_the_middle)
        else:
            parse = parse_simplified if format_name == "simplified" else lambda line: simplify(parse_raw(line))
            # A line may begin exactly at ``start``: from one byte earlier its newline is seen.
            self._position -= in_the_middle
            self._drawings = iter_ndjson(self._read, parse, refuse, offset=self._position, synchronise=in_the_middle)

    def next(self, wanted: int) -> tuple[int, Drawing] | None:
        """Return the next drawing and where it begins; ``None`` at the end of the stretch."""
        self._wanted = wanted
        found = None if self.is_exhausted else next(self._drawings, None)
        if found is None or found[0] >= self._stop:
            self.is_exhausted = True
            return None
        if self._last >= 0:
            self._weight.learn(found[0] - self._last)
        self._last = found[0]
        return found

    def _read(self, _: int) -> bytes:
        if self._position >= self._stop + _MOST_READ:
            return b""
        block = self._source.read(self._position, self._position + self._weight.bytes_for(self._wanted))
        self._position += len(block)
        return block
