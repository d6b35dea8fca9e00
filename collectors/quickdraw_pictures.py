"""Drawings and bitmaps as pictures of the size, polarity and channels somebody's training needs."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from collectors.errors import ConfigError
from collectors.quickdraw_bitmaps import SIDE
from collectors.rasterize import CANVAS, AnyStroke, rasterize_drawings

POLARITIES = ("black-on-white", "white-on-black")
LINE_WIDTH = PADDING = 16.0
"""Geometry of the official bitmaps, in units of the drawing, whose canvas is 256 wide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSpec:
    """How a picture looks; checked when made.

    Attributes:
        side: Width and height in pixels.
        channels: 1, or 3 equal ones.
        polarity: ``white-on-black``, as the official bitmaps are, or ``black-on-white``, as paper is.
        line_width: Pen width in units of the drawing.
        padding: Free border in units of the drawing.
        quality: Of JPEG, 1 to 95.
    """

    side: int = SIDE
    channels: int = 1
    polarity: str = "white-on-black"
    line_width: float = LINE_WIDTH
    padding: float = PADDING
    quality: int = 90

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        _require(8 <= self.side <= 2048, "size", "8 to 2048 pixels")
        _require(self.channels in (1, 3), "channels", "1 or 3")
        _require(self.polarity in POLARITIES, "polarity", " or ".join(POLARITIES))
        _require(0 < self.line_width <= CANVAS / 2, "line_width", f"above 0, up to {CANVAS // 2}")
        _require(0 <= self.padding <= CANVAS, "padding", f"0 to {CANVAS}")
        _require(1 <= self.quality <= 95, "quality", "1 to 95")

    @property
    def is_official(self) -> bool:
        """Whether the official bitmaps are already drawn like this (polarity and channels are no matter)."""
        return (self.side, self.line_width, self.padding) == (SIDE, LINE_WIDTH, PADDING)


def draw_pictures(drawings: Sequence[Sequence[AnyStroke]], spec: PictureSpec) -> NDArray[np.uint8]:
    """Draw strokes.

    Args:
        drawings: For each drawing its strokes, each of shape ``(points, 2)``.
        spec: How.

    Returns:
        Grey pictures, shape ``(drawings, side, side)``.
    """
    ink = rasterize_drawings(drawings, side=spec.side, line_width=spec.line_width, padding=spec.padding)
    return _with_polarity(ink, spec)


def convert_bitmaps(bitmaps: NDArray[np.uint8], spec: PictureSpec) -> NDArray[np.uint8]:
    """Bring official bitmaps, shape ``(drawings, 28, 28)``, to the size and polarity of ``spec``.

    Enlarging cannot bring back what 28 pixels have lost: pictures made from strokes are sharper.
    """
    if spec.side != SIDE:
        bitmaps = np.stack([_resized(bitmap, spec.side) for bitmap in bitmaps])
    return _with_polarity(bitmaps, spec)


def encode_jpeg(picture: NDArray[np.uint8], spec: PictureSpec) -> bytes:
    """Return a grey picture, shape ``(side, side)``, as the bytes of a JPEG."""
    image = Image.fromarray(picture)
    if spec.channels == 3:
        image = image.convert("RGB")
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=spec.quality)
    return stream.getvalue()


def _resized(bitmap: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(bitmap).resize((side, side), Image.Resampling.LANCZOS))


def _with_polarity(ink: NDArray[np.uint8], spec: PictureSpec) -> NDArray[np.uint8]:
    return ink if spec.polarity == "white-on-black" else np.subtract(255, ink, dtype=np.uint8)


def _require(holds: bool, option: str, allowed: str) -> None:
    if not holds:
        raise ConfigError(f"{option} must be {allowed}")
