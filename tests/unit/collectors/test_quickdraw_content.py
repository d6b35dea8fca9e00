from pathlib import Path

import numpy as np
import pytest

from collectors.quickdraw_content import FORMATS, ForeignContentError, check_content
from tests.support.quickdraw_files import binary, drawings_of, ndjson, npy_bytes, raw_ndjson, write_sketchrnn


def _good(tmp_path: Path) -> dict[str, bytes]:
    drawings = drawings_of("cat", 9)
    write_sketchrnn(tmp_path / "cat.npz", drawings)
    return {
        "numpy_bitmap": npy_bytes(np.zeros((9, 784), np.uint8)),
        "binary": binary(drawings),
        "simplified": ndjson(drawings),
        "raw": raw_ndjson(drawings),
        "sketchrnn": (tmp_path / "cat.npz").read_bytes(),
    }


def test_what_is_right_passes(tmp_path: Path):
    for name, content in _good(tmp_path).items():
        check_content(content[:4096], name, "cat")


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize(
    ("head", "told"),
    [
        (b"", "empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:21a2\nsize 9\n", "Git-LFS pointer"),
        (b"\n  <!DOCTYPE HTML><html>", "HTML page"),
        (b"\xef\xbb\xbf<html>", "HTML page"),
        (b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>", "XML message"),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + bytes(20), "gzip"),
        (b"\x89PNG\r\n\x1a\n" + b"\xff" * 40, "no file of the format"),
    ],
)
def test_what_is_something_else_is_refused_and_named(format_name, head, told):
    with pytest.raises(ForeignContentError, match=told) as caught:
        check_content(head, format_name, "http://bucket/cat")
    assert caught.value.where == "http://bucket/cat"


def test_one_format_is_not_another(tmp_path: Path):
    good = _good(tmp_path)
    for name, content in good.items():
        for other in {"numpy_bitmap", "sketchrnn", "simplified"} - {name}:
            if {name, other} != {"simplified", "raw"}:
                with pytest.raises(ForeignContentError):
                    check_content(content[:4096], other, "cat")


def test_the_pointer_named_npy(shared_data: Path):
    path = shared_data / "quickdraw" / "bad" / "git_lfs_pointer_named_cat.npy"
    with pytest.raises(ForeignContentError, match=r"Git-LFS pointer.*git lfs pull"):
        check_content(path.read_bytes(), "numpy_bitmap", str(path))
