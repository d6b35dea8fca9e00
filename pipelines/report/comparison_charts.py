"""The curves of several runs in the same charts."""

from collections.abc import Mapping, Sequence

from pipelines.report.charts import LineChart, Series, thinned, usual_top
from pipelines.report.training import Rows, curve_of
from pipelines.run_kinds import DETECTOR

_COLORS = 6
# A value every loop of steps; the others have one every evaluation.
_DENSE_COLUMNS = ("loss", "training_top1")


def comparison_charts(
    rows_by_run: Mapping[str, Rows], columns: Sequence[tuple[str, str]] = DETECTOR.compared_curves
) -> list[LineChart]:
    """Return one chart for each column of ``results.csv``, with a line for each run.

    Args:
        rows_by_run: Name of each run and what `pipelines.run_directory.RunDirectory.read_rows` gives of it.
        columns: Columns with their titles. The scale of a loss is that of its usual values; others run from 0 to 1.
    """
    return [_chart(rows_by_run, column, title) for column, title in columns]


def _chart(rows_by_run: Mapping[str, Rows], column: str, title: str) -> LineChart:
    series, tops = [], []
    for place, (name, rows) in enumerate(rows_by_run.items()):
        steps, values = thinned(*curve_of(rows, column))
        tops += [top] if (top := usual_top(values)) is not None else []
        # Later runs are thinner, so that curves that lie on each other all show; the seventh run changes the line.
        width = 0.8 + 1.0 * (1 - place / max(1, len(rows_by_run) - 1))
        is_dense = column in _DENSE_COLUMNS
        width *= 0.7 if is_dense else 1
        series.append(Series(name, steps, values, not is_dense, place % _COLORS, place // _COLORS, width))
    if not column.endswith("loss"):
        return LineChart(title, "step", title, series, y_range=(0.0, 1.0))
    return LineChart(title, "step", "loss", series, y_range=(0.0, max(tops)) if tops else None)
