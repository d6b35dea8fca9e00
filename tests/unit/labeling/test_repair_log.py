import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from collectors.ledger_lock import RootBusyError
from labeling.errors import RepairError
from labeling.file_changes import Move, Remove, Write
from labeling.repair_log import REPAIRS_DIR, RepairLog, RepairState, dataset_root_of


def _hash(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in "abcd":
        (tmp_path / f"{name}.xml").write_text(f"old {name}")
    (tmp_path / "a.xml").chmod(0o640)
    return tmp_path


def _files(root: Path) -> dict[str, str]:
    paths = (path for path in root.rglob("*") if path.is_file() and ".tagbox" not in path.parts)
    return {path.relative_to(root).as_posix(): path.read_text() for path in paths}


def _draft_all(log: RepairLog, root: Path) -> tuple[str, ...]:
    draft = log.begin("fix")
    changes = [
        Write(root / "a.xml", b"new a", _hash(root / "a.xml")),
        Write(root / "deep/er/new.xml", b"new", ""),
        Remove(root / "b.xml", _hash(root / "b.xml")),
        Move(root / "c.xml", root / "deep" / "c2.xml", _hash(root / "c.xml")),
    ]
    assert draft.add(changes, ["a note"]) == ""
    return draft.apply()[1]


_AFTER = {"a.xml": "new a", "d.xml": "old d", "deep/er/new.xml": "new", "deep/c2.xml": "old c"}


def test_applied_listed_and_undone(root: Path) -> None:
    log, before = RepairLog(root), _files(root)
    assert log.repairs() == ()
    assert _draft_all(log, root) == ()
    assert _files(root) == _AFTER
    assert (root / "a.xml").stat().st_mode & 0o777 == 0o640
    (repair,) = log.repairs()
    assert (repair.id, repair.kind, repair.state, repair.num_files) == ("0001", "fix", RepairState.APPLIED, 4)
    assert repair.notes == ("a note",)
    assert log.undo("1").state is RepairState.UNDONE
    assert _files(root) == before
    assert not (root / "deep").exists()
    assert (root / "a.xml").stat().st_mode & 0o777 == 0o640
    assert log.undo("0001").state is RepairState.UNDONE, "twice is no error"


def test_ids_count_up(root: Path) -> None:
    log = RepairLog(root)
    for number in (1, 2, 3):
        draft = log.begin("fix")
        draft.add([Write(root / "a.xml", f"{number}".encode(), _hash(root / "a.xml"))])
        assert draft.apply()[0].id == f"000{number}"


def test_what_changed_since_is_not_overwritten(root: Path) -> None:
    log = RepairLog(root)
    _draft_all(log, root)
    (root / "a.xml").write_text("a person's work")
    with pytest.raises(RepairError, match=r"a\.xml changed since"):
        log.undo("0001")
    assert _files(root) == _AFTER | {"a.xml": "a person's work"}


def test_a_later_repair_is_undone_first(root: Path) -> None:
    log = RepairLog(root)
    before = _files(root)
    for text in (b"one", b"two"):
        draft = log.begin("fix")
        draft.add([Write(root / "a.xml", text, _hash(root / "a.xml"))])
        draft.apply()
    with pytest.raises(RepairError, match=r"Undo the later repairs first \(0002\)"):
        log.undo("0001")
    log.undo("0002")
    log.undo("0001")
    assert _files(root) == before


def test_changes_are_added_all_or_none(root: Path) -> None:
    draft = RepairLog(root).begin("fix")
    (root / "link.xml").symlink_to("a.xml")
    sound = Write(root / "a.xml", b"x", _hash(root / "a.xml"))
    for bad, reason in [
        (Write(root / "b.xml", b"x", "0" * 64), "was changed in between"),
        (Write(root / "a.xml2", b"x", "0" * 64), "was changed in between"),
        (Write(root / "b.xml", b"x", ""), "was changed in between"),
        (Move(root / "b.xml", root / "c.xml", _hash(root / "b.xml")), "is there already"),
        (Remove(root / "link.xml", _hash(root / "a.xml")), "symbolic link"),
    ]:
        assert reason in draft.add([sound, bad])
    assert len(draft) == 0
    assert draft.add([sound]) == ""
    assert "another change" in draft.add([sound])


def test_a_file_changed_while_it_ran_is_left_and_named(root: Path) -> None:
    log = RepairLog(root)
    draft = log.begin("fix")
    draft.add([Write(root / name, b"new", _hash(root / name)) for name in ("a.xml", "b.xml")])
    (root / "a.xml").write_text("a person's work")
    _, left = draft.apply()
    assert left == ("a.xml: it was changed in between, so it is left alone",)
    assert (root / "a.xml").read_text() == "a person's work"
    assert (root / "b.xml").read_text() == "new"
    log.undo("0001")
    assert _files(root)["a.xml"] == "a person's work"
    assert _files(root)["b.xml"] == "old b"


def test_an_interrupted_repair_comes_first(root: Path) -> None:
    log = RepairLog(root)
    _draft_all(log, root)
    (root / REPAIRS_DIR / "0001" / "applied").unlink()
    with pytest.raises(RepairError, match="0001 was interrupted"):
        log.begin("fix")
    unfinished = log.unfinished()
    assert unfinished is not None
    assert log.finish(unfinished) == ()
    assert log.unfinished() is None
    assert _files(root) == _AFTER


def test_an_undo_that_stopped_goes_on_only_backwards(root: Path) -> None:
    log, before = RepairLog(root), _files(root)
    _draft_all(log, root)
    (root / REPAIRS_DIR / "0001" / "undoing").write_text("\n")
    unfinished = log.unfinished()
    assert unfinished is not None
    with pytest.raises(RepairError, match="was being undone"):
        log.finish(unfinished)
    log.undo("0001")
    assert _files(root) == before


_COLLECT_AND_WAIT = """
import sys, time
from hashlib import sha256
from pathlib import Path
from labeling.file_changes import Write
from labeling.repair_log import RepairLog
root = Path(sys.argv[1])
draft = RepairLog(root).begin("fix")
draft.add([Write(root / "a.xml", b"x", sha256((root / "a.xml").read_bytes()).hexdigest())])
print("collected", flush=True)
time.sleep(60)
"""


def test_one_repair_at_a_time_and_a_killed_one_leaves_nothing(root: Path) -> None:
    log = RepairLog(root)
    _draft_all(log, root)
    other = subprocess.Popen(
        [sys.executable, "-c", _COLLECT_AND_WAIT, str(root)], cwd=Path(__file__).parents[3],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == "collected\n"
        begun = root / REPAIRS_DIR / "0002"
        assert begun.is_dir()
        for change in (lambda: log.begin("fix"), lambda: log.undo("1"), lambda: log.finish(log.repairs()[0])):
            with pytest.raises(RootBusyError, match=rf"another repair is at work here \(process {other.pid}"):
                change()
        assert begun.is_dir(), "its backup is not taken for the rest of a killed run"
        other.kill()
    assert len(log.repairs()) == 1
    assert log.begin("fix").apply()[0].id == "0003"
    assert not begun.exists()


def test_unknown_ids_and_damaged_plans(root: Path) -> None:
    log = RepairLog(root)
    with pytest.raises(RepairError, match="there is no repair '7'"):
        log.undo("7")
    _draft_all(log, root)
    plan = root / REPAIRS_DIR / "0001" / "plan.json"
    document = json.loads(plan.read_text())
    plan.write_text(json.dumps(document | {"version": 99}))
    with pytest.raises(RepairError, match="newer tagbox"):
        log.repairs()
    plan.write_text("{")
    with pytest.raises(RepairError, match="cannot be read"):
        log.repairs()


def test_the_log_of_the_data_root_is_used_from_a_class_folder(tmp_path: Path) -> None:
    (tmp_path / "data" / "cat" / "training").mkdir(parents=True)
    assert dataset_root_of(tmp_path / "data" / "cat") == tmp_path / "data" / "cat"
    (tmp_path / "data" / "cat" / ".tagbox").mkdir()  # a cache alone makes no root
    (tmp_path / "data" / "dog" / "unlabeled").mkdir(parents=True)
    for place in ("cat", "cat/training", "dog"):
        assert dataset_root_of(tmp_path / "data" / place) == tmp_path / "data", (
            "it is a data root: there are two classes"
        )
    RepairLog(tmp_path / "data" / "cat").begin("fix").discard()
    assert dataset_root_of(tmp_path / "data" / "cat") == tmp_path / "data" / "cat", "where its log is already"


def test_the_log_of_the_data_root_is_used_whatever_lies_there(tmp_path: Path) -> None:
    (tmp_path / "data" / "cat" / "training").mkdir(parents=True)
    RepairLog(tmp_path / "data").begin("fix").discard()
    assert dataset_root_of(tmp_path / "data" / "cat") == tmp_path / "data"
