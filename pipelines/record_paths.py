"""The record files that a config names."""

from collections.abc import Sequence
from pathlib import Path

from records.reading import expand_record_paths

TRAINING_GLOB, VERIFICATION_GLOB = "*_training.record*", "*_verification.record*"


def expand(input_path: str | Sequence[str]) -> list[Path]:
    """Return the files that one path or several name; globs, shard names and comma-separated lists work.

    Raises:
        InputError: A path matches nothing.
    """
    words = [input_path] if isinstance(input_path, str) else list(input_path)
    parts = [[word] if Path(word).is_file() else [part.strip() for part in word.split(",")] for word in words]
    return expand_record_paths(part for some in parts for part in some if part)


def to_evaluate(input_path: str | Sequence[str]) -> list[str]:
    """Return what to evaluate on where folders are named: their verification records, if they have such.

    What was trained on would flatter.

    Args:
        input_path: One path or several, as for `expand`.
    """
    words = [input_path] if isinstance(input_path, str) else list(input_path)
    return [
        str(Path(word, VERIFICATION_GLOB)) if Path(word).is_dir() and any(Path(word).glob(VERIFICATION_GLOB)) else word
        for word in words
    ]
