"""Jobs beside a training: evaluation that follows it, TensorBoard, comparisons, files for the cloud."""

import json
import shutil
import threading
import urllib.error
import urllib.request

import pytest
import yaml
from PIL import Image

from collectors.errors import InputError
from pipelines.experiment import load_experiment
from pipelines.follow import follow
from pipelines.preflight import prepare
from pipelines.run_directory import RunDirectory
from pipelines.train import train
from scripts.board_process import board_beside
from tests.support.command import tagbox_here

pytestmark = pytest.mark.tf


# --- evaluation in another process ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def followed(workshop, tmp_path_factory):
    """A run that was only trained, and what a follower that began before it told and returned."""
    run = RunDirectory(tmp_path_factory.mktemp("followed") / "run")
    experiment = load_experiment(workshop.config, ["trainer.max_to_keep=4"])
    reports = []
    prepared = prepare(experiment, workshop.records)
    assert train(experiment, prepared, run, command=[], evaluates=False) == {}
    assert not run.evaluated_steps()
    results = follow(run, report=reports.append)
    return run, reports, results


def test_a_follower_evaluates_every_checkpoint_as_the_training_would_have(followed, workshop):
    run, reports, results = followed
    assert [report.step for report in reports] == [5, 10, 15, 20]
    alone = {row["step"]: row for row in RunDirectory(workshop.run).read_rows() if not row["loss"]}
    rows = {row["step"]: row for row in run.read_rows() if not row["loss"]}
    assert list(rows) == ["5", "10", "15", "20"]
    for step, row in alone.items():
        for name in ("AP", "AP50", "validation_loss"):
            assert float(rows[step][name]) == pytest.approx(float(row[name]), rel=1e-3, abs=1e-4)
    best = [report.step for report in reports if report.is_best][-1]
    assert results["step"] == best
    assert results == run.read_results()
    assert json.loads((run.best_checkpoints / "info.json").read_text())["best_ckpt_global_step"] == best
    assert len(list(run.best_checkpoints.glob("best_ckpt-*.index"))) == 1
    assert json.loads((run.path / "ground_truth.json").read_text())["images"]


def test_a_follower_writes_the_curves_and_pictures_of_validation(followed):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(followed[0].validation_events))
    events.Reload()
    for tag in ("DetectionBoxes_Precision/mAP@.50IOU", "Loss/total_loss", "eval_side_by_side_3"):
        assert [event.step for event in events.Tensors(tag)] == [5, 10, 15, 20]


def test_a_follower_that_comes_again_has_nothing_to_do_and_the_command_says_what_came_of_it(followed):
    run, _, results = followed
    before = run.read_rows()
    answer = tagbox_here("eval", run.path, "--follow", "--json")
    assert answer.code == 0, answer.err
    said = json.loads(answer.out)  # the mistakes beside the figures
    assert {name: said[name] for name in results} == results
    assert "the run has ended (done)" in answer.err
    assert (run.path / "report.html").is_file()
    assert run.read_rows() == before
    wrong = tagbox_here("eval", run.path, "--follow", "--checkpoint", "last")
    assert wrong.code == 2


def test_a_follower_waits_for_a_run_to_begin_until_it_is_stopped(tmp_path):
    stop = threading.Event()
    asked = []

    def should_stop():
        asked.append(1)
        return len(asked) > 3 or stop.is_set()

    assert follow(RunDirectory(tmp_path / "run"), should_stop=should_stop, poll_s=0.01) == {}


def test_a_follower_of_a_training_that_was_killed_says_so(followed, tmp_path):
    run = RunDirectory(shutil.copytree(followed[0].path, tmp_path / "run"))
    run.write_status("running", step=20, total_steps=40)
    status = run.path / "status.json"
    status.write_text(json.dumps(json.loads(status.read_text()) | {"pid": 2**22 + 1}))
    with pytest.raises(InputError, match=r"is gone.*Run the training command again"):
        follow(run)


# --- TensorBoard beside a training ----------------------------------------------------------------------------------


def test_the_board_is_there_while_the_block_runs_and_gone_after_it(workshop):
    def is_there(address):
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:
                return answer.status == 200
        except (urllib.error.URLError, ConnectionError):
            return False

    waiting = threading.Event()
    with board_beside(workshop.run.parent) as address:
        for _ in range(300):
            if is_there(address):
                break
            waiting.wait(0.3)
        assert is_there(address)
    assert not is_there(address)


