"""`tagbox config`, `train` and `eval` as people call them: what they print where, and their exit codes."""

import json
import shutil

import pytest
import tensorflow as tf

from pipelines.run_directory import RunDirectory
from tests.support.command import tagbox_here

pytestmark = pytest.mark.tf


def test_a_misspelt_key_names_the_nearest_and_the_line(workshop, tmp_path):
    config = tmp_path / "mine.yaml"
    config.write_text(workshop.config.read_text().replace("  train_steps: 20", "  train_stepps: 20"))
    for words in (
        ("train", config, "--run", tmp_path / "run", "--records", workshop.records),
        ("config", "check", config),
    ):
        answer = tagbox_here(*words)
        assert answer.code == 2
        line = config.read_text().splitlines().index("  train_stepps: 20") + 1
        assert answer.error_line == (
            f"error: mine.yaml:{line}: there is no key `trainer.train_stepps`. Did you mean `trainer.train_steps`?"
        )
    assert not (tmp_path / "run").exists()


def test_a_missing_record_exits_with_6_and_the_command_that_builds_it(workshop, tmp_path):
    answer = tagbox_here("train", workshop.config, "--run", tmp_path / "run", "--records", tmp_path / "none")
    assert answer.code == 6
    assert f"tagbox records build DATA --out {tmp_path / 'none'}" in answer.error_line
    assert not (tmp_path / "run").exists()


def test_a_class_in_the_records_and_not_in_the_label_map_exits_with_2(workshop, tmp_path):
    records = shutil.copytree(workshop.records, tmp_path / "records")
    (records / "label_map.pbtxt").write_text("item { id: 1 name: 'disc' }\n")
    answer = tagbox_here("train", workshop.config, "--run", tmp_path / "run", "--records", records)
    assert answer.code == 2
    assert "class id 2 (square), which is not in the label map" in answer.error_line
    assert not (tmp_path / "run").exists()


def test_a_damaged_record_exits_with_6_and_its_place(workshop, tmp_path):
    records = shutil.copytree(workshop.records, tmp_path / "records")
    path = records / "square_training.record"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    answer = tagbox_here("train", workshop.config, "--run", tmp_path / "run", "--records", records)
    assert answer.code == 6
    assert str(path) in answer.error_line
    assert "byte" in answer.error_line


def test_a_folder_of_another_network_exits_with_2(workshop):
    before = RunDirectory(workshop.run).read_status()
    answer = tagbox_here("train", "demo", "--run", workshop.run, "--records", workshop.records)
    assert answer.code == 2
    assert "this folder holds a run of another network" in answer.error_line
    assert RunDirectory(workshop.run).read_status() == before


def test_a_run_that_is_done_says_so_and_gives_its_figures_again(workshop, tmp_path):
    run = workshop.copy_run(tmp_path / "run")
    answer = tagbox_here("train", workshop.config, "--run", run, "--records", workshop.records, "--json")
    assert answer.code == 0, answer.err
    assert "this run has its 20 steps already; for more: --set trainer.train_steps=40" in answer.err
    assert json.loads(answer.out) == RunDirectory(workshop.run).read_results()


def test_eval_prints_tables_or_json_and_writes_the_report(workshop, tmp_path):
    run = workshop.copy_run(tmp_path / "run")
    table = tagbox_here("eval", run)
    assert table.code == 0, table.err
    assert "AP50" in table.out
    assert "disc" in table.out
    assert f"report: {run / 'report.html'}" in table.err
    assert (run / "report.html").is_file()
    assert "starting TensorFlow" not in table.out
    answer = tagbox_here("eval", run, "--checkpoint", "last", "--json")
    results = json.loads(answer.out)
    assert results["step"] == 20
    assert results["checkpoint"] == "last"
    assert results["num_images"] == 4


def test_eval_of_what_is_no_run(workshop, tmp_path):
    answer = tagbox_here("eval", tmp_path / "nowhere")
    assert answer.code == 6
    assert "is not the folder of a run" in answer.error_line
    assert "tagbox train CONFIG --run" in answer.error_line
    run = workshop.copy_run(tmp_path / "run")
    shutil.rmtree(run / "checkpoints")
    answer = tagbox_here("eval", run)
    assert answer.code == 6
    assert "this run has no checkpoint yet" in answer.error_line


def test_eval_on_other_records_leaves_the_run_alone(workshop):
    before = {path: path.stat().st_mtime_ns for path in workshop.run.rglob("*")}
    answer = tagbox_here("eval", workshop.run, "--records", workshop.records / "disc_verification.record", "--json")
    assert answer.code == 0, answer.err
    results = json.loads(answer.out)
    assert results["num_images"] == 2
    assert results["per_class"]["square"] == {"AP": None, "AP50": None, "AR100": None, "num_truth": 0}
    assert {path: path.stat().st_mtime_ns for path in workshop.run.rglob("*")} == before
    answer = tagbox_here("eval", workshop.run, "--records", workshop.records / "gone*.record")
    assert answer.code == 6
    assert "gone*.record" in answer.error_line


