"""What more there is to know of an evaluation than its figures: how sure they are, and what goes wrong where."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipelines.bootstrap import LEVEL, Interval, affordable_resamples, precision_intervals
from pipelines.calibration import calibration
from pipelines.coco_matching import coco_evaluation
from pipelines.confusion import confusion_matrix
from pipelines.detection_record import DetectionRecord
from pipelines.error_analysis import error_figures
from pipelines.error_kinds import judge_detections
from pipelines.matches import class_matches
from pipelines.metrics import evaluate_detections, named_classes
from pipelines.precision_recall import precision_recall
from pipelines.thresholds import best_threshold, threshold_curve

_CURVE_THRESHOLDS = np.linspace(0, 1, 101)
_THRESHOLD_WITHOUT_TRUTH = 0.5


def results_of(record: DetectionRecord, class_names: Mapping[int, str]) -> dict[str, Any]:
    """Return the figures of `evaluate_detections` and what `analyse_detections` adds to them."""
    return {**evaluate_detections(record, class_names), **analyse_detections(record, class_names)}


def analyse_detections(record: DetectionRecord, class_names: Mapping[int, str]) -> dict[str, Any]:
    """Compute what stands in ``results.json`` beside the figures of `pipelines.metrics.evaluate_detections`.

    Args:
        record: Truth and detections.
        class_names: Name of each class id.

    Returns:
        ``intervals``: of ``AP`` and ``AP50``, ``[low, high]`` (``None`` where not defined), and the same in
        ``per_class``, with ``level``, ``resamples`` and ``seed``. ``precision_recall``: see
        `pipelines.precision_recall.precision_recall`. ``thresholds``: ``curve`` (``threshold`` 0, 0.01, ... 1 with
        ``precision``, ``recall`` and ``F1`` of all classes together) and ``per_class`` (``best_threshold``,
        ``precision``, ``recall``, ``F1`` of each). ``confusion``: ``names`` and ``counts``, rows truth and columns
        detections, at ``min_score`` (the best threshold, or 0.5 where there is none) and IoU 0.5. ``calibration``: see
        `pipelines.calibration.calibration`. ``errors``: see `pipelines.error_analysis.error_figures`, at the
        ``min_score`` of the confusion matrix.
    """
    names = named_classes(record, class_names)
    evaluation = coco_evaluation(record, names)
    by_class = class_matches(evaluation) if evaluation else {}
    classes = list(by_class.values())
    resamples = affordable_resamples(classes)
    intervals = precision_intervals(classes, len(record.images), resamples=resamples)
    curve = threshold_curve(classes)
    best = best_threshold(classes)["best_threshold"]
    min_score = _THRESHOLD_WITHOUT_TRUTH if best is None else best
    confusion = confusion_matrix(record, names, min_score=min_score)
    return {
        "intervals": {
            **_ends(intervals.all),
            "per_class": {
                names[class_id]: _ends(one) for class_id, one in zip(by_class, intervals.classes, strict=True)
            },
            "level": LEVEL,
            "resamples": resamples,
            "seed": 0,
        },
        "precision_recall": precision_recall({names[class_id]: one for class_id, one in by_class.items()}),
        "thresholds": {
            "curve": None if curve is None else curve.at(_CURVE_THRESHOLDS),
            "per_class": {
                name: best_threshold([by_class[class_id]] if class_id in by_class else [])
                for class_id, name in sorted(names.items())
            },
        },
        "confusion": {"names": list(confusion.names), "counts": confusion.counts.tolist(), "min_score": min_score},
        "calibration": calibration(classes),
        "errors": error_figures(judge_detections(record, names), names, min_score=min_score),
    }


def _ends(intervals: Mapping[str, Interval]) -> dict[str, list[float | None] | None]:
    return {name: None if one.low is None else [one.low, one.high] for name, one in intervals.items()}
