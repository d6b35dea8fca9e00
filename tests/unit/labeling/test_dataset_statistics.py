from pathlib import Path

import pytest

from labeling.annotations import Annotation, Box, LabeledObject
from labeling.dataset import find_dataset
from labeling.dataset_statistics import statistics_of
from labeling.validate import check_dataset
from tests.unit.labeling.labeled_pictures import annotation, picture_bytes, write_class, write_pair


def test_no_pictures_no_statistics() -> None:
    assert statistics_of(()) == ()


def test_counts_per_class_and_split(tmp_path: Path) -> None:
    write_class(tmp_path, "dog", training=3, verification=1)
    write_class(tmp_path, "cat", training=2, verification=2, first_seed=10)
    write_pair(tmp_path / "cat" / "training", "none", xml=annotation(filename="none.jpg"), seed=30)
    sure = Annotation("sure.jpg", 64, 48, verified=True)
    write_pair(tmp_path / "cat" / "training", "sure", xml=sure, seed=31)
    write_pair(tmp_path / "cat" / "verification", "nobody", seed=32).unlink()
    unlabelled = find_dataset(tmp_path).unlabeled
    found = [
        (one.class_name, one.split, one.num_images, one.num_verified_empty, one.num_negatives, one.num_unlabelled)
        for one in statistics_of(check_dataset(tmp_path).images, unlabelled)
    ]
    assert found == [
        ("cat", "training", 4, 1, 1, 0),
        ("cat", "verification", 2, 0, 0, 1),
        ("dog", "training", 3, 0, 0, 0),
        ("dog", "verification", 1, 0, 0, 0),
    ]


def test_sizes_flags_and_labels(tmp_path: Path) -> None:
    objects = (
        LabeledObject("cat", Box(0, 0, 31, 31), truncated=True),
        LabeledObject("cat", Box(0, 0, 32, 32), difficult=True),
        LabeledObject("dog", Box(0, 0, 95, 95)),
        LabeledObject("dog", Box(0, 0, 200, 100)),
    )
    xml = Annotation("a.jpg", 200, 100, verified=True, objects=objects)
    write_pair(tmp_path, xml=xml, image=picture_bytes(size=(200, 100)))
    write_pair(tmp_path, "b", xml=annotation(filename="b.jpg"), seed=2)
    (split,) = statistics_of(check_dataset(tmp_path).images)
    boxes = split.boxes
    assert (split.num_images, split.num_negatives, split.num_verified) == (2, 1, 1)
    assert (boxes.num_images, boxes.num_boxes, boxes.num_truncated, boxes.num_difficult) == (1, 4, 1, 1)
    assert (boxes.num_small, boxes.num_medium, boxes.num_large) == (1, 2, 1)
    assert boxes.smallest_side_px == 31
    shares = [*((side * side / 20_000) ** 0.5 for side in (31, 32, 95)), 1.0]
    assert boxes.median_side == pytest.approx((shares[1] + shares[2]) / 2)
    assert boxes.median_aspect == 1
    labels = dict(split.labels)
    assert list(labels) == ["cat", "dog"]
    assert (labels["dog"].num_boxes, labels["dog"].num_large, labels["dog"].median_aspect) == (2, 1, 1.5)


def test_split_of_negatives_only(tmp_path: Path) -> None:
    write_pair(tmp_path, xml=annotation())
    (split,) = statistics_of(check_dataset(tmp_path).images)
    assert (split.boxes.num_boxes, split.boxes.smallest_side_px, split.labels) == (0, 0, ())
    assert split.as_json()["boxes"]["median_aspect"] == 0
