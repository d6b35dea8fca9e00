"""Model files of a classifier, and whether they give the run's answers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from collectors.errors import InputError
from collectors.progress import Progress
from pipelines.classification import images
from pipelines.classification.class_names import output_finder
from pipelines.classification.classifier import RunClassifier
from pipelines.classification.serving import PixelClassifier
from pipelines.export import keras_model, lite, onnx_model, saved_model
from pipelines.export.export import ExportFormat, records_still_there
from pipelines.export.metadata import ModelMetadata
from pipelines.export.model_files import ExportedClassifier, LiteClassifier, open_model
from pipelines.export.serving import CLASSIFIER_OUTPUTS
from pipelines.run_directory import RunDirectory
from pipelines.run_kinds import kind_of
from records.classification_features import ENCODED, raw_pixels
from records.example import Feature
from records.example_values import first_bytes, first_int, first_text
from records.reading import read_features


@dataclass(frozen=True, slots=True)
class LabeledPicture:
    """A picture of a record, uint8 ``(h, w, c)``, and its truth.

    That is the place of its class among the outputs, -1 for none of them; of a tag classifier bool ``(tags,)``.
    """

    pixels: NDArray[np.uint8]
    truth: Any


@dataclass(frozen=True, slots=True)
class ClassifierAgreement:
    """How far an exported file is from the run.

    Attributes:
        pictures: Number of pictures compared.
        other_answers: How many have another best answer.
        score_difference: Largest difference of a probability.
        top1: Share of the pictures that the run answers rightly.
        top1_lost: By how much that of the file is less.
    """

    pictures: int
    other_answers: int
    score_difference: float
    top1: float
    top1_lost: float


class ClassifierExporter:
    """A classifier's run, to be written in any number of formats.

    Args:
        run: The run folder.
        classifier: Its network with the weights of a checkpoint.
    """

    def __init__(self, run: RunDirectory, classifier: RunClassifier) -> None:
        self._classifier = classifier
        self._task = classifier.experiment.params.task
        height, width, channels = classifier.input_shape
        self._metadata = ModelMetadata(
            class_names=classifier.class_names,
            height=height,
            width=width,
            experiment=classifier.experiment.name,
            run=run.path.resolve().name,
            step=classifier.step,
            kind=kind_of(classifier.experiment.name).word,
            channels=channels,
        )

    def write(self, kind: ExportFormat, path: Path, *, calibration_pictures: int = 100) -> None:
        """Write one file; see `pipelines.export.export.RunExporter.write`."""
        model, metadata = self._classifier.model, self._metadata
        prepared = replace(metadata, normalized_input=True)
        pixels = self._pixel_classifier()
        match kind:
            case ExportFormat.SAVEDMODEL:
                saved_model.write_saved_model(pixels.servable(), path, metadata)
            case ExportFormat.FROZEN_GRAPH:
                saved_model.write_frozen_graph(pixels.servable(), path, metadata)
            case ExportFormat.KERAS:
                keras_model.write_keras_classifier(model, path, metadata)
            case ExportFormat.ONNX:
                # ONNX has no resize like TensorFlow's with antialiasing: that stays outside the file.
                onnx_model.write_onnx(pixels.prepared_servable(), path, prepared)
            case ExportFormat.TFLITE | ExportFormat.TFLITE_INT8:
                calibration = None
                if kind is ExportFormat.TFLITE_INT8:
                    calibration = list(self._calibration(calibration_pictures))
                servable = self._pixel_classifier(batch=1).prepared_servable()
                lite.write_tflite(servable, path, prepared, tensor_names=CLASSIFIER_OUTPUTS, calibration=calibration)

    def verification_pictures(self, limit: int) -> list[LabeledPicture]:
        """Return the first verification pictures of the run; none when it has none or they are gone."""
        return list(islice(self._pictures(self._task.validation_data.input_path), limit))

    def compare(self, path: Path, pictures: Sequence[LabeledPicture], progress: Progress) -> Any:
        """Run a file and the run on the same pictures, at least one; see `ClassifierAgreement`."""
        exported = open_model(path)
        assert isinstance(exported, ExportedClassifier | LiteClassifier)
        wanted, got = [], []
        for done, picture in enumerate(pictures, start=1):
            wanted.append(self._classifier.scores(picture.pixels[None])[0])
            got.append(exported.scores(picture.pixels[None])[0])
            progress(done, len(pictures))
        truth = np.asarray([picture.truth for picture in pictures])
        return self._agreement(np.stack(wanted), np.stack(got), truth)

    def _agreement(self, before: NDArray[np.float32], after: NDArray[np.float32], truth: Any) -> Any:
        """Hold the scores ``(n, classes)`` of the file against those of the run, given the truth of each picture."""
        right, still_right = (float((scores.argmax(axis=1) == truth).mean()) for scores in (before, after))
        return ClassifierAgreement(
            pictures=len(before),
            other_answers=int((before.argmax(axis=1) != after.argmax(axis=1)).sum()),
            score_difference=float(np.abs(before - after).max()),
            top1=right,
            top1_lost=right - still_right,
        )

    def _calibration(self, limit: int) -> Iterator[Any]:
        count = 0
        for picture in islice(self._pictures(self._task.train_data.input_path), limit):
            count += 1
            yield images.network_input(tf.constant(picture.pixels[None]), self._classifier.input_shape)
        if not count:
            raise InputError(
                "8 bits are measured on training pictures, and the run's training records are not there",
                where=str(self._task.train_data.input_path),
                fix="Build them again with tagbox records, or go where the run was started.",
            )

    def _pictures(self, input_path: Any) -> Iterator[LabeledPicture]:
        truth_of = self._truth_of()
        for path in records_still_there(input_path):
            for features in read_features(path):
                yield LabeledPicture(_pixels(features, self._classifier.input_shape[2]), truth_of(features))

    def _truth_of(self) -> Callable[[Mapping[str, Feature]], Any]:
        """Return what makes the truth of the features of a picture."""
        output_of = output_finder(self._classifier.class_names)
        return lambda features: output_of(
            first_int(features, "image/class/label"), first_text(features, "image/class/text")
        )

    def _pixel_classifier(self, *, batch: int | None = None) -> PixelClassifier:
        classifier = self._classifier
        return PixelClassifier(classifier.model, classifier.input_shape, classifier.probabilities, batch=batch)


def _pixels(features: Mapping[str, Feature], channels: int) -> NDArray[np.uint8]:
    if (drawing := raw_pixels(features)) is not None:
        return np.repeat(drawing[:, :, None], channels, axis=2)
    content = tf.constant(first_bytes(features, ENCODED))
    decoded: NDArray[np.uint8] = images.decode_encoded(content, channels).numpy()
    return decoded
