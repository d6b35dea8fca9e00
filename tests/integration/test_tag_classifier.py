"""A tag classifier by its commands: records of several labels, training, evaluation, thresholds, what it refuses."""

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image, ImageDraw

from labeling.label_map import read_label_map
from pipelines.classification.tag_records import TagsOfLabels, tags_of_bottlenecks
from pipelines.evaluate import evaluate
from pipelines.run_directory import RunDirectory
from tests.support.command import tagbox_here
from tests.support.keras_mobilenet import keras_file_name, write_keras_mobilenet

pytestmark = pytest.mark.tf

SMALLEST = "mobilenet_0.25_128"
COLORS = {"red": (220, 40, 30), "green": (30, 190, 40)}
SHAPES = ("disc", "stripe")
TAGS = {"disc", "green", "red", "stripe"}
CONFIG = """\
experiment: cnn_tag_classifier
task:
  model:
    channels: 3
    network:
      cnn: {filters: [6, 8], dense: [24, 16], dropout: 0.0}
  losses: {balance: 0.5}
  train_data: {global_batch_size: 16}
  validation_data: {global_batch_size: 16}
trainer:
  train_steps: 120
  steps_per_loop: 20
  summary_interval: 20
  validation_interval: 60
  checkpoint_interval: 60
  optimizer_config:
    learning_rate:
      cosine: {initial_learning_rate: 0.01}
"""


