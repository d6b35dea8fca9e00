"""How the training went: curves over the steps, and the time it took."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from pipelines.report.blocks import Block, ChartBlock, Facts, Row, Section
from pipelines.report.charts import LineChart, Mark, Series, thinned, usual_top
from pipelines.report.run_files import RunFiles

Rows = Sequence[Mapping[str, str]]

_LOSSES = (
    ("loss", "training, total"),
    ("classification_loss", "classification"),
    ("localization_loss", "localisation"),
    ("regularization_loss", "weight decay"),
)


def curve_of(rows: Rows, column: str) -> tuple[list[int], list[float]]:
    """Return steps and values of a column of ``results.csv``, without the empty cells."""
    filled = [row for row in rows if row.get(column)]
    return [int(row["step"]) for row in filled], [float(row[column]) for row in filled]


def loss_chart(rows: Rows) -> LineChart:
    """Return the losses over the steps, of training and of evaluation; the first ones may lie above the axis."""
    series = [
        Series(name, *thinned(*curve_of(rows, column)), color=place)
        for place, (column, name) in enumerate(_LOSSES)
        if any(curve_of(rows, column)[1])
    ]
    steps, values = curve_of(rows, "validation_loss")
    if steps:
        series.append(Series("verification, total", steps, values, markers=True, color=5, line=1))
    tops = [top for one in series if (top := usual_top([y for y in one.y if y is not None])) is not None]
    return LineChart("Loss", "step", "loss", series, y_range=(0.0, max(tops)) if tops else None)


def score_chart(rows: Rows, columns: Sequence[tuple[str, str]], best_step: int | None = None) -> LineChart:
    """Return what evaluations found over the steps.

    Args:
        rows: Of ``results.csv``.
        columns: Column and name of each figure, all in 0..1.
        best_step: Step of the best checkpoint; it is marked.
    """
    series = [
        Series(name, *curve_of(rows, column), markers=True, color=2 + place)
        for place, (column, name) in enumerate(columns)
    ]
    has_any = any(one.x for one in series)
    marks = [Mark(float(best_step), f"best: {best_step}")] if has_any and best_step is not None else []
    return LineChart("Verification", "step", "figure", series, y_range=(0.0, 1.0), marks=marks)


def rate_chart(rows: Rows) -> LineChart:
    """Return the learning rate over the steps."""
    steps, values = thinned(*curve_of(rows, "learning_rate"))
    return LineChart(
        "Learning rate", "step", "rate", [Series("learning rate", steps, values)], y_range=_from_zero(values)
    )


def speed_chart(rows: Rows) -> LineChart:
    """Return steps a second over the steps; the first loop of a session, which has no rate yet, is left out."""
    points = [(step, rate) for step, rate in zip(*curve_of(rows, "steps_per_second"), strict=True) if rate > 0]
    steps, values = thinned([step for step, _ in points], [rate for _, rate in points])
    return LineChart(
        "Speed", "step", "steps a second", [Series("steps a second", steps, values)], y_range=_from_zero(values)
    )


def _from_zero(values: Sequence[float]) -> tuple[float, float] | None:
    return (0.0, 1.05 * max(values)) if values and max(values) > 0 else None


def training_section(files: RunFiles, curves: Sequence[tuple[str, str]]) -> Section:
    """Return the curves of a run; a run that has not begun has none."""
    if not files.rows:
        return Section("Training", [])
    best_step = files.results.get("step") if files.results.get("checkpoint") == "best" else None
    charts = [loss_chart(files.rows), score_chart(files.rows, curves, best_step), rate_chart(files.rows)]
    captions = (
        "Should fall and level out. The first steps may lie above the picture. A verification loss that rises while "
        "the training loss falls says that the network learns the training pictures by heart.",
        "Should rise and level out; still rising at the end means that more steps pay.",
        "As the config sets it: a warm-up, then the schedule.",
    )
    blocks: list[Block] = [ChartBlock(chart, words) for chart, words in zip(charts, captions, strict=True)]
    return Section(
        "Training", [Row([*blocks, ChartBlock(speed_chart(files.rows), "Falls where the machine was shared.")])]
    )


def training_seconds(rows: Rows) -> float | None:
    """Return about how long the steps took, without tracing and evaluations; ``None`` where the rows do not tell.

    A row has the mean rate since its session began; the first row of a session has none.
    """
    loops = [(int(row["step"]), float(row["steps_per_second"])) for row in rows if row.get("steps_per_second")]
    total, session_began = 0.0, None
    for place, (step, rate) in enumerate(loops):
        if not rate > 0:
            session_began = step
            continue
        ends = place + 1 == len(loops) or not loops[place + 1][1] > 0
        if ends and session_began is not None:
            total += (step - session_began) / rate
    return total or None


def in_words(seconds: float) -> str:
    """Write a duration for a person: ``48 s``, ``12 min``, ``3 h 20 min``."""
    if seconds < 100:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def time_section(files: RunFiles) -> Section:
    """Return what the run cost: training, one step, one evaluation."""
    rows: list[tuple[str, str]] = []
    _, rates = curve_of(files.rows, "steps_per_second")
    rates = [rate for rate in rates if rate > 0]
    seconds, batch = training_seconds(files.rows), files.value("task.train_data.global_batch_size")
    if seconds:
        rows.append(("training", f"{in_words(seconds)}, without evaluations and the first steps of each session"))
    if rates:
        pictures = f", {rates[-1] * batch:.1f} pictures a second" if batch else ""
        rows.append(("one step", f"{1000 / rates[-1]:.0f} ms ({rates[-1]:.2f} steps a second{pictures})"))
    _, waits = curve_of(files.rows, "input_wait_share")
    if waits:
        rows.append(("waiting for pictures", f"{100 * sum(waits) / len(waits):.0f} % of the training"))
    took, count = files.results.get("evaluation_s"), files.results.get("num_images")
    if took and count:
        rows.append(("the last evaluation", f"{in_words(took)}, {count / took:.1f} pictures a second"))
    evaluated = sorted({int(row["step"]) for row in files.rows if row.get("loss") == ""})
    if len(evaluated) > 1:
        steps = min(second - first for first, second in pairwise(evaluated))
        rows.append(("evaluations", f"{len(evaluated)}, every {steps} steps"))
    return Section("Time", [Facts(rows)] if rows else [])
