"""Detectors small enough to build in a second, and files of their weights in the formats people have."""

from pathlib import Path

import h5py
import numpy as np
import tensorflow as tf

from pipelines.detection import ssd_model
from pipelines.detection.ssd_config import SSDAnchors, SSDBackbone, SSDHead, SSDModel, SSDPyramid
from pipelines.weights.keras_names import keras_name
from pipelines.weights.slim_names import backbone_variables, detector_variables


def tiny_config(kind: str) -> SSDModel:
    """Return a small config: ``v1``, ``v2``, ``lite`` or ``fpnlite``."""
    backbone = SSDBackbone(model_id="MobileNetV1" if kind == "v1" else "MobileNetV2", depth_multiplier=0.25)
    head = SSDHead(num_layers=3, min_depth=8)
    if kind == "lite":
        head.override({"kernel_size": 3, "separable_layers": True, "separable_predictors": True})
    config = SSDModel(input_size=[64, 64], backbone=backbone, head=head)
    if kind == "fpnlite":
        config.anchors = SSDAnchors(generator="multiscale", aspect_ratios=[1.0, 2.0])
        config.fpn = SSDPyramid(
            enabled=True, min_level=4, max_level=6, depth=32, separable=True, predictor_layers=2, predictor_depth=8,
            predictor_separable=True, shared_tower=True,
        )  # fmt: skip
    return config


def tiny_model(kind: str, num_classes: int = 2):
    """Build the detector of a small config."""
    return ssd_model.build_ssd_model(tiny_config(kind), num_classes=num_classes)


def random_values(model, seed: int = 0) -> dict[str, np.ndarray]:
    """Draw a value for every variable of a detector, by slim's names, such that its features stay in range."""
    chance = np.random.default_rng(seed)

    def draw(name: str, shape: tuple[int, ...]) -> np.ndarray:
        if name.endswith(("gamma", "moving_variance")):
            return chance.uniform(0.7, 1.3, shape)
        fan = np.prod(shape[:2] if "depthwise" in name else shape[:3]) if len(shape) == 4 else 25
        return chance.normal(0, np.sqrt(2 / fan), shape)

    variables = detector_variables(model)
    return {name: draw(name, tuple(variable.shape)).astype(np.float32) for name, variable in variables.items()}


def save_tf1(values: dict[str, np.ndarray], prefix: Path) -> Path:
    """Write a TF1 checkpoint with a step and one optimizer slot, as the OD API's train.py does."""
    variables = {name: tf.Variable(value) for name, value in values.items()}
    variables |= {"global_step": tf.Variable(7), f"{next(iter(values))}/RMSProp": tf.Variable(1.0)}
    tf.compat.v1.train.Saver(variables).save(None, str(prefix), write_meta_graph=False, write_state=False)
    return prefix


def save_graph(values: dict[str, np.ndarray], path: Path) -> Path:
    """Write a frozen graph: the weights as constants, among others."""
    graph = tf.compat.v1.GraphDef()
    for name, value in [*values.items(), ("Postprocessor/scale", np.float32([10, 5]))]:
        node = graph.node.add(name=name, op="Const")
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
        node.attr["dtype"].type = tf.float32.as_datatype_enum
    path.write_bytes(graph.SerializeToString())
    return path


def save_keras(model, values: dict[str, np.ndarray], path: Path) -> Path:
    """Write the backbone as Keras applications do."""
    layers: dict[str, dict[str, np.ndarray]] = {"input_1": {}}
    for name in backbone_variables(model):
        layer, leaf = keras_name(name).split("/")
        layers.setdefault(layer, {})[f"{layer}/{leaf}:0"] = values[f"FeatureExtractor/{name}"]
    with h5py.File(path, "w") as file:
        for layer, arrays in layers.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [name.encode() for name in arrays]
            for name, value in arrays.items():
                group[name] = value
    return path
