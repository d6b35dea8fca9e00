import hashlib
import io
import random
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from labeling.image_probe import ImageProblem, probe_bytes, probe_image
from tests.unit.labeling.labeled_pictures import HEIGHT, WIDTH, encoded, picture_bytes, varied_picture

_JPEG = picture_bytes()
_PNG = picture_bytes("PNG")


@pytest.mark.parametrize(
    ("kind", "mode", "format_name", "stored_mode"),
    [
        ("JPEG", "RGB", "jpeg", "RGB"),
        ("JPEG", "L", "jpeg", "L"),
        ("JPEG", "CMYK", "jpeg", "CMYK"),
        ("PNG", "RGBA", "png", "RGBA"),
        ("PNG", "P", "png", "P"),
        ("BMP", "RGB", "bmp", "RGB"),
        ("BMP", "L", "bmp", "L"),
    ],
)
def test_facts_of_a_sound_picture(kind: str, mode: str, format_name: str, stored_mode: str) -> None:
    content = picture_bytes(kind, mode=mode)
    facts = probe_bytes(content)
    assert (facts.format, facts.mode, facts.width, facts.height) == (format_name, stored_mode, WIDTH, HEIGHT)
    assert (facts.problem, facts.foreign_to_tensorflow, facts.orientation) == (ImageProblem.NONE, "", 1)
    assert (facts.num_bytes, facts.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_multi_picture_jpeg_of_a_phone_is_jpeg() -> None:
    assert probe_bytes(picture_bytes("MPO")).format == "jpeg"


@pytest.mark.parametrize("orientation", range(2, 9))
def test_size_is_that_of_the_stored_pixels(orientation: int) -> None:
    facts = probe_bytes(picture_bytes(orientation=orientation))
    assert (facts.orientation, facts.width, facts.height) == (orientation, WIDTH, HEIGHT)


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_impossible_orientation_is_none(orientation: int) -> None:
    assert probe_bytes(picture_bytes(orientation=orientation)).orientation == 1


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (picture_bytes("GIF"), "GIF"),
        (picture_bytes("WEBP"), "WEBP"),
        (picture_bytes("TIFF"), "TIFF"),
        (picture_bytes("BMP", mode="P"), "palette BMP"),
        (picture_bytes("BMP", mode="1"), "1-bit BMP"),
    ],
)
def test_what_tensorflow_cannot_load_is_named(content: bytes, name: str) -> None:
    facts = probe_bytes(content)
    assert (facts.problem, facts.foreign_to_tensorflow) == (ImageProblem.NONE, name)


@pytest.mark.parametrize("content", [_JPEG, _PNG], ids=["jpeg", "png"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.995])
def test_cut_off_pictures_are_seen(content: bytes, share: float) -> None:
    facts = probe_bytes(content[: int(len(content) * share)])
    assert facts.problem is ImageProblem.TRUNCATED


def test_png_is_refused_for_one_wrong_bit_in_its_pixels() -> None:
    damaged = bytearray(_PNG)
    damaged[_PNG.index(b"IDAT") + 9] ^= 1
    facts = probe_bytes(bytes(damaged))
    assert facts.problem in (ImageProblem.UNDECODABLE, ImageProblem.TRUNCATED)


def test_png_with_a_damaged_comment_is_named() -> None:
    comment = b"\x00\x00\x00\x03tEXta\x00b" + b"\x00\x00\x00\x00"
    start = _PNG.index(b"IDAT") - 4
    facts = probe_bytes(_PNG[:start] + comment + _PNG[start:])
    assert (facts.problem, facts.detail) == (ImageProblem.UNDECODABLE, "wrong checksum in PNG chunk 'tEXt'")


@pytest.mark.parametrize("text", ["<!DOCTYPE html>", "\ufeff \n<HTML>", '{"a": 1}', "[]", "version https://git-lfs.x"])
def test_text_is_called_text(text: str) -> None:
    assert probe_bytes(text.encode()).problem is ImageProblem.TEXT


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    facts = probe_image(tmp_path / "none.jpg")
    assert (facts.problem, facts.detail) == (ImageProblem.UNREADABLE, "No such file or directory")


@given(
    st.binary(max_size=200), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"GIF89a", b"RIFF"])
)
def test_random_bytes_never_raise(content: bytes, magic: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        probe_bytes(magic + content)


@given(st.sampled_from([_JPEG, _PNG, picture_bytes("BMP"), picture_bytes("GIF")]), st.data())
def test_mutated_pictures_never_raise(content: bytes, data: st.DataObject) -> None:
    damaged = bytearray(content)
    at = data.draw(st.integers(0, len(damaged) - 1))
    damaged[at : at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        probe_bytes(bytes(damaged))


def _damaged(generator: random.Random) -> bytes:
    """A JPEG of some size and kind, cut off, with bytes changed or with a part left out."""
    picture = varied_picture(generator.randrange(99), (generator.randint(100, 400), generator.randint(100, 400)))
    content = bytearray(
        encoded(
            picture.convert(generator.choice(["RGB", "RGB", "L", "CMYK"])),
            quality=generator.choice([30, 75, 95]),
            progressive=generator.random() < 0.3,
            subsampling=generator.choice([0, 1, 2]),
        )
    )
    at = generator.randrange(2, len(content))
    match generator.randrange(4):
        case 0:
            del content[at:]
        case 1:
            del content[at : at + generator.randrange(1, 200)]
        case _:
            for _ in range(generator.choice([1, 1, 3, 20])):
                content[generator.randrange(2, len(content))] = generator.randrange(256)
    return bytes(content)


def test_damage_is_seen_at_a_fraction_of_the_size_as_at_full_size() -> None:
    generator = random.Random(5)
    verdicts = {True: 0, False: 0}
    for _ in range(300):
        content = _damaged(generator)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                with Image.open(io.BytesIO(content)) as image:
                    image.load()
                is_sound = True
            except (OSError, ValueError, SyntaxError, TypeError, Image.DecompressionBombError):
                is_sound = False
            facts = probe_bytes(content, with_look=True)
        assert (facts.problem is ImageProblem.NONE) is is_sound, facts
        verdicts[is_sound] += 1
    assert min(verdicts.values()) >= 50
