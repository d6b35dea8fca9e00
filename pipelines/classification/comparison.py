"""Classifiers side by side: accuracies with intervals, and whether a difference is more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from collectors.progress import Progress, no_progress
from pipelines.bootstrap import Interval, interval
from pipelines.classification.predictions_file import StoredAnswer, read_answers
from pipelines.paired_comparison import compare_with_first, other_pictures
from pipelines.run_directory import RunDirectory

Hits = NDArray[np.int64]
Answers = dict[tuple[str, str], StoredAnswer]


@dataclass(frozen=True, slots=True)
class ClassifierDifference:
    """What a run has more than the first one, on the same pictures.

    ``p_top1`` and ``p_top5`` are the share of random exchanges of the two runs' answers, picture by picture, that give
    a difference at least as large: the chance to see it if the runs were equally good.
    """

    top1: Interval
    top5: Interval
    p_top1: float
    p_top5: float


@dataclass(frozen=True, slots=True)
class ComparedClassifier:
    """One run of a comparison.

    Attributes:
        name: The run's folder, as short as it is clear.
        step: Step of the checkpoint that was judged.
        num_images: Verification pictures.
        top1: Share of right answers with its interval.
        top5: Share of pictures with the truth among the five best answers.
        difference: To the first run; ``None`` for the first, and where ``not_comparable`` says why.
        not_comparable: Why this run cannot be tested against the first; empty when it can.
    """

    name: str
    step: int | None
    num_images: int
    top1: Interval
    top5: Interval
    difference: ClassifierDifference | None = None
    not_comparable: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """A run's answers, by picture and truth."""

    name: str
    step: int | None
    answers: Answers


def compare_classifiers(
    runs: Sequence[RunDirectory], *, resamples: int = 1000, seed: int = 0, progress: Progress = no_progress
) -> list[ComparedClassifier]:
    """Compare runs by the answers that their evaluations left behind; nothing is evaluated again.

    Args:
        runs: Evaluated runs of classifiers, at least one, each once.
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
    answers = {(answer.picture, answer.truth): answer for answer in read_answers(run.path)}
    return _Judged(name, (run.read_results() or {}).get("step"), answers)


def _compared(one: _Judged, first: _Judged, resamples: int, seed: int) -> ComparedClassifier:
    pictures = sorted(one.answers)
    hits = _hits(one.answers, pictures)
    top1, top5 = (_mean_interval(values, resamples, seed) for values in hits)
    headline = ComparedClassifier(one.name, one.step, len(pictures), top1, top5)
    if one is first:
        return headline
    if reason := other_pictures(one.answers.keys(), first.answers.keys(), first.name):
        return replace(headline, not_comparable=reason)
    deltas = [ours - theirs for ours, theirs in zip(hits, _hits(first.answers, pictures), strict=True)]
    more1, more5 = (_mean_interval(delta, resamples, seed) for delta in deltas)
    p_top1, p_top5 = (_chance(delta, resamples, seed) for delta in deltas)
    return replace(headline, difference=ClassifierDifference(more1, more5, p_top1, p_top5))


def _hits(answers: Answers, pictures: Sequence[tuple[str, str]]) -> tuple[Hits, Hits]:
    """Return 1 for each picture whose best answer (one of whose answers) is right, else 0."""
    best = np.array([answers[picture].is_right for picture in pictures], np.int64)
    among = np.array([answers[picture].truth in answers[picture].found for picture in pictures], np.int64)
    return best, among


def _mean_interval(values: Hits, resamples: int, seed: int) -> Interval:
    """Return the mean of values in -1, 0, 1 over pictures with its interval from a bootstrap over them."""
    if not len(values):
        return Interval(None)
    counts = np.bincount(values + 1, minlength=3)
    # Only how many of each value are drawn counts, not which pictures.
    drawn = np.random.default_rng(seed).multinomial(len(values), counts / len(values), resamples)
    means = np.concatenate([counts[None], drawn]) @ np.array([-1, 0, 1]) / len(values)
    return interval(means)


def _chance(delta: Hits, resamples: int, seed: int) -> float:
    """Exchange the answers of random pictures; only those where one run is right and the other wrong matter."""
    differing = int(np.count_nonzero(delta))
    chance = 2 * np.random.default_rng((seed, 1)).binomial(differing, 0.5, resamples) - differing
    return float((1 + np.sum(np.abs(chance) >= abs(int(delta.sum())))) / (1 + resamples))
