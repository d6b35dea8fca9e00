"""MobileNet v1, v2 and v3 of TensorFlow Model Garden with the layers that detectors branch off from.

Blocks and block tables are TFM's. TFM's own `MobileNet` is not used as a whole for two reasons: it does not show the
expansion that v2 and v3 give the OD API as its first feature map, and it rounds channels in another way for small depth
multipliers.
"""

from collections.abc import Iterator
from typing import Any

import tf_keras
from official.vision.modeling.backbones import mobilenet
from official.vision.modeling.layers import nn_blocks, nn_layers

from pipelines.detection.ssd_config import SSDModel

# Endpoint -> its stride is 2 to the power of the level; names are slim's.
PYRAMID_ENDPOINTS = {
    "MobileNetV1": {
        2: "Conv2d_3_pointwise",
        3: "Conv2d_5_pointwise",
        4: "Conv2d_11_pointwise",
        5: "Conv2d_13_pointwise",
    },
    "MobileNetV2": {2: "layer_4", 3: "layer_7", 4: "layer_14", 5: "layer_19"},
    "MobileNetV3Large": {2: "layer_4", 3: "layer_7", 4: "layer_13", 5: "layer_17"},
    "MobileNetV3Small": {2: "layer_2", 3: "layer_4", 4: "layer_9", 5: "layer_13"},
}
# The two maps of the SSD without a feature pyramid.
SSD_ENDPOINTS = {
    "MobileNetV1": ("Conv2d_11_pointwise", "Conv2d_13_pointwise"),
    "MobileNetV2": ("layer_15/expansion_output", "layer_19"),
    "MobileNetV3Large": ("layer_14/expansion_output", "layer_17"),
    "MobileNetV3Small": ("layer_10/expansion_output", "layer_13"),
}


class _TappedBottleneck(nn_blocks.InvertedBottleneckBlock):
    """TFM's inverted bottleneck that gives its expanded features as well."""

    def call(self, inputs: Any, training: Any = None) -> tuple[Any, Any]:
        """Return the block's output and its expansion."""
        expansion = self._activation_layer(self._norm0(self._conv0(inputs)))
        net = self._depthwise_activation_layer(self._norm1(self._conv1(expansion)))
        if self._squeeze_excitation:
            net = self._squeeze_excitation(net)
        net = self._norm2(self._conv2(net))
        if self._strides == 1 and self._in_filters == self._out_filters:
            net = self._add([net, inputs])
        return net, expansion


def build_backbone(config: SSDModel) -> tf_keras.Model:
    """Build the backbone of a detector.

    Channels follow the OD API: v1 cuts ``channels * depth_multiplier`` off to a whole number, v2 and v3 round it to a
    multiple of 8, none goes below ``head.min_depth``. The stride-32 blocks of v3 have half the channels of the
    classifier's.

    Returns:
        A functional model named ``backbone`` from pictures ``(b, height, width, 3)`` to a dict of slim's endpoint
        names; its layers bear slim's scopes: ``Conv2d_0``, ``Conv2d_1``... or ``Conv``, ``expanded_conv``,
        ``expanded_conv_1``...
    """
    height, width = config.input_size
    inputs = tf_keras.Input((height, width, 3))
    tapped, _, is_expansion = SSD_ENDPOINTS[config.backbone.model_id][0].partition("/")
    net, endpoints = inputs, {}
    for name, endpoint, spec in _blocks(config):
        norm = {
            # One for each block, because one draws the same values every time.
            "kernel_initializer": tf_keras.initializers.TruncatedNormal(stddev=config.backbone.init_stddev),
            "norm_momentum": config.batch_norm.momentum,
            "norm_epsilon": config.batch_norm.epsilon,
        }
        layer: Any
        size = (spec.filters, spec.kernel_size, spec.strides)
        if spec.block_fn == "convbn":
            layer = mobilenet.Conv2DBNBlock(*size, activation=spec.activation, name=name, **norm)
        elif spec.block_fn == "depsepconv":
            layer = nn_blocks.DepthwiseSeparableConvBlock(*size, name=name, **norm)
        else:
            kind = _TappedBottleneck if endpoint == tapped else nn_blocks.InvertedBottleneckBlock
            layer = kind(
                net.shape[-1], spec.filters, spec.expand_ratio, spec.strides, spec.kernel_size,
                activation=spec.activation, divisible_by=8, se_ratio=spec.se_ratio, expand_se_in_filters=True,
                se_gating_activation="hard_sigmoid", name=name, **norm,
            )  # fmt: skip
        if is_expansion and endpoint == tapped:
            net, endpoints[f"{endpoint}/expansion_output"] = layer(net)
        else:
            net = layer(net)
        endpoints[endpoint] = net
    wanted = {*PYRAMID_ENDPOINTS[config.backbone.model_id].values(), *SSD_ENDPOINTS[config.backbone.model_id]}
    backbone = tf_keras.Model(inputs, {name: endpoints[name] for name in sorted(wanted)}, name="backbone")
    freeze_blocks(backbone, None if config.backbone.freeze else config.backbone.freeze_blocks)
    return backbone


def freeze_blocks(backbone: tf_keras.Model, count: int | None) -> None:
    """Keep the first ``count`` blocks of a backbone from training, statistics included; ``None`` freezes all."""
    if count is None:
        backbone.trainable = False
        return
    blocks = [layer for layer in backbone.layers if layer.weights]
    for block in blocks[:count]:
        block.trainable = False


def _blocks(config: SSDModel) -> Iterator[tuple[str, str, mobilenet.BlockSpec]]:
    """Yield the scope, the endpoint and the specification of every block, channels scaled."""
    model_id, multiplier, min_depth = config.backbone.model_id, config.backbone.depth_multiplier, config.head.min_depth
    specs = mobilenet.block_spec_decoder(mobilenet.SUPPORTED_SPECS_MAP[model_id], 1.0, 1, False)
    tapped, last = (endpoint.partition("/")[0] for endpoint in SSD_ENDPOINTS[model_id])
    is_halved = False
    for index, spec in enumerate(specs):
        if model_id == "MobileNetV1":
            spec.filters = max(int(spec.filters * multiplier), min_depth)
            yield f"Conv2d_{index}", f"Conv2d_{index}_pointwise" if index else "Conv2d_0", spec
            continue
        endpoint = f"layer_{index + 1}"
        # Slim's V3_*_DETECTION. TFM's V3SmallReducedFilters is not it: that one halves the tapped expansion as well.
        is_halved = is_halved or (endpoint == tapped and model_id.startswith("MobileNetV3"))
        spec.filters = nn_layers.make_divisible(spec.filters * multiplier * (0.5 if is_halved else 1.0), 8, min_depth)
        if index == 0:
            scope = "Conv"
        elif spec.block_fn == "convbn":
            scope = "Conv_1"
        else:
            scope = f"expanded_conv_{index - 1}" if index > 1 else "expanded_conv"
        yield scope, endpoint, spec
        if endpoint == last:  # what follows in v3 is the classifier's
            return
