import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from collectors.errors import InputError
from collectors.quickdraw_bitmaps import (
    HEAD_BYTES,
    BitmapTable,
    check_size,
    headerless_table,
    read_header,
    rows_of,
    write_array,
)
from tests.support.quickdraw_files import npy_bytes, old_header_npy


@pytest.mark.parametrize(("write", "offset"), [(npy_bytes, 128), (old_header_npy, 80)])
def test_headers_old_and_new(write, offset):
    rows = np.arange(5 * 784, dtype=np.uint32).astype(np.uint8).reshape(5, 784)
    content = write(rows)
    table = read_header(content[:HEAD_BYTES], "cat.npy")
    assert table == BitmapTable(offset, 5)
    assert table.end == len(content)
    check_size(table, len(content), "cat.npy")
    assert np.array_equal(rows_of(content[table.offset :]).reshape(5, 784), rows)


@given(npst.arrays(np.uint8, st.tuples(st.integers(0, 4), st.just(784))), st.integers(1, 3))
def test_what_is_written_is_read_back_by_numpy_and_by_us(tmp_path_factory, rows, cuts):
    path = tmp_path_factory.mktemp("npy") / "cat.npy"
    assert write_array(path, np.array_split(rows, cuts), (784,)) == len(rows)
    content = path.read_bytes()
    assert np.array_equal(np.load(io.BytesIO(content)), rows)
    table = read_header(content[:HEAD_BYTES], "cat.npy")
    assert (table.num_rows, table.end) == (len(rows), len(content))


def test_a_million_rows_do_not_move_the_header(tmp_path: Path):
    path = tmp_path / "dots.npy"
    assert write_array(path, (np.full((100_000, 1), 7, np.uint8) for _ in range(11)), (1,)) == 1_100_000
    assert np.load(path).shape == (1_100_000, 1)


def test_pictures_of_28_by_28_are_rows_too():
    assert read_header(npy_bytes(np.zeros((3, 28, 28), np.uint8)), "x").num_rows == 3


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((3, 784)),
        np.zeros((3, 785), np.uint8),
        np.zeros(784, np.uint8),
        np.asfortranarray(np.zeros((3, 784), np.uint8)),
        np.zeros((784, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused(array):
    with pytest.raises(InputError, match="bitmaps are uint8"):
        read_header(npy_bytes(array), "cat.npy")


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda tail: b"\x93NUMPY\x01\x00" + tail))
def test_no_bytes_crash_the_reader(head):
    try:
        read_header(head, "cat.npy")
    except InputError as error:
        assert error.where == "cat.npy"  # noqa: PT017


def test_a_header_that_is_code_is_not_run():
    text = b"{'descr': '|u1', 'fortran_order': False, 'shape': (__import__('os').getpid(), 784), }".ljust(117) + b"\n"
    with pytest.raises(InputError, match=r"no \.npy file"):
        read_header(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text, "cat.npy")


@pytest.mark.parametrize("missing", [1, 784, 784 * 2 + 5, 784 * 3 + 100])
def test_a_cut_file_says_how_much_is_there(missing):
    content = npy_bytes(np.zeros((3, 784), np.uint8))
    table = read_header(content, "cat.npy")
    with pytest.raises(InputError, match="file is cut: its header promises 3 drawings"):
        check_size(table, len(content) - missing, "cat.npy")
    with pytest.raises(InputError, match="stand behind"):
        check_size(table, len(content) + missing, "cat.npy")


def test_files_without_a_header():
    assert headerless_table(784_000) == BitmapTable(0, 1000)
    assert headerless_table(784_001) is None
    assert headerless_table(0) is None


def test_official_files_load_and_look_right(shared_data: Path):
    for name in ("cat", "apple"):
        path = shared_data / "quickdraw" / "npy" / f"{name}.npy"
        with path.open("rb") as stream:
            table = read_header(stream.read(HEAD_BYTES), str(path))
        check_size(table, path.stat().st_size, str(path))
        pictures = rows_of(path.read_bytes()[table.offset :])
        assert np.array_equal(pictures.reshape(-1, 784), np.load(path))
        _look_right(pictures)
    for name in ("cats", "rainbows", "trains"):
        content = (shared_data / "quickdraw" / "bin" / f"{name}1000.bin").read_bytes()
        table = headerless_table(len(content))
        assert table == BitmapTable(0, 1000)
        _look_right(rows_of(content))


def _look_right(pictures: np.ndarray) -> None:
    """White ink on black, thin, in the middle."""
    assert 0.03 < (pictures > 127).mean() < 0.35
    assert pictures.max() == 255
    assert pictures.any(axis=(1, 2)).all()
    assert pictures[:, 8:20, 8:20].mean() > pictures[:, [0, 1, 26, 27]].mean()
