"""What the tests of training share: one set of records and one trained run, made once a session."""

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
    """Train the small detector for its twenty steps."""
    from pipelines.experiment import load_experiment
    from pipelines.preflight import prepare
    from pipelines.run_directory import RunDirectory
    from pipelines.train import train

    quieten_tensorflow()
    root = tmp_path_factory.mktemp("workshop")
    made = TinyWorkshop(make_records(root), write_tiny_config(root), root / "runs" / "tiny")
    experiment = load_experiment(made.config)
    train(experiment, prepare(experiment, made.records), RunDirectory(made.run), command=["tagbox", "train"])
    return made
