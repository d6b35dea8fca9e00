"""Several replicas that share a batch compute what one process computes on the whole of it."""

from typing import Any

import tensorflow as tf
import tf_keras


def total_of_replicas(value: Any) -> Any:
    """Return the sum of a number over the replicas that share a batch; the number itself outside of them."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return value
    return context.all_reduce(tf.distribute.ReduceOp.SUM, value)


def share_batch_statistics(model: tf_keras.Model) -> None:
    """Let batch normalisation take mean and variance over the batch of all replicas.

    A replica's share of a detector's batch is a few pictures: too few for statistics of their own.
    """
    for layer in model._flatten_layers(include_self=False, recursive=True):
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            layer.synchronized, layer.fused = True, False
