"""Records to batches: TFM's reader and decoder, then augmentation, the OD API's resize, padding."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from official.vision.dataloaders import tf_example_decoder

from pipelines.detection import mosaic
from pipelines.detection.copy_paste import ObjectPaster
from pipelines.detection.object_pool import collect_objects
from pipelines.detection.ssd_config import SSDData
from pipelines.detection.training_pictures import TrainingPictures
from pipelines.plain_graph import as_written
from pipelines.record_reader import RecordReader

ORIGIN = ("file_name", "xml", "place")
"""What an evaluation batch says of where each picture comes from."""


class RecordDecoder(tf_example_decoder.TfExampleDecoder):
    """TFM's decoder, made to read what the OD API's scripts wrote as well.

    ``image/source_id`` may be any text: a number is kept, other text is hashed to one, because TFM's evaluation
    calls for numbers. JPEGs are decoded with the accurate inverse DCT, so that training, evaluation and prediction
    (which reads files with Pillow) see the same pixels.

    Args:
        smallest: A height and a width that are enough; see `decode_image`.
    """

    def __init__(self, smallest: Sequence[int] | None = None) -> None:
        super().__init__()
        self._smallest = smallest
        self._keys_to_features["image/source_id"] = tf.io.FixedLenFeature((), tf.string, "")
        self._keys_to_features["image/object/difficult"] = tf.io.VarLenFeature(tf.int64)

    def _decode_image(self, parsed_tensors: dict[str, Any]) -> Any:
        return decode_image(parsed_tensors["image/encoded"], self._smallest)

    def decode(self, serialized_example: Any) -> dict[str, Any]:
        """Decode one serialised ``tf.train.Example``.

        The keys are TFM's, and ``groundtruth_difficult``, ``file_name`` and ``xml``.
        """
        decoded: dict[str, Any] = super().decode(serialized_example)
        source_id = decoded["source_id"]
        numeric = tf.strings.regex_full_match(source_id, "[0-9]{1,9}")
        hashed = tf.strings.as_string(tf.strings.to_hash_bucket_fast(source_id, 2**31 - 1))
        decoded["source_id"] = tf.where(numeric, source_id, hashed)
        decoded["groundtruth_difficult"] = _difficult_marks(serialized_example, decoded["groundtruth_classes"])
        decoded |= _file_names(serialized_example)
        return decoded


def _file_names(serialized_example: Any) -> dict[str, Any]:
    """Return ``file_name`` and ``xml`` of a picture, as far as the record says them; empty where it does not."""
    keys = ("tagbox/image_path", "image/filename", "tagbox/xml_path")
    kinds = {key: tf.io.VarLenFeature(tf.string) for key in keys}
    parsed = tf.io.parse_single_example(serialized_example, kinds)
    image_path, filename, xml = (tf.concat([parsed[key].values, [""]], 0)[0] for key in keys)
    return {"file_name": tf.where(image_path == "", filename, image_path), "xml": xml}


def _difficult_marks(serialized_example: Any, classes: Any) -> Any:
    """Return Pascal VOC's mark of each box, false where a record leaves it out; TFM's decoder has no place for it."""
    name = "image/object/difficult"
    parsed = tf.io.parse_single_example(serialized_example, {name: tf.io.VarLenFeature(tf.int64)})
    marks = tf.sparse.to_dense(parsed[name])
    count = tf.size(classes)
    return tf.cast(tf.pad(marks, [[0, tf.maximum(count - tf.size(marks), 0)]])[:count], tf.bool)


def decode_image(encoded: Any, smallest: Sequence[int] | None = None) -> Any:
    """Decode JPEG, PNG, BMP or the first frame of a GIF.

    Args:
        encoded: The bytes of the file.
        smallest: A height and a width in pixels: JPEGs are decoded at the half, quarter or eighth of their size, which
            is faster, as long as neither side gets smaller; ``None`` decodes every pixel.

    Returns:
        uint8 ``(height, width, 3)``.
    """

    def jpeg(ratio: int) -> Any:
        return tf.io.decode_jpeg(encoded, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE")

    def reduced_jpeg() -> Any:
        fits = tf.reduce_min(tf.io.extract_jpeg_shape(encoded)[:2] // tf.constant(smallest))
        step = tf.reduce_sum(tf.cast(fits >= tf.constant([2, 4, 8]), tf.int32))
        return tf.switch_case(step, [functools.partial(jpeg, ratio) for ratio in (1, 2, 4, 8)])

    image = tf.cond(
        tf.io.is_jpeg(encoded),
        reduced_jpeg if smallest else lambda: jpeg(1),
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
    closing_example: int | None = None,
) -> tf.data.Dataset:
    """Build the batches of one split.

    Args:
        config: What to read and how; ``config.input_path`` names at least one file.
        input_size: Height and width of the network's input.
        input_context: Given by distribution strategies.
        first_example: How many training examples were seen before; the batches go on from there.
        closing_example: From this example on there are no mosaics and pasted objects; ``None`` is never.

    Returns:
        A dataset of ``(images, labels)``: images float32 ``(b, height, width, 3)`` in ``[-1, 1]``; labels a dict of
        ``boxes`` ``(b, m, 4)`` normalised ``ymin xmin ymax xmax``, ``classes`` int32 ``(b, m)`` (0 is padding), and for
        evaluation also ``source_id``, ``height``, ``width`` ``(b,)``, ``is_crowd``, ``areas`` and ``difficult``
        ``(b, m)``, and `ORIGIN` ``(b,)``.
        The training dataset never ends; the same seed gives the same batches, and from ``first_example`` on the same
        as if those before had been read, unless ``config.cache`` keeps decoded pictures.
    """
    height, width = input_size
    decoder = RecordDecoder()

    @as_written
    def decode(place: Any, serialized: Any, *others: Any) -> dict[str, Any]:
        return decoder.decode(serialized) | {"place": place} | ({"companions": others[0]} if others else {})

    def for_training() -> TrainingPictures:
        return TrainingPictures(
            config,
            input_size,
            resize=network_input,
            decode=RecordDecoder([height * 3 // 4, width * 3 // 4]).decode,
            paster=_object_paster(config, reader.paths, max(input_size)),
            closing_place=closing_example,
        )

    @as_written
    def for_evaluation(decoded: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return _for_evaluation(decoded, input_size)

    def parse_and_batch(dataset: tf.data.Dataset, context: tf.distribute.InputContext | None) -> tf.data.Dataset:
        batch_size = config.global_batch_size
        if context is not None:
            batch_size = context.get_per_replica_batch_size(batch_size)
        parse = as_written(for_training().__call__) if config.is_training else for_evaluation
        if config.cache and config.is_training:
            # The same pictures come again out of memory; where they stand now is what varies.
            dataset = dataset.enumerate(first_example).map(lambda place, decoded: decoded | {"place": place})
        parsed = dataset.map(parse, num_parallel_calls=tf.data.AUTOTUNE)
        return parsed.padded_batch(batch_size, drop_remainder=config.drop_remainder)

    reader = RecordReader(
        config,
        first_example=first_example,
        companions=mosaic.COMPANIONS if config.augmentation.mosaic.probability > 0 else 0,
        decoder_fn=decode,
        transform_and_batch_fn=parse_and_batch,
    )
    return reader.read(input_context=input_context)


def evaluation_batches(examples: tf.data.Dataset, batch_size: int, input_size: list[int]) -> tf.data.Dataset:
    """Build the batches of an evaluation as `build_dataset` does, from examples of any origin.

    Args:
        examples: ``(place, serialised tf.train.Example)``, scalars.
        batch_size: Pictures a batch; the last has the rest.
        input_size: Height and width of the network's input.
    """
    decoder = RecordDecoder()

    def parse(place: Any, serialized: Any) -> tuple[Any, dict[str, Any]]:
        return _for_evaluation(decoder.decode(serialized) | {"place": place}, input_size)

    parsed = examples.map(as_written(parse), num_parallel_calls=tf.data.AUTOTUNE)
    return parsed.padded_batch(batch_size).prefetch(tf.data.AUTOTUNE)


def _for_evaluation(decoded: dict[str, Any], input_size: list[int]) -> tuple[Any, dict[str, Any]]:
    labels = {
        "boxes": decoded["groundtruth_boxes"],
        "classes": tf.cast(decoded["groundtruth_classes"], tf.int32),
        "is_crowd": decoded["groundtruth_is_crowd"],
        "areas": decoded["groundtruth_area"],
        "difficult": decoded["groundtruth_difficult"],
        "source_id": decoded["source_id"],
        "height": decoded["height"],
        "width": decoded["width"],
        **{name: decoded[name] for name in ORIGIN},
    }
    return network_input(decoded["image"], *input_size), labels


def _object_paster(config: SSDData, paths: Sequence[str], largest: int) -> ObjectPaster | None:
    wanted = config.augmentation.copy_paste
    if not wanted.probability:
        return None
    pool = collect_objects(
        [Path(path) for path in paths],
        classes=wanted.classes,
        limit=wanted.pool_size,
        margin=wanted.feather,
        largest=largest,
        seed=config.seed or 0,
    )
    return ObjectPaster(pool, wanted)
