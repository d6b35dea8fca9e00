"""The runs of a folder: their states, and what was chosen for them."""

import json
import subprocess
import sys

import pytest

from collectors.errors import InputError
from pipelines.run_directory import RunDirectory
from pipelines.run_list import describe, list_runs

CONFIG = """\
experiment: ssd_mobilenet_v1
task:
  model:
    num_classes: 2  # records/label_map.pbtxt
  label_map: records/label_map.pbtxt  # beside the records
trainer:
  train_steps: 20  # tiny.yaml:31
  steps_per_loop: 10
"""


def _run(folder, state=None, **more):
    run = RunDirectory(folder)
    folder.mkdir(parents=True)
    run.config_path.write_text(CONFIG)
    if state:
        run.write_status(state, **more)
    return run


def test_runs_are_listed_by_name_with_their_states(tmp_path):
    done = _run(tmp_path / "b", "done", step=20, total_steps=20)
    done.write_results({"AP50": 0.5, "AP": 0.25, "per_class": {}})
    _run(tmp_path / "a", "running", step=5, total_steps=20)
    _run(tmp_path / "c", "failed", step=0, total_steps=20, error="ConfigError: training blew up")
    _run(tmp_path / "d")
    (tmp_path / "no run").mkdir()
    found = list_runs(tmp_path)
    assert [(run.name, run.state, run.step) for run in found] == [
        ("a", "running", 5), ("b", "done", 20), ("c", "failed", 0), ("d", "interrupted", None),
    ]  # fmt: skip
    assert (found[1].AP50, found[1].AP, found[1].experiment) == (0.5, 0.25, "ssd_mobilenet_v1")
    assert found[2].problem == "ConfigError: training blew up"
    assert list_runs(tmp_path / "b") == [found[1]]


def test_a_run_whose_process_is_gone_was_killed(tmp_path):
    run = _run(tmp_path / "a")
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    ).stdout
    status = run.path / "status.json"

    def state_of(**changed):
        run.write_status("running", step=1, total_steps=2)
        status.write_text(json.dumps(json.loads(status.read_text()) | changed))
        return list_runs(tmp_path)[0].state

    assert state_of() == "running"
    assert state_of(pid=int(gone)) == state_of(pid=None) == state_of(pid="x") == "killed"
    # Of another machine's processes nothing is known here.
    assert state_of(pid=int(gone), host="another-machine") == "running"


def test_a_folder_that_is_damaged_is_one_line_and_stops_nothing(tmp_path):
    _run(tmp_path / "a", "done", step=1, total_steps=1)
    broken = _run(tmp_path / "b")
    (broken.path / "status.json").write_text("{")
    (_run(tmp_path / "c").config_path).write_text("a: [")
    found = list_runs(tmp_path)
    assert [run.state for run in found] == ["done", "unreadable", "unreadable"]
    assert "status.json" in found[1].problem


def test_no_folder(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        list_runs(tmp_path / "runs")
    assert list_runs(tmp_path) == []


def test_a_run_is_described_with_what_was_chosen_and_where(tmp_path):
    run = _run(tmp_path / "a", "done", step=20, total_steps=20)
    run.append_row({"step": 20, "loss": "1.5", "AP": "", "AP50": ""})
    run.append_row({"step": 20, "loss": "", "AP": "", "AP50": "0.5"})
    content = describe(run)
    assert content["evaluations"] == [{"step": 20, "AP": None, "AP50": 0.5}]
    assert content["chosen"] == [
        {"key": "task.model.num_classes", "value": "2", "origin": "records/label_map.pbtxt"},
        {"key": "task.label_map", "value": "records/label_map.pbtxt", "origin": "beside the records"},
        {"key": "trainer.train_steps", "value": "20", "origin": "tiny.yaml:31"},
    ]
    with pytest.raises(InputError, match="is not the folder of a run"):
        describe(RunDirectory(tmp_path / "b"))
