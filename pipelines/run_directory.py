"""The folder of one run: the single source of truth about it."""

import csv
import fcntl
import io
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from collectors.errors import ConfigError, InputError
from collectors.files import write_atomically

WORKERS = "workers"
_PACKAGES = ("tagbox", "tensorflow", "tf-models-official", "tf-keras", "numpy", "protobuf", "pycocotools")


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """Paths of a run and what is written into them; nothing is created until something is written."""

    path: Path

    @property
    def config_path(self) -> Path:
        """The merged config with the origin of each value."""
        return self.path / "config.yaml"

    @property
    def log_path(self) -> Path:
        """What TFM and tagbox logged, all sessions of the run."""
        return self.path / "train.log"

    @property
    def evaluation_log_path(self) -> Path:
        """The same of a process that only evaluates the run."""
        return self.path / "eval.log"

    @property
    def training_events(self) -> Path:
        """Folder of TensorBoard's event files of training."""
        return self.path / "train"

    @property
    def validation_events(self) -> Path:
        """Folder of TensorBoard's event files of evaluation."""
        return self.path / "validation"

    @property
    def last_checkpoints(self) -> Path:
        """Folder of the newest checkpoints, for going on."""
        return self.path / "checkpoints" / "last"

    @property
    def best_checkpoints(self) -> Path:
        """Folder of the best checkpoint, for using what was trained: by its kind's first figure."""
        return self.path / "checkpoints" / "best"

    @property
    def mistakes(self) -> Path:
        """Folder of the album of mistakes; see `pipelines.mistake_album`."""
        return self.path / "mistakes"

    @property
    def label_map_path(self) -> Path:
        """The run's own copy of the label map."""
        return self.path / "label_map.pbtxt"

    @property
    def training_batch_path(self) -> Path:
        """The picture of the first batch that the run was trained on."""
        return self.path / "plots" / "train_batch.jpg"

    def require(self) -> None:
        """Check that this is the folder of a run.

        Raises:
            InputError: It does not exist or holds no ``config.yaml``.
        """
        if not self.config_path.is_file():
            raise InputError(
                "is not the folder of a run (it has no config.yaml)",
                where=str(self.path),
                fix=f"Start one with: tagbox train CONFIG --run {self.path}",
            )

    def is_started(self) -> bool:
        """Tell whether the folder holds a run already.

        Raises:
            ConfigError: It holds something else.
        """
        if self.config_path.is_file():
            return True
        # The other workers of a cluster may have begun before the chief.
        if self.path.is_dir() and any(path.name != WORKERS for path in self.path.iterdir()):
            raise ConfigError(
                "this folder has files in it but is not a run",
                where=str(self.path),
                fix="Choose another folder with --run.",
            )
        return False

    def write_environment(self, command: list[str]) -> None:
        """Record versions, machine and command of this session."""
        versions = {}
        for name in _PACKAGES:
            try:
                versions[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                versions[name] = "not installed"
        content = {
            "python": platform.python_version(),
            "platform": platform.platform(),
            "cpu_count": os.cpu_count(),
            "packages": versions,
            "command": command,
            "folder": str(Path.cwd()),
            "executable": Path(sys.executable).name,
        }
        write_atomically(self.path / "environment.json", json.dumps(content, indent=2) + "\n")

    def read_environment(self) -> dict[str, Any]:
        """Return what `write_environment` wrote last; an empty dict when it is not there."""
        return _read_json(self.path / "environment.json") or {}

    def write_status(self, state: str, **more: Any) -> None:
        """Record where the run stands: ``running``, ``interrupted``, ``failed`` or ``done``."""
        now = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        content = {"state": state, "updated": now, "pid": os.getpid(), "host": platform.node(), **more}
        write_atomically(self.path / "status.json", json.dumps(content, indent=2) + "\n")

    def read_status(self) -> dict[str, Any]:
        """Return what `write_status` wrote last; an empty dict when there is none."""
        return _read_json(self.path / "status.json") or {}

    def is_at_work(self) -> bool:
        """Tell whether the process that wrote ``running`` is still there; on another machine that is believed."""
        status = self.read_status()
        if status.get("state") != "running":
            return False
        if status.get("host", platform.node()) != platform.node():
            return True
        pid = status.get("pid")
        if not isinstance(pid, int) or pid <= 0:
            return False
        try:
            os.kill(pid, 0)
        except (ProcessLookupError, OverflowError):
            return False
        except PermissionError:
            pass  # it is there, and another person's
        return True

    def write_results(self, results: Mapping[str, Any]) -> None:
        """Write ``results.json``, the figures of the newest evaluation."""
        write_atomically(self.path / "results.json", json.dumps(results, indent=2, ensure_ascii=False) + "\n")

    def read_results(self) -> dict[str, Any] | None:
        """Return ``results.json``, or ``None`` when the run was never evaluated."""
        return _read_json(self.path / "results.json")

    def write_data(self, data: Mapping[str, Any]) -> None:
        """Write ``data.json``, what the run is trained and evaluated on."""
        write_atomically(self.path / "data.json", json.dumps(data, indent=2, ensure_ascii=False) + "\n")

    def read_data(self) -> dict[str, Any] | None:
        """Return ``data.json``; ``None`` when the run was trained before there was one."""
        return _read_json(self.path / "data.json")

    def remove_unfinished_checkpoints(self) -> None:
        """Remove what TensorFlow leaves of a checkpoint that a full disk or a kill kept from being finished."""
        for folder in (self.last_checkpoints, self.best_checkpoints):
            for unfinished in folder.glob("*_temp"):
                shutil.rmtree(unfinished, ignore_errors=True)

    def append_row(self, row: Mapping[str, Any]) -> None:
        """Add a row to ``results.csv``; a new column leaves its cells of older rows empty.

        A run may be trained by one process and evaluated by another: each waits for the other's row. Rows stand in
        the order of their steps, training before evaluation.

        Raises:
            InputError: The disk refuses it; the rows that were there stay.
        """
        with self._rows_to_ourselves():
            rows = self.read_rows()
            columns = list(dict.fromkeys([*(rows[0] if rows else ()), *row]))
            place = len(rows)
            while place and int(rows[place - 1]["step"]) > int(row["step"]):
                place -= 1
            write_atomically(self.path / "results.csv", _csv_text(columns, [*rows[:place], row, *rows[place:]]))

    def drop_rows_after(self, step: int) -> None:
        """Forget rows of steps that a resumed run will do again."""
        if not self.path.is_dir():
            return
        with self._rows_to_ourselves():
            rows = self.read_rows()
            kept = [row for row in rows if int(row["step"]) <= step]
            if len(kept) != len(rows):
                write_atomically(self.path / "results.csv", _csv_text(list(rows[0]), kept))

    @contextmanager
    def _rows_to_ourselves(self) -> Iterator[None]:
        lock = self.path / ".results.lock"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            stream = lock.open("ab")
        except OSError as error:
            fix = "Free some space or choose another folder, then run the same command again."
            raise InputError(f"cannot write: {error.strerror}", where=str(lock), fix=fix) from error
        with stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield

    def evaluated_steps(self) -> set[int]:
        """Return the steps that ``results.csv`` has figures of."""
        return {int(row["step"]) for row in self.read_rows() if not row["loss"]}

    def newest_figures(self, names: Sequence[str]) -> dict[str, float | None]:
        """Return figures of the newest evaluation in ``results.csv`` by name; ``None`` where there is none."""
        row = next((row for row in reversed(self.read_rows()) if not row["loss"]), {})
        return {name: float(row[name]) if row.get(name) else None for name in names}

    def read_rows(self) -> list[dict[str, str]]:
        """Return the rows of ``results.csv`` in the order of steps; empty cells are empty strings."""
        path = self.path / "results.csv"
        if not path.is_file():
            return []
        with path.open(newline="", encoding="utf-8") as stream:
            return list(csv.DictReader(stream))


def _csv_text(columns: list[str], rows: Sequence[Mapping[str, Any]]) -> str:
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, columns, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot read ({error})", where=str(path), fix="Remove the file and evaluate again."
        ) from error
    return content if isinstance(content, dict) else None
