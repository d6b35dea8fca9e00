"""Which class is taken for which: the confusion matrix of a detector, with the background as a class."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipelines.box_pairs import IntArray, overlapping_pairs, tables
from pipelines.detection_record import DetectionRecord

BACKGROUND = "background"


@dataclass(frozen=True, eq=False)
class ConfusionMatrix:
    """How often each class was detected where each class is.

    Attributes:
        names: The ``k`` classes by id, and ``background`` last.
        counts: ``(k + 1, k + 1)``: rows are truth, columns are detections. The last column counts missed boxes, the
            last row detections where nothing is, and what is detected a second time.
    """

    names: tuple[str, ...]
    counts: IntArray


def confusion_matrix(
    record: DetectionRecord, class_names: Mapping[int, str], *, min_score: float, min_iou: float = 0.5
) -> ConfusionMatrix:
    """Pair boxes with detections whatever their classes, the largest overlap first, each once.

    Detections on crowds, and on boxes marked difficult, are left out when no other box is there for them.

    Args:
        record: Truth and detections.
        class_names: Name of each class id.
        min_score: Detections below are not looked at.
        min_iou: Overlap from which on a detection is on a box.
    """
    class_ids = np.asarray(sorted(class_names), np.int64)
    background = len(class_ids)
    truth, found = tables(record, class_ids)
    found = found.rows(found.scores >= min_score)
    pairs = overlapping_pairs(found, truth, min_iou=min_iou, same_class=False, num_classes=len(class_ids))
    uncounted = truth.is_crowd | truth.is_difficult
    same = found.classes[pairs.found] == truth.classes[pairs.truth]
    # Equal overlaps go to the right class first, then to the better score.
    order = np.lexsort((pairs.truth, pairs.found, -found.scores[pairs.found], ~same, -pairs.iou))
    order = order[~uncounted[pairs.truth[order]]]
    taken_by = np.full(len(truth), -1)
    box_of = np.full(len(found), -1)
    for row, box in zip(pairs.found[order].tolist(), pairs.truth[order].tolist(), strict=True):
        if taken_by[box] < 0 and box_of[row] < 0:
            taken_by[box], box_of[row] = row, box
    excused = np.zeros(len(found), bool)
    excused[pairs.found[uncounted[pairs.truth]]] = True
    counts = np.zeros((background + 1, background + 1), np.int64)
    right = box_of >= 0
    np.add.at(counts, (truth.classes[box_of[right]], found.classes[right]), 1)
    counts[background, :background] = np.bincount(found.classes[~right & ~excused], minlength=background)
    counts[:background, background] = np.bincount(truth.classes[(taken_by < 0) & ~uncounted], minlength=background)
    return ConfusionMatrix((*(class_names[int(class_id)] for class_id in class_ids), BACKGROUND), counts)