def test_a_picture_that_cannot_be_decoded_is_named_and_the_rest_is_judged(workshop, tmp_path):
    serialized = list(tf.data.TFRecordDataset(str(workshop.records / "disc_verification.record")).as_numpy_iterator())
    broken = tf.train.Example.FromString(serialized[0])
    picture = broken.features.feature["image/encoded"].bytes_list
    picture.value[0] = picture.value[0][:200]
    name = broken.features.feature["image/filename"].bytes_list.value[0].decode()
    with tf.io.TFRecordWriter(str(tmp_path / "some.record")) as writer:
        for content in (broken.SerializeToString(), *serialized[1:]):
            writer.write(content)
    answer = tagbox_here("eval", workshop.run, "--records", tmp_path / "some.record", "--json")
    assert answer.code == 5, answer.err
    results = json.loads(answer.out)
    assert results["num_images"] == len(serialized) - 1
    assert f"left out: {name} (example 0): cannot be decoded" in answer.err
    assert len(results["refused"]) == 1
    run = workshop.copy_run(tmp_path / "run")
    config = run / "config.yaml"
    config.write_text(
        config.read_text().replace(str(workshop.records / "disc_verification.record"), str(tmp_path / "some.record"))
    )
    answer = tagbox_here("eval", run)
    assert answer.code == 6
    assert f"pictures that cannot be decoded: 1, first {name}" in answer.error_line


def test_eval_of_a_run_whose_records_are_gone(workshop, tmp_path):
    run = workshop.copy_run(tmp_path / "run")
    config = run / "config.yaml"
    config.write_text(config.read_text().replace(str(workshop.records), str(tmp_path / "moved")))
    answer = tagbox_here("eval", run)
    assert answer.code == 6
    assert "the records to evaluate on are gone" in answer.error_line
    assert "--records" in answer.error_line


def test_a_run_is_judged_and_reported_without_its_training_records(workshop, tmp_path):
    run = workshop.copy_run(tmp_path / "run")
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("_training.record", "_gone.record"))
    answer = tagbox_here("eval", run)
    assert answer.code == 0, answer.err
    assert (run / "report.html").is_file()


def test_eval_with_a_checkpoint_that_is_not_there_or_damaged(workshop, tmp_path):
    answer = tagbox_here("eval", workshop.run, "--checkpoint", tmp_path / "ckpt-7")
    assert answer.code == 6
    assert "no such checkpoint" in answer.error_line
    run = workshop.copy_run(tmp_path / "run")
    for path in run.glob("checkpoints/best/*.data-*"):
        path.write_bytes(path.read_bytes()[:1000])
    answer = tagbox_here("eval", run)
    assert answer.code == 6
    assert "cannot load the checkpoint" in answer.error_line
    assert "--checkpoint last" in answer.error_line


@pytest.mark.parametrize("name", ["label_map.pbtxt", "config.yaml"])
def test_a_run_folder_that_lost_a_file(workshop, tmp_path, name):
    run = workshop.copy_run(tmp_path / "run")
    (run / name).unlink()
    answer = tagbox_here("eval", run)
    assert answer.code == 6
    assert str(run) in answer.error_line


def test_results_that_were_damaged_by_hand_do_not_stop_an_evaluation(workshop, tmp_path):
    run = workshop.copy_run(tmp_path / "run")
    (run / "results.json").write_text("{")
    assert tagbox_here("eval", run).code == 0
    (run / "environment.json").unlink()
    assert tagbox_here("eval", run).code == 0


def test_config_list_show_and_check(workshop, tmp_path):
    listed = json.loads(tagbox_here("config", "list", "--json").out)
    assert {entry["name"] for entry in listed} >= {"demo", "ssd_mobilenet_v1"}
    assert "from scratch" in tagbox_here("config", "list").out
    shown = tagbox_here("config", "show", "demo", "--set", "trainer.train_steps=7")
    assert shown.code == 0
    assert "  train_steps: 7  # --set\n" in shown.out
    (tmp_path / "again.yaml").write_text(shown.out)
    checked = tagbox_here("config", "check", tmp_path / "again.yaml")
    assert (checked.code, checked.out) == (0, "")
    assert "is sound: experiment ssd_mobilenet_v1" in checked.err
    with_records = tagbox_here("config", "check", workshop.config, "--records", workshop.records)
    assert with_records.code == 0
    missing = tagbox_here("config", "check", workshop.config, "--records", tmp_path)
    assert missing.code == 6
