"""Charts and confusion matrices as PNG files, for the run folder and for slides."""

import functools
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from collectors.files import atomic_writer
from pipelines.report.blocks import HeatTable
from pipelines.report.charts import BarChart, Chart, LineChart, finite_points

# Okabe and Ito's colours, which stay apart for eyes that see red and green alike.
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#1f2937", "#7a3fb0")
_LINES = ("-", "--", ":")
_MOST_IN_LEGEND = 12
_MOST_LETTERS = 40
# What the usual systems have for Chinese, Japanese and Korean; matplotlib's own font has none of their letters.
_EASTERN_FONTS = (
    "Noto Sans CJK JP",
    "WenQuanYi Micro Hei",
    "Microsoft YaHei",
    "Meiryo",
    "Malgun Gothic",
    "PingFang SC",
)


def save_chart(chart: Chart, path: Path) -> None:
    """Draw one chart into a PNG; see `save_charts`."""
    save_charts([chart], path)


def save_charts(charts: Sequence[Chart], path: Path) -> None:
    """Draw charts side by side, four of them in two rows, into a PNG; one without values has empty axes.

    Args:
        charts: At least one.
        path: The PNG to write.

    Raises:
        InputError: The file cannot be written.
    """
    num_rows = 2 if len(charts) == 4 else 1
    num_columns = len(charts) // num_rows
    figure = Figure(figsize=(5.5 * num_columns, 3.9 * num_rows), dpi=110, layout="constrained")
    for axes, chart in zip(np.ravel(figure.subplots(num_rows, num_columns)), charts, strict=True):
        if isinstance(chart, LineChart):
            _draw_lines(axes, chart)
        else:
            _draw_bars(axes, chart)
        axes.set_title(_plain(chart.title), fontsize=10)
        axes.grid(alpha=0.25)
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    named = [axes.get_legend_handles_labels() for axes in figure.axes]
    if len(charts) > 1 and all(labels == named[0][1] for _, labels in named) and len(named[0][1]) > 1:
        # One legend below for all: long names and many lines stay off the curves.
        handles, labels = named[0]
        figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)), frameon=False, fontsize=8)
    else:
        for axes, (_, labels) in zip(figure.axes, named, strict=True):
            if 1 < len(labels) <= _MOST_IN_LEGEND:
                axes.legend(frameon=False, fontsize=8)
    _save(figure, path)


def save_confusion(table: HeatTable, path: Path) -> None:
    """Draw a confusion matrix into a PNG, shaded by the share of its row.

    Raises:
        InputError: The file cannot be written.
    """
    counts = np.asarray(table.counts, np.int64).reshape(len(table.row_names), len(table.column_names))
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    side = 2.5 + 0.42 * len(table.column_names)
    figure = Figure(figsize=(side, side * 0.92), dpi=110, layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in zip(*np.nonzero(counts), strict=True):
        color = "white" if shares[row, column] > 0.55 else "black"
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=8, color=color)
    names = [_plain(name) for name in table.column_names]
    axes.set_xticks(range(len(names)), names, rotation=60, ha="right", rotation_mode="anchor", fontsize=8)
    axes.set_yticks(range(len(table.row_names)), [_plain(name) for name in table.row_names], fontsize=8)
    axes.set_xlabel(table.column_title, fontsize=9)
    axes.set_ylabel(table.row_title, fontsize=9)
    _save(figure, path)


def _draw_lines(axes: Axes, chart: LineChart) -> None:
    for place, series in enumerate(chart.series):
        color = _COLORS[(place if series.color is None else series.color) % len(_COLORS)]
        style = {"color": color, "linestyle": _LINES[series.line % 3], "linewidth": 1.5 * series.width}
        marker = {"marker": "o", "markersize": 2.5 + 1.5 * series.width} if series.markers else {}
        pieces = finite_points(series) or [[]]
        for number, piece in enumerate(pieces):
            name = _plain(series.name) if series.name and not number else "_"
            axes.plot([x for x, _ in piece], [y for _, y in piece], label=name, **style, **marker)  # type: ignore[arg-type]
    if chart.diagonal:
        axes.axline((0, 0), slope=1, color="#777", linestyle="--", linewidth=1)
    for mark in chart.marks:
        axes.axvline(mark.x, color="#777", linestyle="--", linewidth=1)
        axes.annotate(
            mark.label, (mark.x, 1), (3, -9), xycoords=("data", "axes fraction"), textcoords="offset points", fontsize=8
        )
    if chart.x_range:
        axes.set_xlim(*chart.x_range)
    if chart.y_range:
        axes.set_ylim(*chart.y_range)
    axes.set_xlabel(chart.x_label, fontsize=9)
    axes.set_ylabel(chart.y_label, fontsize=9)


def _draw_bars(axes: Axes, chart: BarChart) -> None:
    places = np.arange(len(chart.categories), dtype=float)
    floor = np.zeros(len(places))
    thick = 0.84 if chart.stacked else 0.84 / max(1, len(chart.bars))
    for number, bars in enumerate(chart.bars):
        color = _COLORS[(number if bars.color is None else bars.color) % len(_COLORS)]
        values = np.asarray(bars.values, np.float64)
        at = places if chart.stacked else places - 0.42 + thick * (number + 0.5)
        name = _plain(bars.name) if bars.name else "_"
        if chart.horizontal:
            axes.barh(at, values, height=thick, left=floor, color=color, label=name)
        else:
            axes.bar(at, values, width=thick, bottom=floor, color=color, label=name)
        floor = floor + values if chart.stacked else floor
    names = [_plain(category) for category in chart.categories]
    if chart.horizontal:
        axes.set_yticks(places, names)
        axes.invert_yaxis()
        axes.set_xlabel(chart.y_label, fontsize=9)
    else:
        axes.set_xticks(places, names)
        axes.set_xlabel(chart.x_label, fontsize=9)
        axes.set_ylabel(chart.y_label, fontsize=9)


def _plain(name: str) -> str:
    """Keep a name from being read as mathematics, as one to hide, or from taking all the room."""
    short = name if len(name) <= _MOST_LETTERS else name[: _MOST_LETTERS - 1] + "…"
    return short.replace("$", r"\$").removeprefix("_") or "_"


@functools.cache
def _families() -> list[str]:
    known = {font.name for font in font_manager.fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in _EASTERN_FONTS if name in known)]


def _save(figure: Figure, path: Path) -> None:
    for text in figure.findobj(lambda one: hasattr(one, "set_fontfamily")):
        text.set_fontfamily(_families())  # type: ignore[attr-defined]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # it is drawn as an empty square
        with atomic_writer(path) as stream:
            figure.savefig(stream, format="png", metadata={"Software": None})
