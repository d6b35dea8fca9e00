"""The random numbers of dropout, kept with the weights: a run goes on with the draws it would have had."""

from typing import Any

import tf_keras


def draw_from_states() -> None:
    """Let layers that are built from now on draw from a state of their own."""
    tf_keras.backend.experimental.enable_tf_random_generator()


def keep_random_states(model: tf_keras.Model) -> None:
    """Make the states of all layers of a model part of its checkpoints, from which Keras leaves them out."""
    states: list[Any] = [
        layer._random_generator._generator
        for layer in model._flatten_layers(include_self=False, recursive=True)
        if isinstance(layer, tf_keras.__internal__.layers.BaseRandomLayer)
    ]
    model.random_states = [state for state in states if state is not None]
