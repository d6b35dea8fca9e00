"""Which drawings there are: one file or one folder of pictures for each label.

Three kinds are understood: bitmaps (``cat.npy``, or rows without a header), strokes (``cat.ndjson`` simplified or raw,
``cat.bin``), and raster folders (``cat/`` with pictures). Files are recognised by content and refused when they
are something else; nothing is counted or decoded here.
"""

import io
import math
import os
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from collectors.errors import ConfigError, InputError
from collectors.quickdraw_bitmaps import HEAD_BYTES, SIDE, read_array_header
from collectors.quickdraw_content import check_content
from collectors.quickdraw_local import LocalEntry, list_folder, local_entry
from labeling.dataset import IMAGE_SUFFIXES

MIN_SIDE, MAX_SIDE = 8, 2048
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class DrawingSource:
    """The drawings of one label.

    Attributes:
        label: The class.
        path: The file, or the folder of pictures.
        name: The path below the source folder, with forward slashes.
        kind: ``bitmaps``, ``simplified``, ``raw``, ``binary`` or ``rasters``.
        side: Of bitmaps, in pixels; 0 for the others.
        offset: Where the first bitmap begins in the file.
        num_rows: Of bitmaps; 0 for the others.
        stamp: Size and time of the file, to see that it stays the same; empty for a folder.
    """

    label: str
    path: Path
    name: str
    kind: str
    side: int = 0
    offset: int = 0
    num_rows: int = 0
    stamp: tuple[int, ...] = ()

    def require_unchanged(self) -> None:
        """Refuse a file that is not the one that was looked at.

        Raises:
            InputError: It changed, or cannot be read.
        """
        if self.stamp and stamp_of(self.path) != self.stamp:
            raise changed(self.path)


def changed(path: Path) -> InputError:
    """The error for a source that changed while a build ran."""
    return InputError(
        "the file changed while the build ran",
        where=str(path),
        fix="Let nothing write into the source folder, then run the same command again.",
    )


def stamp_of(path: Path) -> tuple[int, int, int]:
    """Return size, time of change and number of a file.

    Raises:
        InputError: It cannot be read.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    return status.st_size, status.st_mtime_ns, status.st_ino


def find_drawing_sources(src: Path, labels: Sequence[str] | None = None) -> tuple[DrawingSource, ...]:
    """Find the drawings of every label in a folder.

    Args:
        src: A folder of QuickDraw files, or of folders with pictures. Where there are files, folders of pictures
            are not looked at.
        labels: Only these; ``None`` for all.

    Returns:
        The sources, sorted by label.

    Raises:
        InputError: The folder is missing or empty, a file is damaged or something else than its name says, a label is
            there twice or in two spellings.
        ConfigError: One of ``labels`` is not there.
    """
    if not src.is_dir():
        raise InputError("there is no such folder", where=str(src), fix="Give the folder of the drawings.")
    found = _quickdraw_files(src) or _raster_folders(src)
    if not found:
        raise InputError(
            "there are no drawings here",
            where=str(src),
            fix="It should have files such as cat.npy or cat.ndjson, or one folder of pictures a label.",
        )
    check_spellings((label, str(path)) for label, path, _ in found)
    if labels is not None:
        known = {label for label, _, _ in found}
        missing = sorted(set(labels) - known)
        if missing:
            raise ConfigError(
                f"there are no drawings of {', '.join(missing)}",
                where=str(src),
                fix=f"There are: {', '.join(sorted(known)[:10])}{'...' if len(known) > 10 else ''}.",
            )
        found = [one for one in found if one[0] in labels]
    sources, problems = [], []
    for label, path, entry in sorted(found, key=lambda one: (one[0], str(one[1]))):
        try:
            sources.append(_source(src, label, path, entry))
        except InputError as error:
            problems.append(error)
    if problems:
        first = problems[0]
        more = f" (and {len(problems) - 1} other files: {_names(problems[1:])})" if len(problems) > 1 else ""
        raise InputError(first.what + more, where=first.where, fix=first.fix)
    return tuple(sources)


def drawing_file(path: Path) -> DrawingSource:
    """Recognise one file of drawings.

    Raises:
        InputError: It is damaged, missing, or something else.
    """
    entry = local_entry(path)
    if entry is None:
        raise InputError("is no file of drawings", where=str(path), fix="Give a .npy, .ndjson or .bin file.")
    return _source(path.parent, entry.category, path, entry)


def check_spellings(labels: Iterable[tuple[str, str]]) -> None:
    """Refuse a label that is there twice, in one spelling or in several (``Cat`` and ``cat``, ``ice_cream``).

    Args:
        labels: Labels, each with where it comes from.

    Raises:
        InputError: Two are the same label, or a name cannot be written as UTF-8.
    """
    seen: dict[str, tuple[str, str]] = {}
    for label, where in sorted(labels):
        if not is_text(label + where):
            raise InputError(f"the name {where!r} is not valid Unicode", where=ascii(where), fix="Rename it.")
        first, first_where = seen.setdefault(spelling_key(label), (label, where))
        if where == first_where:
            continue
        if label == first:
            raise InputError(
                f"the label {label!r} is there twice: {first_where} and {where}",
                where=where,
                fix="Move one of them away: the same drawings would be counted twice.",
            )
        raise InputError(
            f"two spellings of one label: {first!r} ({first_where}) and {label!r} ({where})",
            where=where,
            fix="Rename one, or put them together; a classifier would learn to tell them apart.",
        )


def is_text(name: str) -> bool:
    """Say whether a name can be written as UTF-8; file systems allow others."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def spelling_key(label: str) -> str:
    """Return what all spellings of a label have in common: case, spaces, ``_`` and ``-`` do not count."""
    folded = unicodedata.normalize("NFKC", label).casefold()
    return " ".join(folded.replace("_", " ").replace("-", " ").split())


