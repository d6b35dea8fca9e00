"""Our evaluation against pycocotools: every point of every curve, to the last bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.dataset import find_dataset
from labeling.voc import read_annotation
from pipelines.coco_matching import coco_evaluation
from pipelines.detection_record import DetectionRecord
from tests.support.pycocotools_oracle import pycocotools_evaluation
from tests.support.random_detections import random_record

NAMES = {1: "cat", 2: "dog", 9: "newt"}


def _record(truth, found, *, num_images=3):
    """Rows are ``(picture, class, box, ...)``: truth with area and crowd, detections with a score."""
    return DetectionRecord(
        [{"id": number, "width": 200, "height": 200} for number in range(num_images, 0, -1)],
        [
            {"id": place, "image_id": image, "category_id": label, "bbox": list(box), "area": area, "iscrowd": crowd}
            for place, (image, label, box, area, crowd) in enumerate(truth, start=1)
        ],
        [
            {"image_id": image, "category_id": label, "bbox": list(box), "score": score}
            for image, label, box, score in found
        ],
    )


def _same(record, names=NAMES):
    ours = coco_evaluation(record, names)
    theirs = pycocotools_evaluation(record, names)
    assert np.array_equal(ours.precision(), theirs.eval["precision"][..., -1])
    assert np.array_equal(ours.recall(), theirs.eval["recall"])
    return ours, theirs


# Few places and sizes, so that overlaps are often equal, and sizes lie on both sides of 32x32 and 96x96.
_BOX = st.tuples(*[st.sampled_from([0.0, 4.0, 10.0, 40.0])] * 2, *[st.sampled_from([8.0, 31.0, 32.0, 60.0, 97.0])] * 2)
_LABEL = st.sampled_from([1, 2, 9])
_TRUTH = st.tuples(
    st.integers(1, 3), _LABEL, _BOX, st.sampled_from([10.0, 1024.0, 1025.0, 9216.0, 1e4, 2e10]), st.integers(0, 1)
)
_FOUND = st.tuples(st.integers(1, 3), _LABEL, _BOX, st.sampled_from([0.1, 0.5, 0.9]))


@settings(max_examples=60)
@given(st.lists(_TRUTH, min_size=1, max_size=10), st.lists(_FOUND, max_size=14))
def test_the_same_as_pycocotools_whatever_ties_crowds_and_sizes(truth, found):
    _same(_record(truth, found))


@pytest.mark.parametrize("seed", range(3))
def test_the_same_as_pycocotools_on_random_pictures(seed):
    record = random_record(seed, num_images=40, num_classes=3, truths=6, detections=50, crowds=True)
    ours, theirs = _same(record, {1: "a", 2: "b", 3: "c", 4: "absent"})
    assert 0.1 < theirs.stats[1] < 0.9  # there is something to compare
    assert ours.precision().shape == (10, 101, 4, 4)


def test_the_hundred_best_of_a_picture_and_class_count():
    box = (10.0, 10.0, 50.0, 50.0)
    truth = [(1, 1, box, 2500.0, 0)]
    crowd_of_wrong = [(1, 1, (100.0, 100.0, 20.0, 20.0), 0.9)] * 100
    ours, _ = _same(_record(truth, [*crowd_of_wrong, (1, 1, box, 0.5)]))
    assert ours.recall()[0, 0, 0].tolist() == [0.0, 0.0, 0.0]
    ours, _ = _same(_record(truth, [*crowd_of_wrong[:99], (1, 1, box, 0.5)]))
    assert ours.recall()[0, 0, 0].tolist() == [0.0, 0.0, 1.0]


def test_the_same_as_pycocotools_on_real_boxes(shared_data):
    chance, record, names = np.random.default_rng(0), DetectionRecord(), {}
    for image_id, label in enumerate(find_dataset(shared_data / "voc" / "microcontroller").labels, start=1):
        annotation = read_annotation(label.xml_path)
        record.images.append({"id": image_id, "width": annotation.width, "height": annotation.height})
        for one in annotation.objects:
            class_id = names.setdefault(one.name, len(names) + 1)
            sides = np.array([one.box.width, one.box.height])
            box = [one.box.xmin, one.box.ymin, *sides.tolist()]
            row = {"image_id": image_id, "category_id": class_id}
            place = {"id": len(record.annotations) + 1, "area": float(sides.prod()), "iscrowd": 0}
            record.annotations.append({**row, **place, "bbox": box})
            for _ in range(3):
                near = (np.array(box) + chance.normal(0, 0.08, 4) * np.tile(sides, 2)).tolist()
                record.detections.append({**row, "bbox": near, "score": float(chance.uniform())})
    _, theirs = _same(record, {class_id: name for name, class_id in names.items()})
    assert theirs.stats[1] > 0.2


def test_without_pictures_or_truth_there_is_no_evaluation():
    assert coco_evaluation(DetectionRecord(), NAMES) is None
    assert coco_evaluation(_record([], [(1, 1, (0.0, 0.0, 5.0, 5.0), 0.5)]), NAMES) is None


def test_other_pictures_and_classes_are_left_out():
    box = (10.0, 10.0, 50.0, 50.0)
    truth = [(1, 1, box, 2500.0, 0)]
    record = _record(truth, [(1, 1, box, 0.5), (77, 1, box, 0.9), (1, 5, box, 0.9)])
    ours = coco_evaluation(record, NAMES)
    assert len(ours.found) == 1
    assert ours.precision()[0, :, 0, 0].tolist() == [pytest.approx(1.0)] * 101
