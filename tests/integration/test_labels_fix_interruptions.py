"""``labels fix`` killed at every step: each file is old or new, and the repair can go on or back."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from labeling.label_map import LabelMap
from labeling.pair_repair import RepairOptions
from labeling.repair_log import RepairLog
from labeling.repairs import apply_repairs, plan_repairs
from labeling.voc import read_annotation
from tests.unit.labeling.labeled_pictures import annotation, picture_bytes, write_class, write_pair

_EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.chmod", "shutil.rmtree"}


def _damaged(root: Path) -> None:
    write_class(root, "cat", training=1)
    folder = root / "cat" / "training"
    write_pair(folder, "a", xml=annotation((5, 6, 5, 30), (40, 6, 5, 30), filename="a.jpg", size=(0, 0)), seed=8)
    write_pair(
        folder, "b", xml=annotation((5, 6, 40, 30), name="Cat"), image=picture_bytes("GIF", seed=9), suffix=".gif"
    )
    turned = annotation((4, 10, 20, 40), filename="c.jpg")
    write_pair(folder, "c", xml=turned, image=picture_bytes(orientation=6, seed=5))
    write_pair(folder, "d", seed=11).rename(folder / "d.xml.xml")


def _files(root: Path) -> dict[str, bytes]:
    paths = (path for path in sorted(root.rglob("*")) if ".tagbox" not in path.parts and path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


def _fix(root: Path) -> None:
    apply_repairs(plan_repairs(root, RepairOptions(label_map=LabelMap.from_names(["cat"])), jobs=1))


def _run_until(event: int, root: Path, action: str) -> bool:
    """Run in a child that kills itself at the given file operation below ``root``; returns whether it was killed."""
    child = os.fork()
    if child == 0:
        seen = [0]

        def count(name: str, arguments: tuple[object, ...]) -> None:
            if name in _EVENTS and str(root) in str(arguments[0]):
                seen[0] += 1
                if seen[0] == event:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        if action == "fix":
            _fix(root)
        else:
            RepairLog(root).undo("0001")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def walk(folder: Path) -> None:
    """Kill a fix, and an undo, at each of their file operations in turn; runs in a process without threads."""
    old, new = folder / "old", folder / "new"
    _damaged(old)
    shutil.copytree(old, new)
    _fix(new)
    before, after = _files(old), _files(new)
    points = {"fix": 0, "undo": 0}
    for action, source in (("fix", old), ("undo", new)):
        root = folder / "work"
        event = 0
        killed = True
        while killed:
            event += 1
            shutil.rmtree(root, ignore_errors=True)
            shutil.copytree(source, root)
            killed = _run_until(event, root, action)
            for name, content in _files(root).items():
                assert content in (before.get(name), after.get(name)), (action, event, name)
                if name.endswith(".xml"):
                    read_annotation(root / name)
            log = RepairLog(root)
            unfinished = log.unfinished()
            if action == "undo":
                log.undo("0001")
                assert _files(root) == before, (action, event)
            elif unfinished is None:
                assert _files(root) == (before if killed and not log.repairs() else after), (action, event)
            elif event % 2:
                assert log.finish(unfinished) == ()
                assert _files(root) == after, (action, event)
            else:
                log.undo(unfinished.id)
                assert _files(root) == before, (action, event)
        points[action] = event
    print(points["fix"], points["undo"])


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_at_every_step(tmp_path: Path) -> None:
    words = [f"from tests.integration.{Path(__file__).stem} import walk", "from pathlib import Path"]
    code = "; ".join([*words, f"walk(Path({str(tmp_path)!r}))"])
    repository = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": str(repository)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    num_fix, num_undo = map(int, done.stdout.split())
    assert num_fix > 100
    assert num_undo > 30


_PROGRAM = "from scripts.cli import main; main()"


def _command(root: Path, *words: str) -> subprocess.Popen[bytes]:
    repository = Path(__file__).resolve().parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, "labels", "fix", str(root), *words], cwd=repository,
        env=os.environ | {"PYTHONPATH": str(repository)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def _wait_for(process: subprocess.Popen[bytes], has_come: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while process.poll() is None and not has_come() and time.monotonic() < deadline:
        time.sleep(0.0005)


@pytest.mark.slow
def test_the_command_killed_at_random_moments(tmp_path: Path) -> None:
    old, new, root = tmp_path / "old", tmp_path / "new", tmp_path / "work with blank"
    _damaged(old)
    for number in range(60):
        xml = annotation((40, 6, 5, 30), filename="x.jpg", size=(0, 0))
        write_pair(old / "cat" / "training", f"many{number}", xml=xml, seed=20 + number)
    shutil.copytree(old, new)
    assert _command(new, "--apply").wait() == 0
    before, after = _files(old), _files(new)
    repairs = root / ".tagbox" / "repairs"
    chance = random.Random(5)
    num_halfway = 0
    for turn in range(10):
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(new if turn % 5 == 4 else old, root)
        is_undo = turn % 5 == 4
        process = _command(root, "--undo", "1") if is_undo else _command(root, "--apply")
        # From the moment it has begun to collect the changes, or has changed the first file.
        path = root / "cat" / "training" / "a.xml"
        first = before[path.relative_to(root).as_posix()]
        if is_undo:
            _wait_for(process, (repairs / "0001" / "undoing").exists)
        elif turn % 2:
            _wait_for(process, lambda path=path, first=first: path.read_bytes() != first)  # type: ignore[misc]
        else:
            _wait_for(process, (repairs / "0001" / "staged").exists)
        time.sleep(0 if turn < 4 else chance.uniform(0, 0.03))
        process.kill()
        process.wait()
        now = _files(root)
        for name, content in now.items():
            assert content in (before.get(name), after.get(name)), (turn, name)
            if name.endswith(".xml"):
                read_annotation(root / name)
        num_halfway += now not in (before, after)
        goes_back = is_undo or turn % 3 == 2
        if goes_back and RepairLog(root).repairs():
            assert _command(root, "--undo", "1").wait() == 0
        elif not goes_back:
            assert _command(root, "--apply").wait() == 0
        assert _files(root) == (before if goes_back else after), turn
    assert num_halfway >= 1, "no kill came in the middle"
