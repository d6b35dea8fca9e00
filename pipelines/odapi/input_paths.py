"""The paths that stand in a pipeline.config."""

import re
from collections.abc import Sequence
from pathlib import Path


def expand_input_paths(paths: Sequence[str], folder: Path) -> list[str]:
    """Return the record paths and globs that ``input_path`` lines name.

    A line may hold several, between commas or semicolons. ``?`` of ``.record-?????-of-00010`` stays a glob.

    Args:
        paths: Values of the repeated field.
        folder: Folder of the config, at which relative paths start.
    """
    parts = [part.strip() for path in paths for part in re.split(r"[;,]", path)]
    return [resolve(part, folder) for part in parts if part]


def resolve(path: str, folder: Path) -> str:
    """Return a path as this machine reads it: slashes forward, doubled ones single, relative ones at ``folder``."""
    if re.match(r"[a-z][a-z0-9+.-]+://", path):
        return path
    if re.match(r"[A-Za-z]:[\\/]", path) or "\\" in path:
        path = re.sub(r"[\\/]+", "/", path)
    if re.match(r"[A-Za-z]:/", path):
        return path
    return str(folder / Path(path).expanduser())
