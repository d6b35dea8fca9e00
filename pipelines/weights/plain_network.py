"""A second, plain reading of the detectors: straight from a file's arrays, one operation after the other.

It shares nothing with the Keras models but the names of the variables. Where both give the same numbers, every array of
the file has arrived where it belongs.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

Read = Callable[[str], npt.NDArray[Any]]
_EPSILON = 1e-3
_FAMILIES = ("MobilenetV1", "MobilenetV2", "MobilenetV3")
_V1_STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
# Stride of each bottleneck of v2; the first does not expand.
_V2_STRIDES = (1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1)
# The same of v3, large and small, by the number of bottlenecks; and the first of them with the hard swish.
_V3_STRIDES = {15: (1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1), 11: (2, 2, 1, 2, 1, 1, 1, 1, 2, 1, 1)}
_V3_HARD_SWISH_FROM = {15: 6, 11: 3}
# The two maps of an SSD, and the four that a pyramid can stand on; of v3 by the number of bottlenecks.
_SSD_MAPS = {
    "MobilenetV1": ("Conv2d_11_pointwise", "Conv2d_13_pointwise"),
    "MobilenetV2": ("layer_15/expansion_output", "layer_19"),
    15: ("layer_14/expansion_output", "layer_17"),
    11: ("layer_10/expansion_output", "layer_13"),
}
_PYRAMID_MAPS = {
    "MobilenetV1": ("Conv2d_3_pointwise", "Conv2d_5_pointwise", "Conv2d_11_pointwise", "Conv2d_13_pointwise"),
    "MobilenetV2": ("layer_4", "layer_7", "layer_14", "layer_19"),
    15: ("layer_4", "layer_7", "layer_13", "layer_17"),
    11: ("layer_2", "layer_4", "layer_9", "layer_13"),
}


class PlainNetwork:
    """A detector of the SSD MobileNet family, or its backbone.

    Args:
        names: Slim's names of the variables that are there.
        read: Gives the array of a name.
        descend_smoothed: Which map goes down a pyramid; see `pipelines.detection.ssd_config.SSDPyramid`.
        pad_to_even: See ``pad_layers_to_even`` of `pipelines.detection.ssd_config.SSDHead`.
    """

    def __init__(
        self, names: Mapping[str, Any], read: Read, *, descend_smoothed: bool = True, pad_to_even: bool = False
    ) -> None:
        self._names, self._read = set(names), read
        self._descend_smoothed, self._pad_to_even = descend_smoothed, pad_to_even
        self._family = next(family for family in _FAMILIES if self._has_scope(family))
        self._root = f"FeatureExtractor/{self._family}"
        blocks = sum(name.startswith(self._root) and name.endswith("/project/weights") for name in self._names)
        self._kind: str | int = blocks if self._family == "MobilenetV3" else self._family

    def _has_scope(self, family: str) -> bool:
        return any(name.startswith(f"FeatureExtractor/{family}/") for name in self._names)

    def features(self, images: Any) -> dict[str, Any]:
        """Return the backbone's maps by slim's endpoint names of pictures ``(b, height, width, 3)`` in ``[-1, 1]``."""
        maps: dict[str, Any] = {}
        if self._family == "MobilenetV1":
            net = self._conv(images, f"{self._root}/Conv2d_0", 2)
            for number, stride in enumerate(_V1_STRIDES, start=1):
                net = self._depthwise(net, f"{self._root}/Conv2d_{number}_depthwise", stride)
                net = self._conv(net, f"{self._root}/Conv2d_{number}_pointwise")
                maps[f"Conv2d_{number}_pointwise"] = net
            return maps
        if self._family == "MobilenetV3":
            return self._v3_features(images)
        net = self._conv(images, f"{self._root}/Conv", 2)
        for number, stride in enumerate(_V2_STRIDES):
            scope = f"{self._root}/expanded_conv_{number}" if number else f"{self._root}/expanded_conv"
            wide = self._conv(net, f"{scope}/expand") if number else net
            maps[f"layer_{number + 2}/expansion_output"] = wide
            narrow = self._depthwise(wide, f"{scope}/depthwise", stride)
            narrow = self._norm_conv(narrow, f"{scope}/project")
            net = net + narrow if stride == 1 and net.shape[-1] == narrow.shape[-1] else narrow
            maps[f"layer_{number + 2}"] = net
        maps["layer_19"] = self._conv(net, f"{self._root}/Conv_1")
        return maps

    def _v3_features(self, images: Any) -> dict[str, Any]:
        maps: dict[str, Any] = {}
        blocks = int(self._kind)
        net = _hard_swish(self._norm_conv(images, f"{self._root}/Conv", 2))
        for number, stride in enumerate(_V3_STRIDES[blocks]):
            scope = f"{self._root}/expanded_conv_{number}" if number else f"{self._root}/expanded_conv"
            activate = _hard_swish if number >= _V3_HARD_SWISH_FROM[blocks] else tf.nn.relu
            expands = f"{scope}/expand/weights" in self._names
            wide = activate(self._norm_conv(net, f"{scope}/expand")) if expands else net
            maps[f"layer_{number + 2}/expansion_output"] = wide
            kernel = self._array(f"{scope}/depthwise/depthwise_weights")
            narrow = tf.nn.depthwise_conv2d(wide, kernel, [1, stride, stride, 1], "SAME")
            narrow = activate(self._norm(narrow, f"{scope}/depthwise/BatchNorm"))
            if f"{scope}/squeeze_excite/Conv/weights" in self._names:
                squeezed = self._raw_conv(tf.reduce_mean(narrow, [1, 2], keepdims=True), f"{scope}/squeeze_excite/Conv")
                gate = self._raw_conv(tf.nn.relu(squeezed), f"{scope}/squeeze_excite/Conv_1")
                narrow = narrow * tf.clip_by_value(gate + 3.0, 0.0, 6.0) * 0.16667  # slim's sixth
            narrow = self._norm_conv(narrow, f"{scope}/project")
            net = net + narrow if stride == 1 and net.shape[-1] == narrow.shape[-1] else narrow
            maps[f"layer_{number + 2}"] = net
        maps[f"layer_{blocks + 2}"] = _hard_swish(self._norm_conv(net, f"{self._root}/Conv_1"))
        return maps

    def predictions(self, images: Any) -> dict[str, Any]:
        """Return ``box_encodings`` ``(b, n, 4)`` and ``class_logits`` ``(b, n, columns)``."""
        maps = self.features(images)
        if any("/fpn/" in name for name in self._names):
            rows = self._shared_rows(self._pyramid(maps))
        else:
            rows = self._rows(self._ssd_maps(maps))
        boxes, logits = zip(*rows, strict=True)
        return {"box_encodings": tf.concat(boxes, 1), "class_logits": tf.concat(logits, 1)}

    def _ssd_maps(self, maps: dict[str, Any]) -> list[Any]:
        first, last = _SSD_MAPS[self._kind]
        found = [maps[first], maps[last]]
        for number in range(2, 20):
            marks = (f"/{last}_", f"_Conv2d_{number}_")
            scopes = sorted(
                name.removesuffix("/weights")
                for name in self._names
                if name.endswith("/weights") and all(mark in name for mark in marks)
            )
            if not scopes:
                break
            narrow, wide = scopes
            net = self._conv(found[-1], narrow)
            if self._pad_to_even:
                net = tf.pad(net, [[0, 0], [0, net.shape[1] % 2], [0, net.shape[2] % 2], [0, 0]])
            if f"{wide}_depthwise/depthwise_weights" in self._names:
                found.append(self._conv(self._depthwise(net, f"{wide}_depthwise", 2), wide))
            else:
                found.append(self._conv(net, wide, 2))
        count = sum(name.endswith("/BoxEncodingPredictor/weights") for name in self._names)
        return found[:count]

    def _rows(self, maps: list[Any]) -> list[tuple[Any, Any]]:
        rows = []
        for index, net in enumerate(maps):
            pair = []
            for head in ("BoxEncodingPredictor", "ClassPredictor"):
                scope, part = f"BoxPredictor_{index}/{head}", net
                if f"{scope}_depthwise/depthwise_weights" in self._names:
                    part = self._depthwise(net, f"{scope}_depthwise", 1)
                pair.append(self._raw_conv(part, scope))
            rows.append(_as_rows(*pair))
        return rows

    def _pyramid(self, maps: dict[str, Any]) -> list[Any]:
        scope = f"{self._root}/fpn"
        top = max(int(name.split("projection_")[1][0]) for name in self._names if "/fpn/projection_" in name)
        names = _PYRAMID_MAPS[self._kind][-top:]
        net = self._raw_conv(maps[names[-1]], f"{scope}/projection_{top}")
        found = [net]
        for number in range(top - 1, 0, -1):
            lateral = self._raw_conv(maps[names[number - 1]], f"{scope}/projection_{number}")
            above = tf.repeat(tf.repeat(net, 2, axis=1), 2, axis=2)[:, : lateral.shape[1], : lateral.shape[2]]
            total = above + lateral
            smoothed = self._separable_or_conv(total, f"{scope}/smoothing_{number}", 1)
            found.insert(0, self._relu6_norm(smoothed, f"{scope}/smoothing_{number}/BatchNorm"))
            net = found[0] if self._descend_smoothed else total
        coarse = sorted({name.split("/")[3] for name in self._names if "/fpn/bottom_up_" in name})
        for part in coarse:
            net = self._separable_or_conv(found[-1], f"{scope}/{part}", 2)
            found.append(self._relu6_norm(net, f"{scope}/{part}/BatchNorm"))
        return found

    def _shared_rows(self, maps: list[Any]) -> list[tuple[Any, Any]]:
        root = "WeightSharedConvolutionalBoxPredictor"
        is_shared = any(name.startswith(f"{root}/PredictionTower/") for name in self._names)
        towers = ("PredictionTower",) * 2 if is_shared else ("BoxPredictionTower", "ClassPredictionTower")
        rows = []
        for level, feature_map in enumerate(maps):
            pair = []
            for tower, head in zip(towers, ("BoxPredictor", "ClassPredictor"), strict=True):
                net, number = feature_map, 0
                while any(name.startswith(f"{root}/{tower}/conv2d_{number}/") for name in self._names):
                    scope = f"{root}/{tower}/conv2d_{number}"
                    net = self._relu6_norm(self._separable_or_conv(net, scope, 1), f"{scope}/BatchNorm/feature_{level}")
                    number += 1
                pair.append(self._separable_or_conv(net, f"{root}/{head}", 1))
            rows.append(_as_rows(*pair))
        return rows

    def _conv(self, net: Any, scope: str, stride: int = 1) -> Any:
        return tf.nn.relu6(self._norm_conv(net, scope, stride))

    def _norm_conv(self, net: Any, scope: str, stride: int = 1) -> Any:
        return self._norm(self._raw_conv(net, scope, stride), f"{scope}/BatchNorm")

    def _depthwise(self, net: Any, scope: str, stride: int) -> Any:
        kernel = self._array(f"{scope}/depthwise_weights")
        net = tf.nn.depthwise_conv2d(net, kernel, [1, stride, stride, 1], "SAME")
        return self._relu6_norm(net, f"{scope}/BatchNorm")

    def _separable_or_conv(self, net: Any, scope: str, stride: int) -> Any:
        if f"{scope}/depthwise_weights" not in self._names:
            return self._raw_conv(net, scope, stride)
        net = tf.nn.depthwise_conv2d(net, self._array(f"{scope}/depthwise_weights"), [1, stride, stride, 1], "SAME")
        net = tf.nn.conv2d(net, self._array(f"{scope}/pointwise_weights"), 1, "SAME")
        return net + self._array(f"{scope}/biases") if f"{scope}/biases" in self._names else net

    def _raw_conv(self, net: Any, scope: str, stride: int = 1) -> Any:
        net = tf.nn.conv2d(net, self._array(f"{scope}/weights"), stride, "SAME")
        return net + self._array(f"{scope}/biases") if f"{scope}/biases" in self._names else net

    def _relu6_norm(self, net: Any, scope: str) -> Any:
        return tf.nn.relu6(self._norm(net, scope))

    def _norm(self, net: Any, scope: str) -> Any:
        arrays = [self._array(f"{scope}/{part}") for part in ("gamma", "beta", "moving_mean", "moving_variance")]
        return tf.compat.v1.nn.fused_batch_norm(net, *arrays, epsilon=_EPSILON, is_training=False)[0]

    def _array(self, name: str) -> npt.NDArray[np.float32]:
        return np.asarray(self._read(name), np.float32)


def _hard_swish(net: Any) -> Any:
    return net * tf.clip_by_value(net + 3.0, 0.0, 6.0) / 6.0


def _as_rows(boxes: Any, logits: Any) -> tuple[Any, Any]:
    batch, per_place = boxes.shape[0], int(boxes.shape[-1]) // 4
    return tf.reshape(boxes, [batch, -1, 4]), tf.reshape(logits, [batch, -1, int(logits.shape[-1]) // per_place])
