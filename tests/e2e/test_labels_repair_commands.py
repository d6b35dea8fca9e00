"""``tagbox labels`` fix, split, audit, convert, diff and doctor as people run them: exit codes, streams, JSON."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from labeling.label_map import LabelMap, write_label_map
from labeling.repair_log import REPAIRS_DIR
from tests.unit.labeling.labeled_pictures import annotation, encoded, varied_picture, write_class, write_pair


def _run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    repository = Path(__file__).resolve().parents[2]
    return subprocess.run(  # the words are the test's own
        [sys.executable, "-c", "from scripts.cli import main; main()", "labels", *words],
        cwd=cwd, env=os.environ | {"PYTHONPATH": str(repository)}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A class with six waiting pairs, all different, two of them with a fault."""
    write_class(tmp_path / "data", "cat")
    folder = tmp_path / "data" / "cat" / "unlabeled"
    for number in range(6):
        box = (40, 6, 5, 30) if number == 0 else (5, 6, 40, 30)
        xml = annotation(box, (7, 7, 7, 9), filename=f"p{number}.png") if number == 1 else None
        xml = xml or annotation(box, filename=f"p{number}.png")
        write_pair(folder, f"p{number}", xml=xml, image=encoded(varied_picture(number), "PNG"), suffix=".png")
    return tmp_path


