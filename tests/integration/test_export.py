"""Model files of a real run: every format gives the run's answers, in one order, to the programs people have."""

import io
import json
import re
import shutil
import sys
import zipfile
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.command import tagbox_here
from tests.support.tiny_training import add_shape

pytestmark = [pytest.mark.tf, pytest.mark.slow]

EXACT = ("savedmodel", "tflite", "frozen-graph", "onnx", "keras")
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "export-a-model.md"


@pytest.fixture(scope="module")
def exported(workshop):
    """Every format of the small run, in RUN/export, and what the command said."""
    words = [word for name in (*EXACT, "tflite-int8") for word in ("--format", name)]
    answer = tagbox_here("export", workshop.run, *words, "--json")
    assert answer.code == 0, answer.err
    yield {entry["format"]: entry for entry in json.loads(answer.out)}
    shutil.rmtree(workshop.run / "export")


@pytest.mark.parametrize("name", EXACT)
def test_a_file_gives_the_answers_of_the_run(exported, name):
    check = exported[name]["check"]
    assert check["pictures"] == 4
    assert check["detections"] > 0
    assert check["missing"] == 0
    assert check["box_difference"] < 1e-4
    assert check["score_difference"] < 1e-4
    # The small run's scores are nearly equal: which comes first is a matter of rounding.
    assert abs(check["ap50_lost"]) < 0.1
    assert exported[name]["bytes"] > 100_000


def test_eight_bits_are_smaller_and_nearly_the_same(exported):
    assert exported["tflite-int8"]["bytes"] < 0.6 * exported["tflite"]["bytes"]
    check = exported["tflite-int8"]["check"]
    assert check["detections"] > 0
    assert 0 < check["score_difference"] < 0.3
    assert check["missing"] < check["detections"]


def test_tflite_outputs_have_one_order_and_the_names_people_know(exported):
    from ai_edge_litert.interpreter import Interpreter

    for name in ("tflite", "tflite-int8"):
        interpreter = Interpreter(exported[name]["path"])
        details = interpreter.get_output_details()
        names = [entry["name"] for entry in details]
        assert names == ["TFLite_Detection_PostProcess" + end for end in ("", ":1", ":2", ":3")]
        assert [entry["shape"].tolist() for entry in details] == [[1, 100, 4], [1, 100], [1, 100], [1]]


def test_labels_and_preprocessing_are_inside(exported):
    for name in ("tflite", "tflite-int8", "keras"):
        with zipfile.ZipFile(exported[name]["path"]) as archive:
            assert archive.read("labelmap.txt") == b"disc\nsquare\n"
            content = json.loads(archive.read("tagbox.json"))
            assert content["class_names"] == {"1": "disc", "2": "square"}
            assert (content["height"], content["width"]) == (96, 96)
            assert "half-pixel" in content["preprocessing"]
    extra = Path(exported["savedmodel"]["path"]) / "assets.extra"
    assert (extra / "labelmap.txt").read_text() == "disc\nsquare\n"


@pytest.mark.parametrize("number", range(6))
def test_the_programs_of_the_how_to_page_run(exported, workshop, tmp_path, monkeypatch, number):
    programs = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(programs) == 7  # the last one is for tag classifiers: test_tag_classifier.py runs it
    (tmp_path / "export").symlink_to(workshop.run / "export")
    shutil.copy(add_shape(tmp_path / "data", "disc", "training", "picture", seed=3), tmp_path / "picture.jpg")
    monkeypatch.chdir(tmp_path)
    # The small run is sure of nothing: its best guess has to be shown as well.
    program = programs[number].replace("score >= 0.5", "score >= 0.02")
    said = io.StringIO()
    with redirect_stdout(said):
        exec(compile(program, str(PAGE), "exec"), {"__name__": "client"})
    lines = said.getvalue().splitlines()
    assert lines
    assert re.match(r"(disc|square|[12]) 0\.\d{3} \[", lines[0])


def test_all_model_files_predict_alike_and_like_the_run(exported, workshop, tmp_path):
    picture = add_shape(tmp_path, "disc", "training", "some", seed=5)
    wanted = None
    for source in (workshop.run, *(exported[name]["path"] for name in EXACT)):
        answer = tagbox_here("predict", source, picture, "--min-score", "0.05", "--json")
        assert answer.code == 0, answer.err
        (found,) = json.loads(answer.out)
        rows = [[one["class_id"], one["score"], *one["box"].values()] for one in found["objects"]]
        wanted = wanted or rows
        assert np.asarray(rows) == pytest.approx(np.asarray(wanted), abs=0.02)


def test_a_picture_of_another_size_and_several_at_once(exported):
    import tensorflow as tf

    detect = tf.saved_model.load(exported["savedmodel"]["path"]).signatures["serving_default"]
    pictures = np.random.default_rng(0).integers(0, 255, (3, 50, 200, 3), np.uint8)
    found = detect(image_tensor=tf.constant(pictures))
    assert list(found["detection_boxes"].shape) == [3, 100, 4]


# --- bad input ------------------------------------------------------------------------------------------------------


def test_a_run_without_a_checkpoint(workshop, tmp_path):
    run = workshop.copy_run(tmp_path / "run")
    shutil.rmtree(run / "checkpoints")
    answer = tagbox_here("export", run)
    assert answer.code == 6
    assert "this run has no checkpoint yet" in answer.error_line


def test_a_folder_that_is_no_run(tmp_path):
    answer = tagbox_here("export", tmp_path)
    assert answer.code == 6
    assert "is not the folder of a run" in answer.error_line


def test_onnx_without_its_packages(workshop, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    answer = tagbox_here("export", workshop.run, "--format", "onnx")
    assert answer.code == 7
    assert "pip install 'tagbox[onnx]'" in answer.error_line


@pytest.mark.parametrize("name", ["tflite", "frozen-graph", "onnx", "keras"])
def test_a_file_that_is_cut_off_or_something_else(exported, tmp_path, name):
    source = Path(exported[name]["path"])
    picture = tmp_path / "a.png"
    Image.new("RGB", (20, 20)).save(picture)
    for content in (source.read_bytes()[: source.stat().st_size // 2], b"<html>not found</html>", b""):
        damaged = tmp_path / source.name
        damaged.write_bytes(content)
        answer = tagbox_here("predict", damaged, picture)
        assert answer.code == 6, answer.err
        assert str(damaged) in answer.error_line


def test_what_is_neither_a_run_nor_a_model_file(tmp_path):
    (tmp_path / "picture.jpg").write_bytes(b"")
    answer = tagbox_here("predict", tmp_path / "model.h5", tmp_path / "picture.jpg")
    assert answer.code == 6
    assert "is neither a run nor a model file" in answer.error_line
