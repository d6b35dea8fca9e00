"""Export a run: write the files, then hold each against the run."""

import enum
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import tensorflow as tf

from collectors.errors import InputError
from collectors.progress import Progress, no_progress
from pipelines.detection import input_pipeline
from pipelines.detectors import RunDetector
from pipelines.export import keras_model, lite, onnx_model, saved_model
from pipelines.export.check import Agreement, LabeledPicture, compare, read_pictures
from pipelines.export.model_files import open_detector
from pipelines.export.serving import LiteDetector
from pipelines.record_paths import expand
from pipelines.run_directory import RunDirectory


class ExportFormat(enum.StrEnum):
    """What a run can be exported as."""

    SAVEDMODEL = "savedmodel"
    TFLITE = "tflite"
    TFLITE_INT8 = "tflite-int8"
    FROZEN_GRAPH = "frozen-graph"
    ONNX = "onnx"
    KERAS = "keras"


FILE_NAMES = {
    ExportFormat.SAVEDMODEL: "saved_model",
    ExportFormat.TFLITE: "model.tflite",
    ExportFormat.TFLITE_INT8: "model_int8.tflite",
    ExportFormat.FROZEN_GRAPH: "frozen_inference_graph.pb",
    ExportFormat.ONNX: "model.onnx",
    ExportFormat.KERAS: "model.keras",
}


@dataclass(frozen=True, slots=True)
class Exported:
    """A file that was written.

    Attributes:
        kind: Its format.
        path: Where it is.
        num_bytes: Its size, of a folder that of all files.
        agreement: What the check found, of a classifier a `pipelines.classification.export.ClassifierAgreement`;
            ``None`` when it was not asked for, or no picture is there to check with.
    """

    kind: ExportFormat
    path: Path
    num_bytes: int
    agreement: Any


def records_still_there(input_path: str | Sequence[str]) -> list[Path]:
    """Return the record files of a run; none where they are gone."""
    try:
        return expand(input_path) if input_path else []
    except InputError:
        return []


class RunExporter:
    """A run, to be written in any number of formats.

    Args:
        run: The run folder.
        detector: Its network with the weights of a checkpoint.
    """

    def __init__(self, run: RunDirectory, detector: RunDetector) -> None:
        self.detector = detector
        self._run = run
        self._task = detector.experiment.params.task

    def write(self, kind: ExportFormat, path: Path, *, calibration_pictures: int = 100) -> None:
        """Write one file; an older one is replaced once the new one is whole.

        Args:
            kind: The format.
            path: File or, for a SavedModel, folder.
            calibration_pictures: Training pictures that the 8-bit format measures its ranges on.

        Raises:
            MissingPartError: ONNX, and tf2onnx is not installed.
            InputError: 8 bits, and the training records are gone.
        """
        model, pixels, metadata = self.detector.model, self.detector.pixels, self.detector.metadata
        config = self._task.model
        match kind:
            case ExportFormat.SAVEDMODEL:
                saved_model.write_saved_model(pixels.servable(), path, metadata)
            case ExportFormat.FROZEN_GRAPH:
                saved_model.write_frozen_graph(pixels.servable(), path, metadata)
            case ExportFormat.ONNX:
                onnx_model.write_onnx(pixels.servable(), path, metadata)
            case ExportFormat.KERAS:
                keras_model.write_keras(model, path, metadata, config)
            case ExportFormat.TFLITE | ExportFormat.TFLITE_INT8:
                calibration = None
                if kind is ExportFormat.TFLITE_INT8:
                    calibration = list(self._calibration(calibration_pictures))
                servable = LiteDetector(model, config).servable()
                lite.write_tflite(servable, path, metadata, tensor_names=lite.DETECTOR_TENSORS, calibration=calibration)

    def verification_pictures(self, limit: int) -> list[LabeledPicture]:
        """Return the first verification pictures of the run; none when it has none or they are gone."""
        paths = records_still_there(self._task.validation_data.input_path)
        return list(read_pictures([str(path) for path in paths], limit)) if paths else []

    def compare(self, path: Path, pictures: Sequence[LabeledPicture], progress: Progress) -> Agreement:
        """Hold a file against the run; see `pipelines.export.check.compare`."""
        return compare(self.detector, open_detector(path), pictures, progress)

    def _calibration(self, limit: int) -> Iterator[Any]:
        paths = records_still_there(self._task.train_data.input_path)
        if not paths:
            raise InputError(
                "8 bits are measured on training pictures, and the run's training records are not there",
                where=str(self._task.train_data.input_path),
                fix="Build them again with tagbox records build, or go where the run was started.",
            )
        for picture in read_pictures([str(path) for path in paths], limit):
            yield input_pipeline.network_input(tf.constant(picture.image), *self._task.model.input_size)[None]


class Exporter(Protocol):
    """A run of any kind, to be written in any number of formats."""

    def write(self, kind: ExportFormat, path: Path, *, calibration_pictures: int = 100) -> None:
        """Write one file."""

    def verification_pictures(self, limit: int) -> Sequence[Any]:
        """Return the first verification pictures."""

    def compare(self, path: Path, pictures: Sequence[Any], progress: Progress) -> Any:
        """Hold a file against the run."""


def export_run(
    exporter: Exporter,
    kinds: Iterable[ExportFormat],
    output: Path,
    *,
    check_pictures: int = 40,
    calibration_pictures: int = 100,
    progress: Progress = no_progress,
) -> Iterator[Exported]:
    """Write each format into a folder, and check it.

    Args:
        exporter: The run.
        kinds: Formats.
        output: Folder of the files, see `FILE_NAMES`.
        check_pictures: Verification pictures that each file is run on; 0 checks nothing.
        calibration_pictures: Training pictures for 8 bits.
        progress: Told after every checked picture.

    Yields:
        Each file as soon as it is written and checked.
    """
    pictures = exporter.verification_pictures(check_pictures) if check_pictures else []
    wanted = list(dict.fromkeys(kinds))
    for index, kind in enumerate(wanted):
        path = output / FILE_NAMES[kind]
        exporter.write(kind, path, calibration_pictures=calibration_pictures)

        agreement = None
        if pictures:
            share = _Share(progress, before=index * len(pictures), total=len(wanted) * len(pictures))
            agreement = exporter.compare(path, pictures, share)
        yield Exported(kind, path, _size_of(path), agreement)


@dataclass(frozen=True, slots=True)
class _Share:
    """The progress of one format as a part of the progress of all."""

    progress: Progress
    before: int
    total: int

    def __call__(self, done: int, total: int | None, note: str = "") -> None:
        self.progress(self.before + done, self.total, note)


def _size_of(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
