"""The best checkpoint of a run: the network alone, as it was evaluated."""

from typing import Any

import tensorflow as tf
from official.core import train_utils


class NetworkExporter(train_utils.BestCheckpointExporter):
    """TFM's keeper of the best checkpoint, without the optimizer: nobody trains on from here.

    With a moving average the network is that of the averaged weights at this moment; the optimizer would hold the
    others, and nothing in the file would tell which are which.
    """

    def __init__(self, export_dir: str, metric_name: str, metric_comp: str) -> None:
        super().__init__(export_dir, metric_name, metric_comp)
        self._network: tf.train.Checkpoint | None = None

    def maybe_export_checkpoint(
        self, checkpoint: tf.train.Checkpoint, eval_logs: dict[str, Any], global_step: int, write_logs: bool = True
    ) -> bool:
        """Save the network of a checkpoint if the figures are better than all before; tells whether they are."""
        if self._network is None:
            self._network = tf.train.Checkpoint(model=checkpoint.model, global_step=checkpoint.global_step)
        return bool(super().maybe_export_checkpoint(self._network, eval_logs, global_step, write_logs))
