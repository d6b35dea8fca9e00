"""Average precision by hand, against pycocotools run on its own, and where it is not defined."""

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pipelines.detection_record import DetectionRecord, coco_dataset
from pipelines.metrics import evaluate_detections

NAMES = {1: "cat", 2: "dog"}
A, B, C = (0.1, 0.1, 0.5, 0.5), (0.6, 0.6, 0.9, 0.9), (0.1, 0.6, 0.4, 0.95)


def _record(*pictures, size=(200, 100)):
    """Each picture: truth ``(box, class)...`` and detections ``(box, class, score)...``."""
    record = DetectionRecord()
    for number, (truth, found) in enumerate(pictures, start=1):
        boxes = np.array([box for box, *_ in truth], np.float32).reshape(-1, 4)
        record.add_image(
            number, width=size[0], height=size[1], boxes=boxes,
            classes=np.array([label for _, label, *_ in truth], np.int32),
            is_crowd=np.array([bool(rest and rest[0]) for _, _, *rest in truth], bool),
            areas=(boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) * size[0] * size[1],
            detected_boxes=np.array([box for box, *_ in found], np.float32).reshape(-1, 4),
            detected_classes=np.array([label for _, label, _ in found], np.float32),
            scores=np.array([score for *_, score in found], np.float32),
        )  # fmt: skip
    return record


def test_everything_found_is_one():
    record = _record(
        ([(A, 1), (B, 2)], [(A, 1, 0.9), (B, 2, 0.8)]),
        ([(C, 1)], [(C, 1, 0.7)]),
    )
    figures = evaluate_detections(record, NAMES)
    for name in ("AP", "AP50", "AP75", "AR100", "F1", "precision", "recall"):
        assert figures[name] == pytest.approx(1.0), name
    assert figures["per_class"] == {
        "cat": {"AP": pytest.approx(1.0), "AP50": pytest.approx(1.0), "AR100": 1.0, "num_truth": 2},
        "dog": {"AP": pytest.approx(1.0), "AP50": pytest.approx(1.0), "AR100": 1.0, "num_truth": 1},
    }
    assert figures["num_images"] == 2
    assert figures["best_threshold"] == pytest.approx(0.7)


def test_nothing_found_is_zero():
    figures = evaluate_detections(_record(([(A, 1)], []), ([(B, 2)], [])), NAMES)
    assert (figures["AP"], figures["AP50"], figures["AR100"]) == (0.0, 0.0, 0.0)
    assert figures["per_class"]["dog"] == {"AP": 0.0, "AP50": 0.0, "AR100": 0.0, "num_truth": 1}
    assert figures["best_threshold"] is figures["F1"] is None


def test_nothing_to_find_is_undefined_and_not_zero():
    for record in (_record(([], [(A, 1, 0.9)])), _record(([], [])), DetectionRecord()):
        figures = evaluate_detections(record, NAMES)
        assert [figures[name] for name in ("AP", "AP50", "AP75", "AR1", "AR100", "best_threshold")] == [None] * 6
        assert figures["per_class"]["cat"] == {"AP": None, "AP50": None, "AR100": None, "num_truth": 0}
        assert figures["num_images"] == len(record.images)


def test_a_class_without_truth_is_undefined_and_does_not_lower_the_mean():
    figures = evaluate_detections(_record(([(A, 1)], [(A, 1, 0.9), (B, 2, 0.8)])), NAMES)
    assert figures["AP50"] == pytest.approx(1.0)
    assert figures["per_class"]["dog"] == {"AP": None, "AP50": None, "AR100": None, "num_truth": 0}


def test_a_false_positive_above_the_hit_halves_the_precision():
    # One box to find; the better score is wrong, so precision is 1/2 wherever recall is 1.
    figures = evaluate_detections(_record(([(A, 1)], [(C, 1, 0.9), (A, 1, 0.8)])), NAMES)
    assert figures["AP50"] == pytest.approx(0.5)
    # Below the hit it costs nothing.
    figures = evaluate_detections(_record(([(A, 1)], [(C, 1, 0.7), (A, 1, 0.8)])), NAMES)
    assert figures["AP50"] == pytest.approx(1.0)


def test_two_of_three_found_by_hand():
    # Recall reaches 2/3 at precision 1: 67 of COCO's 101 recall points (0 to 0.66) count.
    record = _record(([(A, 1), (B, 1), (C, 1)], [(A, 1, 0.9), (B, 1, 0.8)]))
    assert evaluate_detections(record, NAMES)["AP50"] == pytest.approx(67 / 101)


def test_the_second_detection_of_one_box_is_a_false_positive():
    record = _record(([(A, 1), (B, 1)], [(A, 1, 0.9), (A, 1, 0.8), (B, 1, 0.7)]))
    # Recall 1/2 at precision 1 (51 points), then 1 at precision 2/3 (50 points).
    assert evaluate_detections(record, NAMES)["AP50"] == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_overlap_decides_at_which_iou_a_detection_counts():
    # 0.4 of the picture's height against 0.28 of it: IoU 0.7, so it counts at 0.50 to 0.70, five of the ten.
    shorter = (0.1, 0.1, 0.38, 0.5)
    figures = evaluate_detections(_record(([(A, 1)], [(shorter, 1, 0.9)]), size=(1000, 1000)), NAMES)
    assert (figures["AP50"], figures["AP75"]) == (pytest.approx(1.0), 0.0)
    assert figures["AP"] in (pytest.approx(0.4), pytest.approx(0.5))  # 0.70 itself falls to rounding


