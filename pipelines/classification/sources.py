"""What a classifier can be asked about: picture files, folders of them, and files of drawings."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from collectors.errors import InputError
from pipelines.picture_sources import IMAGE_SUFFIXES, find_pictures, unreadable
from records.drawing_reading import HASH, PLACE, index_source, place_words, read_drawings
from records.drawing_sources import drawing_file
from records.picture_checks import upright

DRAWING_SUFFIXES = (".npy", ".ndjson", ".bin")
_AT_ONCE = 256
_LIGHT = 127


@dataclass(frozen=True, slots=True)
class Pictures:
    """Some pictures of one size.

    Attributes:
        names: What each is called: its path; of a drawing its file, and the row or byte it stands at.
        pixels: uint8 ``(n, h, w, c)``; c is 1 or 3 as the network wants.
        errors: Why pictures could not be read, by name; they have no pixels.
        num_dark_on_light: How many of the grey ones have a light border: ink on paper, where QuickDraw has it inverted.
    """

    names: tuple[str, ...]
    pixels: NDArray[np.uint8]
    errors: tuple[tuple[str, str], ...] = ()
    num_dark_on_light: int = 0


def read_pictures(
    sources: Sequence[Path], input_shape: tuple[int, int, int], *, inverted: bool = False
) -> Iterator[Pictures]:
    """Read what a person names, in that order.

    Args:
        sources: Picture files; folders, searched to any depth; QuickDraw's ``.npy``, ``.ndjson`` or ``.bin`` files.
        input_shape: Height, width and channels of the network's input: strokes are drawn at its size.
        inverted: Turn light into dark in picture files.

    Yields:
        Pictures, a file or up to 256 drawings at a time.

    Raises:
        InputError: The only source does not exist, is a damaged file of drawings, or there is nothing in it. Of several
            sources such a one is named among the errors, and the others are read.
    """
    for source in sources:
        try:
            yield from _pictures_of(source, input_shape, inverted=inverted)
        except InputError as error:
            if len(sources) == 1:
                raise
            yield _unread(source, f"{error.what}. {error.fix}" if error.fix else error.what, input_shape)


def _pictures_of(source: Path, input_shape: tuple[int, int, int], *, inverted: bool) -> Iterator[Pictures]:
    if source.suffix.lower() in DRAWING_SUFFIXES and not source.is_dir():
        yield from _drawings(source, max(input_shape[:2]), input_shape[2])
    else:
        for path in find_pictures([source]):
            yield _picture(path, input_shape, inverted=inverted)


def _unread(path: Path, reason: str, input_shape: tuple[int, int, int]) -> Pictures:
    return Pictures((), np.empty((0, *input_shape), np.uint8), ((str(path), reason),))


def _drawings(path: Path, side: int, channels: int) -> Iterator[Pictures]:
    if not path.is_file():
        fix = f"Give pictures ({', '.join(IMAGE_SUFFIXES)}), folders, or drawings ({', '.join(DRAWING_SUFFIXES)})."
        raise InputError("no such file", where=str(path), fix=fix)
    source = drawing_file(path)
    indexed = index_source(source)
    if indexed.refused:
        errors = tuple((str(path.parent / one.path), one.reason) for one in indexed.refused)
        yield Pictures((), np.empty((0, side, side, channels), np.uint8), errors)
    for start in range(0, indexed.index.shape[1], _AT_ONCE):
        part = indexed.index[:, start : start + _AT_ONCE]
        rows = read_drawings(source, part[PLACE], part[HASH], source.side or side)
        pixels = rows.pixels.reshape(len(rows.names), source.side or side, -1, 1)
        names = tuple(str(path.parent / place_words(source, place)) for place in part[PLACE].tolist())
        yield Pictures(names, np.repeat(pixels, channels, axis=3) if channels > 1 else pixels)


def _picture(path: Path, input_shape: tuple[int, int, int], *, inverted: bool) -> Pictures:
    channels = input_shape[2]
    try:
        # As pictures go into records: transparent ones on white, 16 bits a pixel scaled.
        image = upright(path.read_bytes()).convert("L" if channels == 1 else "RGB")
    except Exception as error:  # noqa: BLE001 - Pillow's readers raise nearly anything on damaged bytes
        return _unread(path, unreadable(path, error).what, input_shape)
    if inverted:
        image = ImageOps.invert(image)
    dark_on_light = 0
    if channels == 1:
        border = _border(np.asarray(image))
        dark_on_light = int(np.median(border) > _LIGHT)
        if image.width != image.height:
            # As `records drawings` brings pictures to a square: nothing is bent.
            side = max(image.size)
            image = ImageOps.pad(image, (side, side), Image.Resampling.LANCZOS, color=int(border[0]))
    pixels = np.asarray(image, np.uint8).reshape(1, image.height, image.width, channels)
    return Pictures((str(path),), pixels, num_dark_on_light=dark_on_light)


def _border(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
