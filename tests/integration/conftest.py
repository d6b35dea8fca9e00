"""What the tests of training share: one set of records and one trained run, made once for all workers of a session."""

import fcntl
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.options import quieten_tensorflow
from tests.support.tiny_training import make_records, write_tiny_config


@dataclass(frozen=True, slots=True)
class TinyWorkshop:
    """Records of coloured shapes, a config, and the folder of a finished run."""

    records: Path
    config: Path
    run: Path

    def copy_run(self, folder: Path) -> Path:
        """Copy the finished run, for a test that changes it."""
        shutil.copytree(self.run, folder)
        return folder


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> TinyWorkshop:
    """The small detector after its twenty steps; the folder of the run is this worker's own."""
    mine = tmp_path_factory.mktemp("workshop")
    # The workers of pytest-xdist have folders below one that is the session's.
    session = tmp_path_factory.getbasetemp()
    root = (session.parent if "PYTEST_XDIST_WORKER" in os.environ else session) / "shared_workshop"
    made = TinyWorkshop(root / "records", root / "tiny.yaml", root / "runs" / "tiny")
    with (root.parent / "shared_workshop.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.run.is_dir():
            _train(root, made)
    return TinyWorkshop(made.records, made.config, made.copy_run(mine / "runs" / "tiny"))


def _train(root: Path, made: TinyWorkshop) -> None:
    from pipelines.experiment import load_experiment
    from pipelines.preflight import prepare
    from pipelines.run_directory import RunDirectory
    from pipelines.train import train

    quieten_tensorflow()
    shutil.rmtree(root, ignore_errors=True)  # of a worker that was killed at it
    make_records(root)
    write_tiny_config(root)
    run = root / "unfinished"
    experiment = load_experiment(made.config)
    train(experiment, prepare(experiment, made.records), RunDirectory(run), command=["tagbox", "train"])
    made.run.parent.mkdir()
    run.rename(made.run)
