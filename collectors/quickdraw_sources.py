"""Where QuickDraw's files come from, the bucket or a folder, and which of its formats serves a purpose best."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from collectors.errors import ConfigError, InputError
from collectors.quickdraw_bucket import Bucket, RemoteFile
from collectors.quickdraw_content import FORMATS
from collectors.quickdraw_local import LocalEntry, LocalFile
from collectors.quickdraw_selection import Selection

# Binary drawings weigh a third of simplified ones; simplified ones have the full timestamp.
_FOR_PICTURES = ("binary", "simplified", "raw", "sketchrnn")
_FOR_NDJSON = ("simplified", "binary", "raw", "sketchrnn")
_WITH_METADATA = ("binary", "simplified", "raw")


SourceFile: TypeAlias = RemoteFile | LocalFile
"""One file of a source: a context manager with random access to its bytes."""


class BucketSource:
    """QuickDraw's bucket, or a mirror of it.

    Args:
        bucket: The connection.
        cache_dir: Where fetched parts are kept.
        on_bytes: Told how many bytes came over the wire.
    """

    def __init__(self, bucket: Bucket, cache_dir: Path, on_bytes: Callable[[int], None] | None = None) -> None:
        self._bucket = bucket
        self._cache_dir = cache_dir
        self._on_bytes = on_bytes

    def formats_of(self, category: str) -> tuple[str, ...]:
        """Return the formats that are there: in the bucket all of them."""
        return FORMATS

    def open(self, category: str, format_name: str) -> SourceFile:
        """Return the file of a category, not yet opened."""
        return RemoteFile(self._bucket, category, format_name, self._cache_dir, on_bytes=self._on_bytes)

    def is_headerless(self, category: str, format_name: str) -> bool:
        """Say whether the bitmaps have no header; those of the bucket have one."""
        return False


class FolderSource:
    """Files that are here already.

    Args:
        entries: From `collectors.quickdraw_local.list_folder`; of two files of one category and format the first
            counts.
    """

    def __init__(self, entries: Sequence[LocalEntry]) -> None:
        self._entries: dict[tuple[str, str], LocalEntry] = {}
        for entry in entries:
            self._entries.setdefault((entry.category, entry.format_name), entry)

    @property
    def categories(self) -> tuple[str, ...]:
        """All categories, sorted."""
        return tuple(sorted({category for category, _ in self._entries}))

    def formats_of(self, category: str) -> tuple[str, ...]:
        """Return the formats in which the category is here."""
        return tuple(name for name in FORMATS if (category, name) in self._entries)

    def open(self, category: str, format_name: str) -> SourceFile:
        """Return the file of a category, not yet opened."""
        return LocalFile(self._entries[category, format_name].path)

    def is_headerless(self, category: str, format_name: str) -> bool:
        """Say whether the bitmaps have no header."""
        return self._entries[category, format_name].is_headerless


Source = BucketSource | FolderSource


def choose_format(
    source: Source, category: str, selection: Selection, *, is_ndjson: bool, is_official: bool, forced: str = ""
) -> str:
    """Choose the format to read: the one that costs least and holds what is needed.

    Args:
        source: The source.
        category: The category.
        selection: What to take.
        is_ndjson: Strokes are wanted, not pictures.
        is_official: Pictures are wanted as the official bitmaps are.
        forced: The format the user asks for; empty leaves the choice.

    Raises:
        InputError: The source has no such category or format.
        ConfigError: The format cannot answer what is asked.
    """
    available = source.formats_of(category)
    if not available:
        raise InputError(f"there is no file of {category!r} in the folder", fix="Check --from.")
    rows = bool(selection.flagged.rows.get(category))
    suitable: tuple[str, ...] = _FOR_NDJSON if is_ndjson else _FOR_PICTURES
    if selection.needs_metadata:
        suitable = tuple(name for name in suitable if name in _WITH_METADATA)
    elif not is_ndjson:
        suitable = ("numpy_bitmap", *suitable) if is_official else (*suitable, "numpy_bitmap")
    if rows:
        suitable = tuple(name for name in suitable if name == "numpy_bitmap")
    chosen = [name for name in suitable if name in available and forced in ("", name)]
    if chosen:
        return chosen[0]
    if forced and forced not in available:
        raise InputError(f"{category!r} is not here in the format {forced}", fix="Check --from.")
    reasons = [
        *(["strokes are asked for"] if is_ndjson else []),
        *(["a filter needs key, country or recognition"] if selection.needs_metadata else []),
        *(["the list of flagged drawings counts rows of the bitmaps"] if rows else []),
    ]
    here = forced or ", ".join(available)
    raise ConfigError(
        f"{category!r} in the format {here} cannot give this: {' and '.join(reasons)}",
        fix="Choose another --format or drop the option.",
    )
