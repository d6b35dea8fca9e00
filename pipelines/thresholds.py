"""Precision, recall and F1 at IoU 0.5 over the score from which on a detection counts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.matches import ClassMatches, FloatArray

_IOU_50 = 0


@dataclass(frozen=True, eq=False)
class ThresholdCurve:
    """What each choice of a threshold gives; highest threshold first.

    Attributes:
        thresholds: ``(n,)`` the scores that occur, falling.
        precision: ``(n,)`` of the detections that score at least this.
        recall: ``(n,)``.
        f1: ``(n,)`` harmonic mean of the two.
    """

    thresholds: FloatArray
    precision: FloatArray
    recall: FloatArray
    f1: FloatArray

    def at(self, thresholds: FloatArray) -> dict[str, list[float | None]]:
        """Return ``threshold``, ``precision``, ``recall`` and ``F1`` at any thresholds.

        Above the highest score nothing is found: recall and F1 are 0, precision is not defined (``None``).
        """
        places = np.searchsorted(-self.thresholds, -thresholds, side="right") - 1
        missing = places < 0

        def column(values: FloatArray) -> FloatArray:
            return np.where(missing, 0.0, values[places]) if len(values) else np.zeros(len(thresholds))

        precision = column(self.precision).tolist()
        return {
            "threshold": thresholds.tolist(),
            "precision": [None if gone else value for value, gone in zip(precision, missing, strict=True)],
            "recall": column(self.recall).tolist(),
            "F1": column(self.f1).tolist(),
        }


def threshold_curve(classes: Sequence[ClassMatches]) -> ThresholdCurve | None:
    """Compute the curve of all these classes together; ``None`` without a box to find or a detection that counts."""
    truths = sum(int(one.truths.sum()) for one in classes)
    counted = [~one.ignored[_IOU_50] for one in classes]
    scores = np.concatenate([np.empty(0), *(one.scores[keep] for one, keep in zip(classes, counted, strict=True))])
    if not truths or not scores.size:
        return None
    hits = np.concatenate([one.hits[_IOU_50][keep] for one, keep in zip(classes, counted, strict=True)])
    order = np.argsort(-scores, kind="stable")
    scores, right, seen = scores[order], np.cumsum(hits[order]), np.arange(1, len(order) + 1)
    # Detections of one score come and go together, so only the last of them is a possible cut.
    cuts = np.append(scores[1:] < scores[:-1], True)
    right, seen = right[cuts], seen[cuts]
    return ThresholdCurve(scores[cuts], right / seen, right / truths, 2 * right / (seen + truths))


def best_threshold(classes: Sequence[ClassMatches]) -> dict[str, float | None]:
    """Return ``best_threshold``, where F1 is best, with its ``precision``, ``recall`` and ``F1``.

    The highest one where several are as good; every figure is ``None`` where there is no curve.
    """
    curve = threshold_curve(classes)
    if curve is None:
        return {"best_threshold": None, "precision": None, "recall": None, "F1": None}
    best = int(np.argmax(curve.f1))
    columns = {
        "best_threshold": curve.thresholds, "precision": curve.precision, "recall": curve.recall, "F1": curve.f1,
    }  # fmt: skip
    return {name: float(values[best]) for name, values in columns.items()}
