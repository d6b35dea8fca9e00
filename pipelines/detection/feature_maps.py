"""Feature maps behind the backbone: SSD's extra layers, or a feature pyramid."""

from typing import Any

import tf_keras

from pipelines.detection.backbones import PYRAMID_ENDPOINTS, SSD_ENDPOINTS
from pipelines.detection.ssd_config import SSDModel

# Channels of the stride-2 convolution of each extra layer; the 1x1 before it has half as many.
_EXTRA_DEPTHS = (512, 256, 256, 128)
_HIGHEST_BACKBONE_LEVEL = 5


def depth_of(channels: int, config: SSDModel) -> int:
    """Scale a number of channels by the depth multiplier."""
    return max(int(channels * config.backbone.depth_multiplier), config.head.min_depth)


def ssd_feature_maps(endpoints: dict[str, Any], config: SSDModel) -> list[Any]:
    """Return ``head.num_layers`` maps, finest first: two of the backbone, then extra layers of half the size each."""
    maps = [endpoints[name] for name in SSD_ENDPOINTS[config.backbone.model_id]][: config.head.num_layers]
    net = maps[-1]
    for index in range(config.head.num_layers - len(maps)):
        depth = _EXTRA_DEPTHS[index % len(_EXTRA_DEPTHS)]
        net = convolution(net, depth_of(depth // 2, config), 1, 1, f"extra_{index}_1x1", config)
        odd = [(0, int(net.shape[axis]) % 2) for axis in (1, 2)]
        if config.head.pad_layers_to_even and any(cells for _, cells in odd):
            net = tf_keras.layers.ZeroPadding2D(odd, name=f"extra_{index}_even")(net)
        if config.head.separable_layers:
            net = depthwise(net, 3, 2, f"extra_{index}_3x3_s2_depthwise", config)
            net = convolution(net, depth_of(depth, config), 1, 1, f"extra_{index}_3x3_s2", config)
        else:
            net = convolution(net, depth_of(depth, config), 3, 2, f"extra_{index}_3x3_s2", config)
        maps.append(net)
    return maps


def pyramid_feature_maps(endpoints: dict[str, Any], config: SSDModel) -> list[Any]:
    """Return the maps of a feature pyramid, finest first, all with the same number of channels.

    Maps of the backbone are projected by a 1x1 convolution with a bias; from the coarsest down each is added to the one
    above, enlarged twice (and cut to size where the picture's side does not divide), and smoothed by a 3x3. The
    coarsest is not smoothed. Coarser levels than the backbone's follow from it by stride-2 convolutions.
    """
    fpn, names = config.fpn, PYRAMID_ENDPOINTS[config.backbone.model_id]
    depth = depth_of(fpn.depth, config)
    levels = range(fpn.min_level, min(fpn.max_level, _HIGHEST_BACKBONE_LEVEL) + 1)
    top = levels[-1]
    net = _projection(endpoints[names[top]], depth, f"fpn_{top}_projection", config)
    maps = [net]
    for level in reversed(levels[:-1]):
        lateral = _projection(endpoints[names[level]], depth, f"fpn_{level}_projection", config)
        net = tf_keras.layers.UpSampling2D(interpolation="nearest", name=f"fpn_{level}_enlarged")(net)
        surplus = [(0, int(net.shape[axis]) - int(lateral.shape[axis])) for axis in (1, 2)]
        if any(cut for _, cut in surplus):
            net = tf_keras.layers.Cropping2D(surplus, name=f"fpn_{level}_cut")(net)
        net = tf_keras.layers.Add(name=f"fpn_{level}_sum")([net, lateral])
        smoothed = _pyramid_convolution(net, depth, 1, f"fpn_{level}_smoothing", config)
        maps.insert(0, smoothed)
        net = smoothed if fpn.descend_smoothed else net
    net = maps[-1]
    for level in range(top + 1, fpn.max_level + 1):
        net = _pyramid_convolution(net, depth, 2, f"fpn_{level}_coarse", config)
        maps.append(net)
    return maps


def convolution(net: Any, channels: int, kernel: int, stride: int, name: str, config: SSDModel) -> Any:
    """Apply a convolution without bias, batch normalisation and ReLU6."""
    net = tf_keras.layers.Conv2D(
        channels,
        kernel,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer=initializer(config),
        name=name,
    )(net)
    return normalized(net, name, config)


def depthwise(net: Any, kernel: int, stride: int, name: str, config: SSDModel) -> Any:
    """Apply a depthwise convolution without bias, batch normalisation and ReLU6."""
    net = tf_keras.layers.DepthwiseConv2D(
        kernel, strides=stride, padding="same", use_bias=False, depthwise_initializer=initializer(config), name=name
    )(net)
    return normalized(net, name, config)


def normalized(net: Any, name: str, config: SSDModel) -> Any:
    """Apply batch normalisation and ReLU6."""
    net = tf_keras.layers.BatchNormalization(
        momentum=config.batch_norm.momentum, epsilon=config.batch_norm.epsilon, name=f"{name}_bn"
    )(net)
    return tf_keras.layers.ReLU(6.0, name=f"{name}_relu6")(net)


def initializer(config: SSDModel) -> tf_keras.initializers.Initializer:
    """Return a fresh initialiser of new kernels."""
    return tf_keras.initializers.TruncatedNormal(stddev=config.head.init_stddev)


def _projection(net: Any, depth: int, name: str, config: SSDModel) -> Any:
    return tf_keras.layers.Conv2D(depth, 1, kernel_initializer=initializer(config), name=name)(net)


def _pyramid_convolution(net: Any, depth: int, stride: int, name: str, config: SSDModel) -> Any:
    if not config.fpn.separable:
        return convolution(net, depth, 3, stride, name, config)
    net = tf_keras.layers.SeparableConv2D(
        depth, 3, strides=stride, padding="same", use_bias=False, depthwise_initializer=initializer(config), name=name
    )(net)
    return normalized(net, name, config)
