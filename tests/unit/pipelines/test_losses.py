"""The SSD loss against a second implementation in plain numpy, and by hand where that is possible."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from pipelines.detection import losses, matcher
from pipelines.detection.anchors import box_specs, ssd_anchors
from pipelines.detection.ssd_config import SSDLosses, SSDMiner
from tests.unit.pipelines.ssd_loss_reference import reference_loss

pytestmark = pytest.mark.tf

ANCHORS = ssd_anchors([(3, 3), (2, 2)], box_specs(2), image_height=96, image_width=96)
NUM_CLASSES = 3
RULES = {
    "matched": 0.5, "unmatched": 0.5, "last_box_wins": False, "background_as_zeros": False, "mean_of_codes": False,
    "delta": 1.0, "focal": None, "miner": True, "nms_iou": 0.99, "num_hard_examples": 3000, "ratio": 3.0,
    "min_negatives": 0,
}  # fmt: skip


def _config(rules):
    focal = rules["focal"] or (0.25, 2.0)
    return SSDLosses(
        classification="focal" if rules["focal"] else "sigmoid", focal_alpha=focal[0], focal_gamma=focal[1],
        huber_delta=rules["delta"], normalize_by_code_size=rules["mean_of_codes"],
        background_as_zeros=rules["background_as_zeros"], matched_threshold=rules["matched"],
        unmatched_threshold=rules["unmatched"], last_box_wins=rules["last_box_wins"],
        miner=SSDMiner(
            enabled=rules["miner"], num_hard_examples=rules["num_hard_examples"], iou_threshold=rules["nms_iou"],
            max_negatives_per_positive=rules["ratio"], min_negatives_per_image=rules["min_negatives"],
        ),
    )  # fmt: skip


def _batch(seed, *, pictures=3, most_boxes=4, spread=1.0):
    """Random truth and outputs; boxes are padded at the end, some pictures have none."""
    chance = np.random.default_rng(seed)
    boxes = np.zeros((pictures, most_boxes, 4), np.float32)
    classes = np.zeros((pictures, most_boxes), np.int32)
    for picture in range(pictures):
        for number in range(chance.integers(0, most_boxes + 1)):
            size = chance.uniform(0.05, 0.7, 2)
            corner = chance.uniform(0, 1 - size)
            boxes[picture, number] = [*corner, *(corner + size)]
            classes[picture, number] = chance.integers(1, NUM_CLASSES + 1)
    outputs = {
        "box_encodings": chance.normal(0, spread, (pictures, len(ANCHORS), 4)).astype(np.float32),
        "class_logits": chance.normal(0, 2, (pictures, len(ANCHORS), NUM_CLASSES + 1)).astype(np.float32),
    }
    return outputs, boxes, classes


def _ours(outputs, boxes, classes, config):
    tensors = {key: tf.constant(value) for key, value in outputs.items()}
    terms = losses.ssd_loss(tensors, boxes, classes, ANCHORS, config, num_classes=NUM_CLASSES)
    return [float(term) for term in terms]


def _agree(outputs, boxes, classes, **changes):
    rules = {**RULES, **changes}
    expected = reference_loss(outputs["box_encodings"], outputs["class_logits"], boxes, classes, ANCHORS, rules)
    assert _ours(outputs, boxes, classes, _config(rules)) == pytest.approx(expected, rel=2e-4, abs=1e-5)


@pytest.mark.parametrize("seed", range(12))
def test_random_batches(seed):
    _agree(*_batch(seed))


@pytest.mark.parametrize(
    "changes",
    [
        {"miner": False},
        {"nms_iou": 1.0},
        {"nms_iou": 0.4},  # thins far below the number of anchors
        {"nms_iou": 0.4, "min_negatives": 5},
        {"nms_iou": 0.6, "num_hard_examples": 7},
        {"nms_iou": 1.0, "num_hard_examples": 7},
        {"nms_iou": 0.4, "num_hard_examples": 0},
        {"ratio": 1.5},  # a fraction of a negative is dropped
        {"ratio": 1000.0},  # more than there are
        {"min_negatives": 4},
        {"min_negatives": 1000},
        {"matched": 0.6, "unmatched": 0.3},  # anchors between are ignored
        {"last_box_wins": True},
        {"background_as_zeros": True},
        {"mean_of_codes": True},
        {"delta": 0.3},
        {"focal": (0.25, 2.0), "miner": False},
        {"focal": (0.75, 1.5)},
    ],
    ids=str,
)
@pytest.mark.parametrize("seed", [100, 101, 102])
def test_every_rule(changes, seed):
    _agree(*_batch(seed, spread=4.0 if "nms_iou" in changes else 1.0), **changes)


def test_predictions_that_fall_on_one_place_are_thinned_to_the_hardest():
    # Every anchor predicts the same box: only the one with the largest loss survives.
    outputs, boxes, classes = _batch(7, pictures=1)
    boxes[:], classes[:] = 0, 0
    boxes[0, 0], classes[0, 0] = [0.1, 0.1, 0.6, 0.7], 2
    from pipelines.detection import box_coder

    place = np.tile(np.array([[0.2, 0.2, 0.8, 0.8]], np.float32), (len(ANCHORS), 1))
    outputs["box_encodings"] = box_coder.encode(place, ANCHORS).numpy()[None]
    _agree(outputs, boxes, classes, nms_iou=0.9, min_negatives=50)
    config = _config({**RULES, "nms_iou": 0.9, "min_negatives": 50})
    _, _, positives, negatives = _ours(outputs, boxes, classes, config)
    assert negatives <= 1
    assert positives >= 1  # counted before mining


def test_two_equal_boxes_of_different_classes():
    for last in (False, True):
        outputs, boxes, classes = _batch(8, pictures=1, most_boxes=2)
        boxes[0, :] = ANCHORS[4]
        classes[0] = [1, 3]
        _agree(outputs, boxes, classes, last_box_wins=last)


def test_a_batch_of_padding_and_a_batch_without_a_row():
    outputs, boxes, classes = _batch(9)
    classes[:], boxes[:] = 0, 0
    for empty in (boxes, boxes[:, :0]):
        labels = classes[:, : empty.shape[1]]
        assert _ours(outputs, empty, labels, _config(RULES)) == [0, 0, 0, 0]
        _agree(outputs, empty, labels, min_negatives=3)
        _agree(outputs, empty, labels, miner=False)
    # Normalised by one, not by zero: three pictures with three negatives each.
    classification, localization, positives, negatives = _ours(
        outputs, boxes, classes, _config({**RULES, "min_negatives": 3})
    )
    assert (localization, positives, negatives) == (0, 0, 9)
    assert classification > 0


def test_padding_rows_do_not_change_the_loss():
    outputs, boxes, classes = _batch(10)
    more_boxes = np.concatenate([boxes, np.zeros((3, 5, 4), np.float32)], axis=1)
    more_classes = np.concatenate([classes, np.zeros((3, 5), np.int32)], axis=1)
    config = _config(RULES)
    assert _ours(outputs, boxes, classes, config) == pytest.approx(_ours(outputs, more_boxes, more_classes, config))


def test_weights_scale_their_own_term():
    outputs, boxes, classes = _batch(11)
    plain = _ours(outputs, boxes, classes, _config(RULES))
    config = dataclasses.replace(_config(RULES), classification_weight=2.0, localization_weight=0.5)
    weighted = _ours(outputs, boxes, classes, config)
    assert weighted == pytest.approx([2 * plain[0], 0.5 * plain[1], *plain[2:]])


def test_perfect_predictions_cost_nothing():
    from pipelines.detection import box_coder

    boxes = np.array([[[0.1, 0.1, 0.5, 0.5]]], np.float32)
    classes = np.array([[2]], np.int32)
    row, positive, _ = (part.numpy()[0] for part in matcher.match(boxes, classes > 0, ANCHORS))
    logits = np.full((1, len(ANCHORS), NUM_CLASSES + 1), -30, np.float32)
    logits[0, positive, 2] = 30
    logits[0, ~positive, 0] = 30
    encodings = box_coder.encode(np.tile(boxes[0], (len(ANCHORS), 1)), ANCHORS).numpy()[None]
    outputs = {"box_encodings": encodings, "class_logits": logits}
    assert row[positive].tolist() == [0] * positive.sum()
    assert _ours(outputs, boxes, classes, _config(RULES))[:2] == pytest.approx([0, 0], abs=1e-6)


def test_gradients_are_finite_and_reach_only_what_was_kept():
    outputs, boxes, classes = _batch(12)
    boxes[0, 0], classes[0, 0] = [0.2, 0.2, 0.2, 0.2], 1  # a box without area must not spoil the step
    tensors = {key: tf.Variable(value) for key, value in outputs.items()}
    with tf.GradientTape() as tape:
        terms = losses.ssd_loss(tensors, boxes, classes, ANCHORS, _config(RULES), num_classes=NUM_CLASSES)
        total = terms.classification + terms.localization
    gradients = tape.gradient(total, tensors)
    for gradient in gradients.values():
        assert np.isfinite(gradient.numpy()).all()
    touched = np.abs(gradients["class_logits"].numpy()).sum(axis=-1) > 0
    assert 0 < touched.sum() <= float(terms.num_positives + terms.num_negatives)


def test_a_ratio_of_zero_keeps_every_negative_as_in_the_object_detection_api():
    outputs, boxes, classes = _batch(13)
    classes[0, 0] = 1
    boxes[0, 0] = [0.2, 0.2, 0.7, 0.7]
    mined = _ours(outputs, boxes, classes, _config({**RULES, "nms_iou": 1.0, "ratio": 0.0}))
    everything = _ours(outputs, boxes, classes, _config({**RULES, "miner": False}))
    assert mined == pytest.approx(everything)
