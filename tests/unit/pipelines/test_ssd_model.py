"""The network: its shapes, its size to the last weight, and what becomes of its outputs."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.detection import box_coder, ssd_model
from pipelines.detection.ssd_config import SSDBackbone, SSDBatchNorm, SSDDetections, SSDHead, SSDModel

pytestmark = pytest.mark.tf

SMALL = SSDModel(input_size=[96, 96], backbone=SSDBackbone(depth_multiplier=0.25), head=SSDHead(num_layers=4))


@pytest.fixture(scope="module")
def coco_model():
    """The model of ssd_mobilenet_v1_coco: 90 classes."""
    return ssd_model.build_ssd_model(SSDModel(), num_classes=90)


@pytest.fixture(scope="module")
def small_model():
    return ssd_model.build_ssd_model(SMALL, num_classes=2)


def test_the_parameters_are_those_of_ssd_mobilenet_v1_coco(coco_model):
    assert ssd_model.folded_parameter_count(coco_model) == 6_807_167
    assert coco_model.count_params() == 6_845_183
    trainable = sum(int(np.prod(weight.shape)) for weight in coco_model.trainable_weights)
    assert trainable == 6_819_839


def test_the_outputs_have_a_row_for_each_of_1917_anchors(coco_model):
    assert coco_model.output["box_encodings"].shape.as_list() == [None, 1917, 4]
    assert coco_model.output["class_logits"].shape.as_list() == [None, 1917, 91]
    assert coco_model.anchors.shape == (1917, 4)


def test_the_anchors_are_those_of_the_object_detection_api(coco_model, shared_data):
    reference = np.load(shared_data / "weights" / "ssd_mobilenet_v1_tf1" / "reference.npz")["anchors"]
    assert np.abs(coco_model.anchors - reference).max() < 1e-6


def test_the_feature_maps_are_those_of_the_paper(coco_model):
    rows = [layer for layer in coco_model.layers if layer.name.startswith("box_") and layer.name.endswith("_rows")]
    assert [layer.output.shape[1] for layer in rows] == [1083, 600, 150, 54, 24, 6]
    inputs = [coco_model.get_layer(f"box_{index}_predictor").input.shape.as_list()[1:] for index in range(6)]
    assert inputs == [[19, 19, 512], [10, 10, 1024], [5, 5, 512], [3, 3, 256], [2, 2, 256], [1, 1, 128]]


def test_outputs_are_ordered_by_place_and_then_by_box(small_model):
    """Rows of the output belong to the anchors of the same rows: marked by the bias of one box of one map."""
    head = small_model.get_layer("box_1_predictor")
    before = head.bias.numpy()
    marked = before.copy()
    marked[2 * 4 + 3] = 50.0  # the code tw of the third box of each place
    head.bias.assign(marked)
    encodings = small_model(tf.zeros([1, 96, 96, 3]), training=False)["box_encodings"].numpy()[0]
    head.bias.assign(before)
    rows = np.flatnonzero(encodings[:, 3] > 25)
    first_map = 6 * 6 * 3
    assert rows.tolist() == [first_map + place * 6 + 2 for place in range(3 * 3)]
    widths = small_model.anchors[rows, 3] - small_model.anchors[rows, 1]
    heights = small_model.anchors[rows, 2] - small_model.anchors[rows, 0]
    assert widths / heights == pytest.approx(np.full(9, 0.5), rel=1e-5)  # the third box has ratio 0.5


@pytest.mark.parametrize(("layers", "size"), [(1, [96, 96]), (3, [64, 128]), (7, [96, 96])])
def test_any_number_of_maps_and_any_shape(layers, size):
    config = SSDModel(input_size=size, backbone=SSDBackbone(depth_multiplier=0.25), head=SSDHead(num_layers=layers))
    model = ssd_model.build_ssd_model(config, num_classes=1)
    assert model.output["class_logits"].shape[1:] == (len(model.anchors), 2)


def test_the_bias_of_the_class_predictors_can_be_set():
    config = SSDModel(
        input_size=[64, 64], backbone=SSDBackbone(depth_multiplier=0.25),
        head=SSDHead(num_layers=2, class_prediction_bias_init=-4.6),
    )  # fmt: skip
    model = ssd_model.build_ssd_model(config, num_classes=1)
    assert model.get_layer("class_1_predictor").bias.numpy() == pytest.approx(np.full(12, -4.6))
    assert model.get_layer("box_1_predictor").bias.numpy() == pytest.approx(np.zeros(24))


def test_a_frozen_backbone_and_frozen_statistics_do_not_train():
    frozen = SSDModel(
        input_size=[64, 64], backbone=SSDBackbone(depth_multiplier=0.25, freeze=True), head=SSDHead(num_layers=3)
    )
    model = ssd_model.build_ssd_model(frozen, num_classes=1)
    assert not model.get_layer("backbone").trainable_weights
    assert {weight.name.split("_")[0] for weight in model.trainable_weights} == {"extra", "box", "class"}

    still = SSDModel(
        input_size=[64, 64], backbone=SSDBackbone(depth_multiplier=0.25), batch_norm=SSDBatchNorm(freeze=True),
        head=SSDHead(num_layers=3),
    )  # fmt: skip
    model = ssd_model.build_ssd_model(still, num_classes=1)
    assert not [weight.name for weight in model.trainable_weights if "gamma" in weight.name or "beta" in weight.name]
    before = [weight.numpy() for weight in model.non_trainable_weights]
    model(tf.random.stateless_normal([2, 64, 64, 3], [1, 2]), training=True)
    for weight, old in zip(model.non_trainable_weights, before, strict=True):
        assert np.array_equal(weight.numpy(), old)


def test_weight_decay_counts_every_kernel_and_nothing_else(small_model):
    kernels = [
        weight.numpy() for weight in small_model.trainable_weights
        if not any(word in weight.name for word in ("gamma", "beta", "bias"))
    ]  # fmt: skip
    assert len(kernels) == 1 + 13 * 2 + 2 * 2 + 4 * 2
    expected = sum(float((kernel.astype(np.float64) ** 2).sum()) / 2 for kernel in kernels)
    assert float(ssd_model.l2_loss(small_model)) == pytest.approx(expected, rel=1e-5)


# --- post-processing ------------------------------------------------------------------------------------------------

ANCHORS = np.array(
    [[0.1, 0.1, 0.4, 0.4], [0.12, 0.1, 0.42, 0.4], [0.6, 0.6, 0.9, 0.9], [0.7, -0.3, 1.2, 0.2]], np.float32
)


def _detect(scores, boxes=ANCHORS, **options):
    """Detect with given scores ``(n, classes)``; the background column is loud to show that it is dropped."""
    scores = np.clip(np.asarray(scores, np.float64), 1e-12, 1 - 1e-6)
    logits = np.concatenate([np.full((len(scores), 1), 9.0), np.log(scores / (1 - scores))], axis=1)
    outputs = {
        "box_encodings": box_coder.encode(boxes, ANCHORS)[None],
        "class_logits": tf.constant(logits[None], tf.float32),
    }
    found = ssd_model.detect(outputs, tf.constant(ANCHORS), SSDDetections(**options))
    return {key: value.numpy()[0] for key, value in found.items()}


def test_detections_come_best_first_with_class_ids_from_1():
    found = _detect([[0.3, 0.1], [0.05, 0.02], [0.2, 0.9], [0.0, 0.0]], score_threshold=0.15)
    assert found["num_detections"] == 3
    assert found["detection_classes"][:4].tolist() == [2.0, 1.0, 1.0, 0.0]
    assert found["detection_scores"][:4] == pytest.approx([0.9, 0.3, 0.2, 0.0], abs=1e-5)
    assert found["detection_boxes"][:2] == pytest.approx(ANCHORS[[2, 0]], abs=1e-5)
    assert found["detection_boxes"].shape == (100, 4)
    assert not found["detection_boxes"][3:].any()


def test_of_two_overlapping_detections_of_a_class_the_weaker_goes_and_of_two_classes_both_stay():
    # Anchors 0 and 1 overlap by 0.28 / 0.32 = 0.875.
    assert _detect([[0.8], [0.7], [0, ], [0, ]], score_threshold=0.1)["num_detections"] == 1  # fmt: skip
    assert _detect([[0.8], [0.7], [0], [0]], score_threshold=0.1, iou_threshold=0.9)["num_detections"] == 2
    assert _detect([[0.8, 0], [0, 0.7], [0, 0], [0, 0]], score_threshold=0.1)["num_detections"] == 2


def test_boxes_are_clipped_to_the_picture():
    found = _detect([[0], [0], [0], [0.9]], score_threshold=0.5)
    assert found["detection_boxes"][0] == pytest.approx([0.7, 0.0, 1.0, 0.2], abs=1e-5)


def test_a_box_outside_the_picture_is_no_detection():
    outside = ANCHORS.copy()
    outside[3] = [1.05, 0.2, 1.3, 0.5]
    found = _detect([[0.3], [0], [0], [0.9]], outside, score_threshold=0.2, max_total=1)
    assert found["num_detections"] == 1
    assert found["detection_scores"].tolist() == [pytest.approx(0.3, abs=1e-5)]


def test_limits_a_class_and_a_picture():
    scores = [[0.8, 0.7], [0, 0], [0.6, 0.5], [0.4, 0.3]]
    assert _detect(scores, max_per_class=1, score_threshold=0.1)["num_detections"] == 2
    found = _detect(scores, max_total=3, score_threshold=0.1)
    assert found["num_detections"] == 3
    assert found["detection_scores"] == pytest.approx([0.8, 0.7, 0.6], abs=1e-5)
