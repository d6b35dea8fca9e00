"""Average precision of weighted pictures: COCO's own figure where every picture counts once, and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import matches as matching
from pipelines.coco_matching import coco_evaluation
from pipelines.detection_record import DetectionRecord
from pipelines.metrics import evaluate_detections

NAMES = {1: "cat", 2: "dog"}


def _record(seed, num_images=6, crowds=False):
    """Boxes of two classes, and detections that are sometimes near them, sometimes anywhere, with tied scores."""
    chance, record = np.random.default_rng(seed), DetectionRecord()
    for image_id in range(1, num_images + 1):
        count = int(chance.integers(0, 4))
        boxes = chance.uniform(0, 0.6, (count, 4))
        boxes[:, 2:] = boxes[:, :2] + chance.uniform(0.1, 0.4, (count, 2))
        near = np.clip(boxes + chance.normal(0, 0.02, boxes.shape), 0, 1)
        anywhere = chance.uniform(0, 0.5, (2, 4))
        anywhere[:, 2:] += 0.4
        found = np.concatenate([near, anywhere])
        record.add_image(
            image_id, width=100, height=80, boxes=boxes, classes=chance.integers(1, 3, count),
            is_crowd=chance.integers(0, 2, count) if crowds else np.zeros(count), areas=np.full(count, 900.0),
            detected_boxes=found, detected_classes=chance.integers(1, 3, len(found)),
            scores=np.round(chance.uniform(0, 1, len(found)), 1),
        )  # fmt: skip
    return record


def _matches(record):
    evaluation = coco_evaluation(record, NAMES)
    return matching.class_matches(evaluation) if evaluation else {}


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.booleans())
def test_with_every_picture_once_it_is_cocos_figure(seed, crowds):
    record = _record(seed, crowds=crowds)
    found = _matches(record)
    expected = evaluate_detections(record, NAMES)
    precision = matching.resampled_precision(list(found.values()), np.ones((1, len(record.images)), np.int64))[0]
    for value, name in ((precision.mean(), "AP"), (precision[0], "AP50"), (precision[5], "AP75")):
        if expected[name] is None:
            assert np.isnan(value)
        else:
            assert value == pytest.approx(expected[name], abs=1e-9)


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.lists(st.integers(0, 3), min_size=4, max_size=4))
def test_a_picture_that_counts_twice_is_a_picture_that_stands_twice(seed, counts):
    """Weights are a short cut for copying pictures; where no scores are tied, the figure is the same."""
    record = _record(seed, num_images=4)
    chance = np.random.default_rng(seed)
    for one in record.detections:
        one["score"] = float(chance.uniform())
    copied = DetectionRecord()
    for image, count in zip(record.images, counts, strict=True):
        for _ in range(count):
            number = len(copied.images) + 1
            copied.images.append({**image, "id": number})
            for kind in ("annotations", "detections"):
                own = [one for one in getattr(record, kind) if one["image_id"] == image["id"]]
                getattr(copied, kind).extend({**one, "image_id": number} for one in own)
    for number, annotation in enumerate(copied.annotations, start=1):
        annotation["id"] = number
    found = _matches(record)
    if not found:
        return
    weighted = matching.resampled_precision(list(found.values()), np.asarray([counts]))[0]
    expected = evaluate_detections(copied, NAMES)["AP50"]
    assert (None if np.isnan(weighted[0]) else weighted[0]) == pytest.approx(expected, abs=1e-9)


def _by_hand(hits, truths, ignored=None):
    """One picture, one class, the same at every IoU."""
    hits = np.tile(np.asarray(hits, bool), (10, 1))
    ignored = np.zeros_like(hits) if ignored is None else np.tile(np.asarray(ignored, bool), (10, 1))
    count = hits.shape[1]
    return matching.ClassMatches(
        hits, ignored, np.linspace(1, 0.1, count), np.zeros(count, np.int64), np.asarray([truths])
    )


def test_pooled_detections_are_those_of_both_best_first():
    first, second = _by_hand([1, 0], 2), _by_hand([1, 1, 0], 2)
    both, is_second = matching.pooled(first, second)
    assert list(both.scores) == sorted([*first.scores, *second.scores], reverse=True)
    assert is_second.sum() == 3
    assert both.hits[0].sum() == 3


def test_without_anything_to_find_there_is_no_figure():
    assert np.isnan(matching.resampled_precision([_by_hand([1], 0)], np.ones((3, 1), np.int64))).all()
    assert np.isnan(matching.resampled_precision([], np.ones((2, 1), np.int64))).all()
