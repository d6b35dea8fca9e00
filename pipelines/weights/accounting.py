"""What a run started from, kept in its folder."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from collectors.files import write_atomically
from pipelines.checkpoints import ImportedWeights

_FILE = "weights.json"


def write_accounting(folder: Path, imported: ImportedWeights) -> None:
    """Write the accounting of an import into the folder of a run."""
    write_atomically(folder / _FILE, json.dumps(dataclasses.asdict(imported), indent=2) + "\n")


def read_accounting(folder: Path) -> ImportedWeights | None:
    """Return what `write_accounting` wrote; ``None`` where the run started from nothing."""
    try:
        content = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        fields: Any = {key: tuple(value) if isinstance(value, list) else value for key, value in content.items()}
        return ImportedWeights(**fields)
    except (OSError, ValueError, TypeError):
        return None
