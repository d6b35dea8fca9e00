"""A run from its first step to its last: the folder it leaves, what it can be asked, and how it goes on."""

import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from collectors.errors import ConfigError
from labeling.drawing import TRUTH_COLOR
from pipelines.experiment import load_experiment
from pipelines.preflight import prepare
from pipelines.run_directory import RunDirectory
from pipelines.train import train
from pipelines.training_progress import InterruptedRunError
from tests.support.tiny_training import HEIGHT, WIDTH

pytestmark = pytest.mark.tf


def _train(workshop, run, *overrides, stop_at=None, reports=None):
    """Train as the command does; ``stop_at`` asks for a stop once that step is reached."""
    experiment = load_experiment(workshop.config, overrides)
    seen = [] if reports is None else reports
    return train(
        experiment, prepare(experiment, workshop.records), RunDirectory(run), command=["tagbox", "train"],
        report=seen.append, should_stop=lambda: stop_at is not None and bool(seen) and seen[-1].step >= stop_at,
    )  # fmt: skip


def _steps(run):
    """The steps of results.csv: those of training, and those of evaluation."""
    rows = RunDirectory(run).read_rows()
    return [int(row["step"]) for row in rows if row["loss"]], [int(row["step"]) for row in rows if row["AP50"]]


# --- the folder -----------------------------------------------------------------------------------------------------


def test_the_folder_holds_what_the_design_promises(workshop):
    names = {str(path.relative_to(workshop.run)) for path in workshop.run.rglob("*")}
    for name in (
        "config.yaml", "environment.json", "status.json", "train.log", "results.csv", "results.json",
        "label_map.pbtxt", "ground_truth.json", "detections.json",
    ):  # fmt: skip
        assert name in names
    assert {"checkpoints/last/ckpt-20.index", "checkpoints/last/ckpt-15.index"} <= names
    assert sum(bool(re.fullmatch(r"checkpoints/best/best_ckpt-\d+\.index", name)) for name in names) == 1
    for folder in ("train", "validation"):
        assert any(name.startswith(f"{folder}/events.out.tfevents.") for name in names)
    assert not [name for name in names if name.endswith(".tmp")]


def test_the_status_says_done(workshop):
    status = RunDirectory(workshop.run).read_status()
    assert (status["state"], status["step"], status["total_steps"]) == ("done", 20, 20)
    assert 0 <= status["AP50"] <= 1


def test_rows_are_in_order_and_each_stands_once(workshop):
    assert _steps(workshop.run) == ([5, 10, 15, 20], [10, 20])
    rows = [row for row in RunDirectory(workshop.run).read_rows() if row["loss"]]
    losses = [float(row["loss"]) for row in rows]
    assert losses[-1] < losses[0]  # it learns
    for row in rows:
        parts = [float(row[f"{name}_loss"]) for name in ("classification", "localization", "regularization")]
        assert float(row["loss"]) == pytest.approx(sum(parts), rel=1e-3)
    assert float(rows[-1]["learning_rate"]) < float(rows[1]["learning_rate"])
    assert all(0 <= float(row["input_wait_share"]) <= 1 for row in rows)


def test_the_results_have_the_keys_of_the_design(workshop):
    results = RunDirectory(workshop.run).read_results()
    assert {"AP", "AP50", "AP75", "AR100", "per_class", "num_images", "step", "checkpoint"} <= set(results)
    assert results["num_images"] == 4
    assert set(results["per_class"]) == {"disc", "square"}
    assert set(results["per_class"]["disc"]) == {"AP", "AP50", "AR100", "num_truth"}
    assert results["per_class"]["disc"]["num_truth"] == 2


def test_the_config_of_the_run_is_the_whole_config(workshop):
    text = (workshop.run / "config.yaml").read_text()
    assert text.startswith("experiment: ssd_mobilenet_v1\n")
    assert re.search(r"num_classes: 2  # .*label_map\.pbtxt\n", text)
    assert re.search(r"train_steps: 20  # tiny\.yaml:\d+\n", text)
    again = load_experiment(workshop.run / "config.yaml")
    assert again.params.task.model.num_classes == 2


