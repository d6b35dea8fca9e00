"""What a classifier is asked about: seen as the pictures of records are, and read as far as it can be."""

import numpy as np
import pytest
from PIL import Image

from collectors.errors import InputError
from pipelines.classification.sources import read_pictures
from records.drawing_reading import HASH, PLACE, index_source, read_drawings
from records.drawing_sources import find_drawing_sources
from tests.unit.records.drawing_files import write_npy, write_picture

_SHAPE = (28, 28, 1)
_MODES = {"1": "PNG", "L": "PNG", "LA": "PNG", "P": "PNG", "RGB": "JPEG", "RGBA": "PNG", "CMYK": "JPEG"}


def test_pictures_of_every_mode_are_seen_as_those_of_records(tmp_path):
    folder = tmp_path / "src" / "cat"
    for mode, kind in _MODES.items():
        write_picture(folder / f"{mode}.{kind.lower()}", mode, size=(28, 28), mode=mode, kind=kind)
    deep = np.random.default_rng(1).integers(0, 2**16, (28, 28), np.uint16)
    Image.fromarray(deep).save(folder / "deep.png")
    ink = np.zeros((28, 28, 4), np.uint8)
    ink[5:9, 5:20, 3] = 255
    Image.fromarray(ink).save(folder / "transparent.png")
    (source,) = find_drawing_sources(tmp_path / "src")
    index = index_source(source).index
    kept = read_drawings(source, index[PLACE], index[HASH], 28)
    asked = {name: part.pixels[0] for part in read_pictures([folder], _SHAPE) for name in part.names}
    assert len(asked) == len(_MODES) + 2
    for name, pixels in zip(kept.names, kept.pixels, strict=True):
        np.testing.assert_array_equal(asked[str(folder / name.decode())].reshape(-1), pixels)
    scaled = asked[str(folder / "deep.png")]
    assert 110 < scaled.mean() < 145  # not cut at 255
    assert asked[str(folder / "transparent.png")][0, 0, 0] == 255  # on white


def test_of_several_sources_a_damaged_one_is_named_and_the_others_are_read(tmp_path):
    good = write_npy(tmp_path, "cat", 3)
    bad = tmp_path / "dog.npy"
    np.save(bad, np.zeros((20, 783), np.uint8))
    gone, empty = tmp_path / "gone.jpg", tmp_path / "empty"
    empty.mkdir()
    parts = list(read_pictures([bad, gone, empty, good], _SHAPE))
    assert [name for part in parts for name in part.names] == [f"{good}:row {row}" for row in range(3)]
    errors = [error for part in parts for error in part.errors]
    assert [path for path, _ in errors] == [str(bad), str(gone), str(empty)]
    assert "the array holds uint8 of shape (20, 783)" in errors[0][1]
    assert "no such file or folder" in errors[1][1]
    assert "no picture is there" in errors[2][1]
    for alone in (bad, gone, empty):
        with pytest.raises(InputError):
            list(read_pictures([alone], _SHAPE))
