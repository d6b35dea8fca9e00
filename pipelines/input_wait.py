"""How much of a training is waiting for the next batch, measured in the loop itself."""

import time
from typing import Any

import tensorflow as tf
from official.core import base_trainer

INPUT_WAIT_SHARE = "input_wait_share"


class WaitingTrainer(base_trainer.Trainer):
    """TFM's trainer, whose logs also tell the share of a loop's time that went into waiting for batches.

    The share, 0 to 1, stands under `INPUT_WAIT_SHARE`. It is near 0 while the input pipeline, which works ahead of
    the steps, keeps up with them; its processor time is no part of it.
    """

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._waited = tf.Variable(0.0, trainable=False, dtype=tf.float64, name="input_wait_seconds")
        self._begun = 0.0

    def train_loop_begin(self) -> None:
        """See base class."""
        super().train_loop_begin()
        self._waited.assign(0.0)
        self._begun = time.perf_counter()

    def next_train_inputs(self, iterator: Any) -> Any:
        """See base class; the two clocks are read right before and right after."""
        asked = tf.timestamp()
        with tf.control_dependencies([asked]):
            inputs = super().next_train_inputs(iterator)
        with tf.control_dependencies(tf.nest.flatten(inputs, expand_composites=True)):
            answered = tf.timestamp()
        self._waited.assign_add(answered - asked)
        return inputs

    def train_loop_end(self) -> dict[str, Any]:
        """See base class."""
        logs: dict[str, Any] = super().train_loop_end()
        elapsed = time.perf_counter() - self._begun
        logs[INPUT_WAIT_SHARE] = float(self._waited.numpy()) / elapsed
        return logs
