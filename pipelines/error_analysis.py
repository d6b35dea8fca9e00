"""How much average precision each kind of error costs: what AP50 would be if just that kind were mended.

The mending is that of TIDE (see `pipelines.error_kinds`): a confused detection gets the class of the box it is on, a
mislocalised one its place, and of several on one box then only the best stays; the other false positives go; missed
boxes are no longer asked for. Two totals stand beside it: without any false positive, and without any box that is not
found.
"""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from pipelines.box_pairs import BoolArray, FloatArray, IntArray
from pipelines.error_kinds import (
    BACKGROUND_IOU,
    FALSE_POSITIVES,
    FOREGROUND_IOU,
    RIGHT,
    UNCOUNTED,
    ErrorKind,
    JudgedDetections,
)
from pipelines.matches import ClassMatches, weighted_precision

_MENDED_ON_THEIR_BOX = (ErrorKind.CONFUSED, ErrorKind.MISLOCALISED)


def error_figures(judged: JudgedDetections, class_names: Mapping[int, str], *, min_score: float) -> dict[str, Any]:
    """Count the errors and what they cost.

    Args:
        judged: The detections.
        class_names: Name of each class id.
        min_score: Score from which on ``count_at_min_score`` counts.

    Returns:
        ``AP50`` (as COCO has it, but boxes marked difficult do not count), ``min_score``, ``foreground_iou``,
        ``background_iou``, ``kinds`` and ``per_class`` (of each class ``AP50`` and ``kinds``). ``kinds`` has for each
        `ErrorKind`, and for ``false_positives`` and ``false_negatives`` together, ``lost_AP50`` (``None`` where there
        is nothing to find), ``count`` and ``count_at_min_score``. False positives count for the class that was
        detected, missed boxes for their own.
    """
    is_right, is_counted = judged.kinds == RIGHT, judged.kinds != UNCOUNTED
    better = {kind.value: mended_precision(judged, (kind,)) for kind in ErrorKind} | {
        "false_positives": _precision(judged, right=is_right, kept=is_right, asked=judged.counted),
        "false_negatives": _precision(judged, right=is_right, kept=is_counted, asked=_found(judged)),
    }
    precision = mended_precision(judged, ())
    all_counts, counts = _counts(judged, -np.inf), _counts(judged, min_score)
    columns: dict[str, dict[str, FloatArray | IntArray]] = {
        name: {"lost_AP50": mended - precision, "count": all_counts[name], "count_at_min_score": counts[name]}
        for name, mended in better.items()
    }
    return {
        "AP50": _defined(_mean(precision)),
        "min_score": min_score,
        "foreground_iou": FOREGROUND_IOU,
        "background_iou": BACKGROUND_IOU,
        "kinds": {name: {key: _of_all(key, values) for key, values in row.items()} for name, row in columns.items()},
        "per_class": {
            class_names[int(class_id)]: {
                "AP50": _defined(precision[place]),
                "kinds": {
                    name: {key: _of_class(values[place]) for key, values in row.items()}
                    for name, row in columns.items()
                },
            }
            for place, class_id in enumerate(judged.class_ids)
        },
    }


def mended_precision(judged: JudgedDetections, kinds: Collection[ErrorKind]) -> FloatArray:
    """Compute AP50 of each class as if there were no errors of these kinds.

    A class of which nothing is asked for any more has 1 where nothing wrong is detected either, else 0.

    Args:
        judged: The detections.
        kinds: What to mend; nothing gives AP50 as it is.

    Returns:
        ``(k,)``; ``nan`` for a class that has nothing to find from the start.
    """
    right, classes = judged.kinds == RIGHT, judged.found.classes.copy()
    kept = judged.kinds != UNCOUNTED
    moved = np.zeros(len(kept), bool)
    for kind in kinds:
        if kind in _MENDED_ON_THEIR_BOX:
            moved |= judged.are(kind)
        elif kind is not ErrorKind.MISSED:
            kept &= ~judged.are(kind)
    on_box = np.flatnonzero(right | moved)
    # The best first; of equal scores the one that had the box.
    best = on_box[np.lexsort((on_box, ~right[on_box], -judged.found.scores[on_box], judged.subjects[on_box]))]
    winners = best[np.unique(judged.subjects[best], return_index=True)[1]]
    winners = winners[judged.counted[judged.subjects[winners]]]
    kept[on_box], right[on_box] = False, False
    kept[winners], right[winners] = True, True
    classes[winners] = judged.truth.classes[judged.subjects[winners]]
    asked = judged.counted & ~judged.missed() if ErrorKind.MISSED in kinds else judged.counted
    return _precision(judged, right=right, kept=kept, asked=asked, classes=classes)


def _precision(
    judged: JudgedDetections, *, right: BoolArray, kept: BoolArray, asked: BoolArray, classes: IntArray | None = None
) -> FloatArray:
    """Compute AP50 of each class from the detections that are kept, with only the boxes that are asked for to find."""
    classes = judged.found.classes if classes is None else classes
    totals, scores = _totals(judged, asked), judged.found.scores
    rows = np.flatnonzero(kept)
    rows = rows[np.lexsort((rows, -scores[rows], classes[rows]))]
    limits = np.searchsorted(classes[rows], np.arange(len(totals) + 1))
    result = np.full(len(totals), np.nan)
    for place in np.flatnonzero(_totals(judged, judged.counted)):
        own = rows[limits[place] : limits[place + 1]]
        if not totals[place]:
            result[place] = float(not len(own))
            continue
        nothing = np.zeros(len(own), np.int64)
        matches = ClassMatches(right[own][None], nothing[None].astype(bool), scores[own], nothing, totals[place, None])
        result[place] = weighted_precision(matches, np.ones((1, len(own))), totals[place, None])[0, 0]
    return result


def _counts(judged: JudgedDetections, min_score: float) -> dict[str, IntArray]:
    """Count the errors of each kind by class, among detections of this score."""
    length = len(judged.class_ids)
    seen = judged.found.scores >= min_score
    counts = {
        kind.value: np.bincount(judged.found.classes[judged.are(kind) & seen], minlength=length)
        for kind in FALSE_POSITIVES
    }
    wrong = sum(counts.values(), np.zeros(length, np.int64))
    counts[ErrorKind.MISSED.value] = _totals(judged, judged.missed(min_score))
    return counts | {
        "false_positives": wrong,
        "false_negatives": _totals(judged, judged.counted & ~_found(judged, min_score)),
    }


def _found(judged: JudgedDetections, min_score: float = -np.inf) -> BoolArray:
    """Return ``(t,)``: the boxes that a detection of this score is right about."""
    found = np.zeros(len(judged.counted), bool)
    found[judged.subjects[(judged.kinds == RIGHT) & (judged.found.scores >= min_score)]] = True
    return found


def _totals(judged: JudgedDetections, chosen: BoolArray) -> IntArray:
    return np.bincount(judged.truth.classes[chosen], minlength=len(judged.class_ids))


def _of_all(key: str, values: FloatArray | IntArray) -> float | int | None:
    return _defined(_mean(np.asarray(values, np.float64))) if key == "lost_AP50" else int(values.sum())


def _of_class(value: Any) -> float | int | None:
    return _defined(float(value)) if isinstance(value, np.floating) else int(value)


def _mean(values: FloatArray) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
