"""The figures of a detector from its detections: COCO's, Pascal VOC's, and the best threshold."""

from collections.abc import Mapping
from typing import Any

from pipelines.coco_matching import ALL_AREAS, MAX_DETECTIONS, coco_evaluation, defined_mean
from pipelines.detection_record import DetectionRecord, coco_dataset
from pipelines.matches import class_matches
from pipelines.thresholds import best_threshold
from pipelines.voc_metrics import pascal_figures

__all__ = ["DetectionRecord", "coco_dataset", "coco_evaluation", "evaluate_detections", "flat_figures"]

_SIZES = ((1, "small"), (2, "medium"), (3, "large"))  # place among COCO's ranges of area
PASCAL_BY_CLASS = "pascal_AP50/"


def evaluate_detections(record: DetectionRecord, class_names: Mapping[int, str]) -> dict[str, Any]:
    """Compute COCO's metrics, for all classes and for each.

    Args:
        record: Truth and detections; every picture counts, also one without either.
        class_names: Name of each class id.

    Returns:
        ``AP`` (mean over IoU 0.50 to 0.95), ``AP50``, ``AP75``, ``AP_small``, ``AP_medium``, ``AP_large``, ``AR1``,
        ``AR10``, ``AR100``, ``AR_small``, ``AR_medium``, ``AR_large`` (of 100), ``pascal`` (see
        `pipelines.voc_metrics.pascal_figures`), ``best_threshold`` (detections that score at least this have the best
        F1 at IoU 0.5) with its ``precision``, ``recall`` and ``F1``, ``num_images``, and ``per_class``:
        ``{name: {"AP", "AP50", "AR100", "num_truth"}}``. Figures lie in ``[0, 1]``; a figure that is not defined,
        because there is no truth to find, is ``None``.
    """
    class_names = named_classes(record, class_names)
    truth_counts = dict.fromkeys(class_names, 0)
    for annotation in record.annotations:
        truth_counts[annotation["category_id"]] += 1
    evaluation = coco_evaluation(record, class_names)
    precision, recall = (evaluation.precision(), evaluation.recall()) if evaluation else (None, None)
    per_class = {}
    for index, class_id in enumerate(sorted(class_names)):
        rows = None if precision is None else precision[:, :, index, ALL_AREAS]
        recalls = None if recall is None else recall[:, index, ALL_AREAS, -1]
        per_class[class_names[class_id]] = {
            "AP": defined_mean(rows),
            "AP50": defined_mean(None if rows is None else rows[0]),
            "AR100": defined_mean(recalls),
            "num_truth": truth_counts[class_id],
        }
    metrics: dict[str, Any] = {
        "AP": _mean_precision(precision, area=ALL_AREAS),
        "AP50": _mean_precision(precision, area=ALL_AREAS, iou=0),
        "AP75": _mean_precision(precision, area=ALL_AREAS, iou=5),
    }
    metrics |= {f"AP_{name}": _mean_precision(precision, area=index) for index, name in _SIZES}
    metrics |= {
        f"AR{limit}": defined_mean(None if recall is None else recall[:, :, ALL_AREAS, index])
        for index, limit in enumerate(MAX_DETECTIONS)
    }
    metrics |= {
        f"AR_{name}": defined_mean(None if recall is None else recall[:, :, index, -1]) for index, name in _SIZES
    }
    metrics["pascal"] = pascal_figures(record, class_names)
    found = class_matches(evaluation) if evaluation else {}
    best = best_threshold(list(found.values()))
    return metrics | best | {"per_class": per_class, "num_images": len(record.images)}


def named_classes(record: DetectionRecord, class_names: Mapping[int, str]) -> dict[int, str]:
    """Return the names, with ``class 7`` for a class 7 that there are boxes of and no name for.

    Boxes of a class that a label map forgot must not vanish from the figures.
    """
    seen = {int(row["category_id"]) for rows in (record.annotations, record.detections) for row in rows}
    return {**class_names, **{class_id: f"class {class_id}" for class_id in sorted(seen - set(class_names))}}


def flat_figures(evaluation: Mapping[str, Any]) -> dict[str, float]:
    """Return the figures of `evaluate_detections` that are defined, by name, for curves.

    Pascal's are ``pascal_AP50``, and ``pascal_AP50/cat`` for the class `cat`.
    """
    figures = {name: value for name, value in evaluation.items() if isinstance(value, float)}
    pascal = evaluation["pascal"]
    by_class = {PASCAL_BY_CLASS + name: value for name, value in pascal["per_class"].items()}
    named = {"pascal_AP50": pascal["AP50"], **by_class}
    return figures | {name: value for name, value in named.items() if value is not None}


def _mean_precision(precision: Any, *, area: int, iou: int | None = None) -> float | None:
    if precision is None:
        return None
    chosen = precision if iou is None else precision[iou : iou + 1]
    return defined_mean(chosen[:, :, :, area])
