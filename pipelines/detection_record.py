"""Ground truth and detections as data that can be saved and read again, in the form of COCO."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from collectors.errors import InputError


@dataclass(slots=True)
class DetectionRecord:
    """Ground truth and detections of a set of pictures, in the field names and units of COCO.

    Attributes:
        images: One dict a picture: ``id`` (int), ``width``, ``height`` in pixels; where they are known also
            ``file_name`` and ``xml``, the label file, and ``place``, its place in the records, counted through all
            files from 0.
        annotations: One dict a box: ``id``, ``image_id``, ``category_id``, ``bbox`` ``[x, y, width, height]`` in
            pixels of the picture, ``area``, ``iscrowd``, and ``difficult`` (1) where it is marked so.
        detections: One dict a detection: ``image_id``, ``category_id``, ``bbox``, ``score``.
    """

    images: list[dict[str, Any]] = field(default_factory=list)
    annotations: list[dict[str, Any]] = field(default_factory=list)
    detections: list[dict[str, Any]] = field(default_factory=list)
    _taken: set[int] = field(default_factory=set)

    def add_image(
        self,
        image_id: int,
        *,
        width: int,
        height: int,
        boxes: Any,
        classes: Any,
        is_crowd: Any,
        areas: Any,
        detected_boxes: Any,
        detected_classes: Any,
        scores: Any,
        difficult: Any = None,
        origin: Mapping[str, Any] | None = None,
    ) -> None:
        """Add one picture with its truth and what was detected in it.

        Args:
            image_id: Number of the picture. Where an earlier picture has it already, as in records without source ids,
                the next free number above all others is taken: two pictures must not be scored as one.
            width: Pixels.
            height: Pixels.
            boxes: ``(m, 4)`` normalised ``ymin xmin ymax xmax``; rows of class 0 are padding.
            classes: ``(m,)`` ids from 1.
            is_crowd: ``(m,)``.
            areas: ``(m,)`` square pixels.
            detected_boxes: ``(n, 4)``, like ``boxes``.
            detected_classes: ``(n,)``.
            scores: ``(n,)``.
            difficult: ``(m,)``, Pascal VOC's mark; ``None`` where the truth does not say.
            origin: What more is known of the picture: ``file_name``, ``xml``, ``place``; empty names are left out.
        """
        if image_id in self._taken:
            image_id = max(self._taken) + 1
        self._taken.add(image_id)
        self.images.append({"id": image_id, "width": width, "height": height})
        self.images[-1] |= {key: value for key, value in (origin or {}).items() if value != ""}
        scale = np.asarray([height, width, height, width], np.float64)
        marks = np.zeros(len(classes), bool) if difficult is None else difficult
        for box, class_id, crowd, area, mark in zip(boxes, classes, is_crowd, areas, marks, strict=True):
            if class_id <= 0:
                continue
            self.annotations.append(
                {
                    "id": len(self.annotations) + 1,
                    "image_id": image_id,
                    "category_id": int(class_id),
                    "bbox": _coco_box(box * scale),
                    "area": float(area),
                    "iscrowd": int(crowd),
                }
                | ({"difficult": 1} if mark else {})
            )
        for box, class_id, score in zip(detected_boxes, detected_classes, scores, strict=True):
            self.detections.append(
                {
                    "image_id": image_id,
                    "category_id": int(class_id),
                    "bbox": _coco_box(box * scale),
                    "score": float(score),
                }
            )


def require_finite_scores(record: DetectionRecord) -> None:
    """Refuse detections whose score or box is not finite, as those of a network that diverged.

    Raises:
        InputError: The first one is named.
    """
    for place, found in enumerate(record.detections, start=1):
        if not all(map(math.isfinite, (found["score"], *found["bbox"]))):
            raise InputError(
                f"the score is {found['score']} and the box {found['bbox']}: not finite numbers",
                where=f"detection {place} (image {found['image_id']})",
                fix="Train again from an earlier checkpoint, with a lower learning rate.",
            )


def coco_dataset(record: DetectionRecord, class_names: Mapping[int, str]) -> dict[str, Any]:
    """Return the ground truth as a COCO dataset: ``images``, ``annotations``, ``categories``."""
    return {
        "info": {"description": "ground truth of a tagbox evaluation"},
        "images": record.images,
        "annotations": record.annotations,
        "categories": [{"id": class_id, "name": name} for class_id, name in sorted(class_names.items())],
    }


def _coco_box(edges: Any) -> list[float]:
    ymin, xmin, ymax, xmax = (float(edge) for edge in edges)
    return [xmin, ymin, xmax - xmin, ymax - ymin]
