"""Training that cannot end well: each time one clear line, the right exit code, and the run as it was."""

import contextlib
import resource
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from collectors.errors import InputError
from pipelines.checkpoint_files import checkpoints_in, problem_of
from pipelines.evaluate import stored_experiment
from pipelines.experiment import load_experiment
from pipelines.preflight import prepare
from pipelines.run_directory import RunDirectory
from pipelines.train import train
from records.example import BytesList
from tests.support.command import tagbox_here
from tests.support.od_api_records import encode_picture, od_example, write_records
from tests.support.tiny_training import make_records

pytestmark = pytest.mark.tf


def _train(workshop, run, *words, records=None):
    return tagbox_here("train", workshop.config, "--run", run, "--records", records or workshop.records, *words)


def _losses(run):
    return [float(row["loss"]) for row in run.read_rows() if row["loss"]]


def _newest(run):
    return checkpoints_in(run.last_checkpoints)[-1]


def test_a_loss_that_blows_up_says_what_to_do(workshop, tmp_path):
    run = RunDirectory(tmp_path / "run")
    rate = "trainer.optimizer_config.learning_rate.cosine.initial_learning_rate=1e9"
    clip = "trainer.optimizer_config.optimizer.sgd.global_clipnorm=null"
    answer = _train(workshop, run.path, "--set", rate, "--set", clip, "--set", "trainer.checkpoint_interval=20")
    assert answer.code == 2, answer.err
    assert "training blew up" in answer.error_line
    assert "Usual causes: a rate too high (trainer.optimizer_config.learning_rate.cosine is 1000000000.0)" in (
        answer.error_line
    )
    status = run.read_status()
    assert status["state"] == "failed"
    assert "blew up" in status["error"]
    # The same folder can be used again with a better rate: no broken weights were kept.
    answer = _train(workshop, run.path, "--set", "trainer.train_steps=5")
    assert answer.code == 0, answer.err
    assert run.read_status()["state"] == "done"
    assert "nan" not in (run.path / "results.csv").read_text()


def test_a_loss_that_blows_up_keeps_the_last_good_checkpoint(workshop, tmp_path):
    """Weights that are not numbers were saved before the loss told: they are not gone on from."""
    run = RunDirectory(workshop.copy_run(tmp_path / "run"))
    rate = "trainer.optimizer_config.learning_rate.cosine.initial_learning_rate=1e18"
    words = ("--set", rate, "--set", "trainer.optimizer_config.optimizer.sgd.global_clipnorm=null")
    words += ("--set", "trainer.steps_per_loop=1", "--set", "trainer.checkpoint_interval=1")
    answer = _train(workshop, run.path, *words, "--set", "trainer.train_steps=40")
    assert answer.code == 2, answer.err
    assert "is sound and is gone on from" in answer.error_line
    sound = run.read_status()["step"]
    assert sound >= 20
    assert _newest(run)[0] == sound
    assert problem_of(_newest(run)[1]) == ""


def test_without_verification_pictures_a_run_trains_and_says_that_it_is_not_evaluated(workshop, tmp_path):
    records = shutil.copytree(workshop.records, tmp_path / "records")
    for path in records.glob("*_verification.record"):
        path.unlink()
    run = tmp_path / "run"
    answer = _train(workshop, run, "--set", "trainer.train_steps=5", "--json", records=records)
    assert answer.code == 0, answer.err
    assert "there is no verification record: the run will not be evaluated" in answer.err
    assert answer.out.strip() == "{}"
    assert RunDirectory(run).read_status()["state"] == "done"
    assert not (run / "results.json").exists()

    again = _train(workshop, run, "--set", "trainer.train_steps=5", records=records)
    assert again.code == 0, again.err

    refused = tagbox_here("eval", run)
    assert refused.code == 6
    assert "has no verification records" in refused.error_line
    # What was trained can be used and judged on other records all the same.
    elsewhere = tagbox_here("eval", run, "--records", workshop.records / "*_verification.record", "--json")
    assert elsewhere.code == 0, elsewhere.err
    assert '"num_images": 4' in elsewhere.out


def test_one_picture_is_enough_to_train_on(workshop, tmp_path):
    records = make_records(tmp_path, labels=("disc",), training=1, verification=1)
    answer = _train(workshop, tmp_path / "run", "--set", "trainer.train_steps=3", records=records)
    assert answer.code == 0, answer.err
    assert "only 1 training pictures for batches of 4: each batch repeats some" in answer.err
    assert "1 training and 1 verification pictures, 1 class: disc" in answer.err
    assert "note: training starts from random weights; give trained ones with --init" in answer.err


def test_pictures_without_any_box_train(workshop, tmp_path):
    picture = Image.fromarray(np.zeros((40, 40, 3), np.uint8))
    records = tmp_path / "records"
    for split in ("training", "verification"):
        write_records(records / f"a_{split}.record", [od_example(picture, source_id=str(n)) for n in range(5)])
    (records / "label_map.pbtxt").write_text("item { id: 1 name: 'a' }")
    answer = _train(workshop, tmp_path / "run", "--set", "trainer.train_steps=3", "--json", records=records)
    assert answer.code == 0, answer.err
    assert "class `a` has no box in the training records: it cannot be learned" in answer.err
    assert '"AP50": null' in answer.out