# --- runs -----------------------------------------------------------------------------------------------------------


def test_runs_are_listed_shown_and_compared(workshop, followed, tmp_path):
    listed = tagbox_here("runs", "list", workshop.run.parent, "--json")
    assert [(run["name"], run["state"], run["step"]) for run in json.loads(listed.out)] == [("tiny", "done", 20)]
    assert "tiny" in tagbox_here("runs", "list", workshop.run.parent).out
    shown = tagbox_here("runs", "show", workshop.run)
    assert shown.code == 0, shown.err
    assert "task.model.backbone.depth_multiplier" in shown.out
    assert "tiny.yaml:" in shown.out
    picture = tmp_path / "curves.png"
    words = ("runs", "compare", workshop.run, followed[0].path, "--output", picture, "--resamples", "100")
    table = tagbox_here(*words)
    assert table.code == 0, table.err
    assert "tiny" in table.out
    compared = json.loads(tagbox_here(*words, "--json").out)["runs"]
    assert compared[0]["AP50"]["value"] == pytest.approx(RunDirectory(workshop.run).read_results()["AP50"], abs=1e-9)
    assert compared[0]["difference"] is None
    assert compared[1]["not_comparable"] == ""
    assert compared[1]["difference"]["AP50"]["value"] is not None
    with Image.open(picture) as drawn:
        assert drawn.width > 3 * 300
    missing = tagbox_here("runs", "compare", workshop.run, tmp_path / "nothing", "--output", picture)
    assert missing.code == 6


# --- files for the cloud --------------------------------------------------------------------------------------------


def _cloud(config, *words):
    given = (
        "--image",
        "registry.example/project/tagbox",
        "--records",
        "gs://bucket/records",
        "--output",
        "gs://bucket/out",
    )
    return tagbox_here("cloud", "job", config, *given, *words)


def test_a_config_becomes_a_job_for_gcloud_or_the_rest_interface(workshop, tmp_path):
    answer = _cloud("ssd_mobilenet_v1", "--set", "trainer.train_steps=100")
    assert answer.code == 0, answer.err
    (pool,) = yaml.safe_load(answer.out)["workerPoolSpecs"]
    assert pool["containerSpec"]["args"] == [
        "train", "ssd_mobilenet_v1", "--run", "/gcs/bucket/out/run", "--records", "/gcs/bucket/records",
        "--set", "trainer.train_steps=100",
    ]  # fmt: skip
    assert "gcloud ai custom-jobs create" in answer.err

    own = _cloud(workshop.config, "--rest", "--format", "json", "--workers", "3", "--out", tmp_path / "job.json")
    assert own.code == 0, own.err
    assert own.out == ""
    assert "gcloud storage cp" in own.err
    job = json.loads((tmp_path / "job.json").read_text())
    assert job["displayName"] == "tiny"
    assert [spec["replicaCount"] for spec in job["jobSpec"]["workerPoolSpecs"]] == [1, 3]
    assert job["jobSpec"]["workerPoolSpecs"][1]["containerSpec"]["args"][1] == "/gcs/bucket/out/tiny.yaml"


def test_a_job_that_could_not_run_is_not_written(workshop, tmp_path):
    old = tmp_path / "cloud.yml"
    old.write_text("trainingInput: {scaleTier: CUSTOM, masterType: standard_gpu, workerType: standard, workerCount: 5}")
    answer = _cloud(workshop.config, "--cloud-yml", old, "--out", tmp_path / "job.yaml")
    assert answer.code == 2
    assert "which 6 machines cannot share evenly. Add --set task.train_data.global_batch_size=6" in answer.error_line
    assert not (tmp_path / "job.yaml").exists()
    above = tmp_path / "above.yaml"
    above.write_text(f"extends: {workshop.config}\n")
    alone = _cloud(above)
    assert alone.code == 2
    assert (
        f"which the machines do not have. Write one file: tagbox config show {above} > whole.yaml" in alone.error_line
    )
    wrong = _cloud(workshop.config, "--machine", "huge")
    assert wrong.code == 2
    assert "machineType is 'huge'" in wrong.error_line
