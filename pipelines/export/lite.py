"""TFLite, in floats or in 8 bits."""

import io
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.lite.tools import flatbuffer_utils

from collectors.files import write_atomically
from pipelines.export.metadata import LABELS_NAME, NAME, ModelMetadata
from pipelines.export.serving import Servable

DETECTOR_TENSORS = [f"TFLite_Detection_PostProcess{suffix}" for suffix in ("", ":1", ":2", ":3")]
"""What a TFLite detector's outputs are called, in this order: boxes, classes, scores, number."""
_EPOCH = (1980, 1, 1, 0, 0, 0)


def write_tflite(
    servable: Servable,
    path: Path,
    metadata: ModelMetadata,
    *,
    tensor_names: Sequence[str],
    calibration: Iterable[Any] | None = None,
) -> None:
    """Write a TFLite model with its post-processing; labels and metadata are a zip at its end, as Android's tools read.

    Args:
        servable: What to convert.
        path: The ``.tflite`` file.
        metadata: Put into the file.
        tensor_names: What the outputs are called in the file, in their order.
        calibration: Inputs of the servable to measure ranges with: weights and activations
            become 8 bits, the input uint8 (0 to 255). ``None`` keeps 32-bit floats.
    """
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [servable.function.get_concrete_function()], servable.owner
    )
    converter.allow_custom_ops = True  # the post-processing is one, built into every TFLite interpreter
    if calibration is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([batch] for batch in calibration)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
    content = _in_order(converter.convert(), servable.outputs, tensor_names)
    write_atomically(path, content + _zip_of({NAME: metadata.to_json(), LABELS_NAME: metadata.labels()}))


def _in_order(content: bytes, outputs: Sequence[str], tensor_names: Sequence[str]) -> bytes:
    """Put the outputs into their order and call them by their names; the converter jumbles both."""
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    graph = model.subgraphs[0]
    by_name = {_text(entry.name): entry.tensorIndex for entry in model.signatureDefs[0].outputs}
    graph.outputs = [by_name[name] for name in outputs]
    for index, name in zip(graph.outputs, tensor_names, strict=True):
        graph.tensors[index].name = name
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name


def _zip_of(files: dict[str, str]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, date_time=_EPOCH), text)
    return stream.getvalue()
