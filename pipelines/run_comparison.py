"""Runs of one kind side by side, whichever kind that is."""

from collections.abc import Sequence

from collectors.errors import ConfigError
from collectors.progress import Progress, no_progress
from pipelines.classification.comparison import ComparedClassifier, compare_classifiers
from pipelines.comparison import ComparedRun, compare
from pipelines.run_directory import RunDirectory
from pipelines.run_kinds import DETECTOR, TAGGER, RunKind
from pipelines.run_list import kind_of_run

Compared = ComparedRun | ComparedClassifier


def compare_runs(
    runs: Sequence[RunDirectory], *, resamples: int = 1000, seed: int = 0, progress: Progress = no_progress
) -> tuple[RunKind, Sequence[Compared]]:
    """Compare runs with the first one.

    Args:
        runs: Evaluated runs of one kind, at least one, each once.
        resamples: How often pictures are drawn for intervals and tests.
        seed: Of the draws.
        progress: Told after each run.

    Returns:
        What they are, and what `pipelines.comparison.compare` or
        `pipelines.classification.comparison.compare_classifiers` says of each.

    Raises:
        InputError: A run was not evaluated.
        ConfigError: They are of different kinds or tag classifiers, one stands twice, or there are none.
    """
    kinds = {kind_of_run(run).word: run for run in runs}
    if len(kinds) > 1:
        words = ", ".join(f"{run.path} is a {word}" for word, run in kinds.items())
        raise ConfigError(f"runs of different kinds cannot be compared: {words}", where="RUN")
    kind = kind_of_run(runs[0]) if runs else DETECTOR
    if kind is TAGGER:
        raise ConfigError(
            "there is no paired test of tag classifiers: an answer is no single right or wrong",
            where="RUN",
            fix="Look at their figures with: tagbox runs list DIR",
        )
    compare_them = compare if kind is DETECTOR else compare_classifiers
    return kind, compare_them(runs, resamples=resamples, seed=seed, progress=progress)
