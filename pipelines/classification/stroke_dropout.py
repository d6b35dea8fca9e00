"""Drawings without some of their strokes, a batch at a time; every draw comes from an explicit seed."""

from typing import Any

import tensorflow as tf


def drop_strokes(images: Any, packed: Any, seed: Any, chance: float) -> Any:
    """Leave strokes out of a batch of drawings, each by itself; at least one stroke of each drawing stays.

    Where a drawing loses all its strokes by chance, one of them, any, is put back.

    Args:
        images: uint8 ``(b, h, w, 1)``, 255 is ink.
        packed: Strings ``(b,)``: the strokes of each one by one, as `records.stroke_layers.pack_layers` has them; an
            empty one keeps the drawing as it is.
        seed: Integer ``(2,)``; the same seed gives the same batch on any machine.
        chance: That a stroke is left out, 0 to 1.

    Returns:
        uint8 ``(b, h, w, 1)``: the remaining strokes laid over each other; drawings that lost none are the very same.
    """
    height, width = images.shape[1:3]
    size, count = height * width, tf.shape(images)[0]
    has_layers = tf.strings.length(packed) > 0
    unpacked = tf.io.decode_compressed(tf.boolean_mask(packed, has_layers), "ZLIB")
    owners = tf.repeat(tf.where(has_layers)[:, 0], tf.strings.length(unpacked) // size)
    # One string of all layers of the batch: drawings need not be padded to the same number of strokes.
    layers = tf.reshape(tf.io.decode_raw(tf.strings.reduce_join(unpacked), tf.uint8), [-1, size])
    draws = tf.random.stateless_uniform(tf.shape(owners), seed)
    largest = tf.math.unsorted_segment_max(draws, owners, count)
    stays = tf.logical_or(draws >= chance, draws == tf.gather(largest, owners))
    num_lost = tf.math.unsorted_segment_sum(tf.cast(~stays, tf.int32), owners, count)
    kept, owners = tf.boolean_mask(layers, stays), tf.boolean_mask(owners, stays)
    clear = tf.math.unsorted_segment_prod(1.0 - tf.cast(kept, tf.float32) * (1.0 / 255.0), owners, count)
    drawn = tf.cast(tf.round(255.0 * (1.0 - clear)), tf.uint8)
    return tf.where((num_lost > 0)[:, None, None, None], tf.reshape(drawn, tf.shape(images)), images)
