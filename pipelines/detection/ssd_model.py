"""SSD MobileNet detectors: backbone, feature maps, predictors, anchors; and detections out of what they give."""

from typing import Any

import tensorflow as tf
import tf_keras

from pipelines.detection import anchors as anchor_grid
from pipelines.detection import box_coder, box_predictors, feature_maps
from pipelines.detection.backbones import build_backbone
from pipelines.detection.ssd_config import SSDDetections, SSDModel
from pipelines.detection.trained_variables import trained


def build_ssd_model(config: SSDModel, *, num_classes: int) -> tf_keras.Model:
    """Build the network.

    Args:
        config: Backbone, maps, predictors, anchors.
        num_classes: Number of classes without background.

    Returns:
        A functional model from pictures ``(b, height, width, 3)`` in ``[-1, 1]`` to a dict of ``box_encodings``
        ``(b, n, 4)`` and ``class_logits`` ``(b, n, num_classes + 1)`` (column 0 is background). It carries the
        attribute ``anchors``, float32 ``(n, 4)``.
    """
    if config.network == "retinanet_mobile":
        from pipelines.detection.retinanet_model import build_retinanet_mobile

        return build_retinanet_mobile(config, num_classes=num_classes)
    height, width = config.input_size
    images = tf_keras.Input((height, width, 3), name="images")
    endpoints = build_backbone(config)(images)
    if config.fpn.enabled:
        maps = feature_maps.pyramid_feature_maps(endpoints, config)
    else:
        maps = feature_maps.ssd_feature_maps(endpoints, config)
    map_sizes = [(int(feature_map.shape[1]), int(feature_map.shape[2])) for feature_map in maps]
    anchors, boxes_per_place = _anchors(map_sizes, config)
    if config.fpn.enabled:
        encodings, logits = box_predictors.shared_predictor(maps, boxes_per_place[0], num_classes, config)
    else:
        encodings, logits = box_predictors.convolutional_predictor(maps, boxes_per_place, num_classes, config)
    outputs = {
        # float32 also where a mixed precision policy computes the rest in 16 bits.
        "box_encodings": tf_keras.layers.Concatenate(axis=1, name="box_encodings", dtype="float32")(encodings),
        "class_logits": tf_keras.layers.Concatenate(axis=1, name="class_logits", dtype="float32")(logits),
    }
    model = tf_keras.Model(images, outputs, name="ssd_mobilenet")
    model.anchors = anchors
    if config.batch_norm.freeze:
        for layer in _all_layers(model):
            if isinstance(layer, tf_keras.layers.BatchNormalization):
                layer.trainable = False
    return model


def _anchors(map_sizes: list[tuple[int, int]], config: SSDModel) -> tuple[anchor_grid.FloatArray, list[int]]:
    """Return the anchors, and how many stand at each place of each map."""
    height, width = config.input_size
    wanted = config.anchors
    if wanted.generator == "multiscale":
        anchors = anchor_grid.multiscale_anchors(
            map_sizes,
            min_level=config.fpn.min_level if config.fpn.enabled else 4,
            anchor_scale=wanted.anchor_scale,
            aspect_ratios=wanted.aspect_ratios,
            scales_per_octave=wanted.scales_per_octave,
            image_height=height,
            image_width=width,
        )
        return anchors, [len(wanted.aspect_ratios) * wanted.scales_per_octave] * len(map_sizes)
    specs = anchor_grid.box_specs(
        len(map_sizes),
        min_scale=wanted.min_scale,
        max_scale=wanted.max_scale,
        aspect_ratios=wanted.aspect_ratios,
        interpolated_scale_aspect_ratio=wanted.interpolated_scale_aspect_ratio,
        # One predictor for all levels wants as many boxes on each.
        reduce_boxes_in_lowest_layer=wanted.reduce_boxes_in_lowest_layer and not config.fpn.enabled,
        interpolated_box_second=wanted.interpolated_box_second,
    )
    anchors = anchor_grid.ssd_anchors(map_sizes, specs, image_height=height, image_width=width)
    return anchors, [len(layer) for layer in specs]


def folded_parameter_count(model: tf_keras.Model) -> int:
    """Count parameters as a deployed model has them: batch normalisation folded into one bias a channel."""
    batch_norms = [layer for layer in _all_layers(model) if isinstance(layer, tf_keras.layers.BatchNormalization)]
    # One stays without weights: the first bottleneck of MobileNet v2 does not expand.
    folded = sum(int(layer.gamma.shape[0]) * 3 for layer in batch_norms if layer.built)
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


def l2_loss(model: tf_keras.Model) -> Any:
    """Return the sum of ``w^2 / 2`` over the trained kernels: convolutions, depthwise ones, predictors.

    TFM hands its regulariser to the depthwise layers under a name they ignore, so the sum is taken here.
    """
    kernels = [weight for weight in trained(model) if "kernel" in weight.name]
    return tf.add_n([tf.nn.l2_loss(kernel) for kernel in kernels]) if kernels else tf.constant(0.0)


def _all_layers(model: tf_keras.Model) -> list[Any]:
    return list(model._flatten_layers(include_self=False, recursive=True))