def test_pictures_without_truth_count_their_detections_as_wrong():
    one = evaluate_detections(_record(([(A, 1)], [(A, 1, 0.8)])), NAMES)
    two = evaluate_detections(_record(([(A, 1)], [(A, 1, 0.8)]), ([], [(B, 1, 0.9)])), NAMES)
    assert one["AP50"] == pytest.approx(1.0)
    assert two["AP50"] == pytest.approx(0.5)
    assert two["num_images"] == 2


def test_a_crowd_is_neither_missed_nor_wrong():
    record = _record(([(A, 1), (B, 1, True)], [(A, 1, 0.9), (B, 1, 0.95)]))
    figures = evaluate_detections(record, NAMES)
    assert figures["AP50"] == pytest.approx(1.0)
    assert figures["F1"] == pytest.approx(1.0)


def test_best_threshold_by_hand():
    # By score: right, right, wrong, right, wrong; four boxes to find.
    record = _record(
        ([(A, 1), (B, 1)], [(A, 1, 0.9), (B, 1, 0.8), (C, 1, 0.7)]),
        ([(A, 2), (B, 2)], [(A, 2, 0.6), (C, 2, 0.2)]),
    )
    figures = evaluate_detections(record, NAMES)
    # F1 after each: 2/5, 4/6, 4/7, 6/8, 6/9.
    assert figures["best_threshold"] == pytest.approx(0.6)
    assert figures["F1"] == pytest.approx(0.75)
    assert figures["precision"] == pytest.approx(3 / 4)
    assert figures["recall"] == pytest.approx(3 / 4)


def test_detections_of_one_score_come_and_go_together():
    record = _record(([(A, 1)], [(A, 1, 0.5), (B, 1, 0.5), (C, 1, 0.5)]))
    figures = evaluate_detections(record, NAMES)
    assert (figures["best_threshold"], figures["precision"]) == (0.5, pytest.approx(1 / 3))


def test_padding_is_no_truth_and_boxes_are_in_pixels():
    record = DetectionRecord()
    record.add_image(
        5, width=200, height=100, boxes=np.array([A, (0, 0, 0, 0)]), classes=np.array([1, 0]),
        is_crowd=np.array([0, 0]), areas=np.array([3200.0, 0.0]), detected_boxes=np.zeros((0, 4)),
        detected_classes=np.zeros(0), scores=np.zeros(0),
    )  # fmt: skip
    assert record.images == [{"id": 5, "width": 200, "height": 100}]
    (annotation,) = record.annotations
    assert annotation["bbox"] == pytest.approx([20, 10, 80, 40])
    assert (annotation["image_id"], annotation["category_id"], annotation["area"]) == (5, 1, 3200.0)


def test_two_pictures_of_one_number_stay_two():
    # Records of other people give every picture of a class the same id, or none at all.
    record = DetectionRecord()
    for found in (A, B):
        record.add_image(
            7, width=100, height=100, boxes=np.array([A]), classes=np.array([1]), is_crowd=np.array([0]),
            areas=np.array([1600.0]), detected_boxes=np.array([found]), detected_classes=np.array([1]),
            scores=np.array([0.9]),
        )  # fmt: skip
    assert len({image["id"] for image in record.images}) == 2
    figures = evaluate_detections(record, NAMES)
    assert figures["num_images"] == 2
    # One picture is right and one is wrong at the same score; the two boxes of one picture would both be matched.
    assert figures["recall"] == pytest.approx(0.5)
    assert figures["precision"] == pytest.approx(0.5)


_EDGES = st.integers(0, 20)


@st.composite
def _box(draw):
    top, left = draw(_EDGES), draw(_EDGES)
    return top / 24, left / 24, (top + draw(st.integers(1, 4))) / 24, (left + draw(st.integers(1, 4))) / 24


_PICTURE = st.tuples(
    st.lists(st.tuples(_box(), st.integers(1, 2), st.booleans()), max_size=3),
    st.lists(st.tuples(_box(), st.integers(1, 2), st.integers(1, 99).map(lambda score: score / 100)), max_size=4),
)


@settings(deadline=None, max_examples=40)
@given(st.lists(_PICTURE, min_size=1, max_size=4))
def test_the_same_as_pycocotools_alone(pictures):
    record = _record(*pictures)
    ours = evaluate_detections(record, NAMES)
    theirs = _pycocotools(record)
    for name, index in {"AP": 0, "AP50": 1, "AP75": 2, "AP_small": 3, "AR1": 6, "AR10": 7, "AR100": 8}.items():
        expected = None if theirs is None or theirs[index] == -1 else theirs[index]
        assert ours[name] == (expected if expected is None else pytest.approx(expected)), name


def _pycocotools(record):
    """Run COCO's evaluation as its own demo does; ``None`` where it cannot run."""
    if not record.annotations or not record.detections:
        return None if not record.annotations else _zeros(record)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = coco_dataset(record, NAMES)
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes([dict(one) for one in record.detections]), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats


def _zeros(record):
    """What COCO's figures are without a detection: zero where there is truth that counts, else undefined."""
    counts = [one for one in record.annotations if not one["iscrowd"]]
    value = 0.0 if counts else -1
    small = 0.0 if any(one["area"] < 32**2 for one in counts) else -1
    return [value, value, value, small, 0, 0, value, value, value]
