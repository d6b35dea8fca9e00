"""The parity certificate of an import: how far our network is from a reference on one picture."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras

from pipelines.detection.input_pipeline import network_input
from pipelines.detection.ssd_config import SSDModel
from pipelines.weights.files import WeightsFile, load_graph
from pipelines.weights.plain_network import PlainNetwork
from pipelines.weights.slim_names import detector_variables, last_endpoint

TOLERANCE = 1e-4
# Compared where the last map differs: Keras applications keeps its width whatever the multiplier, and the classifiers
# of v3 have wider blocks at the end.
_INNER_MAPS = {
    "Conv2d_13_pointwise": "Conv2d_11_pointwise",
    "layer_19": "layer_14",
    "layer_17": "layer_13",
    "layer_13": "layer_9",
}
_KERAS_LAYERS = {
    "Conv2d_13_pointwise": "conv_pw_13_relu",
    "Conv2d_11_pointwise": "conv_pw_11_relu",
    "layer_19": "out_relu",
    "layer_14": "block_12_add",
}
_GRAPH_INPUT = "image_tensor:0"
# The raw outputs of every frozen graph that the OD API exports.
_GRAPH_OUTPUTS = {"box_encodings": "concat:0", "class_logits": "concat_1:0"}


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a comparison came to.

    Attributes:
        reference: What our network was compared with, in words.
        differences: Maximum absolute difference, by what was compared.
        magnitudes: Maximum absolute value of the reference, by what was compared.
    """

    reference: str
    differences: dict[str, float]
    magnitudes: dict[str, float]

    @property
    def is_exact(self) -> bool:
        """Whether every difference is within float noise: 1e-4, or 1e-4 of the largest value where that is above 1."""
        return all(
            difference <= TOLERANCE * max(1.0, self.magnitudes[name]) for name, difference in self.differences.items()
        )


def probe_picture(height: int = 300, width: int = 400, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Make a picture with edges, colours and texture, uint8 ``(height, width, 3)``; the same for the same arguments."""
    chance = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width]
    picture = np.stack(
        [rows * 255 / height, columns * 255 / width, 128 + 60 * np.sin(columns / 9 + rows / 17)], axis=-1
    )
    for _ in range(12):
        top, left = chance.integers(0, height - 20), chance.integers(0, width - 20)
        tall, wide = chance.integers(15, height // 2), chance.integers(15, width // 2)
        picture[top : top + tall, left : left + wide] = chance.integers(0, 256, 3)
    picture += chance.normal(0, 6, picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8)


def certify(
    model: tf_keras.Model,
    config: SSDModel,
    file: WeightsFile,
    key_of: Callable[[str], str],
    picture: npt.NDArray[np.uint8],
    *,
    whole: bool,
    classes: bool,
    whole_backbone: bool = True,
) -> Certificate:
    """Compare the model with the file on a picture.

    The reference is the file's own graph where it is one, or where a frozen graph lies beside the checkpoint; Keras
    applications' network for its weights; and otherwise `PlainNetwork`.

    Args:
        model: Ours, with the weights in it.
        config: What it was built from.
        file: The opened file.
        key_of: From slim's names to those of the file.
        picture: uint8 ``(height, width, 3)``.
        whole: The whole detector was loaded; false compares the backbone's last map.
        classes: So was the class predictor.
        whole_backbone: False compares a map before the last.
    """
    height, width = config.input_size
    image = network_input(tf.constant(picture), height, width)[None]
    last = last_endpoint(model)
    endpoint = last if whole_backbone else _INNER_MAPS[last]
    compared = ("box_encodings", "class_logits")[: 1 + classes] if whole else ("features",)
    beside = file.path if file.kind == "graph" else file.path.parent / "frozen_inference_graph.pb"
    if whole and beside.is_file():
        words = "the frozen graph itself" if file.kind == "graph" else f"{beside.name} beside it"
        reference, expected = f"{words}, run by TensorFlow", _run_graph(beside, picture)
    elif file.kind == "keras":
        reference, expected = "Keras applications' own network", {"features": _run_keras(config, file, image, endpoint)}
    else:
        names = {name: None for name in detector_variables(model) if key_of(name) in file.shapes}
        network = PlainNetwork(
            names,
            lambda name: file.read(key_of(name)),
            descend_smoothed=config.fpn.descend_smoothed,
            pad_to_even=config.head.pad_layers_to_even,
        )
        reference = "a plain reading of the file's arrays"
        expected = network.predictions(image) if whole else {"features": network.features(image)[endpoint]}
    found = model(image, training=False) if whole else {"features": model.get_layer("backbone")(image)[endpoint]}
    values = {name: np.asarray(expected[name]) for name in compared}
    return Certificate(
        reference,
        {name: float(np.abs(np.asarray(found[name]) - values[name]).max()) for name in compared},
        {name: float(np.abs(values[name]).max()) for name in compared},
    )


def run_graph(path: Path, picture: npt.NDArray[np.uint8], outputs: dict[str, str]) -> dict[str, npt.NDArray[Any]]:
    """Run a frozen graph of the OD API on one picture.

    Args:
        path: The ``.pb``.
        picture: uint8 ``(height, width, 3)``.
        outputs: Names of tensors, by the name to return them under.
    """
    definition = load_graph(path)
    wrapped = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(definition, name=""), [])
    graph = wrapped.graph
    pruned = wrapped.prune(
        graph.get_tensor_by_name(_GRAPH_INPUT), {key: graph.get_tensor_by_name(name) for key, name in outputs.items()}
    )
    return {key: value.numpy() for key, value in pruned(tf.constant(picture[None])).items()}


def _run_graph(path: Path, picture: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[Any]]:
    found = run_graph(path, picture, _GRAPH_OUTPUTS)
    return {"box_encodings": found["box_encodings"].reshape(1, -1, 4), "class_logits": found["class_logits"]}


def _run_keras(config: SSDModel, file: WeightsFile, image: Any, endpoint: str) -> Any:
    applications = {"MobileNetV1": tf_keras.applications.MobileNet, "MobileNetV2": tf_keras.applications.MobileNetV2}
    network = applications[config.backbone.model_id](
        input_shape=tuple(image.shape[1:]), alpha=config.backbone.depth_multiplier, include_top=False, weights=None
    )
    network.load_weights(str(file.path), by_name=True)
    return tf_keras.Model(network.input, network.get_layer(_KERAS_LAYERS[endpoint]).output)(image, training=False)
