"""COCO's evaluation, equal to pycocotools' and much faster: every picture and class is matched at once.

A detection takes the truth that overlaps it most and that no better detection of its picture and class has taken. So
the best detections of all pictures and classes can be matched together, then all the second ones, and so on: as many
steps as the fullest picture has detections of a class, whatever the number of pictures.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from pipelines.box_pairs import (
    BoolArray,
    BoxTable,
    FloatArray,
    IntArray,
    Pairs,
    image_ids_of,
    overlapping_pairs,
    tables,
)
from pipelines.detection_record import DetectionRecord

MAX_DETECTIONS = (1, 10, 100)
IOUS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
AREAS = ((0**2, 1e5**2), (0**2, 32**2), (32**2, 96**2), (96**2, 1e5**2))
"""All, small, medium, large, in square pixels; both ends belong to a range."""

ALL_AREAS = 0
_UNDEFINED = -1.0


@dataclass(frozen=True, eq=False)
class CocoEvaluation:
    """What was matched with what. Areas, IoUs and classes are places in `AREAS`, `IOUS` and ``class_ids``.

    Attributes:
        image_ids: ``(p,)`` sorted.
        class_ids: ``(k,)`` sorted.
        found: The ``d`` detections, at most a hundred a picture and class, by class and then best first.
        ranks: ``(d,)`` place of a detection among those of its picture and class, from 0.
        hits: ``(4, 10, d)``: has found a box, be it one that does not count.
        ignored: ``(4, 10, d)``: counts neither way: on a crowd, or of a size that is not asked for.
        truths: ``(4, k, p)`` boxes to find.
    """

    image_ids: IntArray
    class_ids: IntArray
    found: BoxTable
    ranks: IntArray
    hits: BoolArray
    ignored: BoolArray
    truths: IntArray

    def of_class(self, place: int) -> slice:
        """Return the rows of the detections of a class."""
        first, last = np.searchsorted(self.found.classes, [place, place + 1])
        return slice(int(first), int(last))

    def precision(self) -> FloatArray:
        """Return the precision at `RECALLS`, ``(10, 101, k, 4)``, of a hundred detections; -1 where not defined."""
        result = np.full((len(IOUS), len(RECALLS), len(self.class_ids), len(AREAS)), _UNDEFINED)
        totals = self.truths.sum(axis=2)
        for place in range(len(self.class_ids)):
            rows = self.of_class(place)
            counted = ~self.ignored[:, :, rows]
            right = np.cumsum(counted & self.hits[:, :, rows], axis=2, dtype=np.float64)
            seen = np.cumsum(counted, axis=2, dtype=np.float64)
            precision = right / (seen + np.spacing(1))
            envelope = np.maximum.accumulate(precision[:, :, ::-1], axis=2)[:, :, ::-1]
            for area in np.flatnonzero(totals[:, place]):
                recall = right[area] / totals[area, place]
                for iou in range(len(IOUS)):
                    at = np.searchsorted(recall[iou], RECALLS, side="left")
                    reached = at < recall.shape[1]
                    result[iou, :, place, area] = 0.0
                    result[iou, reached, place, area] = envelope[area, iou, at[reached]]
        return result

    def recall(self) -> FloatArray:
        """Return the recall of `MAX_DETECTIONS` a picture, ``(10, k, 4, 3)``; -1 where it is not defined."""
        result = np.full((len(IOUS), len(self.class_ids), len(AREAS), len(MAX_DETECTIONS)), _UNDEFINED)
        totals = self.truths.sum(axis=2)
        for place in range(len(self.class_ids)):
            rows = self.of_class(place)
            right = self.hits[:, :, rows] & ~self.ignored[:, :, rows]
            defined = np.flatnonzero(totals[:, place])
            for index, limit in enumerate(MAX_DETECTIONS):
                found = np.count_nonzero(right & (self.ranks[rows] < limit), axis=2)
                result[:, place, defined, index] = (found[defined] / totals[defined, place, None]).T
        return result


def coco_evaluation(record: DetectionRecord, class_names: Mapping[int, str]) -> CocoEvaluation | None:
    """Match detections with truth; ``None`` where there is no picture, or nothing to find in any.

    Args:
        record: Truth and detections. Those of a class without a name or of a picture that is not listed are left out.
        class_names: Name of each class id.
    """
    if not record.annotations or not record.images:
        return None
    class_ids = np.asarray(sorted(class_names), np.int64)
    truth, found = tables(record, class_ids)
    found, ranks = best_of_each(found, len(class_ids))
    outside = np.stack([(truth.areas < low) | (truth.areas > high) for low, high in AREAS])
    uncounted = outside | truth.is_crowd
    pairs = overlapping_pairs(found, truth, min_iou=float(IOUS[0]), num_classes=len(class_ids))
    truth_of = match(pairs, ranks, uncounted, reusable=truth.is_crowd, ious=IOUS)
    hits = truth_of >= 0
    ignored = np.zeros_like(hits)
    for area in range(len(AREAS)):
        ignored[area][hits[area]] = uncounted[area, truth_of[area][hits[area]]]
    sizes = found.boxes[:, 2] * found.boxes[:, 3]
    for area, (low, high) in enumerate(AREAS):
        ignored[area] |= ~hits[area] & ((sizes < low) | (sizes > high))
    image_ids = image_ids_of(record)
    truths = np.zeros((len(AREAS), len(class_ids), len(image_ids)), np.int64)
    for area in range(len(AREAS)):
        counts = ~uncounted[area]
        np.add.at(truths[area], (truth.classes[counts], truth.pictures[counts]), 1)
    # pycocotools goes through the pictures by number and sorts by score, so that the lower number is first in a tie.
    order = np.lexsort((ranks, found.pictures, -found.scores, found.classes))
    return CocoEvaluation(
        image_ids, class_ids, found.rows(order), ranks[order], hits[:, :, order], ignored[:, :, order], truths
    )


def best_of_each(found: BoxTable, num_classes: int) -> tuple[BoxTable, IntArray]:
    """Sort by picture and class, best first, keep a hundred of each; return them with their ranks."""
    groups = found.pictures * num_classes + found.classes
    order = np.lexsort((-found.scores, groups))
    groups = groups[order]
    ranks = np.arange(len(groups)) - np.searchsorted(groups, groups, side="left")
    kept = ranks < MAX_DETECTIONS[-1]
    return found.rows(order[kept]), ranks[kept]


def match(
    pairs: Pairs, ranks: IntArray, uncounted: BoolArray, *, reusable: BoolArray, ious: FloatArray
) -> npt.NDArray[np.int32]:
    """Give each detection its truth, for each way to count and each IoU.

    Args:
        pairs: Detections and truths of one picture and class that overlap.
        ranks: ``(d,)`` place of a detection among those of its picture and class, from 0.
        uncounted: ``(a, t)`` truths that are not to be found, one row for each way to count; they are taken only
            where no other truth is free.
        reusable: ``(t,)`` truths that any number of detections may have.
        ious: ``(i,)`` overlaps from which on a detection is on a truth.

    Returns:
        ``(a, i, d)`` row of the truth, -1 where there is none.
    """
    truth_of = np.full((len(uncounted), len(ious), len(ranks)), -1, np.int32)
    taken = np.zeros((len(reusable), len(uncounted), len(ious)), bool)
    # The last of a detection's pairs is the one it likes best: the largest overlap, of equal ones the later truth.
    order = np.lexsort((pairs.truth, pairs.iou, pairs.found, ranks[pairs.found]))
    found, truth, iou = pairs.found[order], pairs.truth[order], pairs.iou[order]
    limits = np.searchsorted(ranks[found], np.arange(MAX_DETECTIONS[-1] + 1))
    thresholds = np.minimum(ious, 1 - 1e-10)
    for first, last in pairwise(limits):
        if first == last:
            continue
        own, others = found[first:last], truth[first:last]
        starts = np.flatnonzero(np.append(True, own[1:] != own[:-1]))
        free = ~taken[others] | reusable[others, None, None]
        free &= (iou[first:last, None] >= thresholds)[:, None, :]
        # A truth that counts goes before one that does not, however much they overlap.
        liking = np.arange(last - first)[:, None] + (last - first) * ~uncounted[:, others].T
        liked = np.maximum.reduceat(np.where(free, liking[:, :, None], -1), starts, axis=0)
        row, area, at = np.nonzero(liked >= 0)
        chosen = others[liked[row, area, at] % (last - first)]
        taken[chosen, area, at] = True
        truth_of[area, at, own[starts][row]] = chosen
    return truth_of


def defined_mean(values: npt.NDArray[np.float64] | None) -> float | None:
    """Average what is defined of a precision or a recall; ``None`` where nothing is."""
    if values is None:
        return None
    defined = values[values > _UNDEFINED]
    return float(defined.mean()) if defined.size else None
