"""What scenes are drawn on: paper made from the seed, plain white, or the user's photographs."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from collectors.errors import InputError
from labeling.dataset import IMAGE_SUFFIXES
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


@dataclass(frozen=True, slots=True)
class RefusedPhoto:
    """A file of a photograph folder that cannot be drawn on; the code is ``unreadable``."""

    path: Path
    code: str
    reason: str


def find_photos(folder: Path) -> tuple[tuple[Path, ...], tuple[RefusedPhoto, ...]]:
    """Open every picture in a folder (not below it) and tell the good from the bad.

    Returns:
        The pictures that can be drawn on and those that cannot, both in the order of their names. Files that do not
        have the name of a picture are passed over.

    Raises:
        InputError: The folder cannot be listed, or not one picture in it can be read.
    """
    try:
        names = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    except OSError as error:
        raise InputError(
            f"cannot list the photographs: {error.strerror or error}", where=str(folder), fix="Check the path."
        ) from error
    good: list[Path] = []
    bad: list[RefusedPhoto] = []
    for path in names:
        try:
            _open_photo(path, 48, 48)
        except InputError as error:
            bad.append(RefusedPhoto(path, "unreadable", error.what))
        else:
            good.append(path)
    if not good:
        raise InputError(
            f"none of the {len(names)} pictures here can be read",
            where=str(folder),
            fix="Give a folder of photographs.",
        )
    return tuple(good), tuple(bad)


def paint_background(spec: SceneSpec, rng: np.random.Generator) -> Image.Image:
    """Return an RGB picture of the size of ``spec`` to draw on, owned by the caller.

    Raises:
        InputError: A photograph cannot be read.
    """
    if spec.background == "plain":
        return Image.new("RGB", (spec.width, spec.height), "white")
    if spec.background == "photos":
        photo = _photo(spec.photos[int(rng.integers(len(spec.photos)))], spec.width, spec.height)
        return photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else photo.copy()
    return _paper(spec, rng)


def _paper(spec: SceneSpec, rng: np.random.Generator) -> Image.Image:
    sheet = _sheet(spec.width + _BORDER, spec.height + _BORDER, int(rng.integers(_SHEETS)))
    left, top = (int(value) for value in rng.integers(0, _BORDER + 1, 2))
    piece = sheet[top : top + spec.height, left : left + spec.width]
    if rng.random() < 0.5:
        piece = piece[:, ::-1]
    if rng.random() < 0.5:
        piece = piece[::-1]
    tint = np.array(_TINTS[int(rng.integers(len(_TINTS)))]) - rng.integers(0, 12)
    # The sheet is a map of lightness around 128: as a picture with a palette, it is tinted by the palette.
    lightness = (np.arange(256) - 128) * rng.uniform(0.6, 1.3)
    palette = np.clip(tint + lightness[:, None], 0, 255).astype(np.uint8)
    picture = Image.fromarray(np.ascontiguousarray(piece))
    picture.putpalette(palette.tobytes())
    return picture.convert("RGB")


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
def _photo(path: Path, width: int, height: int) -> Image.Image:
    return _open_photo(path, width, height)


def _open_photo(path: Path, width: int, height: int) -> Image.Image:
    try:
        with Image.open(path) as image:
            # A JPEG is decoded at the smallest scale that is large enough.
            image.draft("RGB", (2 * width, 2 * height))
            upright = ImageOps.exif_transpose(image).convert("RGB")
            return ImageOps.fit(upright, (width, height), Image.Resampling.BICUBIC)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(
            f"cannot read the photograph: {error}", where=str(path), fix="Repair it or take it out of the folder."
        ) from error