def test_fix_shows_mends_lists_and_undoes(root: Path) -> None:
    path = root / "data/cat/unlabeled/p0.xml"
    before = path.read_bytes()
    shown = _run("fix", "data", cwd=root)
    assert shown.returncode == 1
    assert [line for line in shown.stdout.splitlines() if line[:4] in ("-\t\t\t", "+\t\t\t")][:4] == [
        "-\t\t\t<xmin>40</xmin>", "+\t\t\t<xmin>5</xmin>", "-\t\t\t<xmax>5</xmax>", "+\t\t\t<xmax>40</xmax>",
    ]  # fmt: skip
    assert "a box would go: data/cat/unlabeled/p1.xml (object 2): B03 removed 'cat' (7, 7)-(7, 9)" in shown.stderr
    assert path.read_bytes() == before
    assert not (root / "data" / REPAIRS_DIR).exists()
    mended = _run("fix", "data", "--apply", cwd=root)
    assert mended.returncode == 0
    assert "2 files changed; to take it back: tagbox labels fix data --undo 0001" in mended.stdout
    assert _run("fix", "data", "--apply", cwd=root).stdout == "nothing to mend\n"
    assert _run("fix", "data", cwd=root).returncode == 0
    listed = json.loads(_run("fix", "data", "--list", "--json", cwd=root).stdout)
    assert [(one["id"], one["kind"], one["state"], one["files"]) for one in listed] == [("0001", "fix", "applied", 2)]
    undone = _run("fix", "data", "--undo", "1", cwd=root)
    assert (undone.returncode, undone.stdout) == (0, "fix 0001 is undone: 2 files are as they were\n")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["fix", "none"], 6, "no such folder"),
        (["fix", "data", "--only", "B07"], 2, "B07 has no repair"),
        (["fix", "data", "--only", "Q9"], 2, "there is no code 'Q9'"),
        (["fix", "data", "--undo", "7"], 6, "there is no repair '7'"),
        (["split", "none"], 6, "no such folder"),
        (["audit", "none"], 6, "no such folder"),
        (["diff", "data", "none"], 6, "no such folder"),
        (["convert", "none", "--from", "coco", "--to", "tagbox", "--out", "out"], 6, "no COCO file here"),
        (["convert", "data", "--to", "word", "--out", "out"], 2, "'word' is not one of"),
        (["stats", "data", "--plot", "plot.xyz"], 2, "cannot draw"),
        (["doctor", "--write-classes"], 2, "no folder is given"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(words: list[str], code: int, said: str, root: Path) -> None:
    done = _run(*words, cwd=root)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_split_holds_back_moves_and_undoes(root: Path) -> None:
    plan = json.loads(_run("split", "data", "--json", cwd=root).stdout)
    assert (len(plan["moves"]), plan["dry_run"]) == (4, True)
    assert [(one["xml"], one["code"]) for one in plan["held"]] == [
        ("data/cat/unlabeled/p0.xml", "B02"), ("data/cat/unlabeled/p1.xml", "B03"),
    ]  # fmt: skip
    done = _run("split", "data", "--apply", "--verification", "0.3", cwd=root)
    assert done.returncode == 5
    assert "held back: data/cat/unlabeled/p0.xml: B02" in done.stderr
    assert sorted(path.name for path in (root / "data/cat/unlabeled").glob("*.xml")) == ["p0.xml", "p1.xml"]
    assert _run("check", "data", "--only", "X,L01,D01,D02", cwd=root).returncode == 0
    assert _run("split", "data", "--undo", "1", cwd=root).returncode == 0
    assert len(list((root / "data/cat/unlabeled").glob("*.xml"))) == 6


def test_audit_finds_mends_and_undoes(root: Path) -> None:
    picture = encoded(varied_picture(50), "PNG")
    for place, name in (("cat/training", "x"), ("cat/verification", "y"), ("dog/training", "z")):
        label = place.partition("/")[0]
        box = (5, 6, 30, 30) if label == "cat" else (35, 6, 60, 40)
        write_pair(root / "data" / place, name, xml=annotation(box, name=label, filename=f"{name}.png"), image=picture,
                   suffix=".png")  # fmt: skip
    done = _run("audit", "data", "--suggest-moves", cwd=root)
    assert done.returncode == 1
    assert "leak: the same bytes: data/cat/verification/images/y.png, data/cat/training/images/x.png" in done.stdout
    assert "move data/cat/training/x.xml and its picture to verification/: the same bytes as" in done.stdout
    assert done.stdout.splitlines()[-1] == "1 leaks, 1 half-labelled pictures"
    mended = _run("audit", "data", "--suggest-moves", "--merge", "--apply", cwd=root)
    assert mended.returncode == 0, mended.stderr
    again = _run("audit", "data", cwd=root)
    assert (again.returncode, again.stdout.splitlines()[-1]) == (0, "0 leaks, 0 half-labelled pictures")
    for repair_id in ("2", "1"):
        assert _run("audit", "data", "--undo", repair_id, cwd=root).returncode == 0
    assert (root / "data/cat/training/x.xml").is_file()


def test_convert_refuses_to_lose_what_it_is_not_told_to(root: Path) -> None:
    write_pair(root / "set", xml=annotation((5, 6, 40, 30)),
               change=lambda content: content.replace(b"<difficult>0", b"<difficult>1"))  # fmt: skip
    done = _run("convert", "set", "--to", "yolo", "--out", "yolo", cwd=root)
    assert done.returncode == 2
    assert "yolo cannot hold 1 difficult marks. Add --allow-loss" in done.stderr
    assert not (root / "yolo").exists()
    done = _run("convert", "set", "--to", "yolo", "--out", "yolo", "--allow-loss", cwd=root)
    assert done.returncode == 0
    assert "no picture is in verification" in done.stderr
    back = _run("convert", "yolo", "--from", "yolo", "--to", "tagbox", "--out", "back", cwd=root)
    assert back.returncode == 0
    changes = json.loads(_run("diff", "set/a.xml", "back/cat/training/a.xml", "--json", cwd=root).stdout)
    assert [(one["kind"], one["before"], one["after"]) for one in changes] == [("marked", "difficult", "no marks")]


def test_diff_says_what_changed(root: Path) -> None:
    assert _run("diff", "data", "data", cwd=root).returncode == 0
    write_pair(root / "a", xml=annotation((5, 6, 40, 30)))
    write_pair(root / "b", xml=annotation((5, 6, 41, 30)))
    done = _run("diff", "a", "b", cwd=root)
    assert (done.returncode, done.stdout) == (1, "a object 1 moved: (5, 6)-(40, 30) -> (5, 6)-(41, 30)\n")


def test_doctor_writes_the_list_of_labels_and_prints_the_commands(root: Path) -> None:
    write_label_map(LabelMap.from_names(["cat", "dog"]), root / "data" / "label_map.pbtxt")
    done = _run("doctor", "data", "--write-classes", cwd=root)
    assert (root / "data/predefined_classes.txt").read_text() == "cat\ndog\n"
    assert "data/cat/unlabeled: 6 of 6 pictures labelled" in done.stdout
    assert "data/cat/unlabeled/images data/predefined_classes.txt data/cat/unlabeled\n" in done.stdout
