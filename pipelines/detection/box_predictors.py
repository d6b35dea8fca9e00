"""Box predictors: from feature maps to box encodings and class logits, one row an anchor."""

from collections.abc import Sequence
from typing import Any

import tf_keras

from pipelines.detection.feature_maps import depthwise, initializer, normalized
from pipelines.detection.ssd_config import SSDModel

_BOX_CODE = 4


def convolutional_predictor(
    maps: Sequence[Any], boxes_per_place: Sequence[int], num_classes: int, config: SSDModel
) -> tuple[list[Any], list[Any]]:
    """Predict from every map with convolutions of its own, straight on the map.

    Args:
        maps: Feature maps.
        boxes_per_place: Number of anchors at each place of each map.
        num_classes: Without background.
        config: Kernel size, separable or not.

    Returns:
        Box encodings ``(b, rows, 4)`` and class logits ``(b, rows, num_classes + 1)`` of each map, rows in the order of
        the anchors.
    """
    encodings, logits = [], []
    for index, (feature_map, count) in enumerate(zip(maps, boxes_per_place, strict=True)):
        encodings.append(_map_predictor(feature_map, count, _BOX_CODE, 0.0, f"box_{index}", config))
        bias = config.head.class_prediction_bias_init
        logits.append(_map_predictor(feature_map, count, num_classes + 1, bias, f"class_{index}", config))
    return encodings, logits


def shared_predictor(
    maps: Sequence[Any], boxes_per_place: int, num_classes: int, config: SSDModel
) -> tuple[list[Any], list[Any]]:
    """Predict from every map with the same convolutions; only batch normalisation is a map's own.

    Args:
        maps: Feature maps with the same number of channels.
        boxes_per_place: Number of anchors at each place.
        num_classes: Without background.
        config: Depth and number of the layers before the predictor.

    Returns:
        As `convolutional_predictor`.
    """
    fpn = config.fpn
    towers = ["shared"] if fpn.shared_tower else ["box", "class"]
    layers = {
        tower: [_tower_layer(f"{tower}_tower_{number}", config) for number in range(fpn.predictor_layers)]
        for tower in towers
    }
    box_head = _shared_head(boxes_per_place * _BOX_CODE, 0.0, "box_predictor", config)
    class_head = _shared_head(
        boxes_per_place * (num_classes + 1), config.head.class_prediction_bias_init, "class_predictor", config
    )
    encodings, logits = [], []
    for index, feature_map in enumerate(maps):
        features = {}
        for tower in towers:
            net = feature_map
            for layer in layers[tower]:
                net = normalized(layer(net), f"{layer.name}_map_{index}", config)
            features[tower] = net
        encodings.append(_rows(box_head(features[towers[0]]), _BOX_CODE, f"box_{index}"))
        logits.append(_rows(class_head(features[towers[-1]]), num_classes + 1, f"class_{index}"))
    return encodings, logits


def _map_predictor(net: Any, count: int, columns: int, bias: float, name: str, config: SSDModel) -> Any:
    kernel = config.head.kernel_size
    if config.head.separable_predictors:
        net = depthwise(net, kernel, 1, f"{name}_predictor_depthwise", config)
        kernel = 1
    net = tf_keras.layers.Conv2D(
        count * columns,
        kernel,
        padding="same",
        kernel_initializer=initializer(config),
        bias_initializer=tf_keras.initializers.Constant(bias),
        name=f"{name}_predictor",
    )(net)
    return _rows(net, columns, name)


def _rows(net: Any, columns: int, name: str) -> Any:
    return tf_keras.layers.Reshape((-1, columns), name=f"{name}_rows")(net)


def _tower_layer(name: str, config: SSDModel) -> Any:
    options = {"padding": "same", "use_bias": False, "name": name}
    if config.fpn.predictor_separable:
        return tf_keras.layers.SeparableConv2D(
            config.fpn.predictor_depth, 3, depthwise_initializer=initializer(config), **options
        )
    return tf_keras.layers.Conv2D(config.fpn.predictor_depth, 3, kernel_initializer=initializer(config), **options)


def _shared_head(channels: int, bias: float, name: str, config: SSDModel) -> Any:
    options = {"padding": "same", "bias_initializer": tf_keras.initializers.Constant(bias), "name": name}
    if config.fpn.predictor_separable:
        return tf_keras.layers.SeparableConv2D(channels, 3, **options)
    return tf_keras.layers.Conv2D(channels, 3, kernel_initializer=initializer(config), **options)
