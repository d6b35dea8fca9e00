"""Pascal VOC's average precision by hand, and against its rules written out one detection at a time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.detection_record import DetectionRecord
from pipelines.metrics import evaluate_detections
from pipelines.voc_metrics import pascal_figures, voc_precision

NAMES = {1: "cat", 2: "dog"}
A, B, C = (0.0, 0.0, 40.0, 40.0), (100.0, 0.0, 40.0, 40.0), (0.0, 100.0, 40.0, 40.0)
NOWHERE = (300.0, 300.0, 40.0, 40.0)


def _record(truth, found):
    """Rows of truth: ``box, class, difficult, crowd`` (as many as there are); of detections: ``box, class, score``."""
    record = DetectionRecord([{"id": 1, "width": 400, "height": 400}])
    for box, label, *marks in truth:
        difficult, crowd = (*marks, 0, 0)[:2]
        row = {"id": len(record.annotations) + 1, "image_id": 1, "category_id": label, "bbox": list(box)}
        record.annotations.append({**row, "area": box[2] * box[3], "iscrowd": crowd, "difficult": difficult})
    for box, label, score in found:
        record.detections.append({"image_id": 1, "category_id": label, "bbox": list(box), "score": score})
    return record


def _of_cat(truth, found):
    return voc_precision(_record(truth, found), NAMES)[1]


def test_a_case_computed_by_hand():
    # By score: right, wrong, right, wrong; three boxes to find. Recall 1/3 at precision 1, 2/3 at precision 2/3.
    found = [(A, 1, 0.9), (NOWHERE, 1, 0.8), (B, 1, 0.7), (NOWHERE, 1, 0.6)]
    figures = _of_cat([(A, 1), (B, 1), (C, 1)], found)
    assert figures.area == pytest.approx(1 / 3 * 1 + 1 / 3 * 2 / 3)
    # Recall 0, 0.1, 0.2, 0.3 are reached at precision 1; 0.4, 0.5, 0.6 at 2/3; 0.7 to 1 never.
    assert figures.eleven_point == pytest.approx((4 * 1 + 3 * 2 / 3) / 11)


@pytest.mark.parametrize(("total", "expected"), [(1, 1.0), (2, 6 / 11), (5, 3 / 11), (10, 2 / 11), (11, 1 / 11)])
def test_the_eleven_points_meet_their_recall_exactly(total, expected):
    # One of ten boxes is recall 0.1, and counts as that though 0.1 is no number of a computer.
    boxes = [((50.0 * place, 0.0, 40.0, 40.0), 1) for place in range(total)]
    assert _of_cat(boxes, [(boxes[0][0], 1, 0.9)]).eleven_point == pytest.approx(expected)


def test_the_curve_is_the_best_precision_from_each_recall_on():
    figures = _of_cat([(A, 1), (B, 1)], [(NOWHERE, 1, 0.9), (A, 1, 0.8), (B, 1, 0.7)])
    assert figures.area == pytest.approx(2 / 3)  # 1/2 at the first box, but 2/3 is to come
    assert figures.eleven_point == pytest.approx(2 / 3)


def test_a_difficult_box_is_neither_missed_nor_wrong_to_find():
    assert _of_cat([(A, 1), (B, 1, True)], [(A, 1, 0.9)]).area == pytest.approx(1.0)
    assert _of_cat([(A, 1), (B, 1, True)], [(B, 1, 0.95), (B, 1, 0.94), (A, 1, 0.9)]).area == pytest.approx(1.0)
    assert _of_cat([(B, 1, True)], [(B, 1, 0.9)]) is None


def test_a_detection_asks_for_one_box_only():
    # Both detections overlap the first box most: VOC calls the second one wrong, COCO gives it the other box.
    near = (10.0, 0.0, 40.0, 40.0)
    record = _record([(A, 1), (near, 1)], [(A, 1, 0.9), ((4.0, 0.0, 40.0, 40.0), 1, 0.8)])
    assert voc_precision(record, NAMES)[1].area == pytest.approx(0.5)
    assert evaluate_detections(record, NAMES)["AP50"] == pytest.approx(1.0)


def test_half_an_overlap_is_enough():
    truth = [((0.0, 0.0, 10.0, 10.0), 1)]
    assert _of_cat(truth, [((0.0, 0.0, 10.0, 5.0), 1, 0.9)]).area == pytest.approx(1.0)
    assert _of_cat(truth, [((0.0, 0.0, 10.0, 4.99), 1, 0.9)]).area == 0.0


def test_a_crowd_takes_what_no_box_takes():
    crowd = ((0.0, 0.0, 300.0, 300.0), 1, 0, 1)
    assert _of_cat([(A, 1), crowd], [(B, 1, 0.9), (A, 1, 0.8)]).area == pytest.approx(1.0)


def test_figures_by_name_and_what_is_not_defined():
    figures = pascal_figures(_record([(A, 1)], [(A, 1, 0.9), (B, 2, 0.8)]), NAMES)
    assert figures == {
        "AP50": 1.0, "AP50_11_point": pytest.approx(1.0), "per_class": {"cat": 1.0, "dog": None},
        "per_class_11_point": {"cat": pytest.approx(1.0), "dog": None},
    }  # fmt: skip
    assert pascal_figures(_record([(A, 1)], []), NAMES)["AP50"] == 0.0
    assert pascal_figures(DetectionRecord(), {})["AP50"] is None


_BOX = st.tuples(*[st.sampled_from([0.0, 3.0, 20.0])] * 2, *[st.sampled_from([10.0, 14.0, 30.0])] * 2)
_LABEL = st.integers(1, 2)


@settings(max_examples=80)
@given(
    st.lists(st.tuples(_BOX, _LABEL, st.booleans()), max_size=7),
    st.lists(st.tuples(_BOX, _LABEL), max_size=9),
    st.randoms(use_true_random=False),
)
def test_the_rules_one_detection_at_a_time(truth, boxes, chance):
    scores = chance.sample(range(100), len(boxes))
    found = [(box, label, score / 100) for (box, label), score in zip(boxes, scores, strict=True)]
    ours = voc_precision(_record(truth, found), NAMES)
    for label in NAMES:
        expected = _by_the_rules(
            [(box, difficult) for box, of, difficult in truth if of == label],
            sorted([(score, box) for box, of, score in found if of == label], reverse=True),
        )
        if expected is None:
            assert ours[label] is None
        else:
            assert (ours[label].area, ours[label].eleven_point) == pytest.approx(expected)


def _by_the_rules(truth, found):
    total = sum(not difficult for _, difficult in truth)
    if not total:
        return None
    taken, right, curve = set(), 0, []
    for _, box in found:
        overlaps = [_iou(box, other) for other, _ in truth]
        best = int(np.argmax(overlaps))
        if overlaps[best] >= 0.5 and truth[best][1]:
            continue
        if overlaps[best] >= 0.5 and best not in taken:
            taken.add(best)
            right += 1
        curve.append((right / total, right / (len(curve) + 1)))
    points = [max([p for recall, p in curve if recall >= at / 10 - 1e-9], default=0.0) for at in range(11)]
    area = sum(
        max(precision for recall, precision in curve if recall >= step / total - 1e-9)
        for step in range(1, right + 1)
    )  # fmt: skip
    return area / total, sum(points) / 11


def _iou(first, second):
    width, height = (
        min(first[axis] + first[axis + 2], second[axis] + second[axis + 2]) - max(first[axis], second[axis])
        for axis in (0, 1)
    )
    shared = max(width, 0) * max(height, 0)
    return shared / (first[2] * first[3] + second[2] * second[3] - shared)
