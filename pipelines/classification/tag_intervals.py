"""Average precision of tags on drawn pictures: how far other pictures of the kind would move it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.bootstrap import draws, interval
from pipelines.classification.tag_answers import TagAnswers

Floats = NDArray[np.float64]
Counts = NDArray[np.integer[Any]]
_AT_ONCE = 1_000_000
# So many drawn scores take seconds.
_DRAWN_SCORES = 40_000_000
_MIN_RESAMPLES, _MAX_RESAMPLES = 100, 1000


def tag_intervals(answers: TagAnswers, names: Sequence[str], *, seed: int = 0) -> dict[str, Any]:
    """Return the intervals of ``mAP`` and of the ``AP`` of each tag, from a bootstrap over the pictures.

    Args:
        answers: To all pictures.
        names: Tags, in the order of the outputs.
        seed: The same seed, the same intervals.

    Returns:
        ``mAP``: ``[low, high]`` or ``None``; ``per_class``: ``{name: {"AP": [low, high]}}`` of the tags that have
        pictures; ``AP_resamples``, a thousand, fewer (down to a hundred) of very many scores.
    """
    count = max(1, answers.scores.size)
    resamples = min(_MAX_RESAMPLES, max(_MIN_RESAMPLES, _DRAWN_SCORES // count))
    weights = draws(len(answers), resamples, seed).astype(np.int32)
    shown = [at for at in range(len(names)) if len(answers) and answers.truth[:, at].any()]
    by_tag = [
        weighted_average_precision(answers.truth[:, at], answers.scores[:, at].astype(np.float64), weights)
        for at in shown
    ]
    return {
        "mAP": _ends(mean_of_defined(by_tag, len(weights))),
        "per_class": {names[at]: {"AP": _ends(values)} for at, values in zip(shown, by_tag, strict=True)},
        "AP_resamples": resamples,
    }


def weighted_average_precision(truth: NDArray[np.bool_], ranks: Floats, weights: Counts) -> Floats:
    """Return the average precision of one tag for several weightings of the pictures.

    Args:
        truth: Whether each picture has the tag, ``(n,)``.
        ranks: The larger, the likelier, ``(n,)``; equal ones count together.
        weights: How often each picture counts, ``(k, n)``.

    Returns:
        ``(k,)``; NaN where no picture with the tag counts.
    """
    order = np.argsort(-ranks, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(ranks[order])), len(order) - 1)
    # Precision counts only where a picture with the tag is found, and those are few.
    positives = np.flatnonzero(truth[order])
    if not len(positives):
        return np.full(len(weights), np.nan)
    reached = ends[np.searchsorted(ends, positives)]
    is_last = np.append(reached[1:] != reached[:-1], True)
    rows = max(1, _AT_ONCE // len(order))
    parts = []
    for start in range(0, len(weights), rows):
        drawn = np.take(weights[start : start + rows], order, axis=1)
        right = np.cumsum(drawn[:, positives], axis=1)[:, is_last]
        found = np.cumsum(drawn, axis=1, dtype=np.int32)[:, reached[is_last]]
        gained = np.diff(right, axis=1, prepend=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            parts.append((gained * right / np.maximum(found, 1)).sum(axis=1) / right[:, -1])
    return np.concatenate(parts)


def mean_of_defined(averages: Sequence[Floats], count: int) -> Floats:
    """Return the mean over the tags, leaving out what is not defined; NaN where nothing is."""
    total, num_defined = np.zeros(count), np.zeros(count)
    for values in averages:
        total += np.nan_to_num(values)
        num_defined += ~np.isnan(values)
    return np.where(num_defined, total / np.maximum(num_defined, 1), np.nan)


def _ends(values: Floats) -> list[float] | None:
    found = interval(values)
    return None if found.low is None or found.high is None else [found.low, found.high]
