"""What a run that goes on must have in common with the run that was left."""

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from collectors.errors import ConfigError, InputError
from labeling.label_map import read_label_map
from pipelines import checkpoint_files
from pipelines.experiment import Experiment, leaves_of, load_experiment
from pipelines.run_directory import RunDirectory
from records.reading import read_features

_NUM_CLASSES = "num_classes"
_AVERAGE = "trainer.optimizer_config.ema"


def refuse_another_experiment(experiment: Experiment, run: RunDirectory) -> None:
    """Keep a run to the experiment and the network it was started with; its checkpoints fit no other.

    Raises:
        ConfigError: They differ; the message names the key and both values.
    """
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
            origin = experiment.origins.get(f"task.model.{key}")
            raise ConfigError(
                f"this folder holds a run of another network: task.model.{key} is {old.get(key)!r} there "
                f"and {new.get(key)!r} now" + (f" ({origin})" if origin else ""),
                where=str(run.path),
                fix=choose if key != _NUM_CLASSES else f"With other classes it is another network: {choose}",
            )
    _refuse_other_names(experiment, run, choose)
    averaged, asked = (one.params.trainer.optimizer_config.ema is not None for one in (before, experiment))
    if averaged != asked and checkpoint_files.checkpoints_in(run.last_checkpoints):
        raise ConfigError(
            f"this folder holds a run {'with' if averaged else 'without'} averaged weights "
            f"({_AVERAGE} is {'set' if averaged else 'not set'} there)",
            where=str(run.path),
            fix=choose,
        )


def _refuse_other_names(experiment: Experiment, run: RunDirectory, choose: str) -> None:
    """Refuse ids that mean other classes than they did when the run began."""
    path = Path(experiment.params.task.label_map)
    if not run.label_map_path.is_file() or not path.is_file():
        return
    names = dict(read_label_map(path).items)
    for class_id, name in read_label_map(run.label_map_path).items:
        if names.get(class_id, name) != name:
            raise ConfigError(
                f"class id {class_id} was `{name}` in this run and is `{names[class_id]}` now ({path})",
                where=str(run.path),
                fix=f"Build the records with --label-map {run.label_map_path}. Or: {choose}",
            )


def fix_seed(experiment: Experiment, run: RunDirectory) -> None:
    """Seed everything; a config without a seed gets one at random, and keeps it when the run goes on."""
    data = experiment.params.task.train_data
    if data.seed is None:
        stored = load_experiment(run.config_path).params.task.train_data.seed if run.is_started() else None
        drawn = secrets.randbelow(2**31) if stored is None else stored
        experiment.set("task.train_data.seed", drawn, "drawn at random")
    tf.keras.utils.set_random_seed(data.seed)


def sound_step(run: RunDirectory, notice: Callable[[str], None]) -> int:
    """Return the step that the run goes on from; see `checkpoint_files.keep_sound_ones`."""
    run.remove_unfinished_checkpoints()
    return checkpoint_files.keep_sound_ones(run.last_checkpoints, notice)


def adopt_moved_paths(experiment: Experiment, run: RunDirectory, records_dir: Path) -> list[str]:
    """Take what a copied run folder names by its old place from where it is now.

    Records that are gone are looked for by name in ``records_dir``; the label map is then the run's own copy; weights
    to start from are not needed by a run that has checkpoints.

    Returns:
        A remark for each thing that was found elsewhere.
    """
    task, remarks = experiment.params.task, []
    for name, data in (("train_data", task.train_data), ("validation_data", task.validation_data)):
        words = [data.input_path] if isinstance(data.input_path, str) else list(data.input_path)
        moved = [records_dir / Path(word).name for word in words]
        if words and not any(map(_is_there, words)) and all(path.is_file() for path in moved):
            key = f"task.{name}.input_path"
            experiment.set(key, [str(path) for path in moved], f"--records {records_dir}")
            remarks.append(f"the records are no longer in {Path(words[0]).parent}; those in {records_dir} are taken")
    if task.label_map and not Path(task.label_map).is_file() and run.label_map_path.is_file():
        remarks.append(f"the label map {task.label_map} is gone; the run's own copy is taken")
        experiment.set("task.label_map", str(run.label_map_path), "the run's own copy")
    init = task.init_checkpoint
    if init and checkpoint_files.checkpoints_in(run.last_checkpoints) and not _is_there(init):
        experiment.set("task.init_checkpoint", "", "not needed: the run has checkpoints")
    return list(dict.fromkeys(remarks))


def _is_there(word: str) -> bool:
    try:
        return Path(word).is_file() or Path(f"{word}.index").is_file() or bool(tf.io.gfile.glob(word))
    except tf.errors.OpError:
        return False


def unreadable_record(paths: list[Path]) -> InputError | None:
    """Read the records once more, to say which of them broke and where; ``None`` when all can be read."""
    try:
        for path in paths:
            for _ in read_features(path):
                pass
    except InputError as error:
        return error
    return None


def as_saved(run: RunDirectory, experiment: Experiment) -> dict[str, Any]:
    """Return what the status says of a run that ended early: the step of its newest checkpoint, and of its last."""
    step = checkpoint_files.last_step(run.last_checkpoints)
    return {"step": step, "total_steps": experiment.params.trainer.train_steps}
