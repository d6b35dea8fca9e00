"""The names that slim and the TF1 Object Detection API give to the variables of our models.

They are the names tagbox thinks in: weights of every other format are looked up by them.
"""

from collections.abc import Iterator
from typing import Any

import tf_keras

# Last endpoint of a backbone -> its scope, and the number that levels of a pyramid beyond it count from.
_FAMILIES = {
    "Conv2d_13_pointwise": ("MobilenetV1", 14),
    "layer_19": ("MobilenetV2", 20),
    "layer_17": ("MobilenetV3", 18),  # large
    "layer_13": ("MobilenetV3", 14),  # small
}
_TOWERS = {"shared": "PredictionTower", "box": "BoxPredictionTower", "class": "ClassPredictionTower"}
DETECTOR_PREFIX = "FeatureExtractor/"


def backbone_variables(model: tf_keras.Model) -> dict[str, Any]:
    """Map slim's names (``MobilenetV1/Conv2d_0/weights``...) to the variables of the backbone, in the order of layers.

    Args:
        model: What `pipelines.detection.ssd_model.build_ssd_model` builds.
    """
    names: dict[str, Any] = {}
    for scope, conv, norm in _backbone_pairs(model):
        names |= _variables_of(scope, conv, norm)
    return names


def backbone_scopes(model: tf_keras.Model) -> list[str]:
    """Return the scope of every convolution of the backbone, in the order of layers."""
    return [scope for scope, _, _ in _backbone_pairs(model)]


def detector_variables(model: tf_keras.Model) -> dict[str, Any]:
    """Map the names of a TF1 OD API checkpoint to all the variables of a detector of ours."""
    last = last_endpoint(model)
    names = {f"{DETECTOR_PREFIX}{name}": variable for name, variable in backbone_variables(model).items()}
    layers = {layer.name: layer for layer in model.layers}
    if any(name.startswith("fpn_") for name in layers):
        return names | _pyramid_variables(layers, last) | _shared_predictor_variables(layers)
    return names | _extra_layer_variables(layers, last) | _predictor_variables(layers)


def family_of(model: tf_keras.Model) -> str:
    """Return slim's name of the backbone's family: ``MobilenetV1``, ``MobilenetV2`` or ``MobilenetV3``."""
    return _FAMILIES[last_endpoint(model)][0]


def last_endpoint(model: tf_keras.Model) -> str:
    """Return slim's name of the backbone's last map."""
    # The layer_13 of v3 large lies in the middle of it.
    endpoints = model.get_layer("backbone").output
    return next(name for name in _FAMILIES if name in endpoints)


def _backbone_pairs(model: tf_keras.Model) -> Iterator[tuple[str, Any, Any]]:
    """Yield scope, convolution and batch norm, if it has one, of every convolution of the backbone."""
    family = family_of(model)
    for block in model.get_layer("backbone").layers:
        scope = f"{family}/{block.name}"
        if hasattr(block, "_dwconv0"):
            yield f"{scope}_depthwise", block._dwconv0, block._norm0
            yield f"{scope}_pointwise", block._conv1, block._norm1
        elif hasattr(block, "_conv2"):
            if block._conv0.built:  # the first bottleneck does not expand
                yield f"{scope}/expand", block._conv0, block._norm0
            yield f"{scope}/depthwise", block._conv1, block._norm1
            if gate := block._squeeze_excitation:
                yield f"{scope}/squeeze_excite/Conv", gate._se_reduce, None
                yield f"{scope}/squeeze_excite/Conv_1", gate._se_expand, None
            yield f"{scope}/project", block._conv2, block._norm2
        elif hasattr(block, "_conv0"):
            yield scope, block._conv0, block._norm0


