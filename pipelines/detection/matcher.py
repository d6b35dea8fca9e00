"""Which anchor answers for which ground-truth box: the OD API's argmax matcher with forced matches."""

from typing import Any, NamedTuple

import tensorflow as tf


class Matches(NamedTuple):
    """The answer of `match`, for a batch of ``b`` pictures and ``n`` anchors.

    Attributes:
        row: int32 ``(b, n)``, index of the ground-truth box of each anchor; meaningless where not positive.
        positive: bool ``(b, n)``, the anchor answers for a box.
        negative: bool ``(b, n)``, the anchor is background. An anchor that is neither is ignored.
    """

    row: Any
    positive: Any
    negative: Any


def pairwise_iou(boxes: Any, anchors: Any) -> Any:
    """Intersection over union of every box with every anchor.

    Args:
        boxes: ``(b, m, 4)``, ``ymin xmin ymax xmax``.
        anchors: ``(n, 4)``, same order.

    Returns:
        ``(b, m, n)`` in ``[0, 1]``; 0 where the union is empty.
    """
    boxes = boxes[:, :, None, :]
    anchors = anchors[None, None, :, :]
    top_left = tf.maximum(boxes[..., :2], anchors[..., :2])
    bottom_right = tf.minimum(boxes[..., 2:], anchors[..., 2:])
    overlap = tf.reduce_prod(tf.maximum(bottom_right - top_left, 0.0), axis=-1)
    area_of_boxes = tf.reduce_prod(boxes[..., 2:] - boxes[..., :2], axis=-1)
    area_of_anchors = tf.reduce_prod(anchors[..., 2:] - anchors[..., :2], axis=-1)
    return tf.math.divide_no_nan(overlap, area_of_boxes + area_of_anchors - overlap)


def match(
    boxes: Any,
    valid: Any,
    anchors: Any,
    *,
    matched_threshold: float = 0.5,
    unmatched_threshold: float = 0.5,
    last_box_wins: bool = False,
) -> Matches:
    """Give each anchor its best box where they overlap enough, and each box at least its best anchor.

    Args:
        boxes: ``(b, m, 4)`` ground truth, normalised ``ymin xmin ymax xmax``, padded to ``m >= 1`` rows.
        valid: bool ``(b, m)``, which rows are boxes and not padding. A picture without boxes has no positive anchor.
        anchors: ``(n, 4)``.
        matched_threshold: An anchor is positive from this IoU on.
        unmatched_threshold: An anchor is negative below this IoU; in between it is ignored.
        last_box_wins: Where two boxes claim one anchor as their best, the later box gets it (the OD API of 2017)
            instead of the earlier (since then).
    """
    iou = tf.where(valid[:, :, None], pairwise_iou(boxes, anchors), -1.0)
    best_row = tf.argmax(iou, axis=1, output_type=tf.int32)
    best_iou = tf.reduce_max(iou, axis=1)

    num_anchors = tf.shape(anchors)[0]
    claims = tf.one_hot(tf.argmax(iou, axis=2), num_anchors, on_value=True, off_value=False, dtype=tf.bool)
    claims = tf.logical_and(claims, valid[:, :, None])
    claimed = tf.reduce_any(claims, axis=1)
    if last_box_wins:
        from_the_end = tf.argmax(tf.cast(claims[:, ::-1], tf.int32), axis=1, output_type=tf.int32)
        claiming_row = tf.shape(boxes)[1] - 1 - from_the_end
    else:
        claiming_row = tf.argmax(tf.cast(claims, tf.int32), axis=1, output_type=tf.int32)

    positive = tf.logical_or(claimed, best_iou >= matched_threshold)
    negative = tf.logical_and(tf.logical_not(positive), best_iou < unmatched_threshold)
    return Matches(tf.where(claimed, claiming_row, best_row), positive, negative)
