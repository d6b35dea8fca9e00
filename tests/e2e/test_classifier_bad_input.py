"""What people give to classifiers by mistake: said in one line, with the right exit code, and nothing lost by it."""

import json

import numpy as np
import pytest
from PIL import Image

from scripts import exit_codes
from tests.support.command import tagbox_here
from tests.unit.records.drawing_files import build, contents, strokes, write_ndjson, write_npy, write_picture


def _fill(root, **counts):
    """Write pictures into a folder a label; return the folder of the folders."""
    for label, count in counts.items():
        (root / label).mkdir(parents=True)
        for index in range(count):
            write_picture(root / label / f"{index}.jpg", f"{label}{index}")
    return root


def _totals(out):
    return json.loads((out / "manifest.json").read_text())["totals"]


# --- a label folder with one picture --------------------------------------------------------------------------------


def test_a_label_with_one_picture_goes_in_and_is_said(tmp_path):
    src = _fill(tmp_path / "src", cat=1, dog=12)
    answer = tagbox_here("records", "folder", src, "--out", tmp_path / "out", "--eval-share", 0.2)
    assert answer.code == exit_codes.DONE
    assert "warning: cat: one picture only, in training; add some" in answer.err
    assert _totals(tmp_path / "out") == {"found": 13, "written": 13, "unused": 0, "refused": 0}
    assert tagbox_here("records", "verify", tmp_path / "out").code == exit_codes.DONE


def test_a_class_with_one_drawing_is_too_few_where_numbers_are_asked_for_and_said_otherwise(tmp_path):
    src, out = tmp_path / "src", tmp_path / "out"
    write_npy(src, "cat", 1)
    write_npy(src, "dog", 20)
    answer = tagbox_here("records", "drawings", src, "--out", out, "--train-size", 10, "--eval-size", 5)
    assert answer.code == exit_codes.INPUT
    assert "1 of 2 classes have fewer: cat has 1 (1 found, 0 refused)" in answer.error_line
    assert not out.exists()
    answer = tagbox_here("records", "drawings", src, "--out", out, "--eval-share", 0.2)
    assert answer.code == exit_codes.DONE
    assert "warning: no drawing of cat is in " in answer.err


# --- two spellings of one label -------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["folder", "drawings"])
def test_two_spellings_of_a_label_are_named_with_their_places(tmp_path, command):
    src, out = _fill(tmp_path / "src", **{"ice cream": 3, "Ice_Cream": 3, "dog": 3}), tmp_path / "out"
    answer = tagbox_here("records", command, src, "--out", out)
    assert answer.code == exit_codes.INPUT
    places = (f"'Ice_Cream' ({src / 'Ice_Cream'})", f"'ice cream' ({src / 'ice cream'})")
    assert f"two spellings of one label: {places[0]} and {places[1]}. Rename one" in answer.error_line
    assert not out.exists()


def test_a_class_in_two_files_is_refused_with_both(tmp_path):
    src = tmp_path / "src"
    files = write_npy(src, "cat", 20), write_ndjson(src, "cat", strokes("cat", 20))
    answer = tagbox_here("records", "drawings", src, "--out", tmp_path / "out")
    assert answer.code == exit_codes.INPUT
    assert f"the label 'cat' is there twice: {files[1]} and {files[0]}" in answer.error_line
    assert not (tmp_path / "out").exists()


# --- an empty class -------------------------------------------------------------------------------------------------


def test_an_empty_label_folder_is_no_class_of_pictures_and_stops_drawings(tmp_path):
    src = _fill(tmp_path / "src", cat=6, dog=6, fish=0)
    answer = tagbox_here("records", "folder", src, "--out", tmp_path / "out")
    assert answer.code == exit_codes.DONE
    assert "warning: fish: no pictures, so no class. Put some there, or remove the folder." in answer.err
    assert (tmp_path / "out" / "label_map.csv").read_text() == "1,cat\n2,dog\n"
    answer = tagbox_here("records", "drawings", src, "--out", tmp_path / "drawn")
    assert answer.code == exit_codes.INPUT
    assert f"{src / 'fish'}: the folder has no pictures. Put some there, or remove the folder." in answer.error_line
    assert not (tmp_path / "drawn").exists()


def test_a_file_without_a_drawing_is_refused(tmp_path):
    write_npy(tmp_path / "src", "cat", 20)
    empty = tmp_path / "src" / "dog.ndjson"
    empty.touch()
    answer = tagbox_here("records", "drawings", tmp_path / "src", "--out", tmp_path / "out")
    assert answer.code == exit_codes.INPUT
    assert f"{empty}: the file is empty" in answer.error_line


# --- pictures of mixed sizes and modes ------------------------------------------------------------------------------


