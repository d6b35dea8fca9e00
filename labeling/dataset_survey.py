"""What the file system says of everything below a data root, in one digest: the same digest, the same data set.

Taken without opening a file and without a path object a file, so that a hundred thousand files cost a fraction of a
second. It covers all that a check may look at: names, sizes, inodes and both times of the files below the root (hidden
ones left out, as the checks do), where links lead, and the folders of pictures next door.
"""

import hashlib
import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path

from collectors.ledger_schema import LEDGER_PATH

# Where the pictures of a plain folder may lie, see `labeling.dataset`.
_NEXT_DOOR = ("images", "JPEGImages")


@dataclass(frozen=True, slots=True)
class Survey:
    """The state of a data root.

    Attributes:
        digest: Hex SHA-256 of names and of what the file system says of the files. Times of folders are no part of it:
            they change with every hidden file.
        folders: Hex SHA-256 of the times of the folders. Two surveys that agree in it, too, had nothing come and go
            between them.
        newest_ns: The newest modification or change of a file, in nanoseconds since 1970.
        taken_ns: When the survey began, on the same clock.
    """

    digest: str
    folders: str
    newest_ns: int
    taken_ns: int


class _UnclearError(Exception):
    """The names below the root do not tell what a check would look at."""


def survey(root: Path) -> Survey | None:
    """Look at everything below a folder.

    Returns:
        The survey, or ``None`` where one cannot vouch for the data set: a folder cannot be listed, a file vanishes
        under the survey, or a link leads to a folder, which may lie anywhere and lead round in a circle.
    """
    walk = _Walk()
    try:
        walk.add_folder(str(root), is_deep=True)
        for name in _NEXT_DOOR:
            beside = os.path.join(root, os.pardir, name)  # noqa: PTH118
            if os.path.isdir(beside):  # noqa: PTH112
                walk.files.append(f"{os.path.realpath(beside)}\0beside\0")
                walk.add_folder(beside, is_deep=False)
        # The ledger lies in a hidden folder; what was not written into it yet waits in the log beside it.
        for suffix in ("", "-wal", "-journal"):
            walk.add_database(f"{os.path.join(root, LEDGER_PATH)}{suffix}")  # noqa: PTH118
    except (OSError, _UnclearError):
        return None
    return Survey(_digest_of(walk.files), _digest_of(walk.folders), walk.newest_ns, walk.taken_ns)


class _Walk:
    def __init__(self) -> None:
        self.taken_ns = time.time_ns()
        self.newest_ns = 0
        self.files: list[str] = []
        self.folders: list[str] = []

    def add_folder(self, top: str, *, is_deep: bool) -> None:
        """Add what lies in a folder, and below it when ``is_deep``."""
        waiting = [top]
        files, newest_ns = self.files, self.newest_ns
        while waiting:
            folder = waiting.pop()
            status = os.stat(folder)  # noqa: PTH116 - no path objects here, see above
            self.folders.append(f"{folder}\0{status.st_ino} {status.st_mtime_ns} {status.st_ctime_ns}\0")
            files.append(f"{folder}\0folder\0")
            with os.scandir(folder) as entries:
                listed = sorted((entry.name, entry) for entry in entries if not entry.name.startswith("."))
            for name, entry in listed:
                if entry.is_symlink():
                    self.newest_ns = newest_ns
                    self._add_link(entry)
                    newest_ns = self.newest_ns
                elif entry.is_dir():
                    files.append(f"{name}\0is a folder\0")
                    if is_deep:
                        waiting.append(entry.path)
                else:
                    status = entry.stat()
                    modified_ns, changed_ns = status.st_mtime_ns, status.st_ctime_ns
                    files.append(f"{name}\0{status.st_size} {status.st_ino} {modified_ns} {changed_ns}\0")
                    newest_ns = max(newest_ns, modified_ns, changed_ns)
        self.newest_ns = newest_ns

    def add_database(self, path: str) -> None:
        """Add a file of a database, if it is there; one that is empty is as good as none.

        SQLite, run by root, gives the log its owner anew whenever it reads it: the time of change tells nothing.
        """
        try:
            status = os.stat(path)  # noqa: PTH116
        except FileNotFoundError:
            return
        except NotADirectoryError:  # a file in the way of the hidden folder
            return
        if status.st_size:
            self.files.append(f"{path}\0{status.st_size} {status.st_ino} {status.st_mtime_ns}\0")
            self.newest_ns = max(self.newest_ns, status.st_mtime_ns)

    def _add_link(self, entry: os.DirEntry[str]) -> None:
        self.files.append(f"{entry.name}\0leads to\0{os.path.realpath(entry.path)}\0")
        try:
            status = entry.stat()
        except FileNotFoundError:
            self.files.append("nothing\0")
            return
        if stat.S_ISDIR(status.st_mode):
            raise _UnclearError
        self._add_status(entry.name, status)

    def _add_status(self, name: str, status: os.stat_result) -> None:
        self.files.append(f"{name}\0{status.st_size} {status.st_ino} {status.st_mtime_ns} {status.st_ctime_ns}\0")
        self.newest_ns = max(self.newest_ns, status.st_mtime_ns, status.st_ctime_ns)


def _digest_of(parts: list[str]) -> str:
    return hashlib.sha256("".join(parts).encode("utf-8", "surrogateescape")).hexdigest()
