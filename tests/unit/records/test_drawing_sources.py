"""What is a source of drawings and what is not, said with file, reason and numbers."""

import numpy as np
import pytest

from collectors.errors import ConfigError, InputError
from records.drawing_sources import check_spellings, find_drawing_sources, spelling_key
from tests.unit.records.drawing_files import strokes, write_binary, write_ndjson, write_npy, write_picture, write_raw


def test_every_kind_of_source_is_found(tmp_path):
    write_npy(tmp_path, "cat", 3)
    write_npy(tmp_path, "dog", 4, rows=np.zeros((4, 85, 85), np.uint8))
    (tmp_path / "sun.bin").write_bytes(bytes(784 * 5))
    write_ndjson(tmp_path, "fish", strokes("fish", 2))
    write_raw(tmp_path, "moon", strokes("moon", 2))
    write_binary(tmp_path, "star", strokes("star", 5))
    found = {one.label: (one.kind, one.side, one.num_rows, one.name) for one in find_drawing_sources(tmp_path)}
    assert found == {
        "cat": ("bitmaps", 28, 3, "cat.npy"),
        "dog": ("bitmaps", 85, 4, "dog.npy"),
        "fish": ("simplified", 0, 0, "fish.ndjson"),
        "moon": ("raw", 0, 0, "moon.ndjson"),
        "star": ("binary", 0, 0, "star.bin"),
        "sun": ("bitmaps", 28, 5, "sun.bin"),
    }


def test_folders_of_pictures_are_labels(tmp_path):
    write_picture(tmp_path / "cat" / "a.png", "a", kind="PNG")
    write_picture(tmp_path / "dog" / "deep" / "b.jpg", "b")
    (tmp_path / ".hidden").mkdir()
    assert [(one.label, one.kind) for one in find_drawing_sources(tmp_path)] == [("cat", "rasters"), ("dog", "rasters")]


def test_only_the_labels_asked_for_are_looked_at(tmp_path):
    write_npy(tmp_path, "cat")
    (tmp_path / "dog.npy").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    assert [one.label for one in find_drawing_sources(tmp_path, ["cat"])] == ["cat"]
    with pytest.raises(ConfigError, match=r"no drawings of mouse\. There are: cat, dog"):
        find_drawing_sources(tmp_path, ["cat", "mouse"])


def _cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def _longer(path):
    path.write_bytes(path.read_bytes() + b"xyz")


BAD_NPY = {
    "Git-LFS pointer": lambda path: path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n"),
    "HTML page": lambda path: path.write_bytes(b"<!DOCTYPE html><html>404</html>"),
    r"promises 20 drawings .*\(19 whole drawings": _cut,
    "3 bytes stand behind the 20 drawings": _longer,
    "holds float64 of shape": lambda path: np.save(path, np.zeros((3, 784))),
    r"uint8 of shape \(3, 780\)": lambda path: np.save(path, np.zeros((3, 780), np.uint8)),
    r"uint8 of shape \(784,\)": lambda path: np.save(path, np.zeros(784, np.uint8)),
    r"uint8 of shape \(3, 20, 30\)": lambda path: np.save(path, np.zeros((3, 20, 30), np.uint8)),
    r"uint8 of shape \(3, 4\)": lambda path: np.save(path, np.zeros((3, 4), np.uint8)),
    "holds uint8 of shape .*\n?": lambda path: np.save(path, np.asfortranarray(np.zeros((3, 784), np.uint8))),
    "has no drawings": lambda path: np.save(path, np.zeros((0, 784), np.uint8)),
    "the file is empty": lambda path: path.write_bytes(b""),
    "no file of the format": lambda path: path.write_bytes(b"PK\x03\x04 and so on"),
    "no .npy file of numpy": lambda path: path.write_bytes(b"\x93NUMPY\x01\x00\x05\x00{'a'"),
}


@pytest.mark.parametrize("words", BAD_NPY)
def test_a_file_that_is_no_array_of_bitmaps_is_named(tmp_path, words):
    write_npy(tmp_path, "apple")
    path = write_npy(tmp_path, "cat")
    BAD_NPY[words](path)
    with pytest.raises(InputError, match=words) as caught:
        find_drawing_sources(tmp_path)
    assert caught.value.where == str(path)
    assert caught.value.fix


def test_several_bad_files_are_counted(tmp_path):
    for name in ("cat", "dog", "sun"):
        (tmp_path / f"{name}.npy").write_bytes(b"<html>")
    with pytest.raises(InputError, match=r"and 2 other files: dog.npy, sun.npy"):
        find_drawing_sources(tmp_path)


def test_a_label_twice_or_in_two_spellings_is_refused(tmp_path):
    write_npy(tmp_path / "npy", "blob")
    write_ndjson(tmp_path / "strokes", "blob", strokes("blob", 2))
    with pytest.raises(InputError, match=r"'blob' is there twice: .*npy/blob.npy and .*strokes/blob.ndjson"):
        find_drawing_sources(tmp_path)
    (tmp_path / "strokes" / "blob.ndjson").rename(tmp_path / "strokes" / "Blob.ndjson")
    with pytest.raises(InputError, match=r"two spellings of one label: 'Blob' .* and 'blob'"):
        find_drawing_sources(tmp_path)


@pytest.mark.parametrize("other", ["Ice Cream", "ice_cream", "ice-cream", " ice  cream "])
def test_spellings_of_one_label(other):
    assert spelling_key(other) == spelling_key("ice cream")
    with pytest.raises(InputError, match="two spellings"):
        check_spellings([("ice cream", "a"), (other, "b")])


def test_different_labels_pass():
    check_spellings([("cat", "a"), ("cats", "b"), ("dog", "c")])


def test_an_empty_label_folder_and_an_empty_or_missing_source_are_refused(tmp_path):
    with pytest.raises(InputError, match="no drawings here"):
        find_drawing_sources(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        find_drawing_sources(tmp_path / "nowhere")
    write_picture(tmp_path / "cat" / "a.jpg", "a")
    (tmp_path / "dog").mkdir()
    with pytest.raises(InputError, match="the folder has no pictures"):
        find_drawing_sources(tmp_path)


def test_sketchrnn_files_are_refused_with_what_to_give(tmp_path):
    np.savez(tmp_path / "cat.npz", train=np.zeros(3))
    with pytest.raises(InputError, match=r"Give .npy, .ndjson or .bin"):
        find_drawing_sources(tmp_path)
