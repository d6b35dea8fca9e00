"""Pascal VOC's average precision: its matching, its `difficult`, its two ways to measure a curve.

VOC asks each detection for the box it overlaps most, and only for that one: where a better detection has it already,
the detection is wrong, even if it overlaps another box well. COCO would give it the other. A box marked difficult is
not to be found, and what lies on it is neither right nor wrong. Overlap is that of continuous boxes, as in the OD API;
the devkit's own program adds a pixel to every side.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.box_pairs import BoolArray, BoxTable, FloatArray, IntArray, overlapping_pairs, tables
from pipelines.detection_record import DetectionRecord


@dataclass(frozen=True, slots=True)
class VocPrecision:
    """Average precision of a class.

    Attributes:
        area: Under the whole curve, as VOC has measured since 2010 and the OD API does.
        eleven_point: Mean precision at recall 0, 0.1, ... 1, as VOC 2007 measures.
    """

    area: float
    eleven_point: float


def voc_precision(
    record: DetectionRecord, class_names: Mapping[int, str], *, min_iou: float = 0.5
) -> dict[int, VocPrecision | None]:
    """Compute Pascal VOC's average precision of each class.

    A crowd of COCO counts as difficult; it takes a detection by the share of the detection that lies on it.

    Args:
        record: Truth and detections; all detections count, however many a picture has.
        class_names: Name of each class id.
        min_iou: Overlap from which on a detection is on a box.

    Returns:
        By class id; ``None`` where there is nothing to find.
    """
    class_ids = np.asarray(sorted(class_names), np.int64)
    truth, found = tables(record, class_ids)
    found = found.rows(np.lexsort((found.pictures, -found.scores, found.classes)))
    hits, ignored = _match(found, truth, min_iou, len(class_ids))
    counts = ~(truth.is_difficult | truth.is_crowd)
    totals = np.bincount(truth.classes[counts], minlength=len(class_ids))
    ends = np.searchsorted(found.classes, np.arange(len(class_ids) + 1))
    return {
        int(class_id): _precision(hits[first:last][~ignored[first:last]], int(total))
        for class_id, first, last, total in zip(class_ids, ends[:-1], ends[1:], totals, strict=True)
    }


def pascal_figures(record: DetectionRecord, class_names: Mapping[int, str]) -> dict[str, Any]:
    """Return VOC's figures at IoU 0.5 by name: ``AP50``, ``AP50_11_point``, ``per_class``, ``per_class_11_point``.

    The first two are means over the classes that have something to find; ``None`` where that is none.
    """
    found = voc_precision(record, class_names)
    areas = {name: one.area if (one := found[class_id]) else None for class_id, name in class_names.items()}
    points = {name: one.eleven_point if (one := found[class_id]) else None for class_id, name in class_names.items()}
    return {
        "AP50": _mean(areas), "AP50_11_point": _mean(points), "per_class": areas, "per_class_11_point": points,
    }  # fmt: skip


def _match(found: BoxTable, truth: BoxTable, min_iou: float, num_classes: int) -> tuple[BoolArray, BoolArray]:
    hits, ignored = np.zeros(len(found), bool), np.zeros(len(found), bool)
    pairs = overlapping_pairs(found, truth, min_iou=min_iou, num_classes=num_classes)
    crowd = truth.is_crowd[pairs.truth]
    # The box of a detection: one that is no crowd if there is any, then the largest overlap, then the first of equals.
    order = np.lexsort((pairs.truth, -pairs.iou, crowd, pairs.found))
    rows, places = np.unique(pairs.found[order], return_index=True)
    boxes: IntArray = pairs.truth[order][places]
    uncounted = truth.is_difficult[boxes] | truth.is_crowd[boxes]
    ignored[rows[uncounted]] = True
    rows, boxes = rows[~uncounted], boxes[~uncounted]
    _, best = np.unique(boxes, return_index=True)  # detections are sorted: the first of a box is its best one
    hits[rows[best]] = True
    return hits, ignored


def _precision(hits: BoolArray, total: int) -> VocPrecision | None:
    if not total:
        return None
    right = np.cumsum(hits)
    recall: FloatArray = right / total
    precision = np.maximum.accumulate((right / np.arange(1, len(right) + 1))[::-1])[::-1]
    area = float(np.sum(np.diff(np.append(0.0, recall)) * precision))
    # A tenth of the boxes and recall 0.1 are the same number only without rounding: compare in whole boxes.
    at = np.searchsorted(right * 10, np.arange(11) * total, side="left")
    eleven = np.append(precision, 0.0)[at].sum() / 11
    return VocPrecision(area, float(eleven))


def _mean(values: Mapping[str, float | None]) -> float | None:
    defined = [value for value in values.values() if value is not None]
    return sum(defined) / len(defined) if defined else None
