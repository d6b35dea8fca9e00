"""Files that are either whole or absent: written aside, flushed, renamed into place."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from collectors.errors import InputError

_BLOCK_BYTES = 1 << 20


@contextmanager
def atomic_writer(path: Path) -> Iterator[IO[bytes]]:
    """Open ``path`` for writing so that readers see the old content or the new, never a part.

    The bytes go to ``path`` + ``.tmp`` in the same folder (made when missing), are flushed to disk and renamed
    when the block ends. When the block raises, the temporary file is removed and ``path`` is as it was.

    Raises:
        InputError: The folder or the disk refuses the file (full, read-only, no permission).
    """
    temporary = path.with_name(path.name + ".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        _discard(temporary)
        raise InputError(
            f"cannot write: {error.strerror or error}",
            where=str(path),
            fix="Free some space or choose another folder, then run the same command again.",
        ) from error
    except BaseException:
        _discard(temporary)
        raise


def write_atomically(path: Path, content: bytes | str) -> None:
    """Put ``content`` (text as UTF-8) into ``path``; see `atomic_writer` for the promise and the errors."""
    with atomic_writer(path) as stream:
        stream.write(content.encode() if isinstance(content, str) else content)


def has_content(path: Path, content: bytes | str) -> bool:
    """Say whether a file has exactly this content (text as UTF-8); false when it is absent or cannot be read."""
    try:
        return path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    except OSError:
        return False


def sha256_of_file(path: Path) -> str:
    """Return the hex SHA-256 of a file's bytes, read in blocks of 1 MiB.

    Raises:
        OSError: The file cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _discard(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return
