"""Record files as one dataset: TFM's reader on an order that can be begun anywhere."""

from pathlib import Path
from typing import Any

import tensorflow as tf
from official.core import input_reader

from pipelines.companions import window_begin, with_companions
from pipelines.example_order import RecordOrder


class RecordReader(input_reader.InputReader):
    """TFM's reader on an order of examples that depends on the seed and the place in it alone.

    It takes the name of a file that exists for that file, whatever characters it has. It can begin in the middle, so
    that a run goes on with the batches an uninterrupted one would have had; and every worker of a cluster takes its
    share of the same global batches.

    Args:
        config: What to read: a `tfm.DataConfig` with ``sample_1_of_n`` and ``max_examples``.
        first_example: How many examples of the endless training order were seen before.
        companions: How many others of its neighbourhood each training example brings along; see
            `pipelines.companions.with_companions`. Not with ``config.cache``.
        parallel_reads: See `RecordOrder`.
        more: What `input_reader.InputReader` takes.
    """

    def __init__(
        self, config: Any, *, first_example: int = 0, companions: int = 0, parallel_reads: bool = True, **more: Any
    ) -> None:
        super().__init__(config, **more)
        self._first_example = first_example
        self._companions, self._companion_seed = companions, config.seed or 0
        self._every, self._at_most = config.sample_1_of_n, config.max_examples or -1
        self._records = RecordOrder(
            self._matched_files,
            seed=config.seed or 0,
            shuffle_buffer_size=config.shuffle_buffer_size,
            cycle_length=config.cycle_length,
            block_length=config.block_length,
            parallel_reads=parallel_reads,
        )
        if not config.cache:
            self._shuffle_buffer_size = 1  # TFM's own shuffle would come after the order and spoil it

    @property
    def paths(self) -> list[str]:
        """The files that are read, in the order of evaluation."""
        return list(self._matched_files)

    def once(self) -> tf.data.Dataset:
        """Return ``(place in the records, serialised example)`` of what an evaluation reads, in that order."""
        return self._records.once().shard(self._every, 0).take(self._at_most)

    def get_files(self, input_path: Any) -> Any:
        """Return the files that one path or several name."""
        words = [input_path] if isinstance(input_path, str) else list(input_path)
        return words if all(Path(word).is_file() for word in words) else super().get_files(input_path)

    def _read_data_source(
        self, matched_files: Any, dataset_fn: Any, input_context: tf.distribute.InputContext | None = None
    ) -> tf.data.Dataset:
        """Return ``(place in the order, serialised example)``, and where they are asked for its companions."""
        if not self._is_training:
            # Each worker evaluates every picture: there is nothing to bring together.
            return self.once()
        if self._cache:
            return self._records.once()  # TFM shuffles and repeats what it keeps in memory
        dataset = self._endless()
        if input_context is not None and input_context.num_input_pipelines > 1:
            dataset = dataset.shard(input_context.num_input_pipelines, input_context.input_pipeline_id)
        return dataset

    def _endless(self) -> tf.data.Dataset:
        if not self._companions:
            return self._records.endless(self._first_example)
        begin = window_begin(self._first_example)
        whole = with_companions(self._records.endless(begin), self._companions, seed=self._companion_seed)
        return whole.skip(self._first_example - begin)
