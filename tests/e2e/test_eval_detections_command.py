"""``tagbox eval --detections``: figures, the gate, and one line for what is wrong; without TensorFlow."""

import json

import pytest
from PIL import Image

from labeling.annotations import Annotation, Box, LabeledObject
from labeling.voc import write_annotation
from tests.support.command import tagbox_here, tagbox_process


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "set").mkdir()
    for name, label in (("one", "cat"), ("two", "dog")):
        drawn = LabeledObject(label, Box(10, 20, 40, 60))
        write_annotation(Annotation(f"{name}.jpg", 100, 100, objects=(drawn,)), tmp_path / "set" / f"{name}.xml")
    return tmp_path


def _found(folder, *rows):
    keys = ("image_id", "category_id", "score")
    written = [{**dict(zip(keys, row, strict=True)), "bbox": [10, 20, 30, 40]} for row in rows]
    (folder / "found.json").write_text(json.dumps(written))
    return "eval", "--detections", folder / "found.json", "--truth", folder / "set"


def test_figures_are_printed_and_written(folder):
    command = _found(folder, ("one", "cat", 0.9), ("two", "cat", 0.8), ("three", "cat", 0.7))
    answer = tagbox_here(*command)
    assert answer.code == 0
    headings, row = (line.split("  ") for line in answer.out.splitlines()[:2])
    assert [word.strip() for word in headings if word.strip()][-3:] == ["VOC AP", "VOC07 AP", "pictures"]
    assert [word.strip() for word in row if word.strip()][1] == "0.500"
    assert "1 detections are of pictures without truth, as three" in answer.err
    results = json.loads(tagbox_here(*command, "--json").out)
    assert {"AP", "AP50", "pascal", "per_class", "intervals", "thresholds", "confusion", "calibration"} <= set(results)
    assert results["confusion"]["counts"] == [[1, 0, 0], [0, 0, 1], [0, 0, 0]]
    assert (results["num_left_out"], results["refused"]) == (1, [])


@pytest.mark.parametrize(
    ("rows", "gate", "code"),
    [
        ([("one", "cat", 0.9)], 0.5, 0),
        ([("one", "cat", 0.9)], 0.51, 1),
        ([("one", "cat", 0.9), ("two", "dog", 0.9)], 1.0, 0),
        ([], 0.1, 1),
        ([], 0.0, 0),
    ],
)
def test_the_gate(folder, rows, gate, code):
    answer = tagbox_here(*_found(folder, *rows), "--min-ap50", gate)
    assert answer.code == code
    assert ("--min-ap50 asks for" in answer.err) == bool(code)


def test_a_figure_that_is_not_defined_does_not_pass_the_gate(folder):
    command = _found(folder, ("one", "cat", 0.9))
    write_annotation(Annotation("one.jpg", 100, 100), folder / "set" / "one.xml")
    (folder / "set" / "two.xml").unlink()
    (folder / "label_map.pbtxt").write_text("item { id: 1 name: 'cat' }\n")
    answer = tagbox_here(*command, "--label-map", folder / "label_map.pbtxt", "--min-ap50", 0)
    assert answer.code == 1
    assert "AP50 is not defined" in answer.err


def test_a_score_that_is_no_number_ends_in_one_line(folder):
    answer = tagbox_here(*_found(folder, ("one", "cat", 0.9), ("two", "dog", float("nan"))), "--json")
    assert (answer.code, answer.out) == (6, "")
    assert len(answer.err.strip().splitlines()) == 1
    assert "detection 2 (image two)" in answer.err
    assert "nan" in answer.err


def test_a_label_file_that_cannot_be_read_is_named_and_the_rest_judged(folder):
    (folder / "set" / "bad.xml").write_text("<annotation>")
    answer = tagbox_here(*_found(folder, ("one", "cat", 0.9)))
    assert answer.code == 5
    assert "bad.xml" in answer.err
    assert "0.500" in answer.out


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--truth", "."],
        ["runs/x", "--label-map", "found.json"],
        ["runs/x", "--detections", "found.json", "--truth", "set"],
        ["--detections", "found.json", "--truth", "set", "--checkpoint", "last"],
    ],
)
def test_wrong_usage(folder, monkeypatch, words):
    _found(folder)
    monkeypatch.chdir(folder)
    assert tagbox_here("eval", *words).code == 2


def test_tensorflow_is_not_started(folder):
    command = _found(folder, ("one", "cat", 0.9))
    answer = tagbox_process(*command, cwd=folder, PYTHONPROFILEIMPORTTIME="1")
    assert answer.code == 0
    assert "pipelines.coco_matching" in answer.err
    assert "tensorflow" not in answer.err.lower()


def test_files_that_are_not_there_are_named(folder):
    command = _found(folder, ("one", "cat", 0.9))
    for place, name in ((2, "found2.json"), (4, "set2")):
        words = list(command)
        words[place] = folder / name
        answer = tagbox_here(*words)
        assert answer.code == 6
        assert name in answer.error_line
    answer = tagbox_here(*command, "--label-map", folder / "no.pbtxt")
    assert "no.pbtxt" in answer.error_line


def test_mistakes_are_drawn_and_lead_to_the_xml(folder):
    for name in ("one", "two"):
        Image.new("RGB", (100, 100), "white").save(folder / "set" / f"{name}.jpg")
    answer = tagbox_here(
        *_found(folder, ("one", "cat", 0.9), ("two", "cat", 0.9)), "--album", folder / "album", "--json"
    )
    assert answer.code == 0, answer.err
    results = json.loads(answer.out)
    (mistake,) = results["mistakes"]
    assert (mistake["kind"], mistake["words"]) == ("confused", "cat 90 % on a dog")
    assert mistake["xml"] == (folder / "set" / "two.xml").as_posix()
    assert (folder / "album" / mistake["picture"]).is_file()
    (suspect,) = results["suspects"]
    assert (suspect["kind"], suspect["picture"]) == ("wrong_class", mistake["picture"])
    assert results["errors"]["kinds"]["confused"]["count"] == 1
    table = tagbox_here(*_found(folder, ("one", "cat", 0.9), ("two", "cat", 0.9)))
    assert "wrong class" in table.out
    assert "two.xml" in table.out
    assert "labelled dog, and seen as cat 90 %" in table.out


def test_an_album_goes_into_a_folder_of_its_own(folder):
    answer = tagbox_here(*_found(folder, ("two", "cat", 0.8)), "--album", folder / "set")
    assert answer.code == 2
    assert "is no album of mistakes" in answer.error_line
    assert sorted(path.name for path in (folder / "set").iterdir()) == ["one.xml", "two.xml"]


def test_pictures_of_a_coco_file_of_truth_are_looked_for_where_one_says(folder):
    (folder / "pictures").mkdir()
    Image.new("RGB", (100, 100), "white").save(folder / "pictures" / "one.jpg")
    truth = {
        "images": [{"id": 1, "file_name": "one.jpg", "width": 100, "height": 100}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 20, 30, 40]}],
        "categories": [{"id": 1, "name": "cat"}],
    }
    (folder / "truth.json").write_text(json.dumps(truth))
    (folder / "none.json").write_text("[]")
    command = ("eval", "--detections", folder / "none.json", "--truth", folder / "truth.json", "--json")
    for words, drawn in (((), False), (("--images", folder / "pictures"), True)):
        answer = tagbox_here(*command, "--album", folder / "album", *words)
        (missed,) = json.loads(answer.out)["mistakes"]
        assert (missed["kind"], missed["xml"], bool(missed["picture"])) == ("missed", None, drawn)
