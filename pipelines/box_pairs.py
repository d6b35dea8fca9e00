"""Which detections overlap which truth of the same picture and class, for all pictures at once."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.detection_record import DetectionRecord

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

_PAIRS_AT_ONCE = 2_000_000


@dataclass(frozen=True, eq=False)
class BoxTable:
    """Boxes as columns, in the order of the record they come from.

    Attributes:
        boxes: ``(n, 4)``: ``x y width height`` in pixels.
        pictures: ``(n,)`` place of the picture among the sorted image ids.
        classes: ``(n,)`` place of the class among the sorted class ids.
        scores: ``(n,)``; zero for truth.
        areas: ``(n,)`` square pixels: as the truth says, else width times height.
        is_crowd: ``(n,)``; false for detections.
        is_difficult: ``(n,)``; false for detections, and for truth that does not say.
    """

    boxes: FloatArray
    pictures: IntArray
    classes: IntArray
    scores: FloatArray
    areas: FloatArray
    is_crowd: BoolArray
    is_difficult: BoolArray

    def rows(self, chosen: Any) -> "BoxTable":
        """Return these rows, in the order given."""
        return BoxTable(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True, eq=False)
class Pairs:
    """Detections and truths that overlap, sorted by detection and then by truth.

    Attributes:
        found: ``(n,)`` row of the detection.
        truth: ``(n,)`` row of the truth.
        iou: ``(n,)`` intersection over union; over the detection's own area where the truth is a crowd, as COCO has it.
    """

    found: IntArray
    truth: IntArray
    iou: FloatArray


def tables(record: DetectionRecord, class_ids: IntArray) -> tuple[BoxTable, BoxTable]:
    """Return truth and detections of a record as columns.

    What belongs to a picture or a class that is not listed is left out.

    Args:
        record: Truth and detections.
        class_ids: Sorted.
    """
    image_ids = image_ids_of(record)
    return tuple(_table(rows, image_ids, class_ids) for rows in (record.annotations, record.detections))  # type: ignore[return-value]


def image_ids_of(record: DetectionRecord) -> IntArray:
    """Return the numbers of the pictures, sorted."""
    return np.unique(np.asarray([image["id"] for image in record.images], np.int64))


def _table(rows: list[dict[str, Any]], image_ids: IntArray, class_ids: IntArray) -> BoxTable:
    pictures, has_picture = _places(np.asarray([row["image_id"] for row in rows], np.int64), image_ids)
    classes, has_class = _places(np.asarray([row["category_id"] for row in rows], np.int64), class_ids)
    boxes = np.asarray([row["bbox"] for row in rows], np.float64).reshape(-1, 4)
    sizes = (boxes[:, 2] * boxes[:, 3]).tolist()
    table = BoxTable(
        boxes,
        pictures,
        classes,
        np.asarray([row.get("score", 0.0) for row in rows], np.float64),
        np.asarray([row.get("area", size) for row, size in zip(rows, sizes, strict=True)], np.float64),
        np.asarray([row.get("iscrowd", 0) for row in rows], bool),
        np.asarray([row.get("difficult", 0) for row in rows], bool),
    )
    known = has_picture & has_class
    return table if known.all() else table.rows(known)


def _places(values: IntArray, among: IntArray) -> tuple[IntArray, BoolArray]:
    if not len(among):
        return np.zeros(len(values), np.int64), np.zeros(len(values), bool)
    places = np.minimum(np.searchsorted(among, values), len(among) - 1)
    return places, among[places] == values


def overlapping_pairs(
    found: BoxTable, truth: BoxTable, *, min_iou: float, same_class: bool = True, num_classes: int
) -> Pairs:
    """Return the pairs of one picture (and class) that overlap by at least ``min_iou``.

    Args:
        found: Detections in any order.
        truth: Truth in any order.
        min_iou: Above 0.
        same_class: Pair only within a class.
        num_classes: How many classes there are.
    """
    keys = [table.pictures * num_classes + table.classes if same_class else table.pictures for table in (found, truth)]
    order = np.argsort(keys[1], kind="stable")
    groups = keys[1][order]
    first = np.searchsorted(groups, keys[0], side="left")
    counts = np.searchsorted(groups, keys[0], side="right") - first
    ends = np.cumsum(counts)
    kept = [Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    start = 0
    while start < len(found):
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + _PAIRS_AT_ONCE, side="right")))
        here = counts[start:stop]
        rows = np.repeat(np.arange(start, stop), here)
        offsets = np.arange(len(rows)) - np.repeat(np.cumsum(here) - here, here)
        others = order[np.repeat(first[start:stop], here) + offsets]
        iou = _iou(found, rows, truth, others)
        near = iou >= min_iou
        kept.append(Pairs(rows[near], others[near], iou[near]))
        start = stop
    return Pairs(*(np.concatenate([getattr(part, name) for part in kept]) for name in ("found", "truth", "iou")))


def _iou(found: BoxTable, rows: IntArray, truth: BoxTable, others: IntArray) -> FloatArray:
    """Compute the overlap in the order of operations of pycocotools' ``bbIou``, so that no bit differs."""
    ours, theirs = found.boxes[rows].T, truth.boxes[others].T
    width, height = (
        np.minimum(ours[axis + 2] + ours[axis], theirs[axis + 2] + theirs[axis]) - np.maximum(ours[axis], theirs[axis])
        for axis in (0, 1)
    )
    own = ours[2] * ours[3]
    shared = width * height
    union = np.where(truth.is_crowd[others], own, own + theirs[2] * theirs[3] - shared)
    overlaps = (width > 0) & (height > 0)
    iou: FloatArray = np.divide(shared, union, out=np.zeros(len(rows)), where=overlaps)
    return iou