def list_pictures(folder: Path) -> list[Path]:
    """Return the pictures of a label folder and of the folders in it, by their names, in the order of their paths.

    Raises:
        InputError: The folder cannot be read.
    """
    try:
        files = [path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()]
    except OSError as error:
        raise _unreadable(folder, error) from error
    visible = [path for path in files if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    return sorted(visible, key=lambda path: path.relative_to(folder).as_posix())


def _quickdraw_files(src: Path) -> list[tuple[str, Path, LocalEntry | None]]:
    try:
        entries = list_folder(src)
    except InputError:
        return []
    return [(entry.category, entry.path, entry) for entry in entries]


def _raster_folders(src: Path) -> list[tuple[str, Path, LocalEntry | None]]:
    try:
        folders = sorted(entry.name for entry in os.scandir(src) if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise _unreadable(src, error) from error
    return [(name, src / name, None) for name in folders]


def _source(src: Path, label: str, path: Path, entry: LocalEntry | None) -> DrawingSource:
    name = path.relative_to(src).as_posix()
    if entry is None:
        if not list_pictures(path):
            raise InputError("the folder has no pictures", where=str(path), fix="Put some there, or remove the folder.")
        return DrawingSource(label, path, name, "rasters")
    if entry.format_name == "sketchrnn":
        raise InputError(
            "sketchrnn files have no place for every drawing's strokes as they were drawn",
            where=str(path),
            fix="Give .npy, .ndjson or .bin files.",
        )
    stamp = stamp_of(path)
    head = _head(path)
    if entry.is_headerless:
        return DrawingSource(label, path, name, "bitmaps", SIDE, 0, stamp[0] // SIDE**2, stamp)
    check_content(head, entry.format_name, str(path))
    if entry.format_name != "numpy_bitmap":
        return DrawingSource(label, path, name, entry.format_name, stamp=stamp)
    side, offset, num_rows = _bitmap_table(head, stamp[0], str(path))
    return DrawingSource(label, path, name, "bitmaps", side, offset, num_rows, stamp)


def _bitmap_table(head: bytes, size: int, where: str) -> tuple[int, int, int]:
    """Return the side of the bitmaps, where they begin, and how many there are; refuse everything else."""
    stream = io.BytesIO(head)
    try:
        shape, is_fortran, dtype = read_array_header(stream)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        words = " ".join(str(error).split())[:120]
        raise InputError(f"this is no .npy file of numpy: {words}", where=where, fix="Download it again.") from error
    pixels = math.prod(shape[1:]) if len(shape) in (2, 3) else 0
    side = math.isqrt(pixels)
    is_square = side**2 == pixels and (len(shape) == 2 or shape[1:] == (side, side))
    if dtype != np.uint8 or is_fortran or not is_square or not MIN_SIDE <= side <= MAX_SIDE:
        raise InputError(
            f"the array holds {dtype} of shape {shape}; bitmaps are uint8 of shape (drawings, 784), or of another "
            f"square of {MIN_SIDE} to {MAX_SIDE} pixels a side",
            where=where,
            fix="Give a file of QuickDraw's numpy_bitmap, or one made like it.",
        )
    offset, num_rows = stream.tell(), int(shape[0])
    if not num_rows:
        raise InputError("the array has no drawings", where=where, fix="Remove the file, or download it again.")
    end = offset + num_rows * pixels
    if size < end:
        whole = max(0, size - offset) // pixels
        raise InputError(
            f"the file is cut: its header promises {num_rows} drawings ({end} bytes), {size} bytes are there "
            f"({whole} whole drawings)",
            where=where,
            fix="Download it again.",
        )
    if size > end:
        raise InputError(
            f"{size - end} bytes stand behind the {num_rows} drawings of the header",
            where=where,
            fix="Download it again.",
        )
    return side, offset, num_rows


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(HEAD_BYTES)
    except OSError as error:
        raise _unreadable(path, error) from error


def _names(errors: Sequence[InputError]) -> str:
    names = [Path(error.where).name for error in errors[:_SHOWN]]
    return ", ".join(names) + ("..." if len(errors) > _SHOWN else "")


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(f"cannot read: {error.strerror or error}", where=str(path), fix="Check the path.")
