"""Evaluate a run on its verification records."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tensorflow as tf

from collectors.errors import InputError
from collectors.progress import Progress, no_progress
from labeling.label_map import read_label_map
from pipelines.averaging import take_averages
from pipelines.detection.input_pipeline import evaluation_batches
from pipelines.detection.undecodable import all_but, find_undecodable
from pipelines.detection_record import DetectionRecord
from pipelines.experiment import Experiment, load_experiment
from pipelines.record_paths import expand, to_evaluate
from pipelines.run_directory import RunDirectory
from pipelines.run_task import RunTask, make_task
from records.labelled_examples import LabelledExamples


def evaluate(
    run: RunDirectory,
    *,
    checkpoint: str = "best",
    input_path: list[str] | None = None,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Evaluate a run and write ``results.json`` into it, and what its figures were computed from.

    On records that are not the run's own, nothing is written.

    Args:
        run: The run folder.
        checkpoint: ``best``, ``last``, or the prefix of a checkpoint. Without a best one, the last is taken.
        input_path: Records to evaluate on instead of the run's own verification records.
        progress: Told after every batch.

    Returns:
        The figures of the run's task (see `pipelines.run_task.RunTask.results`), with ``step`` and ``checkpoint``.

    Raises:
        InputError: The run has no checkpoint, the records are gone, or a score is not a finite number.
    """
    experiment, task, model = open_run(run)
    step = restore(model, run, checkpoint)
    data = experiment.params.task.validation_data
    data.input_path = [str(path) for path in records_of(run, input_path or data.input_path)]
    begun = time.monotonic()
    try:
        Validation(task, model).run(progress)
    except tf.errors.OpError as error:
        raise _unreadable(error, run, data) from error
    seconds = time.monotonic() - begun
    task.require_sound()
    if input_path:
        # What stands in the run folder stays about the run's own records; `predict` takes its threshold from there.
        return {**task.results(), "step": step, "checkpoint": checkpoint}
    return write_evaluation(run, task, step, checkpoint=checkpoint, seconds=seconds)


