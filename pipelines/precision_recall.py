"""Precision over recall at IoU 0.5, as COCO samples it: the curve that AP50 is the mean of."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipelines.coco_matching import RECALLS
from pipelines.matches import ClassMatches, FloatArray

_IOU_50 = 0
_DECIMALS = 4


def precision_recall(by_class: Mapping[str, ClassMatches]) -> dict[str, Any]:
    """Return the curve of each class and their mean.

    Args:
        by_class: Matches of each class, by its name.

    Returns:
        ``recall``: 0, 0.01, ... 1. ``all``: the mean of the classes that have something to find; ``None`` where none
        has. ``per_class``: the precision of each, ``None`` without anything to find. A precision is the best that is
        had at this recall or beyond, 0 where the recall is never reached, to four decimals.
    """
    curves = {name: _curve(matches) for name, matches in by_class.items()}
    defined = [curve for curve in curves.values() if curve is not None]
    return {
        "recall": RECALLS.round(2).tolist(),
        "all": np.mean(defined, axis=0).round(_DECIMALS).tolist() if defined else None,
        "per_class": {
            name: None if curve is None else curve.round(_DECIMALS).tolist() for name, curve in curves.items()
        },
    }


def _curve(matches: ClassMatches) -> FloatArray | None:
    total = int(matches.truths.sum())
    if not total:
        return None
    counted = ~matches.ignored[_IOU_50]
    right = np.cumsum(matches.hits[_IOU_50][counted])
    precision = right / np.arange(1, len(right) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(right / total, RECALLS, side="left")
    curve = np.zeros(len(RECALLS))
    reached = at < len(right)
    curve[reached] = envelope[at[reached]]
    return curve
