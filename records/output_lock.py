"""One build at a time in a records folder.

The lock is on the folder itself, so it leaves nothing behind, and the operating system frees it when the process ends,
however it ends. Builders of single shards (``--shard i/n``) share it; a whole build, or the commit, has it alone.
"""

import os
from collections.abc import Iterator
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
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY) if fcntl is not None else -1
    except OSError as error:
        raise InputError(
            f"cannot write: {error.strerror or error}", where=str(folder), fix="Choose another folder with --out."
        ) from error
    try:
        if (descriptor >= 0 and _acquire(descriptor, folder, shared=shared)) or shared:
            yield
        else:
            with _fallback(folder):
                yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)
        with suppress(OSError):
            folder.rmdir()


def _acquire(descriptor: int, folder: Path, *, shared: bool) -> bool:
    """Take the lock; returns whether this file system has such a thing."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise _busy(folder) from error
    except OSError:  # some network file systems
        return False
    return True


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
