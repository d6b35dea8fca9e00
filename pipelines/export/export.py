"""Export a run: write the files, then hold each against the run."""

import enum
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from collectors.errors import InputError
from collectors.progress import Progress, no_progress
from pipelines.detection import input_pipeline
from pipelines.evaluate import open_run, restore
from pipelines.export import keras_model, lite, onnx_model, saved_model
from pipelines.export.check import Agreement, LabeledPicture, compare, read_pictures
from pipelines.export.detectors import Found, found_of, open_detector
from pipelines.export.metadata import ModelMetadata
from pipelines.export.serving import LiteDetector, PixelDetector
from pipelines.preflight import expand
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
        agreement: What the check found; ``None`` when it was not asked for, or no picture is there to check with.
    """

    kind: ExportFormat
    path: Path
    num_bytes: int
    agreement: Agreement | None


class RunExporter:
    """A run, loaded once, to be written in any number of formats.

    Args:
        run: The run folder.
        checkpoint: ``best``, ``last``, or the prefix of a checkpoint.

    Raises:
        InputError: The run has no usable checkpoint.
    """

    def __init__(self, run: RunDirectory, *, checkpoint: str = "best") -> None:
        experiment, task, self._model = open_run(run)
        step = restore(self._model, run, checkpoint)
        self._run = run
        self._data = experiment.params.task
        self._config = experiment.params.task.model
        height, width = self._config.input_size
        self.metadata = ModelMetadata(
            class_names=dict(task.class_names),
            height=height,
            width=width,
            best_threshold=(run.read_results() or {}).get("best_threshold"),
            experiment=experiment.name,
            run=run.path.resolve().name,
            step=step,
        )
        self._pixels = PixelDetector(self._model, self._config)

    def detect(self, image: Any) -> Found:
        """Find objects in one picture with the run itself."""
        return found_of(self._pixels.detect(tf.constant(image)[None]), first_id=0)

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
        match kind:
            case ExportFormat.SAVEDMODEL:
                saved_model.write_saved_model(self._pixels, path, self.metadata)
            case ExportFormat.FROZEN_GRAPH:
                saved_model.write_frozen_graph(self._pixels, path, self.metadata)
            case ExportFormat.ONNX:
                onnx_model.write_onnx(self._pixels, path, self.metadata)
            case ExportFormat.KERAS:
                keras_model.write_keras(self._model, path, self.metadata, self._config)
            case ExportFormat.TFLITE | ExportFormat.TFLITE_INT8:
                calibration = None
                if kind is ExportFormat.TFLITE_INT8:
                    calibration = list(self._calibration(calibration_pictures))
                detector = LiteDetector(self._model, self._config)
                lite.write_tflite(detector, path, self.metadata, calibration=calibration)

    def verification_pictures(self, limit: int) -> list[LabeledPicture]:
        """Return the first verification pictures of the run; none when it has none or they are gone."""
        paths = self._records(self._data.validation_data.input_path)
        return list(read_pictures([str(path) for path in paths], limit)) if paths else []

    def _calibration(self, limit: int) -> Iterator[Any]:
        paths = self._records(self._data.train_data.input_path)
        if not paths:
            raise InputError(
                "8 bits are measured on training pictures, and the training records are gone",
                where=str(self._run.path),
                fix="Build them again with tagbox records build.",
            )
        for picture in read_pictures([str(path) for path in paths], limit):
            yield input_pipeline.network_input(tf.constant(picture.image), *self._config.input_size)[None]

    @staticmethod
    def _records(input_path: str | Sequence[str]) -> list[Path]:
        try:
            return expand(input_path) if input_path else []
        except InputError:
            return []


def export_run(
    exporter: RunExporter,
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
    for kind in dict.fromkeys(kinds):
        path = output / FILE_NAMES[kind]
        exporter.write(kind, path, calibration_pictures=calibration_pictures)
        agreement = compare(exporter, open_detector(path), pictures, progress) if pictures else None
        yield Exported(kind, path, _size_of(path), agreement)


def _size_of(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
