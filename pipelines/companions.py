"""Which other examples stand beside a training example: those that a mosaic is made of."""

from typing import Any

import tensorflow as tf

# Examples that companions are drawn from; so many pictures, still compressed, are held at once.
WINDOW = 32


def window_begin(place: int) -> int:
    """Return the first place of the window that a place of the order lies in."""
    return place // WINDOW * WINDOW


def with_companions(examples: tf.data.Dataset, count: int, *, seed: int) -> tf.data.Dataset:
    """Give every example ``count`` others of its window, drawn from the seed and its place alone.

    Windows are runs of ``WINDOW`` places of the endless order, so a set that is smaller gives the same pictures more
    than once, and a set of one picture is its own companion.

    Args:
        examples: ``(place, serialised example)`` of consecutive places without an end, from a `window_begin` on.
        count: Number of companions, below ``WINDOW``.
        seed: Another seed, other companions.

    Returns:
        ``(place, serialised example, companions)``; the last is string ``(count,)``, no two of the same place.
    """

    def choose(places: Any, serialized: Any) -> tf.data.Dataset:
        window_seed = tf.stack([tf.cast(seed, tf.int64), places[0]])
        draws = tf.random.stateless_uniform([WINDOW, WINDOW - 1], window_seed)
        steps = tf.math.top_k(draws, k=count).indices + 1  # from one place to others, never to itself
        rows = (tf.range(WINDOW)[:, None] + steps) % WINDOW
        return tf.data.Dataset.from_tensor_slices((places, serialized, tf.gather(serialized, rows)))

    return examples.batch(WINDOW, drop_remainder=True).flat_map(choose)
