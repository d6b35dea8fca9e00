"""A contact sheet: many labelled pictures on one page with their boxes drawn, to see mistakes that no check can see."""

import math
import os
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from collectors.errors import ConfigError
from collectors.files import atomic_writer
from labeling.annotations import LabeledObject
from labeling.drawing import DrawnBox, draw_boxes, fitted_text, font_for, label_color
from labeling.validate import CheckedImage

_CAPTION_PX = 18
_CAPTION_LETTERS_PX = 12
_GAP_PX = 6
_PAGE = (250, 250, 250)
_TILE = (228, 228, 228)
_INK = (40, 40, 40)
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
    if not images:
        draw.text((_GAP_PX + 4, _GAP_PX + 4), "no pictures", fill=_INK, font=font_for("", _CAPTION_LETTERS_PX))
    for index, image in enumerate(images):
        left, top = _GAP_PX + index % across * step_x, _GAP_PX + index // across * step_y
        sheet.paste(_tile(image, tile_px), (left, top))
        if captions:
            name = os.fsencode(image.image_path.name).decode("utf-8", "replace")
            letters = font_for(name, _CAPTION_LETTERS_PX)
            text = fitted_text(name, letters, tile_px)
            draw.text((left + 1, top + tile_px + 2), text, fill=_INK, font=letters)
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
    kind = sheet_format(path)
    with atomic_writer(path) as stream:
        sheet.save(stream, kind, quality=88)


def sheet_format(path: Path) -> str:
    """Return ``JPEG`` or ``PNG``, by the suffix.

    Raises:
        ConfigError: The suffix is neither's.
    """
    kinds = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}
    if path.suffix.lower() not in kinds:
        raise ConfigError(f"cannot write a sheet as {path.suffix or path.name!r}", fix="Use .jpg or .png.")
    return kinds[path.suffix.lower()]


def _tile(image: CheckedImage, side: int) -> Image.Image:
    tile = Image.new("RGB", (side, side), _TILE)
    scale = side / max(image.width, image.height)
    fitted = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    with Image.open(image.image_path) as stored:
        stored.draft("RGB", fitted)
        small = _as_rgb(stored).resize(fitted, Image.Resampling.BILINEAR, reducing_gap=2.0)
    left, top = (side - fitted[0]) // 2, (side - fitted[1]) // 2
    scale_x, scale_y = fitted[0] / image.width, fitted[1] / image.height
    boxes = [
        DrawnBox(labeled.box.scaled(scale_x, scale_y), _words(labeled), label_color(labeled.name))
        for labeled in image.annotation.objects
    ]
    tile.paste(draw_boxes(small, boxes), (left, top))
    return tile


def _words(labeled: LabeledObject) -> str:
    return labeled.name + (" (difficult)" if labeled.difficult else "")


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode in ("I", "I;16", "I;16B", "I;16L", "F"):
        # Sixteen bits a sample: keep the upper eight, as TensorFlow does.
        return image.point(lambda value: value / 256).convert("L").convert("RGB")
    if image.mode == "P" and "transparency" in image.info:
        return image.convert("RGBA").convert("RGB")
    return image.convert("RGB")
