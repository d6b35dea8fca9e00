"""Random changes of a batch of training pictures; every draw comes from an explicit seed."""

import math
from typing import Any

import tensorflow as tf

from pipelines.classification.distortions import distort
from pipelines.classification.model_config import ClassifierAugmentation


def augment(images: Any, seed: Any, config: ClassifierAugmentation) -> Any:
    """Vary each picture of a batch on its own: one projective transform for all that moves it, then cutout.

    What comes in from outside is 0: no ink. Strokes are left out before, see `stroke_dropout`.

    Args:
        images: float32 ``(b, h, w, c)``.
        seed: Integer ``(2,)``; the same seed gives the same batch on any machine.
        config: What is varied, and how far.

    Returns:
        Pictures of the same shape; the very same ones when nothing is asked for.
    """
    seeds = tf.random.experimental.stateless_split(seed, 8)
    count = tf.shape(images)[0]
    images = distort(images, seeds[7], config)
    if any((config.shift, config.rotation, config.scale, config.stretch, config.flip)):
        images = _transformed(images, _transforms(images, seeds, count, config))
    if config.cutout > 0:
        images = _cut_out(images, seeds[6], count, config)
    return images


def _spread(seed: Any, count: Any, width: float) -> Any:
    """Draw ``count`` numbers from ``-width`` to ``width``."""
    return tf.random.stateless_uniform([count], seed, -1.0, 1.0) * width


def _transforms(images: Any, seeds: Any, count: Any, config: ClassifierAugmentation) -> Any:
    """Return the eight numbers of `tf.raw_ops.ImageProjectiveTransformV3` for each picture: output to input."""
    height, width = images.shape[1:3]
    angle = _spread(seeds[0], count, config.rotation * math.pi / 180)
    # Of 1.25 and 0.8 neither is more likely than the other, hence the logarithms.
    scale = _spread(seeds[1], count, math.log1p(config.scale))
    stretch = _spread(seeds[2], count, math.log1p(config.stretch) / 2)
    mirrored = tf.random.stateless_uniform([count], seeds[3]) < config.flip
    by_x = tf.exp(-scale - stretch) * tf.where(mirrored, -1.0, 1.0)
    by_y = tf.exp(-scale + stretch)
    moved_x, moved_y = _spread(seeds[4], count, config.shift * width), _spread(seeds[5], count, config.shift * height)
    a, b = tf.cos(angle) * by_x, -tf.sin(angle) * by_x
    d, e = tf.sin(angle) * by_y, tf.cos(angle) * by_y
    # About the centre of the picture, which is between two pixels where the side is even.
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    c = middle_x - a * (middle_x + moved_x) - b * (middle_y + moved_y)
    f = middle_y - d * (middle_x + moved_x) - e * (middle_y + moved_y)
    nothing = tf.zeros_like(a)
    return tf.stack([a, b, c, d, e, f, nothing, nothing], axis=1)


def _transformed(images: Any, transforms: Any) -> Any:
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=tf.shape(images)[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def _cut_out(images: Any, seed: Any, count: Any, config: ClassifierAugmentation) -> Any:
    """Blank a square at a random place, which may reach over the edge, in a share of the pictures."""
    height, width = images.shape[1:3]
    draws = tf.random.stateless_uniform([3, count], seed)
    centre_y, centre_x = draws[0, :, None] * height, draws[1, :, None] * width
    is_row = tf.abs(tf.range(height, dtype=tf.float32)[None] + 0.5 - centre_y) < config.cutout_size * height / 2
    is_column = tf.abs(tf.range(width, dtype=tf.float32)[None] + 0.5 - centre_x) < config.cutout_size * width / 2
    is_hit = (draws[2] < config.cutout)[:, None, None]
    is_blank = is_row[:, :, None] & is_column[:, None, :] & is_hit
    return tf.where(is_blank[..., None], 0.0, images)
