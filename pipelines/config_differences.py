"""Where the configs and the environments of runs differ."""

from collections.abc import Mapping, Sequence
from typing import Any

_ABSENT = "–"


def flat(content: Any, prefix: str = "") -> dict[str, str]:
    """Return nested mappings as dotted keys with their values in words; a list is one value."""
    if not isinstance(content, Mapping):
        return {prefix: str(content)} if prefix else {}
    found: dict[str, str] = {}
    for key, value in content.items():
        name = f"{prefix}.{key}" if prefix else str(key)
        found |= flat(value, name) if isinstance(value, Mapping) and value else {name: _in_words(value)}
    return found


def differing(contents: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """Return each key whose value is not the same everywhere, with the value in each; a dash where it is absent.

    The order is that in which the keys come up.
    """
    tables = [flat(content) for content in contents]
    keys = list(dict.fromkeys(key for table in tables for key in table))
    rows = [(key, [table.get(key, _ABSENT) for table in tables]) for key in keys]
    return [(key, values) for key, values in rows if len(set(values)) > 1]


def _in_words(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(one) for one in value)
    return str(value)
