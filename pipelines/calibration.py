"""Whether scores mean what they say: of detections with score 0.8, are eight in ten right?"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipelines.matches import ClassMatches

_IOU_50 = 0


def calibration(classes: Sequence[ClassMatches], *, num_bins: int = 10) -> dict[str, Any]:
    """Compare scores with the share of right detections at IoU 0.5, in bins of equal width.

    Args:
        classes: Matches of each class.
        num_bins: Bins between 0 and 1; a score on an edge belongs to the bin above it, 1 to the last.

    Returns:
        ``ECE``, the expected calibration error: how far score and precision of a bin are apart, mean over the
        detections; ``None`` without detections, and where a score lies outside 0 to 1. ``bins``: ``from``, ``to``,
        ``num_detections``, ``mean_score`` and ``precision`` of each (``None`` in an empty one).
    """
    counted = [~one.ignored[_IOU_50] for one in classes]
    scores = np.concatenate([np.empty(0), *(one.scores[keep] for one, keep in zip(classes, counted, strict=True))])
    hits = np.concatenate([np.empty(0), *(one.hits[_IOU_50][keep] for one, keep in zip(classes, counted, strict=True))])
    if scores.size and (scores.min() < 0 or scores.max() > 1):
        return {"ECE": None, "bins": []}
    edges = np.linspace(0, 1, num_bins + 1)
    places = np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, num_bins - 1)
    counts = np.bincount(places, minlength=num_bins)
    score_sums, hit_sums = (np.bincount(places, values, num_bins) for values in (scores, hits))
    bins = [
        {
            "from": float(edges[place]),
            "to": float(edges[place + 1]),
            "num_detections": int(count),
            "mean_score": float(score_sums[place] / count) if count else None,
            "precision": float(hit_sums[place] / count) if count else None,
        }
        for place, count in enumerate(counts)
    ]
    error = float(np.abs(score_sums - hit_sums).sum() / len(scores)) if scores.size else None
    return {"ECE": error, "bins": bins}
