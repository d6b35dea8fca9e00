"""QuickDraw's drawings, collected: from the bucket or a folder, through a selection, into what a training needs.

A category is a pure function of its file, the selection and the output: the bytes do not depend on threads or
processes. One that is there as it would be made is left alone, so running a command again finishes it.
"""

import hashlib
import json
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from threading import Lock

from collectors import quickdraw_ledger
from collectors.errors import InputError, TagboxError
from collectors.ledger import Ledger
from collectors.progress import Progress, no_progress
from collectors.quickdraw_bitmaps import HEAD_BYTES, ROW_BYTES, BitmapTable, check_size, headerless_table, read_header
from collectors.quickdraw_bucket import RemoteFileChangedError
from collectors.quickdraw_content import check_content
from collectors.quickdraw_formats import Drawing, LineError, RefusedRecord
from collectors.quickdraw_ledger import OutputRecord
from collectors.quickdraw_outputs import BLOCK, Block, OutputSpec, is_complete, output_paths, write_category
from collectors.quickdraw_selection import LIKELY_BYTES, Selection, plan_stretches, select_bitmaps, select_drawings
from collectors.quickdraw_sketchrnn import SPLITS, read_sketchrnn, to_drawing
from collectors.quickdraw_sources import Source, SourceFile, choose_format

_REVISION = 1  # Raise it when the same options make other bytes.
_CATEGORIES_AT_ONCE = 4
_WORTH_PROCESSES = 2000  # Processes take a second to start, in which one core draws this many.
_REFUSED_KEPT = 20


@dataclass(slots=True)
class CategoryReport:
    """What became of one category.

    Attributes:
        state: ``written``, ``unchanged`` (it was there already), ``failed``, or ``planned`` (a dry run).
        url: The file it comes from.
        size: Bytes of that whole file.
        num_received: Bytes that came over the wire in this run.
        num_drawings: Drawings in the output; in a dry run the most to expect.
        num_bytes: Bytes of the output; in a dry run about as many will be fetched that are not here yet.
        left_out: How many drawings the filters passed over, by code.
        refused: How many records are no drawing, by code; ``first_refused`` names some.
        path: The output.
        error: Why it failed.
    """

    category: str
    state: str = "failed"
    format_name: str = ""
    url: str = ""
    version: str = ""
    size: int = 0
    num_received: int = 0
    num_drawings: int = 0
    num_bytes: int = 0
    num_removed: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    first_refused: list[RefusedRecord] = field(default_factory=list)
    path: Path = Path()
    error: TagboxError | None = None
    recipe: str = ""


@dataclass(frozen=True, slots=True)
class CollectJob:
    """What to collect.

    Attributes:
        source: Bucket or folder.
        selection: Which drawings.
        output: What to make of them.
        out: The output folder, root of the ledger.
        format_name: The format to read; empty takes the best.
        jobs: Processes that render.
        dry_run: Look at the files' heads, say what would be fetched, write nothing but the cache.
    """

    source: Source
    selection: Selection
    output: OutputSpec
    out: Path
    format_name: str = ""
    jobs: int = 1
    dry_run: bool = False

    def options(self) -> dict[str, object]:
        """Return everything that decides about the bytes of an output, but the source."""
        selection, pictures = self.selection, self.output.pictures
        return {
            "revision": _REVISION,
            "kind": self.output.kind,
            "limit": selection.limit,
            "sample": selection.sample,
            "recognized_only": selection.recognized_only,
            "countries": sorted(selection.countries),
            "side": pictures.side,
            "channels": pictures.channels,
            "polarity": pictures.polarity,
            "line_width": pictures.line_width,
            "padding": pictures.padding,
            "quality": pictures.quality,
        }


def collect_drawings(
    job: CollectJob, categories: Sequence[str], ledger: Ledger | None, *, progress: Progress = no_progress
) -> list[CategoryReport]:
    """Collect categories, several at a time.

    Args:
        job: What to collect.
        categories: Their names, as `collectors.quickdraw_categories.find_category` returns them.
        ledger: The open ledger of ``job.out``; ``None`` only in a dry run.
        progress: Told of finished drawings; the note says what was fetched.

    Returns:
        A report for each category, in the order asked for. Problems stand in the reports, none is raised but those of
        the ledger and `CollectingStoppedError`.
    """
    known: dict[str, OutputRecord] = {}
    if ledger is not None and not job.dry_run:
        quickdraw_ledger.prepare(ledger)
        known = quickdraw_ledger.known_outputs(ledger, job.output.folder)
    limit = job.selection.limit
    tally = _Tally(progress, None if limit is None else limit * len(categories))
    reports: dict[str, CategoryReport] = {}
    with ExitStack() as stack:
        pool = _pool(job, len(categories), stack)
        threads = ThreadPoolExecutor(min(_CATEGORIES_AT_ONCE, max(1, len(categories))))
        stack.callback(threads.shutdown, wait=True, cancel_futures=True)
        waiting = {
            threads.submit(_collect_category, job, category, known.get(category), pool, tally): category
            for category in categories
        }
        for future in as_completed(waiting):
            report = future.result()
            reports[waiting[future]] = report
            if ledger is not None and not job.dry_run:
                _record(ledger, job, report)
    if ledger is not None and not job.dry_run and any(report.state == "written" for report in reports.values()):
        quickdraw_ledger.write_attribution(ledger)
    return [reports[category] for category in categories]


