"""Curves of a run, drawn from its results.csv."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from collectors.files import atomic_writer

_LOSSES = (
    ("loss", "total", "#1f2937"),
    ("classification_loss", "classification", "#2563eb"),
    ("localization_loss", "localisation", "#db2777"),
)
_FIGURES = (("AP50", "AP50", "#059669"), ("AP", "AP (0.50 to 0.95)", "#d97706"))


def curve_of(rows: Sequence[Mapping[str, str]], column: str) -> tuple[list[int], list[float]]:
    """Return steps and values of a column of ``results.csv``, without the empty cells."""
    filled = [row for row in rows if row.get(column)]
    return [int(row["step"]) for row in filled], [float(row[column]) for row in filled]


def plot_training(rows: Sequence[Mapping[str, str]], path: Path) -> None:
    """Draw the losses and the average precision over the steps into a PNG, side by side.

    Args:
        rows: What `pipelines.run_directory.RunDirectory.read_rows` gives; without rows the axes stay empty.
        path: The PNG to write.

    Raises:
        InputError: The file cannot be written.
    """
    figure = Figure(figsize=(11, 3.6), dpi=110, layout="constrained")
    losses, precision = figure.subplots(1, 2)
    for column, label, color in _LOSSES:
        losses.plot(*curve_of(rows, column), label=label, color=color, linewidth=1.4)
    _, totals = curve_of(rows, "loss")
    finite = sorted(value for value in totals if 0 < value < math.inf)  # a run that blew up ends in nan
    if finite:
        # The first steps of a fresh head are off the scale of all that follows.
        losses.set_ylim(0, 1.1 * finite[int(0.97 * (len(finite) - 1))])
    _finish(losses, "training loss")
    for column, label, color in _FIGURES:
        precision.plot(*curve_of(rows, column), label=label, color=color, linewidth=1.8, marker="o", markersize=4)
    precision.set_ylim(0, 1.02)
    _finish(precision, "average precision on the verification pictures")
    with atomic_writer(path) as stream:
        figure.savefig(stream, format="png")


def _finish(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("step", fontsize=9)
    axes.grid(alpha=0.25)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)


# Okabe and Ito's colours, which stay apart for eyes that see red and green alike; more runs change the line.
_RUN_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#1f2937")
_RUN_LINES = ("-", "--", ":", "-.")


def plot_comparison(rows_by_run: Mapping[str, Sequence[Mapping[str, str]]], path: Path) -> None:
    """Draw loss, AP50 and AP of several runs over the steps into one PNG.

    Args:
        rows_by_run: Name of each run and what `pipelines.run_directory.RunDirectory.read_rows` gives of it.
        path: The PNG to write.

    Raises:
        InputError: The file cannot be written.
    """
    figure = Figure(figsize=(14, 4.4), dpi=110, layout="constrained")
    columns = (("loss", "training loss"), ("AP50", "AP50"), ("AP", "AP (0.50 to 0.95)"))
    tops = []
    for axes, (column, title) in zip(figure.subplots(1, 3), columns, strict=True):
        for index, (name, rows) in enumerate(rows_by_run.items()):
            color = _RUN_COLORS[index % len(_RUN_COLORS)]
            line = _RUN_LINES[index // len(_RUN_COLORS) % len(_RUN_LINES)]
            steps, values = curve_of(rows, column)
            # Later runs are thinner, so that curves that lie on each other all show.
            width = 1.2 + 1.6 * (1 - index / max(1, len(rows_by_run) - 1))
            if column == "loss":
                finite = sorted(value for value in values if 0 < value < math.inf)
                tops.extend(finite[int(0.97 * (len(finite) - 1)) :][:1])
                axes.plot(steps, values, line, label=name, color=color, linewidth=0.7 * width)
            else:
                axes.plot(
                    steps, values, line, label=name, color=color, linewidth=width, marker="o", markersize=2 + width
                )
        if column != "loss":
            axes.set_ylim(0, 1.02)
        elif tops:
            axes.set_ylim(0, 1.1 * max(tops))
        _finish(axes, title)
        axes.get_legend().remove()
    handles, labels = axes.get_legend_handles_labels()
    # Long names and many runs stay below the curves instead of over them.
    figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)), frameon=False, fontsize=8)
    with atomic_writer(path) as stream:
        figure.savefig(stream, format="png")
