"""Config, label map and records checked against each other before the first step."""

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from collectors.errors import ConfigError, InputError
from labeling.label_map import LabelMap, read_label_map
from pipelines.experiment import Experiment
from pipelines.record_paths import expand
from pipelines.weights.files import find_weights
from records.reading import DetectionExample, read_examples

# What fills a path of a pipeline.config from the command line.
_OPTIONS = {
    "task.init_checkpoint": "--init model.ckpt (or --init none)",
    "task.train_data.input_path": "--set-path input=training.record",
    "task.validation_data.input_path": "--set-path eval_input=verification.record",
    "task.label_map": "--set-path label_map=label_map.pbtxt",
}
TRAINING_GLOB, VERIFICATION_GLOB = "*_training.record*", "*_verification.record*"


@dataclass(slots=True)
class RecordSurvey:
    """What stands in a set of records.

    Attributes:
        paths: Files, sorted.
        num_examples: Pictures in all.
        boxes: Number of boxes by class id.
        texts: Class names by class id, as the examples spell them.
        edges: One array ``(n, 4)`` a picture with boxes: normalised ``xmin ymin xmax ymax``, crowds left out.
        sizes: Width and height in pixels of each picture, as its own bytes say.
        misstated: Number of pictures whose record gives another size than their bytes.
        num_flat: Number of boxes without an area.
    """

    paths: list[Path]
    num_examples: int = 0
    boxes: Counter[int] = field(default_factory=Counter)
    texts: dict[int, str] = field(default_factory=dict)
    edges: list[NDArray[np.float32]] = field(default_factory=list, repr=False)
    sizes: list[tuple[int, int]] = field(default_factory=list, repr=False)
    misstated: int = 0
    num_flat: int = 0


@dataclass(slots=True)
class Preflight:
    """The result of `prepare`: what the run will read, and remarks for the person."""

    label_map: LabelMap
    training: RecordSurvey
    verification: RecordSurvey
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
    _settle_unconfigured(experiment, records_dir, training=training)
    for data, pattern in ((task.train_data, TRAINING_GLOB), (task.validation_data, VERIFICATION_GLOB)):
        if not data.input_path:
            key = "task.train_data.input_path" if data is task.train_data else "task.validation_data.input_path"
            paths = sorted(str(path) for path in records_dir.glob(pattern) if not path.name.endswith(".tmp"))
            experiment.set(key, paths, f"--records {records_dir}")
    label_map_path = Path(task.label_map) if task.label_map else _label_map_beside(records_dir)
    experiment.set(
        "task.label_map", str(label_map_path), experiment.origins.get("task.label_map", "beside the records")
    )
    label_map = read_label_map(label_map_path)
    if not len(label_map):
        raise ConfigError("the label map names no class", where=str(label_map_path), fix="Build the records again.")
    if not task.model.num_classes:
        experiment.set("task.model.num_classes", label_map.max_id, str(label_map_path))
    if label_map.max_id > task.model.num_classes:
        raise ConfigError(
            f"num_classes is {task.model.num_classes}, but the label map has ids up to {label_map.max_id}",
            where=experiment.origins.get("task.model.num_classes", "task.model.num_classes"),
            fix="Set task.model.num_classes to 0 to take it from the label map.",
        )
    _fit_schedule(experiment)
    found = Preflight(
        label_map,
        _survey(task.train_data.input_path, "training", records_dir) if training else RecordSurvey([]),
        _survey(task.validation_data.input_path, "verification", records_dir, may_be_empty=training),
    )
    for survey in (found.training, found.verification):
        _check_ids(survey, label_map, label_map_path)
    _remark(found, training=training)
    _remark_sizes(found, task.model.input_size)
    if training:
        _check_weights(task.init_checkpoint)
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


def _check_weights(path: str) -> None:
    if not path:
        return
    found = find_weights(Path(path))
    if not found.is_file() and not Path(f"{found}.index").is_file():
        raise InputError(
            "no such weights",
            where=path,
            fix="Give a file, the prefix of a checkpoint (model.ckpt for model.ckpt.index) or a name that "
            "`tagbox weights list` shows with --init.",
        )


def _label_map_beside(records_dir: Path) -> Path:
    path = records_dir / "label_map.pbtxt"
    if not path.is_file():
        raise InputError(
            "no label map",
            where=str(path),
            fix=f"Build the records (tagbox records build DATA --out {records_dir}), or set task.label_map.",
        )
    return path


