"""Objects of other pictures pasted onto a picture, and what they cover taken off its boxes.

Pictures, boxes, classes and seeds as in `pipelines.detection.augmentation`.
"""

from typing import Any

import tensorflow as tf

from pipelines.detection.augmentation_config import SSDCopyPaste
from pipelines.detection.labeled_picture import LabeledPicture
from pipelines.detection.object_pool import ObjectPool

# An object keeps its size within its picture, but for this factor.
_SCALE_RANGE = (0.6, 1.2)
# Places that are tried for one that covers little.
_TRIES = 6


class ObjectPaster:
    """Pastes objects of a pool; every draw comes from the seed.

    Args:
        pool: Where the objects come from, with one object at least.
        settings: How many, how large, what they may cover.
    """

    def __init__(self, pool: ObjectPool, settings: SSDCopyPaste) -> None:
        self._settings = settings
        self._crops = tf.constant(pool.crops)
        self._inner = tf.constant(pool.inner, tf.float32)
        self._sizes = tf.constant(pool.sizes, tf.float32)
        self._pictures = tf.constant(pool.pictures, tf.float32)
        self._classes = tf.constant(pool.classes, tf.int32)
        self._begins = tf.constant(pool.begins, tf.int32)
        self._counts = tf.constant(pool.counts, tf.int32)
        self._traced_paste = tf.function(self._paste, reduce_retracing=True)  # once for all objects

    def __call__(self, picture: LabeledPicture, seed: Any) -> LabeledPicture:
        """Paste 1 to ``max_objects`` objects, each of a class that is drawn first, so that rare ones come as often.

        An object lies whole within the picture, at the first of a few places where it leaves enough of every box
        visible, or at that which covers least. Boxes of which less than ``min_visible`` is left go; what several
        objects cover is added up.
        """
        count_seed, *seeds = tf.unstack(tf.random.split(seed, 1 + self._settings.max_objects))
        count = tf.random.stateless_uniform([], count_seed, 1, self._settings.max_objects + 1, tf.int32)
        covered = tf.zeros(tf.shape(picture.classes), tf.float32)
        for index, one in enumerate(seeds):
            image, boxes, classes, covered = self._traced_paste(*picture, covered, one, index < count)
            picture = LabeledPicture(image, boxes, classes)
        return picture

    def _paste(self, image: Any, boxes: Any, classes: Any, covered: Any, seed: Any, is_wanted: Any) -> tuple[Any, ...]:
        pasted = tf.cond(
            is_wanted,
            lambda: self._paste_one(image, boxes, classes, covered, seed),
            lambda: (image, boxes, classes, covered),
        )
        return (
            tf.ensure_shape(pasted[0], [None, None, 3]),
            tf.ensure_shape(pasted[1], [None, 4]),
            tf.ensure_shape(pasted[2], [None]),
            tf.ensure_shape(pasted[3], [None]),
        )

    def _paste_one(self, image: Any, boxes: Any, classes: Any, covered: Any, seed: Any) -> tuple[Any, ...]:
        class_seed, row_seed, scale_seed, place_seed = tf.unstack(tf.random.split(seed, 4))
        group = tf.random.stateless_uniform([], class_seed, 0, tf.size(self._counts), tf.int32)
        row = self._begins[group] + tf.random.stateless_uniform([], row_seed, 0, self._counts[group], tf.int32)
        inner, whole = self._inner[row], tf.shape(image)[:2]
        size = self._crop_size(row, whole, tf.random.stateless_uniform([], scale_seed, *_SCALE_RANGE))
        corners, boxes_there = self._places(inner, size, whole, place_seed)
        share = _covered_share(boxes, corners, tf.cast(size, tf.float32), tf.cast(whole, tf.float32))
        visible = 1.0 - tf.reduce_max(tf.concat([covered + share, tf.zeros([_TRIES, 1])], axis=1), axis=1)
        enough = visible >= self._settings.min_visible
        best = tf.where(tf.reduce_any(enough), tf.argmax(enough), tf.argmax(visible))
        covered = covered + share[best]
        stays = 1.0 - covered >= self._settings.min_visible
        patch = tf.image.resize(tf.io.decode_jpeg(self._crops[row], channels=3), size)
        return (
            _blended(image, patch, tf.cast(corners[best], tf.int32), _opacity(inner, size)),
            tf.concat([tf.boolean_mask(boxes, stays), boxes_there[best][None]], axis=0),
            tf.concat([tf.boolean_mask(classes, stays), self._classes[row][None]], axis=0),
            tf.concat([tf.boolean_mask(covered, stays), [0.0]], axis=0),
        )

    def _crop_size(self, row: Any, whole: Any, scale: Any) -> Any:
        """Return height and width in pixels that a crop gets on a picture of ``whole`` pixels."""
        there, size = tf.cast(whole, tf.float32), self._sizes[row]
        scale = scale * tf.reduce_min(there / self._pictures[row])
        scale = tf.minimum(scale, self._settings.max_size / tf.reduce_max(size / there))
        inner = self._inner[row]
        crop = tf.cast(tf.round(size * scale / (inner[2:] - inner[:2])), tf.int32)
        return tf.minimum(tf.maximum(crop, 2), whole)

    def _places(self, inner: Any, size: Any, whole: Any, seed: Any) -> tuple[Any, Any]:
        """Draw top left corners in whole pixels ``(t, 2)``, and the normalised boxes ``(t, 4)`` of the object there."""
        room = tf.cast(whole - size, tf.float32)
        corners = tf.floor(tf.random.stateless_uniform([_TRIES, 2], seed) * (room + 1.0))
        corners = tf.minimum(corners, room)
        edges = tf.tile(corners, [1, 2]) + inner * tf.tile(tf.cast(size, tf.float32), [2])
        return corners, tf.clip_by_value(edges / tf.tile(tf.cast(whole, tf.float32), [2]), 0.0, 1.0)


