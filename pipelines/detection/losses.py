"""The SSD loss: sigmoid or focal classification, Huber localisation, hard-example mining."""

from typing import Any, NamedTuple

import tensorflow as tf

from pipelines.detection import box_coder, matcher, replicas
from pipelines.detection.ssd_config import SSDLosses


class SSDLossTerms(NamedTuple):
    """Scalars of one batch, float32: the two losses as they are minimised, and what the miner kept."""

    classification: Any
    localization: Any
    num_positives: Any
    num_negatives: Any


def ssd_loss(
    outputs: dict[str, Any], boxes: Any, classes: Any, anchors: Any, config: SSDLosses, *, num_classes: int
) -> SSDLossTerms:
    """Compare the network's outputs with the ground truth of a batch.

    Args:
        outputs: ``box_encodings`` ``(b, n, 4)`` and ``class_logits`` ``(b, n, num_classes + 1)``, column 0 background.
        boxes: ``(b, m, 4)`` normalised ``ymin xmin ymax xmax``, ``m`` may be 0; padding rows have class 0.
        classes: int ``(b, m)``, ids from 1 to ``num_classes``, 0 for padding.
        anchors: ``(n, 4)``.
        config: Weights, miner and matcher.
        num_classes: Number of classes without background.

    Returns:
        The weighted losses, both divided by the number of positive anchors of the batch (at least 1, counted before
        mining, as the OD API does). Where replicas share the batch, the mean of their losses is that of the batch.
    """
    # One row of padding at least: a batch without any box has no row to take the argmax over.
    boxes = tf.pad(boxes, [[0, 0], [0, 1], [0, 0]])
    classes = tf.pad(classes, [[0, 0], [0, 1]])
    matches = matcher.match(
        boxes,
        classes > 0,
        anchors,
        matched_threshold=config.matched_threshold,
        unmatched_threshold=config.unmatched_threshold,
        last_box_wins=config.last_box_wins,
    )
    positive = tf.cast(matches.positive, tf.float32)
    matched_boxes = tf.gather(boxes, matches.row, batch_dims=1)
    matched_classes = tf.where(matches.positive, tf.gather(classes, matches.row, batch_dims=1), 0)

    location_targets = tf.where(matches.positive[..., None], box_coder.encode(matched_boxes, anchors), 0.0)
    location = _huber(outputs["box_encodings"] - location_targets, config.huber_delta) * positive[..., None]
    location = tf.reduce_mean(location, -1) if config.normalize_by_code_size else tf.reduce_sum(location, -1)

    targets = tf.one_hot(matched_classes, num_classes + 1, dtype=tf.float32)
    if config.background_as_zeros:
        targets = tf.concat([tf.zeros_like(targets[..., :1]), targets[..., 1:]], axis=-1)
    classification = _classification_loss(outputs["class_logits"], targets, config)
    classification *= tf.cast(tf.logical_or(matches.positive, matches.negative), tf.float32)

    if config.miner.enabled:
        keep = mine_hard_examples(
            tf.stop_gradient(classification),
            matches,
            tf.stop_gradient(box_coder.decode(outputs["box_encodings"], anchors)),
            num_hard_examples=config.miner.num_hard_examples,
            iou_threshold=config.miner.iou_threshold,
            max_negatives_per_positive=config.miner.max_negatives_per_positive,
            min_negatives_per_image=config.miner.min_negatives_per_image,
        )
        kept = tf.cast(keep, tf.float32)
        location, classification = location * kept, classification * kept
        num_negatives = tf.reduce_sum(kept * (1.0 - positive))
    else:
        num_negatives = tf.reduce_sum(tf.cast(matches.negative, tf.float32))
    num_positives = tf.reduce_sum(positive)
    # Replicas share a batch, and their losses are averaged: each divides by its part of the positives of all.
    num_replicas = tf.distribute.get_strategy().num_replicas_in_sync
    normalizer = tf.maximum(replicas.total_of_replicas(num_positives), 1.0) / num_replicas
    return SSDLossTerms(
        classification=config.classification_weight * tf.reduce_sum(classification) / normalizer,
        localization=config.localization_weight * tf.reduce_sum(location) / normalizer,
        num_positives=num_positives,
        num_negatives=num_negatives,
    )


