"""What a training tells while it runs: rows of results.csv, the status file, the person."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from collectors.errors import TagboxError
from pipelines.evaluate import evaluation_row, write_evaluation
from pipelines.input_wait import INPUT_WAIT_SHARE
from pipelines.run_directory import RunDirectory
from pipelines.run_task import BoardPictures, RunTask


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """Where a run stands, told after every loop of steps.

    ``loss`` is the mean over the last loop; ``steps_per_second`` the rate since this session's first loop;
    ``input_wait_share`` the share of the last loop that was waiting for batches, 0 to 1; ``eta_s`` the seconds that
    remain at that rate, 0 while there is none; ``figure`` the newest value of the figure that decides which checkpoint
    is best, whose name is ``figure_name``; ``None`` before the first evaluation.
    """

    step: int
    total_steps: int
    loss: float
    learning_rate: float
    steps_per_second: float
    input_wait_share: float
    eta_s: float
    figure: float | None
    figure_name: str


class InterruptedRunError(TagboxError):
    """The person stopped the run; its state is saved."""


class TrainingProgress:
    """Writes down what happens in a run, fed by Orbit's actions.

    Args:
        run: Where to write.
        task: Whose evaluations are written down.
        total_steps: Steps of the whole run.
        report: Told after every loop of steps.
        pictures: Drawn after every evaluation; ``None`` leaves them out.
    """

    def __init__(
        self,
        run: RunDirectory,
        task: RunTask,
        total_steps: int,
        report: Callable[[TrainingReport], None],
        pictures: BoardPictures | None = None,
    ) -> None:
        self._run, self._task, self.total_steps = run, task, total_steps
        self._report, self._pictures = report, pictures
        self._runner: Any = None
        self._first: tuple[int, float] | None = None
        self._idle_s = 0.0
        self._loop_ended = time.monotonic()
        self.step = 0

    def begin(self, runner: Any) -> None:
        """Take the step that the runner has restored, and forget rows of steps after it."""
        self._runner = runner
        self.step = int(runner.trainer.global_step.numpy())
        self._run.drop_rows_after(self.step)

    def is_evaluated(self) -> bool:
        """Tell whether the figures of this step stand in results.csv; they are written last."""
        return self.step in self._run.evaluated_steps()

    def write_status(self, state: str, reason: str = "") -> None:
        """Write the status file, with the newest figures, and the reason for an early end."""
        more = self._figures() | ({"reason": reason} if reason else {})
        self._run.write_status(state, step=self.step, total_steps=self.total_steps, **more)

    def after_training_loop(self, output: dict[str, Any]) -> None:
        """Write the row of a loop of steps, and tell the person."""
        now = time.monotonic()
        step = int(self._runner.trainer.global_step.numpy())
        if step <= self.step:
            # TFM went back to a checkpoint (trainer.recovery_max_trials).
            self._run.drop_rows_after(step - 1)
        self.step = step
        loss = float(output["training_loss"])
        rate, kind = self._rate(now), self._task.kind
        row = {
            "step": self.step,
            "loss": f"{loss:.5f}",
            **{name: f"{float(output[name]):.5f}" for name in (*kind.losses, *kind.accuracies)},
            "learning_rate": f"{float(output['learning_rate']):.6g}",
            "steps_per_second": f"{rate:.3f}",
            "input_wait_share": f"{output[INPUT_WAIT_SHARE]:.4f}",
            **dict.fromkeys(reversed(kind.figures), ""),
        }
        self._run.append_row(row)
        if not math.isfinite(loss):
            return  # TFM's recovery action, which follows, ends the run with the reason
        remaining = (self.total_steps - self.step) / rate if rate else 0.0
        self._report(
            TrainingReport(
                step=self.step,
                total_steps=self.total_steps,
                loss=loss,
                learning_rate=float(output["learning_rate"]),
                steps_per_second=rate,
                input_wait_share=output[INPUT_WAIT_SHARE],
                eta_s=remaining,
                figure=self._figures()[kind.figures[0]],
                figure_name=kind.figures[0],
            )
        )
        self._loop_ended = time.monotonic()

    def after_evaluation(self, output: dict[str, Any]) -> None:
        """Write the row of an evaluation, and what the best one leaves."""
        if self._is_best():
            seconds = time.monotonic() - self._loop_ended
            write_evaluation(self._run, self._task, self.step, checkpoint="best", seconds=seconds)
        self._run.append_row(evaluation_row(self.step, self._task, output.get("validation_loss")))
        if self._pictures:
            self._pictures.write(self._runner.controller.eval_summary_manager)
        self.write_status("running")
        # Evaluation is not training time.
        self._idle_s += time.monotonic() - self._loop_ended

    def _figures(self) -> dict[str, float | None]:
        return self._run.newest_figures(self._task.kind.figures)

    def _is_best(self) -> bool:
        """Tell whether TFM's exporter has just saved this step as the best; its own file says so."""
        info = self._run.best_checkpoints / "info.json"
        return int(json.loads(info.read_text(encoding="utf-8"))["best_ckpt_global_step"]) == self.step

    def _rate(self, now: float) -> float:
        """Steps per second since the first loop, which spent its time on tracing, without the evaluations."""
        if self._first is None:
            self._first, self._idle_s = (self.step, now), 0.0
            return 0.0
        first_step, first_time = self._first
        elapsed = now - first_time - self._idle_s
        return (self.step - first_step) / elapsed if elapsed > 0 else 0.0
