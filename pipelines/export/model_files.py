"""Exported model files, opened again: any of them finds objects in pictures in the same way."""

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from collectors.errors import InputError, MissingPartError
from pipelines.classification import images
from pipelines.classification.retrained_graph import FINAL_RESULT
from pipelines.detection import input_pipeline
from pipelines.detectors import Detector, Found, found_of
from pipelines.export.metadata import DETECTOR, NAME, ModelMetadata, read_metadata
from pipelines.export.saved_model import METADATA_NODE
from pipelines.export.serving import CLASSIFIER_OUTPUTS, IMAGE_INPUT, OUTPUTS


class ExportedDetector:
    """A model file that takes pixels: SavedModel, frozen graph, ONNX, Keras.

    Args:
        run: Takes uint8 ``(1, h, w, 3)``, gives the four outputs by name.
        metadata: What the file says of itself.
        owner: Kept alive with this.
    """

    at_once = 1

    def __init__(self, run: Callable[[Any], dict[str, Any]], metadata: ModelMetadata, owner: Any = None) -> None:
        self.metadata = metadata
        self._owner, self._run = owner, run

    def prepare(self, image: Any) -> Any:
        """Return the pixels: the file resizes them itself."""
        return np.asarray(image, np.uint8)

    def detect_prepared(self, prepared: Sequence[Any]) -> list[Found]:
        """Find objects in pictures of any sizes, one after the other."""
        return [found_of(self._run(image[None])) for image in prepared]

    def detect(self, image: Any) -> Found:
        """Find objects in one picture, uint8 ``(h, w, 3)``."""
        return self.detect_prepared([self.prepare(image)])[0]


class ExportedClassifier:
    """The model file of a classifier of either kind, one that takes pixels; see `pipelines.classification.classifier`.

    Args:
        run: Takes pictures, gives ``scores``.
        metadata: What the file says of itself.
        owner: Kept alive with this.
    """

    def __init__(self, run: Callable[[Any], dict[str, Any]], metadata: ModelMetadata, owner: Any = None) -> None:
        self.metadata, self.class_names = metadata, metadata.class_names
        self.input_shape = (metadata.height, metadata.width, metadata.channels)
        self._owner, self._run = owner, run

    def scores(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probability of each class, ``(n, classes)``, of pictures of one size, uint8 ``(n, h, w, c)``."""
        wanted: Any = pixels
        if self.metadata.normalized_input:
            wanted = images.network_input(tf.constant(pixels), self.input_shape).numpy()
        return np.asarray(self._run(wanted)[CLASSIFIER_OUTPUTS[0]], np.float32)


class LiteClassifier:
    """A classifier's TFLite file; pictures are resized and scaled here.

    Args:
        path: The file.
        metadata: What it says of itself.
    """

    def __init__(self, path: Path, metadata: ModelMetadata) -> None:
        self.metadata, self.class_names = metadata, metadata.class_names
        self.input_shape = (metadata.height, metadata.width, metadata.channels)
        self._runner = LiteRunner(path, metadata)

    def scores(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probability of each class, ``(n, classes)``, of pictures of one size, uint8 ``(n, h, w, c)``."""
        batch = images.network_input(tf.constant(pixels), self.input_shape).numpy()
        rows = [self._runner.outputs(values)[CLASSIFIER_OUTPUTS[0]][0] for values in batch]
        return np.asarray(rows, np.float32).reshape(len(batch), -1)


class LiteRunner:
    """A TFLite file; pictures are resized and scaled here.

    Args:
        path: The file.
        metadata: What it says of itself.
        num_threads: For one picture; ``None`` leaves it to TFLite.
    """

    at_once = 1

    def __init__(self, path: Path, metadata: ModelMetadata, *, num_threads: int | None = None) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self.metadata = metadata
        try:
            # The zip at the end is no part of the model.
            self._interpreter = Interpreter(model_path=str(path), num_threads=num_threads)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise InputError("cannot be read as a TFLite model", where=str(path), fix=str(error)[:100]) from error
        self._runner = self._interpreter.get_signature_runner()
        ((self._input, details),) = self._runner.get_input_details().items()
        self._dtype = details["dtype"]
        self._scale, self._zero_point = details["quantization"]

    def prepare(self, image: Any) -> Any:
        """Resize and scale a picture, uint8 ``(h, w, 3)``, to what the file wants."""
        pixels = tf.constant(np.asarray(image, np.uint8))
        return input_pipeline.network_input(pixels, self.metadata.height, self.metadata.width).numpy()

    def outputs(self, values: Any) -> dict[str, Any]:
        """Return the outputs by name, of one input, float32 ``(h, w, c)`` as the network had it in training."""
        if self._dtype == np.uint8:
            values = np.clip(np.round(values / self._scale + self._zero_point), 0, 255).astype(np.uint8)
        found: dict[str, Any] = self._runner(**{self._input: values[None]})
        return found

    def detect_prepared(self, prepared: Sequence[Any]) -> list[Found]:
        """Find objects in pictures, one after the other."""
        # TFLite counts classes from 0.
        return [found_of(self.outputs(values), first_id=1) for values in prepared]

    def detect(self, image: Any) -> Found:
        """Find objects in one picture, uint8 ``(h, w, 3)``."""
        return self.detect_prepared([self.prepare(image)])[0]


@dataclass(frozen=True, slots=True)
class _File:
    """An opened file: takes uint8 or prepared pictures ``(b, h, w, c)`` and gives its outputs by name.

    ``owner`` keeps what a loaded function needs.
    """

    metadata: ModelMetadata
    run: Callable[[Any], dict[str, Any]]
    owner: Any = None


def open_detector(path: Path) -> Detector:
    """Open a detector's model file; see `open_model`.

    Raises:
        InputError: It is another file, or that of a classifier.
    """
    model = open_model(path)
    if isinstance(model, ExportedClassifier | LiteClassifier):
        raise InputError("is the file of a classifier", where=str(path), fix="Give that of a detector.")
    return model


def open_model(path: Path) -> "Detector | ExportedClassifier | LiteClassifier":
    """Open a model file that `tagbox export` wrote.

    Args:
        path: A SavedModel folder, or a ``.pb``, ``.tflite``, ``.onnx`` or ``.keras`` file.

    Raises:
        InputError: It does not exist, is damaged, or is something else.
        MissingPartError: It is an ONNX file, and onnxruntime is not installed.
    """
    if path.is_dir() and (path / "saved_model.pb").is_file():
        return _model_of(_open_saved_model(path))
    openers = {".pb": _open_frozen_graph, ".onnx": _open_onnx, ".keras": _open_keras}
    if path.suffix not in {*openers, ".tflite"}:
        raise InputError(
            "is neither a run nor a model file",
            where=str(path),
            fix=f"Give a run folder, a SavedModel folder, or a {', '.join(sorted({*openers, '.tflite'}))} file.",
        )
    if not path.is_file():
        raise InputError("no such model file", where=str(path), fix="Make one with: tagbox export RUN")
    if path.suffix == ".tflite":
        metadata = read_metadata(_from_zip(path), str(path))
        return (LiteRunner if metadata.kind == DETECTOR else LiteClassifier)(path, metadata)
    return _model_of(openers[path.suffix](path))


def _model_of(file: _File) -> "Detector | ExportedClassifier":
    if file.metadata.kind == DETECTOR:
        return ExportedDetector(file.run, file.metadata, file.owner)
    return ExportedClassifier(file.run, file.metadata, file.owner)


def _open_saved_model(path: Path) -> _File:
    extra = path / "assets.extra" / NAME
    if not extra.is_file():
        raise InputError("was not exported by tagbox", where=str(path), fix="Export one with: tagbox export RUN")
    metadata = read_metadata(extra.read_text(encoding="utf-8"), str(path))
    try:
        loaded = tf.saved_model.load(str(path))
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise InputError("cannot be read as a SavedModel", where=str(path), fix=_first_line(error)) from error
    function = loaded.signatures["serving_default"]
    # A loaded function does not keep its variables alive.
    return _File(metadata, lambda images: function(**{IMAGE_INPUT: tf.constant(images)}), loaded)


def _open_frozen_graph(path: Path) -> _File:
    graph_def = tf.compat.v1.GraphDef()
    try:
        graph_def.ParseFromString(path.read_bytes())
        (text,) = (node.attr["value"].tensor.string_val[0] for node in graph_def.node if node.name == METADATA_NODE)
    except (ValueError, OSError, IndexError) as error:
        if any(node.name == FINAL_RESULT for node in graph_def.node):
            raise InputError(
                "is the graph of a retrained classifier for programs that know retrain.py; it holds no labels",
                where=str(path),
                fix="Give the run, or a file of: tagbox export RUN --format frozen-graph",
            ) from error
        raise InputError("is not a frozen graph of tagbox", where=str(path), fix="Export the run again.") from error
    except Exception as error:
        if type(error).__name__ != "DecodeError":  # protobuf's, whose module moves between versions
            raise
        raise InputError("is not a frozen graph", where=str(path), fix="Export the run again.") from error
    function = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph_def, name=""), [])
    metadata = read_metadata(text.decode(), str(path))
    outputs = _outputs_of(metadata)
    pruned = function.prune(f"{IMAGE_INPUT}:0", [f"{name}:0" for name in outputs])
    return _File(metadata, lambda images: dict(zip(outputs, pruned(tf.constant(images)), strict=True)))