def _fit_schedule(experiment: Experiment) -> None:
    """Let a cosine without ``decay_steps`` end with the run."""
    learning_rate = experiment.params.trainer.optimizer_config.learning_rate
    if learning_rate.type == "cosine" and not learning_rate.cosine.decay_steps:
        key = "trainer.optimizer_config.learning_rate.cosine.decay_steps"
        experiment.set(key, experiment.params.trainer.train_steps, "trainer.train_steps")


def _survey(
    input_path: str | Sequence[str], split: str, records_dir: Path, *, may_be_empty: bool = False
) -> RecordSurvey:
    paths = expand(input_path)
    if not paths and not may_be_empty:
        raise InputError(
            f"no {split} record is there",
            where=str(records_dir / f"*_{split}.record"),
            fix=f"Build it with: tagbox records build DATA --out {records_dir}",
        )
    survey = RecordSurvey(paths)
    for example in read_examples(paths):
        survey.num_examples += 1
        _look_at_picture(survey, example)
        labels = example.labels.tolist()
        survey.boxes.update(labels)
        survey.texts.update((label, text) for label, text in zip(labels, example.texts, strict=True) if text)
    if not survey.num_examples and not may_be_empty:
        raise InputError(
            f"the {split} records hold no picture",
            where=", ".join(str(path) for path in paths),
            fix=f"Label some pictures and put them into data/<class>/{split}/, then build the records again.",
        )
    return survey


def _look_at_picture(survey: RecordSurvey, example: DetectionExample) -> None:
    """Read the header of the picture: what cannot be opened would end the run in the middle of an epoch."""
    try:
        with Image.open(io.BytesIO(example.encoded)) as picture:
            size = picture.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(
            f"picture {example.index} ({example.filename or 'without a name'}) cannot be opened ({error})",
            where=str(example.path),
            fix="Mend or remove the picture (tagbox labels check finds it), then build the records again.",
        ) from error
    survey.sizes.append(size)
    survey.misstated += bool(example.width) and size != (example.width, example.height)
    edges = example.boxes_norm[~example.is_crowd]
    if len(edges):
        survey.edges.append(edges)
        survey.num_flat += int(np.sum((edges[:, 2:] <= edges[:, :2]).any(axis=1)))


def _check_ids(survey: RecordSurvey, label_map: LabelMap, label_map_path: Path) -> None:
    names = dict(label_map.items)
    for class_id in sorted(survey.boxes):
        text = survey.texts.get(class_id, "")
        known = names.get(class_id)
        where = ", ".join(str(path) for path in survey.paths[:3])
        if known is None:
            raise ConfigError(
                f"the records have boxes of class id {class_id}{f' ({text})' if text else ''}, "
                f"which is not in the label map {label_map_path}",
                where=where,
                fix="Give the label map the records were built with, or build the records again."
                if class_id > 0
                else "Ids count from 1; build the records again with a label map that has no id 0.",
            )
        if text and text != known:
            raise ConfigError(
                f"class id {class_id} is `{text}` in the records and `{known}` in the label map {label_map_path}",
                where=where,
                fix="Give the label map the records were built with, or build the records again.",
            )


def _remark_sizes(found: Preflight, input_size: Sequence[int]) -> None:
    """Say what the pictures are like where the network will not see them as they are."""
    for split, survey in (("training", found.training), ("verification", found.verification)):
        if survey.misstated:
            count = f"{survey.misstated} of {survey.num_examples} {split} pictures"
            found.remarks.append(f"{count} have another size than their record says; their own is taken")
        if survey.num_flat:
            some = "box has" if survey.num_flat == 1 else "boxes have"
            found.remarks.append(f"{survey.num_flat} {split} {some} no area: tagbox labels check shows them")
    if found.training.sizes:
        height, width = input_size
        shapes = np.asarray(found.training.sizes, np.float64)
        stretch = np.median(shapes[:, 0] / shapes[:, 1]) / (width / height)
        if not 0.5 <= stretch <= 2.0:
            typical = "x".join(str(int(side)) for side in np.median(shapes, axis=0))
            found.remarks.append(
                f"the training pictures ({typical} pixels as a rule) are squeezed to {width}x{height}; "
                "a task.model.input_size of their shape keeps the objects'"
            )


def _remark(found: Preflight, *, training: bool) -> None:
    if training and not found.verification.num_examples:
        found.remarks.append("there is no verification record: the run will not be evaluated")
        return
    for class_id, name in found.label_map.items:
        if training and not found.training.boxes[class_id]:
            found.remarks.append(f"class `{name}` has no box in the training records: it cannot be learned")
        if not found.verification.boxes[class_id]:
            found.remarks.append(f"class `{name}` has no box in the verification records: its AP is undefined")
