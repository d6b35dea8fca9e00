"""Mosaics: four pictures in one, boxes true to the pixels; the same ones wherever a run goes on."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.errors import ConfigError
from pipelines import companions
from pipelines.detection import input_pipeline, mosaic
from pipelines.detection.augmentation_config import SSDAugmentation, SSDMosaic
from pipelines.detection.labeled_picture import LabeledPicture
from pipelines.detection.ssd_config import SSDData
from pipelines.experiment import load_experiment
from tests.support.od_api_records import encode_picture, od_example, random_picture, write_records

pytestmark = pytest.mark.tf

INPUT = (80, 100)
CANVAS = (120, 150)
# One picture has one channel: what is bright in it is that picture's object.
CORNERS = ((0, 0), (0, 1), (1, 0), (1, 1))
ALL_MOSAIC = SSDAugmentation(flip=0.5, ssd_crop=True, mosaic=SSDMosaic(probability=1.0))
SOME_MOSAIC = SSDAugmentation(flip=0.5, ssd_crop=True, mosaic=SSDMosaic(probability=0.5))

sizes = st.tuples(st.integers(30, 160), st.integers(30, 160))
spans = st.tuples(st.floats(0, 0.7), st.floats(0.15, 1.0))


def _picture(size, rows, columns, number):
    """Draw one bright object on black; its box follows the whole pixels."""
    edges = [round(max(0.0, min(1.0, begin + share)) * side) if end else round(begin * side)
             for end in (False, True) for (begin, share), side in zip((rows, columns), size, strict=True)]  # fmt: skip
    image = np.zeros((*size, 3), np.uint8)
    image[edges[0] : edges[2], edges[1] : edges[3]] = 255
    box = np.array([edges], np.float32) / np.array([*size, *size], np.float32)
    return LabeledPicture(tf.constant(image), tf.constant(box), tf.constant([number + 1]))


def _bright(image):
    rows, columns = np.nonzero(image[..., 0] > 127)
    return np.array([rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]) if len(rows) else None


@settings(max_examples=60)
@given(st.integers(0, 2**31 - 1), sizes, spans, spans, st.floats(0.05, 0.95))
def test_a_part_keeps_the_box_on_the_pixels_that_are_left(number, size, rows, columns, min_overlap):
    own = _picture(size, rows, columns, 4)
    height, width = 70, 50
    part = mosaic.cut_to(own, tf.constant(height), tf.constant(width), tf.constant([number, 1]), min_overlap)
    assert part.image.shape == (height, width, 3)
    assert part.image.dtype == tf.uint8
    found = _bright(part.image.numpy())
    for box in part.boxes.numpy():
        assert box.min() >= 0
        assert box.max() <= 1
        # A pixel of the picture may be several of the part.
        tolerance = 1.0 + 0.5 * max(height / size[0], width / size[1])
        assert box * [height, width, height, width] == pytest.approx(found, abs=tolerance)
    assert part.classes.numpy().tolist() == [5] * len(part.boxes)


@settings(max_examples=25)
@given(st.integers(0, 2**31 - 1), st.lists(st.tuples(sizes, spans, spans), min_size=4, max_size=4))
def test_every_box_lies_in_its_own_part_of_the_mosaic(number, drawn):
    pictures = [_picture(size, rows, columns, index) for index, (size, rows, columns) in enumerate(drawn)]
    image, boxes, classes = mosaic.compose(pictures, tf.constant([3, number]), INPUT, 0.3)
    assert image.shape == (*CANVAS, 3)
    assert list(classes.numpy()) == sorted(set(classes.numpy()))
    pixels = boxes.numpy() * [*CANVAS, *CANVAS]
    assert pixels.min(initial=0) >= 0
    for one, box in zip(classes.numpy(), pixels, strict=True):
        row, column = CORNERS[one - 1]
        assert (0.35 * CANVAS[0] - 1 <= box[0]) if row else (box[2] <= 0.65 * CANVAS[0] + 1)
        assert (0.35 * CANVAS[1] - 1 <= box[1]) if column else (box[3] <= 0.65 * CANVAS[1] + 1)
        top, left, bottom, right = box.round().astype(int)
        inside = image.numpy()[top:bottom, left:right, 0]
        # All of it is the object, but for a seam a pixel or two wide.
        assert (inside > 127).sum() >= inside.size - 3 * (inside.shape[0] + inside.shape[1]) * max(
            1, 120 / min(pictures[one - 1].image.shape[:2])
        )


def test_pictures_without_boxes_make_a_mosaic_without_boxes():
    empty = LabeledPicture(tf.zeros([40, 60, 3], tf.uint8), tf.zeros([0, 4]), tf.zeros([0], tf.int32))
    image, boxes, classes = mosaic.compose([empty] * 4, tf.constant([1, 2]), INPUT, 0.3)
    assert (image.shape, boxes.shape, classes.shape) == ((*CANVAS, 3), (0, 4), (0,))


def test_a_small_object_is_shown_whole():
    # Half of the seeds would cut it off, were the part not laid around it.
    own = LabeledPicture(tf.zeros([40, 200, 3], tf.uint8), tf.constant([[0.4, 0.9, 0.6, 1.0]]), tf.constant([1]))
    for number in range(20):
        part = mosaic.cut_to(own, tf.constant(60), tf.constant(60), tf.constant([number, 0]), 0.99)
        assert len(part.boxes) == 1


# --- companions -------------------------------------------------------------------------------------------------------


def test_companions_are_others_of_the_same_window_and_depend_on_the_place_alone():
    order = tf.data.Dataset.range(10_000).map(lambda place: (place, tf.strings.as_string(place)))
    count, window = 3, companions.WINDOW
    whole = list(companions.with_companions(order, count, seed=5).take(3 * window).as_numpy_iterator())
    for place, own, others in whole:
        assert own == str(place).encode()
        numbers = [int(other) for other in others]
        assert len(set(numbers)) == count
        assert place not in numbers
        assert {companions.window_begin(number) for number in numbers} == {companions.window_begin(int(place))}
    later = companions.with_companions(order.skip(window), count, seed=5).take(2 * window)
    assert [list(others) for *_, others in later.as_numpy_iterator()] == [list(others) for *_, others in whole[window:]]
    other_seed = companions.with_companions(order, count, seed=6).take(window).as_numpy_iterator()
    assert [list(others) for *_, others in other_seed] != [list(others) for *_, others in whole[:window]]


# --- the pipeline -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Seven pictures with up to two boxes in two files."""
    folder = tmp_path_factory.mktemp("records")
    written = []
    for name, numbers in (("a", range(4)), ("b", range(4, 7))):
        examples = [
            od_example(random_picture(n), [(0.1, 0.2, 0.6, 0.8)] * (n % 3), [1] * (n % 3), source_id=str(n))
            for n in numbers
        ]
        written.append(str(write_records(folder / f"{name}.record", examples)))
    return written


