"""A tag classifier by its commands: records of several labels, training, evaluation, thresholds, what it refuses."""

import csv
import hashlib
import io
import json
import re
import shutil
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from labeling.label_map import read_label_map
from pipelines.classification.classifier import RunClassifier
from pipelines.classification.drawing_server import DrawingServer
from pipelines.classification.tag_records import TagsOfLabels, tags_of_bottlenecks
from pipelines.evaluate import evaluate
from pipelines.export.model_files import open_model
from pipelines.run_directory import RunDirectory
from tests.support.command import tagbox_here
from tests.support.keras_mobilenet import keras_file_name, write_keras_mobilenet
from tests.support.quickdraw_files import drawings_of, ndjson
from tests.support.tag_ledger import write_tag_ledger

pytestmark = pytest.mark.tf

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "export-a-model.md"

FILES = {
    "savedmodel": "saved_model",
    "tflite": "model.tflite",
    "tflite-int8": "model_int8.tflite",
    "frozen-graph": "frozen_inference_graph.pb",
    "onnx": "model.onnx",
    "keras": "model.keras",
}
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
    assert "4 tags: disc, green, red, stripe" in answer.err
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


@pytest.fixture(scope="module")
def grey_run(run, records):
    """A network of one channel, of few steps: on the same pictures worse than the other one."""
    path = run.path.parent / "grey"
    answer = tagbox_here(
        "train", run.path.parent / "tags.yaml", "--records", records, "--run", path, "--set", "task.model.channels=1",
        "--set", "trainer.train_steps=20", "--set", "trainer.validation_interval=20",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    return RunDirectory(path)


def test_top_and_output_of_predict(run, tmp_path):
    for case in [(color, shape, 200) for color in COLORS for shape in SHAPES]:
        _draw(*case).save(tmp_path / "{}-{}-{}.png".format(*case))
    found = json.loads(tagbox_here("predict", run.path, tmp_path, "--top", 3, "--json").out)
    for picture in found:
        scores = [one["score"] for one in picture["tags"]]
        assert len(scores) == 3
        assert scores == sorted(scores, reverse=True)
    # Three of four tags, and no picture is both red and green: some are below their thresholds, which is told.
    assert any(one["score"] < one["threshold"] for picture in found for one in picture["tags"])
    answer = tagbox_here("predict", run.path, tmp_path, "--top", 3, "--output", tmp_path / "drawn")
    assert answer.code == 0, answer.err
    assert "in brackets: below the threshold" in answer.err
    with Image.open(tmp_path / "drawn" / "answers.png") as mosaic:
        assert mosaic.width > 4 * 160
    both = json.loads(tagbox_here("predict", run.path, tmp_path, "--top", 2, "--min-score", 0.99, "--json").out)
    assert all(len(one["tags"]) <= 2 and all(tag["score"] >= 0.99 for tag in one["tags"]) for one in both)


@pytest.fixture(scope="module")
def exported(run):
    words = [word for name in FILES for word in ("--format", name)]
    answer = tagbox_here("export", run.path, *words, "--json", "--check-pictures", 12)
    assert answer.code == 0, answer.err
    return {one["format"]: one for one in json.loads(answer.out)}


@pytest.mark.parametrize("name", FILES)
def test_a_model_file_gives_the_tags_of_the_run(run, exported, name):
    limit = 0.1 if name == "tflite-int8" else 1e-4
    check = exported[name]["check"]
    assert (check["pictures"], check["tags"] > 0) == (12, True)
    assert check["score_difference"] < limit
    if name != "tflite-int8":
        assert (check["other_tags"], check["mAP_lost"]) == (0, pytest.approx(0, abs=1e-6))
    model = open_model(run.path / "export" / FILES[name])
    results = run.read_results()["per_class"]
    assert (model.metadata.kind, set(model.class_names.values())) == ("tag classifier", TAGS)
    assert model.metadata.thresholds == {tag: row["threshold"] for tag, row in results.items()}
    pixels = np.stack([np.asarray(_draw(color, shape, 300)) for color in COLORS for shape in SHAPES])
    wanted = RunClassifier(run).scores(pixels)
    assert (wanted.sum(axis=1) > 1.2).any()  # no softmax
    np.testing.assert_allclose(model.scores(pixels), wanted, rtol=0, atol=limit)


def test_a_model_file_answers_the_command_as_the_run_does(run, exported, tmp_path):
    _draw("red", "disc", 400).save(tmp_path / "one.png")
    sources = (run.path, run.path / "export" / "saved_model", run.path / "export" / "model.tflite")
    asked = [tagbox_here("predict", source, tmp_path, "--json") for source in sources]
    first, *others = ([(one["tag"], one["threshold"]) for one in json.loads(answer.out)[0]["tags"]] for answer in asked)
    assert first
    assert others == [first, first]
    refused = tagbox_here("predict", run.path / "export" / "model.tflite", tmp_path, "--voc")
    assert (refused.code, "a tag classifier finds no boxes" in refused.err) == (2, True)
    table = tagbox_here("export", run.path, "--output", tmp_path / "model")
    assert (table.code, "mAP lost" in table.out) == (0, True)
    labels = (tmp_path / "model/saved_model/assets.extra/labelmap.txt").read_text(encoding="utf-8").split()
    assert labels == list(run.read_results()["per_class"])


def test_the_program_of_the_how_to_page_prints_the_tags_of_the_command(run, exported, tmp_path, monkeypatch):
    program = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[-1]
    (tmp_path / "export").symlink_to(run.path / "export")
    _draw("green", "stripe", 401).save(tmp_path / "picture.jpg", quality=95)
    monkeypatch.chdir(tmp_path)
    said = io.StringIO()
    with redirect_stdout(said):
        exec(compile(program, str(PAGE), "exec"), {"__name__": "client"})
    ((_, tags),) = (one.values() for one in json.loads(tagbox_here("predict", run.path, "picture.jpg", "--json").out))
    assert sorted(said.getvalue().split("\n")[:-1]) == sorted(f"{one['tag']} {one['score']:.3f}" for one in tags) != []


def test_thresholds_of_other_weights_are_told(run, exported, tmp_path):
    _draw("red", "disc", 400).save(tmp_path / "one.png")
    shutil.copytree(run.path, tmp_path / "run")
    (copy := RunDirectory(tmp_path / "run")).write_results({**run.read_results(), "step": 7})
    answer = tagbox_here("predict", copy.path, tmp_path / "one.png")
    assert "the thresholds were found at step 7, the weights are of step" in answer.err
    (copy.path / "results.json").unlink()
    assert "was not evaluated: every tag from 0.5 on" in tagbox_here("predict", copy.path, tmp_path / "one.png").err
    answer = tagbox_here("export", copy.path, "--output", tmp_path / "model", "--no-check")
    assert (answer.code, "was not evaluated" in answer.err) == (0, True)
    assert open_model(tmp_path / "model" / "saved_model").metadata.thresholds is None
    answer = tagbox_here("predict", tmp_path / "model" / "saved_model", tmp_path / "one.png")
    assert "was exported without an evaluation" in answer.err


def test_a_network_of_one_channel_takes_drawings(grey_run, tmp_path):
    np.save(tmp_path / "rows.npy", np.random.default_rng(1).integers(0, 256, (3, 784), np.uint8))
    (tmp_path / "strokes.ndjson").write_bytes(ndjson(drawings_of("cat", 2)))
    answer = tagbox_here("predict", grey_run.path, tmp_path / "rows.npy", tmp_path / "strokes.ndjson", "--json",
                         "--min-score", 0)  # fmt: skip
    assert answer.code == 0, answer.err
    assert [len(one["tags"]) for one in json.loads(answer.out)] == [len(TAGS)] * 5
    classifier = RunClassifier(grey_run)
    strokes = [np.array([[10.0, 10.0], [200.0, 180.0]])]
    for threshold in (0.0, 1.01):
        with DrawingServer(classifier, thresholds=dict.fromkeys(TAGS, threshold)) as server:
            answers = server.answers(strokes)
            assert server.tags_among(answers) == ([one.name for one in answers] if not threshold else [])


def test_two_runs_are_compared_and_the_worse_one_is_told(run, grey_run, tmp_path):
    words = ("runs", "compare", run.path, grey_run.path, "--output", tmp_path / "curves.png", "--resamples", 300)
    answer = tagbox_here(*words, "--html", tmp_path / "page.html")
    assert answer.code == 0, answer.err
    assert "micro_F1 to first" in answer.out
    assert "300 random exchanges of two runs' ranks of the pictures (for mAP)" in answer.err
    assert "ranks of the pictures (for mAP)" in (tmp_path / "page.html").read_text(encoding="utf-8")
    told = json.loads(tagbox_here(*words, "--json").out)
    assert "picture by picture" in told["test"]
    best, worse = told["runs"]
    assert best["mAP"]["value"] == pytest.approx(run.read_results()["mAP"], abs=1e-6)
    assert worse["mAP"]["value"] == pytest.approx(grey_run.read_results()["mAP"], abs=1e-6)
    assert worse["difference"]["mAP"]["value"] < 0
    assert worse["difference"]["p_map"] < 0.05
    shown = tagbox_here("runs", "show", run.path)
    assert (shown.code, "F1" in shown.out) == (0, True)


def test_tensorboard_and_report_show_pictures_with_their_mistakes(run, grey_run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run.path / "validation"))
    events.Reload()
    assert [event.step for event in events.Tensors("eval_pictures")] == [60, 120]
    page = (grey_run.path / "report.html").read_text(encoding="utf-8")
    assert "with a mistake, the surest first" in page
    with Image.open(grey_run.path / "samples" / "mistakes.jpg") as mosaic:
        # Red words of what is given wrongly.
        pixels = np.asarray(mosaic, int)
    assert ((pixels[..., 0] - pixels[..., 1] > 90) & (pixels[..., 2] < 110)).sum() > 100


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("predict", "RUN", "x.png", "--voc"), "--voc is for detectors; a tag classifier finds no boxes"),
        (("predict", "RUN", "--draw"), "--draw is for networks of drawings, in one channel of grey"),
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


