"""The order in which training sees its examples: a pure function of a seed and a place."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from pipelines.plain_graph import as_written

_FILES_AT_ONCE = 16


class RecordOrder:
    """The examples of some record files, still serialised, each with its place in the order.

    Args:
        paths: Record files, at least one.
        seed: Another seed, another order.
        shuffle_buffer_size: Within an epoch an example moves forward by at most about this many; sets that are not
            larger are shuffled whole.
        cycle_length: Number of files read side by side; ``None`` takes up to 16.
        block_length: Examples taken from a file before the next one has its turn.
        parallel_reads: Read each file in a thread of its own. The order is the same without, which is cheaper for small
            examples: handing one over costs more than reading it.
    """

    def __init__(
        self,
        paths: Sequence[str],
        *,
        seed: int = 0,
        shuffle_buffer_size: int = 1000,
        cycle_length: int | None = None,
        block_length: int = 1,
        parallel_reads: bool = True,
    ) -> None:
        self._paths = list(paths)
        self._seed = seed
        self._buffer = max(1, shuffle_buffer_size)
        self._cycle = min(cycle_length or _FILES_AT_ONCE, len(self._paths))
        self._block = block_length
        self._threads = self._cycle if parallel_reads and self._cycle > 1 else None

    def once(self) -> tf.data.Dataset:
        """Return ``(place, serialised example)`` of every example, file after file as they stand."""
        return tf.data.Dataset.from_tensor_slices(self._paths).flat_map(tf.data.TFRecordDataset).enumerate()

    def endless(self, first: int = 0) -> tf.data.Dataset:
        """Return ``(place, serialised example)`` of epoch after epoch, each in an order of its own.

        Args:
            first: The place to begin at. Whole epochs before it are not read again, and nothing is decoded.
        """
        epoch, rest = divmod(first, self.count()) if first else (0, 0)
        examples = tf.data.Dataset.range(epoch, tf.int64.max).flat_map(self._epoch).skip(rest)
        return examples.enumerate(start=first)

    def count(self) -> int:
        """Count the examples of one epoch, at least 1."""
        return max(1, int(self.once().reduce(tf.constant(0, tf.int64), lambda count, _: count + 1).numpy()))

    @as_written
    def _epoch(self, number: Any) -> tf.data.Dataset:
        seed = tf.stack([tf.constant(self._seed, tf.int64), number])
        files = tf.data.Dataset.from_tensor_slices(tf.random.experimental.stateless_shuffle(self._paths, seed))
        examples = files.interleave(
            tf.data.TFRecordDataset,
            cycle_length=self._cycle,
            block_length=self._block,
            num_parallel_calls=self._threads,
            deterministic=self._threads and True,
        )
        # Hashed and not added up: epoch 1 of seed 0 is not epoch 0 of seed 1.
        order = tf.random.stateless_uniform([2], seed, maxval=tf.int64.max, dtype=tf.int64)
        return _shuffled(examples, self._buffer, order)


def _shuffled(dataset: tf.data.Dataset, buffer_size: int, seed: Any) -> tf.data.Dataset:
    """Shuffle by a seed that is a tensor: `Dataset.shuffle` refuses one where a global seed is set."""
    shuffled = tf.raw_ops.ShuffleDataset(
        input_dataset=tf.data.experimental.to_variant(dataset),
        buffer_size=tf.constant(buffer_size, tf.int64),
        seed=seed[0],
        seed2=seed[1],
        output_types=[tf.string],
        output_shapes=[[]],
        reshuffle_each_iteration=False,
    )
    return tf.data.experimental.from_variant(shuffled, dataset.element_spec)
