"""What a comparison of runs is, whatever they are of: each of them with the first one, on the same pictures."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from collectors.errors import ConfigError
from collectors.progress import Progress
from pipelines.run_directory import RunDirectory


class Named(Protocol):
    """A run as a comparison calls it."""

    @property
    def name(self) -> str:
        """Its folder, as short as it is clear."""


_Judged = TypeVar("_Judged", bound=Named)
_Compared = TypeVar("_Compared")


def compare_with_first(
    runs: Sequence[RunDirectory],
    judge: Callable[[RunDirectory, str], _Judged],
    compared: Callable[[_Judged, _Judged], _Compared],
    progress: Progress,
) -> list[_Compared]:
    """Compare each run with the first one, that one with itself.

    Args:
        runs: Evaluated runs, at least one, each once.
        judge: Reads what an evaluation left, of a run and its name.
        compared: Compares one with the first.
        progress: Told after each run.

    Raises:
        ConfigError: A run stands twice, or there are no runs.
    """
    names = names_of_runs([run.path for run in runs])
    judged = [judge(run, name) for run, name in zip(runs, names, strict=True)]
    done = []
    for one in judged:
        done.append(compared(one, judged[0]))
        progress(len(done), len(judged), one.name)
    return done


def names_of_runs(paths: Sequence[Path]) -> list[str]:
    """Return a name for each run, as many last parts of its path as keep them apart.

    Raises:
        ConfigError: A run stands twice, or there are no runs.
    """
    if not paths:
        raise ConfigError("there is nothing to compare", where="RUN", fix="Name two runs or more.")
    resolved = [path.resolve() for path in paths]
    if len(set(resolved)) != len(resolved):
        raise ConfigError("a run stands twice", where="RUN", fix="Name each run once.")
    depth = 1
    while len({path.parts[-depth:] for path in resolved}) < len(resolved):
        depth += 1
    return ["/".join(path.parts[-depth:]) for path in resolved]


def other_pictures(own: Collection[Any], first: Collection[Any], first_name: str) -> str:
    """Say that a run was evaluated on other pictures than the first one; empty where it was not.

    Args:
        own: Its pictures, in the order that the first one's have.
        first: Those of the first.
        first_name: What that is called.
    """
    if own == first:
        return ""
    shared = len(set(own) & set(first))
    return f"it was evaluated on other pictures ({shared} of {len(own)} are also those of {first_name})"


def p_value(seen: float, chance: npt.NDArray[np.float64]) -> float | None:
    """Return how often chance gives a difference as large as the one that was seen; ``None``: that is undefined.

    Args:
        seen: The difference of two runs.
        chance: What it is after random exchanges, ``(k,)``.
    """
    if np.isnan(seen):
        return None
    at_least = int(np.sum(np.abs(chance) >= abs(seen) - 1e-12))
    return (1 + at_least) / (1 + len(chance))