def _put(root, *names):
    for number, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        chance = np.random.default_rng([number, len(names)])
        Image.fromarray(chance.integers(0, 256, (6, 6, 3), np.uint8)).resize((48, 48), 0).save(path)
    return root


def test_one_tag_and_two_spellings_of_one_end_in_one_line(run, tmp_path):
    config = run.path.parent / "tags.yaml"
    _put(tmp_path / "one", *(f"cat/{number}.png" for number in range(6)))
    assert tagbox_here("records", "folder", tmp_path / "one", "--out", tmp_path / "records", "--multi-label").code == 0
    answer = tagbox_here("train", config, "--records", tmp_path / "records", "--run", tmp_path / "run")
    assert (answer.code, "there is one tag only (cat), and every picture has it" in answer.error_line) == (2, True)
    for first, second in (("Cat", "cat"), ("black cat", "black-cat")):
        folder = _put(tmp_path / second, f"{first}/1.png", f"{second}/2.png")
        answer = tagbox_here("records", "folder", folder, "--out", tmp_path / "never", "--multi-label")
        assert (answer.code, "two spellings of one label" in answer.error_line) == (6, True)
        answer = tagbox_here("records", "folder", tmp_path / "one", "--out", tmp_path / "never", "--multi-label",
                             "--tag", first, "--tag", second)  # fmt: skip
        assert (answer.code, "two spellings of one label" in answer.error_line) == (6, True)
    assert not (tmp_path / "never").exists()


