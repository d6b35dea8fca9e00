"""Model files of a classifier give the answers of its run, and say themselves what their numbers mean."""

import json

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from collectors.errors import InputError
from pipelines.classification.classifier import RunClassifier
from pipelines.export.model_files import open_detector, open_model
from pipelines.run_directory import RunDirectory
from tests.support.command import tagbox_here
from tests.support.tiny_classifier import SHAPES, build_drawings, draw_shape, write_bitmaps, write_tiny_classifier

pytestmark = pytest.mark.tf

FILES = {
    "savedmodel": "saved_model",
    "tflite": "model.tflite",
    "tflite-int8": "model_int8.tflite",
    "frozen-graph": "frozen_inference_graph.pb",
    "onnx": "model.onnx",
    "keras": "model.keras",
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    root = tmp_path_factory.mktemp("exported")
    records = build_drawings(write_bitmaps(root / "bitmaps"), root / "records")
    run = RunDirectory(root / "runs" / "shapes")
    trained = tagbox_here("train", write_tiny_classifier(root), "--run", run.path, "--records", records)
    assert trained.code == 0, trained.err
    words = [word for name in FILES for word in ("--format", name)]
    answer = tagbox_here("export", run.path, *words, "--json", "--check-pictures", 20)
    assert answer.code == 0, answer.err
    return run, {one["format"]: one for one in json.loads(answer.out)}


@pytest.mark.parametrize("name", FILES)
def test_a_file_gives_the_answers_of_the_run(exported, name):
    run, told = exported
    limit = 0.1 if name == "tflite-int8" else 1e-4
    check = told[name]["check"]
    assert check["pictures"] == 20
    assert check["score_difference"] < limit
    assert name == "tflite-int8" or check["other_answers"] == 0
    model = open_model(run.path / "export" / FILES[name])
    assert tuple(model.class_names.values()) == tuple(sorted(SHAPES))
    chance = np.random.default_rng(5)
    pixels = np.stack([draw_shape(label, chance).reshape(28, 28, 1) for label in SHAPES])
    wanted = RunClassifier(run).scores(pixels)
    np.testing.assert_allclose(model.scores(pixels), wanted, rtol=0, atol=limit)
    # Larger pictures are brought to the network's size as the run does it.
    larger = np.repeat(np.repeat(pixels, 2, axis=1), 2, axis=2)
    np.testing.assert_allclose(model.scores(larger), RunClassifier(run).scores(larger), rtol=0, atol=limit)


def test_a_model_file_is_asked_by_the_command(exported, tmp_path):
    run, _ = exported
    np.save(tmp_path / "some.npy", np.stack([draw_shape("cross", np.random.default_rng(3))]))
    answers = [
        json.loads(tagbox_here("predict", source, tmp_path / "some.npy", "--json").out)
        for source in (run.path, run.path / "export" / "model.tflite")
    ]
    first, second = ([one["class"] for one in answer[0]["answers"]] for answer in answers)
    assert first == second
    refused = tagbox_here("predict", run.path / "export" / "model.tflite", tmp_path / "some.npy", "--voc")
    assert refused.code == 2


def test_other_programs_find_names_and_labels(exported):
    run, _ = exported
    loaded = tf.saved_model.load(str(run.path / "export" / "saved_model"))
    (output,) = loaded.signatures["serving_default"].structured_outputs
    assert output == "scores"
    labels = (run.path / "export/saved_model/assets.extra/labelmap.txt").read_text(encoding="utf-8").split()
    assert labels == sorted(SHAPES)
    interpreter = Interpreter(model_path=str(run.path / "export" / "model.tflite"))
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert source["shape"].tolist() == [1, 28, 28, 1]
    assert target["name"] == "scores"


def test_a_classifier_is_no_detector(exported):
    run, _ = exported
    with pytest.raises(InputError, match="is the file of a classifier"):
        open_detector(run.path / "export" / "model.tflite")
