"""ONNX, where tf2onnx is installed."""

import logging
from collections.abc import Sequence
from pathlib import Path

from collectors.errors import MissingPartError
from collectors.files import write_atomically
from pipelines.export.metadata import NAME, ModelMetadata
from pipelines.export.saved_model import frozen_graph
from pipelines.export.serving import Servable

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


def write_onnx(servable: Servable, path: Path, metadata: ModelMetadata) -> None:
    """Write an ONNX model with the names of the servable for input and outputs.

    Raises:
        MissingPartError: tf2onnx is not installed.
    """
    require_onnx()
    import tf2onnx

    for name in ("tf2onnx", "tensorflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    model, _ = tf2onnx.convert.from_graph_def(
        frozen_graph(servable, metadata),
        input_names=[f"{servable.input_name}:0"],
        output_names=[f"{name}:0" for name in servable.outputs],
        opset=_OPSET,
    )
    _rename(model.graph, (servable.input_name, *servable.outputs))
    entry = model.metadata_props.add()
    entry.key, entry.value = NAME, metadata.to_json()
    write_atomically(path, model.SerializeToString())


def _rename(graph: object, wanted: Sequence[str]) -> None:
    """Drop the ``:0`` of TensorFlow's tensor names from inputs and outputs."""
    names = {f"{name}:0": name for name in wanted}
    for value in (*graph.input, *graph.output):  # type: ignore[attr-defined]
        value.name = names.get(value.name, value.name)
    for node in graph.node:  # type: ignore[attr-defined]
        for side in (node.input, node.output):
            for index, name in enumerate(side):
                side[index] = names.get(name, name)
