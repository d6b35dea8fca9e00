"""Runs of one kind side by side, whichever kind that is."""

from collections.abc import Callable, Sequence

from collectors.errors import ConfigError
from collectors.progress import Progress, no_progress
from pipelines.classification.comparison import ComparedClassifier, compare_classifiers
from pipelines.classification.tag_comparison import ComparedTagger, compare_taggers
from pipelines.comparison import ComparedRun, compare
from pipelines.run_directory import RunDirectory
from pipelines.run_kinds import CLASSIFIER, DETECTOR, TAGGER, RunKind
from pipelines.run_list import kind_of_run

Compared = ComparedRun | ComparedClassifier | ComparedTagger
_COMPARE: dict[RunKind, Callable[..., Sequence[Compared]]] = {
    DETECTOR: compare,
    CLASSIFIER: compare_classifiers,
    TAGGER: compare_taggers,
}


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
        What they are, and what `pipelines.comparison.compare`,
        `pipelines.classification.comparison.compare_classifiers` or
        `pipelines.classification.tag_comparison.compare_taggers` says of each.

    Raises:
        InputError: A run was not evaluated.
        ConfigError: They are of different kinds, one stands twice, or there are none.
    """
    kinds = {kind_of_run(run).word: run for run in runs}
    if len(kinds) > 1:
        words = ", ".join(f"{run.path} is a {word}" for word, run in kinds.items())
        raise ConfigError(f"runs of different kinds cannot be compared: {words}", where="RUN")
    kind = kind_of_run(runs[0]) if runs else DETECTOR
    return kind, _COMPARE[kind](runs, resamples=resamples, seed=seed, progress=progress)
