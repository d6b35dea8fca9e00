"""Checks of the boxes, in the frame they were drawn in.

Each box is judged by the first of these that applies: not finite, swapped, without area, outside, beyond the edge.
"""

import math
from collections.abc import Iterator

from labeling.annotations import Box
from labeling.checks.subject import Check, Subject, shown_box
from labeling.findings import Finding

CLIPPED_PX = 2.0
"""A box that reaches this far beyond the edge, in pixels, is clipped; farther is an error."""

_MODEL_SIDE_PX = 300
_SMALLEST_SIDE_PX = 3.0
_SMALLEST_DRAWN_PX = 5.0


def not_finite(subject: Subject) -> Iterator[Finding]:
    """B01: NaN or infinity."""
    yield from _judge(subject, "B01", "finite numbers")


def swapped(subject: Subject) -> Iterator[Finding]:
    """B02: a maximum below its minimum."""
    yield from _judge(subject, "B02", "xmin < xmax and ymin < ymax")


def without_area(subject: Subject) -> Iterator[Finding]:
    """B03: minimum and maximum are equal."""
    yield from _judge(subject, "B03", "xmin < xmax and ymin < ymax")


def slightly_beyond(subject: Subject) -> Iterator[Finding]:
    """B04: up to `CLIPPED_PX` beyond the edge."""
    yield from _judge(subject, "B04", "")


def beyond(subject: Subject) -> Iterator[Finding]:
    """B05: farther beyond the edge."""
    yield from _judge(subject, "B05", "")


def outside(subject: Subject) -> Iterator[Finding]:
    """B06: nothing of the box lies in the picture."""
    yield from _judge(subject, "B06", "")


def too_small(subject: Subject) -> Iterator[Finding]:
    """B07: under five pixels as drawn (a fifth off by rounding alone), or under three at the model's 300 x 300."""
    if subject.annotation is None or subject.frame is None:
        return
    width, height = subject.frame
    least_width, least_height = (
        max(_SMALLEST_DRAWN_PX, _SMALLEST_SIDE_PX * side / _MODEL_SIDE_PX) for side in (width, height)
    )
    for index, labeled in enumerate(subject.annotation.objects):
        is_small = labeled.box.width < least_width or labeled.box.height < least_height
        if is_small and fault_of(labeled.box, subject.frame) in ("", "B04"):
            got = f"{labeled.name!r} of {labeled.box.width:g}x{labeled.box.height:g} px in {width}x{height}"
            yield subject.about_object("B07", index, got=got, wanted=f"at least {least_width:g}x{least_height:g} px")


def fault_of(box: Box, frame: tuple[int, int] | None) -> str:
    """Return the code of what is wrong with a box, or ``""``.

    Args:
        box: Edges in pixels.
        frame: Width and height it was drawn in; ``None`` leaves out what needs them.
    """
    if frame is not None and 0 <= box.xmin < box.xmax <= frame[0] and 0 <= box.ymin < box.ymax <= frame[1]:
        return ""  # nearly every box
    edges = (box.xmin, box.ymin, box.xmax, box.ymax)
    if not all(math.isfinite(edge) for edge in edges):
        return "B01"
    if box.width < 0 or box.height < 0:
        return "B02"
    if box.width == 0 or box.height == 0:
        return "B03"
    if frame is None:
        return ""
    width, height = frame
    if box.xmax <= 0 or box.ymax <= 0 or box.xmin >= width or box.ymin >= height:
        return "B06"
    reach = max(-box.xmin, -box.ymin, box.xmax - width, box.ymax - height)
    if reach > CLIPPED_PX:
        return "B05"
    return "B04" if reach > 0 else ""


def _judge(subject: Subject, code: str, wanted: str) -> Iterator[Finding]:
    if subject.annotation is None:
        return
    for index, labeled in enumerate(subject.annotation.objects):
        if fault_of(labeled.box, subject.frame) == code:
            width, height = subject.frame or (0, 0)
            yield subject.about_object(
                code,
                index,
                got=f"{labeled.name!r} {shown_box(labeled.box)}",
                wanted=wanted or f"within {width}x{height}",
            )


CHECKS: tuple[Check, ...] = (
    not_finite,
    swapped,
    without_area,
    slightly_beyond,
    beyond,
    outside,
    too_small,
)
