"""The worst mistakes of a detector, kind by kind and class by class: what to look at first."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from labeling.annotations import Box
from pipelines.box_pairs import IntArray
from pipelines.error_kinds import FALSE_POSITIVES, RIGHT, ErrorKind, JudgedDetections

LOOSE = "loose"
_LOOSE_BELOW_IOU = 0.75


@dataclass(frozen=True, slots=True)
class Marked:
    """A box with its class, edges in pixels of the picture; ``score`` is ``None`` for truth."""

    class_name: str
    box: Box
    score: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return ``class``, ``box`` (``[xmin, ymin, xmax, ymax]``) and, of a detection, ``score``."""
        # A record keeps edges in 32 bits: 103 comes out as 102.99999713897705.
        edges = [round(edge, 3) for edge in (self.box.xmin, self.box.ymin, self.box.xmax, self.box.ymax)]
        row: dict[str, Any] = {"class": self.class_name, "box": edges}
        return row if self.score is None else row | {"score": self.score}

    def words(self) -> str:
        """Return ``cat 97 %``, or the class alone for truth."""
        return self.class_name if self.score is None else f"{self.class_name} {100 * self.score:.0f} %"


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake.

    Attributes:
        kind: An `ErrorKind`, or ``loose``: right, but the box fits badly.
        class_name: The class that was detected, or that was missed.
        image_id: The picture.
        truth: The box it is about; ``None`` for a detection in the background.
        detection: The detection; ``None`` for a missed box.
        iou: Their overlap; ``None`` where one is missing.
    """

    kind: str
    class_name: str
    image_id: int
    truth: Marked | None
    detection: Marked | None
    iou: float | None

    @property
    def words(self) -> str:
        """What happened, as a clause."""
        if self.detection is None:
            return f"{self._truth} was missed"
        found = self.detection.words()
        if self.truth is None:
            return f"{found} where nothing is"
        overlap = f"IoU {self.iou or 0:.2f}"
        by_kind: dict[str, str] = {
            ErrorKind.CONFUSED: f"{found} on a {self._truth}",
            ErrorKind.MISLOCALISED: f"{found} beside its box, {overlap}",
            ErrorKind.CONFUSED_MISLOCALISED: f"{found} near a {self._truth}, {overlap}",
            ErrorKind.DUPLICATE: f"{found} a second time",
            LOOSE: f"{found} fits loosely, {overlap}",
        }
        return by_kind[self.kind]

    @property
    def _truth(self) -> str:
        return self.truth.class_name if self.truth else "?"


def worst_mistakes(
    judged: JudgedDetections, class_names: Mapping[int, str], *, min_score: float, limit: int
) -> list[Mistake]:
    """Choose the worst mistakes among detections of this score.

    Args:
        judged: The detections.
        class_names: Name of each class id.
        min_score: Detections below are not looked at; what only they found is missed.
        limit: At most so many of each kind and class.

    Returns:
        By class, then by kind, the worst first: false positives by their score, missed boxes by their size, loose ones
        (IoU below 0.75) by their overlap.
    """
    boxes = MarkedBoxes(judged, class_names)
    found, seen = judged.found, judged.found.scores >= min_score
    chosen: list[tuple[int, int, Mistake]] = []
    for place, kind in enumerate(FALSE_POSITIVES):
        rows = np.flatnonzero(judged.are(kind) & seen)
        chosen += [
            (int(found.classes[row]), place, boxes.mistake(kind, row, int(judged.subjects[row])))
            for row in _first_of_each(rows, found.classes, -found.scores, limit)
        ]
    missed = np.flatnonzero(judged.missed(min_score))
    areas = judged.truth.boxes[:, 2] * judged.truth.boxes[:, 3]
    for row in _first_of_each(missed, judged.truth.classes, -areas, limit):
        mistake = boxes.mistake(ErrorKind.MISSED, None, row)
        chosen.append((int(judged.truth.classes[row]), len(FALSE_POSITIVES), mistake))
    loose = np.flatnonzero((judged.kinds == RIGHT) & seen & (judged.overlaps < _LOOSE_BELOW_IOU))
    for row in _first_of_each(loose, found.classes, judged.overlaps, limit):
        mistake = boxes.mistake(LOOSE, row, int(judged.subjects[row]))
        chosen.append((int(found.classes[row]), len(FALSE_POSITIVES) + 1, mistake))
    return [mistake for _, _, mistake in sorted(chosen, key=lambda one: one[:2])]


class MarkedBoxes:
    """Rows of judged detections as boxes with names."""

    def __init__(self, judged: JudgedDetections, class_names: Mapping[int, str]) -> None:
        self._judged = judged
        self._names = [class_names[int(class_id)] for class_id in judged.class_ids]

    def truth(self, row: int) -> Marked | None:
        """Return a box of the truth; ``None`` for -1."""
        return None if row < 0 else Marked(self._names[self._judged.truth.classes[row]], self._box("truth", row))

    def detection(self, row: int | None) -> Marked | None:
        """Return a detection."""
        if row is None:
            return None
        found = self._judged.found
        return Marked(self._names[found.classes[row]], self._box("found", row), float(found.scores[row]))

    def mistake(self, kind: str, row: int | None, subject: int) -> Mistake:
        """Return the mistake of a detection (``None``: none) and a box (-1: none)."""
        truth, detection = self.truth(subject), self.detection(row)
        name = detection.class_name if detection else truth.class_name if truth else ""
        iou = float(self._judged.overlaps[row]) if row is not None and truth else None
        return Mistake(kind, name, self.image_id(row, subject), truth, detection, iou)

    def image_id(self, row: int | None, subject: int) -> int:
        """Return the picture of a detection, or of a box where there is no detection."""
        judged = self._judged
        picture = judged.truth.pictures[subject] if row is None else judged.found.pictures[row]
        return int(judged.image_ids[picture])

    def _box(self, side: str, row: int) -> Box:
        x, y, width, height = getattr(self._judged, side).boxes[row].tolist()
        return Box(x, y, x + width, y + height)


def _first_of_each(rows: IntArray, classes: IntArray, badness: Any, limit: int) -> Iterator[int]:
    """Yield the first rows of each class by ``badness``."""
    rows = rows[np.lexsort((rows, badness[rows], classes[rows]))]
    own = classes[rows]
    ranks = np.arange(len(rows)) - np.searchsorted(own, own, side="left")
    yield from rows[ranks < limit].tolist()
