"""Intervals of a figure from a bootstrap over the pictures: how far other pictures of the kind would move it."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from pipelines.matches import ClassMatches, FloatArray, mean_of_defined, resampled_class_precision

LEVEL = 0.95
_IOU_50 = 0
_WEIGHTED_DETECTIONS = 20_000_000
_MIN_RESAMPLES, _MAX_RESAMPLES = 100, 1000


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its interval at `LEVEL`; ``None`` where it is not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None


def draws(num_images: int, resamples: int, seed: int) -> npt.NDArray[np.int64]:
    """Return how often each picture is drawn: first every one once, then at random with replacement.

    Returns:
        ``(1 + resamples, num_images)``.
    """
    if not num_images:
        return np.zeros((1 + resamples, 0), np.int64)
    drawn = np.random.default_rng(seed).multinomial(num_images, np.full(num_images, 1 / num_images), resamples)
    return np.concatenate([np.ones((1, num_images), np.int64), drawn])


def interval(values: FloatArray) -> Interval:
    """Take the first value as the figure and the others as its resamples.

    The interval is Efron's bias-corrected one. Average precision is larger the fewer different pictures it is computed
    from, so resamples lie above the figure on the whole, and the plain quantiles of them too.
    """
    value, resamples = values[0], values[1:][~np.isnan(values[1:])]
    if np.isnan(value):
        return Interval(None)
    if not len(resamples):
        return Interval(float(value))
    normal = NormalDist()
    below = float(np.mean(resamples < value) + np.mean(resamples == value) / 2)
    least = 1 / (2 * len(resamples))
    bias = normal.inv_cdf(min(max(below, least), 1 - least))
    reach = normal.inv_cdf((1 + LEVEL) / 2)
    low, high = np.quantile(resamples, [normal.cdf(2 * bias - reach), normal.cdf(2 * bias + reach)])
    return Interval(float(value), float(min(low, value)), float(max(high, value)))


def affordable_resamples(classes: Sequence[ClassMatches]) -> int:
    """Return how many resamples take seconds: a thousand, and fewer (down to a hundred) of very many detections."""
    detections = sum(len(one.scores) for one in classes)
    return min(_MAX_RESAMPLES, max(_MIN_RESAMPLES, _WEIGHTED_DETECTIONS // max(1, detections)))


@dataclass(frozen=True, slots=True)
class PrecisionIntervals:
    """``AP`` and ``AP50`` with their intervals, of all classes and of each in the order in which they came."""

    all: dict[str, Interval]
    classes: list[dict[str, Interval]]


def precision_intervals(
    classes: Sequence[ClassMatches], num_images: int, *, resamples: int, seed: int = 0
) -> PrecisionIntervals:
    """Return the intervals of ``AP`` and ``AP50``.

    Args:
        classes: Matches of each class on the same pictures.
        num_images: How many pictures.
        resamples: How often pictures are drawn.
        seed: The same seed, the same intervals.
    """
    weights = draws(num_images, resamples, seed)
    by_class = resampled_class_precision(classes, weights)
    together = mean_of_defined(by_class, (len(weights), 10))
    return PrecisionIntervals(_intervals(together), [_intervals(one) for one in by_class])


def _intervals(figures: FloatArray) -> dict[str, Interval]:
    return {"AP": interval(figures.mean(axis=1)), "AP50": interval(figures[:, _IOU_50])}
