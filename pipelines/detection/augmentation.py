"""Random changes of a training picture and its boxes; every draw comes from an explicit seed.

A picture is uint8 ``(height, width, 3)``; boxes are ``(n, 4)`` normalised ``ymin xmin ymax xmax``; classes are int
``(n,)``. A seed is an int32 tensor of shape ``(2,)``: the same seed gives the same result on any machine.
"""

import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf

from pipelines.detection.augmentation_config import SSDAugmentation, SSDRandomCrop

# The seven cases of the OD API's ssd_random_crop: share of an object the crop must cover, and share of a box that
# must lie inside the crop for the box to stay.
_CROP_OVERLAPS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
_CROP_SKIP_PROBABILITY = 0.15
_CROP_ASPECT_RANGE = (0.5, 2.0)
_CROP_AREA_RANGE = (0.1, 1.0)
_CROP_ATTEMPTS = 100
_GREY = 128


def augment(
    image: Any, boxes: Any, classes: Any, seed: Any, config: SSDAugmentation, *, is_mosaic: Any = False
) -> tuple[Any, Any, Any]:
    """Apply the changes of shape that ``config`` asks for: larger canvas, crops, mirror images, quarter turns.

    Args:
        image: The picture.
        boxes: Its boxes.
        classes: Their classes.
        seed: Decides everything.
        config: What is asked for.
        is_mosaic: The picture is one of four, whose objects are small enough without a larger canvas.

    Returns:
        Picture, boxes and classes; a crop may have fewer boxes, also none.
    """
    seeds = _split(seed)
    if config.zoom_out > 0:
        probability = tf.where(is_mosaic, 0.0, config.zoom_out)
        image, boxes = zoom_out(image, boxes, next(seeds), probability, config.zoom_out_max)
    if config.ssd_crop:
        least_overlap = tf.where(is_mosaic, config.mosaic.min_overlap, 0.0)
        cases = config.ssd_crop_cases
        image, boxes, classes = ssd_random_crop(image, boxes, classes, next(seeds), least_overlap, cases=cases)
    if config.crop.enabled:
        image, boxes, classes = random_crop(image, boxes, classes, next(seeds), config.crop)
    if config.flip > 0:
        image, boxes = flip_left_right(image, boxes, next(seeds), config.flip)
    if config.flip_vertical > 0:
        image, boxes = flip_upside_down(image, boxes, next(seeds), config.flip_vertical)
    if config.rotate > 0:
        image, boxes = quarter_turn(image, boxes, next(seeds), config.rotate)
    return image, boxes, classes


def flip_left_right(image: Any, boxes: Any, seed: Any, probability: float) -> tuple[Any, Any]:
    """Mirror picture and boxes with the given probability."""
    mirrored = tf.stack([boxes[:, 0], 1.0 - boxes[:, 3], boxes[:, 2], 1.0 - boxes[:, 1]], axis=1)
    flip = tf.random.stateless_uniform([], seed) < probability
    return tf.cond(flip, lambda: image[:, ::-1, :], lambda: image), tf.where(flip, mirrored, boxes)


def flip_upside_down(image: Any, boxes: Any, seed: Any, probability: float) -> tuple[Any, Any]:
    """Turn picture and boxes upside down, as in a lake, with the given probability."""
    mirrored = tf.stack([1.0 - boxes[:, 2], boxes[:, 1], 1.0 - boxes[:, 0], boxes[:, 3]], axis=1)
    flip = tf.random.stateless_uniform([], seed) < probability
    return tf.cond(flip, lambda: image[::-1], lambda: image), tf.where(flip, mirrored, boxes)


def quarter_turn(image: Any, boxes: Any, seed: Any, probability: float) -> tuple[Any, Any]:
    """Turn picture and boxes to the left by a quarter with the given probability."""
    turned = tf.stack([1.0 - boxes[:, 3], boxes[:, 0], 1.0 - boxes[:, 1], boxes[:, 2]], axis=1)
    turn = tf.random.stateless_uniform([], seed) < probability
    picture = tf.cond(turn, lambda: tf.transpose(image, [1, 0, 2])[::-1], lambda: image)
    return tf.ensure_shape(picture, [None, None, 3]), tf.where(turn, turned, boxes)


def ssd_random_crop(
    image: Any,
    boxes: Any,
    classes: Any,
    seed: Any,
    least_overlap: Any = 0.0,
    *,
    cases: Sequence[SSDRandomCrop] = (),
) -> tuple[Any, Any, Any]:
    """Crop as the SSD paper does, with the OD API's cases (see the constants of this module) or with ``cases``.

    A box stays when enough of it (by area) lies inside the crop, ``least_overlap`` in all cases, and is clipped to it.
    """
    seeds = _split(seed)
    if cases:
        chosen = tf.random.stateless_uniform([], next(seeds), maxval=len(cases), dtype=tf.int32)
        crop = functools.partial(random_crop, image, boxes, classes, next(seeds), least_overlap=least_overlap)
        found: tuple[Any, Any, Any] = tf.switch_case(chosen, [functools.partial(crop, config=one) for one in cases])
        return found
    case = tf.random.stateless_uniform([], next(seeds), maxval=len(_CROP_OVERLAPS), dtype=tf.int32)
    overlap = tf.constant(_CROP_OVERLAPS)[case]
    skip = tf.random.stateless_uniform([], next(seeds)) < _CROP_SKIP_PROBABILITY
    limits = {"aspect_ratio_range": _CROP_ASPECT_RANGE, "area_range": _CROP_AREA_RANGE}
    return _crop(image, boxes, classes, next(seeds), skip, overlap, tf.maximum(overlap, least_overlap), **limits)


