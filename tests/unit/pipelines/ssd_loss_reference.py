"""The loss of the TF Object Detection API written a second time: plain loops over numpy, one picture after another.

It shares no code with `pipelines`. Rules: research into the OD API's target assigner, argmax matcher, box coder,
weighted sigmoid and smooth L1 losses, and hard example miner.
"""

import math

import numpy as np


def reference_loss(encodings, logits, boxes, classes, anchors, rules):
    """Return ``(classification, localization, num_positives, num_negatives kept)`` of a batch."""
    total_class = total_box = 0.0
    positives_of_batch = kept_negatives = 0
    for picture in range(len(encodings)):
        truth = [
            (box, int(label)) for box, label in zip(boxes[picture], classes[picture], strict=True) if int(label) > 0
        ]
        answer = _assign(truth, anchors, rules)
        class_loss = np.zeros(len(anchors))
        box_loss = np.zeros(len(anchors))
        for index, anchor in enumerate(anchors):
            if answer[index] is None:
                continue
            target = np.zeros(logits.shape[-1])
            if answer[index] >= 0:
                box, label = truth[answer[index]]
                target[label] = 1.0
                box_loss[index] = _localization(encodings[picture, index], _codes(box, anchor), rules)
            elif not rules["background_as_zeros"]:
                target[0] = 1.0
            class_loss[index] = _classification(logits[picture, index], target, rules)
        is_positive = [one is not None and one >= 0 for one in answer]
        is_negative = [one is not None and one < 0 for one in answer]
        positives_of_batch += sum(is_positive)
        kept = range(len(anchors))
        if rules["miner"]:
            predicted = [_decoded(encodings[picture, index], anchors[index]) for index in range(len(anchors))]
            kept = _mine(class_loss, predicted, is_positive, is_negative, rules)
        total_class += sum(class_loss[index] for index in kept)
        total_box += sum(box_loss[index] for index in kept)
        kept_negatives += sum(is_negative[index] for index in kept)
    norm = max(positives_of_batch, 1)
    return total_class / norm, total_box / norm, positives_of_batch, kept_negatives


def _assign(truth, anchors, rules):
    """For each anchor: the number of its box, -1 for background, None for ignored."""
    answer = []
    overlaps = np.array([[_iou(box, anchor) for anchor in anchors] for box, _ in truth]).reshape(
        len(truth), len(anchors)
    )
    for index in range(len(anchors)):
        best, best_iou = -1, -1.0
        for number in range(len(truth)):
            if overlaps[number, index] > best_iou:
                best, best_iou = number, overlaps[number, index]
        if best >= 0 and best_iou >= rules["matched"]:
            answer.append(best)
        elif best_iou < rules["unmatched"]:
            answer.append(-1)
        else:
            answer.append(None)
    order = range(len(truth)) if rules["last_box_wins"] else reversed(range(len(truth)))
    for number in order:  # a later one overwrites
        answer[int(np.argmax(overlaps[number]))] = number
    return answer


def _mine(losses, predicted, is_positive, is_negative, rules):
    survivors = sorted(range(len(losses)), key=lambda index: (-losses[index], index))
    if rules["nms_iou"] < 1.0:
        chosen = []
        for index in survivors:
            if all(_iou(predicted[index], predicted[other]) <= rules["nms_iou"] for other in chosen):
                chosen.append(index)
        survivors = chosen
    survivors = survivors[: rules["num_hard_examples"] or None]
    positives = [index for index in survivors if is_positive[index]]
    negatives = [index for index in survivors if is_negative[index]]
    allowed = max(int(rules["ratio"] * len(positives)), rules["min_negatives"])
    return positives + negatives[:allowed]


def _classification(logits, target, rules):
    total = 0.0
    for logit, wanted in zip(logits.astype(np.float64), target, strict=True):
        probability = 1 / (1 + math.exp(-logit))
        entropy = -wanted * math.log(probability) - (1 - wanted) * math.log(1 - probability)
        if rules["focal"] is not None:
            alpha, gamma = rules["focal"]
            right = probability if wanted else 1 - probability
            entropy *= (alpha if wanted else 1 - alpha) * (1 - right) ** gamma
        total += entropy
    return total


def _localization(codes, wanted, rules):
    parts = []
    for one, other in zip(codes.astype(np.float64), wanted, strict=True):
        error, delta = abs(one - other), rules["delta"]
        parts.append(0.5 * error**2 if error <= delta else delta * (error - 0.5 * delta))
    return sum(parts) / (4 if rules["mean_of_codes"] else 1)


def _codes(box, anchor):
    y, x, height, width = _center(box)
    anchor_y, anchor_x, anchor_height, anchor_width = _center(anchor)
    return (
        10 * (y - anchor_y) / anchor_height,
        10 * (x - anchor_x) / anchor_width,
        5 * math.log(height / anchor_height),
        5 * math.log(width / anchor_width),
    )


def _decoded(codes, anchor):
    anchor_y, anchor_x, anchor_height, anchor_width = _center(anchor)
    ty, tx, th, tw = (float(code) for code in codes)
    y, x = ty / 10 * anchor_height + anchor_y, tx / 10 * anchor_width + anchor_x
    height, width = math.exp(th / 5) * anchor_height, math.exp(tw / 5) * anchor_width
    return y - height / 2, x - width / 2, y + height / 2, x + width / 2


def _center(box):
    ymin, xmin, ymax, xmax = (float(edge) for edge in box)
    return (ymin + ymax) / 2, (xmin + xmax) / 2, ymax - ymin, xmax - xmin


def _iou(one, other):
    height = min(one[2], other[2]) - max(one[0], other[0])
    width = min(one[3], other[3]) - max(one[1], other[1])
    if height <= 0 or width <= 0:
        return 0.0
    union = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - height * width
    return float(height * width / union)