def test_pictures_of_any_size_and_mode_go_in_and_a_damaged_one_is_named(tmp_path):
    src, out = _fill(tmp_path / "src", cat=3, dog=3), tmp_path / "out"
    kinds = {"L": "PNG", "P": "PNG", "RGBA": "PNG", "LA": "PNG", "1": "PNG", "CMYK": "JPEG"}
    for number, (mode, kind) in enumerate(kinds.items()):
        size = (30 + 60 * number, 200 - 20 * number)
        write_picture(src / "cat" / f"{mode}.{kind.lower()}", mode, size=size, mode=mode, kind=kind)
    Image.fromarray(np.random.default_rng(0).integers(0, 2**16, (50, 70), np.uint16)).save(src / "dog" / "deep.png")
    (src / "dog" / "cut.jpg").write_bytes((src / "dog" / "0.jpg").read_bytes()[:200])
    answer = tagbox_here("records", "folder", src, "--out", out, "--eval-share", 0.3)
    assert answer.code == exit_codes.PARTLY_DONE
    assert "refused: dog/cut.jpg: " in answer.err
    assert _totals(out) == {"found": 14, "written": 13, "unused": 0, "refused": 1}
    assert tagbox_here("records", "verify", out).code == exit_codes.DONE
    drawn = tagbox_here("records", "drawings", src, "--out", tmp_path / "drawn", "--size", 32)
    assert drawn.code == exit_codes.PARTLY_DONE
    assert _totals(tmp_path / "drawn") == {"found": 14, "written": 13, "unused": 0, "refused": 1}


# --- npy of the wrong shape -----------------------------------------------------------------------------------------

WRONG = {
    "one drawing, flat": np.zeros(784, np.uint8),
    "no square": np.zeros((20, 783), np.uint8),
    "a rectangle": np.zeros((20, 28, 30), np.uint8),
    "numbers of another kind": np.zeros((20, 784), np.float32),
    "objects": np.array([{"a": 1}], dtype=object),
    "columns first": np.asfortranarray(np.zeros((20, 784), np.uint8)),
}


@pytest.mark.parametrize("what", WRONG)
def test_an_array_of_another_shape_is_refused_and_the_records_stay_as_they_were(tmp_path, what):
    src, out = tmp_path / "src", tmp_path / "out"
    write_npy(src, "cat", 20)
    write_npy(src, "dog", 20)
    build(src, out)
    before = contents(out)
    np.save(src / "dog.npy", WRONG[what], allow_pickle=True)
    answer = tagbox_here("records", "drawings", src, "--out", out)
    assert answer.code == exit_codes.INPUT
    assert f"{src / 'dog.npy'}: the array holds {WRONG[what].dtype} of shape {WRONG[what].shape}" in answer.error_line
    assert "bitmaps are uint8 of shape (drawings, 784)" in answer.error_line
    assert contents(out) == before


def test_bitmaps_of_two_sizes_want_one(tmp_path):
    src, out = tmp_path / "src", tmp_path / "out"
    write_npy(src, "cat", 20)
    write_npy(src, "dog", 20, side=32)
    answer = tagbox_here("records", "drawings", src, "--out", out)
    assert answer.code == exit_codes.INPUT
    assert "cat.npy has 28 px, dog.npy 32 px a side. Choose one with --size 28." in answer.error_line
    assert not out.exists()
    assert tagbox_here("records", "drawings", src, "--out", out, "--size", 28).code == exit_codes.DONE


# --- a category in verification that training lacks -----------------------------------------------------------------


def test_a_category_that_somebody_put_into_verification_alone_is_said(tmp_path):
    data = tmp_path / "data"
    for label, split, count in (("cat", "training", 4), ("cat", "verification", 2), ("fish", "verification", 2)):
        for index in range(count):
            write_picture(data / label / split / "images" / f"{split}{index}.jpg", f"{label}{split}{index}")
    answer = tagbox_here("records", "folder", data, "--out", tmp_path / "out")
    assert answer.code == exit_codes.DONE
    assert "warning: fish: no picture is in training" in answer.err


@pytest.mark.tf
def test_training_refuses_classes_it_cannot_have_before_there_is_a_run(tmp_path):
    for label in ("cat", "dog", "fish"):
        write_npy(tmp_path / "src", label, 20)
    build(tmp_path / "src", tmp_path / "two", 10, 5, labels=("cat", "dog"))
    build(tmp_path / "src", tmp_path / "three", 10, 5)
    build(tmp_path / "src", tmp_path / "one", 10, 5, labels=("cat",))
    run = tmp_path / "run"
    sources = (f"--train_src={tmp_path}/two/drawings_training.record",
               f"--eval_src={tmp_path}/three/drawings_verification.record")  # fmt: skip
    answer = tagbox_here("train", *sources, "--run", run)
    assert answer.code == exit_codes.USAGE
    assert f"the records have class fish, which the label map {tmp_path}/two/label_map.pbtxt" in answer.error_line
    answer = tagbox_here("train", "cnn", "--records", tmp_path / "one", "--run", run)
    assert answer.code == exit_codes.USAGE
    assert "there is one class only (cat): nothing to tell apart" in answer.error_line
    dropout = "task.train_data.augmentation.stroke_dropout=0.2"
    answer = tagbox_here("train", "cnn", "--records", tmp_path / "two", "--run", run, "--set", dropout)
    assert answer.code == exit_codes.INPUT
    assert "without their strokes one by one. Build them from .ndjson or .bin files" in answer.error_line
    assert not run.exists()
