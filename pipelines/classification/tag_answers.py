"""What a tag classifier answered to each picture, and the figures of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.bootstrap import LEVEL
from pipelines.classification.answers import RESAMPLES, share_interval

THRESHOLD = 0.5
"""From where on a tag is given that no evaluation has a threshold for."""


@dataclass(slots=True)
class TagAnswers:
    """Answers to some pictures, in the order of evaluation.

    Attributes:
        places: int64 ``(n,)``: place of each picture in the records.
        truth: bool ``(n, tags)``: the tags of each picture.
        has_unknown: bool ``(n,)``: whether a picture has tags that the network does not have.
        scores: float32 ``(n, tags)``: the probability of each tag.
        losses: float32 ``(n,)``: mean binary cross entropy of each.
    """

    places: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    truth: NDArray[np.bool_] = field(default_factory=lambda: np.empty((0, 1), np.bool_))
    has_unknown: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    scores: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 1), np.float32))
    losses: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))

    @classmethod
    def joined(cls, parts: Sequence["TagAnswers"]) -> "TagAnswers":
        """Put the answers of some batches behind each other; no batch gives no answer."""
        if not parts:
            return cls()
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__slots__))

    @property
    def is_right(self) -> NDArray[np.bool_]:
        """Whether the likeliest tag is one of the picture's, ``(n,)``."""
        best = self.scores.argmax(axis=1)
        is_right: NDArray[np.bool_] = self.truth[np.arange(len(self)), best]
        return is_right

    def __len__(self) -> int:
        return len(self.places)


@dataclass(frozen=True, slots=True)
class TagFigures:
    """How well one tag is told.

    Attributes:
        AP: Average precision: the precision at each recall that is reached, times what is gained there; pictures of one
            score count together. ``None`` without a picture of the tag.
        threshold: From this probability on the tag is given: the place of the best F1, halfway to the next lower score.
            ``THRESHOLD`` without a picture of the tag.
        found: Pictures that the tag is given to.
        right: How many of them have it.
        num_truth: How many have it in all.
    """

    AP: float | None
    threshold: float
    found: int
    right: int
    num_truth: int

    def as_dict(self) -> dict[str, Any]:
        """Return ``AP``, ``F1``, ``threshold``, ``precision``, ``recall`` and ``num_truth``; ``None``: undefined."""
        return {
            "AP": self.AP,
            "F1": f1(self.right, self.found, self.num_truth) if self.num_truth else None,
            "threshold": self.threshold,
            "precision": self.right / self.found if self.found else None,
            "recall": self.right / self.num_truth if self.num_truth else None,
            "num_truth": self.num_truth,
        }


def judge_tag(truth: NDArray[np.bool_], scores: NDArray[np.float32]) -> TagFigures:
    """Compute the figures of one tag.

    Args:
        truth: Whether each picture has it, ``(n,)``.
        scores: Its probability in each, ``(n,)``.
    """
    total = int(truth.sum())
    if not total:
        return TagFigures(None, THRESHOLD, int((scores >= THRESHOLD).sum()), 0, 0)
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order].astype(np.float64)
    # Pictures of one score are found together: what counts is where the score is about to fall.
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    right, found = np.cumsum(truth[order])[ends], ends + 1
    average = float(np.sum(np.diff(right, prepend=0) / total * (right / found)))
    best = int(np.argmax(2 * right / (found + total)))
    below = ranked[ends[best] + 1] if best + 1 < len(ends) else 0.0
    threshold = float((ranked[ends[best]] + below) / 2)
    return TagFigures(average, threshold, int(found[best]), int(right[best]), total)


def mean_average_precision(truth: NDArray[np.bool_], scores: NDArray[np.float32]) -> float | None:
    """Return the mean over the tags that have pictures, of truth and scores ``(n, tags)``; ``None`` without any."""
    defined = [AP for AP in (judge_tag(*column).AP for column in zip(truth.T, scores.T, strict=True)) if AP is not None]
    return float(np.mean(defined)) if defined else None


def tag_figures(answers: TagAnswers, names: Sequence[str]) -> dict[str, Any]:
    """Compute the figures of a tag classifier.

    Args:
        answers: To all pictures.
        names: Tags, in the order of the outputs.

    Returns:
        ``mAP``, the mean AP over the tags that have pictures; ``mAP_by_chance``, what random scores reach; ``top1``,
        the share in ``[0, 1]`` of the pictures whose likeliest tag is one of theirs; ``micro_F1`` over all pairs of a
        picture and a tag, ``macro_F1``, the mean over the tags, both at the best threshold of each tag and over tags
        that have pictures; ``per_class``: by tag, see `TagFigures.as_dict`, and ``AP_by_chance``, the share of pictures
        that have it; ``intervals``: ``[low, high]`` of ``top1``, with ``level``; ``num_images``; ``num_unknown``,
        pictures with tags that the network does not have. What is not defined is ``None``.
    """
    # Without a picture there is no column either.
    columns = range(len(names)) if len(answers) else ()
    judged = {names[at]: judge_tag(answers.truth[:, at], answers.scores[:, at]) for at in columns}
    judged = judged or {name: TagFigures(None, THRESHOLD, 0, 0, 0) for name in names}
    defined = [one for one in judged.values() if one.num_truth]
    sums = [sum(getattr(one, name) for one in defined) for name in ("right", "found", "num_truth")]
    top1 = share_interval(answers.is_right if len(answers) else np.empty(0, np.bool_))
    return {
        "mAP": float(np.mean([one.AP for one in defined])) if defined else None,
        "mAP_by_chance": float(np.mean([one.num_truth for one in defined])) / len(answers) if defined else None,
        "top1": top1.value,
        "micro_F1": f1(*sums) if defined else None,
        "macro_F1": float(np.mean([f1(one.right, one.found, one.num_truth) for one in defined])) if defined else None,
        "per_class": {
            name: one.as_dict() | {"AP_by_chance": one.num_truth / len(answers) if one.num_truth else None}
            for name, one in judged.items()
        },
        "intervals": {
            "top1": None if top1.low is None or top1.high is None else [top1.low, top1.high],
            "level": LEVEL,
            "resamples": RESAMPLES,
            "seed": 0,
        },
        "num_images": len(answers),
        "num_unknown": int(answers.has_unknown.sum()),
    }


def f1(right: int, found: int, num_truth: int) -> float:
    """Return the harmonic mean of precision and recall, 0 where nothing is right."""
    return 2 * right / (found + num_truth) if right else 0.0


def flat_tag_figures(figures: Mapping[str, Any]) -> dict[str, float]:
    """Return the figures that are curves over the steps; undefined ones are left out."""
    curves = {name: figures[name] for name in ("mAP", "top1", "micro_F1", "macro_F1")}
    return {name: value for name, value in curves.items() if value is not None}


def thresholds_of(results: Mapping[str, Any] | None, names: Sequence[str]) -> NDArray[np.float64]:
    """Return from which probability on each tag is given, ``(tags,)``: as an evaluation found, or ``THRESHOLD``."""
    rows = (results or {}).get("per_class", {})
    return np.array([rows.get(name, {}).get("threshold", THRESHOLD) for name in names], np.float64)
