"""`tagbox board`: TensorBoard answers with our curves, and says what is missing when there is nothing to show."""

import importlib.util
import json
import os
import signal
import socket
import subprocess
import time
import urllib.parse
import urllib.request

import pytest

from tests.support.command import command_line, tagbox_here

pytestmark = pytest.mark.tf


def test_a_folder_without_a_run(tmp_path):
    answer = tagbox_here("board", tmp_path / "runs")
    assert answer.code == 6
    assert "no such folder" in answer.error_line
    answer = tagbox_here("board", tmp_path)
    assert answer.code == 6
    assert "no run is in there yet" in answer.error_line
    assert "tagbox train CONFIG" in answer.error_line


def _wait_for_address(process, deadline_s=90):
    """Read what TensorBoard says until it names its address."""
    deadline = time.monotonic() + deadline_s
    words = ""
    while time.monotonic() < deadline and process.poll() is None:
        line = process.stderr.readline()
        words += line
        if "http://" in line:
            return "http://" + line.partition("http://")[2].split()[0].rstrip("/"), words
    raise AssertionError(words)


def _ask(address):
    with urllib.request.urlopen(address, timeout=30) as answer:
        return json.loads(answer.read())


def test_tensorboard_answers_with_our_curves(workshop, tmp_path):
    process = subprocess.Popen(
        command_line("board", workshop.run.parent, "--port", "0"), cwd=tmp_path, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        address, _ = _wait_for_address(process)
        deadline = time.monotonic() + 60
        tags = {}
        while time.monotonic() < deadline and not {"tiny/train", "tiny/validation"} <= set(tags):
            tags = _ask(f"{address}/data/plugin/scalars/tags")
            time.sleep(0.2)
        assert "Loss/total_loss" in tags["tiny/train"]
        assert "PascalBoxes_PerformanceByCategory/AP@0.5IOU/disc" in tags["tiny/validation"]
        tag = urllib.parse.quote("DetectionBoxes_Precision/mAP@.50IOU", safe="")
        points = _ask(f"{address}/data/plugin/scalars/scalars?run=tiny%2Fvalidation&tag={tag}")
        assert [point[1] for point in points] == [10, 20]
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        process.stderr.close()


def test_a_port_that_is_taken(workshop):
    with socket.create_server(("localhost", 0)) as taken:
        answer = tagbox_here("board", workshop.run.parent, "--port", taken.getsockname()[1])
    assert answer.code == 6
    assert "--port 0" in answer.error_line


def test_without_tensorboard_the_missing_part_is_named(workshop, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "tensorboard" else find_spec(name, *more)
    )
    answer = tagbox_here("board", workshop.run.parent)
    assert answer.code == 7
    assert "TensorBoard is not installed" in answer.error_line
