"""What a classifier answered to each picture, and the figures of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collectors.errors import InputError
from pipelines.bootstrap import LEVEL, Interval, interval

TOP = 5
RESAMPLES = 2000


@dataclass(slots=True)
class Answers:
    """Answers to some pictures, in the order of evaluation.

    Attributes:
        places: int64 ``(n,)``: place of each picture in the records.
        truth: int32 ``(n,)``: the output that is right; -1 for a class that the network does not have.
        outputs: int32 ``(n, k)``: the likeliest outputs, best first; k is 5, or the number of classes if that is less.
        scores: float32 ``(n, k)``: their probabilities.
        losses: float32 ``(n,)``: cross entropy of each; 0 for a class that the network does not have.
    """

    places: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    truth: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    outputs: NDArray[np.int32] = field(default_factory=lambda: np.empty((0, 1), np.int32))
    scores: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 1), np.float32))
    losses: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))

    @classmethod
    def joined(cls, parts: Sequence["Answers"]) -> "Answers":
        """Put the answers of some batches behind each other; no batch gives no answer."""
        if not parts:
            return cls()
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__slots__))

    @property
    def is_right(self) -> NDArray[np.bool_]:
        """Whether the best answer is the truth, ``(n,)``."""
        is_right: NDArray[np.bool_] = self.outputs[:, 0] == self.truth
        return is_right

    @property
    def is_among_top(self) -> NDArray[np.bool_]:
        """Whether the truth is among the likeliest, ``(n,)``."""
        hits: NDArray[np.bool_] = (self.outputs == self.truth[:, None]).any(axis=1)
        return hits

    def __len__(self) -> int:
        return len(self.places)


def figures_of(answers: Answers, names: Sequence[str]) -> dict[str, Any]:
    """Compute the figures of a classifier.

    Args:
        answers: To all pictures.
        names: Class names, in the order of the outputs.

    Returns:
        ``top1`` and ``top5``, shares in ``[0, 1]`` of the pictures whose best answer (one of the five best) is right;
        ``macro_top1``, the mean of ``top1`` over the classes; ``per_class``: ``{name: {"top1", "precision",
        "num_truth"}}``, where ``precision`` is the share of what was taken for the class and is of it; ``intervals``:
        ``[low, high]`` of ``top1`` and ``top5``, with ``level``; ``num_images``; ``num_unknown``, pictures of classes
        that the network does not have, which count as mistakes. What is not defined, because there is no picture, is
        ``None``.
    """
    counts = confusion_counts(answers, len(names))
    truths, taken, right = counts.sum(axis=1), counts.sum(axis=0), np.diag(counts)
    per_class = {
        name: {
            "top1": _share(right[place], truths[place]),
            "precision": _share(right[place], taken[place]),
            "num_truth": int(truths[place]),
        }
        for place, name in enumerate(names)
    }
    defined = [row["top1"] for row in per_class.values() if row["top1"] is not None]
    top1, top5 = (share_interval(hits) for hits in (answers.is_right, answers.is_among_top))
    return {
        "top1": top1.value,
        "top5": top5.value,
        "macro_top1": float(np.mean(defined)) if defined else None,
        "per_class": per_class,
        "intervals": {
            **{name: _ends(one) for name, one in (("top1", top1), ("top5", top5))},
            "level": LEVEL,
            "resamples": RESAMPLES,
            "seed": 0,
        },
        "num_images": len(answers),
        "num_unknown": int((answers.truth < 0).sum()),
    }


def confusion_counts(answers: Answers, num_classes: int) -> NDArray[np.int64]:
    """Count ``(truth, best answer)``; pictures of classes that the network does not have are left out.

    Returns:
        ``(num_classes, num_classes)``: rows are the truth.
    """
    known = answers.truth >= 0
    pairs = answers.truth[known].astype(np.int64) * num_classes + answers.outputs[known, 0]
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def share_interval(hits: NDArray[np.bool_], *, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """Return the share of hits, with its interval from a bootstrap over the pictures."""
    if not len(hits):
        return Interval(None)
    share = float(hits.mean())
    # Of hits and misses alone the number of hits drawn is binomial: no picture need be drawn one by one.
    drawn = np.random.default_rng(seed).binomial(len(hits), share, resamples) / len(hits)
    return interval(np.concatenate([[share], drawn]))


def flat_figures(figures: Mapping[str, Any]) -> dict[str, float]:
    """Return the figures that are curves over the steps; undefined ones are left out."""
    curves = {name: figures[name] for name in ("top1", "top5", "macro_top1")}
    return {name: value for name, value in curves.items() if value is not None}


def require_finite(scores: NDArray[np.float32], where: str) -> None:
    """Check that scores are numbers.

    Args:
        scores: Of any shape.
        where: The run, or what was asked of it.

    Raises:
        InputError: One is not a finite number.
    """
    if not np.isfinite(scores).all():
        raise InputError(
            "the network gives scores that are not finite numbers",
            where=where,
            fix="This checkpoint is of no use: take another (--checkpoint), or train again with a lower rate.",
        )


def _share(part: Any, whole: Any) -> float | None:
    return float(part) / float(whole) if whole else None


def _ends(one: Interval) -> list[float] | None:
    return None if one.low is None or one.high is None else [one.low, one.high]
