"""``tagbox labels`` as people run it: by its name, in a folder, with exit codes and streams."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from labeling.codes import CODES
from labeling.label_map import LabelMap, write_label_map
from tests.unit.labeling.labeled_pictures import annotation, write_class, write_pair


def _run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    repository = Path(__file__).resolve().parents[2]
    environment = os.environ | {"PYTHONPATH": str(repository)}
    code = "from scripts.cli import main; main()"
    return subprocess.run(  # the words are the test's own
        [sys.executable, "-c", code, "labels", *words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def _check(root: Path, *words: str) -> tuple[int, str]:
    done = _run("check", "data", *words, cwd=root)
    return done.returncode, done.stdout


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_class(tmp_path / "data", "cat", training=3, verification=1)
    return tmp_path


def test_sound_data(root: Path) -> None:
    done = _run("check", "data", cwd=root)
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "4 XML files = 4 usable + 0 refused",
        "4 pictures = 4 usable + 0 refused + 0 without XML",
        "4 boxes in 4 usable pictures; 0 of those have no object",
        "nothing to mend",
    ]
    assert done.stderr == "checking: 4/4 done\n"


def test_errors_are_reported_with_file_line_code_and_advice(root: Path) -> None:
    write_pair(root / "data/cat/training", xml=annotation((40, 6, 5, 30)), seed=9)
    code, text = _check(root)
    assert code == 1
    assert text.splitlines() == [
        "data/cat/training/a.xml:13: error B02 (object 1): the corners of a box are swapped: "
        "'cat' (40, 6)-(5, 30); wanted xmin < xmax and ymin < ymax",
        "    Swap its minimum and maximum, or draw it again.",
        "",
        "     1  B02  error: the corners of a box are swapped",
        "",
        "5 XML files = 4 usable + 1 refused (B02 1)",
        "5 pictures = 4 usable + 1 refused + 0 without XML",
        "4 boxes in 4 usable pictures; 0 of those have no object",
    ]
    assert _check(root, "--ignore", "B")[0] == 0
    assert _check(root, "--only", "x,L02")[0] == 0


def test_warnings_count_only_when_strict(root: Path) -> None:
    write_pair(root / "data/cat/training", seed=9).unlink()
    code, text = _check(root)
    assert code == 0
    assert "data/cat/training/images/a.jpg: warning L02: a picture without XML" in text
    assert "5 pictures = 4 usable + 0 refused + 1 without XML" in text
    assert _check(root, "--strict")[0] == 1


def test_infos_are_shown_on_request(root: Path) -> None:
    write_pair(root / "data/cat/training", seed=9, change=lambda xml: xml.replace(b"<depth>3", b"<depth>1"))
    code, text = _check(root, "--strict")
    assert code == 0
    assert "a.xml" not in text
    assert "1  S05  info: <depth> does not fit the picture  (shown with --info)" in text
    assert "data/cat/training/a.xml:7: info S05" in _check(root, "--info")[1]


def test_json_lines_are_the_only_thing_on_stdout(root: Path) -> None:
    write_pair(root / "data/cat/training", xml=b"<annotation", seed=9)
    code, text = _check(root, "--json")
    lines: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
    assert code == 1
    assert [line["kind"] for line in lines] == ["finding", "refused", "summary"]
    assert lines[0]["path"] == "data/cat/training/a.xml"
    assert lines[-1]["xml"]["refused_by_code"] == {"X01": 1}


def test_file_name_of_another_encoding_is_reported(root: Path) -> None:
    folder = os.fsencode(root / "data/cat/training")
    Path(os.fsdecode(folder + b"/caf\xe9.xml")).write_bytes(b"<annotation/>")
    code, text = _check(root)
    assert code == 1
    assert "data/cat/training/caf?.xml: error L01" in text
    assert _check(root, "--json")[0] == 1


def test_label_map_beside_the_classes_is_used(root: Path) -> None:
    write_label_map(LabelMap.from_names(["dog", "cats"]), root / "data/label_map.pbtxt")
    done = _run("check", "data", "--class", "cat", cwd=root)
    assert done.returncode == 1
    assert "'cat'; wanted 'cats' perhaps" in done.stdout
    assert "labels are compared with data/label_map.pbtxt" in done.stderr
    write_label_map(LabelMap.from_names(["cat"]), root / "other.pbtxt")
    assert _check(root, "--label-map", "other.pbtxt")[0] == 0


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["check", "none"], 6, "error: none: no such folder."),
        (["check", "data/cat/training/images"], 6, "error: no XML labels under data/cat/training/images."),
        (["check", "data", "--class", "cow"], 6, "error: data: no class folder 'cow'. It has: cat."),
        (["check", "data", "--only", "B99"], 2, "error: there is no code 'B99'"),
        (["check", "data", "--label-map", "none.pbtxt"], 6, "error: none.pbtxt: cannot read the label map"),
        (["check", "data", "--label-map", "broken.pbtxt"], 2, "error: broken.pbtxt:1: expected `item`"),
        (["check"], 2, "Missing argument 'DIR'"),
        (["stats", "none"], 6, "error: none: no such folder."),
        (["sheet", "data", "--output", "sheet.gif"], 2, "error: cannot write a sheet as '.gif'. Use .jpg or .png."),
        (["place", "data", "--class", "cat"], 2, "error: no list is given."),
        (
            ["place", "data", "--class", "a/b", "--training", "list.txt"],
            2,
            "error: 'a/b' cannot be the name of a folder",
        ),
        (["place", "data", "--class", "cat", "--training", "none.csv"], 6, "error: none.csv: cannot read the list"),
    ],
)
def test_bad_input_is_one_clear_line(words: list[str], code: int, message: str, root: Path) -> None:
    (root / "broken.pbtxt").write_text("cat")
    (root / "list.txt").write_text("cat_training_0")
    done = _run(*words, cwd=root)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_place_and_place_again(root: Path) -> None:
    (root / "train.csv").write_text(
        "filename,class\ncat_training_0.jpg,cat\ncat_training_1.jpg,cat\ncat_training_1.jpg,cat\n"
    )
    (root / "test.txt").write_text("cat_verification_0\nmissing\n")
    words = [
        "place",
        "data/cat",
        "--class",
        "cat",
        "--out",
        "new",
        "--training",
        "train.csv",
        "--verification",
        "test.txt",
    ]
    dry = _run(*words, "--dry-run", cwd=root)
    assert dry.returncode == 5
    assert not (root / "new").exists()
    first = _run(*words, cwd=root)
    assert first.returncode == 5
    assert "error: missing (verification): no XML of this stem in the source" in first.stderr
    assert "1 XML files of data/cat stand in no list" in first.stderr
    again = _run(*words, "--json", cwd=root)
    assert json.loads(again.stdout) == {
        "class": "cat",
        "data_dir": "new",
        "dry_run": False,
        "splits": {
            "training": {"named": 2, "copied": 0, "already there": 2, "refused": 0},
            "verification": {"named": 2, "copied": 0, "already there": 1, "refused": 1},
        },
        "refused": [{"name": "missing", "split": "verification", "reason": "no XML of this stem in the source"}],
        "unnamed": ["data/cat/training/cat_training_2.xml"],
    }
    assert _run("check", "new", "--strict", cwd=root).returncode == 0


def test_sheet_and_stats(root: Path) -> None:
    done = _run("sheet", "data", "--output", "out/sheet.png", "--limit", "2", cwd=root)
    assert (done.returncode, done.stdout) == (0, "out/sheet.png\n")
    assert "2 of 4 pictures drawn" in done.stderr
    assert (root / "out/sheet.png").stat().st_size > 1000
    done = _run("stats", "data", cwd=root)
    assert [line.split()[:6] for line in done.stdout.splitlines()[1:]] == [
        ["cat", "training", "cat", "3", "0", "0"],
        ["cat", "verification", "cat", "1", "0", "0"],
    ]
    document = json.loads(_run("stats", "data", "--json", cwd=root).stdout)
    assert [split["images"] for split in document["splits"]] == [3, 1]


def test_codes_are_listed(root: Path) -> None:
    assert len(_run("codes", cwd=root).stdout.splitlines()) >= len(CODES) + 1
    assert [one["code"] for one in json.loads(_run("codes", "--json", cwd=root).stdout)] == list(CODES)


def test_help_imports_neither_tensorflow_nor_pillow(root: Path) -> None:
    repository = Path(__file__).resolve().parents[2]
    code = (
        "import sys\nfrom scripts.cli import main\n"
        "try:\n    main(['labels', 'check', '--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'tensorflow', 'PIL', 'lxml', 'numpy'} & set(sys.modules)), file=sys.stderr)"
    )
    environment = os.environ | {"PYTHONPATH": str(repository)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True, check=True
    )
    assert "Exit codes: 0 nothing to mend" in done.stdout
    assert done.stderr.splitlines()[-1] == "[]"
