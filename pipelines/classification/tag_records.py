"""The tags of the examples of records: as truth for the network, and held against label map and config."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from collectors.errors import ConfigError
from labeling.label_map import LabelMap
from pipelines.classification.bottlenecks import Bottlenecks
from pipelines.classification.class_names import output_finder
from pipelines.classification.input_pipeline import OutputOfLabel
from pipelines.classification.record_survey import RecordSurvey, check_surveys, lacking_names, listed


class TagsOfLabels:
    """The labels of an example as the truth of a network with an output for each tag.

    Args:
        class_names: Name of each class id, in the order of the outputs.
    """

    def __init__(self, class_names: Mapping[int, str]) -> None:
        self._output_of, self._count = OutputOfLabel(class_names), len(class_names)

    def __call__(self, ids: Any, names: Any) -> Any:
        """Return float32 ``(tags + 1,)`` of the ids ``(k,)`` and names ``(k,)`` (or none) of one example.

        1 where the example has the tag, else 0; the last is 1 where it has a tag that the network does not have.
        """
        count = tf.size(ids)
        names = tf.concat([names, tf.fill([tf.maximum(count - tf.size(names), 0)], "")], 0)[:count]
        outputs = self._output_of(ids, names)
        places = tf.where(outputs < 0, self._count, outputs)
        return tf.minimum(tf.reduce_sum(tf.one_hot(places, self._count + 1), axis=0), 1.0)


class TagPlaces:
    """What `TagsOfLabels` does, without TensorFlow.

    Args:
        class_names: Name of each class id, in the order of the outputs.
    """

    def __init__(self, class_names: Mapping[int, str]) -> None:
        self._output_of, self._count = output_finder(class_names), len(class_names)

    def row(self, ids: Sequence[int], names: Sequence[str]) -> NDArray[np.float32]:
        """Return ``(tags + 1,)`` of the ids and names (or fewer) of one example; see `TagsOfLabels`."""
        row = np.zeros(self._count + 1, np.float32)
        for at, class_id in enumerate(ids):
            # -1, a tag of no output, is the last place.
            row[self._output_of(class_id, names[at] if at < len(names) else "")] = 1
        return row


def tags_of_bottlenecks(examples: Bottlenecks, class_names: Mapping[int, str]) -> NDArray[np.float32]:
    """Return what `TagsOfLabels` gives, of all examples, float32 ``(n, tags + 1)``."""
    places = TagPlaces(class_names)
    rows = [places.row(*labelled) for labelled in zip(examples.labels, examples.texts, strict=True)]
    return np.stack(rows) if rows else np.zeros((0, len(class_names) + 1), np.float32)


def check_tag_surveys(
    training: RecordSurvey,
    verification: RecordSurvey,
    label_map: LabelMap,
    *,
    label_map_path: Path,
    input_size: Sequence[int],
    trains: bool,
    may_be_one: bool = True,
) -> list[str]:
    """Return remarks for the person; see `pipelines.classification.record_survey.check_surveys`.

    Raises:
        ConfigError: A tag of the records is not in the label map, or there is one tag only.
    """
    surveyed = training if training.num_examples else verification
    if len(label_map) == 1 and surveyed.count(label_map, label_map.names[0]) == surveyed.num_examples:
        raise ConfigError(
            f"there is one tag only ({label_map.names[0]}), and every picture has it: nothing to tell apart",
            where=str(label_map_path),
            fix="Build records with a second folder of pictures, or a tag of theirs: --multi-label --tag NAME.",
        )
    remarks = check_surveys(
        training,
        verification,
        label_map,
        label_map_path=label_map_path,
        input_size=input_size,
        trains=False,
        may_be_one=may_be_one,
    )
    if not trains:
        return remarks
    lost, empty, unjudged = lacking_names(training, verification, label_map)
    if lost:
        remarks.append(f"VERIFICATION HAS {listed('tag', lost)} THAT TRAINING LACKS: that cannot be learned")
    if empty:
        remarks.append(f"the label map has {listed('tag', empty)} without a picture: nothing will be given them")
    if unjudged:
        remarks.append(f"{listed('tag', unjudged)} without a verification picture: their AP is undefined")
    if always := [name for name in label_map.names if training.count(label_map, name) == training.num_examples]:
        remarks.append(
            f"{listed('tag', always)} on every training picture: the answer is always yes, and only lifts the figures"
        )
    rare = {name: count for name in label_map.names if (count := training.count(label_map, name))}
    if rare and 20 * min(rare.values()) < training.num_examples:
        fewest = min(rare, key=lambda name: (rare[name], name))
        remarks.append(
            f"tags are rare: {fewest} is on {rare[fewest]} of {training.num_examples} training pictures; "
            "task.losses.balance=0.5 gives the pictures that have a rare tag more weight"
        )
    return remarks
