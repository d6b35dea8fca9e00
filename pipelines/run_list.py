"""The runs of a folder, and what each is about, told without TensorFlow."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from collectors.errors import InputError
from pipelines.run_directory import RunDirectory
from pipelines.run_kinds import CLASSIFIER, DETECTOR, TAGGER, RunKind, kind_of

FIGURES = tuple(dict.fromkeys(name for kind in (DETECTOR, TAGGER, CLASSIFIER) for name in kind.figures))


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run as a line.

    Attributes:
        name: Name of its folder.
        path: The folder.
        experiment: What the config starts from.
        state: ``done``, ``running``, ``interrupted``, ``failed``, ``killed`` (it says running, and no process does), or
            ``unreadable``.
        step: Of its last checkpoint or report.
        total_steps: Of the whole run.
        AP50: Of the best checkpoint of a detector; ``None`` where there is none.
        AP: The same.
        mAP: Of the best checkpoint of a tag classifier; ``None`` where there is none.
        top1: Of the best checkpoint of a classifier of either kind; ``None`` where there is none.
        top5: The same.
        updated: When it was last heard of, as in ``status.json``.
        problem: Why it failed, or cannot be read; empty otherwise.
    """

    name: str
    path: str
    experiment: str
    state: str
    step: int | None = None
    total_steps: int | None = None
    AP50: float | None = None
    AP: float | None = None
    mAP: float | None = None  # noqa: N815 - its name in results.json
    top1: float | None = None
    top5: float | None = None
    updated: str = ""
    problem: str = ""


def list_runs(folder: Path) -> list[RunSummary]:
    """Return the runs directly in a folder, by name; a folder that is itself a run gives that one.

    Raises:
        InputError: There is no such folder.
    """
    if not folder.is_dir():
        raise InputError("no such folder", where=str(folder), fix="Train something first, or name the folder.")
    if RunDirectory(folder).config_path.is_file():
        return [summarize(RunDirectory(folder))]
    runs = [RunDirectory(path) for path in sorted(folder.iterdir()) if (path / "config.yaml").is_file()]
    return [summarize(run) for run in runs]


def summarize(run: RunDirectory) -> RunSummary:
    """Return a run as a line; what cannot be read is said in it and stops nothing."""
    name = run.path.resolve().name
    try:
        config, status, results = read_config(run), run.read_status(), run.read_results() or {}
    except InputError as error:
        return RunSummary(name, str(run.path), "?", "unreadable", problem=str(error))
    state = str(status.get("state", "interrupted"))
    if state == "running" and not run.is_at_work():
        state = "killed"
    return RunSummary(
        name=name,
        path=str(run.path),
        experiment=str(config.get("experiment", "?")),
        state=state,
        step=status.get("step"),
        total_steps=status.get("total_steps"),
        **{name: results.get(name) for name in FIGURES},
        updated=str(status.get("updated", "")),
        problem=str(status.get("error", "")),
    )


def describe(run: RunDirectory) -> dict[str, Any]:
    """Return all that the folder says of a run, for ``tagbox runs show``.

    Returns:
        The fields of `RunSummary`, and ``reason`` (why it ended before its last step), ``results`` (of the best
        checkpoint), ``evaluations`` (rows of results.csv), ``chosen`` (the values of the config that did not come with
        the experiment, each with its origin), ``environment``.

    Raises:
        InputError: The folder is not that of a run.
    """
    run.require()
    summary = summarize(run)
    rows = [row for row in run.read_rows() if not row["loss"]]
    return {
        **{name: getattr(summary, name) for name in summary.__slots__},
        "reason": str(run.read_status().get("reason", "")),
        "results": run.read_results(),
        "evaluations": [
            {"step": int(row["step"]), **{name: _number(row[name]) for name in kind_of(summary.experiment).figures}}
            for row in rows
        ],
        "chosen": chosen_values(run.config_path),
        "environment": run.read_environment(),
    }


def kind_of_run(run: RunDirectory) -> RunKind:
    """Return what kind of thing a run trains.

    Raises:
        InputError: The folder is not that of a run, or its config cannot be read.
    """
    run.require()
    return kind_of(str(read_config(run).get("experiment", "")))


def read_config(run: RunDirectory) -> Mapping[str, Any]:
    """Return the run's config as plain values.

    Raises:
        InputError: It cannot be read.
    """
    try:
        content = yaml.safe_load(run.config_path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"cannot read the config ({reason})", where=str(run.config_path)) from error
    if not isinstance(content, dict):
        raise InputError("is not a mapping of keys", where=str(run.config_path))
    return content


def chosen_values(config_path: Path) -> list[dict[str, str]]:
    """Return the values of a merged config that did not come with the experiment: ``key``, ``value``, ``origin``.

    `pipelines.experiment.dump_experiment` writes the origin behind a value, two spaces a level.
    """
    text = config_path.read_text(encoding="utf-8")
    found: list[dict[str, str]] = []
    path: list[str] = []
    for line in text.splitlines():
        key, separator, rest = line.strip().partition(":")
        if not separator:
            continue
        depth = (len(line) - len(line.lstrip())) // 2
        path = [*path[:depth], key]
        value, mark, origin = rest.rpartition("  # ")
        if mark:
            found.append({"key": ".".join(path), "value": value.strip(), "origin": origin.strip()})
    return found


def _number(text: str) -> float | None:
    return float(text) if text else None
