"""Pasted objects: whole, where their boxes say, and never more over others than they may cover."""

import io
import itertools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from collectors.errors import ConfigError
from pipelines.detection import input_pipeline
from pipelines.detection.augmentation_config import SSDAugmentation, SSDCopyPaste
from pipelines.detection.copy_paste import ObjectPaster
from pipelines.detection.labeled_picture import LabeledPicture
from pipelines.detection.object_pool import collect_objects
from pipelines.detection.ssd_config import SSDData
from records.example import Int64List
from tests.support.od_api_records import od_example, random_picture, write_records

pytestmark = pytest.mark.tf

WIDTH, HEIGHT = 120, 90
BLACK, RED, WHITE = (0, 0, 0), (250, 10, 20), (255, 255, 255)
# ymin xmin ymax xmax of an object in the middle, and of one at the edge.
MIDDLE, EDGE = (0.2, 0.3, 0.6, 0.7), (0.0, 0.0, 0.5, 0.4)


def _filled(box, color, background=BLACK):
    picture = Image.new("RGB", (WIDTH, HEIGHT), background)
    top, left, bottom, right = (round(edge * side) for edge, side in zip(box, (HEIGHT, WIDTH) * 2, strict=True))
    picture.paste(color, (left, top, right, bottom))
    return picture


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Seven objects of class 1, one of class 2, and what cannot be cut out."""
    examples = [od_example(_filled(MIDDLE, RED), [MIDDLE], [1], kind="PNG") for _ in range(6)]
    examples.append(od_example(_filled(EDGE, RED), [EDGE, (0.9, 0.9, 0.95, 0.95)], [1, 2], kind="PNG"))
    examples.append(od_example(_filled(MIDDLE, WHITE), [MIDDLE], [2], kind="PNG"))
    crowd = {"image__object__is_crowd": Int64List((1,))}
    examples.append(od_example(_filled(MIDDLE, WHITE), [MIDDLE], [2], kind="PNG", **crowd))
    examples.append(od_example(random_picture(1)))
    return write_records(tmp_path_factory.mktemp("records") / "a.record", examples)


def _pool(path, **options):
    return collect_objects(
        [path], **({"classes": [], "limit": 100, "margin": 0.1, "largest": 300, "seed": 0} | options)
    )


def test_objects_are_cut_out_with_a_margin_as_far_as_there_is_one(path):
    pool = _pool(path)
    assert pool.classes == [1] * 7 + [2]
    assert (pool.begins, pool.counts) == ([0, 7], [7, 1])
    for crop, inner, size in zip(pool.crops, pool.inner, pool.sizes, strict=True):
        with Image.open(io.BytesIO(crop)) as opened:
            pixels = np.asarray(opened).astype(int)
        height, width = pixels.shape[:2]
        top, left, bottom, right = (inner * [height, width, height, width]).round().astype(int)
        assert (bottom - top, right - left) == pytest.approx(size, abs=1)
        assert pixels[top + 2 : bottom - 2, left + 2 : right - 2, 0].min() > 200
        around = pixels.copy()
        around[max(0, top - 2) : bottom + 2, max(0, left - 2) : right + 2] = 0
        assert around.max() < 60
        assert height == pytest.approx(size[0] * (1.1 if top == 0 else 1.2), abs=2)


def test_a_rare_class_keeps_all_it_has_and_a_common_one_its_share(path):
    pool = _pool(path, limit=4, seed=1)
    assert pool.counts == [2, 1]
    assert _pool(path, limit=4, seed=1).crops == pool.crops
    assert _pool(path, classes=[2]).classes == [2]
    assert max(Image.open(io.BytesIO(_pool(path, largest=20).crops[0])).size) == 20
    with pytest.raises(ConfigError, match="no object that could be pasted"):
        _pool(path, classes=[3])


def _paster(path, **options):
    settings = SSDCopyPaste(probability=1.0, **options)
    return ObjectPaster(_pool(path, margin=settings.feather, classes=settings.classes), settings)


@pytest.fixture(scope="module")
def hard(path):
    return _paster(path, max_objects=1, feather=0.0, max_size=0.4)


@pytest.fixture(scope="module")
def three(path):
    return _paster(path, max_objects=3, feather=0.2, max_size=0.6, min_visible=0.7)


@settings(max_examples=40)
@given(st.integers(0, 2**31 - 1), st.integers(60, 200), st.integers(60, 200))
def test_the_box_of_a_pasted_object_is_on_its_pixels(hard, number, height, width):
    blue = tf.fill([height, width, 3], tf.constant(0, tf.uint8)) + tf.constant([0, 0, 200], tf.uint8)
    image, boxes, classes = hard(
        LabeledPicture(blue, tf.zeros([0, 4]), tf.zeros([0], tf.int32)), tf.constant([1, number])
    )
    assert image.shape == (height, width, 3)
    assert len(boxes) == len(classes) == 1
    box = boxes.numpy()[0]
    assert 0 <= box.min() <= box.max() <= 1
    assert max(box[2] - box[0], box[3] - box[1]) <= 0.4 + 2 / min(height, width)
    rows, columns = np.nonzero(image.numpy()[..., 0] > 125)
    found = [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
    # A hard edge is a whole pixel; the crop itself was cut along whole pixels of its picture.
    assert box * [height, width, height, width] == pytest.approx(found, abs=1.6)
    # White is the second class.
    assert (image.numpy()[..., 1] > 125).any() == (classes.numpy()[0] == 2)


@settings(max_examples=40)
@given(st.integers(0, 2**31 - 1))
def test_boxes_that_stay_are_visible_as_far_as_was_asked(three, number):
    green = np.zeros((100, 100, 3), np.uint8)
    own = np.array([[0.05, 0.05, 0.45, 0.5], [0.5, 0.5, 0.95, 0.9], [0.1, 0.6, 0.3, 0.9]], np.float32)
    pixels = (own * 100).round().astype(int)
    for top, left, bottom, right in pixels:
        green[top:bottom, left:right] = (0, 255, 0)
    picture = LabeledPicture(tf.constant(green), tf.constant(own), tf.constant([11, 12, 13]))
    image, boxes, classes = three(picture, tf.constant([2, number]))
    kept = classes.numpy().tolist()
    pasted = [label for label in kept if label < 10]
    assert 1 <= len(kept) <= 6
    assert len(pasted) <= 3
    for one, (top, left, bottom, right) in zip((11, 12, 13), pixels, strict=True):
        inside = image.numpy()[top:bottom, left:right].astype(int)
        untouched = (inside == (0, 255, 0)).all(axis=-1).mean()
        if one in kept:
            assert boxes.numpy()[kept.index(one)] == pytest.approx(own[one - 11])
            assert untouched >= 0.7 - 0.01
        else:
            # What several cover is added up, so that a box may go a little early, never without a reason.
            assert untouched < 0.9
    outcome = three(picture, tf.constant([2, number]))
    assert np.array_equal(outcome.image, image)


def test_a_soft_edge_rises_from_the_margin_to_the_object(path):
    paster = _paster(path, max_objects=1, feather=0.2, classes=[2])
    blank = LabeledPicture(
        tf.fill([200, 200, 3], tf.constant(100, tf.uint8)), tf.zeros([0, 4]), tf.zeros([0], tf.int32)
    )
    image, boxes, _ = paster(blank, tf.constant([1, 5]))
    top, left, bottom, right = (boxes.numpy()[0] * 200).round().astype(int)
    line = image.numpy()[(top + bottom) // 2, :, 0].astype(int)
    assert line[left + 3 : right - 3].min() > 200  # all of the object
    # The margin is black there: it darkens towards the object, without a step at its begin.
    margin = line[left - 6 : left - 1]
    assert all(later <= earlier + 2 for earlier, later in itertools.pairwise(margin))
    assert line[:5].tolist() == [100] * 5


def test_in_the_pipeline_it_ends_with_the_closing_and_goes_on_as_before(path):
    paste = SSDAugmentation(flip=0.5, ssd_crop=False, copy_paste=SSDCopyPaste(probability=0.7))

    def batches(count, augmentation=paste, **options):
        config = SSDData(input_path=str(path), global_batch_size=4, seed=2, augmentation=augmentation)
        return list(input_pipeline.build_dataset(config, [32, 48], **options).take(count).as_numpy_iterator())

    whole = batches(6, closing_example=16)
    counts = [(labels["classes"] > 0).sum() for _, labels in whole]
    rest = batches(4, first_example=8, closing_example=16)
    plain = batches(6, SSDAugmentation(flip=0.5, ssd_crop=False))
    assert sum(counts[:4]) > sum((labels["classes"] > 0).sum() for _, labels in plain[:4])
    for (images, labels), (others, other_labels) in [
        *zip(whole[2:], rest, strict=True),
        (whole[4], plain[4]),
        (whole[5], plain[5]),
    ]:
        assert np.array_equal(images, others)
        assert np.array_equal(labels["boxes"], other_labels["boxes"])
