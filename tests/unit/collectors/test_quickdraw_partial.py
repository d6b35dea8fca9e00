import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.errors import InputError
from collectors.quickdraw_partial import PartialFile

CONTENT = bytes(range(256)) * 4
stretches = st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 300)), max_size=8)


@given(stretches, st.integers(0, 1000), st.integers(0, 300))
def test_missing_and_here_make_the_whole(tmp_path_factory, written, start, length):
    path = tmp_path_factory.mktemp("parts") / "cat.npy"
    here = set()
    with PartialFile(path, "http://a") as partial:
        for begin, count in written:
            piece = CONTENT[begin : begin + count]
            partial.write(begin, piece)
            here |= set(range(begin, begin + len(piece)))
        partial.save()
    with PartialFile(path, "http://a") as partial:
        assert partial.num_bytes == len(here)
        missing = partial.missing(start, start + length)
        asked = set(range(start, start + length))
        assert {byte for a, b in missing for byte in range(a, b)} == asked - here
        if asked <= here:
            assert partial.read(start, start + length) == CONTENT[start : start + length]
        else:
            with pytest.raises(ValueError, match="not all here"):
                partial.read(start, start + length)


def test_what_was_not_saved_is_not_trusted(tmp_path: Path):
    path = tmp_path / "cat.npy"
    with PartialFile(path, "http://a") as partial:
        partial.write(0, b"saved")
        partial.save()
        partial.write(5, b"not saved")
    with PartialFile(path, "http://a") as partial:
        assert partial.missing(0, 14) == [(5, 14)]


@pytest.mark.parametrize(
    "note", [b"", b"{", b"[]", b'{"url": 1}', b'{"url":"http://a","etag":"","size":9,"extents":[[0,99]]}', b"\xff"]
)
def test_a_damaged_note_is_no_note(tmp_path: Path, note):
    path = tmp_path / "cat.npy"
    path.write_bytes(b"123")
    path.with_name("cat.npy.json").write_bytes(note)
    with PartialFile(path, "http://a") as partial:
        assert partial.missing(0, 3) == [(0, 3)]


def test_bytes_of_another_url_or_version_are_dropped(tmp_path: Path):
    path = tmp_path / "cat.npy"
    with PartialFile(path, "http://a") as partial:
        partial.etag, partial.size = "x", 5
        partial.write(0, b"12345")
        partial.save()
    with PartialFile(path, "http://b") as partial:
        assert (partial.num_bytes, partial.etag, partial.size) == (0, "", -1)
    with PartialFile(path, "http://a") as partial:
        assert (partial.num_bytes, partial.etag, partial.size) == (5, "x", 5)
        partial.forget()
    assert json.loads((tmp_path / "cat.npy.json").read_text())["extents"] == []
    assert path.stat().st_size == 0


def test_a_file_in_the_way_is_named(tmp_path: Path):
    (tmp_path / "folder").write_text("a file")
    with pytest.raises(InputError, match="cannot write"), PartialFile(tmp_path / "folder" / "cat.npy", "http://a"):
        pass