def _open_keras(path: Path) -> _File:
    from pipelines.export.keras_model import read_keras

    metadata = read_metadata(_from_zip(path), str(path))
    try:
        model = read_keras(path)
    except (ValueError, OSError, KeyError) as error:
        raise InputError("cannot be read as a Keras model", where=str(path), fix=_first_line(error)) from error
    function = tf.function(lambda images: model(images, training=False))
    return _File(metadata, lambda images: function(tf.constant(images)), model)


def _open_onnx(path: Path) -> _File:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingPartError(
            "reading ONNX needs onnxruntime", where=str(path), fix="Install it: pip install 'tagbox[onnx]'"
        ) from error
    try:
        session = onnxruntime.InferenceSession(str(path))
        text = session.get_modelmeta().custom_metadata_map[NAME]
    except Exception as error:  # onnxruntime's errors have no common class of their own
        raise InputError(
            "cannot be read as an ONNX model of tagbox", where=str(path), fix=_first_line(error)
        ) from error
    metadata = read_metadata(text, str(path))
    outputs, (source,) = list(_outputs_of(metadata)), session.get_inputs()
    return _File(
        metadata, lambda images: dict(zip(outputs, session.run(outputs, {source.name: images}), strict=True)), session
    )


def _outputs_of(metadata: ModelMetadata) -> tuple[str, ...]:
    return OUTPUTS if metadata.kind == DETECTOR else CLASSIFIER_OUTPUTS


def _from_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(NAME).decode()
    except (zipfile.BadZipFile, KeyError, UnicodeDecodeError) as error:
        raise InputError(
            "was not exported by tagbox, or is cut off", where=str(path), fix="Export the run again: tagbox export RUN"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:160]
