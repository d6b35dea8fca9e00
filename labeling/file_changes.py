"""What a repair may do to one file: write it, remove it, move it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Write:
    """A file gets new bytes; it may be new.

    Attributes:
        path: The file.
        content: What it will hold.
        expected: Hex SHA-256 of what it holds now, so that a change in between is seen; "" for a new file.
    """

    path: Path
    content: bytes
    expected: str


@dataclass(frozen=True, slots=True)
class Remove:
    """A file goes away; its bytes are kept in the backup. ``expected`` as for `Write`."""

    path: Path
    expected: str


@dataclass(frozen=True, slots=True)
class Move:
    """A file gets another name or folder, its bytes stay; nothing may be there. ``expected`` as for `Write`."""

    path: Path
    target: Path
    expected: str


Change = Write | Remove | Move
