"""Train a detector: TFM's Orbit loop on a run folder that can be left and taken up again."""

import contextlib
import io
import json
import logging
import math
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf
from official.common import distribute_utils
from official.core import task_factory, train_lib
from official.modeling import performance

from collectors.errors import ConfigError, InputError, TagboxError
from collectors.files import write_atomically
from pipelines.detection.task import SSDDetectionTask
from pipelines.evaluate import write_evaluation
from pipelines.experiment import Experiment, dump_experiment, leaves_of, load_experiment
from pipelines.preflight import Preflight
from pipelines.run_directory import RunDirectory


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """Where a run stands, told after every loop of steps and every evaluation.

    ``loss`` is the mean over the last loop; ``steps_per_second`` the rate since this session's first loop;
    ``eta_s`` the seconds that remain at that rate; ``ap50`` the newest figure, ``None`` before the first evaluation.
    """

    step: int
    total_steps: int
    loss: float
    learning_rate: float
    steps_per_second: float
    eta_s: float
    ap50: float | None


class InterruptedRunError(TagboxError):
    """The person stopped the run; its state is saved."""


def train(
    experiment: Experiment,
    preflight: Preflight,
    run: RunDirectory,
    *,
    command: list[str],
    report: Callable[[TrainingReport], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Train until the last step, evaluating along the way; go on where the run folder stands.

    Args:
        experiment: Checked and completed by `pipelines.preflight.prepare`.
        preflight: What that returned.
        run: The run folder; empty, or of the same experiment.
        command: The words that started this, for the record.
        report: Told where the run stands.
        should_stop: Asked after every loop of steps; true saves the state and ends the run early.

    Returns:
        The figures of the best checkpoint, as in ``results.json``; an empty dict without verification records.

    Raises:
        InterruptedRunError: ``should_stop`` said so.
        ConfigError: The folder belongs to another experiment, or the loss is not a number any more.
        InputError: A file could not be read or written.
    """
    _refuse_another_experiment(experiment, run)
    write_atomically(run.config_path, dump_experiment(experiment))
    write_atomically(run.label_map_path, Path(experiment.params.task.label_map).read_bytes())
    run.write_environment(command)
    run.remove_unfinished_checkpoints()
    with _logging_into(run.log_path):
        try:
            return _train(experiment, preflight, run, report, should_stop)
        except InterruptedRunError:
            raise
        except KeyboardInterrupt:
            # The second Ctrl-C: what was saved last is what there is to go on from.
            run.write_status("interrupted", **_saved(run, experiment))
            raise
        except BaseException as error:
            run.remove_unfinished_checkpoints()  # on a full disk their room is needed for what follows
            run.write_status("failed", **_saved(run, experiment), error=f"{type(error).__name__}: {error}"[:500])
            raise


def _train(
    experiment: Experiment,
    preflight: Preflight,
    run: RunDirectory,
    report: Callable[[TrainingReport], None],
    should_stop: Callable[[], bool],
) -> dict[str, Any]:
    params = experiment.params
    params.task.train_data.input_path = [str(path) for path in preflight.training.paths]
    params.task.validation_data.input_path = [str(path) for path in preflight.verification.paths]
    evaluates = preflight.verification.num_examples > 0
    if not evaluates:
        params.trainer.best_checkpoint_export_subdir = ""
    _fit_intervals(params.trainer)
    _vary_seed(params.task.train_data, run)
    if params.runtime.mixed_precision_dtype:
        performance.set_mixed_precision_policy(params.runtime.mixed_precision_dtype)
    strategy = distribute_utils.get_distribution_strategy(
        distribution_strategy=params.runtime.distribution_strategy,
        all_reduce_alg=params.runtime.all_reduce_alg,
        num_gpus=params.runtime.num_gpus,
        tpu_address=params.runtime.tpu,
    )
    task = task_factory.get_task(params.task, logging_dir=str(run.path))
    task.class_names = dict(preflight.label_map.items)
    progress = _Progress(run, task, params.trainer.train_steps, report, should_stop)
    # Orbit prints its reports; they are in the log too, and stdout belongs to the command's own data.
    with contextlib.redirect_stdout(io.StringIO()):
        runner = _RunFolderRunner(
            strategy,
            task,
            "train_and_eval" if evaluates else "train",
            params,
            str(run.path),
            train_actions=[progress.after_training_loop],
            eval_actions=[progress.after_evaluation],
        )
    progress.begin(runner)
    has_all_steps = progress.step >= params.trainer.train_steps
    if has_all_steps and (not evaluates or progress.is_evaluated()):
        results = run.read_results() or {}
        figures = {name: results.get(name) for name in ("AP", "AP50")}
        run.write_status("done", step=progress.step, total_steps=params.trainer.train_steps, **figures)
        return results
    run.write_status("running", step=progress.step, total_steps=params.trainer.train_steps)
    try:
        with contextlib.redirect_stdout(io.StringIO()), runner.strategy.scope():
            if has_all_steps:
                # Killed after its last step and before the figures of it were written.
                runner.controller.evaluate(params.trainer.validation_steps)
            elif evaluates:
                runner.controller.train_and_evaluate(
                    params.trainer.train_steps, params.trainer.validation_steps, params.trainer.validation_interval
                )
            else:
                runner.controller.train(params.trainer.train_steps)
    except tf.errors.OpError as error:
        raise _input_error(error, run) from error
    except RuntimeError as error:
        if "loss value" in str(error):
            raise ConfigError(
                f"training blew up: {error}",
                where=str(run.path),
                fix="Lower trainer.optimizer_config.learning_rate, or check the boxes with tagbox labels check.",
            ) from error
        raise
    run.write_status("done", step=progress.step, total_steps=params.trainer.train_steps, **progress.headline())
    return run.read_results() or {}


def _input_error(error: tf.errors.OpError, run: RunDirectory) -> InputError:
    """Say in one line what an operation of TensorFlow stumbled over: a full disk, or what it read."""
    reason = re.sub(r"\{\{.*?\}\} ?|\[Op:.*", "", error.message.partition("\n")[0]).strip()
    if full := re.search("No space left on device|File too large|Disk quota exceeded", error.message):
        return InputError(
            f"cannot write a checkpoint: {full.group()}",
            where=str(run.path),
            fix="Free some space, then run the same command again; it goes on from the last one.",
        )
    return InputError(
        f"TensorFlow stopped: {reason}",
        where=str(run.path),
        fix=f"The log is {run.log_path}. If a record is damaged, `tagbox records verify` finds it.",
    )


class _RunFolderRunner(train_lib.OrbitExperimentRunner):
    """TFM's runner with the checkpoints where the run folder has them."""

    def _maybe_build_checkpoint_manager(self) -> tf.train.CheckpointManager:
        return tf.train.CheckpointManager(
            self.trainer.checkpoint,
            directory=str(RunDirectory(Path(self.model_dir)).last_checkpoints),
            max_to_keep=self.params.trainer.max_to_keep,
            step_counter=self.trainer.global_step,
            checkpoint_interval=self.params.trainer.checkpoint_interval,
            init_fn=self.trainer.initialize,
        )


class _Progress:
    """Rows of results.csv, the status file and the report to the person, fed by Orbit's actions."""

    def __init__(
        self,
        run: RunDirectory,
        task: SSDDetectionTask,
        total_steps: int,
        report: Callable[[TrainingReport], None],
        should_stop: Callable[[], bool],
    ) -> None:
        self._run, self._task, self._total = run, task, total_steps
        self._report, self._should_stop = report, should_stop
        self._runner: Any = None
        self._first: tuple[int, float] | None = None
        self._idle_s = 0.0
        self._loop_ended = time.monotonic()
        self._row: dict[str, Any] = {}
        self.step = 0

    def begin(self, runner: Any) -> None:
        self._runner = runner
        self.step = int(runner.trainer.global_step.numpy())
        self._run.drop_rows_after(self.step)

    def is_evaluated(self) -> bool:
        """Tell whether the figures of this step stand in results.csv; they are written last."""
        rows = self._run.read_rows()
        return bool(rows) and int(rows[-1]["step"]) == self.step and not rows[-1]["loss"]

    def headline(self) -> dict[str, Any]:
        return {name: self._task.evaluation.get(name) for name in ("AP", "AP50")}

    def after_training_loop(self, output: dict[str, Any]) -> None:
        now = time.monotonic()
        self.step = int(self._runner.trainer.global_step.numpy())
        loss = float(output["training_loss"])
        rate = self._rate(now)
        self._row = {
            "step": self.step,
            "loss": f"{loss:.5f}",
            "classification_loss": f"{float(output['classification_loss']):.5f}",
            "localization_loss": f"{float(output['localization_loss']):.5f}",
            "regularization_loss": f"{float(output['regularization_loss']):.5f}",
            "learning_rate": f"{float(output['learning_rate']):.6g}",
            "steps_per_second": f"{rate:.3f}",
            "AP": "",
            "AP50": "",
        }
        self._run.append_row(self._row)
        if not math.isfinite(loss):
            return  # TFM's recovery action, which follows, ends the run with the reason
        remaining = (self._total - self.step) / rate if rate else 0.0
        ap50 = self._task.evaluation.get("AP50")
        self._report(
            TrainingReport(self.step, self._total, loss, float(output["learning_rate"]), rate, remaining, ap50)
        )
        self._loop_ended = time.monotonic()
        if self._should_stop() and self.step < self._total:
            self._runner.checkpoint_manager.save(checkpoint_number=self.step, check_interval=False)
            self._run.write_status("interrupted", step=self.step, total_steps=self._total, **self.headline())
            raise InterruptedRunError(
                f"stopped at step {self.step} of {self._total}; the state is saved",
                where=str(self._run.path),
                fix="Run the same command again to go on.",
            )

    def after_evaluation(self, output: dict[str, Any]) -> None:
        if self._is_best():
            write_evaluation(self._run, self._task, self.step, checkpoint="best")
        figures = self.headline()
        row = {"step": self.step, "loss": "", **{k: "" if v is None else f"{v:.5f}" for k, v in figures.items()}}
        self._run.append_row({**dict.fromkeys(self._row, ""), **row, "validation_loss": _number(output)})
        self._run.write_status("running", step=self.step, total_steps=self._total, **figures)
        # Evaluation is not training time.
        self._idle_s += time.monotonic() - self._loop_ended

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


def _number(output: dict[str, Any]) -> str:
    value = output.get("validation_loss")
    return "" if value is None else f"{float(value):.5f}"


def _refuse_another_experiment(experiment: Experiment, run: RunDirectory) -> None:
    """Keep a run to the experiment and the network it was started with; its checkpoints fit no other."""
    if not run.is_started():
        return
    before = load_experiment(run.config_path)
    choose = "Choose another folder with --run, or remove this one."
    if before.name != experiment.name:
        what = f"this folder holds a run of `{before.name}`, not of `{experiment.name}`"
        raise ConfigError(what, where=str(run.path), fix=choose)
    old, new = (dict(leaves_of(one.params.task.model.as_dict())) for one in (before, experiment))
    for key in sorted(old.keys() | new.keys()):
        # Thresholds and limits of the post-processing are not part of the network.
        if old.get(key) != new.get(key) and not key.startswith("detections."):
            raise ConfigError(
                f"this folder holds a run of another network: task.model.{key} is {old.get(key)!r} there "
                f"and {new.get(key)!r} now",
                where=str(run.path),
                fix=choose,
            )


def _vary_seed(data: Any, run: RunDirectory) -> None:
    """Seed everything; a run that goes on draws other batches than those it began with."""
    if data.seed is not None:
        data.seed += _saved_step(run)
    tf.keras.utils.set_random_seed(data.seed or 0)


def _saved(run: RunDirectory, experiment: Experiment) -> dict[str, int]:
    return {"step": _saved_step(run), "total_steps": experiment.params.trainer.train_steps}


def _saved_step(run: RunDirectory) -> int:
    latest = tf.train.latest_checkpoint(str(run.last_checkpoints))
    return int(latest.rpartition("-")[2]) if latest else 0


def _fit_intervals(trainer: Any) -> None:
    """Make short runs report, save and evaluate at least once: no interval is longer than the run."""
    for name in ("steps_per_loop", "summary_interval", "checkpoint_interval", "validation_interval"):
        setattr(trainer, name, max(1, min(getattr(trainer, name), trainer.train_steps)))
    # Orbit wants these to be multiples of the loop.
    loop = trainer.steps_per_loop
    for name in ("summary_interval", "checkpoint_interval", "validation_interval"):
        setattr(trainer, name, max(loop, getattr(trainer, name) // loop * loop))


class _QuietFileHandler(logging.FileHandler):
    """A full disk ends the run with a message of its own; logging would print a traceback for every line."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        pass


@contextlib.contextmanager
def _logging_into(path: Path) -> Iterator[None]:
    """Send what TFM and TensorFlow log into the run folder instead of the terminal."""
    from absl import logging as absl_logging

    path.parent.mkdir(parents=True, exist_ok=True)
    handler = _QuietFileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname).1s %(message)s"))
    loggers = [absl_logging.get_absl_logger(), logging.getLogger("tensorflow")]
    previous = [(logger, list(logger.handlers), logger.propagate, logger.level) for logger in loggers]
    for logger in loggers:
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger, handlers, propagate, level in previous:
            logger.handlers, logger.propagate = handlers, propagate
            logger.setLevel(level)
        handler.close()
