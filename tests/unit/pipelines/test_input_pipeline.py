"""Records to batches: other people's records, every picture format, the legacy resize, seeds."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pipelines import example_order
from pipelines.detection import input_pipeline
from pipelines.detection.augmentation_config import SSDAugmentation
from pipelines.detection.ssd_config import SSDData
from records.example import Int64List
from tests.support.od_api_records import encode_picture, od_example, random_picture, write_records

pytestmark = pytest.mark.tf

PLAIN = SSDAugmentation(flip=0.0, ssd_crop=False)


def _records(folder, count=6, name="a.record"):
    examples = (
        od_example(random_picture(n), [(0.1, 0.1, 0.5, 0.5)] * (n % 3), [1] * (n % 3), source_id=str(n))
        for n in range(count)
    )
    return write_records(folder / name, examples)


def _batches(path, count=None, **options):
    options = {"is_training": False, "drop_remainder": False, "global_batch_size": 4, "augmentation": PLAIN} | options
    paths = [str(one) for one in path] if isinstance(path, list) else [str(path)]
    dataset = input_pipeline.build_dataset(SSDData(input_path=paths, **options), [32, 48])
    return [
        (images.numpy(), {key: value.numpy() for key, value in labels.items()})
        for images, labels in (dataset if count is None else dataset.take(count))
    ]


def test_the_resize_is_that_of_tensorflow_1():
    picture = tf.constant(np.random.default_rng(1).integers(0, 256, (37, 51, 3), np.uint8))
    ours = input_pipeline.network_input(picture, 300, 300).numpy()
    legacy = tf.compat.v1.image.resize_bilinear(
        tf.cast(picture, tf.float32)[None], [300, 300], align_corners=False, half_pixel_centers=False
    )[0].numpy()
    assert ours == pytest.approx(legacy * (2 / 255) - 1, abs=1e-6)
    assert -1 <= ours.min() < ours.max() <= 1
    modern = tf.image.resize(tf.cast(picture, tf.float32), [300, 300]).numpy() * (2 / 255) - 1
    assert np.abs(ours - modern).mean() > 0.01  # the two kernels are really different


def test_black_is_minus_one_and_white_is_one():
    for value, expected in ((0, -1.0), (255, 1.0)):
        picture = tf.fill([5, 5, 3], tf.constant(value, tf.uint8))
        assert input_pipeline.network_input(picture, 8, 8).numpy() == pytest.approx(np.full((8, 8, 3), expected))


@pytest.mark.parametrize(
    ("kind", "mode", "levels"),
    [("JPEG", "RGB", 1), ("JPEG", "L", 0), ("PNG", "RGB", 0), ("PNG", "RGBA", 0), ("PNG", "P", 0), ("PNG", "L", 0),
     ("BMP", "RGB", 0), ("GIF", "P", 0)],
)  # fmt: skip
def test_every_format_decodes_to_the_pixels_pillow_sees(kind, mode, levels):
    picture = random_picture(3).convert(mode)
    decoded = input_pipeline.decode_image(tf.constant(encode_picture(picture, kind))).numpy()
    assert decoded.shape == (30, 40, 3)
    assert decoded.dtype == np.uint8
    with Image.open(io.BytesIO(encode_picture(picture, kind))) as opened:
        expected = np.asarray(opened.convert("RGB"), np.int16)
    assert np.abs(decoded.astype(np.int16) - expected).max() <= levels


def test_of_an_animation_the_first_frame_is_taken(tmp_path):
    frames = [Image.new("RGB", (40, 30), color) for color in ("red", "blue", "green")]
    stream = tmp_path / "a.gif"
    frames[0].save(stream, save_all=True, append_images=frames[1:])
    decoded = input_pipeline.decode_image(tf.constant(stream.read_bytes())).numpy()
    assert decoded.shape == (30, 40, 3)
    assert decoded[0, 0].tolist() == [255, 0, 0]


def test_records_of_the_object_detection_api(tmp_path):
    boxes = [(0.1, 0.2, 0.5, 0.7), (0.0, 0.0, 1.0, 1.0)]
    path = write_records(
        tmp_path / "od.record",
        [
            od_example(random_picture(1), boxes, [2, 1]),
            od_example(random_picture(2), kind="PNG", source_id="other name.png"),
            od_example(random_picture(3), [boxes[0]], [3], kind="GIF", source_id=None),
            od_example(random_picture(4), [boxes[1]], [1], source_id="12"),
        ],
    )
    ((images, labels),) = _batches(path)
    assert images.shape == (4, 32, 48, 3)
    assert labels["boxes"][0] == pytest.approx(np.array(boxes), abs=1e-6)
    assert labels["classes"].tolist() == [[2, 1], [0, 0], [3, 0], [1, 0]]
    assert labels["boxes"][1].tolist() == [[0, 0, 0, 0]] * 2
    assert labels["is_crowd"].tolist() == [[False, False]] * 4
    # Without an area in the record it is that of the box, in square pixels.
    assert labels["areas"][0] == pytest.approx([0.4 * 0.5 * 40 * 30, 40 * 30], rel=1e-5)
    assert (labels["height"].tolist(), labels["width"].tolist()) == ([30] * 4, [40] * 4)
    numbers = [int(number) for number in labels["source_id"]]
    assert numbers[3] == 12
    assert len(set(numbers)) == 4
    assert all(0 <= number < 2**31 for number in numbers)


def test_sizes_that_the_record_does_not_tell_are_taken_from_therandom_picture(tmp_path):
    example = od_example(random_picture(1), [(0, 0, 1, 1)], [1], image__height=None, image__width=None)
    ((_, labels),) = _batches(write_records(tmp_path / "a.record", [example]))
    assert (labels["height"].tolist(), labels["width"].tolist()) == ([30], [40])


def test_crowds_are_left_out_of_training_and_kept_for_evaluation(tmp_path):
    boxes = [(0.1, 0.1, 0.5, 0.5), (0.2, 0.2, 0.9, 0.9)]
    example = od_example(random_picture(1), boxes, [1, 2], image__object__is_crowd=Int64List((0, 1)))
    path = write_records(tmp_path / "a.record", [example])
    ((_, labels),) = _batches(path)
    assert labels["classes"].tolist() == [[1, 2]]
    assert labels["is_crowd"].tolist() == [[False, True]]
    ((_, labels),) = _batches(path, 1, is_training=True, global_batch_size=1)
    assert labels["classes"].tolist() == [[1]]


def test_evaluation_goes_once_over_every_picture_in_order(tmp_path):
    paths = [_records(tmp_path, 6), _records(tmp_path, 5, "b.record")]
    for _ in range(2):
        batches = _batches(paths)
        assert [len(images) for images, _ in batches] == [4, 4, 3]
    numbers = [int(number) for _, labels in batches for number in labels["source_id"]]
    assert sorted(numbers) == sorted([*range(6), *range(5)])


def test_the_same_seed_gives_the_same_batches_and_another_seed_others(tmp_path):
    path = [_records(tmp_path, 3), _records(tmp_path, 3, "b.record")]
    options = {"is_training": True, "augmentation": SSDAugmentation(flip=0.5, ssd_crop=True, color=0.3)}
    first, again, other = (_batches(path, 4, seed=seed, **options) for seed in (3, 3, 4))
    for (images, labels), (more_images, more_labels) in zip(first, again, strict=True):
        assert np.array_equal(images, more_images)
        assert np.array_equal(labels["boxes"], more_labels["boxes"])
    assert not np.array_equal(first[0][0], other[0][0])
    # A picture that comes again in a later epoch is changed in another way.
    assert len({image.tobytes() for images, _ in first for image in images}) == 16


def test_training_never_ends_not_even_on_onerandom_picture(tmp_path):
    batches = _batches(_records(tmp_path, 1), 3, is_training=True, drop_remainder=True)
    assert [images.shape for images, _ in batches] == [(4, 32, 48, 3)] * 3


def test_more_boxes_than_allowed_are_cut_in_training_only(tmp_path):
    example = od_example(random_picture(1), [(0.1, 0.1, 0.5, 0.5)] * 9, list(range(1, 10)))
    path = write_records(tmp_path / "a.record", [example])
    ((_, labels),) = _batches(path, 1, is_training=True, max_boxes=4, global_batch_size=1)
    assert labels["classes"].tolist() == [[1, 2, 3, 4]]
    ((_, labels),) = _batches(path, max_boxes=4)
    assert labels["classes"].shape == (1, 9)


@pytest.mark.parametrize("name", ["cat[1]_training.record", "cats, dogs_training.record", "a*b_training.record"])
def test_a_file_is_read_whatever_its_name(tmp_path, name):
    assert len(_batches(_records(tmp_path, 3, name))[0][0]) == 3


# --- the order of a run that goes on, and of several workers ----------------------------------------------------------


def _assert_same_batches(batches, others):
    for (images, labels), (other_images, other_labels) in zip(batches, others, strict=True):
        assert np.array_equal(images, other_images)
        assert np.array_equal(labels["boxes"], other_labels["boxes"])


@pytest.mark.parametrize("first_step", [1, 3, 5])
def test_from_any_step_the_batches_are_those_of_a_run_that_was_never_stopped(tmp_path, first_step):
    """Seven pictures in two files, batches of four: step 3 begins in the middle of the second epoch."""
    paths = [str(_records(tmp_path, 4)), str(_records(tmp_path, 3, "b.record"))]
    config = SSDData(
        input_path=paths, global_batch_size=4, seed=5, shuffle_buffer_size=3,
        augmentation=SSDAugmentation(flip=0.5, ssd_crop=True, color=0.3),
    )  # fmt: skip
    whole = list(input_pipeline.build_dataset(config, [32, 48]).take(8).as_numpy_iterator())
    rest = input_pipeline.build_dataset(config, [32, 48], first_example=first_step * 4)
    _assert_same_batches(whole[first_step:], list(rest.take(8 - first_step).as_numpy_iterator()))


@pytest.mark.parametrize("workers", [2, 4])
def test_the_workers_of_a_cluster_share_the_batches_of_one_process(tmp_path, workers):
    path = str(_records(tmp_path, 7))
    config = SSDData(input_path=path, global_batch_size=4, augmentation=SSDAugmentation(flip=0.5, ssd_crop=False))
    whole = list(input_pipeline.build_dataset(config, [32, 48]).take(4).as_numpy_iterator())
    shares = []
    for index in range(workers):
        context = tf.distribute.InputContext(workers, index, workers)
        shares.append(input_pipeline.build_dataset(config, [32, 48], context).take(4).as_numpy_iterator())
    for (images, _), *parts in zip(whole, *shares, strict=True):
        together = [image.tobytes() for part_images, _ in parts for image in part_images]
        assert sorted(together) == sorted(image.tobytes() for image in images)


def test_every_epoch_has_every_picture_once_in_an_order_of_its_own(tmp_path):
    tf.random.set_seed(3)  # as a training does
    path = str(_records(tmp_path, 12))
    order = example_order.RecordOrder([path], seed=1)
    places, examples = zip(*order.endless().take(36).as_numpy_iterator(), strict=True)
    assert list(places) == list(range(36))
    epochs = [examples[start : start + 12] for start in (0, 12, 24)]
    assert len({frozenset(epoch) for epoch in epochs}) == 1
    assert len(set(epochs)) == 3
    assert order.count() == len(set(examples)) == 12


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"max_examples": 3}, [0, 1, 2]),
        ({"sample_1_of_n": 2}, [0, 2, 4]),
        ({"sample_1_of_n": 2, "max_examples": 2}, [0, 2]),
    ],
)
def test_an_evaluation_of_a_part(tmp_path, options, expected):
    batches = _batches(_records(tmp_path), **options)
    assert [int(number) for _, labels in batches for number in labels["source_id"]] == expected
