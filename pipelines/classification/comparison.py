"""Classifiers side by side: accuracies with intervals, and whether a difference is more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collectors.progress import Progress, no_progress
from pipelines.bootstrap import Interval, interval
from pipelines.classification.predictions_file import StoredAnswer, read_answers
from pipelines.comparison import names_of_runs
from pipelines.run_directory import RunDirectory

Hits = NDArray[np.int64]


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
    names = names_of_runs([run.path for run in runs])
    compared: list[ComparedClassifier] = []
    first: dict[tuple[str, str], StoredAnswer] = {}
    for done, (run, name) in enumerate(zip(runs, names, strict=True), start=1):
        run.require()
        answers = {(answer.picture, answer.truth): answer for answer in read_answers(run.path)}
        first = first or answers
        compared.append(_compared(run, name, answers, first, names[0], resamples, seed))
        progress(done, len(runs), name)
    return compared


def _compared(
    run: RunDirectory,
    name: str,
    answers: dict[tuple[str, str], StoredAnswer],
    first: dict[tuple[str, str], StoredAnswer],
    first_name: str,
    resamples: int,
    seed: int,
) -> ComparedClassifier:
    pictures = sorted(answers)
    hits = _hits(answers, pictures)
    step = (run.read_results() or {}).get("step")
    top1, top5 = (_mean_interval(one, resamples, seed) for one in hits)
    difference, why_not = None, ""
    if answers is not first:
        if answers.keys() != first.keys():
            shared = len(answers.keys() & first.keys())
            why_not = f"it was evaluated on other pictures ({shared} of {len(answers)} are also those of {first_name})"
        else:
            deltas = [ours - theirs for ours, theirs in zip(hits, _hits(first, pictures), strict=True)]
            more1, more5 = (_mean_interval(delta, resamples, seed) for delta in deltas)
            p_top1, p_top5 = (_chance(delta, resamples, seed) for delta in deltas)
            difference = ClassifierDifference(more1, more5, p_top1, p_top5)
    return ComparedClassifier(name, step, len(pictures), top1, top5, difference, why_not)


def _hits(answers: dict[tuple[str, str], StoredAnswer], pictures: Sequence[tuple[str, str]]) -> tuple[Hits, Hits]:
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