def _covered_share(boxes: Any, corners: Any, size: Any, whole: Any) -> Any:
    """Return which share of each box a patch covers at each place, ``(t, n)``; 0 of one without an area."""
    edges = boxes * tf.tile(whole, [2])
    begin = tf.maximum(edges[None, :, :2], corners[:, None])
    end = tf.minimum(edges[None, :, 2:], corners[:, None] + size)
    common = tf.reduce_prod(tf.maximum(end - begin, 0.0), axis=-1)
    return tf.math.divide_no_nan(common, tf.reduce_prod(edges[:, 2:] - edges[:, :2], axis=-1)[None])


def _opacity(inner: Any, size: Any) -> Any:
    """Return how much of a crop is seen ``(h, w, 1)``: all of the object, its margin less and less."""
    ramps = []
    for axis in range(2):
        middle = (tf.cast(tf.range(size[axis]), tf.float32) + 0.5) / tf.cast(size[axis], tf.float32)
        before, after = inner[axis], 1.0 - inner[axis + 2]
        near = tf.where(middle < before, tf.math.divide_no_nan(middle, before), 1.0)
        far = tf.where(1.0 - middle < after, tf.math.divide_no_nan(1.0 - middle, after), 1.0)
        ramps.append(tf.minimum(near, far))
    return (ramps[0][:, None] * ramps[1][None, :])[..., None]


def _blended(image: Any, patch: Any, corner: Any, opacity: Any) -> Any:
    size = tf.shape(patch)[:2]
    top, left, bottom, right = corner[0], corner[1], corner[0] + size[0], corner[1] + size[1]
    below = tf.cast(image[top:bottom, left:right], tf.float32)
    mixed = tf.cast(tf.round(below + opacity * (patch - below)), image.dtype)
    rows = tf.concat([image[top:bottom, :left], mixed, image[top:bottom, right:]], axis=1)
    return tf.concat([image[:top], rows, image[bottom:]], axis=0)
