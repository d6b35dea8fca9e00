"""`tagbox demo` as people run it: stopped in the middle, finished by the same command, done the third time."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from labeling.scene_drawings import is_for_verification
from labeling.scene_spec import SceneSpec
from labeling.voc import read_annotation

_TAGBOX = str(Path(sys.executable).with_name("tagbox"))


def _demo(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [_TAGBOX, "demo", "--root", str(root), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)


def _interrupt_when(path: Path, root: Path) -> tuple[int, str]:
    """Start the demo, send Ctrl-C to its whole group as soon as ``path`` is there, and wait for its end."""
    process = subprocess.Popen(
        [_TAGBOX, "demo", "--root", str(root)], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 300
    while not path.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, words = process.communicate(timeout=300)
    return process.returncode, words


@pytest.mark.slow
@pytest.mark.tf
@pytest.mark.timeout(1200)
def test_the_demo_survives_ctrl_c_learns_and_says_when_it_is_done(tmp_path: Path) -> None:
    composing = tmp_path / "demo" / "data" / "fish" / "training" / "images"
    code, words = _interrupt_when(composing, tmp_path)
    assert code == 130
    assert "run the same command again" in words
    assert "Traceback" not in words

    code, words = _interrupt_when(tmp_path / "runs" / "demo" / "results.csv", tmp_path)
    assert code == 130
    assert "the state is saved" in words
    stopped_at = json.loads((tmp_path / "runs/demo/status.json").read_text(encoding="utf-8"))
    assert stopped_at["state"] == "interrupted"
    assert stopped_at["step"] < stopped_at["total_steps"]

    finished = _demo(tmp_path, "--json")
    assert finished.returncode == 0, finished.stderr
    results = json.loads(finished.stdout)
    assert results["AP50"] >= 0.90
    assert results["num_images"] == 120
    assert json.loads((tmp_path / "runs/demo/results.json").read_text(encoding="utf-8")) == results
    page = (tmp_path / "runs/demo/report.html").read_text(encoding="utf-8")
    assert f"{results['AP50']:.3f}" in page

    drawings = sorted((tmp_path / "demo/drawings").glob("*.ndjson"))
    assert len(drawings) >= 4
    _no_drawing_is_in_both_splits(drawings)
    assert not list(tmp_path.rglob("*.tmp"))
    _every_scene_is_in_the_records(tmp_path / "demo")

    again = _demo(tmp_path)
    assert again.returncode == 0
    assert "done already" in again.stderr
    assert "starting TensorFlow" not in again.stderr


def _no_drawing_is_in_both_splits(files: list[Path]) -> None:
    drawn = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    assert len({drawing["key_id"] for drawing in drawn}) == len(drawn)
    share = SceneSpec().verification_share
    halves: tuple[set[str], set[str]] = set(), set()
    for drawing in drawn:
        halves[is_for_verification(drawing["key_id"], share)].add(json.dumps(drawing["drawing"]))
    # No strokes twice, under whatever number.
    assert min(len(half) for half in halves) > 100
    assert not halves[0] & halves[1]


def _every_scene_is_in_the_records(home: Path) -> None:
    manifest = (home / "records/manifest.json").read_text(encoding="utf-8")
    for split, expected in (("training", 600), ("verification", 120)):
        scenes = sorted(home.glob(f"data/*/{split}/*.xml"))
        assert len(scenes) == expected
        assert all(scene.stem in manifest for scene in scenes)
        assert any(read_annotation(scene).objects for scene in scenes)


def test_a_folder_that_the_demo_did_not_make_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "demo" / "notes.txt"
    mine.parent.mkdir()
    mine.write_text("mine", encoding="utf-8")
    for words in ((), ("--fresh",)):
        refused = _demo(tmp_path, *words)
        assert refused.returncode == 2
        assert str(tmp_path / "demo") in refused.stderr
    assert mine.read_text(encoding="utf-8") == "mine"
