"""Detections of other tools: whatever they call pictures and classes, and what is refused by name."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.errors import ConfigError, InputError, TagboxError
from labeling.annotations import Annotation, Box, LabeledObject
from labeling.voc import write_annotation
from pipelines.detection_analysis import results_of
from pipelines.detection_files import read_detections

BOX = [10.0, 20.0, 30.0, 40.0]


def _folder(root, names=("a", "000007"), label="cat", difficult=False):
    for name in names:
        one = LabeledObject(label, Box(10, 20, 40, 60), difficult=difficult)
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        write_annotation(Annotation(f"{name}.jpg", 100, 100, objects=(one,)), root / f"{name}.xml")
    return root


def _coco(path, *, categories=((1, "cat"), (2, "dog")), extra=()):
    images = [{"id": number, "file_name": f"set/{name}.jpg", "width": 100, "height": 100} for number, name in
              ((3, "a"), (8, "b"))]  # fmt: skip
    boxes = [{"id": 0, "image_id": 3, "category_id": 1, "bbox": BOX}, *extra]
    names = [{"id": number, "name": name} for number, name in categories]
    path.write_text(json.dumps({"images": images, "annotations": boxes, "categories": names}))
    return path


def _found(path, *rows):
    """Rows of image, class, and if wanted score and box."""
    names, defaults = ("image_id", "category_id", "score", "bbox"), (None, None, 0.9, BOX)
    written = [dict(zip(names, (*row, *defaults[len(row) :]), strict=True)) for row in rows]
    path.write_text(json.dumps(written))
    return path


@pytest.mark.parametrize("image", ["a", "a.jpg", "elsewhere/a.JPG", "C:\\pictures\\a.png"])
def test_a_folder_knows_its_pictures_by_name(tmp_path, image):
    judged = read_detections(_found(tmp_path / "f.json", (image, "cat")), _folder(tmp_path / "set"))
    assert results_of(judged.record, judged.class_names)["AP50"] == pytest.approx(51 / 101)  # one of two, 51 points


def test_numbers_as_names_of_pictures(tmp_path):
    judged = read_detections(_found(tmp_path / "f.json", (7, "cat"), ("000007", "cat")), _folder(tmp_path / "set"))
    assert len({one["image_id"] for one in judged.record.detections}) == 1


def test_numbers_of_classes_need_a_meaning_unless_there_is_one_class(tmp_path):
    found, folder = _found(tmp_path / "f.json", ("a", 5)), _folder(tmp_path / "set")
    judged = read_detections(found, folder)
    assert judged.class_names[judged.record.detections[0]["category_id"]] == "cat"
    _folder(folder, ["c"], label="dog")
    with pytest.raises(ConfigError, match="--label-map"):
        read_detections(found, folder)
    (tmp_path / "map.pbtxt").write_text("item { id: 5 name: 'dog' }\nitem { id: 6 name: 'cat' }\n")
    judged = read_detections(found, folder, tmp_path / "map.pbtxt")
    assert judged.class_names == {5: "dog", 6: "cat"}
    assert judged.record.detections[0]["category_id"] == 5
    (folder / "label_map.pbtxt").write_text("item { id: 5 name: 'cat' }\n")
    judged = read_detections(found, folder)
    assert judged.class_names == {5: "cat", 6: "dog"}


def test_a_data_root_is_judged_by_its_verification_pictures(tmp_path):
    for split, name in (("training", "a"), ("verification", "b")):
        _folder(tmp_path / "data" / "cat" / split, [name])
    judged = read_detections(_found(tmp_path / "f.json", ("b", "cat"), ("a", "cat")), tmp_path / "data")
    assert [Path(image["file_name"]).stem for image in judged.record.images] == ["b"]
    assert (judged.left_out, judged.example) == (1, "a")


def test_pictures_of_one_name_are_told_apart_by_their_folders(tmp_path):
    root = tmp_path / "data"
    for label in ("cat", "dog"):
        _folder(root / label / "verification", ["one"], label=label)
    found = _found(tmp_path / "f.json", ("data/dog/verification/one.jpg", "dog"))
    judged = read_detections(found, root)
    results = results_of(judged.record, judged.class_names)["per_class"]
    assert (results["dog"]["AP50"], results["cat"]["AP50"]) == (pytest.approx(1.0), 0.0)
    with pytest.raises(InputError, match="2 pictures of this name"):
        read_detections(_found(tmp_path / "f.json", ("one", "dog")), root)


def test_difficult_boxes_of_a_folder_are_difficult(tmp_path):
    folder = _folder(tmp_path / "set", difficult=True)
    judged = read_detections(_found(tmp_path / "f.json", ("a", "cat")), folder)
    results = results_of(judged.record, judged.class_names)
    assert (results["pascal"]["AP50"], results["per_class"]["cat"]["num_truth"]) == (None, 2)


def test_a_label_file_that_cannot_be_read_is_named(tmp_path):
    folder = _folder(tmp_path / "set")
    (folder / "bad.xml").write_text("<annotation>")
    judged = read_detections(_found(tmp_path / "f.json", ("a", "cat")), folder)
    assert len(judged.record.images) == 2
    assert "bad.xml" in judged.refused[0]


def test_coco_against_coco_by_number_by_name_and_with_a_list_of_its_own(tmp_path):
    truth = _coco(tmp_path / "truth.json")
    for image, label in ((3, 1), ("a.jpg", "cat"), ("set/a.jpg", 1)):
        judged = read_detections(_found(tmp_path / "f.json", (image, label)), truth)
        assert judged.record.detections[0] == {"image_id": 3, "category_id": 1, "bbox": BOX, "score": 0.9}
    own = {
        "images": [{"id": 1, "file_name": "/elsewhere/b.jpg"}, {"id": 2, "file_name": "/elsewhere/a.jpg"}],
        "categories": [{"id": 7, "name": "cat"}, {"id": 1, "name": "newt"}],
        "annotations": [{"image_id": 2, "category_id": 7, "bbox": BOX, "score": 0.9},
                        {"image_id": 1, "category_id": 1, "bbox": BOX, "score": 0.3}],
    }  # fmt: skip
    (tmp_path / "own.json").write_text(json.dumps(own))
    judged = read_detections(tmp_path / "own.json", truth)
    assert [(one["image_id"], one["category_id"]) for one in judged.record.detections] == [(3, 1), (8, 3)]
    results = results_of(judged.record, judged.class_names)
    assert results["AP50"] == pytest.approx(1.0)  # an annotation with the number 0 is found as any other
    assert results["per_class"]["newt"] == {"AP": None, "AP50": None, "AR100": None, "num_truth": 0}


def test_no_detections_at_all(tmp_path):
    judged = read_detections(_found(tmp_path / "f.json"), _coco(tmp_path / "truth.json"))
    results = results_of(judged.record, judged.class_names)
    assert (results["AP50"], results["per_class"]["dog"]["AP50"]) == (0.0, None)


def test_truth_of_a_class_without_a_name(tmp_path):
    truth = _coco(tmp_path / "truth.json", extra=[{"id": 5, "image_id": 8, "category_id": 40, "bbox": BOX}])
    judged = read_detections(_found(tmp_path / "f.json", (3, 1), (8, 40)), truth)
    assert results_of(judged.record, judged.class_names)["per_class"]["class 40"]["AP50"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([(3, 1), (3, 1, math.nan)], r"detection 2 \(image 3\).*nan"),
        ([(3, 1, math.inf)], "detection 1 .*inf"),
        ([(3, 1, "0.9")], "detection 1"),
        ([(3, 1, 0.9, [1, 2, math.nan, 4])], "detection 1.*box"),
        ([(3, 1, 0.9, [1, 2, -3, 4])], "detection 1.*box"),
        ([(3, 1, 0.9, [1, 2, 3])], "detection 1.*box"),
        ([(3, None)], "category_id"),
        ([(3, 1), (3, [1])], "detection 2.*category_id"),
        ([([3], 1)], "detection 1.*image_id"),
        ([(99, 1), ("nowhere", 1)], "no detection is of a picture.*99"),
    ],
)
def test_the_first_bad_detection_is_named(tmp_path, rows, said):
    with pytest.raises(InputError, match=said):
        read_detections(_found(tmp_path / "f.json", *rows), _coco(tmp_path / "truth.json"))


@pytest.mark.parametrize("content", ["", "{", "5", "null", "{}", "[1]", '[{"score": 1}]', '{"images": 3}'])
def test_what_is_no_file_of_detections_or_truth(tmp_path, content):
    (tmp_path / "bad.json").write_text(content)
    with pytest.raises(InputError, match=r"bad\.json"):
        read_detections(tmp_path / "bad.json", _coco(tmp_path / "truth.json"))
    with pytest.raises(InputError, match=r"bad\.json"):
        read_detections(_found(tmp_path / "f.json", (3, 1)), tmp_path / "bad.json")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["image_id", "category_id", "bbox", "score", "id", "images"]), inner, max_size=5
        )
    ),
    max_leaves=12,
)


@given(_JSON)
def test_no_content_is_a_bug(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("any")
    (folder / "found.json").write_text(json.dumps(content))
    try:
        judged = read_detections(folder / "found.json", _coco(folder / "truth.json"))
    except TagboxError:
        return
    assert len(judged.record.detections) + judged.left_out == len(content)
