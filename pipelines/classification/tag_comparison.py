"""Tag classifiers side by side: mAP and F1 with intervals, and whether a difference is more than chance.

Average precision asks only for the order of the pictures. So two runs exchange ranks, not probabilities: a run whose
probabilities are smaller throughout is no other run.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from collectors.progress import Progress, no_progress
from pipelines.bootstrap import Interval, draws, interval
from pipelines.classification.tag_answers import thresholds_of
from pipelines.classification.tag_evidence import read_tag_scores
from pipelines.classification.tag_intervals import Counts, Floats, mean_of_defined, weighted_average_precision
from pipelines.paired_comparison import compare_with_first, other_pictures, p_value
from pipelines.run_directory import RunDirectory


@dataclass(frozen=True, slots=True)
class TaggerDifference:
    """What a run has more than the first one, on the same pictures.

    ``p_map`` and ``p_micro_f1`` are the share of random exchanges of the two runs' answers, picture by picture, that
    give a difference at least as large: the chance to see it if the runs were equally good. ``None``: undefined.
    """

    mAP: Interval  # noqa: N815 - as in results.json
    micro_F1: Interval  # noqa: N815
    p_map: float | None
    p_micro_f1: float | None


@dataclass(frozen=True, slots=True)
class ComparedTagger:
    """One run of a comparison.

    Attributes:
        name: The run's folder, as short as it is clear.
        step: Step of the checkpoint that was judged.
        num_images: Verification pictures.
        mAP: Mean AP over the tags that have pictures, with its interval.
        micro_F1: F1 of all answers at the run's own thresholds, which stay as they are in all draws.
        difference: To the first run; ``None`` for the first, and where ``not_comparable`` says why.
        not_comparable: Why this run cannot be tested against the first; empty when it can.
    """

    name: str
    step: int | None
    num_images: int
    mAP: Interval  # noqa: N815
    micro_F1: Interval  # noqa: N815
    difference: TaggerDifference | None = None
    not_comparable: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """A run's answers: pictures sorted by name, tags by name, only those tags that have a picture.

    ``found`` is whether a picture is given a tag, ``ranks`` the order of the pictures for each tag, both ``(n, tags)``.
    """

    name: str
    step: int | None
    pictures: tuple[str, ...]
    tags: tuple[str, ...]
    truth: NDArray[np.bool_]
    ranks: Floats
    found: NDArray[np.bool_]


def compare_taggers(
    runs: Sequence[RunDirectory], *, resamples: int = 1000, seed: int = 0, progress: Progress = no_progress
) -> list[ComparedTagger]:
    """Compare runs by the scores that their evaluations left behind; nothing is evaluated again.

    Args:
        runs: Evaluated runs of tag classifiers, at least one, each once.
        resamples: How often pictures are drawn; the smallest p-value that can be shown is ``1 / (resamples + 1)``.
        seed: Another seed, other draws; the same seed, the same table.
        progress: Told after each run.

    Raises:
        InputError: A run was not evaluated.
        ConfigError: A run stands twice, or there are no runs.
    """
    return compare_with_first(runs, _judge, lambda one, first: _compared(one, first, resamples, seed), progress)


def _judge(run: RunDirectory, name: str) -> _Judged:
    run.require()
    stored, results = read_tag_scores(run.path), run.read_results()
    shown = [at for at in np.argsort(stored.tags).tolist() if stored.truth[:, at].any()]
    rows = np.argsort(stored.pictures, kind="stable")
    truth, scores = stored.truth[rows][:, shown], stored.scores[rows][:, shown]
    tags = tuple(stored.tags[at] for at in shown)
    return _Judged(
        name=name,
        step=(results or {}).get("step"),
        pictures=tuple(stored.pictures[row] for row in rows.tolist()),
        tags=tags,
        truth=truth,
        ranks=np.stack([_ranks(column) for column in scores.T], axis=1) if tags else np.zeros(truth.shape),
        found=scores >= thresholds_of(results, tags),
    )


def _ranks(scores: NDArray[np.float32]) -> Floats:
    """Return how many pictures have a smaller score, those of the same one counting half, ``(n,)``."""
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    middle: Floats = ends - counts / 2
    return middle[places]


def _compared(one: _Judged, first: _Judged, resamples: int, seed: int) -> ComparedTagger:
    weights = draws(len(one.pictures), resamples, seed).astype(np.int32)
    own = _figures(one, weights)
    headline = ComparedTagger(one.name, one.step, len(one.pictures), interval(own[0]), interval(own[1]))
    if one is first:
        return headline
    if reason := _why_not(one, first):
        return replace(headline, not_comparable=reason)
    more = [ours - theirs for ours, theirs in zip(own, _figures(first, weights), strict=True)]
    chance = _exchanged(one, first, resamples, seed)
    p_map, p_micro_f1 = (p_value(float(values[0]), others) for values, others in zip(more, chance, strict=True))
    return replace(headline, difference=TaggerDifference(interval(more[0]), interval(more[1]), p_map, p_micro_f1))


def _why_not(one: _Judged, first: _Judged) -> str:
    if reason := other_pictures(one.pictures, first.pictures, first.name):
        return reason
    if one.tags != first.tags or not np.array_equal(one.truth, first.truth):
        return f"the tags to find are not those of {first.name}"
    return ""


def _figures(judged: _Judged, weights: Counts) -> tuple[Floats, Floats]:
    """Return mAP and micro F1 for each weighting ``(k, n)``, each ``(k,)``; NaN where undefined."""
    columns = zip(judged.truth.T, judged.ranks.T, strict=True)
    averages = [weighted_average_precision(truth, ranks, weights) for truth, ranks in columns]
    right, found, total = (
        weights @ part.sum(axis=1) for part in (judged.truth & judged.found, judged.found, judged.truth)
    )
    return mean_of_defined(averages, len(weights)), _f1(right, found, total)


def _exchanged(one: _Judged, first: _Judged, resamples: int, seed: int) -> tuple[Floats, Floats]:
    """Return differences of mAP and micro F1 after exchanging the two runs' answers to random pictures."""
    swaps = np.random.default_rng((seed, 1)).integers(0, 2, (resamples, len(one.pictures)), np.int32)
    # Both runs' answers stand behind each other; each picture is taken from one of them.
    sides = [np.concatenate(pair, axis=1) for pair in ((1 - swaps, swaps), (swaps, 1 - swaps))]
    pooled = _Judged(
        name="",
        step=None,
        pictures=(*one.pictures, *first.pictures),
        tags=one.tags,
        truth=np.concatenate([one.truth, first.truth]),
        ranks=np.concatenate([one.ranks, first.ranks]),
        found=np.concatenate([one.found, first.found]),
    )
    ours, theirs = (_figures(pooled, side) for side in sides)
    return ours[0] - theirs[0], ours[1] - theirs[1]


def _f1(right: Counts, found: Counts, total: Counts) -> Floats:
    return np.where(total, 2 * right / np.maximum(found + total, 1), np.nan)
