"""What stands in a detector's records, held against label map and config."""

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from collectors.errors import ConfigError, InputError
from labeling.label_map import LabelMap
from records.reading import DetectionExample, read_examples


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


def survey_records(paths: Sequence[Path]) -> RecordSurvey:
    """Read records through, without decoding their pictures.

    Raises:
        InputError: A record is damaged, or a picture in it cannot be opened.
    """
    survey = RecordSurvey(list(paths))
    for example in read_examples(paths):
        survey.num_examples += 1
        _look_at_picture(survey, example)
        labels = example.labels.tolist()
        survey.boxes.update(labels)
        survey.texts.update((label, text) for label, text in zip(labels, example.texts, strict=True) if text)
    return survey


def check_surveys(
    training: RecordSurvey,
    verification: RecordSurvey,
    label_map: LabelMap,
    *,
    label_map_path: Path,
    input_size: Sequence[int],
    trains: bool,
) -> list[str]:
    """Return remarks for the person; without ``trains`` the training records are of no interest.

    Raises:
        ConfigError: The records have classes that the label map does not have, or under other names.
    """
    for survey in (training, verification):
        _check_ids(survey, label_map, label_map_path)
    return [
        *_remarks(training, verification, label_map, trains=trains),
        *_size_remarks(training, verification, input_size),
    ]


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


def _size_remarks(training: RecordSurvey, verification: RecordSurvey, input_size: Sequence[int]) -> list[str]:
    """Say what the pictures are like where the network will not see them as they are."""
    remarks = []
    for split, survey in (("training", training), ("verification", verification)):
        if survey.misstated:
            count = f"{survey.misstated} of {survey.num_examples} {split} pictures"
            remarks.append(f"{count} have another size than their record says; their own is taken")
        if survey.num_flat:
            some = "box has" if survey.num_flat == 1 else "boxes have"
            remarks.append(f"{survey.num_flat} {split} {some} no area: tagbox labels check shows them")
    if training.sizes:
        height, width = input_size
        shapes = np.asarray(training.sizes, np.float64)
        stretch = np.median(shapes[:, 0] / shapes[:, 1]) / (width / height)
        if not 0.5 <= stretch <= 2.0:
            typical = "x".join(str(int(side)) for side in np.median(shapes, axis=0))
            remarks.append(
                f"the training pictures ({typical} pixels as a rule) are squeezed to {width}x{height}; "
                "a task.model.input_size of their shape keeps the objects'"
            )
    return remarks


def _remarks(training: RecordSurvey, verification: RecordSurvey, label_map: LabelMap, *, trains: bool) -> list[str]:
    if trains and not verification.num_examples:
        return []
    remarks = []
    for class_id, name in label_map.items:
        if trains and not training.boxes[class_id]:
            remarks.append(f"class `{name}` has no box in the training records: it cannot be learned")
        if not verification.boxes[class_id]:
            remarks.append(f"class `{name}` has no box in the verification records: its AP is undefined")
    return remarks
