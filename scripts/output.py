"""Where words go: data to stdout, everything else to stderr; bars on a terminal, plain lines elsewhere."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress
from rich.table import Table
from rich.text import Text

from collectors.progress import Progress

_PLAIN_LINE_EVERY_S = 5.0


# The bar on screen, if any: words must go above it, not through it.
_bars: list[RichProgress] = []


class _RateColumn(ProgressColumn):
    """Items per second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f}/s" if task.speed else "", style="progress.data.speed")


def say(message: str) -> None:
    """Tell the person something; goes to stderr so that stdout stays data."""
    if _bars:
        _bars[-1].console.print(message, markup=False, highlight=False, soft_wrap=True)
    else:
        click.echo(message, err=True)


def write_json(value: Any) -> None:
    """Print one JSON document on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, sort_keys=False))


def write_table(headings: list[str], rows: list[list[str]], *, right: set[int] | None = None) -> None:
    """Print a table on stdout; columns whose index stands in ``right`` are aligned right. No rows: headings only."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, heading in enumerate(headings):
        table.add_column(heading, justify="right" if right and index in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # as it stands: a value may look like markup
    width = None if sys.stdout.isatty() else 160
    Console(file=sys.stdout, width=width, soft_wrap=False).print(table)


def figure(value: float | None) -> str:
    """Return a figure with three decimals; a dash where it is not defined."""
    return "-" if value is None else f"{value:.3f}"


@contextmanager
def words_above(bar: RichProgress) -> Iterator[None]:
    """Let `say` write above a bar while the block runs."""
    _bars.append(bar)
    try:
        yield
    finally:
        _bars.pop()


@contextmanager
def progress(title: str) -> Iterator[Progress]:
    """Show how far a piece of work is; yields the callback that library code reports to."""
    if sys.stderr.isatty():
        with RichProgress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _RateColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(stderr=True),
            transient=False,
        ) as bar:
            task = bar.add_task(title, total=None, note="")

            def report(done: int, total: int | None, note: str = "") -> None:
                bar.update(task, completed=done, total=total, note=note)

            with words_above(bar):
                yield report
        return
    started = time.monotonic()
    last = [started]
    latest: list[tuple[int, int | None, str]] = [(0, None, "")]

    def report_plainly(done: int, total: int | None, note: str = "") -> None:
        latest[0] = (done, total, note)
        now = time.monotonic()
        if now - last[0] >= _PLAIN_LINE_EVERY_S:
            last[0] = now
            say(_plain_line(title, done, total, note, now - started))

    yield report_plainly
    done, total, note = latest[0]
    say(_plain_line(title, done, total, note, time.monotonic() - started) + " done")


@contextmanager
def progress_when_needed(title: str) -> Iterator[Progress]:
    """Show progress from the first report on; nothing is shown of work that turns out to be done."""
    with ExitStack() as stack:
        shown: list[Progress] = []

        def report(done: int, total: int | None, note: str = "") -> None:
            if not shown:
                shown.append(stack.enter_context(progress(title)))
            shown[0](done, total, note)

        yield report


def size_in_words(num_bytes: int) -> str:
    """Return a size in MB, or in kB when it is small."""
    return f"{num_bytes / 1e6:.1f} MB" if num_bytes >= 100_000 else f"{num_bytes / 1e3:.1f} kB"


def _plain_line(title: str, done: int, total: int | None, note: str, seconds: float) -> str:
    of_total = f"/{total}" if total is not None else ""
    rate = f" {done / seconds:.1f}/s" if seconds > 0.5 and done else ""
    left = f" ETA {(total - done) * seconds / done:.0f} s" if total and done and total > done else ""
    return f"{title}: {done}{of_total}{rate}{left}{' ' + note if note else ''}"
