"""One build at a time in a records folder."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from collectors.errors import InputError


class FolderBusyError(InputError):
    """Another build is at work in this records folder."""


@contextmanager
def exclusive_folder(folder: Path) -> Iterator[None]:
    """Hold a records folder for one build while the block runs; it is made when missing.

    The lock is on the folder itself and belongs to the process: however that ends, nothing stays behind. On systems
    without such locks (Windows) nothing is held.

    Raises:
        FolderBusyError: Another build holds it.
        InputError: The folder cannot be made.
    """
    descriptor = _open(folder)
    try:
        while not _lock(descriptor, folder):
            # Who held it before removed the folder, which was empty: this is the lock of nothing.
            os.close(descriptor)
            descriptor = -1
            descriptor = _open(folder)
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)


@contextmanager
def folder_in_use(folder: Path, clear: Callable[[Path], None]) -> Iterator[None]:
    """Hold a records folder as `exclusive_folder` does, and leave it tidy.

    Args:
        folder: The records folder.
        clear: Called with it at the end, however that comes. A folder made here and still empty then is removed.

    Raises:
        FolderBusyError: Another build holds it.
        InputError: The folder cannot be made.
    """
    existed = folder.exists()
    with exclusive_folder(folder):
        try:
            yield
        finally:
            clear(folder)
            if not existed:
                _remove_if_empty(folder)


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return


def _open(folder: Path) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise InputError(f"cannot use the folder: {error.strerror or error}", where=str(folder)) from error


def _lock(descriptor: int, folder: Path) -> bool:
    """Take the lock; returns whether it is still that of the folder."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise FolderBusyError(
            "another build is at work in this folder",
            where=str(folder),
            fix="Let it finish, then run the same command again.",
        ) from error
    except OSError:
        return True  # a file system without locks
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(folder))  # noqa: PTH116 - a Path has no samestat
    except FileNotFoundError:
        return False
