"""Exported model files, opened again: any of them finds objects in pictures in the same way."""

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from collectors.errors import InputError, MissingPartError
from pipelines.detection import input_pipeline
from pipelines.detectors import Detector, Found, found_of
from pipelines.export.metadata import NAME, ModelMetadata, read_metadata
from pipelines.export.saved_model import METADATA_NODE
from pipelines.export.serving import IMAGE_INPUT, OUTPUTS


class ExportedDetector:
    """A model file that takes pixels: SavedModel, frozen graph, ONNX, Keras.

    Args:
        run: Takes uint8 ``(1, h, w, 3)``, gives the four outputs by name.
        metadata: What the file says of itself.
    """

    at_once = 1

    def __init__(self, run: Callable[[Any], dict[str, Any]], metadata: ModelMetadata) -> None:
        self.metadata = metadata
        self.owner: Any = None
        self._run = run

    def prepare(self, image: Any) -> Any:
        """Return the pixels: the file resizes them itself."""
        return np.asarray(image, np.uint8)

    def detect_prepared(self, prepared: Sequence[Any]) -> list[Found]:
        """Find objects in pictures of any sizes, one after the other."""
        return [found_of(self._run(image[None])) for image in prepared]

    def detect(self, image: Any) -> Found:
        """Find objects in one picture, uint8 ``(h, w, 3)``."""
        return self.detect_prepared([self.prepare(image)])[0]


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
        values = input_pipeline.network_input(pixels, self.metadata.height, self.metadata.width).numpy()
        if self._dtype == np.uint8:
            values = np.clip(np.round(values / self._scale + self._zero_point), 0, 255).astype(np.uint8)
        return values

    def detect_prepared(self, prepared: Sequence[Any]) -> list[Found]:
        """Find objects in pictures, one after the other."""
        # TFLite counts classes from 0.
        return [found_of(self._runner(**{self._input: values[None]}), first_id=1) for values in prepared]

    def detect(self, image: Any) -> Found:
        """Find objects in one picture, uint8 ``(h, w, 3)``."""
        return self.detect_prepared([self.prepare(image)])[0]


def open_detector(path: Path) -> Detector:
    """Open a model file that `tagbox export` wrote.

    Args:
        path: A SavedModel folder, or a ``.pb``, ``.tflite``, ``.onnx`` or ``.keras`` file.

    Raises:
        InputError: It does not exist, is damaged, or is something else.
        MissingPartError: It is an ONNX file, and onnxruntime is not installed.
    """
    if path.is_dir() and (path / "saved_model.pb").is_file():
        return _open_saved_model(path)
    openers = {".pb": _open_frozen_graph, ".tflite": _open_tflite, ".onnx": _open_onnx, ".keras": _open_keras}
    if path.suffix not in openers:
        raise InputError(
            "is neither a run nor a model file",
            where=str(path),
            fix=f"Give a run folder, a SavedModel folder, or a {', '.join(openers)} file.",
        )
    if not path.is_file():
        raise InputError("no such model file", where=str(path), fix="Make one with: tagbox export RUN")
    return openers[path.suffix](path)


def _open_saved_model(path: Path) -> Detector:
    extra = path / "assets.extra" / NAME
    if not extra.is_file():
        raise InputError("was not exported by tagbox", where=str(path), fix="Export one with: tagbox export RUN")
    metadata = read_metadata(extra.read_text(encoding="utf-8"), str(path))
    try:
        loaded = tf.saved_model.load(str(path))
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise InputError("cannot be read as a SavedModel", where=str(path), fix=_first_line(error)) from error
    function = loaded.signatures["serving_default"]
    detector = ExportedDetector(lambda images: function(**{IMAGE_INPUT: tf.constant(images)}), metadata)
    # A loaded function does not keep its variables alive.
    detector.owner = loaded
    return detector


def _open_frozen_graph(path: Path) -> Detector:
    graph_def = tf.compat.v1.GraphDef()
    try:
        graph_def.ParseFromString(path.read_bytes())
        (text,) = (node.attr["value"].tensor.string_val[0] for node in graph_def.node if node.name == METADATA_NODE)
    except (ValueError, OSError, IndexError) as error:
        raise InputError("is not a frozen graph of tagbox", where=str(path), fix="Export the run again.") from error
    except Exception as error:
        if type(error).__name__ != "DecodeError":  # protobuf's, whose module moves between versions
            raise
        raise InputError("is not a frozen graph", where=str(path), fix="Export the run again.") from error
    function = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph_def, name=""), [])
    pruned = function.prune(f"{IMAGE_INPUT}:0", [f"{name}:0" for name in OUTPUTS])
    metadata = read_metadata(text.decode(), str(path))
    return ExportedDetector(lambda images: dict(zip(OUTPUTS, pruned(tf.constant(images)), strict=True)), metadata)


def _open_tflite(path: Path) -> Detector:
    return LiteRunner(path, read_metadata(_from_zip(path), str(path)))


def _open_keras(path: Path) -> Detector:
    from pipelines.export.keras_model import read_keras

    metadata = read_metadata(_from_zip(path), str(path))
    try:
        model = read_keras(path)
    except (ValueError, OSError, KeyError) as error:
        raise InputError("cannot be read as a Keras model", where=str(path), fix=_first_line(error)) from error
    function = tf.function(lambda images: model(images, training=False))
    return ExportedDetector(lambda images: function(tf.constant(images)), metadata)


def _open_onnx(path: Path) -> Detector:
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
    return ExportedDetector(
        lambda images: dict(zip(OUTPUTS, session.run(list(OUTPUTS), {IMAGE_INPUT: images}), strict=True)), metadata
    )


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
