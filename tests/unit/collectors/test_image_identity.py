import io
from pathlib import Path

import imagehash
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from collectors.image_identity import (
    NearDuplicateIndex,
    hash_distance,
    perceptual_hashes,
    pixel_sha256,
    to_signed,
    to_unsigned,
)
from tests.support.fake_tumblr.pictures import Recipe, picture_bytes

_HASH = st.integers(0, 2**64 - 1)


def _picture(master: int, **changes: object) -> Image.Image:
    recipe = Recipe(3, master, 320, 240, **changes)  # type: ignore[arg-type]
    return Image.open(io.BytesIO(picture_bytes(recipe))).convert("RGB")


@pytest.mark.parametrize("master", range(1, 9))
def test_the_hash_is_close_to_imagehashs_and_the_mirror_comes_free(master: int) -> None:
    image = _picture(master)
    straight, mirrored = perceptual_hashes(image)
    assert hash_distance(straight, int(str(imagehash.phash(image)), 16)) <= 2
    flipped = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert hash_distance(mirrored, int(str(imagehash.phash(flipped)), 16)) <= 2


def test_real_photographs_hash_almost_as_imagehash_does(shared_data: Path) -> None:
    distances = []
    for path in sorted((shared_data / "voc" / "raccoon").rglob("*.jpg"))[::8]:
        with Image.open(path) as image:
            distances.append(hash_distance(perceptual_hashes(image)[0], int(str(imagehash.phash(image)), 16)))
    assert max(distances) <= 4
    assert sum(distances) / len(distances) < 1


def test_copies_are_near_and_strangers_are_far() -> None:
    image = _picture(5)
    straight, mirrored = perceptual_hashes(image)
    stream = io.BytesIO()
    image.resize((160, 120)).save(stream, "JPEG", quality=40)
    copy, _ = perceptual_hashes(Image.open(stream))
    assert hash_distance(straight, copy) <= 4
    flipped, _ = perceptual_hashes(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    assert hash_distance(mirrored, flipped) <= 4
    for master in range(6, 30):
        assert hash_distance(straight, perceptual_hashes(_picture(master))[0]) > 8


def test_pixels_are_the_same_in_every_lossless_container() -> None:
    image = _picture(2)
    hashes = set()
    for kind in ("PNG", "BMP", "TIFF"):
        stream = io.BytesIO()
        image.save(stream, kind)
        hashes.add(pixel_sha256(Image.open(stream)))
    assert hashes == {pixel_sha256(image)}
    tinted = Image.merge("RGB", [image.getchannel(name) for name in "BGR"])
    assert pixel_sha256(tinted) != pixel_sha256(image)
    assert pixel_sha256(Image.new("RGB", (2, 3))) != pixel_sha256(Image.new("RGB", (3, 2)))


@given(_HASH)
def test_hashes_survive_the_signed_integers_of_sqlite(value: int) -> None:
    assert -(2**63) <= to_signed(value) < 2**63
    assert to_unsigned(to_signed(value)) == value


@given(
    st.lists(_HASH, max_size=30),
    st.lists(st.tuples(st.integers(0, 29), st.sets(st.integers(0, 63), max_size=7)), max_size=6),
    st.sets(st.integers(0, 29), max_size=10),
)
def test_the_index_finds_exactly_what_lies_within_the_radius(
    hashes: list[int], questions: list[tuple[int, set[int]]], removed: set[int]
) -> None:
    index = NearDuplicateIndex(radius=4)
    for media_id, value in enumerate(hashes):
        index.add(media_id, value)
    for media_id in removed:
        index.remove(media_id)
    left = {media_id: value for media_id, value in enumerate(hashes) if media_id not in removed}
    assert len(index) == len(left)
    for place, bits in questions:
        asked = (hashes[place] if place < len(hashes) else 0) ^ sum(1 << bit for bit in bits)
        mirror = asked ^ (2**64 - 1)
        expected = {
            (media_id, min(hash_distance(value, asked), hash_distance(value, mirror)))
            for media_id, value in left.items()
            if min(hash_distance(value, asked), hash_distance(value, mirror)) <= 4
        }
        assert {(media_id, distance) for media_id, distance, _ in index.find(asked, mirror)} == expected


def test_the_index_grows_and_replaces() -> None:
    index = NearDuplicateIndex()
    rows = np.random.default_rng(0).integers(0, 2**63, 3_000)
    for media_id, value in enumerate(rows):
        index.add(media_id, int(value))
    index.add(7, 0)
    assert len(index) == 3_000
    assert index.find(0, 2**64 - 1)[0] == (7, 0, False)
