"""The backbones against TensorFlow Model Garden's own, and the channels of the Object Detection API."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from official.vision.modeling.backbones import mobilenet

from pipelines.detection.backbones import build_backbone
from pipelines.detection.ssd_config import SSDBackbone, SSDHead, SSDModel

pytestmark = pytest.mark.tf

# TFM's endpoints that are ours as well.
SAME_ENDPOINTS = {
    "MobileNetV1": {
        "2": "Conv2d_3_pointwise", "3": "Conv2d_5_pointwise", "4": "Conv2d_11_pointwise", "5": "Conv2d_13_pointwise",
    },
    "MobileNetV2": {"2": "layer_4", "3": "layer_7", "4": "layer_14", "6": "layer_19"},
}  # fmt: skip


def _config(model_id, **backbone):
    return SSDModel(input_size=[64, 96], backbone=SSDBackbone(model_id=model_id, **backbone), head=SSDHead(min_depth=8))


@pytest.mark.parametrize("model_id", ["MobileNetV1", "MobileNetV2"])
def test_the_same_weights_give_the_same_features_as_model_gardens_network(model_id):
    ours = build_backbone(_config(model_id))
    theirs = mobilenet.MobileNet(model_id, input_specs=tf_keras.layers.InputSpec(shape=[None, 64, 96, 3]))
    assert len(ours.weights) == len(theirs.weights)
    chance = np.random.default_rng(3)
    for variable in ours.weights:
        variable.assign(chance.uniform(0.2, 1.0, variable.shape) * 0.1 + ("variance" in variable.name))
    # Both list their weights in the order of layers, trainable and not, so values can be handed over one to one.
    for mine, other in ((ours.trainable_weights, theirs.trainable_weights),
                        (ours.non_trainable_weights, theirs.non_trainable_weights)):  # fmt: skip
        for variable, value in zip(other, mine, strict=True):
            variable.assign(value)
    picture = tf.random.stateless_normal([1, 64, 96, 3], [1, 2])
    found, expected = ours(picture, training=False), theirs(picture, training=False)
    for endpoint, name in SAME_ENDPOINTS[model_id].items():
        assert np.abs(found[name].numpy() - expected[endpoint].numpy()).max() < 1e-5, name


def test_the_expansion_that_ssd_v2_branches_off_from():
    maps = build_backbone(_config("MobileNetV2")).output
    assert maps["layer_15/expansion_output"].shape.as_list() == [None, 4, 6, 576]
    assert maps["layer_19"].shape.as_list() == [None, 2, 3, 1280]


@pytest.mark.parametrize(
    ("model_id", "multiplier", "min_depth", "expected"),
    [
        ("MobileNetV1", 0.75, 16, {"Conv2d_3_pointwise": 96, "Conv2d_13_pointwise": 768}),
        ("MobileNetV1", 0.1, 16, {"Conv2d_3_pointwise": 16, "Conv2d_11_pointwise": 51}),  # cut, not rounded
        ("MobileNetV2", 0.75, 16, {"layer_4": 24, "layer_7": 24, "layer_14": 72, "layer_19": 960}),
        ("MobileNetV2", 0.35, 8, {"layer_4": 8, "layer_7": 16, "layer_14": 32, "layer_15/expansion_output": 192}),
        ("MobileNetV2", 1.4, 16, {"layer_4": 32, "layer_19": 1792}),
        ("MobileNetV3Large", 0.75, 16, {"layer_4": 24, "layer_14/expansion_output": 528, "layer_17": 360}),
        ("MobileNetV3Small", 0.75, 16, {"layer_9": 40, "layer_10/expansion_output": 240, "layer_13": 216}),
    ],
)
def test_channels_follow_the_object_detection_api(model_id, multiplier, min_depth, expected):
    config = _config(model_id, depth_multiplier=multiplier)
    config.head.min_depth = min_depth
    maps = build_backbone(config).output
    assert {name: maps[name].shape[-1] for name in expected} == expected


def test_the_first_blocks_can_be_kept_while_the_rest_trains():
    backbone = build_backbone(_config("MobileNetV2", depth_multiplier=0.35, freeze_blocks=5))
    frozen = {layer.name for layer in backbone.layers if layer.weights and not layer.trainable_weights}
    assert frozen == {"Conv", "expanded_conv", "expanded_conv_1", "expanded_conv_2", "expanded_conv_3"}
    before = [weight.numpy() for weight in backbone.get_layer("expanded_conv_3").weights]
    backbone(tf.random.stateless_normal([2, 64, 96, 3], [1, 2]), training=True)
    for weight, old in zip(backbone.get_layer("expanded_conv_3").weights, before, strict=True):
        assert np.array_equal(weight.numpy(), old)
    moved = backbone.get_layer("expanded_conv_4").non_trainable_weights
    assert any(np.abs(weight.numpy() - ("variance" in weight.name)).max() > 1e-4 for weight in moved)


@pytest.mark.filterwarnings("error")
def test_no_two_blocks_begin_with_the_same_weights():
    backbone = build_backbone(_config("MobileNetV1", depth_multiplier=0.25))
    kernels = [backbone.get_layer(f"Conv2d_{index}")._conv1.kernel.numpy() for index in (7, 8, 9)]
    assert not np.allclose(kernels[0], kernels[1])
    assert not np.allclose(kernels[1], kernels[2])
