"""Pictures that have to be converted: what is planned, and what comes out."""

import io

import numpy as np
import pytest
from PIL import Image

from labeling.annotations import Annotation, Box, LabeledObject
from labeling.image_probe import probe_bytes
from records.errors import ExampleError
from records.picture_conversion import KINDS, Conversion, convert, kind_of, plan_conversion
from tests.unit.records.pictures import picture_bytes

_ALL = frozenset(KINDS)


def _annotation(width: int = 40, height: int = 30) -> Annotation:
    return Annotation("a.jpg", width, height, objects=(LabeledObject("cat", Box(1, 1, 9, 9)),))


def _saved(image: Image.Image, kind: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def _picture() -> Image.Image:
    return Image.open(io.BytesIO(picture_bytes("x", kind="PNG"))).convert("RGB")


def _turned_jpeg(orientation: int = 6) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return _saved(_picture(), "JPEG", exif=exif, quality=95)


def _plan(content: bytes, allowed=_ALL, annotation: Annotation | None = None) -> Conversion:
    return plan_conversion(probe_bytes(content), annotation or _annotation(), allowed, lambda: content)


def _open(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


@pytest.mark.parametrize(
    ("content", "recipe", "format_"),
    [
        (picture_bytes("x"), "", "jpeg"),
        (picture_bytes("x", kind="PNG"), "", "png"),
        (picture_bytes("x", kind="GIF"), "gif to png", "png"),
        (_saved(_picture(), "WEBP", lossless=True), "webp to png", "png"),
        (_saved(_picture(), "WEBP"), "webp to jpeg", "jpeg"),
        (_saved(_picture(), "TIFF"), "tiff to png", "png"),
        (_saved(_picture().convert("P"), "BMP"), "bmp to png", "png"),
        (_saved(_picture().convert("CMYK"), "JPEG"), "cmyk to rgb jpeg", "jpeg"),
        (_saved(Image.new("I;16", (40, 30), 40000), "PNG"), "16 bits to 8 bits png", "png"),
    ],
)
def test_each_kind_has_its_recipe_and_what_comes_out_is_what_was_promised(content, recipe, format_):
    plan = _plan(content)
    assert plan == Conversion(recipe, format_, 40, 30)
    assert _plan(content, frozenset()).recipe == ""
    if recipe:
        facts = probe_bytes(convert(content, recipe))
        assert (facts.format, facts.width, facts.height, facts.orientation) == (format_, 40, 30, 1)
        assert facts.foreign_to_tensorflow == ""
        assert facts.mode != "CMYK"
        assert not facts.mode.startswith("I")
        assert convert(content, recipe) == convert(content, recipe)


def test_lossless_kinds_lose_nothing():
    for content in (picture_bytes("x", kind="GIF"), _saved(_picture(), "TIFF")):
        with _open(content) as before, _open(convert(content, _plan(content).recipe)) as after:
            assert before.convert("RGB").tobytes() == after.convert("RGB").tobytes()


def test_sixteen_bits_keep_their_upper_half():
    deep = Image.fromarray(np.array([[0, 255, 256, 65535]], np.uint16))
    with _open(convert(_saved(deep, "PNG"), "16 bits to 8 bits png")) as image:
        assert np.asarray(image).tolist() == [[0, 0, 1, 255]]


def test_a_picture_drawn_turned_is_turned_and_one_drawn_as_stored_is_kept():
    content = _turned_jpeg()
    assert _plan(content, annotation=_annotation(30, 40)) == Conversion("turned", "jpeg", 30, 40)
    assert _plan(content, annotation=_annotation(40, 30)) == Conversion("", "jpeg", 40, 30)
    facts = probe_bytes(convert(content, "turned"))
    assert (facts.width, facts.height, facts.orientation) == (30, 40, 1)


def test_a_webp_can_be_turned_as_well():
    exif = Image.Exif()
    exif[0x0112] = 6
    content = _saved(_picture(), "WEBP", exif=exif, lossless=True)
    plan = _plan(content, annotation=_annotation(30, 40))
    assert plan == Conversion("webp to png, turned", "png", 30, 40)
    facts = probe_bytes(convert(content, plan.recipe))
    assert (facts.width, facts.height, facts.orientation) == (30, 40, 1)


def test_an_animation_is_not_converted():
    frames = [Image.new("RGB", (40, 30), color) for color in ("red", "blue")]
    content = _saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    with pytest.raises(ExampleError, match="2 frames; which one was labelled"):
        _plan(content)


def test_which_errors_a_conversion_mends():
    gif = probe_bytes(picture_bytes("x", kind="GIF"))
    assert kind_of("I04", gif) == "gif"
    assert kind_of("S02", probe_bytes(_turned_jpeg())) == "exif"
    assert kind_of("B02", gif) is None
    assert kind_of("I04", None) is None
