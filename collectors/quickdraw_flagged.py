"""Lists of drawings somebody has found fault with: offensive, scribbled over, labelled wrongly."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from collectors.errors import ConfigError, InputError
from collectors.quickdraw_categories import find_category

_KEY_WORDS = {"key_id", "keyid", "key"}
_ROW_WORDS = {"index", "row"}


@dataclass(frozen=True, slots=True)
class FlaggedDrawings:
    """Drawings to leave out.

    Attributes:
        key_ids: By the number of the drawing; works on every form that carries it.
        rows: By category, row numbers (from 0) in the bitmaps, which carry no other number.
    """

    key_ids: frozenset[str] = frozenset()
    rows: Mapping[str, frozenset[int]] = field(default_factory=dict)


def read_flagged(path: Path) -> FlaggedDrawings:
    """Read a list of drawings to skip, one a line.

    A line is a ``key_id``, or a category and a row number of its bitmaps, separated by a comma or a tab. Empty lines,
    lines that begin with ``#`` and a line of headings are passed over.

    Raises:
        InputError: The file cannot be read.
        ConfigError: A line is neither; the message names it.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read the list: {reason}", where=str(path), fix="Check --skip-flagged.") from error
    key_ids: set[str] = set()
    rows: dict[str, set[int]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        words = [word.strip() for word in next(csv.reader([line.replace("\t", ",")]))]
        if words[-1].lower() in _KEY_WORDS | _ROW_WORDS:
            continue
        if len(words) == 1 and _is_number(words[0], 20):
            key_ids.add(words[0])
        elif len(words) == 2 and _is_number(words[1], 12):
            rows.setdefault(_category(words[0], path, number), set()).add(int(words[1]))
        elif len(words) == 2 and _is_number(words[1], 20):
            key_ids.add(words[1])
        else:
            raise ConfigError(
                f"neither a key_id nor a category and a row: {line.strip()[:60]!r}",
                where=f"{path}:{number}",
                fix="Write one key_id a line, or for example: cat,1734",
            )
    return FlaggedDrawings(frozenset(key_ids), {name: frozenset(found) for name, found in rows.items()})


def _is_number(word: str, digits: int) -> bool:
    return word.isascii() and word.isdigit() and len(word) <= digits


def _category(word: str, path: Path, number: int) -> str:
    try:
        return find_category(word)
    except ConfigError as error:
        raise ConfigError(error.what, where=f"{path}:{number}", fix=error.fix) from None
