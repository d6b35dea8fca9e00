"""Batches of bottlenecks in the form of batches of pictures, so that one training loop serves both."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pipelines.classification.bottlenecks import Bottlenecks
from pipelines.classification.class_names import output_finder
from pipelines.classification.model_config import ClassifierData

_Batch = tuple[Any, dict[str, Any]]


def bottleneck_batches(
    read: Callable[[], Bottlenecks],
    config: ClassifierData,
    class_names: Mapping[int, str],
    width: int,
    *,
    first_example: int = 0,
    truth_of: Callable[[Bottlenecks, Mapping[int, str]], NDArray[Any]] | None = None,
    truth_spec: tf.TensorSpec | None = None,
) -> tf.data.Dataset:
    """Build the batches of one split.

    Args:
        read: Gives the bottlenecks; asked when the first batch is.
        config: How to batch: ``global_batch_size``, ``seed``, ``sample_1_of_n`` and ``max_examples`` count.
        class_names: Name of each class id, in the order of the outputs.
        width: Length of a bottleneck.
        first_example: How many training examples were seen before; the batches go on from there.
        truth_of: Gives ``classes`` of all examples; without it the output of each, `outputs_of`.
        truth_spec: Of a batch of them.

    Returns:
        A dataset of ``(bottlenecks, labels)``: float32 ``(b, width)``, and the labels of
        `pipelines.classification.input_pipeline.build_dataset`. The training dataset never ends: every example once,
        in an order of the seed, then once more in another.
    """
    signature = (
        tf.TensorSpec([None, width], tf.float32),
        {"classes": truth_spec or tf.TensorSpec([None], tf.int32), "places": tf.TensorSpec([None], tf.int64)},
    )

    def batches() -> Iterator[_Batch]:
        examples = read()
        outputs = (truth_of or outputs_of)(examples, class_names)
        if config.is_training:
            order = training_order(len(outputs), config.seed or 0, first_example, config.global_batch_size)
        else:
            wanted = np.arange(0, len(outputs), max(config.sample_1_of_n, 1))[: config.max_examples or None]
            size = config.global_batch_size
            order = (wanted[first : first + size] for first in range(0, len(wanted), size))
        for rows in order:
            yield examples.vectors[rows], {"classes": outputs[rows], "places": rows.astype(np.int64)}

    return tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(tf.data.AUTOTUNE)


def outputs_of(examples: Bottlenecks, class_names: Mapping[int, str]) -> NDArray[np.int32]:
    """Return the output of each example, int32 ``(n,)``: by its class name, by id where it has none, -1 if unknown."""
    output_of = output_finder(class_names)
    found = [
        output_of(labels[0] if labels else 0, texts[0] if texts else "")
        for labels, texts in zip(examples.labels, examples.texts, strict=True)
    ]
    return np.asarray(found, np.int32)


def training_order(count: int, seed: int, first: int, size: int) -> Iterator[NDArray[np.intp]]:
    """Yield the rows of batch after batch, each of ``size``, from the ``first`` example of the endless order on."""
    epoch, place = divmod(first, count)
    rest = _epoch(count, seed, epoch)[place:]
    while True:
        while len(rest) < size:
            epoch += 1
            rest = np.concatenate([rest, _epoch(count, seed, epoch)])
        yield rest[:size]
        rest = rest[size:]


def _epoch(count: int, seed: int, epoch: int) -> NDArray[np.intp]:
    return np.random.default_rng([seed, epoch]).permutation(count)
