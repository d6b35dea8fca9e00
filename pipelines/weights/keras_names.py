"""The names that Keras applications give to the variables of MobileNet v1 and v2."""

import re

_LEAVES = {"weights": "kernel", "depthwise_weights": "depthwise_kernel"}


def keras_name(slim_name: str) -> str:
    """Return the Keras name of a backbone variable, ``layer/variable``; empty where Keras has none.

    Example:
        >>> keras_name("MobilenetV2/expanded_conv_3/expand/BatchNorm/gamma")
        'block_3_expand_BN/gamma'
        >>> keras_name("MobilenetV1/Conv2d_4_depthwise/depthwise_weights")
        'conv_dw_4/depthwise_kernel'
    """
    family, _, rest = slim_name.removeprefix("FeatureExtractor/").partition("/")
    scope, _, leaf = rest.rpartition("/")
    is_norm = scope.endswith("/BatchNorm")
    layers = {"MobilenetV1": _v1_layers, "MobilenetV2": _v2_layers}.get(family)
    found = layers(scope.removesuffix("/BatchNorm")) if layers else None
    if found is None or not (is_norm or leaf in _LEAVES):
        return ""
    return f"{found[1]}/{leaf}" if is_norm else f"{found[0]}/{_LEAVES[leaf]}"


def _v1_layers(scope: str) -> tuple[str, str] | None:
    if scope == "Conv2d_0":
        return "conv1", "conv1_bn"
    if match := re.fullmatch(r"Conv2d_(\d+)_(depthwise|pointwise)", scope):
        layer = f"conv_{'dw' if match[2] == 'depthwise' else 'pw'}_{match[1]}"
        return layer, f"{layer}_bn"
    return None


def _v2_layers(scope: str) -> tuple[str, str] | None:
    if scope in ("Conv", "Conv_1"):
        return ("Conv1", "bn_Conv1") if scope == "Conv" else ("Conv_1", "Conv_1_bn")
    if match := re.fullmatch(r"expanded_conv(?:_(\d+))?/(expand|depthwise|project)", scope):
        layer = f"{f'block_{match[1]}' if match[1] else 'expanded_conv'}_{match[2]}"
        return layer, f"{layer}_BN"
    return None
