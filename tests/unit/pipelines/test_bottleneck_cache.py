"""Vectors of pictures on disk: whole or absent, found again, never mixed up."""

import hashlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.errors import InputError
from pipelines.classification.bottleneck_cache import BottleneckCache

ABOUT = {"network": "mobilenet_1.0_224", "weights": "ab" * 32}
WIDTH = 5


def _key(number):
    return hashlib.sha256(str(number).encode()).digest()


def _vectors(numbers):
    return np.asarray([[number + place / 8 for place in range(WIDTH)] for number in numbers], np.float32)


def _filled(root, numbers, **more):
    cache = BottleneckCache(root, ABOUT, WIDTH, **more)
    if numbers:
        cache.add([_key(number) for number in numbers], _vectors(numbers))
    cache.flush()
    return cache


def _segments(cache):
    return sorted(cache.folder.glob("*.npz"))


@given(st.lists(st.lists(st.integers(0, 300), max_size=12), max_size=12))
def test_what_was_put_in_comes_out_whatever_the_segments(tmp_path_factory, groups):
    root = tmp_path_factory.mktemp("cache")
    for numbers in groups:
        _filled(root, numbers)
    cache = BottleneckCache(root, ABOUT, WIDTH)
    wanted = sorted({number for numbers in groups for number in numbers})
    assert len(cache) == len(wanted)
    assert np.array_equal(cache.rows([_key(number) for number in wanted]), _vectors(wanted).reshape(-1, WIDTH))
    cache.compact()
    assert len(_segments(cache)) <= 8
    assert np.array_equal(
        BottleneckCache(root, ABOUT, WIDTH).rows([_key(one) for one in wanted]),
        cache.rows([_key(one) for one in wanted]),
    )


def test_the_folder_says_what_it_is_of_and_other_networks_have_others(tmp_path):
    cache = _filled(tmp_path, [1, 2])
    assert json.loads((cache.folder / "about.json").read_text(encoding="utf-8")) == {**ABOUT, "width": WIDTH}
    assert cache.folder.name.startswith("mobilenet_1.0_224-")
    for other in ({**ABOUT, "weights": "cd" * 32}, {**ABOUT, "network": "mobilenet_0.25_128"}):
        assert len(BottleneckCache(tmp_path, other, WIDTH)) == 0
    assert len(BottleneckCache(tmp_path, ABOUT, WIDTH + 1)) == 0
    assert _key(1) in BottleneckCache(tmp_path, ABOUT, WIDTH)
    assert _key(3) not in BottleneckCache(tmp_path, ABOUT, WIDTH)


def test_nothing_is_written_before_there_is_something(tmp_path):
    cache = BottleneckCache(tmp_path / "none", ABOUT, WIDTH)
    cache.flush()
    cache.compact()
    assert not (tmp_path / "none").exists()
    assert cache.rows([]).shape == (0, WIDTH)
    with pytest.raises(KeyError):
        cache.rows([_key(1)])


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text", "other width", "not finite", "no keys"])
def test_a_damaged_segment_is_named_and_dropped(tmp_path, damage):
    _filled(tmp_path, [1, 2])
    path = _segments(_filled(tmp_path, [3]))
    path = next(one for one in path if len(np.load(one)["sha256"]) == 2)
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[:-30])
    elif damage == "flipped":
        # The last byte of the vectors: only the checksum can tell.
        place = content.index(_vectors([1]).tobytes()[-8:])
        path.write_bytes(content[:place] + b"\x01\x02\x03\x04" + content[place + 4 :])
    elif damage in ("empty", "text"):
        path.write_bytes(b"" if damage == "empty" else b"<html>")
    else:
        keys = np.zeros((2, 32 if damage != "no keys" else 20), np.uint8)
        rows = np.zeros((2, WIDTH + (damage == "other width")), np.float32)
        rows[0, 0] = np.nan if damage == "not finite" else 0
        with path.open("wb") as stream:
            np.savez(stream, sha256=keys, vectors=rows)
    told = []
    cache = BottleneckCache(tmp_path, ABOUT, WIDTH, notice=told.append)
    assert len(cache) == 1
    assert len(told) == 1
    assert str(path) in told[0]
    assert not path.exists()


def test_a_disk_that_refuses_is_told_and_the_vectors_stay(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    cache = BottleneckCache(tmp_path / "file", ABOUT, WIDTH)
    cache.add([_key(1)], _vectors([1]))
    with pytest.raises(InputError, match="cannot write"):
        cache.flush()
    assert cache.num_waiting == 1
    assert _key(1) in cache


def test_a_killed_writer_leaves_no_segment(tmp_path):
    cache = _filled(tmp_path, [1])
    (cache.folder / "0123.npz.tmp").write_bytes(b"PK half")
    told = []
    assert len(BottleneckCache(tmp_path, ABOUT, WIDTH, notice=told.append)) == 1
    assert told == []
