"""Averaged weights: what a run evaluates and leaves where its config has a moving average (``optimizer_config.ema``).

TFM keeps the averages in the optimizer's slots and trains the weights themselves. A checkpoint to go on from has both;
one without an optimizer, as the best one is, has the averages as its weights.
"""

from typing import Any

import tensorflow as tf
import tf_keras
from official.modeling import optimization

from pipelines.input_wait import WaitingTrainer
from pipelines.weights.object_graph import GRAPH_KEY, ObjectGraph, own_paths


class ExactAverage(optimization.ExponentialMovingAverage):
    """TFM's moving average that gives the weights back bit by bit after an evaluation.

    TFM exchanges two numbers by adding and subtracting them, which rounds: a run would depend on how often it was
    evaluated.
    """

    def swap_weights(self) -> None:
        """Exchange weights and averages."""
        for average, weight in self._pairs():
            held = tf.identity(average)
            average.assign(weight.read_value())
            weight.assign(held)

    def begin_at_weights(self) -> None:
        """Let the averages be the weights as they are now; TFM begins at zero."""
        for average, weight in self._pairs():
            average.assign(weight.read_value())

    def _pairs(self) -> list[tuple[tf.Variable, tf.Variable]]:
        return list(zip(self._average_weights, self._model_weights, strict=True))


class AveragingTrainer(WaitingTrainer):
    """TFM's trainer with `ExactAverage` where its config has a moving average."""

    def __init__(
        self, config: Any, task: Any, model: tf_keras.Model, optimizer: tf_keras.optimizers.Optimizer, **more: Any
    ) -> None:
        if isinstance(optimizer, optimization.ExponentialMovingAverage):
            settings = config.trainer.optimizer_config.ema.as_dict()
            optimizer = ExactAverage(optimizer._optimizer, **settings)
        super().__init__(config, task, model, optimizer, **more)

    def initialize(self) -> None:
        """Load the weights to start from; the averages begin there."""
        super().initialize()
        if isinstance(self.optimizer, ExactAverage):
            self.optimizer.begin_at_weights()


def take_averages(model: tf_keras.Model, prefix: str) -> bool:
    """Give a model the averages of a checkpoint that has them beside the weights.

    Args:
        model: The network the checkpoint was written of.
        prefix: The checkpoint.

    Returns:
        Whether there were any; without, the model is as it was.
    """
    reader = tf.train.load_checkpoint(prefix)
    graph = ObjectGraph(reader.get_tensor(GRAPH_KEY))
    averages = graph.slots("optimizer", "average")
    if not averages:
        return False
    paths = own_paths(model)
    for variable in model.variables:
        if (key := graph.key(paths.get(id(variable), ""))) in averages:
            variable.assign(reader.get_tensor(averages[key]))
    return True
