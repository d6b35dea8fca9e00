"""Config, label map and records checked against each other before the first step."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from official.core import task_factory

from collectors.errors import ConfigError, InputError
from labeling.label_map import LabelMap, read_label_map
from pipelines.experiment import Experiment
from pipelines.record_paths import TRAINING_GLOB, VERIFICATION_GLOB, expand
from pipelines.run_kinds import RunKind
from pipelines.run_task import RunTask
from pipelines.weights.files import find_weights
from pipelines.weights.published import weights_for
from pipelines.weights.zoo import is_zoo_name

# What fills a path of a pipeline.config from the command line.
_OPTIONS = {
    "task.init_checkpoint": "--init model.ckpt (or --init none)",
    "task.train_data.input_path": "--set-path input=training.record",
    "task.validation_data.input_path": "--set-path eval_input=verification.record",
    "task.label_map": "--set-path label_map=label_map.pbtxt",
}


@dataclass(slots=True)
class Preflight:
    """The result of `prepare`: what the run will read, and remarks for the person.

    The surveys are those of the task: see `pipelines.run_task.RunTask.survey`.
    """

    label_map: LabelMap
    training: Any
    verification: Any
    remarks: list[str] = field(default_factory=list)


def prepare(experiment: Experiment, records_dir: Path, *, training: bool = True) -> Preflight:
    """Fill in what the config leaves to the records, and refuse what cannot work.

    Empty ``input_path`` and ``label_map`` are taken from ``records_dir``; ``num_classes`` 0 from the label map.

    Args:
        experiment: Changed in place.
        records_dir: Where ``tagbox records build`` wrote.
        training: Also look at the training records; an evaluation needs none.

    Returns:
        The label map and a survey of the records.

    Raises:
        InputError: A record or the label map is missing or damaged, or there is nothing to train on.
        ConfigError: The records, the label map and the config contradict each other.
    """
    task = experiment.params.task
    task_class = task_factory.get_task_cls(type(task))
    _settle_unconfigured(experiment, records_dir, training=training)
    for data, pattern in ((task.train_data, TRAINING_GLOB), (task.validation_data, VERIFICATION_GLOB)):
        if not data.input_path:
            key = "task.train_data.input_path" if data is task.train_data else "task.validation_data.input_path"
            paths = sorted(str(path) for path in records_dir.glob(pattern) if not path.name.endswith(".tmp"))
            experiment.set(key, paths, f"--records {records_dir}")
        elif training or data is not task.train_data:
            expand(data.input_path)  # a record that is not there is said before a label map that is not beside it
    label_map_path = Path(task.label_map) if task.label_map else _label_map_beside(records_dir, task_class.kind)
    experiment.set(
        "task.label_map", str(label_map_path), experiment.origins.get("task.label_map", "beside the records")
    )
    label_map = read_label_map(label_map_path)
    if not len(label_map):
        raise ConfigError("the label map names no class", where=str(label_map_path), fix="Build the records again.")
    needed = task_class.num_outputs(label_map)
    if not task.model.num_classes:
        experiment.set("task.model.num_classes", needed, str(label_map_path))
    if needed > task.model.num_classes:
        has = f"ids up to {needed}" if needed == label_map.max_id else f"{needed} classes"
        raise ConfigError(
            f"num_classes is {task.model.num_classes}, but the label map has {has}",
            where=experiment.origins.get("task.model.num_classes", "task.model.num_classes"),
            fix="Set task.model.num_classes to 0 to take it from the label map.",
        )
    _fit_schedule(experiment)
    found = Preflight(
        label_map,
        _survey(task_class, task.train_data.input_path if training else [], "training", records_dir,
                may_be_empty=not training),
        _survey(task_class, task.validation_data.input_path, "verification", records_dir, may_be_empty=training),
    )  # fmt: skip
    if training and not found.verification.num_examples:
        found.remarks.append("there is no verification record: the run will not be evaluated")
    found.remarks += task_class.check_records(task, label_map, found.training, found.verification, trains=training)
    if training:
        _check_weights(task.init_checkpoint, task.model)
        batch = task.train_data.global_batch_size
        if found.training.num_examples < batch:
            found.remarks.append(
                f"only {found.training.num_examples} training pictures for batches of {batch}: each batch repeats some"
            )
    return found


def _settle_unconfigured(experiment: Experiment, records_dir: Path, *, training: bool) -> None:
    """Refuse paths that say ``PATH_TO_BE_CONFIGURED`` and that the records folder cannot stand for."""
    if not experiment.unconfigured:
        return
    has_records = (records_dir / "label_map.pbtxt").is_file()
    left = {
        key: where
        for key, where in experiment.unconfigured.items()
        if (training if key == "task.init_checkpoint" else not has_records)
    }
    if left:
        *_, name = next(iter(left.values())).rpartition("/")
        lines = sorted({int(where.rpartition(":")[2]) for where in left.values()})
        options = [_OPTIONS[key] for key in _OPTIONS if key in left]
        raise ConfigError(
            f"PATH_TO_BE_CONFIGURED stands in {name.rpartition(':')[0]}, line {', '.join(map(str, lines))}",
            where=next(iter(left.values())),
            fix=f"Edit {'these lines' if len(lines) > 1 else 'this line'}, or add {' '.join(options)}.",
        )


def _check_weights(path: str, model: Any) -> None:
    if not path:
        return
    if is_zoo_name(path):
        # A name stands for weights that are fetched when a run begins: here it only has to fit the network.
        weights_for(path, model)
        return
    found = find_weights(Path(path))
    if not found.is_file() and not Path(f"{found}.index").is_file():
        raise InputError(
            "no such weights",
            where=path,
            fix="Give a file, the prefix of a checkpoint (model.ckpt for model.ckpt.index) or a name that "
            "`tagbox weights list` shows with --init.",
        )


def _label_map_beside(records_dir: Path, kind: RunKind) -> Path:
    path = records_dir / "label_map.pbtxt"
    if not path.is_file():
        raise InputError(
            "no label map",
            where=str(path),
            fix=f"Build the records ({kind.build_command} --out {records_dir}), or set task.label_map.",
        )
    return path


def _fit_schedule(experiment: Experiment) -> None:
    """Let a cosine without ``decay_steps`` end with the run."""
    learning_rate = experiment.params.trainer.optimizer_config.learning_rate
    if learning_rate.type == "cosine" and not learning_rate.cosine.decay_steps:
        key = "trainer.optimizer_config.learning_rate.cosine.decay_steps"
        experiment.set(key, experiment.params.trainer.train_steps, "trainer.train_steps")


def _survey(
    task_class: type[RunTask],
    input_path: str | Sequence[str],
    split: str,
    records_dir: Path,
    *,
    may_be_empty: bool = False,
) -> Any:
    paths, build = expand(input_path), task_class.kind.build_command
    if not paths and not may_be_empty:
        raise InputError(
            f"no {split} record is there",
            where=str(records_dir / f"*_{split}.record"),
            fix=f"Build it with: {build} --out {records_dir}",
        )
    survey = task_class.survey(paths)
    if not survey.num_examples and not may_be_empty:
        raise InputError(
            f"the {split} records hold no picture",
            where=", ".join(str(path) for path in paths),
            fix=f"Give {split} some pictures, then build the records again: {build} --out {records_dir}",
        )
    return survey