def _batches(paths, count, *, context=None, augmentation=SOME_MOSAIC, seed=5, **options):
    config = SSDData(input_path=paths, global_batch_size=4, seed=seed, shuffle_buffer_size=3, augmentation=augmentation)
    dataset = input_pipeline.build_dataset(config, [32, 48], context, **options)
    return list(dataset.take(count).as_numpy_iterator())


def _same(batches, others):
    return len(batches) == len(others) and all(
        np.array_equal(one[0], other[0]) and np.array_equal(one[1]["boxes"], other[1]["boxes"])
        for one, other in zip(batches, others, strict=True)
    )


def test_a_run_that_goes_on_has_the_mosaics_of_one_that_was_never_stopped(paths):
    closing = 9 * 4
    whole = _batches(paths, 12, closing_example=closing)
    assert _same(whole[3:], _batches(paths, 9, first_example=3 * 4, closing_example=closing))
    # From the closing on, pictures stand alone.
    plain = _batches(paths, 3, first_example=closing, augmentation=SSDAugmentation(flip=0.5, ssd_crop=True))
    assert _same(whole[9:], plain)


def test_the_workers_of_a_cluster_share_the_mosaics_of_one_process(paths):
    shares = [_batches(paths, 3, context=tf.distribute.InputContext(2, index, 2)) for index in range(2)]
    for step, (images, _) in enumerate(_batches(paths, 3)):
        together = [image.tobytes() for share in shares for image in share[step][0]]
        assert sorted(together) == sorted(image.tobytes() for image in images)


def test_one_picture_is_its_own_companion(tmp_path):
    box = (0.25, 0.25, 0.75, 0.75)
    path = str(write_records(tmp_path / "one.record", [od_example(random_picture(1), [box], [1])]))
    alone = SSDAugmentation(flip=0.0, ssd_crop=False, mosaic=SSDMosaic(probability=1.0))
    for images, labels in _batches([path], 2, augmentation=alone):
        assert images.shape == (4, 32, 48, 3)
        assert (labels["classes"] > 0).sum(axis=1).tolist() == [4] * 4
        assert labels["boxes"].min() >= 0
        assert labels["boxes"].max() <= 1


def test_mosaics_and_a_cache_of_decoded_pictures_exclude_each_other(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("experiment: ssd_mobilenet_v1\n")
    overrides = ["task.train_data.augmentation.mosaic.probability=0.5", "task.train_data.cache=true"]
    load_experiment(path, overrides[:1])
    with pytest.raises(ConfigError, match="must be 0 with"):
        load_experiment(path, overrides)


def test_a_jpeg_is_decoded_at_a_part_of_its_size_where_that_is_enough():
    encoded = tf.constant(encode_picture(random_picture(1, size=(400, 240)), "JPEG"))
    whole = input_pipeline.decode_image(encoded).numpy().astype(int)
    for smallest, shape in (
        ((240, 400), (240, 400)),
        ((120, 150), (120, 200)),
        ((59, 90), (60, 100)),
        ((9, 9), (30, 50)),
    ):
        image = input_pipeline.decode_image(encoded, smallest).numpy()
        assert image.shape == (*shape, 3)
        ratio = 240 // shape[0]
        means = whole.reshape(shape[0], ratio, shape[1], ratio, 3).mean(axis=(1, 3))
        assert np.abs(image - means).mean() < 3
