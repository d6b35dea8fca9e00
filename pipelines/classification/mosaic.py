"""Many small pictures on one, each with the answer to it: right ones in green, mistakes in red with the truth."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, UnidentifiedImageError

from labeling.drawing import fitted_text, font_for
from records.classification_features import ENCODED, raw_pixels
from records.example import Feature
from records.example_values import first_bytes

MOST_TILES = 36
"""Pictures of a mosaic, where there are more."""

_SIDE = 112
_LINE = 14
_MIN_LINES = 2
MOST_LINES = 6
_GAP = 4
_LETTERS_PX = 11


RIGHT, WRONG, MISSED, SOFT = (4, 120, 87), (190, 30, 45), (180, 83, 9), (91, 102, 117)
_PAPER = (255, 255, 255)
Color = tuple[int, int, int]


class AnsweredPicture(Protocol):
    """A picture with what is said of it below, a line each with its colour; a mistake has a red frame."""

    @property
    def image(self) -> Image.Image:
        """The picture, of any size."""

    @property
    def is_right(self) -> bool:
        """Whether nothing about the answer is wrong."""

    @property
    def lines(self) -> Sequence[tuple[str, Color]]:
        """The words; what is too long is cut."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture, its class, the class it was taken for, and how likely that seemed, 0 to 1 (``None``: not asked)."""

    image: Image.Image
    truth: str
    found: str
    score: float | None

    @property
    def is_right(self) -> bool:
        """Whether it was taken for what it is."""
        return self.found == self.truth

    @property
    def lines(self) -> Sequence[tuple[str, Color]]:
        """What it was taken for; of a mistake, what it is."""
        found = self.found if self.score is None else f"{self.found} {100 * self.score:.0f}%"
        return ((found, RIGHT),) if self.is_right else ((found, WRONG), (f"is {self.truth}", WRONG))


@dataclass(frozen=True, slots=True)
class NamedPicture:
    """A picture and what it is, one name a line; of more than six the first ones."""

    image: Image.Image
    names: Sequence[str]

    @property
    def is_right(self) -> bool:
        """Nobody was asked: always."""
        return True

    @property
    def lines(self) -> Sequence[tuple[str, Color]]:
        """The names."""
        shown = list(self.names) if len(self.names) <= MOST_LINES else [*self.names[: MOST_LINES - 1]]
        more = [] if len(shown) == len(self.names) else [f"and {len(self.names) - len(shown)} more"]
        return [(words, RIGHT) for words in (*shown, *more)]


def image_of_pixels(pixels: NDArray[np.uint8]) -> Image.Image:
    """Return a picture of ``(h, w, 1)`` or ``(h, w, 3)``."""
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


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


def draw_mosaic(tiles: Sequence[AnsweredPicture], *, columns: int = 9, side: int = _SIDE) -> Image.Image | None:
    """Draw pictures in rows of up to ``columns``, in their order; ``None`` when there is none.

    Args:
        tiles: The pictures.
        columns: How many stand beside each other.
        side: Of the square for a picture, in pixels.
    """
    if not tiles:
        return None
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    strip = _LINE * max(_MIN_LINES, *(len(tile.lines) for tile in tiles)) + 2
    width, height = side + _GAP, side + strip + _GAP
    mosaic = Image.new("RGB", (columns * width + _GAP, rows * height + _GAP), (226, 230, 235))
    draw = ImageDraw.Draw(mosaic)
    for place, tile in enumerate(tiles):
        left, top = _GAP + place % columns * width, _GAP + place // columns * height
        draw.rectangle((left, top, left + side - 1, top + side + strip - 1), fill=_PAPER)
        _draw_tile(mosaic, draw, tile, left, top, side)
    return mosaic


def _draw_tile(
    mosaic: Image.Image, draw: ImageDraw.ImageDraw, tile: AnsweredPicture, left: int, top: int, side: int
) -> None:
    image = tile.image.convert("RGB")
    scale = side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    kernel = Image.Resampling.NEAREST if scale >= 2 else Image.Resampling.BILINEAR
    mosaic.paste(image.resize(size, kernel), (left + (side - size[0]) // 2, top + (side - size[1]) // 2))
    draw.rectangle((left, top, left + side - 1, top + side - 1), outline=RIGHT if tile.is_right else WRONG, width=2)
    for row, (line, color) in enumerate(tile.lines):
        font = font_for(line, _LETTERS_PX)
        words = fitted_text(line, font, side - 6)
        draw.text((left + 3, top + side + 1 + _LINE * row), words, fill=color, font=font)


def cross_section(count: int) -> list[int]:
    """Return up to `MOST_TILES` of ``count`` places, evenly from the first to the last."""
    return np.unique(np.linspace(0, count - 1, min(MOST_TILES, count)).round().astype(int)).tolist() if count else []
