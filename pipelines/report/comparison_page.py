"""The page that puts several runs side by side."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from collectors.files import write_atomically
from pipelines.comparison import ComparedRun
from pipelines.config_differences import differing
from pipelines.report.blocks import (
    Block,
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
from pipelines.run_directory import RunDirectory

_SIGNIFICANT = 0.05


def write_comparison(runs: Sequence[RunDirectory], compared: Sequence[ComparedRun], path: Path) -> None:
    """Write the page of a comparison: one file, no request leaves it.

    Args:
        runs: The runs, in the order in which they were compared.
        compared: What `pipelines.comparison.compare` says of them.
        path: The HTML file to write.

    Raises:
        InputError: A file of a run cannot be read, or the page cannot be written.
    """
    write_atomically(path, render_page(comparison_page([read_run(run) for run in runs], compared)))


def comparison_page(runs: Sequence[RunFiles], compared: Sequence[ComparedRun]) -> Page:
    """Return the page; each run under the name that it has in ``compared``."""
    names = [one.name for one in compared]
    figures = [KeyFigure(f"AP50 of {one.name}", _measured(one.AP50)) for one in compared]
    return Page(
        title=" and ".join(names) if len(names) < 4 else f"{len(names)} runs",
        subtitle="Runs compared by tagbox. A click on the head of a column sorts a table by it.",
        figures=figures[:6],
        sections=[
            Section("Which is better", _verdict(compared)),
            Section("Curves", [Row([ChartBlock(chart) for chart in _charts(runs, names)])]),
            Section("Each class", _classes(runs, names)),
            Section("Config", _config(runs, names)),
            Section("Environment", _environment(runs, names)),
            Section("Time", _time(runs, names)),
            Section("Commands", [Commands(_commands(runs, names))]),
        ],
    )


def _verdict(compared: Sequence[ComparedRun]) -> list[Block]:
    first = compared[0]
    columns = [
        Column("run", numeric=False),
        Column("step"),
        Column("pictures"),
        Column("AP50"),
        Column("AP"),
        Column("AP50 more", tip=f"than {first.name}"),
        Column("p", tip="how often two equally good detectors differ by that much"),
        Column("AP more", tip=f"than {first.name}"),
        Column("p", tip="how often two equally good detectors differ by that much"),
    ]
    rows = []
    for one in compared:
        more = one.difference
        tested = [_measured(more.AP50), more.p_ap50, _measured(more.AP), more.p_ap] if more is not None else [None] * 4
        rows.append([one.name, one.step, one.num_images, _measured(one.AP50), _measured(one.AP), *tested])
    words = Paragraph(
        f"More is meant against {first.name}. Small figures are the ends of 95 % intervals: how far other verification "
        "pictures of the kind would move them. p is how often two equally good detectors differ by at least that much "
        "on these pictures. A run that is trained again with another seed differs by chance as well, and neither "
        "figure knows of that.",
        soft=True,
    )
    return [Findings([_finding(one, first) for one in compared[1:]]), Table(columns, rows), words]


def _finding(one: ComparedRun, first: ComparedRun) -> Finding:
    if one.difference is None or one.difference.AP50.value is None:
        reason = one.not_comparable or "their AP50 is not defined"
        return Finding(f"{one.name} cannot be tested against {first.name}: {reason}.", "", tone="plain")
    more, p = one.difference.AP50.value, one.difference.p_ap50
    is_sure = p is not None and p < _SIGNIFICANT
    words = f"{one.name} has an AP50 {abs(more):.3f} {'above' if more >= 0 else 'below'} {first.name}"
    chance = "" if p is None else f" (p = {p:.3f})"
    if is_sure:
        return Finding(f"{words}: more than chance{chance}.", "", tone="good" if more > 0 else "bad")
    return Finding(f"{words}: that may well be chance{chance}.", "More verification pictures would tell.", tone="plain")


def _charts(runs: Sequence[RunFiles], names: Sequence[str]) -> list[Any]:
    return comparison_charts({name: files.rows for name, files in zip(names, runs, strict=True)})


def _classes(runs: Sequence[RunFiles], names: Sequence[str]) -> list[Block]:
    by_run: list[Mapping[str, Any]] = [files.results.get("per_class") or {} for files in runs]
    classes = list(dict.fromkeys(name for rows in by_run for name in rows))
    columns = [Column("class", numeric=False), *(Column(f"AP50 {name}") for name in names)]
    columns += [Column(f"{name} more", tip=f"than {names[0]}") for name in names[1:]]
    rows = []
    for name in classes:
        reached = [(own.get(name) or {}).get("AP50") for own in by_run]
        ends = [((files.results.get("intervals") or {}).get("per_class") or {}).get(name) or {} for files in runs]
        figures = [Measured(value, *(own.get("AP50") or ())) for value, own in zip(reached, ends, strict=True)]
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
