"""Yesterday's config and yesterday's command lines on the small records."""

import json

import pytest

from pipelines.run_directory import RunDirectory
from tests.support.command import tagbox_here
from tests.support.pipeline_config import PIPELINE_CONFIG

pytestmark = pytest.mark.tf


@pytest.fixture
def config(workshop, tmp_path):
    """A pipeline.config that reads the workshop's records (two classes)."""
    return _write(tmp_path / "pipeline.config", workshop, ("num_examples: 40", "num_examples: 3"))


def _write(path, workshop, *replacements):
    text = PIPELINE_CONFIG.replace("num_classes: 1", "num_classes: 2").replace('"records/', f'"{workshop.records}/')
    text = text.replace("raccoon_training.record", "*_training.record").replace("raccoon_ver", "*_ver")
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return path


def test_old_command_lines_train_and_evaluate(config, tmp_path):
    run = tmp_path / "train"
    trained = tagbox_here(
        "train", "--logtostderr", f"--pipeline_config_path={config}", f"--train_dir={run}", "--num_clones=1", "--json"
    )  # fmt: skip
    assert trained.code == 0, trained.err
    assert f"in tagbox' own words: tagbox train {config} --run {run}" in trained.err
    assert "note: --num_clones decide nothing here" in trained.err
    assert json.loads(trained.out)["step"] in (2, 4)
    assert RunDirectory(run).read_status()["state"] == "done"
    # The learning rate and the optimizer are those of the config.
    merged = (run / "config.yaml").read_text()
    assert "type: rmsprop" in merged
    assert "initial_learning_rate: 0.004" in merged

    judged = tagbox_here(
        "eval", "--logtostderr", f"--pipeline_config_path={config}", f"--checkpoint_dir={run}",
        f"--eval_dir={run / 'eval'}", "--run_once", "--json",
    )  # fmt: skip
    assert judged.code == 0, judged.err
    assert f"in tagbox' own words: tagbox eval {run}" in judged.err
    assert json.loads(judged.out)["num_images"] == 3


def test_paths_to_be_configured_are_named_with_their_lines(workshop, tmp_path):
    path = _write(
        tmp_path / "pipeline.config", workshop,
        (f'"{workshop.records}/*_training.record"', '"PATH_TO_BE_CONFIGURED/train.record"'),
        ("batch_size: 2", 'batch_size: 2\n  fine_tune_checkpoint: "PATH_TO_BE_CONFIGURED/model.ckpt"'),
    )  # fmt: skip
    lines = path.read_text().splitlines()
    numbers = [number for number, line in enumerate(lines, 1) if "PATH_TO_BE" in line]
    answer = tagbox_here("train", path, "--run", tmp_path / "run", "--records", tmp_path / "nothing")
    assert answer.code == 2
    assert f"PATH_TO_BE_CONFIGURED stands in pipeline.config, line {numbers[0]}, {numbers[1]}" in answer.error_line
    assert "--init model.ckpt" in answer.error_line
    assert "--set-path input=training.record" in answer.error_line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set-path", "records=x"], "--set-path records=x: give one of input=PATH, eval_input=PATH, label_map=PATH"),
        (["--set-path", "input"], "--set-path input: give one of"),
    ],
)
def test_a_path_that_cannot_be_set(config, tmp_path, words, said):
    answer = tagbox_here("train", config, "--run", tmp_path / "run", *words)
    assert answer.code == 2
    assert said in answer.err


def test_no_config_and_no_run_are_said(tmp_path):
    assert "Missing argument 'CONFIG'" in tagbox_here("train").err
    assert "Name a RUN" in tagbox_here("eval").err


def test_an_input_path_that_matches_nothing(config, tmp_path):
    answer = tagbox_here("train", config, "--run", tmp_path / "run", "--set-path", f"input={tmp_path}/none*.record")
    assert answer.code == 6
    assert "none*.record" in answer.error_line