def _unreadable(error: tf.errors.OpError, run: RunDirectory, data: Any) -> InputError:
    pictures = find_undecodable(data) if hasattr(data, "max_boxes") else []
    reason = (
        f"pictures that cannot be decoded: {len(pictures)}, first {pictures[0]}" if pictures else error.message[:200]
    )
    return InputError(
        f"the verification records cannot be evaluated: {reason}",
        where=str(run.path),
        fix="Build them again; tagbox eval --records evaluates those that can be decoded.",
    )


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a detector found in other pictures than the run's own; nothing of it is written.

    Attributes:
        results: As `evaluate` returns them.
        record: Truth and detections.
        class_names: Name of each class id.
        left_out: Pictures that could not be decoded, each with the reason.
    """

    results: dict[str, Any]
    record: DetectionRecord
    class_names: dict[int, str]
    left_out: Sequence[str] = ()


def evaluate_records(
    run: RunDirectory, input_path: list[str], *, checkpoint: str = "best", progress: Progress = no_progress
) -> Evaluation:
    """Evaluate a detector on other records than its own, leaving out what cannot be decoded; see `evaluate`."""
    experiment, task, model = open_run(run)
    step = restore(model, run, checkpoint)
    config = experiment.params.task
    config.validation_data.input_path = [str(path) for path in records_of(run, input_path)]
    try:
        return _evaluated(task, model, None, step, checkpoint, progress)
    except tf.errors.OpError:
        left_out = find_undecodable(config.validation_data)
        if not left_out:
            raise
    rest = all_but(config.validation_data, left_out)
    data = evaluation_batches(rest, config.validation_data.global_batch_size, config.model.input_size)
    evaluation = _evaluated(task, model, data, step, checkpoint, progress)
    return replace(evaluation, left_out=[str(one) for one in left_out])


def evaluate_folder(
    run: RunDirectory, examples: LabelledExamples, *, checkpoint: str = "best", progress: Progress = no_progress
) -> Evaluation:
    """Evaluate a detector on a labelled folder; pictures are read while the network works.

    Args:
        run: The run folder.
        examples: The folder, read with the label map of the run.
        checkpoint: See `evaluate`.
        progress: Told after every batch.

    Raises:
        InputError: The run has no checkpoint, nothing in the folder can be judged, or a picture changed meanwhile.
    """
    if not examples.sources:
        raise InputError("no picture in it can be judged", where=str(examples.folder), fix="See: tagbox labels check")
    _, task, model = open_run(run)
    step = restore(model, run, checkpoint)
    scalar = tf.TensorSpec((), tf.string)
    serialized = tf.data.Dataset.from_generator(examples.encoded, output_signature=scalar)
    config = task.task_config
    data = evaluation_batches(serialized.enumerate(), config.validation_data.global_batch_size, config.model.input_size)
    evaluation = _evaluated(task, model, data, step, checkpoint, progress)
    for image in evaluation.record.images:
        image |= {key: str(examples.folder / image[key]) for key in ("file_name", "xml") if key in image}
    return evaluation


def _evaluated(
    task: Any, model: Any, data: tf.data.Dataset | None, step: int, checkpoint: str, progress: Progress
) -> Evaluation:
    # What stands in the run folder stays about the run's own records; `predict` takes its threshold from there.
    Validation(task, model, data).run(progress)
    task.require_sound()
    results = {**task.results(), "step": step, "checkpoint": checkpoint}
    return Evaluation(results, task.record, dict(task.class_names))


class Validation:
    """Evaluates a task on its whole verification set, as often as asked; traced once.

    Args:
        task: Its ``validation_data`` names the records; it holds the figures afterwards.
        model: Whose weights are judged.
        data: Batches to take instead of the records.
    """

    def __init__(self, task: RunTask, model: Any, data: tf.data.Dataset | None = None) -> None:
        self._task = task
        self._data = task.build_inputs(task.task_config.validation_data) if data is None else data
        self._step = tf.function(lambda images, labels: task.validation_step((images, labels), model))

    def run(self, progress: Progress = no_progress) -> dict[str, float]:
        """Evaluate the model as it is now; returns the figures for curves, ``validation_loss`` among them."""
        state, losses = None, []
        for done, (images, labels) in enumerate(self._data, start=1):
            outputs = self._step(images, labels)
            losses.append(float(outputs[self._task.loss]))
            state = self._task.aggregate_logs(state, outputs)
            progress(done, None)
        return {**self._task.reduce_aggregated_logs(state), "validation_loss": sum(losses) / len(losses)}


def records_of(run: RunDirectory, input_path: str | Sequence[str]) -> list[Path]:
    """Return the record files to evaluate on; of a folder with both kinds, the verification records.

    Raises:
        InputError: They are gone, or there are none.
    """
    fix = "Name records with --records, or build them again with tagbox records build."
    try:
        paths = expand(to_evaluate(input_path))
    except InputError as error:
        raise InputError(f"the records to evaluate on are gone ({error.what})", where=error.where, fix=fix) from error
    if not paths:
        raise InputError("this run has no verification records", where=str(run.path), fix=fix)
    return paths


def stored_experiment(run: RunDirectory) -> Experiment:
    """Return the experiment as it stands in the run folder.

    Raises:
        InputError: The folder is not that of a run.
    """
    run.require()
    return load_experiment(run.config_path)


def open_run(run: RunDirectory) -> tuple[Experiment, RunTask, Any]:
    """Build the task and the model of a run, with fresh weights; see `restore`."""
    experiment = stored_experiment(run)
    task = make_task(experiment.params.task, read_label_map(run.label_map_path), run.path)
    return experiment, task, task.build_model()


def restore(model: Any, run: RunDirectory, checkpoint: str) -> int:
    """Load a checkpoint of the run into the model, averaged weights where it has them, and return its step.

    Raises:
        InputError: There is none, or it does not fit the model.
    """
    prefix = checkpoint_prefix(run, checkpoint)
    step = tf.Variable(0, dtype=tf.int64)
    try:
        status = tf.train.Checkpoint(model=model, global_step=step).read(prefix)
        status.expect_partial().assert_existing_objects_matched()
        take_averages(model, prefix)
    except (tf.errors.OpError, AssertionError, ValueError, LookupError) as error:
        raise InputError(
            f"cannot load the checkpoint ({str(error).splitlines()[0]})",
            where=prefix,
            fix="Try the other one: --checkpoint last or --checkpoint best.",
        ) from error
    return int(step.numpy())


def checkpoint_prefix(run: RunDirectory, checkpoint: str) -> str:
    """Return the prefix of a checkpoint: ``best``, ``last`` or a path; ``best`` falls back to ``last``."""
    folders = {"best": [run.best_checkpoints, run.last_checkpoints], "last": [run.last_checkpoints]}
    if checkpoint not in folders:
        if not Path(f"{checkpoint}.index").is_file():
            raise InputError("no such checkpoint", where=checkpoint, fix="Give best, last, or the prefix of one.")
        return checkpoint
    for folder in folders[checkpoint]:
        prefixes = sorted(folder.glob("*.index"), key=lambda path: int(path.stem.rpartition("-")[2]))
        if prefixes:
            return str(prefixes[-1].with_suffix(""))
    raise InputError(
        "this run has no checkpoint yet",
        where=str(run.path),
        fix=f"Train it first: tagbox train {run.config_path} --run {run.path}",
    )


def evaluation_row(step: int, task: RunTask, validation_loss: Any) -> dict[str, Any]:
    """Return the row of ``results.csv`` of an evaluation; figures that are not defined are empty."""
    row = {"step": step, "loss": "", **{name: task.evaluation.get(name) for name in reversed(task.kind.figures)}}
    row["validation_loss"] = None if validation_loss is None else float(validation_loss)
    return {name: f"{value:.5f}" if isinstance(value, float) else value or "" for name, value in row.items()} | {
        "step": step
    }


def write_evaluation(
    run: RunDirectory, task: RunTask, step: int, *, checkpoint: str, seconds: float | None = None
) -> dict[str, Any]:
    """Write the figures and the data behind them into the run folder, and return the figures.

    ``seconds`` is how long the network took, where that is known.
    """
    results = {**task.results(), "step": step, "checkpoint": checkpoint}
    if seconds is not None:
        results["evaluation_s"] = round(seconds, 2)
    task.write_evidence(run)
    run.write_results(results)
    return results
