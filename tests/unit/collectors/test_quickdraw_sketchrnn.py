import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from collectors.errors import InputError
from collectors.quickdraw_formats import LineError
from collectors.quickdraw_sketchrnn import read_sketchrnn, to_drawing
from tests.support.quickdraw_files import deltas_of, drawings_of, write_sketchrnn


def _objects(arrays):
    outer = np.empty(len(arrays), object)
    outer[:] = arrays
    return outer


def _npz(path: Path, payload: bytes, count: int = 1) -> Path:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|O", "fortran_order": False, "shape": (count,)})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("train.npy", stream.getvalue() + payload)
    return path


def test_a_file_of_todays_numpy(tmp_path: Path):
    drawings = drawings_of("cat", 30)
    path = tmp_path / "cat.npz"
    write_sketchrnn(path, drawings)
    expected = np.load(path, allow_pickle=True, encoding="latin1")
    for split in ("train", "valid", "test"):
        mine = list(read_sketchrnn(path, split))
        assert len(mine) == len(expected[split])
        assert all(map(np.array_equal, mine, expected[split]))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("dtype", ["<i2", ">i2", "<i4", "<i8", "<f4", "i1"])
def test_every_protocol_and_type(tmp_path: Path, protocol, dtype):
    arrays = [(deltas_of(drawing) // 4).astype(dtype) for drawing in drawings_of("cat", 2500)]
    payload = pickle.dumps(_objects(arrays), protocol=protocol)
    mine = list(read_sketchrnn(_npz(tmp_path / "cat.npz", payload, len(arrays))))
    assert all(map(np.array_equal, mine, arrays))


def test_a_file_of_python_2(tmp_path: Path):
    # As protocol 2 of Python 2 wrote it: strings, not bytes, and numpy's names of the time.
    array = np.array([[1, 2, 0], [3, -4, 1]], np.int16)
    raw = array.tobytes()
    text = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x00cnumpy\nndarray\nq\x01K\x00\x85q\x02U\x01bq\x03\x87q\x04Rq\x05"
        b"(K\x01K\x01\x85q\x06cnumpy\ndtype\nq\x07U\x02O8q\x08K\x00K\x01\x87q\tRq\n(K\x03U\x01|q\x0bNNNJ\xff\xff\xff\xff"
        b"J\xff\xff\xff\xffK?tq\x0cb\x89]q\r"
        b"h\x00h\x01K\x00\x85q\x0eU\x01bq\x0f\x87q\x10Rq\x11(K\x01K\x02K\x03\x86q\x12h\x07U\x02i2q\x13K\x00K\x01\x87q\x14Rq\x15"
        b"(K\x03U\x01<q\x16NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x17b\x89U"
        + bytes([len(raw)]) + raw + b"q\x18tq\x19ba" + b"tq\x1ab."
    )  # fmt: skip
    mine = list(read_sketchrnn(_npz(tmp_path / "cat.npz", text)))
    assert len(mine) == 1
    assert np.array_equal(mine[0], array)


def test_drawings_stand_at_the_origin_and_keep_their_strokes():
    for drawing in drawings_of("cat", 40):
        low = np.concatenate(drawing.strokes).min(axis=0)
        back = to_drawing(deltas_of(drawing), "cat")
        assert [s.tolist() for s in back.strokes] == [(s - low).tolist() for s in drawing.strokes]
        assert (
            back.key_id == to_drawing(deltas_of(drawing), "cat").key_id != to_drawing(deltas_of(drawing), "dog").key_id
        )


def test_what_is_no_drawing_is_refused():
    with pytest.raises(LineError, match="no points"):
        to_drawing(np.empty((0, 3), np.int16), "cat")
    with pytest.raises(LineError, match="300 wide or high"):
        to_drawing(np.array([[0, 0, 0], [300, 0, 1]], np.int16), "cat")


class _Evil:
    def __reduce__(self):
        return (exec, ("raise SystemExit('a pickle was run')",))


@pytest.mark.parametrize(
    "content",
    [
        [_Evil()],
        [{"a": 1}],
        ["text"],
        [np.zeros((2, 3), "M8[s]")],
        [np.array([[0.5, 1, 0]])],
        [np.array([[70_000, 1, 0]])],
        [np.zeros(3, np.int16)],
        [[np.zeros((2, 3), np.int16)]],
    ],
    ids=["code", "a dict", "text", "dates", "fractions", "large steps", "one axis", "a list of lists"],
)
def test_anything_but_small_arrays_is_refused_and_nothing_is_run(tmp_path: Path, content):
    outer = np.empty(1, object)
    outer[0] = content[0]
    with pytest.raises(InputError, match="cannot be read"):
        list(read_sketchrnn(_npz(tmp_path / "cat.npz", pickle.dumps(outer, protocol=3))))


def test_damaged_files_are_named(tmp_path: Path):
    path = tmp_path / "cat.npz"
    write_sketchrnn(path, drawings_of("cat", 300))
    whole = path.read_bytes()
    for damage in (whole[: len(whole) // 2], b"<html>", b"", whole[:60] + bytes(400) + whole[460:]):
        path.write_bytes(damage)
        with pytest.raises(InputError, match=r"cat\.npz"):
            list(read_sketchrnn(path))
    np.savez(path, other=np.zeros(3))
    with pytest.raises(InputError, match="no array 'train'"):
        list(read_sketchrnn(path))
    with pytest.raises(InputError, match="cannot be read"):
        list(read_sketchrnn(tmp_path / "absent.npz"))
    payload = pickle.dumps(_objects([np.zeros((1, 3), np.int16), np.zeros((2, 3), np.int16)]), protocol=3)
    with pytest.raises(InputError, match="3 drawings were promised, 2"):
        list(read_sketchrnn(_npz(path, payload, 3)))
    with pytest.raises(InputError, match="cannot be read"):
        list(read_sketchrnn(_npz(path, payload[: len(payload) // 2], 2)))