class _Tally:
    """Adds up what several threads report."""

    def __init__(self, progress: Progress, total: int | None) -> None:
        self._progress = progress
        self._total = total
        self._done = 0
        self._lock = Lock()

    def add(self, num_drawings: int) -> None:
        with self._lock:
            self._done += num_drawings
            self._progress(self._done, None if self._total is None else max(self._total, self._done))


def _pool(job: CollectJob, num_categories: int, stack: ExitStack) -> Executor | None:
    num_drawings = (job.selection.limit or 1 << 30) * num_categories
    is_copying = job.output.kind == "ndjson" or (job.output.pictures.is_official and not job.selection.needs_metadata)
    if job.jobs <= 1 or job.dry_run or num_drawings < _WORTH_PROCESSES or (is_copying and job.output.kind != "jpeg"):
        return None
    # Fresh processes: a forked child of a program with threads can hang.
    pool = ProcessPoolExecutor(job.jobs, mp_context=get_context("spawn"), initializer=_ignore_interrupts)
    stack.callback(pool.shutdown, wait=True, cancel_futures=True)
    return pool


def _ignore_interrupts() -> None:
    # Ctrl-C reaches the whole group; the parent decides, the children finish the block in hand.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _collect_category(
    job: CollectJob, category: str, known: OutputRecord | None, pool: Executor | None, tally: _Tally
) -> CategoryReport:
    report = CategoryReport(category)
    try:
        try:
            _collect(job, report, known, pool, tally)
        except RemoteFileChangedError:
            # The old parts are dropped; a second change in a row is somebody else's problem.
            report = CategoryReport(category, num_received=report.num_received)
            _collect(job, report, known, pool, tally)
    except TagboxError as error:
        report.state, report.error = "failed", error
    except BrokenProcessPool as error:
        report.state = "failed"
        report.error = InputError(
            "a rendering process was killed, perhaps for lack of memory",
            where=category,
            fix="Run the same command again with fewer jobs.",
        )
        report.error.__cause__ = error
    return report


def _collect(
    job: CollectJob, report: CategoryReport, known: OutputRecord | None, pool: Executor | None, tally: _Tally
) -> None:
    category, selection = report.category, job.selection
    report.format_name = choose_format(
        job.source,
        category,
        selection,
        is_ndjson=job.output.kind == "ndjson",
        is_official=job.output.pictures.is_official,
        forced=job.format_name,
    )
    file = job.source.open(category, report.format_name)
    report.url = file.where
    try:
        with file:
            report.size, report.version = file.size, file.version
            report.path = output_paths(job.out, category, job.output)[0]
            report.recipe = _recipe(job, category, file)
            if job.dry_run:
                report.state = "planned"
                report.num_drawings, report.num_bytes = _estimate(job, report, file)
                return
            if known is not None and known.recipe == report.recipe and _is_there(job, category, known):
                report.state, report.num_drawings, report.num_bytes = "unchanged", known.num_drawings, known.num_bytes
                report.left_out, report.refused = Counter(known.left_out), Counter(known.refused)
                tally.add(known.num_drawings)
                return
            blocks = _blocks(job, report, file)
            written = write_category(job.out, category, job.output, blocks, pool=pool, on_done=tally.add)
            report.state = "written"
            report.num_drawings, report.num_bytes = written.num_drawings, written.num_bytes
            report.num_removed = written.num_removed
    finally:
        report.num_received += file.num_received


def _estimate(job: CollectJob, report: CategoryReport, file: SourceFile) -> tuple[int, int]:
    """Return the most drawings to expect, and about how many bytes of the file they take."""
    limit = job.selection.limit
    if report.format_name == "numpy_bitmap":
        num_rows = _table(job, report.category, file).num_rows
        num_drawings = num_rows if limit is None else min(limit, num_rows)
        return num_drawings, min(file.size, HEAD_BYTES + num_drawings * ROW_BYTES)
    likely = LIKELY_BYTES.get(report.format_name, 0)
    num_drawings = file.size // likely if limit is None and likely else limit or 0
    return num_drawings, min(file.size, HEAD_BYTES + num_drawings * likely) if likely else file.size


