"""Average precision of detections, computed by pycocotools on data that can be saved and read again."""

import contextlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pipelines.matches import class_matches, pascal_precision

_MAX_DETECTIONS = (1, 10, 100)
_AREA_ALL, _MAX_DETECTIONS_LAST = 0, -1
_SIZES = ((1, "small"), (2, "medium"), (3, "large"))  # place among pycocotools' ranges of area
_ALL_AREAS = [0**2, 1e5**2]  # as pycocotools writes it
PASCAL_BY_CLASS = "pascal_AP50/"
_NO_F1: dict[str, float | None] = {"best_threshold": None, "precision": None, "recall": None, "F1": None}


@dataclass(slots=True)
class DetectionRecord:
    """Ground truth and detections of a set of pictures, in the field names and units of COCO.

    Attributes:
        images: One dict a picture: ``id`` (int), ``width``, ``height`` in pixels.
        annotations: One dict a box: ``id``, ``image_id``, ``category_id``, ``bbox`` ``[x, y, width, height]`` in
            pixels of the picture, ``area``, ``iscrowd``.
        detections: One dict a detection: ``image_id``, ``category_id``, ``bbox``, ``score``.
    """

    images: list[dict[str, Any]] = field(default_factory=list)
    annotations: list[dict[str, Any]] = field(default_factory=list)
    detections: list[dict[str, Any]] = field(default_factory=list)
    _taken: set[int] = field(default_factory=set)

    def add_image(
        self,
        image_id: int,
        *,
        width: int,
        height: int,
        boxes: Any,
        classes: Any,
        is_crowd: Any,
        areas: Any,
        detected_boxes: Any,
        detected_classes: Any,
        scores: Any,
    ) -> None:
        """Add one picture with its truth and what was detected in it.

        Args:
            image_id: Number of the picture. Where an earlier picture has it already, as in records without source ids,
                the next free number above all others is taken: two pictures must not be scored as one.
            width: Pixels.
            height: Pixels.
            boxes: ``(m, 4)`` normalised ``ymin xmin ymax xmax``; rows of class 0 are padding.
            classes: ``(m,)`` ids from 1.
            is_crowd: ``(m,)``.
            areas: ``(m,)`` square pixels.
            detected_boxes: ``(n, 4)``, like ``boxes``.
            detected_classes: ``(n,)``.
            scores: ``(n,)``.
        """
        if image_id in self._taken:
            image_id = max(self._taken) + 1
        self._taken.add(image_id)
        self.images.append({"id": image_id, "width": width, "height": height})
        scale = np.asarray([height, width, height, width], np.float64)
        for box, class_id, crowd, area in zip(boxes, classes, is_crowd, areas, strict=True):
            if class_id <= 0:
                continue
            self.annotations.append(
                {
                    "id": len(self.annotations) + 1,
                    "image_id": image_id,
                    "category_id": int(class_id),
                    "bbox": _coco_box(box * scale),
                    "area": float(area),
                    "iscrowd": int(crowd),
                }
            )
        for box, class_id, score in zip(detected_boxes, detected_classes, scores, strict=True):
            self.detections.append(
                {
                    "image_id": image_id,
                    "category_id": int(class_id),
                    "bbox": _coco_box(box * scale),
                    "score": float(score),
                }
            )


def coco_dataset(record: DetectionRecord, class_names: Mapping[int, str]) -> dict[str, Any]:
    """Return the ground truth as a COCO dataset: ``images``, ``annotations``, ``categories``."""
    return {
        "info": {"description": "ground truth of a tagbox evaluation"},
        "images": record.images,
        "annotations": record.annotations,
        "categories": [{"id": class_id, "name": name} for class_id, name in sorted(class_names.items())],
    }


def evaluate_detections(record: DetectionRecord, class_names: Mapping[int, str]) -> dict[str, Any]:
    """Compute COCO's metrics, for all classes and for each.

    Args:
        record: Truth and detections; every picture counts, also one without either.
        class_names: Name of each class id.

    Returns:
        ``AP`` (mean over IoU 0.50 to 0.95), ``AP50``, ``AP75``, ``AP_small``, ``AP_medium``, ``AP_large``, ``AR1``,
        ``AR10``, ``AR100``, ``AR_small``, ``AR_medium``, ``AR_large`` (of 100), ``pascal`` (``AP50`` and
        ``per_class``: the area under the whole curve at IoU 0.5, the OD API's Pascal figure), ``best_threshold``
        (detections that score at least this have the best F1 at IoU 0.5) with its ``precision``, ``recall`` and
        ``F1``, ``num_images``, and ``per_class``: ``{name: {"AP", "AP50", "num_truth"}}``. Figures lie in ``[0, 1]``;
        a figure that is not defined, because there is no truth to find, is ``None``.
    """
    truth_counts = dict.fromkeys(class_names, 0)
    for annotation in record.annotations:
        truth_counts[annotation["category_id"]] = truth_counts.get(annotation["category_id"], 0) + 1
    evaluation = coco_evaluation(record, class_names)
    precision, recall = (evaluation.eval["precision"], evaluation.eval["recall"]) if evaluation else (None, None)
    per_class = {}
    for index, class_id in enumerate(sorted(class_names)):
        rows = None if precision is None else precision[:, :, index, _AREA_ALL, _MAX_DETECTIONS_LAST]
        per_class[class_names[class_id]] = {
            "AP": _mean(rows),
            "AP50": _mean(None if rows is None else rows[0]),
            "num_truth": truth_counts[class_id],
        }
    metrics: dict[str, Any] = {
        "AP": _mean(_part(precision, area=_AREA_ALL)),
        "AP50": _mean(_part(precision, area=_AREA_ALL, iou=0)),
        "AP75": _mean(_part(precision, area=_AREA_ALL, iou=5)),
    }
    metrics |= {f"AP_{name}": _mean(_part(precision, area=index)) for index, name in _SIZES}
    metrics |= {
        f"AR{limit}": _mean(None if recall is None else recall[:, :, _AREA_ALL, index])
        for index, limit in enumerate(_MAX_DETECTIONS)
    }
    metrics |= {f"AR_{name}": _mean(None if recall is None else recall[:, :, index, -1]) for index, name in _SIZES}
    found = class_matches(evaluation) if evaluation else {}
    pascal = {name: pascal_precision(found[class_id]) if found else None for class_id, name in class_names.items()}
    defined = [value for value in pascal.values() if value is not None]
    metrics["pascal"] = {"AP50": sum(defined) / len(defined) if defined else None, "per_class": pascal}
    return metrics | _best_f1(evaluation) | {"per_class": per_class, "num_images": len(record.images)}


