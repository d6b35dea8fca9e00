"""Files as workers of a cluster name them: a path, or a URL of one of Apache Beam's file systems."""

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any

from collectors.files import write_atomically


def is_url(path: str) -> bool:
    """Tell a URL of one of Beam's file systems from a path of this machine."""
    return "://" in path


def join(folder: str, name: str) -> str:
    """Return the path or URL of a file in a folder."""
    return f"{folder.rstrip('/')}/{name}"


def _file_systems() -> Any:
    from apache_beam.io.filesystems import FileSystems

    return FileSystems


def opened_for_reading(path: str) -> AbstractContextManager[IO[bytes]]:
    """Open a file, never unpacking it whatever its name.

    Raises:
        OSError: It cannot be opened.
    """
    if not is_url(path):
        return open(path, "rb")  # noqa: PTH123 - a text from elsewhere, as that of a URL
    return _opened(_file_systems().open, path)


def opened_for_writing(path: str) -> AbstractContextManager[IO[bytes]]:
    """Open a new file; on most stores it is there when it is closed.

    Raises:
        OSError: It cannot be opened.
    """
    if not is_url(path):
        return open(path, "wb")  # noqa: PTH123
    return _opened(_file_systems().create, path)


def _opened(how: Callable[..., Any], path: str) -> AbstractContextManager[IO[bytes]]:
    from apache_beam.io.filesystem import BeamIOError, CompressionTypes

    try:
        stream: AbstractContextManager[IO[bytes]] = contextlib.closing(
            how(path, "application/octet-stream", compression_type=CompressionTypes.UNCOMPRESSED)
        )
    except BeamIOError as error:
        raise OSError(str(error)) from error
    return stream


def read(path: str) -> bytes:
    """Return the bytes of a file; raises ``OSError`` when it cannot be read."""
    with opened_for_reading(path) as stream:
        return stream.read()


def write(path: str, content: bytes) -> None:
    """Write a small file, whole or not at all."""
    if not is_url(path):
        write_atomically(Path(path), content)
        return
    with opened_for_writing(path) as stream:
        stream.write(content)


def exists(path: str) -> bool:
    """Tell whether there is such a file."""
    return bool(_file_systems().exists(path)) if is_url(path) else Path(path).exists()


def rename(path: str, target: str) -> None:
    """Rename a file, also over one that is there; raises ``OSError`` when the store refuses."""
    if not is_url(path):
        Path(path).replace(target)
        return
    from apache_beam.io.filesystem import BeamIOError

    files = _file_systems()
    try:
        if files.exists(target):  # of an earlier try: the same bytes
            files.delete([target])
        files.rename([path], [target])
    except BeamIOError as error:
        raise OSError(str(error)) from error


def remove(path: str) -> None:
    """Remove a file; raises ``OSError`` when the store refuses."""
    if not is_url(path):
        Path(path).unlink(missing_ok=True)
        return
    from apache_beam.io.filesystem import BeamIOError

    try:
        _file_systems().delete([path])
    except BeamIOError as error:
        raise OSError(str(error)) from error


def make_folder(folder: str) -> None:
    """Make a folder where the store has such a thing."""
    if not is_url(folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        return
    from apache_beam.io.filesystem import BeamIOError

    with contextlib.suppress(BeamIOError, OSError):  # most buckets have no folders; one may be there
        _file_systems().mkdirs(folder)
