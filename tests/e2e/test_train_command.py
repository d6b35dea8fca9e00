"""`tagbox train` as a process: stopped with Ctrl-C, taken up by the same command, done."""

import json
import os
import re
import signal
import subprocess
import time

import pytest

from pipelines.run_directory import RunDirectory
from tests.support.command import command_line, tagbox_here, tagbox_process
from tests.support.tiny_training import make_records, write_tiny_config

_STEPS = 120


@pytest.fixture
def words(tmp_path):
    """The words of one training command; records and config are there."""
    make_records(tmp_path)
    write_tiny_config(tmp_path)
    intervals = ("validation_interval=60", "checkpoint_interval=40", f"train_steps={_STEPS}")
    overrides = [word for one in intervals for word in ("--set", f"trainer.{one}")]
    return ["train", "tiny.yaml", "--run", "runs/tiny", *overrides]


@pytest.mark.slow
@pytest.mark.tf
def test_ctrl_c_saves_the_state_and_the_same_command_finishes(words, tmp_path):
    run = RunDirectory(tmp_path / "runs" / "tiny")
    process = subprocess.Popen(
        command_line(*words), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not run.read_rows() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "stopping after this loop of steps and saving" in err
    assert "the state is saved. Run the same command again to go on." in err
    assert "Traceback" not in err
    assert out == ""
    status = run.read_status()
    assert status["state"] == "interrupted"
    assert 0 < status["step"] < _STEPS
    assert (run.last_checkpoints / f"ckpt-{status['step']}.index").is_file()

    answer = tagbox_process(*words, "--json", cwd=tmp_path)
    assert answer.code == 0, answer.err
    assert f"going on at step {status['step']} of {_STEPS}" in answer.err
    assert run.read_status()["state"] == "done"
    steps = [int(row["step"]) for row in run.read_rows() if row["loss"]]
    assert steps == sorted(set(steps))
    assert steps[-1] == _STEPS
    assert json.loads(answer.out) == run.read_results()
    assert (run.path / "report.html").is_file()
    # What the person sees is ours: nothing of TensorFlow's own lines, no warning of a library.
    for line in answer.err.splitlines():
        assert not re.match(r"20\d\d-|WARNING|[IWE]0", line), line
        assert "Warning" not in line


@pytest.mark.tf
def test_a_config_with_a_misspelt_key_exits_with_2_and_names_the_nearest(words, tmp_path, monkeypatch):
    config = tmp_path / "tiny.yaml"
    config.write_text(config.read_text().replace("global_batch_size: 4", "global_batch_sise: 4", 1))
    monkeypatch.chdir(tmp_path)
    answer = tagbox_here(*words)
    assert answer.code == 2
    assert "Did you mean `task.train_data.global_batch_size`?" in answer.error_line
    assert not (tmp_path / "runs").exists()
