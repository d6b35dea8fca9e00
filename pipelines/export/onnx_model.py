"""ONNX, where tf2onnx is installed."""

import logging
from pathlib import Path

from collectors.errors import MissingPartError
from collectors.files import write_atomically
from pipelines.export.metadata import NAME, ModelMetadata
from pipelines.export.saved_model import frozen_graph
from pipelines.export.serving import IMAGE_INPUT, OUTPUTS, PixelDetector

_OPSET = 17  # the first with everything the post-processing needs, old enough for runtimes of 2022


def require_onnx() -> None:
    """Check that the optional packages are there.

    Raises:
        MissingPartError: They are not.
    """
    try:
        import onnx  # noqa: F401
        import tf2onnx  # noqa: F401
    except ImportError as error:
        raise MissingPartError(
            "ONNX needs tf2onnx and onnx", where=str(error), fix="Install them: pip install 'tagbox[onnx]'"
        ) from error


def write_onnx(detector: PixelDetector, path: Path, metadata: ModelMetadata) -> None:
    """Write an ONNX model that takes ``image_tensor`` and gives the OD API's outputs.

    Raises:
        MissingPartError: tf2onnx is not installed.
    """
    require_onnx()
    import tf2onnx

    for name in ("tf2onnx", "tensorflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    model, _ = tf2onnx.convert.from_graph_def(
        frozen_graph(detector, metadata),
        input_names=[f"{IMAGE_INPUT}:0"],
        output_names=[f"{name}:0" for name in OUTPUTS],
        opset=_OPSET,
    )
    _rename(model.graph)
    entry = model.metadata_props.add()
    entry.key, entry.value = NAME, metadata.to_json()
    write_atomically(path, model.SerializeToString())


def _rename(graph: object) -> None:
    """Drop the ``:0`` of TensorFlow's tensor names from inputs and outputs."""
    names = {f"{name}:0": name for name in (IMAGE_INPUT, *OUTPUTS)}
    for value in (*graph.input, *graph.output):  # type: ignore[attr-defined]
        value.name = names.get(value.name, value.name)
    for node in graph.node:  # type: ignore[attr-defined]
        for side in (node.input, node.output):
            for index, name in enumerate(side):
                side[index] = names.get(name, name)
