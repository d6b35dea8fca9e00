"""What an evaluation of a detector found, as charts and tables; everything comes from ``results.json``."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.report.blocks import Column, HeatTable, Measured, Table
from pipelines.report.charts import LineChart, Mark, Series

Results = Mapping[str, Any]

_MOST_LINES = 8
_MOST_CONFUSED = 25
_OTHERS = "other classes"
_FEWEST_IN_A_BIN = 5


def precision_recall_chart(results: Results) -> LineChart | None:
    """Return precision over recall, of all classes and of each; of many, the worst. ``None``: nothing to find."""
    curves = results.get("precision_recall")
    if not curves or curves["all"] is None:
        return None
    by_class = {name: curve for name, curve in curves["per_class"].items() if curve is not None}
    worst = sorted(by_class, key=lambda name: sum(by_class[name]))[:_MOST_LINES]
    shown = [name for name in by_class if name in worst] if len(by_class) > 1 else []
    series = [Series("all classes", curves["recall"], curves["all"], color=6, width=1.8)]
    series += [
        Series(name, curves["recall"], by_class[name], color=place % 6, line=place // 6, width=0.8)
        for place, name in enumerate(shown)
    ]
    only = f" (the {len(shown)} worst of {len(by_class)} classes)" if len(shown) < len(by_class) > 1 else ""
    return LineChart(f"Precision over recall{only}", "recall", "precision", series, (0.0, 1.0), (0.0, 1.0))


def threshold_chart(results: Results) -> LineChart | None:
    """Return precision, recall and F1 over the score from which on a detection counts; the best one is marked."""
    curve = (results.get("thresholds") or {}).get("curve")
    if not curve:
        return None
    best = results.get("best_threshold")
    series = [
        Series(name, curve["threshold"], curve[key], color=color, width=1.5 if key == "F1" else 1.0)
        for key, name, color in (("precision", "precision", 0), ("recall", "recall", 1), ("F1", "F1", 2))
    ]
    marks = [] if best is None else [Mark(best, f"best: {best:.2f}")]
    return LineChart("Precision, recall and F1", "score from which on", "figure", series, (0.0, 1.0), (0.0, 1.0), marks)


def calibration_chart(results: Results) -> LineChart | None:
    """Return the share of right detections over their mean score; ``None`` without enough detections."""
    bins = (results.get("calibration") or {}).get("bins") or []
    filled = [one for one in bins if one["num_detections"] >= _FEWEST_IN_A_BIN]
    if not filled:
        return None
    line = Series("", [one["mean_score"] for one in filled], [one["precision"] for one in filled], markers=True)
    return LineChart("Calibration", "mean score", "share that is right", [line], (0.0, 1.0), (0.0, 1.0), diagonal=True)


def class_table(results: Results) -> Table:
    """Return the figures of each class with their intervals, in the order of the label map."""
    intervals = (results.get("intervals") or {}).get("per_class") or {}
    thresholds = (results.get("thresholds") or {}).get("per_class") or {}
    pascal = (results.get("pascal") or {}).get("per_class") or {}
    level = 100 * (results.get("intervals") or {}).get("level", 0.95)
    columns = [
        Column("class", numeric=False),
        Column("AP50", tip=f"average precision at IoU 0.5, with its {level:.0f} % interval"),
        Column("AP", tip="mean over IoU 0.50 to 0.95"),
        Column("VOC AP", tip="Pascal VOC's, at IoU 0.5"),
        Column("AR", tip="share of the truth that a hundred detections a picture cover, mean over IoU 0.50 to 0.95"),
        Column("best F1", tip="at IoU 0.5"),
        Column("precision", tip="at the best threshold"),
        Column("recall", tip="at the best threshold"),
        Column("threshold", tip="the score from which on F1 is best"),
        Column("boxes", tip="how many there are to find"),
    ]
    rows = []
    for name, row in results.get("per_class", {}).items():
        best, ends = thresholds.get(name) or {}, intervals.get(name) or {}
        rows.append([
            name,
            Measured(row["AP50"], *(ends.get("AP50") or ())),
            Measured(row["AP"], *(ends.get("AP") or ())),
            pascal.get(name),
            row.get("AR100"),
            best.get("F1"),
            best.get("precision"),
            best.get("recall"),
            best.get("best_threshold"),
            row["num_truth"],
        ])  # fmt: skip
    return Table(columns, rows)


def confusion_table(results: Results) -> HeatTable | None:
    """Return truth against detections with the background; of very many classes, those with the most mistakes.

    The others are added up, so every box and every detection stays counted.
    """
    confusion = results.get("confusion")
    if not confusion or not confusion["counts"]:
        return None
    names, counts = confusion["names"], confusion["counts"]
    names, counts = _most_confused(names, counts)
    return HeatTable(
        "truth", "detected as", names, names, counts,
        f"Scores from {confusion['min_score']:.2f} on, IoU 0.5. The last column counts missed boxes, the last row "
        "detections where nothing is, or a second time.",
    )  # fmt: skip


def _most_confused(names: Sequence[str], counts: Sequence[Sequence[int]]) -> tuple[list[str], list[list[int]]]:
    if len(names) <= _MOST_CONFUSED + 1:
        return list(names), [list(row) for row in counts]
    background = len(names) - 1
    columns = list(zip(*counts, strict=True))
    mistakes = [sum(counts[at]) + sum(columns[at]) - 2 * counts[at][at] for at in range(background)]
    worst = sorted(sorted(range(background), key=lambda at: -mistakes[at])[:_MOST_CONFUSED])
    place = {at: number for number, at in enumerate(worst)} | {background: len(worst) + 1}
    together = [[0] * (len(worst) + 2) for _ in range(len(worst) + 2)]
    for row in range(len(names)):
        for column in range(len(names)):
            together[place.get(row, len(worst))][place.get(column, len(worst))] += counts[row][column]
    return [*(names[at] for at in worst), _OTHERS, names[background]], together


def size_table(results: Results) -> Table | None:
    """Return AP and recall of small, medium and large boxes; ``None`` where no size is defined."""
    sizes = (("small", "below 32x32"), ("medium", "32x32 to 96x96"), ("large", "96x96 and above"))
    rows = [
        [name, pixels, results.get(f"AP_{name}"), results.get(f"AR_{name}")]
        for name, pixels in sizes
        if results.get(f"AP_{name}") is not None
    ]
    columns = [
        Column("boxes", numeric=False),
        Column("pixels of the picture", numeric=False),
        Column("AP"),
        Column("AR"),
    ]
    return Table(columns, rows) if rows else None
