"""Evaluate the checkpoints of a run that another process trains, as they come."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf
from official.core import train_utils

from collectors.errors import InputError
from collectors.progress import Progress, no_progress
from pipelines.board_summaries import BoardSummaries
from pipelines.checkpoint_files import checkpoints_in
from pipelines.evaluate import Validation, evaluation_row, open_run, records_of, restore, write_evaluation
from pipelines.run_directory import RunDirectory
from pipelines.run_log import logging_into

_ENDED = ("done", "interrupted", "failed")


@dataclass(frozen=True, slots=True)
class FollowedCheckpoint:
    """One checkpoint and its figures; ``is_best`` when it is better than all before."""

    step: int
    evaluation: dict[str, Any]
    is_best: bool


def follow(
    run: RunDirectory,
    *,
    report: Callable[[FollowedCheckpoint], None] = lambda _: None,
    notice: Callable[[str], None] = lambda _: None,
    progress: Progress = no_progress,
    should_stop: Callable[[], bool] = lambda: False,
    poll_s: float = 2.0,
) -> dict[str, Any]:
    """Evaluate every checkpoint in ``checkpoints/last`` that has no figures yet, until the run ends.

    Writes what `pipelines.train.train` writes when it evaluates by itself: a row of ``results.csv``, TensorBoard's
    validation curves and pictures, and for the best one ``checkpoints/best``, ``results.json`` and what it rests on.

    Args:
        run: The run folder; a run that has not begun yet is waited for.
        report: Told after each evaluation.
        notice: Told in sentences what was left out.
        progress: Told after every batch.
        should_stop: Asked between evaluations and while waiting.
        poll_s: Seconds between two looks at the folder.

    Returns:
        The figures of the best checkpoint; an empty dict when there was none.

    Raises:
        InputError: The run has no verification records, or the training process is gone without a word.
    """
    seen: set[int] = set()
    follower: _Follower | None = None
    while not should_stop():
        # The state first: what is written between the two looks is seen by the second.
        has_ended = run.config_path.is_file() and _has_ended(run)
        steps = [step for step, _ in checkpoints_in(run.last_checkpoints)]
        done = run.evaluated_steps() | seen
        due = [step for step in steps if step not in done]
        if due:
            follower = follower or _Follower(run)
            seen.add(due[0])
            try:
                with logging_into(run.evaluation_log_path):
                    found = follower.evaluate(due[0], progress)
                report(found)
            except InputError as error:
                if due[0] in [step for step, _ in checkpoints_in(run.last_checkpoints)]:
                    raise
                notice(f"the checkpoint of step {due[0]} was gone before it could be read ({error.what})")
        elif has_ended:
            break
        else:
            _sleep(poll_s, should_stop)
    return run.read_results() or {}


def _has_ended(run: RunDirectory) -> bool:
    status = run.read_status()
    if status.get("state") == "running" and not run.is_at_work():
        raise InputError(
            f"the training process (pid {status.get('pid')}) is gone",
            where=str(run.path),
            fix="Run the training command again: it goes on from the last checkpoint; then follow it again.",
        )
    return status.get("state") in _ENDED


def _sleep(seconds: float, should_stop: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0 and not should_stop():
        time.sleep(min(left, 0.2))


class _Follower:
    """A model into which one checkpoint after another is loaded."""

    def __init__(self, run: RunDirectory) -> None:
        experiment, self._task, self._model = open_run(run)
        trainer, data = experiment.params.trainer, experiment.params.task.validation_data
        data.input_path = [str(path) for path in records_of(run, data.input_path)]
        self._run, self._metric = run, trainer.best_checkpoint_eval_metric or self._task.kind.figures[0]
        self._validation = Validation(self._task, self._model)
        self._step = tf.Variable(0, dtype=tf.int64)
        self._checkpoint = tf.train.Checkpoint(model=self._model, global_step=self._step)
        self._exporter = train_utils.BestCheckpointExporter(
            str(run.best_checkpoints), self._metric, trainer.best_checkpoint_metric_comp or "higher"
        )
        self._summaries = BoardSummaries(run.validation_events, self._step, training=False)
        paths = [Path(path) for path in data.input_path]
        self._pictures = self._task.board_pictures(paths)

    def evaluate(self, step: int, progress: Progress) -> FollowedCheckpoint:
        prefix = next((prefix for number, prefix in checkpoints_in(self._run.last_checkpoints) if number == step), None)
        if prefix is None:
            raise InputError("no such checkpoint", where=f"step {step}")
        restore(self._model, self._run, str(prefix))
        self._step.assign(step)
        begun = time.monotonic()
        figures = self._validation.run(progress)
        seconds = time.monotonic() - begun
        is_best = self._exporter.maybe_export_checkpoint(self._checkpoint, dict(figures), step)
        if is_best:
            write_evaluation(self._run, self._task, step, checkpoint="best", seconds=seconds)
        self._run.append_row(evaluation_row(step, self._task, figures["validation_loss"]))
        self._summaries.write_summaries(figures)
        if self._pictures:
            self._pictures.write(self._summaries)
        return FollowedCheckpoint(step, self._task.evaluation, is_best)
