"""What is wrong with each detection and which boxes nobody found, in the terms of TIDE.

Bolya et al., "TIDE: A General Toolbox for Identifying Object Detection Errors", ECCV 2020. A detection is on a box from
IoU 0.5 on, and near it from 0.1 on. Where several kinds would fit, the paper is silent; the order is that of the
authors' program: mislocalised, confused, duplicate, background, and the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

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
from pipelines.coco_matching import best_of_each, match
from pipelines.detection_record import DetectionRecord

FOREGROUND_IOU = 0.5
BACKGROUND_IOU = 0.1


class ErrorKind(StrEnum):
    """What a false positive is, or a box that no detection explains."""

    CONFUSED = "confused"  # on a box of another class
    MISLOCALISED = "mislocalised"  # near a box of its class, and not on it
    CONFUSED_MISLOCALISED = "confused_mislocalised"  # near a box of another class, and not on it
    DUPLICATE = "duplicate"  # on a box that a better detection has
    BACKGROUND = "background"  # near no box
    MISSED = "missed"  # a box with no detection, no confused and no mislocalised one


FALSE_POSITIVES = tuple(kind for kind in ErrorKind if kind is not ErrorKind.MISSED)
RIGHT, UNCOUNTED = -1, -2
"""Beside the places in `FALSE_POSITIVES`: a detection that is right, and one that counts neither way."""


@dataclass(frozen=True, eq=False)
class JudgedDetections:
    """Every detection of a record, at most a hundred a picture and class, with what is wrong with it.

    Crowds, and boxes marked difficult, ask for nothing: what is on one counts neither way.

    Attributes:
        image_ids: ``(p,)`` sorted.
        class_ids: ``(k,)`` sorted.
        truth: The ``t`` boxes, in the order of the record.
        found: The ``d`` detections, by class and then best first.
        kinds: ``(d,)`` place in `FALSE_POSITIVES`, or `RIGHT`, or `UNCOUNTED`.
        subjects: ``(d,)`` row of the truth that a detection is on or near; -1 where it is near none.
        overlaps: ``(d,)`` IoU with it; 0 where there is none.
        counted: ``(t,)`` boxes that are to be found.
        pairs: Detections and truths of one picture that overlap by `BACKGROUND_IOU` or more, whatever their classes.
    """

    image_ids: IntArray
    class_ids: IntArray
    truth: BoxTable
    found: BoxTable
    kinds: IntArray
    subjects: IntArray
    overlaps: FloatArray
    counted: BoolArray
    pairs: Pairs

    def are(self, kind: ErrorKind) -> BoolArray:
        """Return ``(d,)``: which detections are of a kind of false positive."""
        of_kind: BoolArray = self.kinds == FALSE_POSITIVES.index(kind)
        return of_kind

    def missed(self, min_score: float = -np.inf) -> BoolArray:
        """Return ``(t,)``: the boxes that are to be found and that no detection of this score explains."""
        explains = self.kinds == RIGHT
        for kind in (ErrorKind.CONFUSED, ErrorKind.MISLOCALISED):
            explains |= self.are(kind)
        missed = self.counted.copy()
        missed[self.subjects[explains & (self.found.scores >= min_score)]] = False
        return missed


def judge_detections(record: DetectionRecord, class_names: Mapping[int, str]) -> JudgedDetections:
    """Say of each detection what it is.

    Args:
        record: Truth and detections. Those of a class without a name or of a picture that is not listed are left out.
        class_names: Name of each class id.
    """
    class_ids = np.asarray(sorted(class_names), np.int64)
    truth, found = tables(record, class_ids)
    found, ranks = best_of_each(found, len(class_ids))
    # As in `coco_evaluation`, so that equal scores stand in the same order.
    order = np.lexsort((ranks, found.pictures, -found.scores, found.classes))
    found, ranks = found.rows(order), ranks[order]
    pairs = overlapping_pairs(found, truth, min_iou=BACKGROUND_IOU, same_class=False, num_classes=len(class_ids))
    is_same = found.classes[pairs.found] == truth.classes[pairs.truth]
    matched, uncounted = _matched(pairs, is_same, ranks, truth)
    own, own_iou = _closest(pairs, is_same, truth, len(found))
    other, other_iou = _closest(pairs, ~is_same, truth, len(found))
    kinds = np.full(len(found), FALSE_POSITIVES.index(ErrorKind.CONFUSED_MISLOCALISED), np.int64)
    subjects, overlaps = other.copy(), other_iou.copy()
    for kind, fits in (
        (ErrorKind.BACKGROUND, (own < 0) & (other < 0)),
        (ErrorKind.DUPLICATE, own_iou >= FOREGROUND_IOU),
        (ErrorKind.CONFUSED, other_iou >= FOREGROUND_IOU),
        (ErrorKind.MISLOCALISED, (own >= 0) & (own_iou < FOREGROUND_IOU)),
    ):
        kinds[fits] = FALSE_POSITIVES.index(kind)
        closest, iou = (other, other_iou) if kind is ErrorKind.CONFUSED else (own, own_iou)
        subjects[fits], overlaps[fits] = closest[fits], iou[fits]
    hit = matched >= 0
    kinds[hit] = np.where(uncounted[matched[hit]], UNCOUNTED, RIGHT)
    subjects[hit] = matched[hit]
    overlaps[hit] = _overlap_with(pairs, matched, len(found))[hit]
    return JudgedDetections(image_ids_of(record), class_ids, truth, found, kinds, subjects, overlaps, ~uncounted, pairs)


def _matched(pairs: Pairs, is_same: BoolArray, ranks: IntArray, truth: BoxTable) -> tuple[IntArray, BoolArray]:
    """Return the truth of each detection at `FOREGROUND_IOU` (-1: none), and which truths do not count."""
    uncounted = truth.is_crowd | truth.is_difficult
    near = is_same & (pairs.iou >= FOREGROUND_IOU)
    on = Pairs(pairs.found[near], pairs.truth[near], pairs.iou[near])
    truth_of = match(on, ranks, uncounted[None], reusable=uncounted, ious=np.asarray([FOREGROUND_IOU]))
    return truth_of[0, 0].astype(np.int64), uncounted


def _closest(pairs: Pairs, chosen: BoolArray, truth: BoxTable, num_found: int) -> tuple[IntArray, FloatArray]:
    """Return the truth that each detection overlaps most among the chosen pairs (-1: none), and by how much."""
    rows = np.flatnonzero(chosen)
    uncounted = truth.is_crowd | truth.is_difficult
    rows = rows[np.lexsort((pairs.truth[rows], uncounted[pairs.truth[rows]], -pairs.iou[rows], pairs.found[rows]))]
    found, first = np.unique(pairs.found[rows], return_index=True)
    closest, iou = np.full(num_found, -1, np.int64), np.zeros(num_found)
    closest[found], iou[found] = pairs.truth[rows[first]], pairs.iou[rows[first]]
    return closest, iou


def _overlap_with(pairs: Pairs, matched: IntArray, num_found: int) -> npt.NDArray[np.float64]:
    own = pairs.truth == matched[pairs.found]
    iou = np.zeros(num_found)
    iou[pairs.found[own]] = pairs.iou[own]
    return iou
