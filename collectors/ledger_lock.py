"""One collector at a time on a dataset root, and one repair of its labels.

The lock is an exclusive transaction on a small SQLite file: the operating system frees it when the process ends,
however it ends, and it works wherever SQLite does.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from collectors.errors import InputError

_POLL_S = 0.5


class RootBusyError(InputError):
    """Another process collects into this dataset root, or changes its labels."""


@contextmanager
def exclusive(
    root: Path,
    *,
    role: str = "collector",
    wait_s: float = 0.0,
    on_wait: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Hold the collector's lock of a dataset root, or that of another role, while the block runs.

    Args:
        root: The dataset root; its ``.tagbox`` folder is made when missing.
        role: Who holds it; locks of different roles do not exclude each other.
        wait_s: How long to wait for another of this role, seconds; 0 refuses at once.
        on_wait: Told once, with a sentence about the other one, when waiting begins.

    Raises:
        RootBusyError: Another one still held the lock after ``wait_s``.
        InputError: The folder cannot be written.
    """
    folder = root / ".tagbox"
    note = folder / f"{role}.txt"
    name = "lock.sqlite" if role == "collector" else f"{role}_lock.sqlite"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(folder / name, timeout=0, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise InputError(f"the dataset root cannot be written: {error}", where=str(root)) from error
    try:
        _acquire(connection, root, note, role, wait_s, on_wait)
        note.write_text(f"process {os.getpid()}, since {time.strftime('%Y-%m-%d %H:%M:%S')}\n", encoding="utf-8")
        yield
        note.unlink(missing_ok=True)
    finally:
        connection.close()


def _acquire(
    connection: sqlite3.Connection,
    root: Path,
    note: Path,
    role: str,
    wait_s: float,
    on_wait: Callable[[str], None] | None,
) -> None:
    deadline = time.monotonic() + wait_s
    is_told = False
    while True:
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            other = _text(note) or "not known"
            if time.monotonic() >= deadline:
                raise RootBusyError(
                    f"another {role} is at work here ({other})",
                    where=str(root),
                    fix="Let it finish, "
                    + ("or add --wait to stand in line." if role == "collector" else "then run the command again."),
                ) from error
            if on_wait is not None and not is_told:
                on_wait(f"waiting for another {role} on {root} ({other})")
                is_told = True
            time.sleep(min(_POLL_S, max(0.01, deadline - time.monotonic())))
        else:
            return


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
