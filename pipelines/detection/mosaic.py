"""Mosaics: four pictures, each cut to its part, in one.

Pictures, boxes, classes and seeds as in `pipelines.detection.augmentation`.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from pipelines.detection import augmentation
from pipelines.detection.labeled_picture import LabeledPicture

COMPANIONS = 3
# Sides of a mosaic in sides of the network's input: the crop that follows enlarges a part of it again.
CANVAS = 1.5
# Where the four parts meet, as a share of the canvas.
_CENTER_RANGE = (0.35, 0.65)
# A picture may be stretched by so much, so that less of it has to be cut off.
_STRETCH = 4 / 3


def compose(pictures: Sequence[LabeledPicture], seed: Any, input_size: Sequence[int], min_overlap: float) -> Any:
    """Put four pictures into one, around a point near its middle that the seed decides.

    Each is cut to the shape of its part, around one of its objects if it has any, and stretched by a third at most. A
    box stays when at least ``min_overlap`` of its area is left, and is cut with the picture.

    Args:
        pictures: Top left, top right, bottom left, bottom right; any sizes.
        seed: Decides where they meet, and what of each is shown.
        input_size: Height and width of the network's input; the mosaic is ``CANVAS`` times as large.
        min_overlap: Share of a box's area.

    Returns:
        The mosaic, a `LabeledPicture`.
    """
    height, width = (round(side * CANVAS) for side in input_size)
    middle_seed, *seeds = tf.unstack(tf.random.split(seed, 1 + len(pictures)))
    middle = tf.random.stateless_uniform([2], middle_seed, *_CENTER_RANGE)
    top = tf.cast(tf.round(middle[0] * height), tf.int32)
    left = tf.cast(tf.round(middle[1] * width), tf.int32)
    heights, widths = (top, height - top), (left, width - left)
    parts, boxes = [], []
    for index, picture in enumerate(pictures):
        row, column = divmod(index, 2)
        part = _traced_cut(picture, heights[row], widths[column], seeds[index], min_overlap)
        corner = tf.cast(tf.stack([top * row, left * column]), tf.float32)
        size = tf.cast(tf.stack([heights[row], widths[column]]), tf.float32)
        canvas = tf.constant([height, width], tf.float32)
        boxes.append((part.boxes * tf.tile(size, [2]) + tf.tile(corner, [2])) / tf.tile(canvas, [2]))
        parts.append(part)
    upper, lower = (tf.concat([parts[row].image, parts[row + 1].image], axis=1) for row in (0, 2))
    image = tf.ensure_shape(tf.concat([upper, lower], axis=0), [height, width, 3])
    return LabeledPicture(image, tf.concat(boxes, axis=0), tf.concat([part.classes for part in parts], axis=0))


def cut_to(picture: LabeledPicture, height: Any, width: Any, seed: Any, min_overlap: float) -> LabeledPicture:
    """Cut a picture to a shape and resize what is left to ``height`` and ``width`` pixels; see `compose`."""
    object_seed, place_seed = tf.unstack(tf.random.split(seed, 2))
    old, new = tf.cast(tf.shape(picture.image)[:2], tf.float32), tf.cast(tf.stack([height, width]), tf.float32)
    # How much wider the wanted shape is than the picture's decides which of its sides is cut.
    wider = (new[1] / new[0]) / (old[1] / old[0])
    share = tf.minimum(tf.stack([1.0 / wider, wider]) * _STRETCH, 1.0)
    count = tf.shape(picture.boxes)[0]
    row = tf.random.stateless_uniform([], object_seed, maxval=tf.maximum(count, 1), dtype=tf.int32)
    # Without any object the whole picture stands for one, and the part can lie anywhere in it.
    chosen = tf.clip_by_value(tf.concat([picture.boxes, [[0.0, 0.0, 1.0, 1.0]]], axis=0)[row], 0.0, 1.0)
    # The part holds the object, or lies within it where the object is the larger one.
    ends = tf.clip_by_value(tf.stack([chosen[:2], chosen[2:] - share]), 0.0, 1.0 - share)
    begin = tf.reduce_min(ends, 0) + tf.random.stateless_uniform([2], place_seed) * tf.abs(ends[0] - ends[1])
    moved, stays = augmentation.boxes_within(picture.boxes, tf.concat([begin, begin + share], axis=0), min_overlap)
    image = _resized(picture.image, begin, share, old, height, width)
    return LabeledPicture(image, tf.boolean_mask(moved, stays), tf.boolean_mask(picture.classes, stays))


def _resized(image: Any, begin: Any, share: Any, old: Any, height: Any, width: Any) -> Any:
    """Resize a part of a picture; pixels are areas, so the edges of the part fall on the edges of the result."""
    new = tf.cast(tf.stack([height, width]), tf.float32)
    # The op counts from the middle of the first pixel to the middle of the last one.
    half = share * old / new / 2.0
    first = (begin * old + half - 0.5) / tf.maximum(old - 1.0, 1.0)
    last = ((begin + share) * old - half - 0.5) / tf.maximum(old - 1.0, 1.0)
    window = tf.clip_by_value(tf.concat([first, last], axis=0), 0.0, 1.0)
    part = tf.image.crop_and_resize(image[None], window[None], [0], tf.stack([height, width]))
    return tf.cast(tf.round(part[0]), tf.uint8)


_traced_cut = tf.function(cut_to, reduce_retracing=True)  # once for all four parts
