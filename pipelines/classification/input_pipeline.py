"""Classification records to batches: parsed, decoded and varied a batch at a time.

Drawings kept as a byte a pixel never become a tensor of their own: a batch of serialised examples is parsed at once
and its bytes are one array. Picture files are decoded one by one, on all cores.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from pipelines.classification import augmentation, images
from pipelines.classification.model_config import ClassifierData
from pipelines.classification.record_form import RecordForm, record_form, require_strokes
from pipelines.classification.stroke_dropout import drop_strokes
from pipelines.plain_graph import as_written
from pipelines.record_reader import RecordReader
from records.classification_features import ENCODED, RAW, STROKE_LAYERS

LABEL, TEXT = "image/class/label", "image/class/text"


class OutputOfLabel:
    """Which output of the network the label of an example means: by its name, by its id only where it has no name.

    Args:
        class_names: Name of each class id, in the order of the outputs.
    """

    def __init__(self, class_names: Mapping[int, str]) -> None:
        places = list(range(len(class_names)))
        self._by_name = _table(tf.constant(list(class_names.values())), places)
        self._by_id = _table(tf.constant(list(class_names), tf.int64), places)

    def __call__(self, ids: Any, names: Any) -> Any:
        """Return int32 outputs ``(b,)`` from 0, -1 for a class that the network does not have."""
        return tf.where(names == "", self._by_id.lookup(ids), self._by_name.lookup(names))


def _table(keys: Any, places: list[int]) -> Any:
    values = tf.lookup.KeyValueTensorInitializer(keys, tf.constant(places, tf.int32))
    return tf.lookup.StaticHashTable(values, default_value=-1)


def build_dataset(
    config: ClassifierData,
    input_shape: tuple[int, int, int],
    class_names: Mapping[int, str],
    input_context: tf.distribute.InputContext | None = None,
    *,
    first_example: int = 0,
    truth_of_tags: Callable[[Any, Any], Any] | None = None,
) -> tf.data.Dataset:
    """Build the batches of one split.

    Args:
        config: What to read and how; ``config.input_path`` names at least one file.
        input_shape: Height, width and channels of the network's input.
        class_names: Name of each class id of the label map, in the order of ids: output k of the network is the k-th.
        input_context: Given by distribution strategies.
        first_example: How many training examples were seen before; the batches go on from there.
        truth_of_tags: For examples of any number of labels: makes what stands in ``classes`` of the ids and names,
            ``(k,)``, of one of them.

    Returns:
        A dataset of ``(images, labels)``: images float32 ``(b, height, width, channels)`` in ``[0, 1]``; labels a dict
        of ``classes``, int32 ``(b,)``: outputs of the network from 0, -1 for a class that it does not have; and
        ``places``, int64 ``(b,)``: the place of the example in the records, counted over all files in their order (of a
        training set, in the endless order of training).
        The training dataset never ends; the same seed gives the same batches, and from ``first_example`` on the same
        as if those before had been read, unless ``config.cache`` keeps the examples in memory.

    Raises:
        InputError: The records are no classification records, differ in form, or lack the strokes that
            ``augmentation.stroke_dropout`` leaves out.
    """
    output_of = OutputOfLabel(class_names)
    seed = config.seed or 0

    dropout = config.augmentation.stroke_dropout if config.is_training else 0.0

    def drawings(features: dict[str, Any], batch_seed: Any) -> Any:
        pictures = images.decode_raw(features[RAW], form.height, form.width)
        if dropout:
            # A seed of its own: the other variations are those of a run without it.
            own_seed = tf.random.experimental.stateless_fold_in(batch_seed, 1)
            pictures = drop_strokes(pictures, features[STROKE_LAYERS], own_seed, dropout)
        return images.network_input(pictures, input_shape)

    @as_written
    def finish(places: Any, features: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        batch_seed = tf.stack([tf.cast(seed, tf.int64), places[0]]) if config.is_training else None
        pictures = drawings(features, batch_seed) if form.is_raw else features["pictures"]
        if config.is_training:
            pictures = augmentation.augment(pictures, batch_seed, config.augmentation)
        truth = features["truth"] if truth_of_tags else output_of(features[LABEL], features[TEXT])
        return pictures, {"classes": truth, "places": places}

    @as_written
    def parse(places: Any, serialized: Any) -> tuple[Any, dict[str, Any]]:
        return finish(places, tf.io.parse_example(serialized, wanted))

    @as_written
    def parse_one(place: Any, serialized: Any) -> tuple[Any, dict[str, Any]]:
        features = tf.io.parse_single_example(serialized, wanted)
        if truth_of_tags:
            features["truth"] = truth_of_tags(features.pop(LABEL), features.pop(TEXT))
        if not form.is_raw:
            decoded = images.decode_encoded(features.pop(ENCODED), input_shape[2])
            features["pictures"] = images.network_input(decoded[None], input_shape)[0]
        return place, features

    def parse_and_batch(dataset: tf.data.Dataset, context: tf.distribute.InputContext | None) -> tf.data.Dataset:
        batch_size = config.global_batch_size
        if context is not None:
            batch_size = context.get_per_replica_batch_size(batch_size)
        if config.cache and config.is_training:
            # The same examples come again out of memory; where they stand now is what varies.
            dataset = dataset.enumerate().map(lambda place, example: (place, example[1]))
        if form.is_raw and not truth_of_tags:
            batches = dataset.batch(batch_size, drop_remainder=config.drop_remainder)
            return batches.map(parse, num_parallel_calls=tf.data.AUTOTUNE)
        pictures = dataset.map(parse_one, num_parallel_calls=tf.data.AUTOTUNE)
        return pictures.batch(batch_size, drop_remainder=config.drop_remainder).map(finish)

    reader = RecordReader(
        config, first_example=first_example, parallel_reads=False, transform_and_batch_fn=parse_and_batch
    )
    paths = [Path(path) for path in reader.paths]
    form = record_form(paths, several_labels=bool(truth_of_tags))
    require_strokes(form, paths, dropout)
    wanted = features_of(form, several_labels=bool(truth_of_tags), with_strokes=dropout > 0)
    return reader.read(input_context=input_context)


def features_of(form: RecordForm, *, several_labels: bool = False, with_strokes: bool = False) -> dict[str, Any]:
    """Return what is parsed of an example.

    That is its picture, the id and name of its class or of each of several, and where they are asked for the strokes.
    """
    picture = {RAW if form.is_raw else ENCODED: tf.io.FixedLenFeature([], tf.string)}
    if with_strokes:
        picture[STROKE_LAYERS] = tf.io.FixedLenFeature([], tf.string, "")
    if several_labels:
        return picture | {LABEL: tf.io.RaggedFeature(tf.int64), TEXT: tf.io.RaggedFeature(tf.string)}
    return picture | {
        LABEL: tf.io.FixedLenFeature([], tf.int64),
        TEXT: tf.io.FixedLenFeature([], tf.string, ""),
    }
