"""Everything a run folder says, read once; reports are made of it, without a model."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collectors.errors import InputError
from labeling.label_map import read_label_map
from pipelines.record_paths import expand
from pipelines.report.blocks import Measured
from pipelines.run_directory import RunDirectory
from pipelines.run_list import read_config


@dataclass(frozen=True, eq=False)
class RunFiles:
    """What stands in a run folder.

    Attributes:
        run: The folder.
        config: ``config.yaml`` as plain values.
        results: ``results.json``; empty where the run was not evaluated.
        rows: ``results.csv``; empty cells are empty strings.
        environment: ``environment.json``; empty where it is missing.
        status: ``status.json``; the same.
        data: ``data.json``; the same.
        class_names: Name of each class id, of the run's label map.
    """

    run: RunDirectory
    config: Mapping[str, Any]
    results: Mapping[str, Any]
    rows: Sequence[Mapping[str, str]]
    environment: Mapping[str, Any]
    status: Mapping[str, Any]
    data: Mapping[str, Any]
    class_names: Mapping[int, str]

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.run.path.resolve().name

    def value(self, key: str, default: Any = None) -> Any:
        """Return the value of a dotted key of the config; ``default`` where there is no such key."""
        found: Any = self.config
        for word in key.split("."):
            if not isinstance(found, Mapping) or word not in found:
                return default
            found = found[word]
        return found

    def measured(self, name: str) -> Measured:
        """Return a figure of the results with its interval, as far as they have them."""
        low, high = (self.results.get("intervals") or {}).get(name) or (None, None)
        return Measured(self.results.get(name), low, high)

    def records(self, key: str) -> list[Path]:
        """Return the records that a key of the config names; none where they were moved since.

        A report tells of the run, and not of today's disk. Relative paths count from here, and from the folder where
        the run was started.
        """
        paths = self.value(key) or []
        paths = [paths] if isinstance(paths, str) else [str(path) for path in paths]
        for folder in ("", self.environment.get("folder", "")):
            try:
                return expand([str(Path(folder, path)) for path in paths])
            except InputError:
                continue
        return []

    def json(self, name: str) -> Any:
        """Return a JSON file of the folder; ``None`` where it is missing.

        Raises:
            InputError: It cannot be read.
        """
        path = self.run.path / name
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            fix = f"Evaluate again: tagbox eval {self.run.path}"
            raise InputError(f"cannot read ({error})", where=str(path), fix=fix) from error


def read_run(run: RunDirectory) -> RunFiles:
    """Read a run folder.

    Raises:
        InputError: It is not the folder of a run, or a file in it cannot be read.
    """
    run.require()
    names = dict(read_label_map(run.label_map_path).items) if run.label_map_path.is_file() else {}
    return RunFiles(
        run=run,
        config=read_config(run),
        results=run.read_results() or {},
        rows=run.read_rows(),
        environment=run.read_environment(),
        status=run.read_status(),
        data=run.read_data() or {},
        class_names=names,
    )
