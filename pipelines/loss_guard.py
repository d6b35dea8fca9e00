"""The bound on a run's loss: ends it when the loss explodes, long before it is not a number any more."""

import math
from typing import Any

from official.core import actions

from pipelines.run_directory import RunDirectory

FACTOR = 30.0


class LossGuard:
    """A train action that tells TFM's recovery condition what this run's loss is at most.

    The network of the first loop of steps knows nothing yet; one that is thirty times worse is lost. The bound of
    the config, ``trainer.loss_upper_bound``, holds where it is lower.

    Args:
        run: Its ``results.csv`` has the first loss, of whichever session that was.
    """

    def __init__(self, run: RunDirectory) -> None:
        self._run = run
        self._conditions: list[actions.RecoveryCondition] = []
        self._is_bound = False

    def begin(self, runner: Any) -> None:
        """Find TFM's condition; there is none when ``trainer.recovery_max_trials`` is negative."""
        found = [getattr(action, "condition", None) for action in runner.controller.train_actions]
        self._conditions = [condition for condition in found if isinstance(condition, actions.RecoveryCondition)]

    def __call__(self, _: Any) -> None:
        """Set the bound; comes before TFM's action and after the row of the first loop is written."""
        if self._is_bound:
            return
        losses = [float(row["loss"]) for row in self._run.read_rows() if row["loss"]]
        for condition in self._conditions:
            condition.loss_upper_bound = min(condition.loss_upper_bound, FACTOR * losses[0])
        self._is_bound = True


def what_happened(run: RunDirectory) -> str:
    """Say what the loss of the newest loop of steps is, beside the first."""
    rows = [row for row in run.read_rows() if row["loss"]]
    first, last = float(rows[0]["loss"]), float(rows[-1]["loss"])
    if math.isnan(last):
        return f"the loss is not a number at step {rows[-1]['step']}"
    return f"the loss is {last:.6g} at step {rows[-1]['step']}, and began at {first:.6g}"
