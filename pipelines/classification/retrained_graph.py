"""The two files that TensorFlow's retrain.py left: a frozen graph, and its labels.

Programs made for them (label_image.py, the Android and iOS demos) read them as they are.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf
import tf_keras
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from collectors.errors import ConfigError
from collectors.files import write_atomically
from pipelines.classification.networks.mobilenet import normalized_network

INPUT, FINAL_RESULT = "input", "final_result"
_NETWORK = "network"
# What TensorFlow lets an operation be called.
_OPERATION = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")


def retrained_graph(model: tf_keras.Model, *, final_tensor_name: str = FINAL_RESULT) -> Any:
    """Return a GraphDef without variables.

    ``input`` takes pictures, float32 ``(b, height, width, 3)`` in ``[-1, 1]``: (value - 127.5) / 127.5. The final
    tensor gives a probability for each class, float32 ``(b, classes)``.

    Args:
        model: What `pipelines.classification.networks.mobilenet.Mobilenet` builds.
        final_tensor_name: Name of the tensor of probabilities.

    Raises:
        ConfigError: TensorFlow lets no tensor be called so.
    """
    if not _OPERATION.fullmatch(final_tensor_name) or final_tensor_name.split("/", maxsplit=1)[0] in (INPUT, _NETWORK):
        raise ConfigError(
            f"no tensor can be called {final_tensor_name!r}",
            where="--final_tensor_name",
            fix=f"Give a word of letters, digits and _, such as {FINAL_RESULT}.",
        )
    shape = [None, *model.input_shape[1:3], 3]
    network = tf.function(normalized_network(model), input_signature=[tf.TensorSpec(shape, tf.float32)])
    frozen = convert_variables_to_constants_v2(network.get_concrete_function())
    (source,), (logits,) = frozen.inputs, frozen.outputs
    graph = tf.Graph()
    with graph.as_default():
        images = tf.compat.v1.placeholder(tf.float32, shape, name=INPUT)
        (found,) = tf.import_graph_def(
            frozen.graph.as_graph_def(), input_map={source.name: images}, return_elements=[logits.name], name=_NETWORK
        )
        tf.nn.softmax(found, name=final_tensor_name)
    return graph.as_graph_def()


def write_retrained_graph(model: tf_keras.Model, path: Path, *, final_tensor_name: str = FINAL_RESULT) -> None:
    """Write `retrained_graph` as a file; see there."""
    write_atomically(path, retrained_graph(model, final_tensor_name=final_tensor_name).SerializeToString())


def retrained_label(name: str) -> str:
    """Return the name of a class as retrain.py wrote it: lower case, one space for all that is no letter or digit.

    Letters of every alphabet stay, where retrain.py knew English ones only.
    """
    return re.sub(r"[\W_]+", " ", name.lower())


def write_retrained_labels(class_names: Mapping[int, str], path: Path) -> None:
    """Write the labels, one a line, line n for output n of the graph.

    Args:
        class_names: Name of each class id, in the order of the outputs.
        path: The text file.
    """
    write_atomically(path, "".join(f"{retrained_label(name)}\n" for name in class_names.values()))
