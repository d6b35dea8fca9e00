"""What becomes of selected drawings on disk: arrays, JPEG folders or ndjson, each with an index of where it came from.

    <out>/bitmap-npy/<category>.npy         uint8 (drawings, 784), as Google publishes them
    <out>/raster-85x85x3/<category>.npy     uint8 (drawings, side, side, channels)
    <out>/jpeg/<category>/*.jpg             a folder a category, nothing else below jpeg/ but the indexes
    <out>/ndjson/<category>.ndjson          simplified drawings
    <out>/<kind>/<category>.csv             one line a drawing: where it is here, where it was there

The index is written last: where it stands, everything it lists is there.
"""

import csv
import io
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from collectors.errors import InputError
from collectors.files import atomic_writer, write_atomically
from collectors.quickdraw_bitmaps import ROW_BYTES, write_array
from collectors.quickdraw_formats import Drawing, format_simplified
from collectors.quickdraw_pictures import PictureSpec, convert_bitmaps, draw_pictures, encode_jpeg

KINDS = ("bitmap-npy", "jpeg", "raster", "ndjson")
BLOCK = 256
"""Drawings rendered and written together."""

_INDEX_FIELDS = ("item", "key_id", "place", "countrycode", "recognized", "timestamp")
_PENDING = 6

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """What to write: one of `KINDS`, and how its pictures look."""

    kind: str
    pictures: PictureSpec

    @property
    def folder(self) -> str:
        """Name of the folder below the output folder."""
        if self.kind == "raster":
            return f"raster-{self.pictures.side}x{self.pictures.side}x{self.pictures.channels}"
        return self.kind


@dataclass(frozen=True, slots=True)
class Block:
    """Some of the selected drawings, as strokes or as bitmaps.

    Attributes:
        places: Row number, or first byte, of each in the file it comes from.
        drawings: The drawings, or none.
        bitmaps: The bitmaps, shape ``(n, 28, 28)``, or ``None``.
    """

    places: tuple[int, ...]
    drawings: tuple[Drawing, ...] = ()
    bitmaps: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """What was written of a category: ``path`` is the file, or the folder of JPEGs.

    Attributes:
        num_bytes: Bytes of the drawings, without the index.
        num_removed: Pictures of an earlier selection that were removed.
    """

    path: Path
    index_path: Path
    num_drawings: int
    num_bytes: int
    num_removed: int = 0


def output_paths(out: Path, category: str, spec: OutputSpec) -> tuple[Path, Path]:
    """Return where a category goes, and where its index goes."""
    folder = out / spec.folder
    suffix = {"jpeg": "", "ndjson": ".ndjson"}.get(spec.kind, ".npy")
    return folder / (category + suffix), folder / (category + ".csv")


def is_complete(out: Path, category: str, spec: OutputSpec, num_drawings: int, num_bytes: int) -> bool:
    """Say whether the output of a category is there as it was written."""
    path, index_path = output_paths(out, category, spec)
    if not index_path.is_file():
        return False
    if spec.kind != "jpeg":
        return path.is_file() and path.stat().st_size == num_bytes
    if not path.is_dir():
        return False
    sizes = [entry.stat().st_size for entry in os.scandir(path) if _is_ours(entry.name, category)]
    return (len(sizes), sum(sizes)) == (num_drawings, num_bytes)


def write_category(
    out: Path,
    category: str,
    spec: OutputSpec,
    blocks: Iterable[Block],
    *,
    pool: Executor | None = None,
    on_done: Callable[[int], None] | None = None,
) -> Written:
    """Write the drawings of a category.

    Args:
        out: The output folder.
        category: Its name is the name on disk.
        spec: What to write.
        blocks: The drawings in order, up to `BLOCK` together.
        pool: Processes that render; ``None`` renders here. The bytes are the same.
        on_done: Told how many more drawings are finished.

    Raises:
        InputError: There is not one drawing, or the disk refuses a file.
    """
    path, index_path = output_paths(out, category, spec)
    index = _Index()
    done = on_done or _tell_nobody
    if spec.kind == "jpeg":
        written = _write_jpegs(path, index_path, category, spec.pictures, blocks, pool, index, done)
    else:
        written = _write_file(path, index_path, spec, blocks, pool, index, done)
    write_atomically(index_path, index.text())
    return written


def _write_file(
    path: Path,
    index_path: Path,
    spec: OutputSpec,
    blocks: Iterable[Block],
    pool: Executor | None,
    index: "_Index",
    on_done: Callable[[int], None],
) -> Written:
    blocks = _peeked(blocks, path)

    def noted(block: Block) -> None:
        index.add(block, [str(index.count + number) for number in range(len(block.places))])
        on_done(len(block.places))

    if spec.kind == "ndjson":
        with atomic_writer(path) as stream:
            for block in blocks:
                for drawing in block.drawings:
                    stream.write(format_simplified(drawing))
                noted(block)
    else:
        side, channels = spec.pictures.side, spec.pictures.channels
        shape = (ROW_BYTES,) if spec.kind == "bitmap-npy" else (side, side, channels)

        def arrays() -> Iterator[NDArray[np.uint8]]:
            for block, pictures in _in_order(partial(_render, spec=spec.pictures), blocks, pool):
                noted(block)
                yield pictures if channels == 1 else np.repeat(pictures[..., None], channels, axis=-1)

        write_array(path, arrays(), shape)
    return Written(path, index_path, index.count, path.stat().st_size)


