"""An exported file against the run it came from: the same pictures, the same answers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from collectors.progress import Progress, no_progress
from pipelines import metrics
from pipelines.detection.input_pipeline import RecordDecoder
from pipelines.detection_record import DetectionRecord
from pipelines.detectors import Detector, Found

_WORTH_COMPARING = 0.1
_SAME_BOX = 0.5


@dataclass(frozen=True, slots=True)
class LabeledPicture:
    """A verification picture: pixels uint8 ``(h, w, 3)``, boxes normalised ``(n, 4)``, class ids ``(n,)``."""

    source_id: int
    image: Any
    boxes: Any
    classes: Any
    is_crowd: Any
    areas: Any


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far an exported file is from the run.

    Attributes:
        pictures: Number of pictures compared.
        detections: Detections of the run that score at least 0.1.
        missing: Those of them that the file has not: no box of the class with IoU 0.5.
        box_difference: Largest difference of a box edge, as a share of the picture.
        score_difference: Largest difference of a score.
        ap: COCO's AP of the run on these pictures; ``None`` without truth.
        ap_lost: By how much that of the file is less.
        ap50: AP at IoU 0.5 of the run.
        ap50_lost: By how much that of the file is less.
    """

    pictures: int
    detections: int
    missing: int
    box_difference: float
    score_difference: float
    ap: float | None
    ap_lost: float | None
    ap50: float | None
    ap50_lost: float | None


def read_pictures(paths: Sequence[str], limit: int) -> Iterator[LabeledPicture]:
    """Yield the first pictures of records, decoded as evaluation decodes them."""
    dataset = tf.data.TFRecordDataset(list(paths)).take(limit).map(RecordDecoder().decode)
    for decoded in dataset:
        yield LabeledPicture(
            int(decoded["source_id"]),
            decoded["image"].numpy(),
            decoded["groundtruth_boxes"].numpy(),
            decoded["groundtruth_classes"].numpy(),
            decoded["groundtruth_is_crowd"].numpy(),
            decoded["groundtruth_area"].numpy(),
        )


def compare(
    reference: Detector, exported: Detector, pictures: Sequence[LabeledPicture], progress: Progress = no_progress
) -> Agreement:
    """Run both on the same pictures.

    Args:
        reference: The run.
        exported: The file.
        pictures: At least one.
        progress: Told after every picture.
    """
    records = DetectionRecord(), DetectionRecord()
    total = missing = 0
    box_difference = score_difference = 0.0
    for done, picture in enumerate(pictures, start=1):
        wanted, got = reference.detect(picture.image), exported.detect(picture.image)
        for record, found in zip(records, (wanted, got), strict=True):
            _add(record, picture, found)
        for row in np.flatnonzero(wanted.scores >= _WORTH_COMPARING):
            total += 1
            match = _match(wanted, int(row), got)
            if match is None:
                missing += 1
                continue
            box_difference = max(box_difference, float(np.abs(wanted.boxes[row] - got.boxes[match]).max()))
            score_difference = max(score_difference, float(abs(wanted.scores[row] - got.scores[match])))
        progress(done, len(pictures))
    names = reference.metadata.class_names
    before, after = (metrics.evaluate_detections(record, names) for record in records)
    return Agreement(
        pictures=len(pictures),
        detections=total,
        missing=missing,
        box_difference=box_difference,
        score_difference=score_difference,
        ap=before["AP"],
        ap_lost=_lost(before["AP"], after["AP"]),
        ap50=before["AP50"],
        ap50_lost=_lost(before["AP50"], after["AP50"]),
    )


def _add(record: DetectionRecord, picture: LabeledPicture, found: Found) -> None:
    height, width = picture.image.shape[:2]
    record.add_image(
        picture.source_id,
        width=width,
        height=height,
        boxes=picture.boxes,
        classes=picture.classes,
        is_crowd=picture.is_crowd,
        areas=picture.areas,
        detected_boxes=found.boxes,
        detected_classes=found.classes,
        scores=found.scores,
    )


def _match(wanted: Found, row: int, got: Found) -> int | None:
    """Return the detection of the same class that overlaps most, the better scored of equals."""
    if not len(got.scores):
        return None
    overlaps = np.where(got.classes == wanted.classes[row], _iou(wanted.boxes[row], got.boxes), 0.0)
    best = int(np.argmax(overlaps))
    return best if overlaps[best] >= _SAME_BOX else None


def _iou(box: Any, boxes: Any) -> Any:
    low = np.maximum(boxes[:, :2], box[:2])
    high = np.minimum(boxes[:, 2:], box[2:])
    shared = np.prod(np.maximum(high - low, 0.0), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) + np.prod(box[2:] - box[:2])
    return shared / np.maximum(areas - shared, 1e-12)


def _lost(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else before - after
