"""Records to batches: TFM's reader and decoder, then augmentation, the OD API's resize, padding."""

from typing import Any

import tensorflow as tf
from official.vision.dataloaders import tf_example_decoder

from pipelines.detection import augmentation
from pipelines.detection.ssd_config import SSDData
from pipelines.record_reader import RecordReader


class RecordDecoder(tf_example_decoder.TfExampleDecoder):
    """TFM's decoder, made to read what the OD API's scripts wrote as well.

    ``image/source_id`` may be any text: a number is kept, other text is hashed to one, because TFM's evaluation
    calls for numbers. JPEGs are decoded with the accurate inverse DCT, so that training, evaluation and prediction
    (which reads files with Pillow) see the same pixels.
    """

    def __init__(self) -> None:
        super().__init__()
        self._keys_to_features["image/source_id"] = tf.io.FixedLenFeature((), tf.string, "")
        self._keys_to_features["image/object/difficult"] = tf.io.VarLenFeature(tf.int64)

    def _decode_image(self, parsed_tensors: dict[str, Any]) -> Any:
        return decode_image(parsed_tensors["image/encoded"])

    def decode(self, serialized_example: Any) -> dict[str, Any]:
        """Decode one serialised ``tf.train.Example``; the keys are TFM's, and ``groundtruth_difficult``."""
        decoded: dict[str, Any] = super().decode(serialized_example)
        source_id = decoded["source_id"]
        numeric = tf.strings.regex_full_match(source_id, "[0-9]{1,9}")
        hashed = tf.strings.as_string(tf.strings.to_hash_bucket_fast(source_id, 2**31 - 1))
        decoded["source_id"] = tf.where(numeric, source_id, hashed)
        decoded["groundtruth_difficult"] = _difficult_marks(serialized_example, decoded["groundtruth_classes"])
        return decoded


def _difficult_marks(serialized_example: Any, classes: Any) -> Any:
    """Return Pascal VOC's mark of each box, false where a record leaves it out; TFM's decoder has no place for it."""
    name = "image/object/difficult"
    parsed = tf.io.parse_single_example(serialized_example, {name: tf.io.VarLenFeature(tf.int64)})
    marks = tf.sparse.to_dense(parsed[name])
    count = tf.size(classes)
    return tf.cast(tf.pad(marks, [[0, tf.maximum(count - tf.size(marks), 0)]])[:count], tf.bool)


def decode_image(encoded: Any) -> Any:
    """Decode JPEG, PNG, BMP or the first frame of a GIF to uint8 ``(height, width, 3)``."""
    image = tf.cond(
        tf.io.is_jpeg(encoded),
        lambda: tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE"),
        lambda: tf.io.decode_image(encoded, channels=3, expand_animations=False),
    )
    image.set_shape([None, None, 3])
    return image


def network_input(image: Any, height: int, width: int) -> Any:
    """Resize one picture ``(h, w, 3)`` to the network's input and scale it; see `network_batch`."""
    return network_batch(image[None], height, width)[0]


def network_batch(images: Any, height: int, width: int) -> Any:
    """Resize to the network's input and scale to ``[-1, 1]``.

    The resize is TensorFlow 1's bilinear kernel without half-pixel centres: weights of the OD API and of slim were
    trained through it, and TensorFlow 2's kernel gives other pixels.

    Args:
        images: uint8 or float ``(b, h, w, 3)`` in ``[0, 255]``.
        height: Rows of the result.
        width: Columns of the result.

    Returns:
        float32 ``(b, height, width, 3)``.
    """
    resized = tf.raw_ops.ResizeBilinear(
        images=tf.cast(images, tf.float32), size=[height, width], align_corners=False, half_pixel_centers=False
    )
    return resized * (2.0 / 255.0) - 1.0


def build_dataset(
    config: SSDData,
    input_size: list[int],
    input_context: tf.distribute.InputContext | None = None,
    *,
    first_example: int = 0,
) -> tf.data.Dataset:
    """Build the batches of one split.

    Args:
        config: What to read and how; ``config.input_path`` names at least one file.
        input_size: Height and width of the network's input.
        input_context: Given by distribution strategies.
        first_example: How many training examples were seen before; the batches go on from there.

    Returns:
        A dataset of ``(images, labels)``: images float32 ``(b, height, width, 3)`` in ``[-1, 1]``; labels a dict of
        ``boxes`` ``(b, m, 4)`` normalised ``ymin xmin ymax xmax``, ``classes`` int32 ``(b, m)`` (0 is padding), and for
        evaluation also ``source_id``, ``height``, ``width`` ``(b,)``, ``is_crowd``, ``areas`` and ``difficult``
        ``(b, m)``.
        The training dataset never ends; the same seed gives the same batches, and from ``first_example`` on the same
        as if those before had been read, unless ``config.cache`` keeps decoded pictures.
    """
    height, width = input_size
    seed = config.seed or 0
    decoder = RecordDecoder()

    def decode(place: Any, serialized: Any) -> dict[str, Any]:
        return decoder.decode(serialized) | {"place": place}

    def for_training(decoded: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        image, boxes = decoded["image"], decoded["groundtruth_boxes"]
        classes = tf.cast(decoded["groundtruth_classes"], tf.int32)
        solid = tf.logical_and(classes > 0, tf.logical_not(decoded["groundtruth_is_crowd"]))
        boxes, classes = tf.boolean_mask(boxes, solid), tf.boolean_mask(classes, solid)
        example_seed = tf.stack([tf.cast(seed, tf.int32), tf.cast(decoded["place"], tf.int32)])
        image, boxes, classes = augmentation.augment(image, boxes, classes, example_seed, config.augmentation)
        boxes, classes = boxes[: config.max_boxes], classes[: config.max_boxes]
        return network_input(image, height, width), {"boxes": boxes, "classes": classes}

    def for_evaluation(decoded: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        labels = {
            "boxes": decoded["groundtruth_boxes"],
            "classes": tf.cast(decoded["groundtruth_classes"], tf.int32),
            "is_crowd": decoded["groundtruth_is_crowd"],
            "areas": decoded["groundtruth_area"],
            "difficult": decoded["groundtruth_difficult"],
            "source_id": decoded["source_id"],
            "height": decoded["height"],
            "width": decoded["width"],
        }
        return network_input(decoded["image"], height, width), labels

    def parse_and_batch(dataset: tf.data.Dataset, context: tf.distribute.InputContext | None) -> tf.data.Dataset:
        batch_size = config.global_batch_size
        if context is not None:
            batch_size = context.get_per_replica_batch_size(batch_size)
        parse = for_training if config.is_training else for_evaluation
        if config.cache and config.is_training:
            # The same pictures come again out of memory; where they stand now is what varies.
            dataset = dataset.enumerate().map(lambda place, decoded: decoded | {"place": place})
        parsed = dataset.map(parse, num_parallel_calls=tf.data.AUTOTUNE)
        return parsed.padded_batch(batch_size, drop_remainder=config.drop_remainder)

    reader = RecordReader(
        config,
        first_example=first_example,
        decoder_fn=decode,
        transform_and_batch_fn=parse_and_batch,
    )
    return reader.read(input_context=input_context)
