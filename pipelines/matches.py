"""Which detections hit which truth, as arrays, and the average precision of any weighting of the pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.coco_matching import ALL_AREAS, RECALLS, CocoEvaluation

FloatArray = npt.NDArray[np.float64]

_VALUES_AT_ONCE = 4_000_000


@dataclass(frozen=True, eq=False)
class ClassMatches:
    """The detections of one class, best first, against the truth at each of COCO's ten IoUs.

    Attributes:
        hits: ``(10, d)`` bool: found a box that no better detection had found.
        ignored: ``(10, d)`` bool: counts neither way, because it lies on a crowd.
        scores: ``(d,)``, falling.
        pictures: ``(d,)`` int, which picture a detection is of, as an index into the pictures.
        truths: ``(p,)`` int, boxes to find in each picture.
    """

    hits: npt.NDArray[np.bool_]
    ignored: npt.NDArray[np.bool_]
    scores: FloatArray
    pictures: npt.NDArray[np.int64]
    truths: npt.NDArray[np.int64]


def class_matches(evaluation: CocoEvaluation) -> dict[int, ClassMatches]:
    """Return the matches of each class, by class id; pictures are numbered as ``evaluation.image_ids``."""
    return {int(class_id): _of_class(evaluation, place) for place, class_id in enumerate(evaluation.class_ids)}


def _of_class(evaluation: CocoEvaluation, place: int) -> ClassMatches:
    rows = evaluation.of_class(place)
    return ClassMatches(
        evaluation.hits[ALL_AREAS, :, rows],
        evaluation.ignored[ALL_AREAS, :, rows],
        evaluation.found.scores[rows],
        evaluation.found.pictures[rows],
        evaluation.truths[ALL_AREAS, place],
    )


def pooled(first: ClassMatches, second: ClassMatches) -> tuple[ClassMatches, npt.NDArray[np.bool_]]:
    """Put the detections of two detectors on the same pictures into one list.

    Returns:
        The matches, and ``(d,)`` bool: which detections are the second detector's.
    """
    scores = np.concatenate([first.scores, second.scores])
    order = np.argsort(-scores, kind="mergesort")
    is_second = np.arange(len(scores)) >= len(first.scores)
    both = ClassMatches(
        np.concatenate([first.hits, second.hits], axis=1)[:, order],
        np.concatenate([first.ignored, second.ignored], axis=1)[:, order],
        scores[order],
        np.concatenate([first.pictures, second.pictures])[order],
        first.truths,
    )
    return both, is_second[order]


def weighted_precision(matches: ClassMatches, weights: npt.NDArray[Any], truths: npt.NDArray[Any]) -> FloatArray:
    """Compute COCO's average precision of a class for many weightings of its detections.

    Args:
        matches: The detections of the class.
        weights: ``(r, d)``: how often each detection counts.
        truths: ``(r,)``: boxes to find under each weighting.

    Returns:
        ``(r, 10)``, one column an IoU from 0.50 to 0.95; ``nan`` where there is nothing to find.
    """
    result = np.full((len(weights), len(matches.hits)), np.nan)
    rows_at_once = max(1, _VALUES_AT_ONCE // max(1, weights.shape[1]))
    for first in range(0, len(weights), rows_at_once):
        rows = slice(first, first + rows_at_once)
        share = weights[rows].astype(np.float64)
        for iou, (hits, ignored) in enumerate(zip(matches.hits, matches.ignored, strict=True)):
            # What comes after the last hit only lowers the precision, and the curve is the best from each point on.
            last = np.flatnonzero(hits & ~ignored)[-1:].sum() + 1
            counted = share[:, :last] * ~ignored[:last]
            right, seen = np.cumsum(counted * hits[:last], axis=1), np.cumsum(counted, axis=1)
            result[rows, iou] = _areas(right, seen, truths[rows])
    return result


def _areas(right: FloatArray, seen: FloatArray, truths: npt.NDArray[Any]) -> FloatArray:
    precision = right / (seen + np.spacing(1))
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    areas = np.full(len(right), np.nan)
    for row in np.flatnonzero(truths > 0):
        at = np.searchsorted(right[row] / truths[row], RECALLS, side="left")
        areas[row] = envelope[row, at[at < envelope.shape[1]]].sum() / len(RECALLS)
    return areas


def resampled_precision(classes: Sequence[ClassMatches], weights: npt.NDArray[Any]) -> FloatArray:
    """Compute AP of all classes for many weightings of the pictures.

    Args:
        classes: Matches of each class on the same ``p`` pictures.
        weights: ``(r, p)``: how often each picture counts.

    Returns:
        ``(r, 10)``: the mean over the classes that have something to find under a weighting; ``nan`` where none has.
    """
    return mean_of_defined(resampled_class_precision(classes, weights), (len(weights), 10))


def resampled_class_precision(classes: Sequence[ClassMatches], weights: npt.NDArray[Any]) -> list[FloatArray]:
    """Compute AP of each class for many weightings of the pictures, as `resampled_precision` averages it."""
    return [
        weighted_precision(one, weights[:, one.pictures], weights @ one.truths)
        if one.truths.any()
        else np.full((len(weights), 10), np.nan)
        for one in classes
    ]


def mean_of_defined(by_class: Sequence[FloatArray], shape: tuple[int, int]) -> FloatArray:
    """Average over classes what is not ``nan``; ``nan`` where nothing is."""
    if not by_class:
        return np.full(shape, np.nan)
    values = np.stack(by_class)
    counts = np.sum(~np.isnan(values), axis=0)
    sums = np.nansum(values, axis=0)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
