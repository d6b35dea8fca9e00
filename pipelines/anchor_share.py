"""How well the anchors of a network fit the boxes it is to learn."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.detection.record_survey import RecordSurvey

MATCHING_IOU = 0.5
_PAIRS_AT_ONCE = 2_000_000


@dataclass(frozen=True, slots=True)
class SizeBin:
    """Boxes whose square root of the area lies from ``low_px`` up to ``high_px``, at the network's input."""

    low_px: float
    high_px: float
    num_boxes: int
    num_matched: int


@dataclass(frozen=True, slots=True)
class AnchorCoverage:
    """The share of boxes that an anchor matches by itself.

    Attributes:
        num_boxes: Boxes with an area, crowds left out.
        num_matched: Those whose best anchor has an IoU of at least `MATCHING_IOU`.
        input_size: Height and width of the network's input in pixels.
        smallest: Width and height in pixels of that input of the smallest box (by area) that none matches.
        largest: The same of the largest.
        sizes: The boxes by their size, from the smallest to the largest size there can be.
        anchor_sides_px: Square roots of the areas that anchors have, rounded to pixels, rising.
    """

    num_boxes: int
    num_matched: int
    input_size: tuple[int, int]
    smallest: tuple[float, float] | None = None
    largest: tuple[float, float] | None = None
    sizes: tuple[SizeBin, ...] = ()
    anchor_sides_px: tuple[int, ...] = ()

    @property
    def share(self) -> float | None:
        """Matched boxes over all, in ``[0, 1]``; ``None`` without boxes."""
        return self.num_matched / self.num_boxes if self.num_boxes else None

    def summary(self) -> str:
        """Return the finding in a sentence; without boxes it is empty."""
        if self.share is None:
            return ""
        height, width = self.input_size
        text = (
            f"{100 * self.share:.1f} % of the {self.num_boxes} training boxes have an anchor with an IoU of "
            f"{MATCHING_IOU} or more at {width}x{height}"
        )
        if self.smallest is None or self.largest is None:
            return text
        missed = self.num_boxes - self.num_matched
        sizes = f"{self.smallest[0]:.0f}x{self.smallest[1]:.0f} to {self.largest[0]:.0f}x{self.largest[1]:.0f} pixels"
        return (
            f"{text}; {missed} {'has' if missed == 1 else 'have'} none and will be learned badly ({sizes} there): a "
            "larger task.model.input_size, a smaller task.model.anchors.min_scale, or other aspect_ratios fit them"
        )


def coverage_of(survey: RecordSurvey, anchors: Any, input_size: Sequence[int]) -> AnchorCoverage:
    """Compare the boxes of records with the anchors of a network.

    Args:
        survey: Its ``edges`` are looked at.
        anchors: ``(n, 4)`` normalised ``ymin xmin ymax xmax``.
        input_size: Height and width of the network's input in pixels.
    """
    height, width = int(input_size[0]), int(input_size[1])
    edges = np.concatenate([np.empty((0, 4), np.float32), *survey.edges])[:, [1, 0, 3, 2]].clip(0.0, 1.0)
    sizes = edges[:, 2:] - edges[:, :2]
    edges = edges[(sizes > 0).all(axis=1)]
    best = _best_iou(edges.astype(np.float64), np.asarray(anchors, np.float64))
    missed = edges[best < MATCHING_IOU]
    smallest = largest = None
    if len(missed):
        pixels = (missed[:, 2:] - missed[:, :2]) * [height, width]
        by_area = np.argsort(pixels.prod(axis=1), kind="stable")
        smallest, largest = ((float(pixels[row][1]), float(pixels[row][0])) for row in (by_area[0], by_area[-1]))
    pixels = (edges[:, 2:] - edges[:, :2]) * [height, width]
    anchor_pixels = (np.asarray(anchors, np.float64)[:, 2:] - np.asarray(anchors, np.float64)[:, :2]) * [height, width]
    return AnchorCoverage(
        num_boxes=len(edges),
        num_matched=len(edges) - len(missed),
        input_size=(height, width),
        smallest=smallest,
        largest=largest,
        sizes=_size_bins(np.sqrt(pixels.prod(axis=1)), best >= MATCHING_IOU, math.sqrt(height * width)),
        anchor_sides_px=tuple(sorted({round(side) for side in np.sqrt(anchor_pixels.prod(axis=1)).tolist()})),
    )


def _size_bins(sides: npt.NDArray[np.float64], is_matched: npt.NDArray[np.bool_], whole: float) -> tuple[SizeBin, ...]:
    """Count in bins from a 64th of the picture's side on, two of them a doubling; smaller ones are together."""
    edges = [0.0, *(whole * 2 ** (power / 2 - 6) for power in range(13))]
    num_bins = len(edges) - 1
    places = np.minimum(np.searchsorted(edges, sides, side="right") - 1, num_bins - 1)
    counts = np.bincount(places, minlength=num_bins)
    matched = np.bincount(places[is_matched], minlength=num_bins)
    return tuple(
        SizeBin(low, high, int(count), int(right))
        for low, high, count, right in zip(edges[:-1], edges[1:], counts, matched, strict=True)
    )


def _best_iou(boxes: npt.NDArray[np.float64], anchors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    best = np.zeros(len(boxes))
    anchor_areas = (anchors[:, 2:] - anchors[:, :2]).prod(axis=1)
    at_once = max(1, _PAIRS_AT_ONCE // max(1, len(anchors)))
    for first in range(0, len(boxes), at_once):
        some = boxes[first : first + at_once, None, :]
        overlap = np.minimum(some[..., 2:], anchors[:, 2:]) - np.maximum(some[..., :2], anchors[:, :2])
        shared = overlap.clip(min=0.0).prod(axis=-1)
        areas = (some[..., 2:] - some[..., :2]).prod(axis=-1)
        best[first : first + at_once] = (shared / (areas + anchor_areas - shared)).max(axis=1, initial=0.0)
    return best
