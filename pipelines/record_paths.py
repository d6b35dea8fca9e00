"""The record files that a config names."""

from collections.abc import Sequence
from pathlib import Path

from records.reading import expand_record_paths


def expand(input_path: str | Sequence[str]) -> list[Path]:
    """Return the files that one path or several name; globs, shard names and comma-separated lists work.

    Raises:
        InputError: A path matches nothing.
    """
    words = [input_path] if isinstance(input_path, str) else list(input_path)
    parts = [[word] if Path(word).is_file() else [part.strip() for part in word.split(",")] for word in words]
    return expand_record_paths(part for some in parts for part in some if part)
