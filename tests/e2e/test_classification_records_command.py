"""``tagbox records drawings`` and ``tagbox records folder`` as people call them."""

import json

import pytest

from scripts import exit_codes
from tests.support.command import tagbox_here, tagbox_process
from tests.unit.records.drawing_files import build, contents, write_npy, write_picture


@pytest.fixture
def src(tmp_path):
    for label in ("ant", "bee"):
        write_npy(tmp_path / "npy", label, 30)
    return tmp_path / "npy"


def test_drawings_then_verify_then_show(src, tmp_path):
    made = tagbox_process("records", "drawings", src, "--train-size", 20, "--eval-size", 5, cwd=tmp_path)
    assert made.code == exit_codes.DONE, made.err
    assert "drawings: 60 = 50 in records + 10 not needed + 0 refused, 2 classes; wrote 2 records" in made.err
    build(src, tmp_path / "library", 20, 5)
    assert contents(tmp_path / "records") == contents(tmp_path / "library")
    again = tagbox_here("records", "drawings", src, "--out", tmp_path / "records", "--train-size", 20, "--eval-size", 5)
    assert "up to date" in again.err
    verified = tagbox_here("records", "verify", tmp_path / "records")
    assert (verified.code, verified.out) == (exit_codes.DONE, "")
    assert "50 examples in 2 files" in verified.err
    picture = tmp_path / "drawing.png"
    record = tmp_path / "records" / "drawings_training.record"
    assert tagbox_here("records", "show", record, "--output", picture).code == exit_codes.DONE
    assert picture.is_file()
    path = tmp_path / "records" / "drawings_training.record"
    path.write_bytes(path.read_bytes()[:-5])
    damaged = tagbox_here("records", "verify", tmp_path / "records", "--json")
    assert damaged.code == exit_codes.FINDINGS
    assert {one["code"] for one in json.loads(damaged.out)["findings"]} == {"V03", "V04", "V05", "V15"}


def test_the_flags_of_the_older_script_write_the_records_they_name(src, tmp_path):
    sizes = ("--train_size", "20", "--eval_size", "5")
    made = tagbox_here(
        "records", "drawings", f"--src={src}", f"--train_dst={tmp_path / 'train' / 'a.tfrecords'}",
        f"--eval_dst={tmp_path / 'eval' / 'a.tfrecords'}", *sizes,
    )  # fmt: skip
    assert made.code == exit_codes.DONE, made.err
    for name, count in (("train", 40), ("eval", 10)):
        folder = tmp_path / name
        assert {path.name for path in folder.iterdir()} == {
            "a.tfrecords", "label_map.csv", "label_map.pbtxt", "manifest.json"
        }  # fmt: skip
        assert f"{count} examples in 1 files" in tagbox_here("records", "verify", folder).err
    folders = tagbox_here(
        "records", "drawings", "--src", src, "--train_dst", tmp_path / "tf", "--eval_dst", tmp_path / "tf", *sizes
    )
    assert folders.code == exit_codes.DONE, folders.err
    assert (tmp_path / "tf" / "drawings_training.record").is_file()
    assert (tmp_path / "tf" / "drawings_verification.record").is_file()


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ((), "Missing argument 'SRC'"),
        (("--train_dst", "x"), "--src is missing"),
        (("SRC", "--src", "y"), "SRC and --out do not go with --src"),
        (("SRC", "--train-size", "5"), "go together"),
        (("SRC", "--train-size", "5", "--eval-size", "5", "--eval-share", "0.1"), "does not go with"),
        (("SRC", "--size", "4"), "8 to 2048 pixels"),
        (("SRC", "--class", "cow"), "no drawings of cow"),
        (("--src", "SRC", "--train_dst", "a.record", "--eval_dst", "a.record"), "cannot be one record"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_is_said_and_writes_nothing(src, tmp_path, monkeypatch, words, what):
    monkeypatch.chdir(tmp_path)
    answer = tagbox_here("records", "drawings", *(str(src) if word == "SRC" else word for word in words))
    assert answer.code == exit_codes.USAGE
    assert what in answer.err
    assert [path.name for path in tmp_path.iterdir()] == ["npy"]


def test_too_few_drawings_is_an_error_of_the_input(src, tmp_path):
    answer = tagbox_here("records", "drawings", src, "--out", tmp_path / "out", "--train_size", 30, "--eval_size", 1)
    assert answer.code == exit_codes.INPUT
    assert "30 + 1 = 31 usable drawings of each class are needed, and 2 of 2 classes have fewer" in answer.error_line


def test_folder_refuses_what_is_no_picture_and_says_so(tmp_path):
    for label in ("cat", "dog"):
        for index in range(5):
            write_picture(tmp_path / "data" / label / f"{index}.jpg", f"{label}{index}")
    words = ("records", "folder", tmp_path / "data", "--out", tmp_path / "records", "--eval-share", "0.2")
    assert tagbox_here(*words).code == exit_codes.DONE
    (tmp_path / "data" / "cat" / "page.jpg").write_text("<html>")
    answer = tagbox_here(*words, "--json")
    assert answer.code == exit_codes.PARTLY_DONE
    report = json.loads(answer.out)
    assert report["totals"] == {"found": 11, "written": 10, "unused": 0, "refused": 1}
    assert report["refusals"][0] == {
        "path": "cat/page.jpg", "code": "not-a-picture", "reason": "it is text, not a picture: <html>"
    }  # fmt: skip
    assert "refused: cat/page.jpg: not-a-picture" in answer.err
    dry = tagbox_here(*words[:-2], "--multi-label", "--dry-run")
    assert "nothing was written (dry run)" in dry.err
