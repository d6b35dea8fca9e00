"""Inception-ResNet: shapes after every stage, what a residual block computes, what learns, what is refused."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from pipelines.classification.networks.inception_resnet import InceptionResNet

pytestmark = pytest.mark.tf

SMALL = InceptionResNet(widths=[8, 16, 24], depths=[1, 1, 1], branches=[4, 6, 6])
RESIDUAL = {"stem": "residual"}
VARIANTS = [{}, RESIDUAL, {"stem_stride": 4}, {"block_a": "two_branches"}, {"block_a": "seven"}, {"block_b": "three"}]


def _small(**changes):
    return dataclasses.replace(SMALL, **changes)


def _shapes(model, *names):
    return [tuple(model.get_layer(name).output.shape[1:]) for name in names]


STAGES = ("block_a_1/add", "reduction_a/joined", "block_b_1/add", "reduction_b/joined", "block_c_1/add", "pooled")


@pytest.mark.parametrize(
    ("changes", "stem", "sides"),
    [
        ({}, "stem/conv_6", (36, 17, 8)),
        ({"stem_stride": 4}, "stem/conv_6", (17, 8, 3)),
        (RESIDUAL, "stem/add", (43, 21, 10)),
    ],
    ids=["plain", "twice", "residual"],
)
def test_shapes_after_every_stage_of_a_drawing_of_85_pixels(changes, stem, sides):
    model = _small(**changes).build((85, 85, 1), 5)
    a, b, c = ((side, side, width) for side, width in zip(sides, SMALL.widths, strict=True))
    assert _shapes(model, stem, *STAGES) == [a, a, b, b, c, c, (24,)]
    assert model.output_shape == (None, 5)
    assert model.output.dtype == tf.float32


def test_the_plain_stem_shrinks_step_by_step_as_the_source_does():
    model = InceptionResNet(widths=[384, 1152, 2304], depths=[0, 0, 0]).build((85, 85, 1), 20)
    steps = _shapes(model, *(f"stem/conv_{number}" for number in range(1, 7)))
    assert steps == [(83, 83, 32), (81, 81, 32), (40, 40, 64), (40, 40, 80), (38, 38, 192), (36, 36, 384)]


def test_the_blocks_of_e2_7_have_the_published_branches():
    model = InceptionResNet(depths=[1, 1, 1]).build((85, 85, 1), 53)

    def kernels(block):
        convolutions = [layer for layer in model.layers if layer.name.startswith(block) and "kernel_size" in dir(layer)]
        return {
            layer.name.removeprefix(f"{block}/"): (*layer.kernel_size, layer.filters)
            for layer in convolutions
            if not isinstance(layer, tf_keras.layers.MaxPooling2D)
        }

    assert kernels("block_a_1") == {
        "branch_1/conv_1": (1, 1, 32),
        "branch_2/conv_1": (1, 1, 32),
        "branch_2/conv_2": (3, 3, 32),
        "branch_3/conv_1": (1, 1, 32),
        "branch_3/conv_2": (3, 3, 32),
        "branch_3/conv_3": (3, 3, 32),
        "up": (1, 1, 64),
    }
    assert kernels("block_b_1") == {
        "branch_1/conv_1": (1, 1, 128),
        "branch_2/conv_1": (1, 1, 128),
        "branch_2/conv_2": (1, 7, 128),
        "branch_2/conv_3": (7, 1, 128),
        "up": (1, 1, 256),
    }
    assert kernels("block_c_1")["branch_2/conv_2"] == (1, 3, 192)
    assert kernels("reduction_a") == {
        "branch_1/conv_1": (3, 3, 128),
        "branch_2/conv_1": (1, 1, 64),
        "branch_2/conv_2": (3, 3, 64),
        "branch_2/conv_3": (3, 3, 64),
    }
    assert {name: filters for name, (*_, filters) in kernels("reduction_b").items()} == {
        "branch_1/conv_1": 96,
        "branch_1/conv_2": 96,
        "branch_2/conv_1": 64,
        "branch_2/conv_2": 64,
        "branch_3/conv_1": 64,
        "branch_3/conv_2": 64,
        "branch_3/conv_3": 64,
    }


@pytest.mark.parametrize("stage", ["a", "b", "c"])
def test_a_block_adds_its_scaled_branches_to_what_it_was_given(stage):
    model = _small(residual_scales=[0.5, 0.25, 2.0]).build((45, 45, 1), 3)
    name = f"block_{stage}_1"
    before, added = (model.get_layer(f"{name}/add").input[0], model.get_layer(f"{name}/up").output)
    parts = tf_keras.Model(model.input, [before, added, model.get_layer(f"{name}/add").output])
    given, branches, result = parts(tf.random.stateless_uniform((2, 45, 45, 1), (1, 2)))
    assert np.abs(branches).max() > 0
    np.testing.assert_allclose(result, given + {"a": 0.5, "b": 0.25, "c": 2.0}[stage] * branches, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("changes", [*VARIANTS, {"batch_norm": True}], ids=str)
def test_every_variable_learns(changes):
    model = _small(**changes, dropout=0.1).build((45, 45, 1), 3)
    # In so narrow a network chance can leave a whole ReLU without input above 0; nothing learns behind that.
    model.set_weights([np.abs(weights) for weights in model.get_weights()])
    images = tf.random.stateless_uniform((4, 45, 45, 1), (3, 4))
    with tf.GradientTape() as tape:
        logits = model(images, training=True)
        loss = tf.reduce_mean(tf_keras.losses.sparse_categorical_crossentropy([0, 1, 2, 0], logits, from_logits=True))
    still = [
        variable.name
        for variable, gradient in zip(
            model.trainable_variables, tape.gradient(loss, model.trainable_variables), strict=True
        )
        if gradient is None or not np.isfinite(gradient).all() or not np.any(gradient)
    ]
    assert not still


def test_batch_norm_stands_behind_every_convolution_but_the_last_of_a_block():
    model = _small(batch_norm=True, norm_momentum=0.9, norm_epsilon=0.01).build((45, 45, 1), 3)
    norms = [layer for layer in model.layers if isinstance(layer, tf_keras.layers.BatchNormalization)]
    convolutions = [layer.name for layer in model.layers if isinstance(layer, tf_keras.layers.Conv2D)]
    assert {layer.name for layer in norms} == {f"{name}/norm" for name in convolutions if not name.endswith("/up")}
    assert {(layer.momentum, layer.epsilon) for layer in norms} == {(0.9, 0.01)}
    plain = _small().build((45, 45, 1), 3)
    assert not any(isinstance(layer, tf_keras.layers.BatchNormalization) for layer in plain.layers)


@pytest.mark.parametrize("changes", [{}, {"stem_stride": 4}, RESIDUAL], ids=str)
def test_the_smallest_picture_leaves_one_pixel_and_a_smaller_one_is_refused(changes):
    config = _small(depths=[0, 0, 0], **changes)
    side = config.smallest_side()
    model = config.build((side, side + 1, 3), 2)
    assert _shapes(model, "reduction_b/joined") == [(1, 1, 24)]
    with pytest.raises(ValueError, match=f"needs pictures of {side} px a side or more, not {side + 3}x{side - 1}"):
        config.build((side + 3, side - 1, 3), 2)


def test_other_widths_share_out_what_the_reductions_add():
    config = InceptionResNet(widths=[10, 40, 90])
    assert config.impossible() is None
    assert config.reduction_branches() == ([20, 10], [22, 14, 14])
    assert InceptionResNet().reduction_branches() == ([128, 64], [96, 64, 64])
    assert InceptionResNet(widths=[1, 6, 11], depths=[1, 1, 1]).build((85, 85, 1), 2).count_params() > 0


@pytest.mark.parametrize(
    ("key", "value", "must_be"),
    [
        ("widths", [64, 256], "three numbers"),
        ("widths", [64, 68, 480], "larger than the one before by 5"),
        ("widths", [0, 256, 480], "three numbers"),
        ("depths", [5, -1, 5], "0 or more"),
        ("depths", [5, 10], "three numbers"),
        ("branches", [32, 0, 192], "three numbers"),
        ("reduction_a", [128, 65], "2 numbers that add up to 192"),
        ("reduction_b", [96, 128], "3 numbers that add up to 224"),
        ("reduction_b", [224, 0, 0], "3 numbers"),
        ("residual_scales", [0.1, 0.1], "three numbers above 0"),
        ("residual_scales", [0.1, 0.1, 0.0], "three numbers above 0"),
        ("stem", "v2", "one of plain, residual"),
        ("stem_stride", 3, "2 or 4 with the plain stem"),
        ("block_a", "A1", "one of three_branches, two_branches, seven"),
        ("block_b", "B1", "one of seven, three"),
        ("dropout", 1.0, "below 1"),
        ("norm_momentum", 1.0, "below 1"),
        ("norm_epsilon", 0.0, "above 0"),
    ],
)
def test_what_cannot_be_built_is_named(key, value, must_be):
    found, words = InceptionResNet(**{key: value}).impossible()
    assert found == key
    assert must_be in words
    assert InceptionResNet().impossible() is None


def test_the_residual_stem_shrinks_by_two_only():
    assert InceptionResNet(stem="residual", stem_stride=4).impossible() == (
        "stem_stride",
        "must be 2 with the residual stem",
    )
