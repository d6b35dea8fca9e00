"""The image retrainer by its commands: the old command line, its files, kept bottlenecks, fine-tuning, bad pictures."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from labeling.label_titles import title_of
from pipelines.evaluate import evaluate
from pipelines.run_directory import RunDirectory
from tests.support.command import tagbox_here
from tests.support.keras_mobilenet import keras_file_name, write_keras_mobilenet

pytestmark = pytest.mark.tf

SMALLEST = "mobilenet_0.25_128"
# What tells the labels apart; every picture has a shade and a size of its own.
COLORS = {"red_things": (200, 30, 30), "Green": (30, 190, 40), "blue": (30, 40, 210)}


def _picture(path, label, number, *, mode="RGB", **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng([number, len(label)])
    pixels = np.clip(np.asarray(COLORS[label]) + chance.normal(0, 40, (30 + number, 44, 3)), 0, 255)
    Image.fromarray(pixels.astype(np.uint8)).convert(mode).save(path, **more)


def _fill(folder, count, *, below=""):
    for label in COLORS:
        for number in range(count):
            _picture(folder / label / below / f"{label}{number}.jpg", label, number, quality=92)
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights_cache")
    write_keras_mobilenet(folder / keras_file_name(SMALLEST), SMALLEST)
    return folder


@pytest.fixture(scope="module")
def old(tmp_path_factory, weights):
    """What an old command line leaves: of 42 pictures, among them of every mode, and three files that are none."""
    root = tmp_path_factory.mktemp("old")
    pictures = _fill(root / "pictures", 12)
    exif = Image.Exif()
    exif[0x0112] = 6
    _picture(pictures / "blue" / "turned.jpg", "blue", 20, exif=exif)
    _picture(pictures / "blue" / "cmyk.jpg", "blue", 21, mode="CMYK")
    _picture(pictures / "Green" / "palette.png", "Green", 22, mode="P")
    _picture(pictures / "Green" / "clear.png", "Green", 23, mode="RGBA")
    _picture(pictures / "Green" / "gray.png", "Green", 24, mode="L")
    _picture(pictures / "red_things" / "web.webp", "red_things", 25)
    shutil.copy(pictures / "blue" / "blue1.jpg", pictures / "blue" / "copy.jpg")
    (pictures / "Green" / "cut.jpg").write_bytes((pictures / "Green" / "Green2.jpg").read_bytes()[:-300])
    (pictures / "Green" / "page.jpg").write_text("<html>", encoding="utf-8")
    (pictures / "nothing").mkdir()
    answer = tagbox_here(
        "train", "image_retrainer", "--image_dir", pictures, f"--output_graph={root / 'graph.pb'}",
        "--output_labels", root / "labels.txt", "--eval_step_interval=100", "--how_many_training_steps", 300,
        "--learning_rate=0.3", "--architecture", SMALLEST, "--model_dir", weights, "--bottleneck_dir", root / "kept",
        "--print_misclassified_test_images", "--summaries_dir", root / "logs", "--testing_percentage", 20,
        "--records", root / "records", "--run", root / "run",
    )  # fmt: skip
    return root, answer


def test_the_old_command_line_trains_and_says_what_stayed_out(old):
    root, answer = old
    assert answer.code == 5, answer.err
    for line in (
        "refused: Green/cut.jpg: truncated", "refused: Green/page.jpg: ", "refused: blue/copy.jpg: duplicate",
        "nothing: no pictures, so no class", "42 in records + 0 not needed + 3 refused, 3 classes",
        "--summaries_dir decides nothing here", "--split-by name --name-prefix", "step 300/300",
        "misclassified verification pictures: ",
    ):  # fmt: skip
        assert line in answer.err
    results = RunDirectory(root / "run").read_results()
    assert results["top1"] >= 0.8
    assert set(results["per_class"]) == {"Green", "blue", "red_things"}
    assert not (root / "logs").exists()
    found = root / "records" / "bottlenecks"
    assert not found.exists()
    assert len(list((root / "kept").glob(f"{SMALLEST}-*/*.npz"))) >= 1


def test_the_graph_answers_label_image_as_predict_would(old):
    root, _ = old
    labels = (root / "labels.txt").read_text(encoding="utf-8").splitlines()
    assert labels == ["green", "blue", "red things"]
    graph_def = tf.compat.v1.GraphDef()
    graph_def.ParseFromString((root / "graph.pb").read_bytes())
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        tf.import_graph_def(graph_def)
        for label, color in COLORS.items():
            picture = np.full((1, 128, 128, 3), color, np.float32)
            scores = session.run("import/final_result:0", {"import/input:0": (picture - 128) / 128})
            assert scores.shape == (1, 3)
            assert scores.sum() == pytest.approx(1)
            assert title_of(labels[int(scores.argmax())]) == title_of(label.lower())


def test_the_graph_is_not_for_predict_which_says_what_is(old):
    root, _ = old
    answer = tagbox_here("predict", root / "graph.pb", root / "pictures")
    assert answer.code == 6
    assert "is the graph of a retrained classifier" in answer.error_line


def test_steps_are_measured_on_made_up_bottlenecks_and_published_weights_need_not_be_here(old, tmp_path):
    root, _ = old
    words = ("--records", root / "records", "--set", f"task.model.network.mobilenet.architecture={SMALLEST}")
    assert tagbox_here("config", "check", "image_retrainer", *words).code == 0
    checked = tagbox_here("weights", "check", root / "run")
    assert checked.code == 2
    assert "is a classifier" in checked.error_line
    unknown = tagbox_here("weights", "fetch", "imagenet", "--config", "cnn")
    assert unknown.code == 2
    assert "nobody publishes weights of the network cnn" in unknown.error_line
    timed = tagbox_here("config", "time", "image_retrainer", *words, "--steps", 5, "--json")
    assert timed.code == 0, timed.err
    assert json.loads(timed.out)["batch_size"] == 100
    planned = tagbox_here("train", "image_retrainer", *words, "--init", "none", "--minutes", 1, "--run", tmp_path)
    assert planned.code == 2
    assert "the base is frozen and has random weights" in planned.error_line
    assert not (root / "records" / "bottlenecks").exists()


def test_an_evaluation_that_looks_at_the_pictures_agrees(old):
    root, _ = old
    run = RunDirectory(root / "run")
    before = run.read_results()
    after = evaluate(run)
    assert after["top1"] == before["top1"]
    assert after["loss"] == pytest.approx(before["loss"], abs=1e-4)


def test_fine_tuning_starts_from_the_first_run(old, tmp_path):
    root, _ = old
    fine = tagbox_here(
        "train", "image_finetuner", "--records", root / "records", "--run", tmp_path / "fine", "--init", root / "run",
        "--set", f"task.model.network.mobilenet.architecture={SMALLEST}",
        "--set", "task.model.network.mobilenet.freeze_blocks=12",
        "--set", "trainer.train_steps=2", "--set", "task.train_data.global_batch_size=2",
    )  # fmt: skip
    assert fine.code == 0, fine.err
    assert "bottlenecks" not in fine.err
    assert RunDirectory(tmp_path / "fine").read_results()["top1"] >= 0.8
    weights_json = json.loads((tmp_path / "fine" / "weights.json").read_text(encoding="utf-8"))
    assert weights_json["path"].startswith(str(root / "run"))


def test_the_same_command_goes_on_and_computes_nothing(old, weights):
    root, _ = old
    (weights / keras_file_name(SMALLEST)).rename(weights / "gone")
    more = tagbox_here(
        "train", "--image_dir", root / "pictures", "--output_graph", root / "again.pb", "--model_dir", weights,
        "--architecture", SMALLEST, "--bottleneck_dir", root / "kept", "--testing_percentage=20",
        "--how_many_training_steps=302", "--records", root / "records", "--run", root / "run",
    )  # fmt: skip
    (weights / "gone").rename(weights / keras_file_name(SMALLEST))
    assert more.code == 5, more.err
    assert "going on at step 300 of 302" in more.err
    assert "training bottlenecks, 0 computed" in more.err
    assert (root / "again.pb").is_file()


def test_a_data_root_of_collected_pictures_works_and_a_frozen_base_wants_weights(tmp_path):
    data = _fill(tmp_path / "data", 3, below="unlabeled/images")
    built = tagbox_here("records", "folder", data, "--out", tmp_path / "records", "--eval-share", 0.3)
    assert built.code == 0, built.err
    words = ("--records", tmp_path / "records", "--set", f"task.model.network.mobilenet.architecture={SMALLEST}")
    answer = tagbox_here("train", "image_retrainer", *words, "--run", tmp_path / "run", "--init", "none")
    assert answer.code == 2
    assert "the base is frozen and has random weights" in answer.error_line
    assert "--init imagenet" in answer.error_line


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--image_dir", "gone"], 6, "there is no such folder"),
        (["--image_dir", "twice"], 6, "two spellings of one label"),
        (["--image_dir", "ok", "--architecture", "mobilenet_1.0_224_quantized"], 2, "quantized ones are made of"),
        (["--image_dir", "ok", "--tfhub_module", "x"], 2, "modules of TF Hub are not loaded"),
        (["--image_dir", "ok", "--testing_percentage", "60", "--validation_percentage", "50"], 2, "110 together"),
        (["cnn", "--architecture", "mobilenet_1.0_224"], 2, "--image_dir is missing"),
        (["--image_dir", "ok", "--learning_rate", "0"], 2, "learning_rate"),
    ],
)
def test_what_cannot_be_retrained_is_refused_in_one_line(tmp_path, monkeypatch, words, code, message):
    monkeypatch.chdir(tmp_path)
    _fill(tmp_path / "ok", 2)
    for label in ("Cat", "cat "):
        (tmp_path / "twice" / label).mkdir(parents=True)
        shutil.copy(tmp_path / "ok" / "blue" / "blue0.jpg", tmp_path / "twice" / label / "1.jpg")
    answer = tagbox_here("train", *words)
    assert answer.code == code, answer.err
    assert message in answer.err
    assert "Traceback" not in answer.err
    assert not (tmp_path / "runs").exists()
