"""Pictures that cannot go into a record as they are, and what makes them fit.

Nothing is converted unless the caller allows its kind. What was done stands in the manifest as a recipe, a few words
such as ``webp to jpeg`` or ``turned``; the recipe and the bytes of the file are all that `convert` needs, so every
process makes the same bytes (of one version of Pillow).
"""

import io
from collections.abc import Callable, Collection
from dataclasses import dataclass

from PIL import Image, ImageOps

from labeling.annotations import Annotation
from labeling.image_frame import Frame, judge_frame, turn_pixels
from labeling.image_probe import ImageFacts
from labeling.transcoding import NotTranscodableError, suffix_for, transcode
from records.errors import ExampleError

KINDS = {
    "exif": "a JPEG whose boxes were drawn on the picture as EXIF turns it",
    "gif": "GIF",
    "webp": "WebP",
    "tiff": "TIFF",
    "avif": "AVIF",
    "bmp": "a BMP with a palette or of a depth that TensorFlow misreads",
    "cmyk": "CMYK pixels",
    "16bit": "grey of 16 bits",
}
"""What can be converted. The first six are refused otherwise; the last two are left to TensorFlow's decoder."""

_TURNED = "turned"
_CMYK = "cmyk to rgb jpeg"
_DEEP = "16 bits to 8 bits png"
_JPEG_QUALITY = 97
_CURED_BY = {"I04": ("gif", "webp", "tiff", "avif", "bmp"), "S02": ("exif",)}


@dataclass(frozen=True, slots=True)
class Conversion:
    """What a picture needs, and what it is then: ``recipe`` is empty when it stays as it is."""

    recipe: str
    format: str
    width: int
    height: int


def kind_of(code: str, image: ImageFacts | None) -> str | None:
    """Name the kind of conversion that would mend an error of the checks; ``None`` when none would."""
    kinds = _CURED_BY.get(code)
    if kinds is None or image is None:
        return None
    return kinds[0] if len(kinds) == 1 else image.format if image.format in kinds else None


def plan_conversion(
    image: ImageFacts, annotation: Annotation, allowed: Collection[str], read: Callable[[], bytes]
) -> Conversion:
    """Decide what is to be done to a picture.

    Args:
        image: What it is; it decodes.
        annotation: Its labels: they tell whether the boxes were drawn on the turned picture.
        allowed: Keys of `KINDS`.
        read: Gives the bytes of the file; called only where they are needed.

    Raises:
        ExampleError: Nobody can tell how it has to be converted.
    """
    turn = image.orientation != 1 and "exif" in allowed and _is_drawn_turned(image, annotation)
    width, height = (image.height, image.width) if turn and image.orientation >= 5 else (image.width, image.height)
    if image.foreign_to_tensorflow:
        if image.format not in allowed:
            return Conversion("", image.format, width, height)
        try:
            target = "jpeg" if suffix_for(read()) == ".jpg" else "png"
        except NotTranscodableError as error:
            raise ExampleError(f"the picture cannot be converted: {error}") from error
        return Conversion(_joined(f"{image.format} to {target}", turn), target, width, height)
    if image.mode == "CMYK" and "cmyk" in allowed:
        return Conversion(_joined(_CMYK, turn), "jpeg", width, height)
    if image.mode.startswith("I") and "16bit" in allowed:
        return Conversion(_joined(_DEEP, turn), "png", width, height)
    return Conversion(_TURNED if turn else "", image.format, width, height)


def convert(content: bytes, recipe: str) -> bytes:
    """Return the bytes that go into the record.

    Args:
        content: The bytes of the file.
        recipe: From `plan_conversion`, not empty.

    Raises:
        ExampleError: It cannot be done after all.
    """
    turn = recipe.endswith(_TURNED)
    try:
        if recipe == _TURNED:
            return turn_pixels(content).content
        if recipe.startswith(_CMYK):
            return _as_rgb_jpeg(content, turn)
        if recipe.startswith(_DEEP):
            return _as_8_bits(content, turn)
        return transcode(content, turn=turn)
    except (NotTranscodableError, OSError, ValueError) as error:
        raise ExampleError(f"the picture cannot be converted ({recipe}): {error}") from error


def _is_drawn_turned(image: ImageFacts, annotation: Annotation) -> bool:
    boxes = [item.box for item in annotation.objects]
    verdict = judge_frame((annotation.width, annotation.height), (image.width, image.height), image.orientation, boxes)
    return verdict.frame is Frame.TURNED


def _joined(recipe: str, turn: bool) -> str:
    return f"{recipe}, {_TURNED}" if turn else recipe


def _as_rgb_jpeg(content: bytes, turn: bool) -> bytes:
    with Image.open(io.BytesIO(content)) as opened:
        image = ImageOps.exif_transpose(opened) if turn else opened
        stream = io.BytesIO()
        image.convert("RGB").save(stream, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return stream.getvalue()


def _as_8_bits(content: bytes, turn: bool) -> bytes:
    import numpy as np

    with Image.open(io.BytesIO(content)) as opened:
        image = ImageOps.exif_transpose(opened) if turn else opened
        values = np.clip(np.asarray(image, np.int64), 0, 65535)
    stream = io.BytesIO()
    Image.fromarray((values >> 8).astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()
