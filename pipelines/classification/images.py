"""What stands in a record or a file becomes the input of a network: float32 in [0, 1], one size, one or three channels.

Training, evaluation, prediction and export go through these functions, so that they see the same pixels.
"""

from typing import Any

import tensorflow as tf


def decode_raw(raw: Any, side_height: int, side_width: int) -> Any:
    """Read a batch of drawings kept as a byte a pixel.

    Args:
        raw: Strings ``(b,)``, each of ``side_height * side_width`` bytes: rows from the top, 255 is ink.
        side_height: Rows of every drawing.
        side_width: Columns of every drawing.

    Returns:
        uint8 ``(b, side_height, side_width, 1)``.
    """
    return tf.reshape(tf.io.decode_raw(raw, tf.uint8), [-1, side_height, side_width, 1])


def decode_encoded(encoded: Any, channels: int) -> Any:
    """Decode one JPEG, PNG, BMP or the first frame of a GIF to uint8 ``(h, w, channels)``; 1 channel is grey.

    JPEGs are decoded with the accurate inverse DCT, as Pillow does.
    """
    image = tf.cond(
        tf.io.is_jpeg(encoded),
        lambda: tf.io.decode_jpeg(encoded, channels=channels, dct_method="INTEGER_ACCURATE"),
        lambda: _other_than_jpeg(encoded, channels),
    )
    image.set_shape([None, None, channels])
    return image


def _other_than_jpeg(encoded: Any, channels: int) -> Any:
    # decode_image makes three channels of a GIF or BMP whatever is asked for.
    image = tf.io.decode_image(encoded, channels=0 if channels == 1 else channels, expand_animations=False)
    if channels == 1:
        depth = tf.shape(image)[2]
        image = tf.cond(depth >= 3, lambda: tf.image.rgb_to_grayscale(image[:, :, :3]), lambda: image[:, :, :1])
    return image


def network_input(images: Any, input_shape: tuple[int, int, int]) -> Any:
    """Bring pictures of one size to the network's: resized (bilinear, with antialiasing), channels, scale.

    Args:
        images: uint8 ``(b, h, w, c)`` with 1 or 3 channels.
        input_shape: Height, width and channels of the result.

    Returns:
        float32 ``(b, height, width, channels)`` in ``[0, 1]``; pictures of the network's own size keep their values.
    """
    height, width, channels = input_shape
    pixels = tf.cast(images, tf.float32) * (1.0 / 255.0)
    if images.shape[-1] == 3 and channels == 1:
        pixels = tf.image.rgb_to_grayscale(pixels)
    if tuple(images.shape[1:3]) != (height, width):
        pixels = tf.clip_by_value(tf.image.resize(pixels, [height, width], antialias=True), 0.0, 1.0)
    if images.shape[-1] == 1 and channels == 3:
        pixels = tf.repeat(pixels, 3, axis=-1)
    return tf.ensure_shape(pixels, [None, height, width, channels])
