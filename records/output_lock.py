"""One build at a time in a records folder.

The lock is on the folder itself, so it leaves nothing behind, and the operating system frees it when the process ends,
however it ends. Builders of single shards (``--shard i/n``) share it; a whole build, or the commit, has it alone.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from collectors.errors import InputError
from collectors.ledger_lock import RootBusyError, exclusive

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]


class OutputBusyError(InputError):
    """Another build writes into this folder."""


@contextmanager
def output_lock(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold the lock of a records folder while the block runs; the folder is made when missing, and removed if empty.

    Args:
        folder: The records folder.
        shared: Let others in who share it, too.

    Raises:
        OutputBusyError: Another process holds it.
        InputError: The folder cannot be made.
    """
    descriptor, is_held = _opened(folder, shared=shared)
    try:
        if is_held or shared:
            yield
        else:
            with _fallback(folder):
                yield
    finally:
        if not shared:  # else others may be about to write into it
            _remove_if_empty(folder)
        if descriptor >= 0:
            os.close(descriptor)


@contextmanager
def folder_in_use(folder: Path, clear: Callable[[Path], None]) -> Iterator[None]:
    """Hold a records folder as `output_lock` does, and call ``clear`` with it at the end, however that comes."""
    with output_lock(folder):
        try:
            yield
        finally:
            clear(folder)


def _opened(folder: Path, *, shared: bool) -> tuple[int, bool]:
    """Open and lock the folder; returns its descriptor (-1 for none) and whether the lock is held."""
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(folder, os.O_RDONLY) if fcntl is not None else -1
        except OSError as error:
            raise InputError(
                f"cannot write: {error.strerror or error}", where=str(folder), fix="Choose another folder with --out."
            ) from error
        if descriptor < 0:
            return descriptor, False
        try:
            is_held = _acquire(descriptor, folder, shared=shared)
            # Its last holder may have removed the empty folder, and another process made a new one.
            if folder.exists() and os.path.samestat(os.fstat(descriptor), folder.stat()):
                return descriptor, is_held
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _acquire(descriptor: int, folder: Path, *, shared: bool) -> bool:
    """Take the lock; returns whether this file system has such a thing."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise _busy(folder) from error
    except OSError:  # some network file systems
        return False
    return True


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


@contextmanager
def _fallback(folder: Path) -> Iterator[None]:
    try:
        with exclusive(folder):
            yield
    except RootBusyError as error:
        raise _busy(folder) from error


def _busy(folder: Path) -> OutputBusyError:
    return OutputBusyError(
        "another build writes into this folder",
        where=str(folder),
        fix="Let it finish, or build into another folder with --out.",
    )
