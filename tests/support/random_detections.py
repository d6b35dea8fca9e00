"""Made-up truth and detections of any size, some near the truth and most not, with tied scores."""

import numpy as np

from pipelines.detection_record import DetectionRecord


def random_record(
    seed: int,
    *,
    num_images: int,
    num_classes: int,
    truths: int,
    detections: int,
    crowds: bool = False,
    scores_tell: bool = False,
) -> DetectionRecord:
    """Return ``detections`` a picture of 640x480 and up to twice ``truths`` boxes, classes 1 to ``num_classes``.

    With ``scores_tell``, detections near a box score higher than others; else scores are chance.
    """
    chance, record = np.random.default_rng(seed), DetectionRecord()
    for image_id in range(1, num_images + 1):
        count = int(chance.integers(0, 2 * truths + 1))
        corners, sides = chance.uniform(0, 400, (count, 2)), np.exp(chance.uniform(np.log(8), np.log(240), (count, 2)))
        boxes, classes = np.hstack([corners, sides]), chance.integers(1, num_classes + 1, count)
        record.images.append({"id": image_id, "width": 640, "height": 480})
        for box, class_id in zip(boxes.tolist(), classes.tolist(), strict=True):
            record.annotations.append(
                {
                    "id": len(record.annotations) + 1, "image_id": image_id, "category_id": class_id, "bbox": box,
                    "area": box[2] * box[3] * 0.8, "iscrowd": int(crowds and chance.uniform() < 0.15),
                }
            )  # fmt: skip
        near = np.repeat(np.arange(count), 3)[:detections]
        found = np.hstack([chance.uniform(0, 400, (detections, 2)), chance.uniform(5, 200, (detections, 2))])
        labels = chance.integers(1, num_classes + 1, detections)
        found[: len(near)] = boxes[near] + chance.normal(0, 0.06, (len(near), 4)) * np.tile(sides[near], 2)
        found[: len(near), 2:] = np.maximum(found[: len(near), 2:], 1.0)
        labels[: len(near)] = np.where(chance.uniform(size=len(near)) < 0.9, classes[near], labels[: len(near)])
        scores = np.round(chance.uniform(0, 1, detections), 3)
        if scores_tell:
            scores = np.round(np.where(np.arange(detections) < len(near), 0.3 + 0.7 * scores, 0.6 * scores), 3)
        record.detections += [
            {"image_id": image_id, "category_id": label, "bbox": box, "score": score}
            for label, box, score in zip(labels.tolist(), found.tolist(), scores.tolist(), strict=True)
        ]
    return record