def _extra_layer_variables(layers: dict[str, Any], last: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    for index in _count(layers, "extra_{}_1x1"):
        wide = layers[f"extra_{index}_3x3_s2"]
        scopes = {
            f"extra_{index}_1x1": f"1_Conv2d_{index + 2}_1x1_{layers[f'extra_{index}_1x1'].filters}",
            f"extra_{index}_3x3_s2_depthwise": f"2_Conv2d_{index + 2}_3x3_s2_{wide.filters}_depthwise",
            f"extra_{index}_3x3_s2": f"2_Conv2d_{index + 2}_3x3_s2_{wide.filters}",
        }
        for layer, scope in scopes.items():
            if layer in layers:
                full = f"{DETECTOR_PREFIX}{_FAMILIES[last][0]}/{last}_{scope}"
                names |= _variables_of(full, layers[layer], layers[f"{layer}_bn"])
    return names


def _predictor_variables(layers: dict[str, Any]) -> dict[str, Any]:
    names: dict[str, Any] = {}
    for index in _count(layers, "box_{}_predictor"):
        for ours, theirs in (("box", "BoxEncodingPredictor"), ("class", "ClassPredictor")):
            layer, scope = f"{ours}_{index}_predictor", f"BoxPredictor_{index}/{theirs}"
            if f"{layer}_depthwise" in layers:
                norm = layers[f"{layer}_depthwise_bn"]
                names |= _variables_of(f"{scope}_depthwise", layers[f"{layer}_depthwise"], norm)
            names |= _variables_of(scope, layers[layer])
    return names


def _pyramid_variables(layers: dict[str, Any], last: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    family, first = _FAMILIES[last]
    scope = f"{DETECTOR_PREFIX}{family}/fpn"
    levels = sorted(int(name.split("_")[1]) for name in layers if name.endswith("_projection"))
    for number, level in enumerate(levels, start=1):
        names |= _variables_of(f"{scope}/projection_{number}", layers[f"fpn_{level}_projection"])
        if level != levels[-1]:
            layer = f"fpn_{level}_smoothing"
            names |= _variables_of(f"{scope}/smoothing_{number}", layers[layer], layers[f"{layer}_bn"])
    coarse = [name for name in layers if name.startswith("fpn_") and name.endswith("_coarse")]
    for number, layer in enumerate(sorted(coarse, key=lambda name: int(name.split("_")[1])), start=first):
        names |= _variables_of(f"{scope}/bottom_up_Conv2d_{number}", layers[layer], layers[f"{layer}_bn"])
    return names


def _shared_predictor_variables(layers: dict[str, Any]) -> dict[str, Any]:
    names: dict[str, Any] = {}
    root = "WeightSharedConvolutionalBoxPredictor"
    for tower, theirs in _TOWERS.items():
        for number in _count(layers, tower + "_tower_{}"):
            layer, scope = f"{tower}_tower_{number}", f"{root}/{theirs}/conv2d_{number}"
            names |= _variables_of(scope, layers[layer])
            for level in _count(layers, layer + "_map_{}_bn"):
                names |= _norm_variables(f"{scope}/BatchNorm/feature_{level}", layers[f"{layer}_map_{level}_bn"])
    names |= _variables_of(f"{root}/BoxPredictor", layers["box_predictor"])
    return names | _variables_of(f"{root}/ClassPredictor", layers["class_predictor"])


def _count(layers: dict[str, Any], pattern: str) -> Iterator[int]:
    number = 0
    while pattern.format(number) in layers:
        yield number
        number += 1


def _variables_of(scope: str, conv: Any, norm: Any = None) -> dict[str, Any]:
    names: dict[str, Any] = {}
    for theirs, ours in (
        ("weights", "kernel"),
        ("depthwise_weights", "depthwise_kernel"),
        ("pointwise_weights", "pointwise_kernel"),
        ("biases", "bias"),
    ):
        variable = getattr(conv, ours, None)
        # A depthwise layer of Keras also answers to `kernel`, with nothing behind it.
        if variable is not None and any(variable is weight for weight in conv.weights):
            names[f"{scope}/{theirs}"] = variable
    return names | (_norm_variables(f"{scope}/BatchNorm", norm) if norm is not None else {})


def _norm_variables(scope: str, norm: Any) -> dict[str, Any]:
    return {f"{scope}/{part}": getattr(norm, part) for part in ("gamma", "beta", "moving_mean", "moving_variance")}
