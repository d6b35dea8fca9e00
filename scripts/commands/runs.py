"""``tagbox runs``: what was trained, and which run is better."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from scripts import exit_codes
from scripts.options import json_option
from scripts.output import figure, progress, say, write_json, write_table

_TEST = "the share of {} random exchanges of two runs' {}, picture by picture, that differ at least as much"


@click.group()
def runs() -> None:
    """List, show and compare runs."""


@runs.command("list")
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path), default=Path("runs"))
@json_option
def list_command(folder: Path, as_json: bool) -> int:
    """List the runs in DIR (default: runs)."""
    from pipelines.run_kinds import kind_of
    from pipelines.run_list import FIGURES, list_runs

    found = list_runs(folder)
    if as_json:
        write_json([asdict(run) for run in found])
        return exit_codes.DONE
    # The figures of kinds that are not there would be columns of dashes.
    shown = [name for name in FIGURES if any(name in kind_of(run.experiment).figures for run in found)]
    rows = [
        [
            run.name,
            run.state,
            _steps(run.step, run.total_steps),
            *(figure(getattr(run, name)) for name in shown),
            run.experiment,
            run.updated,
        ]
        for run in found
    ]
    right = set(range(2, 3 + len(shown)))
    write_table(["run", "state", "step", *shown, "experiment", "updated"], rows, right=right)
    for run in found:
        if run.problem:
            say(f"{run.name}: {run.problem}")
    return exit_codes.DONE


@runs.command("show")
@click.argument("run_dir", metavar="RUN", type=click.Path(path_type=Path))
@json_option
def show(run_dir: Path, as_json: bool) -> int:
    """Show one RUN: where it stands, its figures, and what was chosen for it."""
    from pipelines.run_directory import RunDirectory
    from pipelines.run_kinds import kind_of
    from pipelines.run_list import describe

    content = describe(RunDirectory(run_dir))
    kind = kind_of(content["experiment"])
    if as_json:
        write_json(content)
        return exit_codes.DONE
    facts = [["state", content["state"]], ["step", _steps(content["step"], content["total_steps"])]]
    facts += [["experiment", content["experiment"]], ["updated", content["updated"]]]
    facts += [["command", " ".join(content["environment"].get("command", ()))]]
    facts += [[name, content[name]] for name in ("reason", "problem") if content[name]]
    write_table(["run", content["name"]], facts)
    if content["evaluations"]:
        rows = [[str(row["step"]), *(figure(row[name]) for name in kind.figures)] for row in content["evaluations"]]
        write_table(["evaluated at step", *kind.figures], rows, right={0, 1, 2})
    if content["results"]:
        classes = content["results"]["per_class"].items()
        shown = [name for name in kind.class_figures if all(name in row for _, row in classes)]
        rows = [[name, *(figure(row[one]) for one in shown), str(row["num_truth"])] for name, row in classes]
        write_table(["class (best checkpoint)", *shown, kind.truth], rows, right={1, 2, 3})
    write_table(["key", "value", "from"], [[row["key"], row["value"], row["origin"]] for row in content["chosen"]])
    return exit_codes.DONE


@runs.command("report")
@click.argument("run_dir", metavar="RUN", type=click.Path(path_type=Path))
def report_command(run_dir: Path) -> int:
    """Draw the report.html of a RUN again, from what its folder says.

    No model is loaded and nothing is evaluated: a matter of seconds, for a run that was moved or trained by an older
    tagbox.
    """
    from pipelines.report.run_report import write_report
    from pipelines.run_directory import RunDirectory

    say(f"report: {write_report(RunDirectory(run_dir))}")
    return exit_codes.DONE


@runs.command("compare")
@click.argument("run_dirs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), default=Path("comparison.png"), show_default=True,
              help="Draw the curves of all runs into this PNG.")  # fmt: skip
@click.option("--html", "page", type=click.Path(path_type=Path), metavar="FILE",
              help="Also write a page: figures, curves, classes, and how the runs differ.")  # fmt: skip
@click.option("--resamples", type=click.IntRange(100, 100_000), default=1000, show_default=True,
              help="How often pictures are drawn for intervals and tests.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="Seed of the draws.")
@json_option
def compare_command(
    run_dirs: tuple[Path, ...], output: Path, page: Path | None, resamples: int, seed: int, as_json: bool
) -> int:
    """Compare RUNs with the first: curves in one picture, figures with 95 % intervals, a paired test.

    The figures are those of the detections, or of a classifier's answers, that each run's evaluation stored. Below them
    stands what was tested.
    """
    from pipelines.plots import save_charts
    from pipelines.report.comparison_charts import comparison_charts
    from pipelines.run_comparison import compare_runs
    from pipelines.run_directory import RunDirectory

    folders = [RunDirectory(path) for path in run_dirs]
    with progress("comparing, runs") as advance:
        kind, compared = compare_runs(folders, resamples=resamples, seed=seed, progress=advance)
    names = [one.name for one in compared]
    rows_by_run = dict(zip(names, (run.read_rows() for run in folders), strict=True))
    save_charts(comparison_charts(rows_by_run, kind.compared_curves), output)
    if page:
        from pipelines.report.comparison_page import write_comparison

        write_comparison(folders, compared, page, kind)
    if as_json:
        content = {"runs": [asdict(one) for one in compared], "resamples": resamples, "seed": seed}
        content |= {"test": _TEST.format(resamples, kind.answers), "picture": str(output)}
        write_json(content | ({"page": str(page)} if page else {}))
    else:
        names_of_figures = kind.compared_figures
        tested = [word for name in names_of_figures for word in (f"{name} to first", "p")]
        write_table(
            ["run", "step", "pictures", *names_of_figures, *tested],
            [_row(one, names_of_figures) for one in compared],
            right={1, 2, 6, 8},
        )
        if any(one.difference for one in compared):
            say(f"p: {_TEST.format(resamples, kind.answers)}")
    for one in compared:
        if one.not_comparable:
            say(f"{one.name} is not tested against {names[0]}: {one.not_comparable}")
    say(f"curves: {output}")
    if page:
        say(f"page: {page}")
    return exit_codes.DONE


def _row(one: Any, names: Sequence[str]) -> list[str]:
    step = "-" if one.step is None else str(one.step)
    cells = [one.name, step, str(one.num_images), *(_with_interval(getattr(one, name)) for name in names)]
    for name in names:
        if one.difference is None:
            cells += ["-", "-"]
        else:
            cells.append(_with_interval(getattr(one.difference, name), sign="+"))
            cells.append(figure(getattr(one.difference, f"p_{name.lower()}")))
    return cells


def _with_interval(interval: Any, sign: str = "") -> str:
    if interval.value is None:
        return "-"
    if interval.low is None:
        return f"{interval.value:{sign}.3f}"
    return f"{interval.value:{sign}.3f} [{interval.low:{sign}.3f}, {interval.high:{sign}.3f}]"


def _steps(step: int | None, total: int | None) -> str:
    return f"{'-' if step is None else step}/{'-' if total is None else total}"
