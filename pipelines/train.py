"""Train what a config describes: TFM's Orbit loop on a run folder that can be left and taken up again."""

import contextlib
import io
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf
import tf_keras
from official.common import distribute_utils
from official.modeling import performance

from collectors.errors import ConfigError, InputError
from collectors.files import write_atomically
from pipelines.checkpoint_files import checkpoints_in
from pipelines.cluster import Cluster, any_of_all, leave_together, of_chief, own_folder, take_state_of_chief
from pipelines.early_stopping import reason_to_stop
from pipelines.experiment import Experiment, dump_experiment
from pipelines.loss_guard import LossGuard, what_happened
from pipelines.optimizer_rates import rate_remark
from pipelines.preflight import Preflight
from pipelines.resuming import as_saved, fix_seed, refuse_another_experiment, sound_step, unreadable_record
from pipelines.run_directory import RunDirectory
from pipelines.run_folder_runner import RunFolderRunner
from pipelines.run_kinds import kind_of
from pipelines.run_log import logging_into
from pipelines.run_task import make_task
from pipelines.time_budget import TimeBudget
from pipelines.training_progress import InterruptedRunError, TrainingProgress, TrainingReport

ALONE = Cluster()


def train(
    experiment: Experiment,
    preflight: Preflight,
    run: RunDirectory,
    *,
    command: list[str],
    report: Callable[[TrainingReport], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
    notice: Callable[[str], None] = lambda _: None,
    evaluates: bool = True,
    cluster: Cluster = ALONE,
    budget: TimeBudget | None = None,
) -> dict[str, Any]:
    """Train until the last step, evaluating along the way; go on where the run folder stands.

    Going on gives the batches, the learning rates and the evaluations that the run would have had.

    Args:
        experiment: Checked and completed by `pipelines.preflight.prepare`.
        preflight: What that returned.
        run: The run folder; empty, or of the same experiment.
        command: The words that started this, for the record.
        report: Told where the run stands.
        should_stop: Asked after every loop of steps; true saves the state and ends the run early.
        notice: Told in sentences what the person should know: how well a network fits the data, what was set aside.
        evaluates: Whether this process evaluates; without, `pipelines.follow.follow` can.
        cluster: This process's place among several that train together; `pipelines.cluster.join` came before.
        budget: Ends the run on time; it has planned the experiment's steps.

    Returns:
        The figures of the best checkpoint, as in ``results.json``; an empty dict without an evaluation.

    Raises:
        InterruptedRunError: ``should_stop`` said so.
        ConfigError: The folder belongs to another experiment, or the loss is not a number any more.
        InputError: A file could not be read or written.
    """
    if cluster.is_chief:
        refuse_another_experiment(experiment, run)
    evaluates = evaluates and preflight.verification.num_examples > 0
    _check_early_stopping(experiment)
    if experiment.params.trainer.early_stopping.patience and not evaluates:
        notice("trainer.early_stopping has no effect: this process does not evaluate")
    if remark := rate_remark(experiment):
        notice(remark)
    with own_folder(run, cluster) as own:
        fix_seed(experiment, own)
        job = _Job(experiment, preflight, own, cluster, evaluates, report, should_stop, notice, budget)
        write_atomically(own.config_path, dump_experiment(experiment))
        write_atomically(own.label_map_path, Path(experiment.params.task.label_map).read_bytes())
        own.write_environment(command)
        with logging_into(own.log_path):
            return _account_for(job)


def _check_early_stopping(experiment: Experiment) -> None:
    key, metric = "trainer.early_stopping.metric", experiment.params.trainer.early_stopping.metric
    known = (*kind_of(experiment.name).figures, "validation_loss")
    if metric and metric not in known:
        where = experiment.origins.get(key, key)
        raise ConfigError(f"`{key}` is {metric!r}", where=where, fix=f"It must be one of {', '.join(known)}.")


@dataclass(frozen=True, slots=True)
class _Job:
    """What `train` was asked for."""

    experiment: Experiment
    preflight: Preflight
    run: RunDirectory
    cluster: Cluster
    evaluates: bool
    report: Callable[[TrainingReport], None]
    should_stop: Callable[[], bool]
    notice: Callable[[str], None]
    budget: TimeBudget | None


def _account_for(job: _Job) -> dict[str, Any]:
    """Run the job, and leave a status behind however it ends."""
    run, experiment = job.run, job.experiment
    try:
        return _run(job)
    except InterruptedRunError:
        raise
    except KeyboardInterrupt:
        # The second Ctrl-C: what was saved last is what there is to go on from.
        run.write_status("interrupted", **as_saved(run, experiment))
        raise
    except BaseException as error:
        run.remove_unfinished_checkpoints()  # on a full disk their room is needed for what follows
        run.write_status("failed", **as_saved(run, experiment), error=f"{type(error).__name__}: {error}"[:500])
        raise


def _run(job: _Job) -> dict[str, Any]:
    experiment, run = job.experiment, job.run
    params, verification = experiment.params, job.preflight.verification
    params.task.train_data.input_path = [str(path) for path in job.preflight.training.paths]
    params.task.validation_data.input_path = [str(path) for path in verification.paths]
    if not job.evaluates:
        params.trainer.best_checkpoint_export_subdir = ""
    _fit_intervals(params.trainer)
    # TensorFlow's own watch over SIGTERM would save beside ours, and complains when its peers have ended.
    params.trainer.preemption_on_demand_checkpoint = False
    if params.runtime.mixed_precision_dtype:
        performance.set_mixed_precision_policy(params.runtime.mixed_precision_dtype)
    strategy = distribute_utils.get_distribution_strategy(
        distribution_strategy=params.runtime.distribution_strategy,
        all_reduce_alg=params.runtime.all_reduce_alg,
        num_gpus=params.runtime.num_gpus,
        tpu_address=params.runtime.tpu,
    )
    task = make_task(params.task, job.preflight.label_map, run.path)
    task.first_step = of_chief(strategy, sound_step(run, job.notice), is_chief=job.cluster.is_chief)
    task.total_steps = params.trainer.train_steps
    take_state_of_chief(strategy, run, task.first_step, is_chief=job.cluster.is_chief)
    pictures = None
    if job.evaluates and job.cluster.is_chief:
        pictures = task.board_pictures(verification.paths)
    progress = TrainingProgress(run, task, params.trainer.train_steps, job.report, pictures)
    guard = LossGuard(run)
    # Orbit prints its reports; they are in the log too, and stdout belongs to the command's own data.
    with contextlib.redirect_stdout(io.StringIO()):
        runner = RunFolderRunner(
            strategy,
            task,
            "train_and_eval" if job.evaluates else "train",
            params,
            str(run.path),
            save_summary=job.cluster.is_chief,
            train_actions=[progress.after_training_loop, guard],
            eval_actions=[progress.after_evaluation],
        )
    with strategy.scope():
        _make_slots(runner.trainer.optimizer, task.trained_variables(runner.trainer.model))
    progress.begin(runner)
    guard.begin(runner)
    if job.budget:
        job.budget.begin(runner.trainer.optimizer, validation_interval=params.trainer.validation_interval)
    try:
        if not progress.step and job.cluster.is_chief:
            # The workers of a cluster take from their data together only.
            fed = runner.trainer.train_dataset if job.cluster.size == 1 else task.build_inputs(params.task.train_data)
            task.draw_batch(fed, strategy, run.training_batch_path)
        for remark in task.before_training(run, runner.trainer.model, job.preflight):
            job.notice(remark)
            _stop_if_asked(job, runner, progress)
        with contextlib.redirect_stdout(io.StringIO()), strategy.scope():
            reason = _to_the_last_step(job, runner, progress)
    except tf.errors.OpError as error:
        raise _input_error(error, job) from error
    except RuntimeError as error:
        if "loss value" in str(error):
            raise _blown_up(job) from error
        raise
    progress.write_status("done", reason)
    return run.read_results() or {}


def _make_slots(optimizer: Any, variables: list[Any]) -> None:
    """Make the optimizer's variables now: those that a first step made would have TensorFlow record the step twice."""
    if isinstance(optimizer, tf_keras.optimizers.legacy.Optimizer):
        optimizer._create_all_weights(variables)
    elif hasattr(optimizer, "build"):
        optimizer.build(variables)


def _to_the_last_step(job: _Job, runner: Any, progress: TrainingProgress) -> str:
    """Train in loops and evaluate where an uninterrupted run would, wherever this session began.

    Returns:
        Why the run ended before its last step; empty when it did not.
    """
    trainer, controller = job.experiment.params.trainer, runner.controller
    interval, begun_at = trainer.validation_interval, progress.step
    is_due = bool(begun_at) and (begun_at % interval == 0 or begun_at >= trainer.train_steps)
    if job.evaluates and is_due and not any_of_all(runner.strategy, progress.is_evaluated()):
        # Stopped after this step and before its figures were written.
        progress.write_status("running")
        _evaluate(job, runner)
    reason = _reason_to_stop(job, runner, progress)
    while progress.step < trainer.train_steps and not reason:
        if progress.step == begun_at:
            progress.write_status("running")
        evaluation_due = (progress.step // interval + 1) * interval
        # A time budget may change how many steps there are.
        while progress.step < min(evaluation_due, trainer.train_steps):
            until = min(progress.step + trainer.steps_per_loop, evaluation_due, trainer.train_steps)
            controller.train(until, checkpoint_at_completion=False)
            _keep_time(job, progress)
            _stop_if_asked(job, runner, progress)
        if job.evaluates:
            _evaluate(job, runner)
            reason = _reason_to_stop(job, runner, progress)
            if not reason:
                _stop_if_asked(job, runner, progress)
    if progress.step > begun_at:
        controller.save_checkpoint()
    leave_together(runner.strategy, is_chief=job.cluster.is_chief)
    return reason


def _evaluate(job: _Job, runner: Any) -> None:
    begun = time.monotonic()
    runner.controller.evaluate(job.experiment.params.trainer.validation_steps)
    if job.budget:
        job.budget.after_evaluation(time.monotonic() - begun)


def _keep_time(job: _Job, progress: TrainingProgress) -> None:
    """Let a time budget decide anew how many steps there are."""
    if job.budget and (change := job.budget.after_loop(progress.step, evaluates=job.evaluates)):
        job.experiment.params.trainer.train_steps = progress.total_steps = job.budget.plan.train_steps
        job.notice(change)


def _reason_to_stop(job: _Job, runner: Any, progress: TrainingProgress) -> str:
    """Return why the run ends here, before its last step, and tell the person; empty when it does not."""
    trainer = job.experiment.params.trainer
    settings, best = trainer.early_stopping, trainer.best_checkpoint_eval_metric
    if not job.evaluates or not settings.patience or progress.step >= trainer.train_steps:
        return ""
    metric = settings.metric or best
    lower = metric.endswith("loss") if metric != best else trainer.best_checkpoint_metric_comp == "lower"
    rows = job.run.read_rows()
    why = reason_to_stop(rows, settings, step=progress.step, metric=metric, lower_is_better=lower)
    # The chief has the figures of all sessions.
    if not of_chief(runner.strategy, int(bool(why)), is_chief=job.cluster.is_chief):
        return ""
    reason = f"early stopping: {why}"
    job.notice(f"the run ends at step {progress.step} of {trainer.train_steps} ({reason})")
    return reason


def _stop_if_asked(job: _Job, runner: Any, progress: TrainingProgress) -> None:
    total = job.experiment.params.trainer.train_steps
    if progress.step >= total or not any_of_all(runner.strategy, job.should_stop()):
        return
    runner.controller.save_checkpoint()
    progress.write_status("interrupted")
    leave_together(runner.strategy, is_chief=job.cluster.is_chief)
    raise InterruptedRunError(
        f"stopped at step {progress.step} of {total}; the state is saved",
        where=str(job.run.path),
        fix="Run the same command again to go on.",
    )


def _blown_up(job: _Job) -> ConfigError:
    """Say why a loss that has exploded or is not a number is the end, after setting aside what it spoilt."""
    run, key = job.run, "trainer.optimizer_config.learning_rate"
    what = what_happened(run)
    step = sound_step(run, job.notice) if checkpoints_in(run.last_checkpoints) else 0
    kept = f"the checkpoint of step {step} is sound and is gone on from" if step else "no checkpoint was written yet"
    rate, kind = job.experiment.params.trainer.optimizer_config.learning_rate, kind_of(job.experiment.name)
    return ConfigError(
        f"training blew up: {what}; {kept}",
        where=str(run.path),
        fix=f"Usual causes: a rate too high ({key}.{rate.type} is {rate.get().as_dict().get('initial_learning_rate')}) "
        f"or no warm-up, a gradient that is not clipped (global_clipnorm), {kind.label_fault}, "
        "damaged weights in task.init_checkpoint. Change it, then run the same command again.",
    )


def _input_error(error: tf.errors.OpError, job: _Job) -> InputError:
    """Say in one line what an operation of TensorFlow stumbled over: a full disk, a lost worker, or what it read."""
    run, surveys = job.run, (job.preflight.training, job.preflight.verification)
    reason = re.sub(r"\{\{.*?\}\} ?|\[Op:.*", "", error.message.partition("\n")[0]).strip()
    if full := re.search("No space left on device|File too large|Disk quota exceeded", error.message):
        return InputError(
            f"cannot write a checkpoint: {full.group()}",
            where=str(run.path),
            fix="Free some space, then run the same command again; it goes on from the last one.",
        )
    if job.cluster.size > 1 and isinstance(error, tf.errors.UnavailableError | tf.errors.AbortedError):
        return InputError(
            f"another worker is gone ({reason})",
            where=job.cluster.workers[job.cluster.index],
            fix="Start every worker again with the same command; they go on from the chief's last checkpoint.",
        )
    if broken := unreadable_record([path for survey in surveys for path in survey.paths]):
        return InputError(
            f"a record became unreadable while training read it: {broken.what}",
            where=broken.where,
            fix=f"{broken.fix} Then run the same command again; it goes on from the last checkpoint.".strip(),
        )
    return InputError(
        f"TensorFlow stopped: {reason}",
        where=str(run.path),
        fix=f"The log is {run.log_path}. If a record is damaged, `tagbox records verify` finds it.",
    )


def _fit_intervals(trainer: Any) -> None:
    """Make short runs report, save and evaluate at least once: no interval is longer than the run."""
    for name in ("steps_per_loop", "summary_interval", "checkpoint_interval", "validation_interval"):
        setattr(trainer, name, max(1, min(getattr(trainer, name), trainer.train_steps)))
    # Orbit wants these to be multiples of the loop.
    loop = trainer.steps_per_loop
    for name in ("summary_interval", "checkpoint_interval", "validation_interval"):
        setattr(trainer, name, max(loop, getattr(trainer, name) // loop * loop))
