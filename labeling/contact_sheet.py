"""A contact sheet: many labelled pictures on one page with their boxes drawn, to see mistakes that no check can see."""

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from collectors.errors import ConfigError
from collectors.files import atomic_writer
from labeling.annotations import LabeledObject
from labeling.validate import CheckedImage

_CAPTION_PX = 18
_GAP_PX = 6
_PAGE = (250, 250, 250)
_TILE = (228, 228, 228)
_INK = (40, 40, 40)
# Ten hues that stay apart on photographs; the label picks one, the same on every sheet.
_COLOURS = (
    (230, 25, 75), (0, 114, 220), (245, 130, 48), (60, 180, 75), (145, 30, 180),
    (0, 170, 170), (240, 50, 230), (170, 110, 40), (90, 90, 240), (128, 128, 0),
)  # fmt: skip
_LARGEST_SIDE_PX = 65_000


def contact_sheet(
    images: Sequence[CheckedImage], *, columns: int | None = None, tile_px: int = 240, captions: bool = True
) -> Image.Image:
    """Draw pictures in rows, each with its boxes, labels and file name.

    Args:
        images: Pictures in the order of the sheet; see `pick_evenly` for a sample.
        columns: Pictures a row; ``None`` makes the sheet about as wide as high.
        tile_px: Side of the square that each picture is fitted into, in pixels, at least 40.
        captions: Write the file name below each picture.

    Returns:
        An RGB picture. Boxes keep their place under scaling, in the picture as stored (EXIF is not applied, as in
        training). No pictures give a sheet that says so.

    Raises:
        ConfigError: The sheet would be larger than a JPEG can be, or the tiles smaller than 40 pixels.
    """
    if tile_px < 40 or (columns is not None and columns < 1):
        raise ConfigError("tiles of at least 40 pixels and one column are needed", fix="For example --tile 240.")
    across = columns or max(1, math.ceil(math.sqrt(len(images))))
    across = max(1, min(across, len(images)))
    down = max(1, math.ceil(len(images) / across))
    step_x, step_y = tile_px + _GAP_PX, tile_px + _GAP_PX + (_CAPTION_PX if captions else 0)
    width, height = across * step_x + _GAP_PX, down * step_y + _GAP_PX
    if max(width, height) > _LARGEST_SIDE_PX:
        raise ConfigError(f"the sheet would have {width}x{height} pixels", fix="Give a smaller --limit or --tile.")
    sheet = Image.new("RGB", (width, height), _PAGE)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(12)
    if not images:
        draw.text((_GAP_PX + 4, _GAP_PX + 4), "no pictures", fill=_INK, font=font)
    for index, image in enumerate(images):
        left, top = _GAP_PX + index % across * step_x, _GAP_PX + index // across * step_y
        sheet.paste(_tile(image, tile_px), (left, top))
        if captions:
            text = _fitted(image.image_path.name, font, tile_px)
            draw.text((left + 1, top + tile_px + 2), text, fill=_INK, font=font)
    return sheet


def pick_evenly(images: Sequence[CheckedImage], limit: int | None) -> tuple[CheckedImage, ...]:
    """Return at most ``limit`` pictures, spread evenly over the sequence; ``None`` for all."""
    if limit is None or limit >= len(images):
        return tuple(images)
    if limit <= 0:
        return ()
    return tuple(images[index * len(images) // limit] for index in range(limit))


def save_sheet(sheet: Image.Image, path: Path) -> None:
    """Write a sheet as PNG or JPEG, by the suffix, whole or not at all.

    Raises:
        ConfigError: The suffix is neither.
        InputError: The disk refuses.
    """
    kinds = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}
    if path.suffix.lower() not in kinds:
        raise ConfigError(f"cannot write a sheet as {path.suffix or path.name!r}", fix="Use .jpg or .png.")
    with atomic_writer(path) as stream:
        sheet.save(stream, kinds[path.suffix.lower()], quality=88)


def colour_of(label: str) -> tuple[int, int, int]:
    """Return the RGB colour of a label, the same everywhere."""
    return _COLOURS[hashlib.sha256(label.encode("utf-8", "surrogatepass")).digest()[0] % len(_COLOURS)]


def _tile(image: CheckedImage, side: int) -> Image.Image:
    tile = Image.new("RGB", (side, side), _TILE)
    scale = side / max(image.width, image.height)
    fitted = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    with Image.open(image.image_path) as stored:
        stored.draft("RGB", fitted)
        small = _as_rgb(stored).resize(fitted, Image.Resampling.BILINEAR, reducing_gap=2.0)
    left, top = (side - fitted[0]) // 2, (side - fitted[1]) // 2
    tile.paste(small, (left, top))
    draw = ImageDraw.Draw(tile)
    scales = (fitted[0] / image.width, fitted[1] / image.height)
    for labeled in image.annotation.objects:
        _draw_object(draw, labeled, (left, top), scales, side)
    return tile


def _draw_object(
    draw: ImageDraw.ImageDraw,
    labeled: LabeledObject,
    origin: tuple[int, int],
    scales: tuple[float, float],
    side: int,
) -> None:
    box, colour = labeled.box, colour_of(labeled.name)
    left = min(max(0.0, origin[0] + box.xmin * scales[0]), side - 1)
    top = min(max(0.0, origin[1] + box.ymin * scales[1]), side - 1)
    right = min(max(left, origin[0] + box.xmax * scales[0] - 1), side - 1)
    bottom = min(max(top, origin[1] + box.ymax * scales[1] - 1), side - 1)
    # A box of a pixel or less has no inside to outline.
    draw.rectangle((left, top, right, bottom), outline=colour, width=2 if min(right - left, bottom - top) >= 4 else 1)
    font = ImageFont.load_default(11)
    text = _fitted(labeled.name + (" (difficult)" if labeled.difficult else ""), font, side - int(left) - 4)
    extent = draw.textbbox((0, 0), text, font=font)
    height = extent[3] + 3
    above = top - height if top >= height else top
    draw.rectangle((left, above, left + extent[2] + 4, above + height), fill=colour)
    draw.text((left + 2, above + 1), text, fill=(255, 255, 255), font=font)


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode in ("I", "I;16", "I;16B", "I;16L", "F"):
        # Sixteen bits a sample: keep the upper eight, as TensorFlow does.
        return image.point(lambda value: value / 256).convert("L").convert("RGB")
    if image.mode == "P" and "transparency" in image.info:
        return image.convert("RGBA").convert("RGB")
    return image.convert("RGB")


def _fitted(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """Cut a text so that it is at most ``width`` pixels wide."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "...") > width:
        text = text[:-1]
    return text + "..." if text else ""
