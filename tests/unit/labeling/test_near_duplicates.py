from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from collectors.image_identity import hash_distance
from labeling.near_duplicates import Look, NearPair, look_of, near_pairs
from tests.unit.labeling.labeled_pictures import encoded, varied_picture

_SIZE = (320, 240)


def _look(image: Image.Image) -> Look:
    look = look_of(image)
    assert look is not None
    return look


def _variant(image: Image.Image, kind: str) -> Image.Image:
    if kind == "quality 40":
        import io

        return Image.open(io.BytesIO(encoded(image, quality=40)))
    if kind == "half":
        return image.resize((160, 120), Image.Resampling.LANCZOS)
    if kind == "larger":
        return image.resize((500, 375), Image.Resampling.BICUBIC)
    return image.convert("RGBA")


@pytest.mark.parametrize("kind", ["quality 40", "half", "larger", "alpha"])
def test_the_same_picture_in_another_file_is_near(kind: str) -> None:
    for seed in range(10):
        image = varied_picture(seed, _SIZE)
        (pair,) = near_pairs([_look(_variant(image, kind))], [_look(varied_picture(seed + 50, _SIZE)), _look(image)])
        assert (pair.first, pair.second, pair.is_mirrored) == (0, 1, False)


def test_a_mirrored_picture_is_near_and_said_to_be_mirrored() -> None:
    looks = [_look(varied_picture(3, _SIZE)), _look(varied_picture(3, _SIZE, mirrored=True))]
    assert list(near_pairs(looks[:1], looks[1:])) == [NearPair(0, 0, 0, is_mirrored=True)]


def test_other_pictures_are_not() -> None:
    looks = [_look(varied_picture(seed, _SIZE)) for seed in range(60)]
    assert [(pair.first, pair.second) for pair in near_pairs(looks, looks)] == [(place, place) for place in range(60)]


def test_shapes_alike_in_other_colours_are_not() -> None:
    image = varied_picture(4, _SIZE)
    tinted = ImageEnhance.Brightness(image).enhance(0.5)
    assert hash_distance(_look(image).phash, _look(tinted).phash) <= 8
    assert list(near_pairs([_look(image)], [_look(tinted)])) == []


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "CMYK"])
def test_blank_pictures_look_like_nothing(mode: str) -> None:
    assert look_of(Image.new(mode, (50, 50))) is None
    assert list(near_pairs([None, None], [None])) == []


@pytest.mark.parametrize("mode", ["I", "F", "I;16"])
def test_sixteen_bits_and_more_are_not_compared(mode: str) -> None:
    assert look_of(Image.new(mode, (50, 50))) is None


@given(st.lists(st.one_of(st.none(), st.integers(0, 3)), max_size=6), st.lists(st.integers(0, 3), max_size=6))
def test_pairs_are_those_of_comparing_each_with_each(first: list[int | None], second: list[int]) -> None:
    made = {seed: _look(varied_picture(seed, (40, 30))) for seed in range(4)}
    pairs = near_pairs([None if seed is None else made[seed] for seed in first], [made[seed] for seed in second])
    assert [(pair.first, pair.second) for pair in pairs] == [
        (i, j) for i, one in enumerate(first) for j, other in enumerate(second) if one == other
    ]


def test_photographs_of_different_raccoons(shared_data: Path) -> None:
    """The duplicates that the set is known to hold, and no other pair."""
    paths = sorted((shared_data / "voc/raccoon/images").glob("*.jpg"))[:100]
    looks = []
    for path in paths:
        with Image.open(path) as image:
            looks.append(look_of(image))
    pairs = [(paths[pair.first].read_bytes(), paths[pair.second].read_bytes()) for pair in near_pairs(looks, looks)]
    assert all(one == other for one, other in pairs)
