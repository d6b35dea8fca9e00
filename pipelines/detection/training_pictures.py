"""From a decoded example to what the network is trained on."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from pipelines.detection import augmentation, color_jitter, mosaic
from pipelines.detection.copy_paste import ObjectPaster
from pipelines.detection.labeled_picture import LabeledPicture
from pipelines.detection.ssd_config import SSDData

# Seeds of what is not a change of shape; `augmentation.augment` counts its own from 0.
_MOSAIC_SEED, _PASTE_SEED, _COLOR_SEED = 1000, 1001, 1002


class TrainingPictures:
    """Makes the training pictures of one split; every draw comes from the seed and the example's place.

    Args:
        config: The split and its augmentation.
        input_size: Height and width of the network's input.
        resize: From a picture, a height and a width to the network's input.
        decode: Decodes a companion, as the examples themselves were.
        paster: Pastes objects; ``None`` for none.
        closing_place: From this place in the order on, pictures stand alone; ``None`` is never.
    """

    def __init__(
        self,
        config: SSDData,
        input_size: Sequence[int],
        *,
        resize: Callable[[Any, int, int], Any],
        decode: Callable[[Any], dict[str, Any]],
        paster: ObjectPaster | None = None,
        closing_place: int | None = None,
    ) -> None:
        self._config, self._input_size = config, input_size
        # Traced once, for all companions.
        self._decode = tf.function(decode, input_signature=[tf.TensorSpec([], tf.string)], autograph=False)
        self._resize, self._paster = resize, paster
        self._closing_place = tf.int64.max if closing_place is None else closing_place

    def __call__(self, decoded: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Return the network's input ``(height, width, 3)``, and ``boxes`` ``(n, 4)`` and ``classes`` ``(n,)``."""
        config, place = self._config, tf.cast(decoded["place"], tf.int64)
        seed = tf.stack([tf.cast(config.seed or 0, tf.int32), tf.cast(place, tf.int32)])
        picture, is_mosaic, is_open = _labeled(decoded), tf.constant(False), place < self._closing_place
        if self._paster is not None:
            picture = self._pasted(picture, self._paster, seed, is_open)
        if config.augmentation.mosaic.probability > 0:
            picture, is_mosaic = self._mosaic(picture, decoded["companions"], seed, is_open)
        image, boxes, classes = augmentation.augment(*picture, seed, config.augmentation, is_mosaic=is_mosaic)
        boxes, classes = boxes[: config.max_boxes], classes[: config.max_boxes]
        network_input = self._resize(image, *self._input_size)
        if color_jitter.wants_color(config.augmentation):
            color_seed = tf.random.fold_in(seed, _COLOR_SEED)
            network_input = color_jitter.jitter_color(network_input, color_seed, config.augmentation)
        return network_input, {"boxes": boxes, "classes": classes}

    def _pasted(self, own: LabeledPicture, paster: ObjectPaster, seed: Any, is_open: Any) -> LabeledPicture:
        chance, paste_seed = tf.unstack(tf.random.split(tf.random.fold_in(seed, _PASTE_SEED), 2))
        probability = self._config.augmentation.copy_paste.probability
        is_wanted = tf.logical_and(is_open, tf.random.stateless_uniform([], chance) < probability)
        image, boxes, classes = tf.cond(is_wanted, lambda: paster(own, paste_seed), lambda: own)
        image.set_shape([None, None, 3])
        return LabeledPicture(image, tf.ensure_shape(boxes, [None, 4]), tf.ensure_shape(classes, [None]))

    def _mosaic(self, own: LabeledPicture, companions: Any, seed: Any, is_open: Any) -> tuple[Any, Any]:
        settings = self._config.augmentation.mosaic
        chance, compose_seed = tf.unstack(tf.random.split(tf.random.fold_in(seed, _MOSAIC_SEED), 2))
        is_mosaic = tf.logical_and(is_open, tf.random.stateless_uniform([], chance) < settings.probability)

        def composed() -> LabeledPicture:
            others = [_labeled(self._decode(companions[index])) for index in range(mosaic.COMPANIONS)]
            found: LabeledPicture = mosaic.compose([own, *others], compose_seed, self._input_size, settings.min_overlap)
            return found

        image, boxes, classes = tf.cond(is_mosaic, composed, lambda: own)
        image.set_shape([None, None, 3])
        return LabeledPicture(image, tf.ensure_shape(boxes, [None, 4]), classes), is_mosaic


def _labeled(decoded: dict[str, Any]) -> LabeledPicture:
    """Return a decoded example without crowds and boxes of no class."""
    classes = tf.cast(decoded["groundtruth_classes"], tf.int32)
    solid = tf.logical_and(classes > 0, tf.logical_not(decoded["groundtruth_is_crowd"]))
    boxes = tf.boolean_mask(decoded["groundtruth_boxes"], solid)
    return LabeledPicture(decoded["image"], boxes, tf.boolean_mask(classes, solid))