def _write_jpegs(
    folder: Path,
    index_path: Path,
    category: str,
    spec: PictureSpec,
    blocks: Iterable[Block],
    pool: Executor | None,
    index: "_Index",
    on_done: Callable[[int], None],
) -> Written:
    blocks = _peeked(blocks, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder: {error.strerror or error}", where=str(folder)) from error
    index_path.unlink(missing_ok=True)  # What it lists is about to change.
    num_bytes = 0
    work = partial(_render_jpegs, spec=spec, folder=folder, stem=_stem(category))
    names: set[str] = set()
    for block, sizes in _in_order(work, blocks, pool):
        block_names = _names(block, _stem(category))
        index.add(block, block_names)
        names.update(block_names)
        num_bytes += sum(sizes)
        on_done(len(sizes))
    stale = [entry.name for entry in os.scandir(folder) if _is_ours(entry.name, category) and entry.name not in names]
    for name in stale:
        (folder / name).unlink()
    _flush()
    return Written(folder, index_path, index.count, num_bytes, len(stale))


def _peeked(blocks: Iterable[Block], path: Path) -> Iterator[Block]:
    """Make sure that there is something before anything is touched."""
    iterator = iter(blocks)
    first = next(iterator, None)
    if first is None:
        raise InputError("no drawing is left", where=str(path), fix="Loosen the filters or raise --limit.")

    def everything() -> Iterator[Block]:
        yield first
        yield from iterator

    return everything()


def _in_order(
    work: Callable[[Block], Result], blocks: Iterable[Block], pool: Executor | None
) -> Iterator[tuple[Block, Result]]:
    """Apply ``work`` to every block, a few ahead in other processes, and hand the results out in order."""
    if pool is None:
        for block in blocks:
            yield block, work(block)
        return
    pending: deque[tuple[Block, Future[Any]]] = deque()
    try:
        for block in blocks:
            pending.append((block, pool.submit(work, block)))
            if len(pending) >= _PENDING:
                done, future = pending.popleft()
                yield done, future.result()
        while pending:
            done, future = pending.popleft()
            yield done, future.result()
    finally:
        for _, future in pending:
            future.cancel()


def _render(block: Block, *, spec: PictureSpec) -> NDArray[np.uint8]:
    if block.bitmaps is not None:
        return convert_bitmaps(block.bitmaps, spec)
    return draw_pictures([drawing.strokes for drawing in block.drawings], spec)


def _render_jpegs(block: Block, *, spec: PictureSpec, folder: Path, stem: str) -> list[int]:
    """Draw and write the pictures of a block; returns their sizes in bytes."""
    sizes = []
    for name, picture in zip(_names(block, stem), _render(block, spec=spec), strict=True):
        content = encode_jpeg(picture, spec)
        _put(folder / name, content)
        sizes.append(len(content))
    return sizes


def _put(path: Path, content: bytes) -> None:
    """Write a small file whole; flushing each of many thousands would take longer than drawing them, see `_flush`."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        if path.exists() and path.stat().st_size == len(content) and path.read_bytes() == content:
            return
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(
            f"cannot write: {error.strerror or error}",
            where=str(path),
            fix="Free some space or choose another folder, then run the same command again.",
        ) from error


def _flush() -> None:
    """Make everything written so far safe, before an index says that it is there.

    One call for the machine: flushing thousands of small files one by one takes longer than drawing them.
    """
    if hasattr(os, "sync"):
        os.sync()


def _names(block: Block, stem: str) -> list[str]:
    if block.drawings:
        return [f"{stem}_{drawing.key_id}.jpg" for drawing in block.drawings]
    return [f"{stem}_{place:06d}.jpg" for place in block.places]


def _stem(category: str) -> str:
    return category.replace(" ", "_")


def _is_ours(name: str, category: str) -> bool:
    return re.fullmatch(re.escape(_stem(category)) + r"_\d+\.jpg(\.tmp)?", name) is not None


def _tell_nobody(num_drawings: int) -> None:
    """Report to nobody."""


class _Index:
    """The lines of an index, as they come."""

    def __init__(self) -> None:
        self.count = 0
        self._stream = io.StringIO(newline="")
        self._writer = csv.writer(self._stream, lineterminator="\n")
        self._writer.writerow(_INDEX_FIELDS)

    def add(self, block: Block, items: Sequence[str]) -> None:
        if block.drawings:
            for item, place, drawing in zip(items, block.places, block.drawings, strict=True):
                recognized = "yes" if drawing.recognized else "no"
                row = (item, drawing.key_id, place, drawing.countrycode, recognized, drawing.timestamp)
                self._writer.writerow(row)
        else:
            self._writer.writerows(
                (item, "", place, "", "", "") for item, place in zip(items, block.places, strict=True)
            )
        self.count += len(block.places)

    def text(self) -> str:
        return self._stream.getvalue()