def _records_of_one_class(folder, examples):
    write_records(folder / "thing_training.record", examples)
    (folder / "label_map.pbtxt").write_text("item { id: 1 name: 'thing' }")
    return folder


def test_a_picture_that_is_none_is_refused_before_the_first_step(workshop, tmp_path):
    picture = Image.fromarray(np.zeros((40, 40, 3), np.uint8))
    sound = od_example(picture, [(0.1, 0.1, 0.5, 0.5)], [1])
    broken = od_example(picture, [(0.1, 0.1, 0.5, 0.5)], [1], image__encoded=BytesList((b"\xff\xd8\xff no picture",)))
    records = _records_of_one_class(tmp_path / "records", [sound, sound, broken])
    answer = _train(workshop, tmp_path / "run", records=records)
    assert answer.code == 6, answer.err
    assert "thing_training.record: picture 2 (" in answer.error_line
    assert "cannot be opened" in answer.error_line
    assert not (tmp_path / "run").exists()


def test_a_picture_that_tensorflow_cannot_decode_ends_the_run_with_one_line(workshop, tmp_path):
    picture = Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 40, 3), np.uint8))
    cut = encode_picture(picture, "JPEG")
    example = od_example(picture, [(0.1, 0.1, 0.5, 0.5)], [1], image__encoded=BytesList((cut[: len(cut) // 2],)))
    answer = _train(workshop, tmp_path / "run", records=_records_of_one_class(tmp_path / "records", [example] * 4))
    assert answer.code == 6, answer.err
    assert "TensorFlow stopped" in answer.error_line
    assert "tagbox records verify" in answer.error_line
    assert RunDirectory(tmp_path / "run").read_status()["state"] == "failed"


def test_a_record_that_becomes_unreadable_in_the_middle_is_named(workshop, tmp_path):
    """The disk breaks after the fifth step; the record comes back, and the same command goes on."""
    records = shutil.copytree(workshop.records, tmp_path / "records")
    path = records / "square_training.record"
    whole = path.read_bytes()
    run, experiment = RunDirectory(tmp_path / "run"), load_experiment(workshop.config)

    reported = []

    def break_the_record():
        if reported:  # it is asked before the first step, too
            path.write_bytes(whole[: len(whole) // 2])
        return False

    with pytest.raises(InputError, match=r"became unreadable while training read it.*the same command again") as caught:
        train(
            experiment, prepare(experiment, records), run, command=[], report=reported.append,
            should_stop=break_the_record,
        )  # fmt: skip
    assert str(path) in str(caught.value)
    status = run.read_status()
    assert (status["state"], status["step"] >= 5) == ("failed", True)
    path.write_bytes(whole)
    answer = _train(workshop, run.path, records=records)
    assert answer.code == 0, answer.err
    assert f"going on at step {status['step']} of 20" in answer.err
    losses = [
        [float(row["loss"]) for row in one.read_rows() if row["loss"]] for one in (run, RunDirectory(workshop.run))
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


# --- checkpoints that are not what they were --------------------------------------------------------------------------


def test_a_checkpoint_that_was_cut_in_half_gives_way_to_the_one_before(workshop, tmp_path):
    run = RunDirectory(workshop.copy_run(tmp_path / "run"))
    step, prefix = _newest(run)
    assert step == 20
    data = prefix.with_name(f"{prefix.name}.data-00000-of-00001")
    data.write_bytes(data.read_bytes()[: data.stat().st_size // 2])
    answer = _train(workshop, run.path)
    assert answer.code == 0, answer.err
    assert "the checkpoint of step 20 is set aside, it cannot be used" in answer.err
    assert "going back to the checkpoint of step 15" in answer.err
    assert data.with_name(f"{data.name}.damaged").is_file()
    assert _losses(run) == pytest.approx(_losses(RunDirectory(workshop.run)), rel=1e-4)


def test_when_every_checkpoint_is_damaged_nothing_is_trained_over_it(workshop, tmp_path):
    run = RunDirectory(workshop.copy_run(tmp_path / "run"))
    for _, prefix in checkpoints_in(run.last_checkpoints):
        prefix.with_name(f"{prefix.name}.data-00000-of-00001").write_bytes(b"")
    answer = _train(workshop, run.path)
    assert answer.code == 6, answer.err
    assert "no checkpoint of this run can be read" in answer.error_line
    assert "Remove that folder to begin again" in answer.error_line
    assert list(run.best_checkpoints.glob("best_ckpt-*.index"))


def test_a_run_folder_on_another_machine_goes_on_with_the_records_there(workshop, tmp_path):
    """The folder and the records were copied; every path in the config is that of the old machine."""
    run = RunDirectory(workshop.copy_run(tmp_path / "elsewhere" / "run"))
    records = shutil.copytree(workshop.records, tmp_path / "elsewhere" / "records")
    gone = "/no/such/machine/records"
    text = run.config_path.read_text().replace(str(workshop.records), gone)
    text = text.replace("init_checkpoint: ''", "init_checkpoint: /no/such/machine/weights.npz")
    run.config_path.write_text(text)
    words = ("train", run.config_path, "--run", run.path, "--records")
    lost = tagbox_here(*words, tmp_path / "nothing")
    assert lost.code == 6
    assert gone in lost.error_line
    answer = tagbox_here(*words, records, "--set", "trainer.train_steps=25")
    assert answer.code == 0, answer.err
    assert f"the records are no longer in {gone}; those in {records} are taken" in answer.err
    assert "the run's own copy is taken" in answer.err
    assert "going on at step 20 of 25" in answer.err
    assert RunDirectory(run.path).read_status()["step"] == 25
    assert tagbox_here("eval", run.path).code == 0


def test_other_classes_on_an_old_run_are_refused(workshop, tmp_path):
    run = RunDirectory(workshop.copy_run(tmp_path / "run"))
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    answer = _train(workshop, run.path, "--set", "task.model.num_classes=3")
    assert answer.code == 2, answer.err
    assert "task.model.num_classes is 2 there and 3 now (--set)" in answer.error_line
    assert "Choose another folder with --run" in answer.error_line
    assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == before


def test_boxes_that_are_no_boxes_do_not_stop_a_run(workshop, tmp_path):
    picture = Image.fromarray(np.full((60, 80, 3), 200, np.uint8))
    boxes = [(0.5, 0.5, 0.5, 0.5), (0.9, 0.9, 0.1, 0.1), (-1.0, -1.0, 2.0, 2.0), (0.2, 0.2, 0.6, 0.6)]
    records = tmp_path / "records"
    for split in ("training", "verification"):
        write_records(records / f"thing_{split}.record", [od_example(picture, boxes, [1] * 4)] * 4)
    (records / "label_map.pbtxt").write_text("item { id: 1 name: 'thing' }")
    words = ["--set", "trainer.train_steps=5", "--set", "task.train_data.augmentation.ssd_crop=true"]
    answer = _train(workshop, tmp_path / "run", *words, "--json", records=records)
    assert answer.code == 0, answer.err
    assert '"num_images": 4' in answer.out  # four pictures under one name are four pictures


def test_weights_that_do_not_fit_end_in_one_line(workshop, tmp_path):
    np.savez(tmp_path / "foreign.npz", conv1=np.zeros(3))
    answer = _train(workshop, tmp_path / "run", "--init", tmp_path / "foreign.npz")
    assert answer.code == 6, answer.err
    assert "foreign.npz: has no variable of this MobileNet v1 detector" in answer.error_line
    assert RunDirectory(tmp_path / "run").read_status()["step"] == 0


# --- full disks -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _no_file_larger_than(size):
    """Let every write beyond ``size`` bytes of a file fail, as a quota does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def small_disk(tmp_path):
    """A file system of sixteen megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system is not allowed here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def _checkpoints(run):
    return {path: path.read_bytes() for path in run.path.glob("checkpoints/*/*")}


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(workshop, tmp_path):
    run = RunDirectory(workshop.copy_run(tmp_path / "run"))
    before, more = _checkpoints(run), ("--set", "trainer.train_steps=30")
    with _no_file_larger_than(200_000):
        answer = _train(workshop, run.path, *more)
    assert answer.code == 6, answer.err
    assert "cannot write a checkpoint: File too large. Free some space" in answer.error_line
    assert _checkpoints(run) == before
    status = run.read_status()
    assert (status["state"], status["step"]) == ("failed", 20)

    answer = _train(workshop, run.path, *more, "--init", workshop.copy_run(tmp_path / "other"))
    assert answer.code == 0, answer.err
    assert "going on at step 20 of 30" in answer.err
    assert "--init has no effect, this run has weights of its own" in answer.err
    assert stored_experiment(run).params.task.init_checkpoint == ""
    assert [int(row["step"]) for row in run.read_rows() if row["loss"]] == [5, 10, 15, 20, 25, 30]


def test_a_full_disk_leaves_what_was_there(workshop, small_disk):
    run = RunDirectory(workshop.copy_run(small_disk / "run"))
    before, rows = _checkpoints(run), run.read_rows()
    _fill(small_disk)
    answer = _train(workshop, run.path, "--set", "trainer.train_steps=30")
    assert answer.code == 6, answer.err
    assert "No space left on device. Free some space" in answer.error_line
    assert _checkpoints(run) == before
    assert run.read_rows()[: len(rows)] == rows
    assert run.read_results()["num_images"] == 4
    assert not list(run.path.glob("*.tmp"))
    assert "experiment: ssd_mobilenet_v1" in run.config_path.read_text()


def _fill(disk):
    for size in (1 << 16, 1 << 9):
        with contextlib.suppress(OSError), (disk / "filler").open("ab", buffering=0) as stream:
            while stream.write(b"\0" * size):
                pass
    assert shutil.disk_usage(disk).free == 0
