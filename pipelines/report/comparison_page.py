"""The page that puts several runs side by side."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from collectors.files import write_atomically
from pipelines.config_differences import differing
from pipelines.report.blocks import (
    Block,
    Cell,
    ChartBlock,
    Column,
    Commands,
    Finding,
    Findings,
    KeyFigure,
    Measured,
    Page,
    Paragraph,
    Row,
    Section,
    Table,
)
from pipelines.report.comparison_charts import comparison_charts
from pipelines.report.page import render_page
from pipelines.report.provenance import train_command
from pipelines.report.run_files import RunFiles, read_run
from pipelines.report.training import curve_of, in_words, training_seconds
from pipelines.run_comparison import Compared
from pipelines.run_directory import RunDirectory
from pipelines.run_kinds import DETECTOR, RunKind

_SIGNIFICANT = 0.05


def write_comparison(
    runs: Sequence[RunDirectory], compared: Sequence[Compared], path: Path, kind: RunKind = DETECTOR
) -> None:
    """Write the page of a comparison: one file, no request leaves it.

    Args:
        runs: The runs, in the order in which they were compared.
        compared: What `pipelines.run_comparison.compare_runs` says of them.
        path: The HTML file to write.
        kind: What they are.

    Raises:
        InputError: A file of a run cannot be read, or the page cannot be written.
    """
    write_atomically(path, render_page(comparison_page([read_run(run) for run in runs], compared, kind)))


def comparison_page(runs: Sequence[RunFiles], compared: Sequence[Compared], kind: RunKind = DETECTOR) -> Page:
    """Return the page; each run under the name that it has in ``compared``."""
    names = [one.name for one in compared]
    headline = kind.compared_figures[0]
    figures = [KeyFigure(f"{headline} of {one.name}", _measured(getattr(one, headline))) for one in compared]
    return Page(
        title=" and ".join(names) if len(names) < 4 else f"{len(names)} runs",
        subtitle="Runs compared by tagbox. A click on the head of a column sorts a table by it.",
        figures=figures[:6],
        sections=[
            Section("Which is better", _verdict(compared, kind)),
            Section("Curves", [Row([ChartBlock(chart) for chart in _charts(runs, names, kind)])]),
            Section("Each class", _classes(runs, names, kind.class_figures[0])),
            Section("Config", _config(runs, names)),
            Section("Environment", _environment(runs, names)),
            Section("Time", _time(runs, names)),
            Section("Commands", [Commands(_commands(runs, names))]),
        ],
    )


def _verdict(compared: Sequence[Compared], kind: RunKind) -> list[Block]:
    first, names = compared[0], kind.compared_figures
    chance = f"how often two equally good {kind.word}s differ by that much"
    columns = [
        Column("run", numeric=False),
        Column("step"),
        Column("pictures"),
        *(Column(name) for name in names),
    ]
    for name in names:
        columns += [Column(f"{name} more", tip=f"than {first.name}"), Column("p", tip=chance)]
    rows = []
    for one in compared:
        more, tested = one.difference, list[Cell]()
        for name in names:
            tested += [None, None] if more is None else [_measured(getattr(more, name)), getattr(more, _p(name))]
        rows.append([one.name, one.step, one.num_images, *(_measured(getattr(one, name)) for name in names), *tested])
    words = Paragraph(
        f"More is meant against {first.name}. Small figures are the ends of 95 % intervals: how far other verification "
        "pictures of the kind would move them. p is how often two equals differ by at least that much "
        f"on these pictures, found by exchanging the two runs' {kind.answers}, picture by picture. A run that is "
        "trained again with another seed differs by chance as well, and neither figure knows of that.",
        soft=True,
    )
    return [Findings([_finding(one, first, names[0]) for one in compared[1:]]), Table(columns, rows), words]


def _p(name: str) -> str:
    return f"p_{name.lower()}"


def _finding(one: Compared, first: Compared, name: str) -> Finding:
    if one.difference is None or getattr(one.difference, name).value is None:
        reason = one.not_comparable or f"their {name} is not defined"
        return Finding(f"{one.name} cannot be tested against {first.name}: {reason}.", "", tone="plain")
    more, p = getattr(one.difference, name).value, getattr(one.difference, _p(name))
    is_sure = p is not None and p < _SIGNIFICANT
    words = f"{one.name} has {name} {abs(more):.3f} {'above' if more >= 0 else 'below'} {first.name}"
    chance = "" if p is None else f" (p = {p:.3f})"
    if is_sure:
        return Finding(f"{words}: more than chance{chance}.", "", tone="good" if more > 0 else "bad")
    return Finding(f"{words}: that may well be chance{chance}.", "More verification pictures would tell.", tone="plain")


def _charts(runs: Sequence[RunFiles], names: Sequence[str], kind: RunKind) -> list[Any]:
    rows_by_run = {name: files.rows for name, files in zip(names, runs, strict=True)}
    return comparison_charts(rows_by_run, kind.compared_curves)


def _classes(runs: Sequence[RunFiles], names: Sequence[str], figure: str) -> list[Block]:
    by_run: list[Mapping[str, Any]] = [files.results.get("per_class") or {} for files in runs]
    classes = list(dict.fromkeys(name for rows in by_run for name in rows))
    columns = [Column("class", numeric=False), *(Column(f"{figure} {name}") for name in names)]
    columns += [Column(f"{name} more", tip=f"than {names[0]}") for name in names[1:]]
    rows = []
    for name in classes:
        reached = [(own.get(name) or {}).get(figure) for own in by_run]
        ends = [((files.results.get("intervals") or {}).get("per_class") or {}).get(name) or {} for files in runs]
        figures = [Measured(value, *(own.get(figure) or ())) for value, own in zip(reached, ends, strict=True)]
        more = [None if value is None or reached[0] is None else value - reached[0] for value in reached[1:]]
        rows.append([name, *figures, *more])
    return [Table(columns, rows)] if rows else []


def _config(runs: Sequence[RunFiles], names: Sequence[str]) -> list[Block]:
    rows = differing([files.config for files in runs])
    if not rows:
        return [Paragraph("The configs are the same.")]
    return [_table_of_differences("key", rows, names)]


def _environment(runs: Sequence[RunFiles], names: Sequence[str]) -> list[Block]:
    told = ("python", "platform", "cpu_count", "packages")
    contents = [{key: files.environment[key] for key in told if key in files.environment} for files in runs]
    rows = differing(contents)
    if not rows:
        return [Paragraph("Python, packages and machine are the same.")]
    return [_table_of_differences("", rows, names)]


def _table_of_differences(title: str, rows: Sequence[tuple[str, list[str]]], names: Sequence[str]) -> Table:
    columns = [Column(title, numeric=False), *(Column(name, numeric=False) for name in names)]
    return Table(columns, [[key, *values] for key, values in rows])


def _time(runs: Sequence[RunFiles], names: Sequence[str]) -> list[Block]:
    columns = [
        Column("run", numeric=False), Column("steps"), Column("training", numeric=False), Column("steps a second"),
        Column("evaluation", numeric=False),
    ]  # fmt: skip
    rows = []
    for name, files in zip(names, runs, strict=True):
        seconds, took = training_seconds(files.rows), files.results.get("evaluation_s")
        rates = [rate for rate in curve_of(files.rows, "steps_per_second")[1] if rate > 0]
        words = ["–" if one is None else in_words(one) for one in (seconds, took)]
        rows.append([name, files.status.get("step"), words[0], rates[-1] if rates else None, words[1]])
    return [Table(columns, rows)]


def _commands(runs: Sequence[RunFiles], names: Sequence[str]) -> list[tuple[str, str]]:
    rows = [(f"Train {name}", train_command(files)) for name, files in zip(names, runs, strict=True)]
    paths = shlex.join(str(files.run.path) for files in runs)
    return [*((what, command) for what, command in rows if command), ("Compare them", f"tagbox runs compare {paths}")]


def _measured(interval: Any) -> Measured:
    return Measured(interval.value, interval.low, interval.high)