def mine_hard_examples(
    loss: Any,
    matches: matcher.Matches,
    predicted_boxes: Any,
    *,
    num_hard_examples: int,
    iou_threshold: float,
    max_negatives_per_positive: float,
    min_negatives_per_image: int,
) -> Any:
    """Choose, per picture, the anchors whose losses count.

    Anchors are ranked by loss and thinned by non-maximum suppression over their predicted boxes; of what is left all
    positives stay, and the hardest negatives up to ``max_negatives_per_positive`` for each positive. With no positive
    and ``min_negatives_per_image`` 0 a picture contributes nothing.

    Args:
        loss: ``(b, n)``, the classification loss of each anchor.
        matches: Which anchors are positive or negative.
        predicted_boxes: ``(b, n, 4)``, decoded.
        num_hard_examples: At most this many anchors, the hardest, are looked at; 0 for all.
        iou_threshold: Overlap above which the easier of two predictions drops out; 1 or more leaves this step out.
        max_negatives_per_positive: Ratio; a fraction of a negative is dropped. 0 keeps every negative.
        min_negatives_per_image: At least this many negatives stay, where there are as many.

    Returns:
        bool ``(b, n)``.
    """
    num_anchors = loss.shape[1]
    limit = min(num_hard_examples, num_anchors) if num_hard_examples > 0 else num_anchors
    if iou_threshold < 1.0:
        survives = tf.map_fn(
            lambda pair: _suppression_mask(pair[0], pair[1], limit, iou_threshold),
            (predicted_boxes, loss),
            fn_output_signature=tf.TensorSpec(loss.shape[1:], tf.bool),
        )
    elif limit < num_anchors:
        survives = _rank(loss) < limit
    else:
        survives = tf.ones_like(matches.positive)
    positive = tf.logical_and(matches.positive, survives)
    negative = tf.logical_and(matches.negative, survives)
    if max_negatives_per_positive <= 0:
        return tf.logical_or(positive, negative)
    num_positive = tf.reduce_sum(tf.cast(positive, tf.float32), axis=1)
    allowed = tf.maximum(
        tf.cast(tf.floor(num_positive * max_negatives_per_positive), tf.int32), min_negatives_per_image
    )
    hard_enough = _rank(tf.where(negative, loss, -1.0)) < allowed[:, None]
    return tf.logical_or(positive, tf.logical_and(negative, hard_enough))


def _rank(values: Any) -> Any:
    """Number each row's values from the largest, 0, to the smallest."""
    order = tf.argsort(values, direction="DESCENDING", stable=True, axis=1)
    return tf.argsort(order, axis=1)


def _suppression_mask(boxes: Any, scores: Any, limit: int, iou_threshold: float) -> Any:
    kept = tf.image.non_max_suppression(boxes, scores, limit, iou_threshold)
    ones = tf.ones_like(kept, tf.bool)
    return tf.scatter_nd(kept[:, None], ones, tf.shape(scores))


def _huber(error: Any, delta: float) -> Any:
    absolute = tf.abs(error)
    return tf.where(absolute <= delta, 0.5 * tf.square(error), delta * (absolute - 0.5 * delta))


def _classification_loss(logits: Any, targets: Any, config: SSDLosses) -> Any:
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits)
    if config.classification == "focal":
        # Lin et al. 2017, equation 5, on every column.
        probability = tf.sigmoid(logits)
        of_truth = targets * probability + (1.0 - targets) * (1.0 - probability)
        balance = targets * config.focal_alpha + (1.0 - targets) * (1.0 - config.focal_alpha)
        entropy *= balance * tf.pow(1.0 - of_truth, config.focal_gamma)
    return tf.reduce_sum(entropy, axis=-1)