def test_the_saved_detections_give_the_saved_figures(workshop):
    """What stands in ground_truth.json and detections.json is enough to compute the figures again, anywhere."""
    import contextlib
    import io

    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(workshop.run / "ground_truth.json"))
        evaluation = COCOeval(truth, truth.loadRes(str(workshop.run / "detections.json")), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    results = RunDirectory(workshop.run).read_results()
    assert results["AP"] == pytest.approx(evaluation.stats[0])
    assert results["AP50"] == pytest.approx(evaluation.stats[1])


def test_tensorboard_finds_the_scalars(workshop):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    tags = {}
    for part in ("train", "validation"):
        events = EventAccumulator(str(workshop.run / part))
        events.Reload()
        for tag in events.Tags()["tensors"]:
            tags[f"{part}/{tag}"] = [event.step for event in events.Tensors(tag)]
    losses = [f"Loss/{part}_loss" for part in ("total", "classification", "localization", "regularization")]
    for tag in (*losses, "learning_rate", "steps_per_second", "input_wait_share"):
        assert tags[f"train/{tag}"] == [5, 10, 15, 20], tags
    precisions = ["DetectionBoxes_Precision/mAP", "DetectionBoxes_Precision/mAP@.50IOU", "DetectionBoxes_Recall/AR@100"]
    by_class = [f"PascalBoxes_PerformanceByCategory/AP@0.5IOU/{name}" for name in ("disc", "square")]
    pictures = [f"eval_side_by_side_{number}" for number in range(4)]
    for tag in (*precisions, *by_class, "PascalBoxes_Precision/mAP@0.5IOU", "Loss/total_loss", *pictures):
        assert tags[f"validation/{tag}"] == [10, 20], tags


def test_tensorboard_shows_pictures_with_the_truth_left_and_the_detections_right(workshop):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(workshop.run / "validation"))
    events.Reload()
    width, height, encoded = events.Tensors("eval_side_by_side_0")[-1].tensor_proto.string_val
    with Image.open(io.BytesIO(encoded)) as picture:
        pixels = np.asarray(picture.convert("RGB"), np.int16)
    assert (int(width), int(height)) == (picture.width, picture.height) == (2 * WIDTH + 6, HEIGHT)
    left = np.abs(pixels[:, :WIDTH] - np.asarray(TRUTH_COLOR)).sum(axis=-1)
    assert (left < 10).sum() > 50  # the frame of the one true box


# --- going on -------------------------------------------------------------------------------------------------------


def test_a_stopped_run_goes_on_where_it_was_left(workshop, tmp_path, capfd):
    run = tmp_path / "run"
    capfd.readouterr()
    with pytest.raises(InterruptedRunError, match=r"stopped at step 5 of 20; the state is saved.*same command"):
        _train(workshop, run, "trainer.checkpoint_interval=20", stop_at=5)  # in the third epoch
    assert (run / "checkpoints" / "last" / "ckpt-5.index").is_file()
    status = RunDirectory(run).read_status()
    assert (status["state"], status["step"]) == ("interrupted", 5)
    assert _steps(run) == ([5], [])
    reports = []
    results = _train(workshop, run, reports=reports)
    assert [report.step for report in reports] == [10, 15, 20]
    assert _steps(run) == ([5, 10, 15, 20], [10, 20])
    assert RunDirectory(run).read_status()["state"] == "done"
    assert results == RunDirectory(run).read_results()
    # The same batches, rates and figures as the run that was never stopped, but for the order of sums.
    whole, resumed = (RunDirectory(one).read_rows() for one in (workshop.run, run))
    for name in ("loss", "classification_loss", "localization_loss", "learning_rate", "AP50", "AP", "validation_loss"):
        (first, second) = ([float(row[name]) for row in rows if row[name]] for rows in (whole, resumed))
        assert second == pytest.approx(first, rel=1e-4, abs=1e-5), name

    # What Model Garden says goes into the log, and stdout is for the command's own data.
    assert capfd.readouterr().out == ""
    assert "restored from checkpoint" in (run / "train.log").read_text()

    # Again: nothing is left to do, and nothing is done.
    before = {path: path.stat().st_mtime_ns for path in run.glob("checkpoints/*/*")}
    reports.clear()
    assert _train(workshop, run, reports=reports) == results
    assert reports == []
    assert {path: path.stat().st_mtime_ns for path in run.glob("checkpoints/*/*")} == before
    assert RunDirectory(run).read_status()["state"] == "done"

    # More steps than before.
    _train(workshop, run, "trainer.train_steps=25", reports=reports)
    assert [report.step for report in reports] == [25]
    assert _steps(run) == ([5, 10, 15, 20, 25], [10, 20, 25])


def test_rows_of_steps_that_were_lost_with_a_kill_are_done_again(workshop, tmp_path):
    run = workshop.copy_run(tmp_path / "run")
    # As after a kill at step 18: the newest checkpoint is that of step 15.
    for path in (run / "checkpoints" / "last").glob("ckpt-20.*"):
        path.unlink()
    state = run / "checkpoints" / "last" / "checkpoint"
    state.write_text(state.read_text().replace("ckpt-20", "ckpt-15"))
    RunDirectory(run).write_status("running", step=15, total_steps=20)
    reports = []
    _train(workshop, run, reports=reports)
    assert [report.step for report in reports] == [20]
    assert _steps(run) == ([5, 10, 15, 20], [10, 20])


