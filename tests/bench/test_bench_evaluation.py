"""Evaluation of 5,000 pictures x 100 detections x 80 classes against pycocotools on the same data."""

import time

import numpy as np
import pytest

from pipelines.coco_matching import coco_evaluation
from pipelines.metrics import evaluate_detections
from tests.support.pycocotools_oracle import pycocotools_evaluation
from tests.support.random_detections import random_record

pytestmark = pytest.mark.bench
NAMES = {number: f"class {number}" for number in range(1, 81)}


@pytest.mark.timeout(900)
def test_five_times_as_fast_as_pycocotools_and_the_same():
    record = random_record(0, num_images=5000, num_classes=80, truths=7, detections=100)
    started = time.perf_counter()
    evaluation = coco_evaluation(record, NAMES)
    precision, recall = evaluation.precision(), evaluation.recall()
    ours = time.perf_counter() - started
    started = time.perf_counter()
    theirs = pycocotools_evaluation(record, NAMES)
    reference = time.perf_counter() - started
    started = time.perf_counter()
    evaluate_detections(record, NAMES)
    everything = time.perf_counter() - started
    print(
        f"\nCOCO's evaluation of {len(record.detections)} detections: {ours:.1f} s, pycocotools {reference:.1f} s, "
        f"{reference / ours:.1f} times as fast; with Pascal VOC's figures and thresholds {everything:.1f} s"
    )
    assert np.array_equal(precision, theirs.eval["precision"][..., -1])
    assert np.array_equal(recall, theirs.eval["recall"])
    assert reference / ours >= 5