def _is_there(job: CollectJob, category: str, known: OutputRecord) -> bool:
    return is_complete(job.out, category, job.output, known.num_drawings, known.num_bytes)


def _recipe(job: CollectJob, category: str, file: SourceFile) -> str:
    flagged = job.selection.flagged
    parts = {
        **job.options(),
        "source": file.where,
        "version": file.version,
        "flagged": [sorted(flagged.key_ids), sorted(flagged.rows.get(category, ()))],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _blocks(job: CollectJob, report: CategoryReport, file: SourceFile) -> Iterator[Block]:
    """Turn the selected part of a file into blocks, and count what is not selected."""
    check_head = not (
        report.format_name == "numpy_bitmap" and job.source.is_headerless(report.category, "numpy_bitmap")
    )
    if check_head:
        check_content(file.read(0, HEAD_BYTES), report.format_name, file.where)
    if report.format_name == "numpy_bitmap":
        return _bitmap_blocks(job, report, file)

    def refuse(record: RefusedRecord) -> None:
        report.refused[record.code] += 1
        if len(report.first_refused) < _REFUSED_KEPT:
            report.first_refused.append(record)

    def leave_out(code: str) -> None:
        report.left_out[code] += 1

    if report.format_name == "sketchrnn":
        found = _sketches(file, report.category, job.selection, refuse)
    else:
        found = select_drawings(file, report.format_name, report.category, job.selection, leave_out, refuse)
    return _drawing_blocks(found, leave_out)


def _bitmap_blocks(job: CollectJob, report: CategoryReport, file: SourceFile) -> Iterator[Block]:
    table = _table(job, report.category, file)

    def leave_out(code: str) -> None:
        report.left_out[code] += 1

    flagged = job.selection.flagged.rows.get(report.category, frozenset())
    for found in select_bitmaps(file, table, job.selection, flagged, leave_out):
        for start in range(0, len(found.rows), BLOCK):
            yield Block(found.rows[start : start + BLOCK], bitmaps=found.pictures[start : start + BLOCK])


def _table(job: CollectJob, category: str, file: SourceFile) -> BitmapTable:
    if job.source.is_headerless(category, "numpy_bitmap"):
        table = headerless_table(file.size)
        if table is None:
            raise InputError("the file is no whole number of bitmaps", where=file.where, fix="Download it again.")
        return table
    table = read_header(file.read(0, HEAD_BYTES), file.where)
    check_size(table, file.size, file.where)
    return table


def _drawing_blocks(found: Iterator[tuple[int, Drawing]], leave_out: Callable[[str], None]) -> Iterator[Block]:
    seen: set[str] = set()

    def unique() -> Iterator[tuple[int, Drawing]]:
        for place, drawing in found:
            if drawing.key_id in seen:
                leave_out("duplicate")
                continue
            seen.add(drawing.key_id)
            yield place, drawing

    drawings = unique()
    while some := list(islice(drawings, BLOCK)):
        yield Block(tuple(place for place, _ in some), tuple(drawing for _, drawing in some))


def _sketches(
    file: SourceFile, category: str, selection: Selection, refuse: Callable[[RefusedRecord], None]
) -> Iterator[tuple[int, Drawing]]:
    """Take drawings of a sketch-rnn file, which can only be read whole; places are numbers of drawings."""
    for start in range(0, file.size, 1 << 22):
        file.read(start, start + (1 << 22))
    total = sum(1 for split in SPLITS for _ in read_sketchrnn(file.path, split)) if selection.sample == "spread" else 0
    plan = plan_stretches(total or 1 << 62, selection, is_rows=True)
    numbered = enumerate(deltas for split in SPLITS for deltas in read_sketchrnn(file.path, split))
    for start, stop, quota in plan:
        taken = 0
        for number, deltas in numbered:
            if start <= number and taken < quota:
                try:
                    drawing = to_drawing(deltas, category)
                except LineError as error:
                    refuse(RefusedRecord(number, 1, error.code, f"drawing {number}: {error.reason}"))
                else:
                    taken += 1
                    yield number, drawing
            if number + 1 >= stop or (taken == quota and stop == plan[-1][1]):
                break


def _record(ledger: Ledger, job: CollectJob, report: CategoryReport) -> None:
    error = report.error
    if report.url:
        quickdraw_ledger.record_file(
            ledger,
            url=report.url,
            category=report.category,
            format_name=report.format_name,
            version=report.version,
            size=report.size,
            bytes_fetched=report.num_received,
            code=type(error).__name__ if error else "",
            reason=str(error) if error else "",
        )
    if report.state == "written":
        quickdraw_ledger.record_output(
            ledger,
            folder=job.output.folder,
            category=report.category,
            url=report.url,
            options=job.options(),
            record=OutputRecord(
                report.recipe, report.num_drawings, report.num_bytes, dict(report.left_out), dict(report.refused)
            ),
        )