def flat_figures(evaluation: Mapping[str, Any]) -> dict[str, float]:
    """Return the figures of `evaluate_detections` that are defined, by name, for curves.

    Pascal's are ``pascal_AP50``, and ``pascal_AP50/cat`` for the class `cat`.
    """
    figures = {name: value for name, value in evaluation.items() if isinstance(value, float)}
    pascal = evaluation["pascal"]
    by_class = {PASCAL_BY_CLASS + name: value for name, value in pascal["per_class"].items()}
    named = {"pascal_AP50": pascal["AP50"], **by_class}
    return figures | {name: value for name, value in named.items() if value is not None}


def _best_f1(evaluation: COCOeval | None) -> dict[str, float | None]:
    """Find the score threshold with the best F1 over all classes at IoU 0.5."""
    if evaluation is None:
        return dict(_NO_F1)
    found = [one for one in evaluation.evalImgs if one and one["aRng"] == _ALL_AREAS]
    truths = sum(int(np.sum(np.asarray(one["gtIgnore"]) == 0)) for one in found)
    counted = [~np.asarray(one["dtIgnore"][0], bool) for one in found]
    scores = _joined(np.asarray(one["dtScores"])[keep] for one, keep in zip(found, counted, strict=True))
    if not truths or not scores.size:
        return dict(_NO_F1)
    hits = _joined(one["dtMatches"][0][keep] > 0 for one, keep in zip(found, counted, strict=True))
    order = np.argsort(-scores, kind="stable")
    scores, right = scores[order], np.cumsum(hits[order])
    precision, recall = right / np.arange(1, len(right) + 1), right / truths
    f1 = 2 * right / (np.arange(1, len(right) + 1) + truths)
    # Detections of one score come and go together, so only the last of them is a possible cut.
    f1 = np.where(np.append(scores[1:] < scores[:-1], True), f1, -1.0)
    best = int(np.argmax(f1))
    return {
        "best_threshold": float(scores[best]),
        "precision": float(precision[best]),
        "recall": float(recall[best]),
        "F1": float(f1[best]),
    }


def _joined(parts: Iterable[Any]) -> Any:
    return np.concatenate([*parts, np.empty(0)])


def coco_evaluation(record: DetectionRecord, class_names: Mapping[int, str]) -> COCOeval | None:
    """Match detections with truth; ``None`` where there is no picture, or nothing to find in any."""
    if not record.annotations or not record.images:
        return None
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools reports its progress on stdout
        truth = COCO()
        truth.dataset = coco_dataset(record, class_names)
        truth.createIndex()
        results = COCO()
        results.dataset = {
            **truth.dataset,
            "annotations": [
                {**found, "id": index + 1, "area": found["bbox"][2] * found["bbox"][3], "iscrowd": 0}
                for index, found in enumerate(record.detections)
            ],
        }
        results.createIndex()
        evaluation = COCOeval(truth, results, iouType="bbox")
        evaluation.params.imgIds = sorted({image["id"] for image in record.images})
        evaluation.params.catIds = sorted(class_names)
        evaluation.params.maxDets = list(_MAX_DETECTIONS)
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation


def _part(precision: Any, *, area: int, iou: int | None = None) -> Any:
    if precision is None:
        return None
    chosen = precision if iou is None else precision[iou : iou + 1]
    return chosen[:, :, :, area, _MAX_DETECTIONS_LAST]


def _mean(values: Any) -> float | None:
    """Average what is defined; pycocotools marks with -1 what is not."""
    if values is None:
        return None
    defined = values[values > -1]
    return float(defined.mean()) if defined.size else None


def _coco_box(edges: Any) -> list[float]:
    ymin, xmin, ymax, xmax = (float(edge) for edge in edges)
    return [xmin, ymin, xmax - xmin, ymax - ymin]
