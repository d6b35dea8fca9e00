"""A classifier from its first step to its last: what it leaves, how it goes on, that no class becomes another."""

import csv
import json
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pipelines.classification.class_names import names_in_checkpoint
from pipelines.classification.predictions_file import read_answers, write_answers
from pipelines.evaluate import checkpoint_prefix, evaluate
from pipelines.experiment import load_experiment
from pipelines.preflight import prepare
from pipelines.run_directory import RunDirectory
from pipelines.train import train
from pipelines.training_progress import InterruptedRunError
from pipelines.weights.accounting import read_accounting
from tests.support.command import tagbox_here
from tests.support.tiny_classifier import SHAPES, build_drawings, write_bitmaps, write_tiny_classifier

pytestmark = pytest.mark.tf

RATE = "trainer.optimizer_config.learning_rate.cosine.initial_learning_rate"


@dataclass(frozen=True, slots=True)
class Shapes:
    """Bitmaps, records, a config, and the folder of a finished run."""

    bitmaps: Path
    records: Path
    config: Path
    run: Path


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    root = tmp_path_factory.mktemp("shapes")
    bitmaps = write_bitmaps(root / "bitmaps")
    made = Shapes(
        bitmaps, build_drawings(bitmaps, root / "records"), write_tiny_classifier(root), root / "runs" / "shapes"
    )
    answer = tagbox_here("train", made.config, "--run", made.run, "--records", made.records)
    assert answer.code == 0, answer.err
    assert "160 training and 60 verification pictures, 4 classes: cross, disc, square, stripe" in answer.err
    assert "step 40/40" in answer.err
    assert "top1 0." in answer.err or "top1 1." in answer.err
    assert "random weights" not in answer.err  # a classifier of drawings starts from nothing as a rule
    return made


def _train(shapes, run, *overrides, stop_at=None, records=None):
    experiment = load_experiment(shapes.config, overrides)
    seen = []
    return train(
        experiment, prepare(experiment, records or shapes.records), RunDirectory(run), command=["tagbox", "train"],
        report=seen.append, should_stop=lambda: stop_at is not None and bool(seen) and seen[-1].step >= stop_at,
    )  # fmt: skip


def _untimed(results):
    return {key: value for key, value in results.items() if key != "evaluation_s"}


def _variables(run, checkpoint="last"):
    prefix = checkpoint_prefix(RunDirectory(run), checkpoint)
    reader = tf.train.load_checkpoint(prefix)
    return {
        name: reader.get_tensor(name)
        for name, shape in reader.get_variable_to_shape_map().items()
        if name.startswith("model/") and "VARIABLE_VALUE" in name and "OPTIMIZER_SLOT" not in name
    }


# --- the folder -----------------------------------------------------------------------------------------------------


def test_it_learns_and_the_results_have_the_keys_of_the_design(shapes):
    results = RunDirectory(shapes.run).read_results()
    assert {"top1", "top5", "macro_top1", "per_class", "num_images", "step", "checkpoint", "loss"} <= set(results)
    assert results["top1"] >= 0.6
    assert results["top5"] == 1.0  # of four classes the truth is always among the five likeliest
    assert results["num_images"] == 60
    assert set(results["per_class"]) == set(SHAPES)
    assert sum(row["num_truth"] for row in results["per_class"].values()) == 60
    status = RunDirectory(shapes.run).read_status()
    assert (status["state"], status["step"]) == ("done", 40)
    assert 0 <= status["top1"] <= 1


def test_rows_have_loss_and_accuracy_of_training_and_evaluation(shapes):
    rows = RunDirectory(shapes.run).read_rows()
    trained = [row for row in rows if row["loss"]]
    assert [int(row["step"]) for row in trained] == [10, 20, 30, 40]
    assert float(trained[-1]["loss"]) < float(trained[0]["loss"])
    assert float(trained[-1]["training_top1"]) > float(trained[0]["training_top1"])
    evaluated = [row for row in rows if not row["loss"]]
    assert [int(row["step"]) for row in evaluated] == [20, 40]
    assert all(0 <= float(row["top1"]) <= float(row["top5"]) <= 1 for row in evaluated)


