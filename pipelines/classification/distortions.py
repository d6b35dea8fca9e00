"""Random changes of photographs that never show what lies outside the picture: a closer look, more or less light."""

from typing import Any

import tensorflow as tf

from pipelines.classification.model_config import ClassifierAugmentation


def distort(images: Any, seed: Any, config: ClassifierAugmentation) -> Any:
    """Cut each picture of a batch at random and change its brightness.

    A cut shows ``1 / ((1 + crop) * s)`` of each side, with ``s`` drawn from 1 to ``1 + zoom``, anywhere in the picture;
    the light is multiplied by ``1 - brightness`` to ``1 + brightness``.

    Args:
        images: float32 ``(b, h, w, c)`` in ``[0, 1]``.
        seed: Integer ``(2,)``; the same seed gives the same batch on any machine.
        config: How far.

    Returns:
        Pictures of the same shape and range; the very same ones when nothing is asked for.
    """
    count = tf.shape(images)[0]
    draws = tf.random.stateless_uniform([4, count], seed)
    if config.crop or config.zoom:
        shown = 1.0 / ((1.0 + config.crop) * (1.0 + draws[0] * config.zoom))
        top, left = draws[1] * (1.0 - shown), draws[2] * (1.0 - shown)
        images = _cut(images, shown, top, left)
    if config.brightness:
        light = 1.0 + (2.0 * draws[3] - 1.0) * config.brightness
        images = tf.clip_by_value(images * light[:, None, None, None], 0.0, 1.0)
    return images


def _cut(images: Any, shown: Any, top: Any, left: Any) -> Any:
    """Fill each picture with a part of it: all shares ``(b,)`` of its sides."""
    height, width = images.shape[1:3]
    nothing = tf.zeros_like(shown)
    rows = [shown, nothing, left * (width - 1), nothing, shown, top * (height - 1), nothing, nothing]
    # Not crop_and_resize: TensorFlow complains on the terminal that it cannot estimate its cost.
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack(rows, axis=1),
        output_shape=tf.shape(images)[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )
