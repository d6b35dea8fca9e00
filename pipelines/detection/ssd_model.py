"""SSD MobileNet v1 on TFM's own backbone: extra layers, box predictors, anchors."""

from typing import Any

import tensorflow as tf
import tf_keras
from official.vision.modeling.backbones import mobilenet

from pipelines.detection import anchors as anchor_grid
from pipelines.detection import box_coder
from pipelines.detection.ssd_config import SSDDetections, SSDHead, SSDModel

# Channels of the 3x3 stride-2 convolution of each extra layer; the 1x1 before it has half as many.
_EXTRA_DEPTHS = (512, 256, 256, 128)
# TFM's endpoint names of MobileNetV1: Conv2d_11_pointwise (stride 16) and Conv2d_13_pointwise (stride 32).
_BACKBONE_ENDPOINTS = ("4", "5")


def build_ssd_model(config: SSDModel, *, num_classes: int) -> tf_keras.Model:
    """Build the network.

    Args:
        config: Sizes, depth, anchors.
        num_classes: Number of classes without background.

    Returns:
        A functional model from pictures ``(b, height, width, 3)`` in ``[-1, 1]`` to a dict of ``box_encodings``
        ``(b, n, 4)`` and ``class_logits`` ``(b, n, num_classes + 1)`` (column 0 is background). It carries the
        attribute ``anchors``, float32 ``(n, 4)``.
    """
    height, width = config.input_size
    backbone = mobilenet.MobileNet(
        model_id=config.backbone.model_id,
        filter_size_scale=config.backbone.depth_multiplier,
        input_specs=tf_keras.layers.InputSpec(shape=[None, height, width, 3]),
        norm_momentum=config.batch_norm.momentum,
        norm_epsilon=config.batch_norm.epsilon,
        kernel_initializer=tf_keras.initializers.TruncatedNormal(stddev=0.09),  # slim's MobileNet scope
        name="backbone",
    )
    images = tf_keras.Input((height, width, 3), name="images")
    endpoints = backbone(images)
    maps = [endpoints[name] for name in _BACKBONE_ENDPOINTS][: config.head.num_layers]
    net = maps[-1]
    for index in range(config.head.num_layers - len(maps)):
        net = _extra_layer(net, index, config)
        maps.append(net)

    specs = anchor_grid.box_specs(
        config.head.num_layers,
        min_scale=config.anchors.min_scale,
        max_scale=config.anchors.max_scale,
        aspect_ratios=config.anchors.aspect_ratios,
        interpolated_scale_aspect_ratio=config.anchors.interpolated_scale_aspect_ratio,
        reduce_boxes_in_lowest_layer=config.anchors.reduce_boxes_in_lowest_layer,
        interpolated_box_second=config.anchors.interpolated_box_second,
    )
    encodings, logits = [], []
    for index, (feature_map, boxes) in enumerate(zip(maps, specs, strict=True)):
        encodings.append(_predictor(feature_map, len(boxes), 4, 0.0, f"box_{index}", config.head))
        bias = config.head.class_prediction_bias_init
        logits.append(_predictor(feature_map, len(boxes), num_classes + 1, bias, f"class_{index}", config.head))
    outputs = {
        # float32 also where a mixed precision policy computes the rest in 16 bits.
        "box_encodings": tf_keras.layers.Concatenate(axis=1, name="box_encodings", dtype="float32")(encodings),
        "class_logits": tf_keras.layers.Concatenate(axis=1, name="class_logits", dtype="float32")(logits),
    }
    model = tf_keras.Model(images, outputs, name="ssd_mobilenet_v1")
    model.anchors = anchor_grid.ssd_anchors(
        [(feature_map.shape[1], feature_map.shape[2]) for feature_map in maps],
        specs,
        image_height=height,
        image_width=width,
    )
    if config.backbone.freeze:
        backbone.trainable = False
    if config.batch_norm.freeze:
        for layer in _all_layers(model):
            if isinstance(layer, tf_keras.layers.BatchNormalization):
                layer.trainable = False
    return model


def folded_parameter_count(model: tf_keras.Model) -> int:
    """Count parameters as a deployed model has them: batch normalisation folded into one bias a channel."""
    batch_norms = [layer for layer in _all_layers(model) if isinstance(layer, tf_keras.layers.BatchNormalization)]
    folded = sum(int(layer.gamma.shape[0]) * 3 for layer in batch_norms)
    return int(model.count_params()) - folded


def detect(outputs: dict[str, Any], anchors: Any, config: SSDDetections) -> dict[str, Any]:
    """Turn the network's outputs into detections.

    Decode, sigmoid, drop the background column, non-maximum suppression a class, clip to the picture, drop what lay
    outside it, keep the best.

    Args:
        outputs: What the model gives.
        anchors: ``(n, 4)``.
        config: Thresholds and limits; the outputs have ``max_total`` rows.

    Returns:
        ``detection_boxes`` ``(b, max_total, 4)`` normalised ``ymin xmin ymax xmax`` in ``[0, 1]``,
        ``detection_scores`` and ``detection_classes`` ``(b, max_total)`` (class ids from 1), best first, and
        ``num_detections`` int32 ``(b,)``. Rows after ``num_detections`` are zero.
    """
    boxes = box_coder.decode(outputs["box_encodings"], anchors)
    scores = tf.sigmoid(outputs["class_logits"][..., 1:])
    found = tf.image.combined_non_max_suppression(
        boxes[:, :, None, :],
        scores,
        max_output_size_per_class=config.max_per_class,
        max_total_size=max(config.max_per_class * scores.shape[-1], config.max_total),
        iou_threshold=config.iou_threshold,
        score_threshold=config.score_threshold,
        clip_boxes=True,
    )
    # A box outside the picture has no area after clipping. It goes after the suppression, as in the OD API.
    sizes = found.nmsed_boxes[..., 2:] - found.nmsed_boxes[..., :2]
    present = tf.sequence_mask(found.valid_detections, tf.shape(found.nmsed_scores)[1])
    present = tf.logical_and(present, tf.reduce_all(sizes > 0, axis=-1))
    best, rows = tf.math.top_k(tf.where(present, found.nmsed_scores, -1.0), k=config.max_total)
    taken = best >= 0
    return {
        "detection_boxes": tf.where(taken[..., None], tf.gather(found.nmsed_boxes, rows, batch_dims=1), 0.0),
        "detection_scores": tf.where(taken, best, 0.0),
        "detection_classes": tf.where(taken, tf.gather(found.nmsed_classes, rows, batch_dims=1) + 1.0, 0.0),
        "num_detections": tf.reduce_sum(tf.cast(taken, tf.int32), axis=1),
    }


def _extra_layer(net: Any, index: int, config: SSDModel) -> Any:
    def depth_of(channels: int) -> int:
        return max(int(channels * config.backbone.depth_multiplier), config.head.min_depth)

    depth = depth_of(_EXTRA_DEPTHS[index % len(_EXTRA_DEPTHS)])
    for name, channels, kernel, stride in (
        ("1x1", depth_of(_EXTRA_DEPTHS[index % len(_EXTRA_DEPTHS)] // 2), 1, 1),
        ("3x3_s2", depth, 3, 2),
    ):
        net = tf_keras.layers.Conv2D(
            channels,
            kernel,
            strides=stride,
            padding="same",
            use_bias=False,
            kernel_initializer=tf_keras.initializers.TruncatedNormal(stddev=config.head.init_stddev),
            name=f"extra_{index}_{name}",
        )(net)
        net = tf_keras.layers.BatchNormalization(
            momentum=config.batch_norm.momentum, epsilon=config.batch_norm.epsilon, name=f"extra_{index}_{name}_bn"
        )(net)
        net = tf_keras.layers.ReLU(6.0, name=f"extra_{index}_{name}_relu6")(net)
    return net


def _predictor(net: Any, boxes_a_location: int, columns: int, bias: float, name: str, head: SSDHead) -> Any:
    net = tf_keras.layers.Conv2D(
        boxes_a_location * columns,
        head.kernel_size,
        padding="same",
        kernel_initializer=tf_keras.initializers.TruncatedNormal(stddev=head.init_stddev),
        bias_initializer=tf_keras.initializers.Constant(bias),
        name=f"{name}_predictor",
    )(net)
    return tf_keras.layers.Reshape((-1, columns), name=f"{name}_rows")(net)


def l2_loss(model: tf_keras.Model) -> Any:
    """Return the sum of ``w^2 / 2`` over the trainable kernels: convolutions, depthwise ones, predictors.

    TFM hands its regulariser to the depthwise layers under a name they ignore, so the sum is taken here.
    """
    kernels = [weight for weight in model.trainable_variables if "kernel" in weight.name]
    return tf.add_n([tf.nn.l2_loss(kernel) for kernel in kernels]) if kernels else tf.constant(0.0)


def _all_layers(model: tf_keras.Model) -> list[Any]:
    return list(model._flatten_layers(include_self=False, recursive=True))