def test_the_best_checkpoint_is_that_of_the_best_top1_and_the_figures_are_its(shapes):
    rows = [row for row in RunDirectory(shapes.run).read_rows() if not row["loss"]]
    results = RunDirectory(shapes.run).read_results()
    best = max(float(row["top1"]) for row in rows)
    assert results["top1"] == pytest.approx(best, abs=1e-5)
    again = evaluate(RunDirectory(shapes.run), checkpoint="best")
    assert _untimed(again) == _untimed(results)


def test_the_stored_answers_give_the_stored_figures(shapes):
    with (shapes.run / "predictions.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    results = RunDirectory(shapes.run).read_results()
    assert np.mean([row["truth"] == row["found1"] for row in rows]) == pytest.approx(results["top1"])
    assert len({row["picture"] for row in rows}) == 60
    confusion = json.loads((shapes.run / "confusion.json").read_text(encoding="utf-8"))
    counts = np.zeros((4, 4), int)
    for row in rows:
        counts[confusion["names"].index(row["truth"]), confusion["names"].index(row["found1"])] += 1
        # The name leads to the very drawing: its file, and the row in it.
        source, _, number = row["picture"].partition("#")
        assert source == f"{row['truth']}.npy"
        assert 0 <= int(number) < 60
        assert sum(float(row[f"score{rank}"]) for rank in range(1, 5)) == pytest.approx(1, abs=1e-4)
    assert confusion["counts"] == counts.tolist()


def test_tensorboard_has_accuracies_and_pictures(shapes):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    tags = {}
    for part in ("train", "validation"):
        events = EventAccumulator(str(shapes.run / part))
        events.Reload()
        tags[part] = {tag: [event.step for event in events.Tensors(tag)] for tag in events.Tags()["tensors"]}
    assert tags["train"]["Accuracy/top1"] == tags["train"]["Loss/total_loss"] == [10, 20, 30, 40]
    for tag in ("Accuracy/top1", "Accuracy/top5", "Accuracy/macro_top1", "Loss/total_loss", "eval_pictures"):
        assert tags["validation"][tag] == [20, 40], tags["validation"]


# --- going on -------------------------------------------------------------------------------------------------------


def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(shapes, tmp_path):
    with pytest.raises(InterruptedRunError):
        _train(shapes, tmp_path / "run", stop_at=10)
    assert RunDirectory(tmp_path / "run").read_status()["step"] == 10
    results = _train(shapes, tmp_path / "run")
    whole, resumed = _variables(shapes.run), _variables(tmp_path / "run")
    assert whole.keys() == resumed.keys()
    for name, value in whole.items():
        np.testing.assert_allclose(resumed[name], value, atol=1e-6, err_msg=name)
    assert _untimed(results) == _untimed(RunDirectory(shapes.run).read_results())


# --- no class is taken for another ----------------------------------------------------------------------------------


def test_a_checkpoint_carries_the_names_of_its_outputs(shapes):
    for checkpoint in ("best", "last"):
        prefix = checkpoint_prefix(RunDirectory(shapes.run), checkpoint)
        assert names_in_checkpoint(prefix) == ("cross", "disc", "square", "stripe")


def test_records_with_other_ids_are_judged_by_name(shapes, tmp_path):
    other = tmp_path / "label_map.pbtxt"
    other.write_text("".join(f"item {{ id: {number} name: '{name}' }}\n" for number, name in
                             enumerate(["stripe", "square", "disc", "cross", "moon"], start=3)))  # fmt: skip
    swapped = build_drawings(shapes.bitmaps, tmp_path / "records", label_map_path=other)
    results = evaluate(RunDirectory(shapes.run), input_path=[str(swapped / "drawings_verification.record")])
    stored = RunDirectory(shapes.run).read_results()
    assert results["per_class"] == stored["per_class"]
    before = {path: path.read_bytes() for path in shapes.run.glob("*.*")}
    # Going on with them would give the outputs other names.
    answer = tagbox_here("train", shapes.config, "--run", shapes.run, "--records", swapped,
                         "--set", "task.model.num_classes=4")  # fmt: skip
    assert answer.code == 2
    assert {path: path.read_bytes() for path in shapes.run.glob("*.*")} == before


def test_a_label_map_in_another_order_is_refused(shapes, tmp_path):
    run = shutil.copytree(shapes.run, tmp_path / "run")
    names = ["disc", "cross", "square", "stripe"]
    (run / "label_map.pbtxt").write_text(
        "".join(f"item {{ id: {number} name: '{name}' }}\n" for number, name in enumerate(names, start=1))
    )
    answer = tagbox_here("eval", run)
    assert answer.code == 6
    assert "in another order: output 0 is `cross`, and `disc`" in answer.error_line
    records = shutil.copytree(shapes.records, tmp_path / "records")
    shutil.copy(run / "label_map.pbtxt", records)
    answer = tagbox_here("train", shapes.config, "--run", shapes.run, "--records", records)
    assert answer.code == 2
    assert "class id 1 was `cross` in this run and is `disc` now" in answer.error_line


def test_outputs_are_taken_over_by_name(shapes, tmp_path):
    """A run of other classes, in another order, starts from this one: what it has in common it can tell at once."""
    bitmaps = write_bitmaps(tmp_path / "bitmaps", ["stripe", "disc", "arrow"])
    records = build_drawings(bitmaps, tmp_path / "records")
    config = write_tiny_classifier(tmp_path)
    answer = tagbox_here("train", config, "--run", tmp_path / "run", "--records", records, "--init", shapes.run,
                         "--set", "trainer.train_steps=1", "--set", "trainer.steps_per_loop=1",
                         "--set", f"{RATE}=1.0e-7")  # fmt: skip
    assert answer.code == 0, answer.err
    imported = read_accounting(tmp_path / "run")
    assert imported is not None
    assert "(disc, stripe)" in imported.remapped[0]
    ours, theirs = _variables(tmp_path / "run"), _variables(shapes.run, "best")
    kernel, old = (next(values[name] for name in values if values[name].shape == (16, width)) for values, width in
                   ((ours, 3), (theirs, 4)))  # fmt: skip
    for place, old_place in ((1, 1), (2, 3)):  # arrow, disc, stripe of cross, disc, square, stripe
        np.testing.assert_allclose(kernel[:, place], old[:, old_place], atol=1e-5)
    assert np.abs(kernel[:, 0] - old[:, 0]).max() > 1e-3


# --- commands and bad input -----------------------------------------------------------------------------------------


def test_eval_prints_the_figures_and_its_gate_decides_the_exit_code(shapes):
    answer = tagbox_here("eval", shapes.run, "--min-top1", "0.3")
    assert answer.code == 0
    assert "macro_top1" in answer.out
    assert "95 % interval" in answer.err
    answer = tagbox_here("eval", shapes.run, "--min-top1", "1.0", "--json")
    results = json.loads(answer.out)
    assert answer.code == (0 if results["top1"] == 1.0 else 1)
    answer = tagbox_here("eval", shapes.run, "--min-ap50", "0.3")
    assert answer.code == 2
    assert "--min-ap50 does not go with a classifier: ask for --min-top1" in answer.err


def test_runs_list_and_show_have_the_accuracies(shapes):
    answer = tagbox_here("runs", "list", shapes.run.parent, "--json")
    (row,) = json.loads(answer.out)
    assert (row["experiment"], row["AP50"]) == ("cnn_classifier", None)
    assert row["top1"] >= 0.6
    assert "top1" in tagbox_here("runs", "list", shapes.run.parent).out
    assert "AP50" not in tagbox_here("runs", "list", shapes.run.parent).out
    shown = tagbox_here("runs", "show", shapes.run).out
    assert "class (best checkpoint)" in shown
    assert "pictures" in shown


def test_the_flags_of_the_older_script_and_two_runs_side_by_side(shapes, tmp_path):
    record = shapes.records / "drawings_training.record"
    answer = tagbox_here("train", shapes.config, f"--train_src={record}", f"--eval_src={shapes.records}", "--run",
                         tmp_path / "old", "--set", "trainer.train_steps=2", "--set", "trainer.steps_per_loop=1",
                         "--records", tmp_path / "none")  # fmt: skip
    assert answer.code == 0, answer.err
    assert f"--set-path input={record} --set-path eval_input={shapes.records}/drawings_ver" in answer.err
    page = tmp_path / "page.html"
    answer = tagbox_here("runs", "compare", shapes.run, tmp_path / "old", "--output", tmp_path / "curves.png",
                         "--html", page, "--json")  # fmt: skip
    assert answer.code == 0, answer.err
    first, second = json.loads(answer.out)["runs"]
    assert first["top1"]["value"] == RunDirectory(shapes.run).read_results()["top1"]
    assert second["difference"]["top1"]["value"] == pytest.approx(second["top1"]["value"] - first["top1"]["value"])
    assert second["difference"]["top1"]["value"] < 0  # two steps are no training
    assert "Verification top-1" in page.read_text(encoding="utf-8")
    assert (tmp_path / "curves.png").stat().st_size > 10_000
    answer = tagbox_here("runs", "compare", shapes.run, tmp_path / "old", "--output", tmp_path / "curves.png")
    assert "top1 to first" in answer.out


def test_the_report_shows_classes_confusion_and_mistakes(shapes):
    page = (shapes.run / "report.html").read_text(encoding="utf-8")
    for words in ("top-1 accuracy", "What is taken for what", "Each class", "Mistakes", "The first batch"):
        assert words in page, words
    for name in ("samples/pictures.jpg", "plots/train_batch.jpg", "plots/confusion.png", "plots/training.png"):
        assert (shapes.run / name).stat().st_size > 3_000, name
    assert json.loads((shapes.run / "data.json").read_text())["training"]["classes"] == dict.fromkeys(
        sorted(SHAPES), 40
    )


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["task.model.network.type=resnet"], 2, "must be one of cnn, "),
        (["task.model.network.cnn.dropout=1"], 2, "`task.model.network.cnn.dropout` is 1.0. It must be 0 or more"),
        (["task.model.channels=2"], 2, "must be 1 (grey) or 3 (colours)"),
        (["task.train_data.augmentation.rotation=200"], 2, "must be between 0 and 180 degrees"),
        (["task.losses.label_smoothing=1"], 2, "must be 0 or more and below 1"),
        (["task.model.input_size=[7, 7]"], 2, "left of 7x7 pixels"),
        (["task.model.num_classes=3"], 2, "num_classes is 3, but the label map has ids up to 4"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_line(shapes, tmp_path, words, code, message):
    sets = [part for word in words for part in ("--set", word)]
    answer = tagbox_here("train", shapes.config, "--run", tmp_path / "run", "--records", shapes.records, *sets)
    assert answer.code == code
    assert message in answer.error_line


def test_records_that_do_not_suit_are_refused_or_remarked_upon(shapes, tmp_path):
    from tests.support.od_api_records import od_example, write_records

    def check(records):
        return tagbox_here("config", "check", shapes.config, "--records", records)

    answer = check(tmp_path)
    assert (answer.code, "tagbox records drawings SRC --out" in answer.error_line) == (6, True)

    # A category in verification that training lacks.
    lacking = shutil.copytree(shapes.records, tmp_path / "lacking")
    fewer = build_drawings(write_bitmaps(tmp_path / "three", SHAPES[:3]), tmp_path / "few",
                           label_map_path=shapes.records / "label_map.pbtxt")  # fmt: skip
    shutil.copy(fewer / "drawings_training.record", lacking)
    (lacking / "manifest.json").unlink()
    answer = check(lacking)
    assert answer.code == 0
    assert "VERIFICATION HAS class stripe THAT TRAINING LACKS" in answer.err

    # A class in the records that the label map does not have.
    (lacking / "label_map.pbtxt").write_text("item { id: 1 name: 'cross' }\nitem { id: 2 name: 'disc' }\n")
    answer = check(lacking)
    assert answer.code == 2
    assert "the records have class square, which the label map" in answer.error_line

    # Half a file, read because its size is not that of the manifest.
    cut = shutil.copytree(shapes.records, tmp_path / "cut")
    path = cut / "drawings_training.record"
    path.write_bytes(path.read_bytes()[:5000])
    answer = check(cut)
    assert answer.code == 6
    assert str(path) in answer.error_line
    assert "byte" in answer.error_line

    # Records of a detector.
    from PIL import Image

    boxes = shutil.copytree(shapes.records, tmp_path / "boxes")
    write_records(boxes / "drawings_training.record", [od_example(Image.new("RGB", (40, 30)), [], [])])
    answer = check(boxes)
    assert answer.code == 6
    assert "a detector's record" in answer.error_line

    # One class only.
    one = build_drawings(write_bitmaps(tmp_path / "one", ["disc"]), tmp_path / "single")
    answer = check(one)
    assert answer.code == 2
    assert "there is one class only (disc)" in answer.error_line


def test_runs_are_compared_by_their_answers(shapes, tmp_path):
    worse = tmp_path / "worse"
    shutil.copytree(shapes.run, worse)
    answers = read_answers(worse)
    right = [place for place, answer in enumerate(answers) if answer.is_right][:20]
    for place in right:
        one = answers[place]
        answers[place] = replace(one, found=(one.found[1], one.found[0], *one.found[2:]))
    write_answers(worse, answers)
    picture, page = tmp_path / "curves.png", tmp_path / "runs.html"
    words = ("runs", "compare", shapes.run, worse, "--output", picture, "--html", page, "--resamples", "200")
    table = tagbox_here(*words)
    assert table.code == 0, table.err
    assert re.search(r"run +step +pictures +top1 +top5 +top1 to first +p +top5 to first +p", table.out)
    first, second = json.loads(tagbox_here(*words, "--json").out)["runs"]
    results = RunDirectory(shapes.run).read_results()
    assert (first["top1"]["value"], first["difference"]) == (pytest.approx(results["top1"]), None)
    assert second["difference"]["top1"]["value"] == pytest.approx(-len(right) / len(answers))
    assert second["difference"]["p_top1"] == 1 / 201
    assert (second["difference"]["top5"]["value"], second["difference"]["p_top5"]) == (0, 1)
    assert second["not_comparable"] == ""
    with Image.open(picture) as drawn:
        assert (drawn.width, drawn.height) == (1210, 858)  # two rows of two charts
    text = page.read_text(encoding="utf-8")
    for words in ("Verification top-1", "Verification loss", "Training top-1", "top1 more", "worse has top1"):
        assert words in text
    assert "AP50" not in text


def test_a_classifier_and_a_detector_have_nothing_to_compare(shapes, tmp_path):
    other = tmp_path / "detector"
    shutil.copytree(shapes.run, other)
    config = (other / "config.yaml").read_text(encoding="utf-8")
    (other / "config.yaml").write_text(config.replace("cnn_classifier", "ssd_mobilenet_v1"), encoding="utf-8")
    answer = tagbox_here("runs", "compare", shapes.run, other, "--output", tmp_path / "curves.png")
    assert answer.code == 2
    assert "runs of different kinds cannot be compared" in answer.error_line
