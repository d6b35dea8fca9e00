"""Many small pictures on one, each with the answer to it: right ones in green, mistakes in red with the truth."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, UnidentifiedImageError

from labeling.drawing import fitted_text, font_for
from records.classification_features import ENCODED, raw_pixels
from records.example import Feature
from records.example_values import first_bytes

_SIDE = 112
_STRIP = 30
_GAP = 4
_LETTERS_PX = 11
_RIGHT, _WRONG, _PAPER = (4, 120, 87), (190, 30, 45), (255, 255, 255)


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture, its class, the class it was taken for, and how likely that seemed, 0 to 1 (``None``: not asked)."""

    image: Image.Image
    truth: str
    found: str
    score: float | None


def picture_of(features: Mapping[str, Feature]) -> Image.Image:
    """Return the picture of a classification example; drawings as dark ink on white paper.

    A picture file that cannot be decoded gives a grey square.

    Raises:
        ExampleError: A drawing has more or fewer bytes than its size says.
    """
    if (drawing := raw_pixels(features)) is not None:
        return Image.fromarray(255 - drawing)
    try:
        with Image.open(io.BytesIO(first_bytes(features, ENCODED))) as image:
            return image.convert("RGB")
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError):
        return Image.new("L", (8, 8), 128)


def draw_mosaic(tiles: Sequence[Tile], *, columns: int = 9) -> Image.Image | None:
    """Draw pictures in rows of up to ``columns``, in their order; ``None`` when there is none."""
    if not tiles:
        return None
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    width, height = _SIDE + _GAP, _SIDE + _STRIP + _GAP
    mosaic = Image.new("RGB", (columns * width + _GAP, rows * height + _GAP), (226, 230, 235))
    draw = ImageDraw.Draw(mosaic)
    for place, tile in enumerate(tiles):
        left, top = _GAP + place % columns * width, _GAP + place // columns * height
        _draw_tile(mosaic, draw, tile, left, top)
    return mosaic


def _draw_tile(mosaic: Image.Image, draw: ImageDraw.ImageDraw, tile: Tile, left: int, top: int) -> None:
    is_right = tile.found == tile.truth
    draw.rectangle((left, top, left + _SIDE - 1, top + _SIDE + _STRIP - 1), fill=_PAPER)
    image = tile.image.convert("RGB")
    scale = _SIDE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    kernel = Image.Resampling.NEAREST if scale >= 2 else Image.Resampling.BILINEAR
    mosaic.paste(image.resize(size, kernel), (left + (_SIDE - size[0]) // 2, top + (_SIDE - size[1]) // 2))
    color = _RIGHT if is_right else _WRONG
    draw.rectangle((left, top, left + _SIDE - 1, top + _SIDE - 1), outline=color, width=2)
    lines = (
        tile.found if tile.score is None else f"{tile.found} {100 * tile.score:.0f}%",
        "" if is_right else f"is {tile.truth}",
    )
    for row, line in enumerate(lines):
        font = font_for(line, _LETTERS_PX)
        draw.text((left + 3, top + _SIDE + 1 + 14 * row), fitted_text(line, font, _SIDE - 6), fill=color, font=font)
