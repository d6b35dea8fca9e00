"""A folder of QuickDraw files that somebody has downloaded already, as a source like the bucket."""

import re
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO
from urllib.parse import unquote

from collectors.errors import ConfigError, InputError
from collectors.quickdraw_binary import begins_with_records
from collectors.quickdraw_bitmaps import headerless_table
from collectors.quickdraw_categories import find_category
from collectors.quickdraw_formats import LineError, parse_object

_SUFFIX_FORMATS = {".npy": "numpy_bitmap", ".bin": "binary", ".npz": "sketchrnn"}
_HEAD_BYTES = 4096
# What download tools put before the name: gsutil, browsers and scripts turn the folders of the bucket into a prefix.
_PREFIX = re.compile(
    r"^(quickdraw_dataset[_-])?(full[_-](numpy_bitmap|simplified|binary|raw)|numpy_bitmap|simplified|binary|raw|"
    r"sketchrnn)[_-]"
)


@dataclass(frozen=True, slots=True)
class LocalEntry:
    """One file of the folder: what it holds, in which format.

    ``is_headerless`` marks bitmaps without the header of ``.npy``.
    """

    path: Path
    category: str
    format_name: str
    is_headerless: bool = False


class LocalFile:
    """Random access to a file on disk, with the same face as `collectors.quickdraw_bucket.RemoteFile`.

    Raises:
        InputError: The file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.where = str(path)
        self.num_received = 0
        self._stream: IO[bytes] | None = None
        try:
            status = path.stat()
        except OSError as error:
            raise _unreadable(path, error) from error
        self.size = status.st_size
        self.version = f"{status.st_size} {status.st_mtime_ns}"

    def __enter__(self) -> "LocalFile":
        try:
            self._stream = self.path.open("rb")
        except OSError as error:
            raise _unreadable(self.path, error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._stream is not None:
            self._stream.close()

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes from ``start`` up to ``stop`` or the end of the file."""
        assert self._stream is not None
        try:
            self._stream.seek(start)
            return self._stream.read(max(0, min(stop, self.size) - start))
        except OSError as error:
            raise _unreadable(self.path, error) from error


def list_folder(folder: Path) -> list[LocalEntry]:
    """Find the QuickDraw files of a folder and of the folders in it, in the order of their names.

    A name is understood with or without the prefix that download tools add (``full_numpy_bitmap_cat.npy``); words that
    are no category of QuickDraw are taken as they are. Files with other endings are passed over.

    Raises:
        InputError: The folder cannot be listed or has no such file.
    """
    try:
        files = sorted(path for path in folder.rglob("*") if path.is_file() and not _is_hidden(path, folder))
    except OSError as error:
        raise _unreadable(folder, error) from error
    if not folder.is_dir():
        raise InputError("there is no such folder", where=str(folder), fix="Check the path given with --from.")
    entries = [entry for path in files if (entry := local_entry(path)) is not None]
    if not entries:
        raise InputError(
            "no QuickDraw file (.npy, .ndjson, .bin or .npz) is here",
            where=str(folder),
            fix="Check the path given with --from.",
        )
    return entries


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def local_entry(path: Path) -> LocalEntry | None:
    """Say what a file holds, by its name and its first bytes; ``None`` where it is none of QuickDraw's."""
    suffix = path.suffix.lower()
    if suffix not in {*_SUFFIX_FORMATS, ".ndjson"}:
        return None
    category = _category_of(path)
    if suffix == ".ndjson":
        return LocalEntry(path, category, "raw" if _is_raw(path) else "simplified")
    format_name = _SUFFIX_FORMATS[suffix]
    if suffix == ".bin" and _is_rows(path):
        return LocalEntry(path, category, "numpy_bitmap", is_headerless=True)
    return LocalEntry(path, category, format_name)


def _category_of(path: Path) -> str:
    name = _PREFIX.sub("", unquote(path.stem).replace("/", "_"))
    name = name.removesuffix(".full") if path.suffix == ".npz" else name
    if not name.strip(" .") or not name.isprintable():
        name = path.stem  # An encoded name such as %2E%2E must not lead out of the output folder.
    try:
        return find_category(name)
    except ConfigError:
        return name


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(_HEAD_BYTES)
    except OSError:
        return b""  # Opening it later names the file and the reason.


def _is_rows(path: Path) -> bool:
    head, size = _head(path), path.stat().st_size
    return headerless_table(size) is not None and not begins_with_records(head, at_end=len(head) == size)


def _is_raw(path: Path) -> bool:
    """Say whether the first line has times beside x and y."""
    try:
        with path.open("rb") as stream:
            value = parse_object(stream.readline(1 << 20))
    except (OSError, LineError):
        return False
    strokes = value.get("drawing")
    return isinstance(strokes, list) and bool(strokes) and isinstance(strokes[0], list) and len(strokes[0]) == 3


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(f"cannot read: {error.strerror or error}", where=str(path), fix="Check the path.")
