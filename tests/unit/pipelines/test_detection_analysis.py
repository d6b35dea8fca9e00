"""Confusion, calibration, thresholds and intervals: by hand, and where there is nothing to analyse."""

import json

import numpy as np
import pytest

from collectors.errors import InputError
from pipelines import bootstrap
from pipelines.calibration import calibration
from pipelines.coco_matching import coco_evaluation
from pipelines.confusion import confusion_matrix
from pipelines.detection_analysis import analyse_detections, results_of
from pipelines.detection_record import DetectionRecord, require_finite_scores
from pipelines.matches import class_matches
from pipelines.precision_recall import precision_recall
from pipelines.thresholds import threshold_curve
from tests.support.random_detections import random_record

NAMES = {1: "cat", 2: "dog"}
A, B, C, D = ([x, 0.0, 40.0, 40.0] for x in (0.0, 100.0, 200.0, 300.0))


def _record(truth, found):
    """Rows of truth: ``box, class, crowd``; of detections: ``box, class, score``; all in one picture."""
    record = DetectionRecord([{"id": 1, "width": 400, "height": 100}])
    for box, label, *crowd in truth:
        row = {"id": len(record.annotations) + 1, "image_id": 1, "category_id": label, "bbox": box, "area": 1600.0}
        record.annotations.append({**row, "iscrowd": int(bool(crowd))})
    for box, label, score in found:
        record.detections.append({"image_id": 1, "category_id": label, "bbox": box, "score": score})
    return record


def _classes(record):
    return list(class_matches(coco_evaluation(record, NAMES)).values())


def test_confusion_by_hand():
    record = _record(
        [(A, 1), (B, 1), (C, 2), (D, 2, True)],
        [(A, 1, 0.9), (A, 1, 0.8), (B, 2, 0.7), (D, 1, 0.7), ([50.0, 50.0, 9.0, 9.0], 2, 0.6), (C, 2, 0.1)],
    )
    matrix = confusion_matrix(record, NAMES, min_score=0.5)
    assert matrix.names == ("cat", "dog", "background")
    assert matrix.counts.tolist() == [
        [1, 1, 0],  # one cat right, one taken for a dog
        [0, 0, 1],  # the dog scores too low to be seen; the crowd asks for nothing
        [1, 1, 0],  # the first cat a second time, and a dog where nothing is
    ]


def test_confusion_accounts_for_every_box_and_detection():
    record = random_record(3, num_images=30, num_classes=2, truths=4, detections=12)
    matrix = confusion_matrix(record, NAMES, min_score=0.3)
    truths = [one["category_id"] for one in record.annotations]
    found = [one["category_id"] for one in record.detections if one["score"] >= 0.3]
    assert matrix.counts[:2].sum(axis=1).tolist() == [truths.count(1), truths.count(2)]
    assert matrix.counts[:, :2].sum(axis=0).tolist() == [found.count(1), found.count(2)]
    assert np.diag(matrix.counts)[:2].min() > 10


def test_of_equal_overlaps_the_right_class_is_the_pair():
    matrix = confusion_matrix(_record([(A, 1)], [(A, 2, 0.9), (A, 1, 0.8)]), NAMES, min_score=0.5)
    assert matrix.counts.tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]


def test_calibration_by_hand():
    # Scores 0.9 and 0.8 of which one is right, and a 0.2 that is wrong.
    classes = _classes(_record([(A, 1), (B, 1)], [(A, 1, 0.85), (C, 1, 0.8), (D, 1, 0.2)]))
    found = calibration(classes, num_bins=5)
    assert [one["num_detections"] for one in found["bins"]] == [0, 1, 0, 0, 2]
    assert found["bins"][4]["precision"] == pytest.approx(0.5)
    assert found["bins"][4]["mean_score"] == pytest.approx(0.825)
    assert found["ECE"] == pytest.approx(2 / 3 * abs(0.825 - 0.5) + 1 / 3 * 0.2)


def test_scores_that_mean_what_they_say_have_no_error():
    classes = _classes(_record([(A, 1), (B, 1)], [(A, 1, 1.0), (B, 1, 1.0), (C, 1, 0.0)]))
    assert calibration(classes)["ECE"] == 0.0


def test_percentages_have_no_calibration():
    assert calibration(_classes(_record([(A, 1)], [(A, 1, 90.0)]))) == {"ECE": None, "bins": []}
    assert calibration([])["ECE"] is None


def test_the_curve_at_any_threshold():
    curve = threshold_curve(_classes(_record([(A, 1), (B, 1)], [(A, 1, 0.9), (C, 1, 0.5), (B, 1, 0.5)])))
    assert curve.thresholds.tolist() == [0.9, 0.5]
    at = curve.at(np.array([0.0, 0.5, 0.51, 0.9, 0.95]))
    assert at["precision"] == [pytest.approx(2 / 3)] * 2 + [1.0, 1.0, None]
    assert at["recall"] == [1.0, 1.0, 0.5, 0.5, 0.0]
    assert at["F1"] == [pytest.approx(0.8)] * 2 + [pytest.approx(2 / 3)] * 2 + [0.0]


