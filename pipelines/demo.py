"""The whole way on drawings tagbox makes itself: draw, compose, check, build records, train, evaluate, report."""

import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from collectors.errors import ConfigError
from collectors.files import write_atomically
from collectors.progress import Progress
from labeling.demo_dataset import DemoDataset, make_demo_dataset
from records.build import build_from_plan
from records.build_report import BuildReport
from records.prepare import prepare_build

if TYPE_CHECKING:
    from pipelines.training_progress import TrainingReport

CATEGORIES = ("cat", "fish", "flower", "house", "star", "umbrella")
DRAWINGS_PER_CATEGORY, TRAINING_SCENES, VERIFICATION_SCENES = 200, 100, 20
SEED = 7
_MARKER = "tagbox_demo.json"

Stage = Callable[[str], AbstractContextManager[Progress]]


@dataclass(frozen=True, slots=True)
class DemoPlaces:
    """Where the demonstration keeps its things, below one folder."""

    root: Path

    @property
    def home(self) -> Path:
        """Drawings, dataset and records."""
        return self.root / "demo"

    @property
    def records(self) -> Path:
        """The records of the demonstration."""
        return self.home / "records"

    @property
    def run(self) -> Path:
        """The run folder."""
        return self.root / "runs" / "demo"

    @property
    def report(self) -> Path:
        """The page to look at in the end."""
        return self.run / "report.html"

    @property
    def marker(self) -> Path:
        """The file that says this folder is the demonstration's own; `start_over` removes nothing without it."""
        return self.home / _MARKER

    def is_done(self) -> bool:
        """Tell whether an earlier call came to its end."""
        if not (self.marker.is_file() and self.report.is_file()):
            return False
        return bool(json.loads(self.marker.read_text(encoding="utf-8")).get("done"))

    def refuse_foreign_folders(self) -> None:
        """Check that the folders are the demonstration's own, or free.

        Raises:
            ConfigError: There are files in one of them and no earlier call made them.
        """
        if self.marker.is_file():
            return
        unfinished = f"{_MARKER}.tmp"  # all that is there when an earlier call was killed in its first moment
        for folder in (self.home, self.run):
            if folder.exists() and any(path.name != unfinished for path in folder.iterdir()):
                raise ConfigError(
                    "this folder has files in it that the demo did not make",
                    where=str(folder),
                    fix="Move it away, or run the demo in another folder with --root.",
                )

    def start_over(self) -> None:
        """Remove what earlier calls made; the marker goes last, so that a call that is stopped can be made again.

        Raises:
            ConfigError: The folders are there, but an earlier call did not make them.
        """
        self.refuse_foreign_folders()
        if not self.marker.is_file():
            return
        self.mark(done=False)
        shutil.rmtree(self.run, ignore_errors=True)
        for path in self.home.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif path != self.marker:
                path.unlink()
        shutil.rmtree(self.home, ignore_errors=True)

    def mark(self, *, done: bool) -> None:
        """Claim the folder, or say that all is done."""
        content = {"made_by": "tagbox demo", "seed": SEED, "done": done}
        write_atomically(self.marker, json.dumps(content, indent=2) + "\n")


def make_dataset(places: DemoPlaces, stage: Stage, jobs: int) -> DemoDataset:
    """Draw the doodles and compose the scenes; what is there already stays."""
    places.refuse_foreign_folders()
    places.mark(done=False)
    with stage("drawing doodles and composing scenes") as progress:
        return make_demo_dataset(
            places.home,
            categories=CATEGORIES,
            drawings_per_category=DRAWINGS_PER_CATEGORY,
            training_scenes=TRAINING_SCENES,
            verification_scenes=VERIFICATION_SCENES,
            seed=SEED,
            jobs=jobs,
            progress=progress,
        )


def make_records(places: DemoPlaces, dataset: DemoDataset, stage: Stage) -> BuildReport:
    """Check every label and build one record for each class and split."""
    with stage("checking labels") as progress:
        plan = prepare_build(dataset.data_root, progress=progress)
    with stage("building records") as progress:
        return build_from_plan(plan, places.records, progress=progress)


def train_detector(
    places: DemoPlaces,
    *,
    command: list[str],
    report: Callable[["TrainingReport"], None],
    should_stop: Callable[[], bool],
) -> None:
    """Train and evaluate the small detector of ``configs/demo.yaml``; goes on where it was left."""
    from pipelines.config_files import CONFIG_DIR
    from pipelines.experiment import load_experiment
    from pipelines.preflight import prepare
    from pipelines.run_directory import RunDirectory
    from pipelines.train import train

    experiment = load_experiment(CONFIG_DIR / "demo.yaml")
    preflight = prepare(experiment, places.records)
    train(experiment, preflight, RunDirectory(places.run), command=command, report=report, should_stop=should_stop)


def finish(places: DemoPlaces) -> dict[str, object]:
    """Evaluate the best checkpoint, write the report, and return the figures."""
    from pipelines.evaluate import evaluate
    from pipelines.report.run_report import write_report
    from pipelines.run_album import write_run_album
    from pipelines.run_directory import RunDirectory

    run = RunDirectory(places.run)
    results = evaluate(run, checkpoint="best")
    write_run_album(run)
    write_report(run)
    places.mark(done=True)
    return results