def test_a_run_that_was_killed_in_its_last_evaluation_is_evaluated(workshop, tmp_path):
    run = RunDirectory(workshop.copy_run(tmp_path / "run"))
    run.drop_rows_after(15)
    run.append_row({"step": 20, "loss": "3.0"})
    run.write_status("running", step=20, total_steps=20)
    for path in run.best_checkpoints.iterdir():
        path.unlink()
    (run.path / "results.json").unlink()
    reports = []
    results = _train(workshop, run.path, reports=reports)
    assert reports == []
    assert results["step"] == 20
    assert run.read_status()["state"] == "done"
    assert _steps(run.path)[1] == [10, 20]
    assert list(run.best_checkpoints.glob("best_ckpt-*.index"))


def test_a_second_ctrl_c_before_the_first_checkpoint_is_an_interruption_and_no_failure(workshop, tmp_path):
    run = RunDirectory(tmp_path / "run")

    def pull_the_plug(_):
        raise KeyboardInterrupt

    experiment = load_experiment(workshop.config)
    with pytest.raises(KeyboardInterrupt):
        train(
            experiment, prepare(experiment, workshop.records), run, command=[], report=pull_the_plug,
        )  # fmt: skip
    status = run.read_status()
    assert (status["state"], status["step"]) == ("interrupted", 0)


# --- refusals -------------------------------------------------------------------------------------------------------


def _content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_folder_of_another_experiment_is_refused_and_stays_as_it_is(workshop, tmp_path, monkeypatch):
    from official.core import exp_factory

    import pipelines.detection.experiments as registered

    # A second experiment, registered for this test.
    name = "ssd_mobilenet_v1_for_a_test"
    if name not in exp_factory._REGISTERED_CONFIGS:
        exp_factory.register_config_factory(name)(lambda: exp_factory.get_exp_config("ssd_mobilenet_v1"))
    monkeypatch.setattr(registered, "NAMES", (*registered.NAMES, name))
    run = workshop.copy_run(tmp_path / "run")
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("experiment: ssd_mobilenet_v1\n", f"experiment: {name}\n"))
    before = _content(run)
    with pytest.raises(ConfigError, match=rf"holds a run of `{name}`, not of `ssd_mobilenet_v1`.*another folder"):
        _train(workshop, run)
    assert _content(run) == before


def test_a_run_of_another_network_is_refused_and_stays_as_it_is(workshop, tmp_path):
    run = workshop.copy_run(tmp_path / "run")
    before = _content(run)
    with pytest.raises(ConfigError, match=r"another network: task\.model\.backbone\.depth_multiplier is 0\.25 there"):
        _train(workshop, run, "task.model.backbone.depth_multiplier=0.5")
    assert _content(run) == before


def test_a_folder_with_other_files_is_refused_and_stays_as_it_is(workshop, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(ConfigError, match="has files in it but is not a run"):
        _train(workshop, tmp_path)
    assert _content(tmp_path) == {tmp_path / "thesis.tex": b"mine"}


# --- Model Garden's own driver ----------------------------------------------------------------------------------------


def test_model_gardens_driver_trains_and_evaluates_the_registered_experiment(workshop, tmp_path):
    """The experiment and its task are TFM's: its own `run_experiment` takes them as they are."""
    import tensorflow as tf
    from official.core import exp_factory, task_factory, train_lib

    params = exp_factory.get_exp_config("ssd_mobilenet_v1")
    params.override(load_experiment(workshop.run / "config.yaml").params.as_dict(), is_strict=False)
    params.trainer.train_steps = params.trainer.validation_interval = 4
    params.trainer.steps_per_loop = params.trainer.summary_interval = params.trainer.checkpoint_interval = 4
    params.task.train_data.input_path = [str(path) for path in sorted(workshop.records.glob("*_training.record"))]
    params.task.validation_data.input_path = [str(p) for p in sorted(workshop.records.glob("*_verification.record"))]
    for mode in ("train_and_eval", "eval"):
        task = task_factory.get_task(params.task, logging_dir=str(tmp_path))
        task.class_names = {1: "disc", 2: "square"}
        train_lib.run_experiment(
            distribution_strategy=tf.distribute.get_strategy(), task=task, mode=mode, params=params,
            model_dir=str(tmp_path),
        )  # fmt: skip
        assert task.evaluation["num_images"] == 4
        assert 0 <= task.evaluation["AP50"] <= 1
    assert (tmp_path / "ckpt-4.index").is_file()
    assert json.loads((tmp_path / "checkpoints" / "best" / "info.json").read_text())["best_ckpt_global_step"] == 4.0