def test_the_interval_is_as_wide_as_the_figures_of_other_pictures_vary():
    figures, widths = [], []
    for seed in range(30):
        record = random_record(seed, num_images=25, num_classes=2, truths=3, detections=12, scores_tell=True)
        found = bootstrap.precision_intervals(_classes(record), 25, resamples=100).all["AP50"]
        assert found.low <= found.value <= found.high
        figures.append(found.value)
        widths.append(found.high - found.low)
    assert np.mean(widths) / (2 * 1.96 * np.std(figures)) == pytest.approx(1, abs=0.35)


def test_a_precision_recall_curve_by_hand():
    # Of three cats the best detection finds one, the second finds nothing, the third finds another.
    record = _record([(A, 1), (B, 1), (C, 1)], [(A, 1, 0.9), (D, 1, 0.8), (B, 1, 0.7)])
    found = precision_recall({"cat": _classes(record)[0], "dog": _classes(record)[1]})
    assert found["recall"][33:35] == [0.33, 0.34]
    assert found["per_class"]["cat"] == [1.0] * 34 + [0.6667] * 33 + [0.0] * 34
    assert found["per_class"]["dog"] is None
    assert found["all"] == found["per_class"]["cat"]
    assert precision_recall({})["all"] is None


@pytest.mark.parametrize("seed", range(5))
def test_the_mean_of_a_curve_is_the_ap50_of_the_class(seed):
    record = random_record(seed, num_images=30, num_classes=2, truths=4, detections=12)
    results = results_of(record, NAMES)
    for name, curve in results["precision_recall"]["per_class"].items():
        assert np.mean(curve) == pytest.approx(results["per_class"][name]["AP50"], abs=1e-4)
        low, high = results["intervals"]["per_class"][name]["AP50"]
        assert low <= results["per_class"][name]["AP50"] <= high
    assert np.mean(results["precision_recall"]["all"]) == pytest.approx(results["AP50"], abs=1e-4)


def test_an_interval_is_moved_against_the_bias_of_its_resamples():
    chance = np.random.default_rng(0).normal(0.5, 0.1, 4000)
    fair = bootstrap.interval(np.append(0.5, chance))
    assert (fair.low, fair.high) == (pytest.approx(0.304, abs=0.02), pytest.approx(0.696, abs=0.02))
    moved = bootstrap.interval(np.append(0.45, chance))  # resamples too high by half a deviation
    assert (moved.low, moved.high) == (pytest.approx(0.204, abs=0.03), pytest.approx(0.596, abs=0.02))
    sure = bootstrap.interval(np.ones(101))
    assert (sure.value, sure.low, sure.high) == (1.0, 1.0, 1.0)
    all_above = bootstrap.interval(np.append(0.1, chance))
    assert all_above.low <= 0.1 <= all_above.high


def test_large_sets_get_fewer_resamples():
    record = random_record(1, num_images=3, num_classes=2, truths=2, detections=5)
    assert bootstrap.affordable_resamples(_classes(record)) == 1000
    assert bootstrap.affordable_resamples(_classes(record) * 20000) == 100


def test_everything_at_once_can_be_written_as_json():
    record = random_record(0, num_images=10, num_classes=2, truths=3, detections=10)
    results = results_of(record, NAMES)
    assert json.loads(json.dumps(results, allow_nan=False)) == results
    low, high = results["intervals"]["AP50"]
    assert low <= results["AP50"] <= high
    assert results["confusion"]["min_score"] == results["best_threshold"]
    assert set(results["thresholds"]["per_class"]) == {"cat", "dog"}
    curve = results["thresholds"]["curve"]
    assert max(curve["F1"]) == pytest.approx(results["F1"], abs=0.02)
    assert results_of(record, NAMES) == results


@pytest.mark.parametrize(
    ("truth", "found", "ap50"),
    [([(A, 1)], [], 0.0), ([], [(A, 1, 0.9)], None), ([], [], None), ([(A, 1, True)], [(A, 1, 0.9)], None)],
    ids=["no detections", "no truth", "neither", "crowds only"],
)
def test_with_nothing_to_compare_figures_are_not_defined(truth, found, ap50):
    results = results_of(_record(truth, found), NAMES)
    assert (results["AP50"], results["pascal"]["AP50"]) == (ap50, ap50)
    assert results["best_threshold"] is results["thresholds"]["curve"] is None
    assert json.loads(json.dumps(results, allow_nan=False)) == results


def test_without_pictures():
    results = results_of(DetectionRecord(), NAMES)
    assert results["intervals"]["AP50"] is results["AP50"] is None
    assert results["num_images"] == 0


def test_boxes_of_a_class_without_a_name_keep_their_place():
    results = results_of(_record([(A, 1), (B, 7)], [(A, 1, 0.9), (C, 8, 0.5)]), NAMES)
    assert results["per_class"]["class 7"] == {"AP": 0.0, "AP50": 0.0, "AR100": 0.0, "num_truth": 1}
    assert results["per_class"]["class 8"] == {"AP": None, "AP50": None, "AR100": None, "num_truth": 0}
    assert results["AP50"] == pytest.approx(0.5)
    assert analyse_detections(_record([(B, 7)], []), {})["confusion"]["names"] == ["class 7", "background"]


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_scores_that_are_no_numbers_are_refused_by_name(score):
    record = _record([(A, 1)], [(A, 1, 0.9), (B, 1, score)])
    with pytest.raises(InputError, match=r"detection 2 \(image 1\)"):
        require_finite_scores(record)
