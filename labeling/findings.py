"""What a check says about a file: one finding, with a code that never changes its meaning."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any


class Severity(StrEnum):
    """How bad it is. An ``error`` about an image or its XML refuses the pair."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a check found.

    Attributes:
        code: Stable code, see `labeling.codes.CODES`.
        severity: Error, warning or info.
        path: The file (or class folder) it is about.
        line: Line in that file, from 1; ``None`` when lines make no sense there.
        object_index: Which ``<object>`` of the file, from 1 as a person counts; ``None`` when it is not about one.
        message: What is wrong, one clause that includes what was found and what was wanted.
        got: The value found, short.
        wanted: The value a sound file would have, short.
        action: What to do about it, one sentence.
    """

    code: str
    severity: Severity
    path: Path
    line: int | None
    object_index: int | None
    message: str
    got: str
    wanted: str
    action: str

    @property
    def where(self) -> str:
        """``file:line``, or the file alone."""
        return f"{self.path}:{self.line}" if self.line is not None else str(self.path)

    @property
    def sort_key(self) -> tuple[str, int, int, str, str]:
        """Order of reports: by file, line, object, code."""
        return (str(self.path), self.line or 0, self.object_index or 0, self.code, self.message)

    def as_json(self) -> dict[str, Any]:
        """The finding as a JSON object; absent lines and object numbers are ``null``."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "path": str(self.path),
            "line": self.line,
            "object": self.object_index,
            "message": self.message,
            "got": self.got,
            "wanted": self.wanted,
            "action": self.action,
        }
