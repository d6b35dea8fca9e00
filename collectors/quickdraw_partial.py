"""Parts of a remote file on disk: which bytes are here, and what they are of.

The bytes lie where they belong in a sparse file; beside it a small JSON file says of which URL and version (ETag) they
are and which stretches are filled. The note is written after the bytes are safe, so a killed process or a power cut
can only make us fetch again what was there already, never trust what is not.
"""

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any

from collectors.errors import InputError
from collectors.files import write_atomically

Extent = tuple[int, int]
"""A stretch of bytes, ``start`` to ``stop``, half-open."""


class PartialFile:
    """Some of the bytes of one remote file. Use as a context manager; one writer at a time.

    Args:
        path: Where the bytes lie; the note is at ``path`` + ``.json``.
        url: What they are of; bytes noted for another URL are dropped.

    Attributes:
        etag: Version of the remote file; empty when the server names none.
        size: Size of the whole remote file, or -1 when not known yet.
    """

    def __init__(self, path: Path, url: str) -> None:
        self.path = path
        self.url = url
        self.etag = ""
        self.size = -1
        self._extents: list[Extent] = []
        self._descriptor = -1
        self._note = path.with_name(path.name + ".json")

    def __enter__(self) -> "PartialFile":
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
            self._load()
        except OSError as error:
            raise self._refused(error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._descriptor)
        self._descriptor = -1

    @property
    def num_bytes(self) -> int:
        """How many bytes are here."""
        return sum(stop - start for start, stop in self._extents)

    def forget(self) -> None:
        """Drop everything; the next fetch starts from nothing."""
        self.etag, self.size, self._extents = "", -1, []
        try:
            os.ftruncate(self._descriptor, 0)
        except OSError as error:
            raise self._refused(error) from error
        self.save()

    def missing(self, start: int, stop: int) -> list[Extent]:
        """Return the stretches between ``start`` and ``stop`` that are not here, in order."""
        gaps = []
        for here_start, here_stop in self._extents:
            if here_stop <= start:
                continue
            if here_start >= stop:
                break
            if start < here_start:
                gaps.append((start, here_start))
            start = here_stop
        if start < stop:
            gaps.append((start, stop))
        return gaps

    def write(self, start: int, content: bytes) -> None:
        """Put bytes in their place; they count as here at once, and for a later process after `save`.

        Raises:
            InputError: The disk refuses them.
        """
        if not content:
            return
        try:
            written = 0
            while written < len(content):
                written += os.pwrite(self._descriptor, memoryview(content)[written:], start + written)
        except OSError as error:
            raise self._refused(error) from error
        self._extents = _merged([*self._extents, (start, start + len(content))])

    def save(self) -> None:
        """Make the bytes safe and note them.

        Raises:
            InputError: The disk refuses.
        """
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise self._refused(error) from error
        value = {"url": self.url, "etag": self.etag, "size": self.size, "extents": self._extents}
        write_atomically(self._note, json.dumps(value) + "\n")

    def read(self, start: int, stop: int) -> bytes:
        """Return bytes that are here.

        Raises:
            ValueError: Some of them are not.
            InputError: The disk refuses to read.
        """
        if self.missing(start, stop):
            raise ValueError(f"bytes {start} to {stop} of {self.path} are not all here")
        parts = []
        try:
            while start < stop:
                part = os.pread(self._descriptor, stop - start, start)
                if not part:
                    raise OSError("the file was cut by somebody else")
                parts.append(part)
                start += len(part)
        except OSError as error:
            raise InputError(f"cannot read: {error.strerror or error}", where=str(self.path)) from error
        return b"".join(parts)

    def _load(self) -> None:
        try:
            value: Any = json.loads(self._note.read_bytes())
            extents = _merged([(int(start), int(stop)) for start, stop in value["extents"]])
            etag, size, url = str(value["etag"]), int(value["size"]), value["url"]
        except FileNotFoundError:
            return
        except (ValueError, TypeError, KeyError):
            return  # A damaged note is no note.
        on_disk = os.fstat(self._descriptor).st_size
        if url == self.url and all(0 <= start < stop <= on_disk for start, stop in extents):
            self.etag, self.size, self._extents = etag, size, extents

    def _refused(self, error: OSError) -> InputError:
        return InputError(
            f"cannot write: {error.strerror or error}",
            where=str(self.path),
            fix="Free some space, then run the same command again; what was fetched is kept.",
        )


def _merged(extents: list[Extent]) -> list[Extent]:
    merged: list[Extent] = []
    for start, stop in sorted(extents):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged
