from pathlib import Path

import numpy as np
import pytest

from collectors.errors import InputError
from collectors.quickdraw_local import LocalFile, list_folder
from tests.support.quickdraw_files import binary, drawings_of, ndjson, npy_bytes, raw_ndjson, write_sketchrnn


def test_every_kind_of_name_is_understood(tmp_path: Path):
    drawings = drawings_of("alarm clock", 6)
    rows = np.zeros((4, 784), np.uint8)
    (tmp_path / "more").mkdir()
    (tmp_path / "cat.npy").write_bytes(npy_bytes(rows))
    (tmp_path / "full_numpy_bitmap_the eiffel tower.npy").write_bytes(npy_bytes(rows))
    (tmp_path / "full%2Fsimplified%2Falarm%20clock.ndjson").write_bytes(ndjson(drawings))
    (tmp_path / "more" / "raw_dog.ndjson").write_bytes(raw_ndjson(drawings))
    (tmp_path / "axe.bin").write_bytes(binary(drawings))
    (tmp_path / "cats1000.bin").write_bytes(rows.tobytes())
    write_sketchrnn(tmp_path / "sketchrnn_pig.full.npz", drawings)
    (tmp_path / "README.md").write_text("notes")
    (tmp_path / ".hidden.npy").write_text("x")
    found = {(entry.category, entry.format_name, entry.is_headerless) for entry in list_folder(tmp_path)}
    assert found == {
        ("cat", "numpy_bitmap", False),
        ("The Eiffel Tower", "numpy_bitmap", False),
        ("alarm clock", "simplified", False),
        ("dog", "raw", False),
        ("axe", "binary", False),
        ("cats1000", "numpy_bitmap", True),
        ("pig", "sketchrnn", False),
    }


def test_no_name_leads_out_of_the_output_folder(tmp_path: Path):
    for name in ("%2E%2E.npy", "%2F%2E%2E%2Fcat.npy", "a%00b.npy", "%20.npy"):
        (tmp_path / name).write_bytes(npy_bytes(np.zeros((1, 784), np.uint8)))
    for entry in list_folder(tmp_path):
        assert "/" not in entry.category
        assert entry.category.isprintable()
        assert entry.category.strip(" .")


def test_an_empty_or_absent_folder_is_named(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match="no QuickDraw file"):
        list_folder(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        list_folder(tmp_path / "absent")


def test_reading_stops_at_the_end(tmp_path: Path):
    path = tmp_path / "cat.bin"
    path.write_bytes(b"0123456789")
    with LocalFile(path) as source:
        assert source.read(2, 5) == b"234"
        assert source.read(8, 50) == b"89"
        assert source.read(20, 50) == b""
    with pytest.raises(InputError, match="cannot read"):
        LocalFile(tmp_path / "absent.bin")


def test_the_real_folder(shared_data: Path):
    entries = list_folder(shared_data / "quickdraw")
    assert sum(entry.format_name == "simplified" for entry in entries) == 344
    assert sum(entry.format_name == "raw" for entry in entries) == 10
    assert sum(entry.is_headerless for entry in entries) == 3
