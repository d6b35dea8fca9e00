"""Augmentation: boxes follow the pixels they stand for, and the seed decides everything."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.detection import augmentation
from pipelines.detection.augmentation_config import SSDAugmentation, SSDRandomCrop

pytestmark = pytest.mark.tf

HEIGHT, WIDTH = 60, 80
PAPER, INK = (200, 210, 220), (250, 10, 20)
EVERYTHING = SSDAugmentation(flip=0.5, flip_vertical=0.3, rotate=0.3, zoom_out=0.5, zoom_out_max=2.5, ssd_crop=True)


def _picture(*boxes):
    """A picture with filled boxes, given in pixels as ymin, xmin, ymax, xmax, and its tensors."""
    image = np.full((HEIGHT, WIDTH, 3), PAPER, np.uint8)
    for ymin, xmin, ymax, xmax in boxes:
        image[ymin:ymax, xmin:xmax] = INK
    scaled = np.array(boxes, np.float32).reshape(-1, 4) / [HEIGHT, WIDTH, HEIGHT, WIDTH]
    classes = np.arange(1, len(boxes) + 1, dtype=np.int32)
    return tf.constant(image), tf.constant(scaled, tf.float32), tf.constant(classes)


def _seed(number):
    return tf.constant([7, number], tf.int32)


def _ink_box(image):
    """Find the inked pixels again: ymin, xmin, ymax, xmax in pixels."""
    rows, columns = np.nonzero((np.asarray(image) == INK).all(axis=-1))
    return rows.min(), columns.min(), rows.max() + 1, columns.max() + 1


def _pixels(box, image):
    height, width = np.asarray(image).shape[:2]
    return np.asarray(box) * [height, width, height, width]


def test_a_flip_mirrors_pixels_and_boxes():
    image, boxes, _ = _picture((5, 10, 25, 30))
    flipped, moved = augmentation.flip_left_right(image, boxes, _seed(1), 1.0)
    assert flipped.numpy().tolist() == image.numpy()[:, ::-1].tolist()
    assert _pixels(moved[0], flipped) == pytest.approx([5, 50, 25, 70], abs=1e-4)
    assert _ink_box(flipped) == (5, 50, 25, 70)
    same, stayed = augmentation.flip_left_right(image, boxes, _seed(1), 0.0)
    assert same.numpy().tolist() == image.numpy().tolist()
    assert stayed.numpy().tolist() == boxes.numpy().tolist()


def test_upside_down_and_a_quarter_turn_take_the_boxes_along():
    image, boxes, _ = _picture((5, 10, 25, 40))
    for change, expected in ((augmentation.flip_upside_down, (35, 10, 55, 40)),
                             (augmentation.quarter_turn, (40, 5, 70, 25))):  # fmt: skip
        changed, moved = change(image, boxes, _seed(1), 1.0)
        assert _ink_box(changed) == expected
        assert _pixels(moved[0], changed) == pytest.approx(expected, abs=1e-4)
        same, stayed = change(image, boxes, _seed(1), 0.0)
        assert same.numpy().tolist() == image.numpy().tolist()
        assert stayed.numpy().tolist() == boxes.numpy().tolist()


def test_the_cases_of_the_crop_can_be_others():
    image, boxes, classes = _picture((15, 20, 45, 60))
    cases = [
        SSDRandomCrop(probability=0.0),
        SSDRandomCrop(min_area=0.5, max_area=0.6, min_aspect_ratio=1.9, max_aspect_ratio=2.0, min_object_covered=0.0),
    ]
    shapes = []
    for number in range(40):
        cropped, moved, left = augmentation.ssd_random_crop(image, boxes, classes, _seed(number), cases=cases)
        assert len(moved) == len(left)
        shapes.append(tuple(cropped.shape[:2]))
    whole = shapes.count((HEIGHT, WIDTH))
    assert 8 <= whole <= 32
    assert all(1.7 < width / height < 2.2 for height, width in shapes if (height, width) != (HEIGHT, WIDTH))


@settings(deadline=None)
@given(st.integers(0, 2**31 - 1), st.floats(1.0, 4.0))
def test_zooming_out_keeps_the_picture_whole_and_the_box_on_its_pixels(number, largest):
    image, boxes, _ = _picture((5, 10, 25, 30))
    larger, moved = augmentation.zoom_out(image, boxes, _seed(number), 1.0, largest)
    height, width = larger.shape[:2]
    assert HEIGHT <= height <= round(HEIGHT * largest) + 1
    assert WIDTH <= width <= round(WIDTH * largest) + 1
    assert _pixels(moved[0], larger) == pytest.approx(_ink_box(larger), abs=0.01)
    assert (larger.numpy() == INK).all(axis=-1).sum() == 20 * 20
    assert (larger.numpy() == PAPER).all(axis=-1).sum() == HEIGHT * WIDTH - 400


@settings(deadline=None)
@given(st.integers(0, 2**31 - 1))
def test_a_crop_keeps_boxes_on_what_is_left_of_their_pixels(number):
    image, boxes, classes = _picture((15, 20, 45, 60))
    cropped, moved, left = augmentation.ssd_random_crop(image, boxes, classes, _seed(number))
    ink = (cropped.numpy() == INK).all(axis=-1)
    assert len(moved) == len(left) <= 1
    if len(moved):
        assert left.numpy().tolist() == [1]
        # The op hands out its window in normalised floats and in whole pixels; they differ by less than a pixel.
        assert _pixels(moved[0], cropped) == pytest.approx(_ink_box(cropped.numpy()), abs=1.01)
        assert 0 <= moved.numpy().min() <= moved.numpy().max() <= 1
    else:
        assert ink.mean() < 0.95  # a crop inside the box keeps it


def test_crops_come_in_many_sizes_and_some_are_skipped():
    image, boxes, classes = _picture((15, 20, 45, 60))
    shapes = [augmentation.ssd_random_crop(image, boxes, classes, _seed(n))[0].shape[:2] for n in range(120)]
    whole = sum(tuple(shape) == (HEIGHT, WIDTH) for shape in shapes)
    assert 6 <= whole <= 60
    assert len({tuple(shape) for shape in shapes}) > 40
    areas = [height * width / (HEIGHT * WIDTH) for height, width in shapes]
    assert min(areas) < 0.4


def test_a_crop_stays_within_its_limits():
    image, boxes, classes = _picture((15, 20, 45, 60))
    limits = SSDRandomCrop(
        enabled=True, probability=0.7, min_object_covered=0.9, min_area=0.5, max_area=0.8,
        min_aspect_ratio=1.2, max_aspect_ratio=1.6, min_overlap=0.9,
    )  # fmt: skip
    whole = 0
    for number in range(80):
        cropped, moved, _ = augmentation.random_crop(image, boxes, classes, _seed(number), limits)
        height, width = cropped.shape[:2]
        if (height, width) == (HEIGHT, WIDTH):
            whole += 1
            continue
        assert 0.45 <= height * width / (HEIGHT * WIDTH) <= 0.85
        assert 1.1 <= width / height <= 1.7
        assert len(moved) == 1
        assert _pixels(moved[0], cropped) == pytest.approx(_ink_box(cropped.numpy()), abs=1.01)
    assert 10 <= whole <= 45


def test_a_box_with_too_little_inside_the_crop_goes_and_the_others_keep_their_class():
    image, boxes, classes = _picture((2, 2, 12, 12), (20, 30, 40, 50), (45, 60, 58, 78))
    seen = set()
    for number in range(60):
        _, moved, left = augmentation.ssd_random_crop(image, boxes, classes, _seed(number))
        assert len(moved) == len(left)
        seen.add(tuple(left.numpy().tolist()))
        assert all(a < b for a, b in zip(left.numpy(), left.numpy()[1:], strict=False))
    assert (1, 2, 3) in seen
    assert any(len(left) < 3 for left in seen)


def test_a_picture_without_boxes_goes_through_everything():
    image, _, _ = _picture()
    boxes, classes = tf.zeros([0, 4]), tf.zeros([0], tf.int32)
    for number in range(20):
        changed, moved, left = augmentation.augment(image, boxes, classes, _seed(number), EVERYTHING)
        assert changed.dtype == tf.uint8
        assert moved.shape == (0, 4)
        assert left.shape == (0,)


def test_boxes_without_area_and_outside_the_picture_do_no_harm():
    image, _, _ = _picture()
    boxes = tf.constant([[0.5, 0.5, 0.5, 0.5], [-0.4, -0.2, 1.3, 1.1], [0.2, 0.9, 0.4, 0.9]])
    for number in range(40):
        _, moved, _ = augmentation.augment(image, boxes, tf.constant([1, 2, 3]), _seed(number), EVERYTHING)
        assert np.isfinite(moved.numpy()).all()


def test_the_same_seed_gives_the_same_and_another_seed_another():
    image, boxes, classes = _picture((5, 10, 25, 30), (30, 40, 50, 70))

    def run(number):
        return augmentation.augment(image, boxes, classes, _seed(number), EVERYTHING)

    outcomes = [run(number) for number in range(12)]
    for number, first in enumerate(outcomes):
        for one, again in zip(first, run(number), strict=True):
            assert one.numpy().tolist() == again.numpy().tolist()
    assert len({outcome[0].numpy().tobytes() for outcome in outcomes}) == len(outcomes)


def test_nothing_asked_for_changes_nothing():
    image, boxes, classes = _picture((5, 10, 25, 30))
    off = SSDAugmentation(flip=0.0, zoom_out=0.0, ssd_crop=False)
    for before, after in zip(
        (image, boxes, classes), augmentation.augment(image, boxes, classes, _seed(1), off), strict=True
    ):
        assert before.numpy().tolist() == after.numpy().tolist()


def test_the_draws_of_one_picture_are_independent():
    # Once, whether a picture was cropped and whether it was mirrored came from the same draw.
    image, boxes, classes = _picture((5, 10, 25, 30))
    config = SSDAugmentation(flip=0.5, ssd_crop=True)
    whole, mirrored = 0, 0
    for number in range(300):
        changed, _, _ = augmentation.augment(image, boxes, classes, _seed(number), config)
        if tuple(changed.shape[:2]) == (HEIGHT, WIDTH):
            whole += 1
            mirrored += changed.numpy().tolist() != image.numpy().tolist()
    assert whole > 30
    assert 0.25 < mirrored / whole < 0.75


def test_zooming_out_and_flipping_are_independent():
    image, boxes, classes = _picture((5, 10, 25, 30))
    config = SSDAugmentation(flip=0.5, zoom_out=0.5, zoom_out_max=2.0, ssd_crop=False)
    table = np.zeros((2, 2), int)
    for number in range(300):
        changed, moved, _ = augmentation.augment(image, boxes, classes, _seed(number), config)
        zoomed = changed.shape[0] > HEIGHT
        # Before a flip the box lies left of the middle of the picture's own pixels.
        paper = np.nonzero((changed.numpy() == PAPER).all(axis=-1) | (changed.numpy() == INK).all(axis=-1))[1]
        middle = (paper.min() + paper.max() + 1) / 2
        left, right = _pixels(moved[0], changed)[[1, 3]]
        table[int(zoomed), int((left + right) / 2 > middle)] += 1
    assert table.min() > 40, table
