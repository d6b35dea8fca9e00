"""Boxes as offsets from anchors: the Faster R-CNN box coder with the OD API's scale factors."""

from typing import Any

import tensorflow as tf

# y, x, height, width, as in every SSD MobileNet config of the OD API.
SCALE_FACTORS = (10.0, 10.0, 5.0, 5.0)
# Added to sizes before the logarithm and the division, as in the OD API, when encoding only.
_EPSILON = 1e-8


def encode(boxes: Any, anchors: Any, scale_factors: tuple[float, ...] = SCALE_FACTORS) -> Any:
    """Return ``ty tx th tw`` of boxes against their anchors.

    Args:
        boxes: Shape ``(..., n, 4)``, normalised ``ymin xmin ymax xmax``.
        anchors: Shape ``(n, 4)`` or any shape that broadcasts with ``boxes``, same order.
        scale_factors: Multipliers of the four codes in the order y, x, height, width.

    Returns:
        Same shape as ``boxes``: ``10*(cy-cya)/ha, 10*(cx-cxa)/wa, 5*ln(h/ha), 5*ln(w/wa)``.
    """
    center_y, center_x, height, width = _centers_and_sizes(boxes)
    anchor_y, anchor_x, anchor_height, anchor_width = _centers_and_sizes(anchors)
    anchor_height, anchor_width = anchor_height + _EPSILON, anchor_width + _EPSILON
    height, width = height + _EPSILON, width + _EPSILON
    codes = (
        (center_y - anchor_y) / anchor_height,
        (center_x - anchor_x) / anchor_width,
        tf.math.log(height / anchor_height),
        tf.math.log(width / anchor_width),
    )
    return tf.stack([code * factor for code, factor in zip(codes, scale_factors, strict=True)], axis=-1)


def decode(codes: Any, anchors: Any, scale_factors: tuple[float, ...] = SCALE_FACTORS) -> Any:
    """Return the boxes that ``codes`` stand for; the inverse of `encode`, same shapes and order."""
    anchor_y, anchor_x, anchor_height, anchor_width = _centers_and_sizes(anchors)
    ty, tx, th, tw = tf.unstack(codes, axis=-1)
    y_factor, x_factor, height_factor, width_factor = scale_factors
    half_height = tf.exp(th / height_factor) * anchor_height / 2
    half_width = tf.exp(tw / width_factor) * anchor_width / 2
    center_y = ty / y_factor * anchor_height + anchor_y
    center_x = tx / x_factor * anchor_width + anchor_x
    return tf.stack(
        [center_y - half_height, center_x - half_width, center_y + half_height, center_x + half_width], axis=-1
    )


def _centers_and_sizes(boxes: Any) -> tuple[Any, Any, Any, Any]:
    ymin, xmin, ymax, xmax = tf.unstack(tf.convert_to_tensor(boxes), axis=-1)
    height, width = ymax - ymin, xmax - xmin
    return ymin + height / 2, xmin + width / 2, height, width
