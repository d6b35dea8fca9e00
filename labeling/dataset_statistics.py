"""What a data set holds, in numbers: per class folder and split, and per label."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from labeling.annotations import LabeledObject
from labeling.dataset import ImageFile
from labeling.validate import CheckedImage

# COCO's bounds between small, medium and large, in square pixels of the picture as stored.
_SMALL_AREA = 32**2
_MEDIUM_AREA = 96**2


@dataclass(frozen=True, slots=True)
class BoxStatistics:
    """Counts and sizes of a set of boxes.

    Attributes:
        num_images: Pictures that hold at least one of the boxes.
        num_boxes: Boxes.
        num_truncated: Boxes marked truncated.
        num_difficult: Boxes marked difficult.
        num_small: Boxes of less than 32 x 32 pixels.
        num_medium: Boxes of less than 96 x 96 pixels that are not small.
        num_large: The others.
        smallest_side_px: Shortest side of all boxes, in pixels; 0 without boxes.
        median_side: Median over boxes of the square root of the share of the picture they cover, 0 to 1.
        median_aspect: Median of width / height; 0 without boxes.
    """

    num_images: int
    num_boxes: int
    num_truncated: int
    num_difficult: int
    num_small: int
    num_medium: int
    num_large: int
    smallest_side_px: float
    median_side: float
    median_aspect: float


@dataclass(frozen=True, slots=True)
class SplitStatistics:
    """One class folder and split; both names are empty for a plain folder.

    Attributes:
        class_name: Name of the class folder.
        split: ``training`` or ``verification``.
        num_images: Pictures that can be used.
        num_verified_empty: Pictures without any object that a person verified.
        num_negatives: Pictures without any object that nobody verified.
        num_unlabelled: Pictures without XML, which are not in ``num_images``.
        num_verified: Pictures that a person marked as verified in LabelImg.
        boxes: Over all labels.
        labels: By label, sorted by name.
    """

    class_name: str
    split: str
    num_images: int
    num_verified_empty: int
    num_negatives: int
    num_unlabelled: int
    num_verified: int
    boxes: BoxStatistics
    labels: tuple[tuple[str, BoxStatistics], ...]

    def as_json(self) -> dict[str, Any]:
        """The statistics as a JSON object."""
        return {
            "class": self.class_name,
            "split": self.split,
            "images": self.num_images,
            "verified_empty": self.num_verified_empty,
            "negatives": self.num_negatives,
            "unlabelled": self.num_unlabelled,
            "verified": self.num_verified,
            "boxes": _as_json(self.boxes),
            "labels": {name: _as_json(boxes) for name, boxes in self.labels},
        }


def statistics_of(images: Sequence[CheckedImage], unlabelled: Iterable[ImageFile] = ()) -> tuple[SplitStatistics, ...]:
    """Count what usable pictures hold, one entry a class folder and split, sorted; none for no pictures.

    Args:
        images: Pictures that can be used.
        unlabelled: Pictures without XML.
    """
    groups: dict[tuple[str, str], list[CheckedImage]] = defaultdict(list)
    for image in images:
        groups[image.class_name, image.split].append(image)
    without = Counter((one.class_name, one.split) for one in unlabelled)
    return tuple(_of_split(*key, groups[key], without[key]) for key in sorted(groups.keys() | without.keys()))


def _of_split(class_name: str, split: str, images: list[CheckedImage], num_unlabelled: int) -> SplitStatistics:
    placed = [(image, labeled) for image in images for labeled in image.annotation.objects]
    by_label: dict[str, list[tuple[CheckedImage, LabeledObject]]] = defaultdict(list)
    for image, labeled in placed:
        by_label[labeled.name].append((image, labeled))
    return SplitStatistics(
        class_name=class_name,
        split=split,
        num_images=len(images),
        num_verified_empty=sum(image.annotation.verified for image in images if not image.annotation.objects),
        num_negatives=sum(not image.annotation.verified for image in images if not image.annotation.objects),
        num_unlabelled=num_unlabelled,
        num_verified=sum(image.annotation.verified for image in images),
        boxes=_of_boxes(placed),
        labels=tuple((name, _of_boxes(by_label[name])) for name in sorted(by_label)),
    )


def _of_boxes(placed: Iterable[tuple[CheckedImage, LabeledObject]]) -> BoxStatistics:
    pairs = list(placed)
    areas = [labeled.box.width * labeled.box.height for _, labeled in pairs]
    small = sum(area < _SMALL_AREA for area in areas)
    medium = sum(_SMALL_AREA <= area < _MEDIUM_AREA for area in areas)
    sides = [(area / (image.width * image.height)) ** 0.5 for (image, _), area in zip(pairs, areas, strict=True)]
    return BoxStatistics(
        num_images=len({image.xml_path for image, _ in pairs}),
        num_boxes=len(pairs),
        num_truncated=sum(labeled.truncated for _, labeled in pairs),
        num_difficult=sum(labeled.difficult for _, labeled in pairs),
        num_small=small,
        num_medium=medium,
        num_large=len(pairs) - small - medium,
        smallest_side_px=min((min(labeled.box.width, labeled.box.height) for _, labeled in pairs), default=0.0),
        median_side=statistics.median(sides) if sides else 0.0,
        median_aspect=statistics.median(labeled.box.width / labeled.box.height for _, labeled in pairs)
        if pairs
        else 0.0,
    )


def _as_json(boxes: BoxStatistics) -> dict[str, Any]:
    return {
        "images": boxes.num_images,
        "boxes": boxes.num_boxes,
        "truncated": boxes.num_truncated,
        "difficult": boxes.num_difficult,
        "small": boxes.num_small,
        "medium": boxes.num_medium,
        "large": boxes.num_large,
        "smallest_side_px": boxes.smallest_side_px,
        "median_side": round(boxes.median_side, 4),
        "median_aspect": round(boxes.median_aspect, 4),
    }