def random_crop(
    image: Any, boxes: Any, classes: Any, seed: Any, config: SSDRandomCrop, least_overlap: Any = 0.0
) -> tuple[Any, Any, Any]:
    """Crop within the limits of ``config``; boxes as in `ssd_random_crop`."""
    seeds = _split(seed)
    skip = tf.random.stateless_uniform([], next(seeds)) >= config.probability
    return _crop(
        image, boxes, classes, next(seeds), skip, tf.constant(config.min_object_covered),
        tf.maximum(config.min_overlap, least_overlap),
        aspect_ratio_range=(config.min_aspect_ratio, config.max_aspect_ratio),
        area_range=(config.min_area, config.max_area),
    )  # fmt: skip


def _crop(
    image: Any,
    boxes: Any,
    classes: Any,
    seed: Any,
    skip: Any,
    covered: Any,
    overlap: Any,
    **limits: tuple[float, float],
) -> tuple[Any, Any, Any]:
    clipped = tf.clip_by_value(boxes, 0.0, 1.0)
    begin, size, window = tf.image.stateless_sample_distorted_bounding_box(
        tf.shape(image),
        clipped[None],
        seed=seed,
        min_object_covered=covered,
        max_attempts=_CROP_ATTEMPTS,
        use_image_if_no_bounding_boxes=True,
        **limits,
    )
    window = window[0, 0]

    def cropped() -> tuple[Any, Any, Any]:
        moved, stays = boxes_within(boxes, window, overlap)
        picture = tf.slice(image, begin, size)
        return picture, tf.boolean_mask(moved, stays), tf.boolean_mask(classes, stays)

    picture, new_boxes, new_classes = tf.cond(skip, lambda: (image, boxes, classes), cropped)
    picture.set_shape([None, None, 3])
    new_boxes.set_shape([None, 4])
    return picture, new_boxes, new_classes


def boxes_within(boxes: Any, window: Any, overlap: Any) -> tuple[Any, Any]:
    """Return boxes in the frame of a window ``(4,)``, cut to it, and which of them stay: enough of their area is in."""
    clipped = tf.clip_by_value(boxes, 0.0, 1.0)
    top_left, bottom_right = window[:2], window[2:]
    inside = tf.concat([tf.maximum(clipped[:, :2], top_left), tf.minimum(clipped[:, 2:], bottom_right)], axis=1)
    area_inside = tf.reduce_prod(tf.maximum(inside[:, 2:] - inside[:, :2], 0.0), axis=1)
    share = tf.math.divide_no_nan(area_inside, tf.reduce_prod(clipped[:, 2:] - clipped[:, :2], axis=1))
    # A box that only touches the window has nothing inside it to learn from, even without a minimum.
    stays = tf.logical_and(share >= overlap, area_inside > 0)
    return (inside - tf.tile(top_left, [2])) / tf.tile(bottom_right - top_left, [2]), stays


def zoom_out(image: Any, boxes: Any, seed: Any, probability: Any, largest: float) -> tuple[Any, Any]:
    """Put the picture at a random place of a grey canvas, up to ``largest`` times its sides."""
    seeds = _split(seed)
    draws = tf.random.stateless_uniform([3], next(seeds))
    apply = tf.random.stateless_uniform([], next(seeds)) < probability
    ratio = tf.where(apply, 1.0 + draws[0] * (largest - 1.0), 1.0)
    size = tf.cast(tf.shape(image)[:2], tf.float32)
    canvas = tf.cast(tf.round(size * ratio), tf.int32)
    room = canvas - tf.shape(image)[:2]
    offset = tf.cast(tf.cast(room, tf.float32) * draws[1:], tf.int32)
    padding = [[offset[0], room[0] - offset[0]], [offset[1], room[1] - offset[1]], [0, 0]]
    larger = tf.pad(image, padding, constant_values=tf.constant(_GREY, image.dtype))
    shift = tf.tile(tf.cast(offset, tf.float32), [2])
    scale = tf.tile(size, [2])
    moved = (boxes * scale + shift) / tf.tile(tf.cast(canvas, tf.float32), [2])
    larger.set_shape([None, None, 3])
    return larger, moved


def _split(seed: Any) -> Iterator[Any]:
    """Yield independent seeds, as many as are asked for.

    They are hashed and not counted up: a seed that is split again must not give those of its neighbours.
    """
    for count in itertools.count():
        yield tf.random.fold_in(seed, count)