def _draw(color, shape, number):
    chance = np.random.default_rng([number, len(color), len(shape)])
    image = Image.fromarray(chance.integers(0, 60, (40, 40, 3), np.uint8))
    left, top = chance.integers(2, 10, 2).tolist()
    box = (left, top, left + 24, top + 24) if shape == "disc" else (left, top + 8, left + 28, top + 13)
    getattr(ImageDraw.Draw(image), "ellipse" if shape == "disc" else "rectangle")(box, fill=COLORS[color])
    return image


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Every picture lies in the folder of its colour and in that of its shape; a few are of a colour only."""
    root = tmp_path_factory.mktemp("tags")
    for number in range(30):
        for color in COLORS:
            for shape in SHAPES:
                for label in (color, shape)[: 1 if number == 0 else 2]:
                    path = root / "pictures" / label / f"{color}-{shape}-{number}.png"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    _draw(color, shape, number).save(path)
    answer = tagbox_here("records", "folder", root / "pictures", "--out", root / "records", "--multi-label",
                         "--eval-share", "0.3")  # fmt: skip
    # The copy in the second folder is the same picture: it gives its label and stays out.
    assert answer.code == 5, answer.err
    return root / "records"


@pytest.fixture(scope="module")
def run(records, tmp_path_factory):
    root = tmp_path_factory.mktemp("tagger")
    (root / "tags.yaml").write_text(CONFIG, encoding="utf-8")
    answer = tagbox_here("train", root / "tags.yaml", "--records", records, "--run", root / "run")
    assert answer.code == 0, answer.err
    assert "4 classes: disc, green, red, stripe" in answer.err
    assert "mAP " in answer.err
    return RunDirectory(root / "run")


def test_it_learns_both_attributes_and_the_results_have_their_keys(run):
    results = run.read_results()
    assert {"mAP", "top1", "micro_F1", "macro_F1", "per_class", "num_images", "num_unknown", "loss", "step"} <= set(
        results
    )
    assert set(results["per_class"]) == TAGS
    # By chance about one half.
    assert results["mAP"] > 0.85
    assert results["micro_F1"] > 0.75
    assert min(row["AP"] for row in results["per_class"].values()) > 0.7
    truth = sum(row["num_truth"] for row in results["per_class"].values())
    assert results["num_images"] < truth <= 2 * results["num_images"]
    evaluated = [row for row in run.read_rows() if not row["loss"]]
    assert max(float(row["mAP"]) for row in evaluated) == pytest.approx(results["mAP"], abs=1e-5)
    data = json.loads((run.path / "data.json").read_text())
    assert data["verification"]["num_images"] == results["num_images"]
    assert data["verification"]["classes"] == {name: row["num_truth"] for name, row in results["per_class"].items()}


def test_the_stored_answers_give_the_stored_counts(run):
    results = run.read_results()
    with (run.path / "tag_predictions.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    for tag, figures in results["per_class"].items():
        mine = [row for row in rows if row["tag"] == tag]
        assert sum(row["truth"] == "1" for row in mine) == figures["num_truth"]
        found = [row for row in mine if row["found"] == "1"]
        right = sum(row["truth"] == "1" for row in found)
        assert right / len(found) == pytest.approx(figures["precision"])
        # The truth is that of the picture's name.
        assert all(tag in row["picture"] for row in mine if row["truth"] == "1")


def test_eval_has_a_gate_and_a_report(run):
    before = run.read_results()["mAP"]
    answer = tagbox_here("eval", run.path, "--min-map", "0.5")
    assert answer.code == 0, answer.err
    assert "threshold" in answer.out
    assert run.read_results()["mAP"] == pytest.approx(before)
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert "mAP over the tags" in page
    assert "Each tag" in page
    assert tagbox_here("eval", run.path, "--min-map", "1").code == (0 if before > 1 - 1e-6 else 1)
    answer = tagbox_here("eval", run.path, "--min-ap50", "0.5")
    assert (answer.code, "ask for --min-map" in answer.err) == (2, True)
    listed = json.loads(tagbox_here("runs", "list", run.path, "--json").out)
    assert listed[0]["mAP"] == pytest.approx(before)
    assert tagbox_here("runs", "show", run.path).code == 0


def test_predict_gives_all_tags_above_their_thresholds(run, tmp_path):
    cases = [(color, shape, number) for color in COLORS for shape in SHAPES for number in (100, 101)]
    for case in cases:
        _draw(*case).save(tmp_path / "{}-{}-{}.png".format(*case))
    answer = tagbox_here("predict", run.path, tmp_path, "--json")
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    assert len(found) == len(cases)
    pairs = [(one["tag"], one["tag"] in picture["path"].rpartition("/")[2]) for picture in found
             for one in picture["tags"]]  # fmt: skip
    assert np.mean([is_right for _, is_right in pairs]) > 0.7
    assert all(one["score"] >= one["threshold"] for picture in found for one in picture["tags"])
    # One threshold for all: every tag of every picture.
    rows = list(csv.DictReader(io.StringIO(
        tagbox_here("predict", run.path, tmp_path, "--format", "csv", "--min-score", 0).out
    )))  # fmt: skip
    assert len(rows) == len(cases) * len(TAGS)
    (tmp_path / "broken.png").write_bytes(b"nothing")
    answer = tagbox_here("predict", run.path, tmp_path)
    assert answer.code == 5
    assert "1 not read" in answer.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("predict", "RUN", "x.png", "--top", 3), "--top does not go with a tag classifier"),
        (("predict", "RUN", "--draw"), "--draw does not go with a tag classifier"),
        (("export", "RUN"), "a tag classifier cannot be exported"),
        (("runs", "compare", "RUN"), "there is no paired test of tag classifiers"),
        (("eval", "RUN", "."), "a tag classifier is evaluated on its records"),
    ],
)
def test_what_it_cannot_do_is_refused_in_one_line(run, words, message):
    answer = tagbox_here(*(run.path if word == "RUN" else word for word in words))
    assert answer.code == 2
    assert message in answer.err
    assert "Traceback" not in answer.err


def test_a_classifier_of_one_label_refuses_these_records_and_names_this_one(records, tmp_path):
    answer = tagbox_here("config", "check", "cnn", "--records", records)
    assert answer.code == 6
    assert "tag_classifier" in answer.error_line


def test_kept_bottlenecks_of_the_retrained_network_and_records_of_one_label(run, records, tmp_path):
    weights = write_keras_mobilenet(tmp_path / keras_file_name(SMALLEST), SMALLEST)
    # One label a picture: each has one tag.
    single = tmp_path / "single"
    for number in range(12):
        for color in COLORS:
            path = tmp_path / "colors" / color / f"{color}{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            _draw(color, "disc", number).save(path)
    assert tagbox_here("records", "folder", tmp_path / "colors", "--out", single, "--eval-share", "0.3").code == 0
    answer = tagbox_here(
        "train", "tag_classifier", "--records", single, "--run", tmp_path / "run", "--init", weights,
        "--set", f"task.model.network.mobilenet.architecture={SMALLEST}", "--set", "trainer.train_steps=60",
        "--set", "task.train_data.global_batch_size=8",
        "--set", "trainer.optimizer_config.learning_rate.cosine.initial_learning_rate=0.05",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert "training bottlenecks, " in answer.err
    results = RunDirectory(tmp_path / "run").read_results()
    assert results["mAP"] > 0.8
    assert sum(row["num_truth"] for row in results["per_class"].values()) == results["num_images"]
    # An evaluation looks at the pictures, one along the way at their bottlenecks.
    assert evaluate(RunDirectory(tmp_path / "run"))["mAP"] == pytest.approx(results["mAP"], abs=0.02)


def test_labels_become_truth_by_name_and_unknown_ones_are_told(records):
    import tensorflow as tf

    from pipelines.classification.bottlenecks import Bottlenecks

    names = dict(read_label_map(records / "label_map.pbtxt").items)
    order = list(names.values())
    labels = ((1, 2), (9,), (3,), (2, 2), ())
    texts = (("stripe", "disc"), ("moon",), (), ("", "red"), ())
    examples = Bottlenecks(np.zeros((5, 1), np.float32), labels, texts, 0)
    truth = tags_of_bottlenecks(examples, names)
    wanted = [{"stripe", "disc"}, {"?"}, {names[3]}, {names[2], "red"}, set()]
    assert [{name for name, has in zip((*order, "?"), row, strict=True) if has} for row in truth] == wanted
    make = TagsOfLabels(names)
    for row, ids, words in zip(truth, labels, texts, strict=True):
        made = make(tf.constant(ids, tf.int64, [len(ids)]), tf.constant(words, tf.string, [len(words)]))
        assert made.numpy().tolist() == row.tolist()
