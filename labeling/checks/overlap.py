"""Checks of the boxes of one picture against each other."""

from collections.abc import Iterator

from labeling.annotations import Box
from labeling.checks.box import fault_of
from labeling.checks.subject import Check, Subject, shown_box
from labeling.findings import Finding

NEAR_IOU = 0.9
"""Two boxes of one label that share more of their union than this are taken for one object drawn twice."""

_INSIDE_SHARE = 0.95
# Up to here Python compares faster than NumPy, which takes longer to start than all else.
_FEW_OBJECTS = 16
# With more boxes than this, comparing each with all others takes longer than a second; the file has X05 anyway.
_MOST_OBJECTS = 5000


def repeated(subject: Subject) -> Iterator[Finding]:
    """B08: the same box with the same label twice; LabelImg's Ctrl+D leaves such copies."""
    for first, second in _equal_boxes(subject):
        assert subject.annotation is not None
        objects = subject.annotation.objects
        if objects[first].name == objects[second].name:
            got = f"{objects[second].name!r} {shown_box(objects[second].box)} as object {first + 1} already has it"
            yield subject.about_object("B08", second, got=got, wanted="each box once")


def nearly_repeated(subject: Subject) -> Iterator[Finding]:
    """B09: two boxes of one label that cover nearly the same."""
    yield from _compared(subject, "B09")


def labelled_twice(subject: Subject) -> Iterator[Finding]:
    """B10: one box with two labels."""
    for first, second in _equal_boxes(subject):
        assert subject.annotation is not None
        objects = subject.annotation.objects
        if objects[first].name != objects[second].name:
            got = f"{objects[second].name!r} where object {first + 1} says {objects[first].name!r}"
            yield subject.about_object("B10", second, got=got, wanted="one label a box")


def nested(subject: Subject) -> Iterator[Finding]:
    """B15: a box of the same label lies inside a larger one."""
    yield from _compared(subject, "B15")


def _equal_boxes(subject: Subject) -> Iterator[tuple[int, int]]:
    """Index of the first object with the same edges, and index of the later one."""
    if subject.annotation is None or len(subject.annotation.objects) < 2:
        return
    first: dict[Box, int] = {}
    for index, labeled in enumerate(subject.annotation.objects):
        earlier = first.setdefault(labeled.box, index)
        if earlier != index:
            yield earlier, index


def _compared(subject: Subject, code: str) -> Iterator[Finding]:
    """One finding at most for each box, naming the first other one."""
    if subject.annotation is None or not 2 <= len(subject.annotation.objects) <= _MOST_OBJECTS:
        return
    objects = subject.annotation.objects
    by_label: dict[str, list[int]] = {}
    for index, labeled in enumerate(objects):
        if fault_of(labeled.box, None) == "":
            by_label.setdefault(labeled.name, []).append(index)
    found: list[tuple[int, int, float]] = []
    for indices in by_label.values():
        if len(indices) > 1:
            found += _near(indices, [objects[index].box for index in indices], is_nested=code == "B15")
    for index, other, share in sorted(found):
        box = shown_box(objects[index].box)
        if code == "B09":
            got = f"{objects[index].name!r} {box} is {share:.0%} that of object {other + 1}"
            yield subject.about_object(code, index, got=got, wanted="one box an object")
        else:
            got = f"{objects[index].name!r} {box} inside object {other + 1}"
            yield subject.about_object(code, index, got=got, wanted="boxes side by side")


def _near(indices: list[int], boxes: list[Box], *, is_nested: bool) -> Iterator[tuple[int, int, float]]:
    """Yield index of a box, index of the other, and their intersection over union."""
    if len(boxes) <= _FEW_OBJECTS:
        yield from _near_of_few(indices, boxes, is_nested=is_nested)
        return
    import numpy as np

    edges = np.array([(box.xmin, box.ymin, box.xmax, box.ymax) for box in boxes])
    areas = (edges[:, 2] - edges[:, 0]) * (edges[:, 3] - edges[:, 1])
    for place, (xmin, ymin, xmax, ymax) in enumerate(edges):
        width = np.minimum(edges[:, 2], xmax) - np.maximum(edges[:, 0], xmin)
        height = np.minimum(edges[:, 3], ymax) - np.maximum(edges[:, 1], ymin)
        shared = np.clip(width, 0, None) * np.clip(height, 0, None)
        iou = shared / (areas + areas[place] - shared)
        if is_nested:
            is_found = (shared >= _INSIDE_SHARE * areas[place]) & (areas > areas[place]) & (iou <= NEAR_IOU)
        else:
            is_found = iou > NEAR_IOU
            is_found[place:] = False
            is_found &= np.any(edges != edges[place], axis=1)  # the very same box is B08
        others = np.nonzero(is_found)[0]
        if len(others):
            yield indices[place], indices[others[0]], float(iou[others[0]])


def _near_of_few(indices: list[int], boxes: list[Box], *, is_nested: bool) -> Iterator[tuple[int, int, float]]:
    """`_near`, one pair at a time."""
    areas = [(box.xmax - box.xmin) * (box.ymax - box.ymin) for box in boxes]
    for place, box in enumerate(boxes):
        for other, rival in enumerate(boxes if is_nested else boxes[:place]):
            width = max(0, min(rival.xmax, box.xmax) - max(rival.xmin, box.xmin))
            height = max(0, min(rival.ymax, box.ymax) - max(rival.ymin, box.ymin))
            shared = width * height
            union = areas[other] + areas[place] - shared
            iou = shared / union if union else 0.0  # boxes so small that their area is none
            if is_nested:
                is_found = shared >= _INSIDE_SHARE * areas[place] and areas[other] > areas[place] and iou <= NEAR_IOU
            else:
                is_found = iou > NEAR_IOU and rival != box  # the very same box is B08
            if is_found:
                yield indices[place], indices[other], iou
                break


CHECKS: tuple[Check, ...] = (repeated, nearly_repeated, labelled_twice, nested)
