"""What scenes are drawn on: paper made from the seed, plain white, or the user's photographs."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from collectors.errors import InputError
from labeling.scene_spec import SceneSpec

_SHEETS = 6
_BORDER = 96  # A sheet is this much larger than the picture, so that every scene cuts its own piece.

_TINTS = (
    (250, 248, 242),
    (246, 240, 226),
    (240, 242, 244),
    (252, 246, 232),
    (234, 240, 236),
    (244, 234, 220),
    (236, 236, 246),
)


def paint_background(spec: SceneSpec, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a picture to draw on, shape ``(height, width, 3)``, owned by the caller.

    Raises:
        InputError: A photograph cannot be read.
    """
    if spec.background == "plain":
        return np.full((spec.height, spec.width, 3), 255, np.uint8)
    if spec.background == "photos":
        photo = spec.photos[int(rng.integers(len(spec.photos)))]
        picture = _photo(photo, spec.width, spec.height)
        return picture[:, ::-1].copy() if rng.random() < 0.5 else picture.copy()
    return _paper(spec, rng)


def _paper(spec: SceneSpec, rng: np.random.Generator) -> NDArray[np.uint8]:
    sheet = _sheet(spec.width + _BORDER, spec.height + _BORDER, int(rng.integers(_SHEETS)))
    left, top = (int(value) for value in rng.integers(0, _BORDER + 1, 2))
    piece = sheet[top : top + spec.height, left : left + spec.width]
    if rng.random() < 0.5:
        piece = piece[:, ::-1]
    if rng.random() < 0.5:
        piece = piece[::-1]
    tint = np.array(_TINTS[int(rng.integers(len(_TINTS)))]) - rng.integers(0, 12)
    # The sheet is a map of darkness around 128; a table turns it into the three channels of tinted paper.
    darkness = (np.arange(256) - 128) * rng.uniform(0.6, 1.3)
    table = np.clip(tint + darkness[:, None], 0, 255).astype(np.uint8)
    return table[piece]


@lru_cache(maxsize=2 * _SHEETS)
def _sheet(width: int, height: int, number: int) -> NDArray[np.uint8]:
    """Paper as a map of lightness around 128: clouds and creases of several sizes, and fine grain."""
    rng = np.random.default_rng([width, height, number])
    lightness = np.zeros((height, width), np.float32)
    for cell, strength in ((160, 5.0), (48, 2.0), (12, 1.2), (4, 1.0)):
        grid = rng.normal(0, strength, (height // cell + 3, width // cell + 3)).astype(np.float32)
        lightness += np.asarray(Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC))
    lightness += rng.normal(0, 1.6, lightness.shape).astype(np.float32)
    return np.clip(np.rint(128 + lightness), 0, 255).astype(np.uint8)


@lru_cache(maxsize=64)
def _photo(path: Path, width: int, height: int) -> NDArray[np.uint8]:
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
            return np.asarray(ImageOps.fit(upright, (width, height), Image.Resampling.BICUBIC))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(
            f"cannot read the photograph: {error}", where=str(path), fix="Repair it or take it out of the folder."
        ) from error
