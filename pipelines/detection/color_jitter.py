"""Random colours, in one pass over the network's input."""

import math
from typing import Any

import tensorflow as tf

from pipelines.detection.augmentation_config import SSDAugmentation

# Of `color: 1`: largest change of brightness, of contrast and saturation, and of the hue as a share of the circle.
_BRIGHTNESS, _CONTRAST, _HUE = 0.25, 0.5, 0.05
_LUMA = (0.299, 0.587, 0.114)
_TO_YIQ = ((0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))


def wants_color(config: SSDAugmentation) -> bool:
    """Tell whether any colour is to be changed."""
    jitter = config.jitter
    flat = [1.0, 1.0]
    still = jitter.contrast == flat and jitter.saturation == flat and not jitter.brightness and not jitter.hue
    return config.color > 0 or config.gray > 0 or not still


def jitter_color(image: Any, seed: Any, config: SSDAugmentation) -> Any:
    """Change brightness, contrast, saturation and hue, in this order, by random amounts.

    All four are linear in the three channels, so they are one matrix: a picture of the network's size costs as much as
    one multiplication of its pixels, whatever is asked for.

    Args:
        image: float ``(h, w, 3)`` in ``[-1, 1]``.
        seed: Decides the amounts.
        config: Their ranges; ``color`` and ``jitter`` add up.

    Returns:
        The picture, cut to ``[-1, 1]``.
    """
    jitter, strength = config.jitter, config.color
    draws = tf.unstack(tf.random.stateless_uniform([5], seed))
    brightness = _between(draws[0], -1.0, 1.0) * (jitter.brightness + _BRIGHTNESS * strength)
    spread = _CONTRAST * strength
    contrast = _between(draws[1], jitter.contrast[0] * (1.0 - spread), jitter.contrast[1] * (1.0 + spread))
    saturation = _between(draws[2], jitter.saturation[0] * (1.0 - spread), jitter.saturation[1] * (1.0 + spread))
    saturation = tf.where(draws[4] < config.gray, 0.0, saturation)
    hue = _between(draws[3], -1.0, 1.0) * (jitter.hue + _HUE * strength)
    mix = _hue_matrix(hue) @ _saturation_matrix(saturation)
    values = (image + 1.0) / 2.0
    mean = tf.reduce_mean(values, axis=(0, 1))
    shift = tf.linalg.matvec(mix, (1.0 - contrast) * mean + brightness)
    changed = tf.tensordot(values, contrast * mix, [[2], [1]]) + shift
    return tf.clip_by_value(changed, 0.0, 1.0) * 2.0 - 1.0


def _between(draw: Any, low: float, high: float) -> Any:
    return low + draw * (high - low)


def _saturation_matrix(saturation: Any) -> Any:
    return saturation * tf.eye(3) + (1.0 - saturation) * tf.tile(tf.constant([_LUMA]), [3, 1])


def _hue_matrix(hue: Any) -> Any:
    """Turn the colours by a share of the circle, in the plane of the same brightness."""
    angle = 2.0 * math.pi * hue
    cosine, sine, to_yiq = tf.cos(angle), tf.sin(angle), tf.constant(_TO_YIQ)
    turn = tf.stack([[1.0, 0.0, 0.0], [0.0, cosine, -sine], [0.0, sine, cosine]])
    return tf.linalg.inv(to_yiq) @ turn @ to_yiq
