"""SavedModel, and the frozen graph that programs for TensorFlow 1 read."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from collectors.files import write_atomically
from pipelines.export.metadata import LABELS_NAME, NAME, ModelMetadata
from pipelines.export.serving import Servable

METADATA_NODE = "tagbox_metadata"


def write_saved_model(servable: Servable, path: Path, metadata: ModelMetadata) -> None:
    """Write a SavedModel folder with the signature ``serving_default``; labels and metadata in ``assets.extra``.

    An older folder is replaced once the new one is whole.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        fresh = Path(folder) / "saved_model"
        tf.saved_model.save(servable.owner, str(fresh), signatures={"serving_default": servable.function})
        write_atomically(fresh / "assets.extra" / NAME, metadata.to_json())
        write_atomically(fresh / "assets.extra" / LABELS_NAME, metadata.labels())
        if path.exists():
            shutil.rmtree(path)
        fresh.replace(path)


def frozen_graph(servable: Servable, metadata: ModelMetadata) -> Any:
    """Return a GraphDef without variables: a detector takes ``image_tensor`` and gives the OD API's ``detection_*``.

    The metadata stands in it as a constant string, ``tagbox_metadata``.
    """
    concrete = servable.function.get_concrete_function()
    frozen = convert_variables_to_constants_v2(concrete)
    source, *_ = frozen.inputs
    graph = tf.Graph()
    with graph.as_default():
        images = tf.compat.v1.placeholder(servable.input_type, servable.input_shape, name=servable.input_name)
        tensors = tf.import_graph_def(
            frozen.graph.as_graph_def(),
            input_map={source.name: images},
            return_elements=[tensor.name for tensor in frozen.outputs],
            name="network",
        )
        # A function's outputs are in the order of the alphabet, as those of a servable are.
        for name, tensor in zip(servable.outputs, tensors, strict=True):
            tf.identity(tensor, name=name)
        tf.constant(metadata.to_json(), name=METADATA_NODE)
    return graph.as_graph_def()


def write_frozen_graph(servable: Servable, path: Path, metadata: ModelMetadata) -> None:
    """Write the frozen graph as the OD API's ``frozen_inference_graph.pb``."""
    write_atomically(path, frozen_graph(servable, metadata).SerializeToString())
