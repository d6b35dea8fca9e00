"""Drawings out of their sources: first an index of all of them, later the pixels of those that were chosen.

The index of a source has three numbers a drawing: the hash of its content, where it lies, and the hash of its name. The
content is the pixels of a bitmap, the points of strokes, the decoded pixels of a picture; so a drawing keeps its hash
in another file, at another size and among other drawings, and the same drawing twice is seen to be one.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from collectors.errors import InputError
from collectors.quickdraw_binary import CutRecordError, iter_binary, parse_record
from collectors.quickdraw_formats import Drawing, LineError, RefusedRecord, parse_simplified
from collectors.quickdraw_lines import iter_ndjson
from collectors.quickdraw_raw import parse_raw, simplify
from records.drawing_sources import DrawingSource, changed, is_text, list_pictures
from records.picture_checks import BAD_NAME, examine_picture, printable, refusal_of, upright
from records.plan import Refusal
from records.stroke_layers import MAX_LAYERS, lay_over, pack_layers
from records.stroke_style import OFFICIAL_STYLE, StrokeStyle

HASH, PLACE, NAME = 0, 1, 2
"""Rows of an index."""

Index: TypeAlias = NDArray[np.uint64]
"""Shape ``(3, drawings)``, in the order of the source."""

_BLOCK_ROWS_BYTES = 1 << 22
_RECORD_BYTES, _LONGEST_RECORD_BYTES = 1 << 14, 1 << 25


@dataclass(frozen=True, slots=True, eq=False)
class IndexedSource:
    """The index of a source, and what of it is no drawing."""

    index: Index
    refused: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True, eq=False)
class DrawingRows:
    """Drawings of one source.

    ``names`` say which ones: the number of the row in bitmaps (from 0), the key id of strokes, the path of a picture
    in its folder. ``pixels`` has shape ``(drawings, side * side)``. ``layers`` are the strokes of each one by one, as
    `records.stroke_layers.pack_layers` has them; none where they were not asked for.
    """

    names: tuple[bytes, ...]
    pixels: NDArray[np.uint8]
    layers: tuple[bytes, ...] = ()


def index_source(source: DrawingSource) -> IndexedSource:
    """Read all drawings of a source once; memory holds their numbers, not their pixels.

    Raises:
        InputError: The source cannot be read or changes meanwhile.
    """
    refused: list[Refusal] = []
    try:
        if source.kind == "bitmaps":
            index = _index_bitmaps(source)
        elif source.kind == "rasters":
            index = _index_rasters(source, refused.append)
        else:
            index = _index_strokes(source, refused.append)
    except OSError as error:
        raise _unreadable(source, error) from error
    source.require_unchanged()
    return IndexedSource(index, tuple(refused))


def read_drawings(
    source: DrawingSource,
    places: NDArray[np.uint64],
    hashes: NDArray[np.uint64],
    side: int,
    style: StrokeStyle = OFFICIAL_STYLE,
    *,
    with_layers: bool = False,
) -> DrawingRows:
    """Read chosen drawings, drawn or brought to a size.

    Args:
        source: Where they are.
        places: From the index, in any order.
        hashes: Of their content, from the index.
        side: Of the pictures to return, px.
        style: How strokes are drawn.
        with_layers: Also return the strokes one by one; of strokes, not of bitmaps and pictures.

    Raises:
        InputError: The source cannot be read, or a drawing is not the one of the index.
    """
    source.require_unchanged()
    try:
        if source.kind == "bitmaps":
            rows = _read_bitmaps(source, places, hashes, side)
        elif source.kind == "rasters":
            rows = _read_rasters(source, places, hashes, side)
        else:
            rows = _read_strokes(source, places, hashes, side, style, with_layers=with_layers)
    except OSError as error:
        raise _unreadable(source, error) from error
    return rows


def place_words(source: DrawingSource, place: int) -> str:
    """Say for people where a drawing of the index lies, below the source folder."""
    if source.kind == "bitmaps":
        return f"{source.name}:row {place}"
    if source.kind == "rasters":
        return f"{source.name}/{_listed_pictures(source.path)[place].relative_to(source.path).as_posix()}"
    return f"{source.name}:byte {place}"


def content_hash(content: bytes) -> int:
    """Return the first 8 bytes of the SHA-256, as a number."""
    return int.from_bytes(hashlib.sha256(content).digest()[:8], "big")


def _index_bitmaps(source: DrawingSource) -> Index:
    size = source.side**2
    step = max(1, _BLOCK_ROWS_BYTES // size) * size
    digests: list[bytes] = []
    with source.path.open("rb") as stream:
        stream.seek(source.offset)
        missing = source.num_rows * size
        while missing:
            block = stream.read(min(step, missing))
            if len(block) % size or not block:
                raise changed(source.path)
            missing -= len(block)
            digests.append(_hashes_of(block, size))
    places = np.arange(source.num_rows, dtype=np.uint64)
    return np.stack([_numbers(b"".join(digests)), places, np.zeros_like(places)])


def _read_bitmaps(source: DrawingSource, places: Index, hashes: Index, side: int) -> DrawingRows:
    size = source.side**2
    descriptor = os.open(source.path, os.O_RDONLY)
    try:
        # Read, not mapped: pages of a map stay in this process, and a shuffled shard touches all pages of all files.
        rows = [os.pread(descriptor, size, source.offset + place * size) for place in places.tolist()]
    finally:
        os.close(descriptor)
    content = b"".join(rows)
    if len(content) != size * len(rows) or not np.array_equal(_numbers(_hashes_of(content, size)), hashes):
        raise changed(source.path)
    pixels = np.frombuffer(content, np.uint8).reshape(len(rows), size)
    if side != source.side:
        images = (Image.fromarray(row.reshape(source.side, source.side)) for row in pixels)
        pixels = np.stack([np.asarray(_fitted(image, side)).reshape(-1) for image in images])
    return DrawingRows(tuple(str(place).encode() for place in places.tolist()), pixels)


def _index_strokes(source: DrawingSource, refuse: Callable[[Refusal], None]) -> Index:
    numbers: list[tuple[int, int, int]] = []

    def on_refused(record: RefusedRecord) -> None:
        refuse(Refusal(f"{source.name}:byte {record.offset}", record.code, record.reason))

    with source.path.open("rb") as stream:
        for offset, drawing in _iter_strokes(source, stream.read, on_refused):
            numbers.append((_hash_of_strokes(drawing), offset, content_hash(drawing.key_id.encode())))
    return np.array(numbers, np.uint64).reshape(-1, 3).T


def _iter_strokes(
    source: DrawingSource, read: Callable[[int], bytes], on_refused: Callable[[RefusedRecord], None]
) -> Iterator[tuple[int, Drawing]]:
    if source.kind == "binary":
        return iter_binary(read, source.label, on_refused)
    return iter_ndjson(read, _parser(source.kind), on_refused)


def _parser(kind: str) -> Callable[[bytes], Drawing]:
    return parse_simplified if kind == "simplified" else _parse_raw


def _parse_raw(line: bytes) -> Drawing:
    return simplify(parse_raw(line))


def _read_strokes(
    source: DrawingSource, places: Index, hashes: Index, side: int, style: StrokeStyle, *, with_layers: bool
) -> DrawingRows:
    from collectors.rasterize import rasterize_drawings, rasterize_layers

    drawings = []
    with source.path.open("rb") as stream:
        for place, expected in zip(places.tolist(), hashes.tolist(), strict=True):
            try:
                if source.kind == "binary":
                    drawing = _binary_at(stream.fileno(), place, source.label)
                else:
                    stream.seek(place)
                    drawing = _parser(source.kind)(stream.readline())
            except (LineError, CutRecordError) as error:
                raise changed(source.path) from error
            if _hash_of_strokes(drawing) != expected:
                raise changed(source.path)
            drawings.append(drawing)
    strokes = [drawing.strokes for drawing in drawings]
    pen = {"line_width": style.line_width, "padding": style.padding}
    names = tuple(drawing.key_id.encode() for drawing in drawings)
    if not with_layers:
        pixels = rasterize_drawings(strokes, side=side, **pen)
        return DrawingRows(names, pixels.reshape(len(drawings), side**2))
    # The drawing is what its layers make, to the last bit: nothing but the missing strokes tells it from one that
    # training leaves strokes out of.
    pixels, layers = np.empty((len(drawings), side, side), np.uint8), []
    for place, stack in enumerate(rasterize_layers(strokes, side=side, max_layers=MAX_LAYERS, **pen)):
        pixels[place] = lay_over(stack)
        layers.append(pack_layers(stack))
    return DrawingRows(names, pixels.reshape(len(drawings), side**2), tuple(layers))


def _binary_at(descriptor: int, place: int, label: str) -> Drawing:
    size = _RECORD_BYTES
    while True:
        try:
            found, _ = parse_record(os.pread(descriptor, size, place), 0, label)
        except CutRecordError:
            if size > _LONGEST_RECORD_BYTES:
                raise
            size *= 8
            continue
        if isinstance(found, LineError):
            raise found
        return found


def _hash_of_strokes(drawing: Drawing) -> int:
    parts = [part for stroke in drawing.strokes for part in (len(stroke).to_bytes(4, "little"), _points_of(stroke))]
    return content_hash(b"".join(parts))


def _points_of(stroke: NDArray[np.int16]) -> bytes:
    return np.ascontiguousarray(stroke, "<i2").tobytes()


def _index_rasters(source: DrawingSource, refuse: Callable[[Refusal], None]) -> Index:
    numbers: list[tuple[int, int, int]] = []
    for place, path in enumerate(_listed_pictures(source.path)):
        name = path.relative_to(source.path).as_posix()
        content = path.read_bytes()
        problem = refusal_of(examine_picture(content)) if is_text(name) else BAD_NAME
        if problem:
            refuse(Refusal(printable(f"{source.name}/{name}"), *problem))
            continue
        numbers.append((_hash_of_picture(_grey(content)), place, content_hash(name.encode())))
    return np.array(numbers, np.uint64).reshape(-1, 3).T


def _read_rasters(source: DrawingSource, places: Index, hashes: Index, side: int) -> DrawingRows:
    paths = _listed_pictures(source.path)
    names, pixels = [], []
    for place, expected in zip(places.tolist(), hashes.tolist(), strict=True):
        if place >= len(paths):
            raise changed(source.path)
        try:
            grey = _grey(paths[place].read_bytes())
        except Exception as error:
            raise changed(paths[place]) from error
        if _hash_of_picture(grey) != expected:
            raise changed(paths[place])
        names.append(paths[place].relative_to(source.path).as_posix().encode())
        pixels.append(np.asarray(_fitted(grey, side)).reshape(-1))
    return DrawingRows(tuple(names), np.stack(pixels))


@lru_cache(maxsize=1024)
def _listed_pictures(folder: Path) -> list[Path]:
    return list_pictures(folder)


def _grey(content: bytes) -> Image.Image:
    image = upright(content)
    return image if image.mode == "L" else image.convert("L")


def _hash_of_picture(grey: Image.Image) -> int:
    return content_hash(f"{grey.width}x{grey.height}:".encode() + grey.tobytes())


def _fitted(grey: Image.Image, side: int) -> Image.Image:
    """Bring a picture to a square without bending it: what is missing at its short side is of the corner's grey."""
    if grey.size == (side, side):
        return grey
    corner = int(np.asarray(grey)[0, 0])
    return ImageOps.pad(grey, (side, side), Image.Resampling.LANCZOS, color=corner)


def _hashes_of(content: bytes, size: int) -> bytes:
    sha256 = hashlib.sha256
    return b"".join([sha256(content[start : start + size]).digest()[:8] for start in range(0, len(content), size)])


def _numbers(digests: bytes) -> NDArray[np.uint64]:
    return np.frombuffer(digests, ">u8").astype(np.uint64)


def _unreadable(source: DrawingSource, error: OSError) -> InputError:
    return InputError(
        f"cannot read the drawings: {error.strerror or error}",
        where=str(error.filename or source.path),
        fix="Check it.",
    )
