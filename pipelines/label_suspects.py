"""Boxes that a person may have drawn wrong: where a sure detector and the labels disagree.

Each suspect has a score in 0..1, so that the list can be read from the top until the labels are right and the detector
is wrong. Four kinds are known; in each the score is how sure the detector is, times how far the label is from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from pipelines.box_pairs import BoolArray, FloatArray, IntArray
from pipelines.error_kinds import FOREGROUND_IOU, RIGHT, ErrorKind, JudgedDetections
from pipelines.mistakes import Marked, MarkedBoxes

_APART_IOU, _INSIDE = 0.3, 0.5
_TIGHT_IOU, _FAR_IOU = 0.75, 0.25
_ALIKE_IN_SIZE = 40
_SHARE_OF_WRONG_LABELS = 0.1  # a guess; with a higher one, boxes that nobody finds come before the other kinds
_LOWEST = 0.01


class SuspectKind(StrEnum):
    """What may be wrong with a label."""

    MISSING_BOX = "missing_box"
    WRONG_CLASS = "wrong_class"
    SPURIOUS_BOX = "spurious_box"
    MISPLACED_BOX = "misplaced_box"


@dataclass(frozen=True, slots=True)
class Suspect:
    """One label to look at.

    Attributes:
        kind: What may be wrong.
        score: How suspicious, in 0..1.
        class_name: Of the label; of the detection where the label is missing.
        image_id: The picture.
        truth: The label; ``None`` where it is missing.
        detection: What the detector says; ``None`` where it sees nothing.
        iou: Their overlap; ``None`` where one is missing.
        reason: Why, as a sentence.
        fix: What to do, as a sentence.
    """

    kind: SuspectKind
    score: float
    class_name: str
    image_id: int
    truth: Marked | None
    detection: Marked | None
    iou: float | None
    reason: str
    fix: str


def suspected_labels(judged: JudgedDetections, class_names: Mapping[int, str], *, min_score: float) -> list[Suspect]:
    """Rank the labels that look wrong, the most suspicious first.

    * A box may be missing where a detection is near no box (IoU below 0.3 with all, and less than half of it inside
      one), its score tells how likely.
    * A class may be wrong where a detection of another class is on a box (IoU 0.5): its score, times what the score of
      the box's own class there leaves.
    * A box may be there for nothing where no detection is (IoU 0.3): how likely that is, if one label in ten is
      wrong, by the share of the boxes of its class and about its size that are found; times what the best score there
      leaves of ``min_score``.
    * A box may be drawn badly where the best detection of its class overlaps it by 0.1 to 0.75: its score, times the
      share of the boxes of that class that fit better, times how far the overlap is below 0.75 (all of it at 0.25).

    Boxes marked difficult, and crowds, are never suspected, and nothing is missing beside them.

    Args:
        judged: The detections.
        class_names: Name of each class id.
        min_score: Detections below are not believed.
    """
    search = _Search(judged, MarkedBoxes(judged, class_names), min_score)
    suspects = [*search.missing(), *search.of_boxes()]
    suspects = [one for one in suspects if one.score >= _LOWEST]
    return sorted(suspects, key=lambda one: (-one.score, one.kind, one.image_id, one.class_name))


class _Search:
    def __init__(self, judged: JudgedDetections, boxes: MarkedBoxes, min_score: float) -> None:
        self._judged, self._boxes, self._min_score = judged, boxes, min_score
        found, truth, pairs = judged.found, judged.truth, judged.pairs
        self._sure = found.scores >= min_score
        self._is_same = found.classes[pairs.found] == truth.classes[pairs.truth]
        self._is_hit = np.zeros(len(truth), bool)
        self._is_hit[judged.subjects[(judged.kinds == RIGHT) & self._sure]] = True
        self._find_rate = _find_rates(judged, self._is_hit)
        # What a badly drawn box would leave: its detection, near it and right about no other.
        self._is_beside = judged.are(ErrorKind.MISLOCALISED) & self._sure
        self._is_beside[self._is_beside] = ~self._is_hit[judged.subjects[self._is_beside]]

    def missing(self) -> list[Suspect]:
        """Find detections beside all boxes, each object once."""
        judged = self._judged
        rows = np.flatnonzero(self._sure & (judged.kinds >= 0) & ~self._is_near() & ~self._is_beside)
        rows = rows[np.lexsort((rows, -judged.found.scores[rows]))]
        suspects = []
        for row in _each_object_once(judged, rows):
            seen = self._boxes.detection(row)
            assert seen is not None
            suspects.append(
                Suspect(
                    SuspectKind.MISSING_BOX,
                    min(1.0, float(judged.found.scores[row])),
                    seen.class_name,
                    self._boxes.image_id(row, -1),
                    None,
                    seen,
                    None,
                    f"the detector sees {seen.words()} where no box is",
                    f"Draw a box if a {seen.class_name} is there.",
                )
            )
        return suspects

    def of_boxes(self) -> list[Suspect]:
        """Find boxes that detections contradict; of each box the gravest suspicion."""
        judged = self._judged
        count = len(judged.truth)
        own = self._best_on(count, self._is_same & (judged.pairs.iou >= FOREGROUND_IOU))
        own_score = _scores(judged, own)
        suspicion, kinds = np.zeros(count), np.zeros(count, np.int64)
        subject = np.full(count, -1)
        for place, (score, row) in enumerate((self._wrong_class(own_score), self._spurious(), self._misplaced())):
            graver = score > suspicion
            suspicion[graver], kinds[graver], subject[graver] = score[graver], place, row[graver]
        suspicion[~judged.counted] = 0
        names = (SuspectKind.WRONG_CLASS, SuspectKind.SPURIOUS_BOX, SuspectKind.MISPLACED_BOX)
        return [
            self._suspect(names[kinds[box]], float(suspicion[box]), int(box), int(subject[box]), float(own_score[box]))
            for box in np.flatnonzero(suspicion)
        ]

    def _suspect(self, kind: SuspectKind, score: float, box: int, row: int, own_score: float) -> Suspect:
        label = self._boxes.truth(box)
        assert label is not None
        seen = self._boxes.detection(row) if row >= 0 else None
        iou = self._iou(row, box) if row >= 0 else None
        name = label.class_name
        if kind is SuspectKind.WRONG_CLASS and seen is not None:
            doubt = f", as {name} with {100 * own_score:.0f} %" if own_score else f", and not as {name}"
            reason = f"labelled {name}, and seen as {seen.words()}{doubt}"
            fix = f"Rename it to {seen.class_name} if it is one."
        elif kind is SuspectKind.MISPLACED_BOX and seen is not None:
            reason = f"the box and the detection of {seen.words()} overlap by {iou or 0:.2f} only"
            fix = "Draw the box anew if it does not fit."
        else:
            reason = f"nothing is found on it, though {100 * self._find_rate[box]:.0f} % of such {name} boxes are found"
            fix = f"Delete the box if no {name} is there; mark it difficult if one can hardly be seen."
        return Suspect(kind, score, name, self._boxes.image_id(None, box), label, seen, iou, reason, fix)

    def _is_near(self) -> BoolArray:
        """Return which detections are near a box: overlap it, or lie in one."""
        judged = self._judged
        pairs, sizes = judged.pairs, _sizes(judged.found.boxes)
        own, other = sizes[pairs.found], _sizes(judged.truth.boxes)[pairs.truth]
        crowd = judged.truth.is_crowd[pairs.truth]
        shared = np.where(crowd, pairs.iou * own, pairs.iou * (own + other) / (1 + pairs.iou))
        inside = self._is_same & (shared >= _INSIDE * own)
        near = np.zeros(len(judged.found), bool)
        near[pairs.found[(pairs.iou >= _APART_IOU) | inside | ~judged.counted[pairs.truth]]] = True
        return near

    def _best_on(self, count: int, chosen: BoolArray) -> IntArray:
        """Return the best scored detection on each box among the chosen pairs; -1 where there is none."""
        pairs = self._judged.pairs
        rows = np.flatnonzero(chosen)
        scores = self._judged.found.scores[pairs.found[rows]]
        rows = rows[np.lexsort((pairs.found[rows], -pairs.iou[rows], -scores, pairs.truth[rows]))]
        boxes, first = np.unique(pairs.truth[rows], return_index=True)
        best = np.full(count, -1)
        best[boxes] = pairs.found[rows[first]]
        return best

    def _wrong_class(self, own_score: FloatArray) -> tuple[FloatArray, IntArray]:
        judged, pairs = self._judged, self._judged.pairs
        is_confused = judged.are(ErrorKind.CONFUSED) & self._sure
        on = is_confused[pairs.found] & (pairs.truth == judged.subjects[pairs.found])
        row = self._best_on(len(judged.truth), on & ~self._is_same)
        score = np.clip(_scores(judged, row), 0, 1) * (1 - np.clip(own_score, 0, 1))
        return score, row

    def _spurious(self) -> tuple[FloatArray, IntArray]:
        judged = self._judged
        any_score = _scores(judged, self._best_on(len(judged.truth), judged.pairs.iou >= _APART_IOU))
        unseen = 1 - np.clip(any_score / max(self._min_score, 1e-9), 0, 1)
        # A wrong box is never found, a right one is missed as often as those like it.
        wrong, missed = _SHARE_OF_WRONG_LABELS, (1 - _SHARE_OF_WRONG_LABELS) * (1 - self._find_rate)
        score = np.where(self._is_hit | (self._find_rate == 0), 0, wrong / (wrong + missed) * unseen)
        return score, np.full(len(judged.truth), -1)

    def _misplaced(self) -> tuple[FloatArray, IntArray]:
        judged, pairs = self._judged, self._judged.pairs
        # A detection belongs to the box it is on or nearest to.
        own = self._is_same & (pairs.truth == judged.subjects[pairs.found])
        own &= (((judged.kinds == RIGHT) & self._sure) | self._is_beside)[pairs.found]
        row = self._best_on(len(judged.truth), own)
        iou = np.where(row >= 0, judged.overlaps[row], 1.0) if len(judged.found) else np.ones(len(row))
        better = _share_above(iou, judged.truth.classes, row >= 0)
        far = np.clip((_TIGHT_IOU - iou) / (_TIGHT_IOU - _FAR_IOU), 0, 1)
        return np.clip(_scores(judged, row), 0, 1) * better * far, row

    def _iou(self, row: int, box: int) -> float:
        pairs = self._judged.pairs
        return float(pairs.iou[(pairs.found == row) & (pairs.truth == box)].max(initial=0.0))


def _scores(judged: JudgedDetections, rows: IntArray) -> FloatArray:
    """Return the score of each detection; 0 for -1."""
    padded = np.append(judged.found.scores, 0.0)
    return padded[rows]


def _sizes(boxes: FloatArray) -> FloatArray:
    return boxes[:, 2] * boxes[:, 3]


def _find_rates(judged: JudgedDetections, hit: BoolArray) -> FloatArray:
    """Return, for each box, which share of the other boxes of its class and about its size are found; 0 of none."""
    rates = np.zeros(len(hit))
    sizes = _sizes(judged.truth.boxes)
    for place in range(len(judged.class_ids)):
        rows = np.flatnonzero((judged.truth.classes == place) & judged.counted)
        rows = rows[np.argsort(sizes[rows], kind="stable")]
        half = min(_ALIKE_IN_SIZE // 2, len(rows))
        sums = np.concatenate([[0], np.cumsum(hit[rows])])
        # As many smaller as larger ones where there are, never fewer in all.
        first = np.clip(np.arange(len(rows)) - half, 0, max(0, len(rows) - 2 * half - 1))
        last = np.minimum(first + 2 * half + 1, len(rows))
        others = last - first - 1
        found = sums[last] - sums[first] - hit[rows]
        rates[rows] = np.where(found > 0, (found + 0.5) / (others + 1), 0)  # of three of three nobody is sure
    return rates


def _share_above(values: FloatArray, classes: IntArray, chosen: BoolArray) -> FloatArray:
    """Return which share of the other chosen values of its class are higher than a value; 0 where it is alone."""
    shares = np.zeros(len(values))
    for place in np.unique(classes[chosen]):
        rows = np.flatnonzero((classes == place) & chosen)
        ordered = np.sort(values[rows])
        higher = len(rows) - np.searchsorted(ordered, values[rows], side="right")
        shares[rows] = higher / max(1, len(rows) - 1)
    return shares


def _each_object_once(judged: JudgedDetections, rows: IntArray) -> list[int]:
    """Keep the first of detections that overlap by half, whatever their classes."""
    kept: dict[int, list[int]] = {}
    chosen = []
    for row in rows.tolist():
        picture = int(judged.found.pictures[row])
        others = kept.setdefault(picture, [])
        if all(_overlap(judged.found.boxes[row], judged.found.boxes[other]) < FOREGROUND_IOU for other in others):
            others.append(row)
            chosen.append(row)
    return chosen


def _overlap(first: FloatArray, second: FloatArray) -> float:
    width, height = (
        min(first[axis] + first[axis + 2], second[axis] + second[axis + 2]) - max(first[axis], second[axis])
        for axis in (0, 1)
    )
    shared = max(0.0, float(width)) * max(0.0, float(height))
    union = float(first[2] * first[3] + second[2] * second[3]) - shared
    return shared / union if union > 0 else 0.0