def test_what_training_or_verification_lacks_is_told_line_by_line(run, tmp_path):
    names = [f"{tag}/{split}/{number}.png" for tag in ("cat", "dog") for split in ("training", "verification")
             for number in range(4)]  # fmt: skip
    names += ["fox/verification/1.png", "fox/verification/2.png", "owl/training/1.png"]
    names += [f"ape/training/{number}.png" for number in range(3)]
    built = tagbox_here("records", "folder", _put(tmp_path / "data", *names), "--out", tmp_path / "records",
                        "--multi-label", "--tag", "moon")  # fmt: skip
    assert built.code == 0, built.err
    warned = {line.removeprefix("warning: ") for line in built.err.splitlines() if line.startswith("warning: ")}
    assert warned == {
        "ape: no picture is in verification", "fox: no picture is in training",
        "--tag moon: no picture of a post with this tag is here, so it is no class",
        "owl: one picture only, in training; add some",
    }  # fmt: skip
    assert [line.split() for line in built.out.splitlines() if line.split()[:1] == ["fox"]][-1] == ["fox", "0", "2"]
    checked = tagbox_here("config", "check", run.path.parent / "tags.yaml", "--records", tmp_path / "records")
    told = checked.out + checked.err
    assert "VERIFICATION HAS tag fox THAT TRAINING LACKS" in told
    assert "tags ape, owl without a verification picture: their AP is undefined" in told
    # Records of other tags: what the network has is judged, the rest is told.
    answer = tagbox_here("eval", run.path, "--records", tmp_path / "records" / "pictures_verification.record")
    assert answer.code == 0, answer.err
    assert "10 pictures have tags that the network does not have" in answer.err


def test_one_tag_of_posts_is_learned_from_pictures_that_have_it_and_others(run, tmp_path):
    """Folders are no labels here: all pictures lie in one, and those without the tag have no label."""
    tagged = []
    for number in range(24):
        color = ("red", "green")[number % 2]
        path = tmp_path / "data" / "pose" / "unlabeled" / "images" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        _draw(color, SHAPES[number % 3 == 0], number).save(path)
        tagged.append((hashlib.sha256(path.read_bytes()).hexdigest(), '["Red"]' if color == "red" else "[]"))
    write_tag_ledger(tmp_path / "data", *tagged)
    built = tagbox_here("records", "folder", tmp_path / "data", "--out", tmp_path / "records", "--multi-label", "--tag",
                        "red", "--only-tags", "--eval-share", "0.34")  # fmt: skip
    assert (built.code, "12 pictures have none of the tags" in built.err) == (0, True), built.err
    steps = ("train_steps", "steps_per_loop", "validation_interval", "checkpoint_interval")
    chosen = [word for name in steps for word in ("--set", f"trainer.{name}=40")]
    words = ("--records", tmp_path / "records", "--run", tmp_path / "run")
    answer = tagbox_here("train", run.path.parent / "tags.yaml", *words, *chosen)
    assert answer.code == 0, answer.err
    results = RunDirectory(tmp_path / "run").read_results()
    assert (list(results["per_class"]), results["num_images"] > results["per_class"]["red"]["num_truth"] > 0) == (
        ["red"], True,
    )  # fmt: skip
    assert results["mAP"] > 0.9 > results["mAP_by_chance"]
    answer = tagbox_here("config", "check", "image_retrainer", "--records", tmp_path / "records")
    assert answer.code == 6
    assert "this classifier gives each picture one" in answer.error_line
