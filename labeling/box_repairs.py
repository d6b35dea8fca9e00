"""What can be mended about the boxes and labels of one annotation, worked out on numbers before files are touched."""

import math
from dataclasses import dataclass, replace

from labeling.annotations import Annotation, Box, LabeledObject
from labeling.checks.box import fault_of
from labeling.checks.subject import shown_box
from labeling.label_map import LabelMap


@dataclass(slots=True)
class ObjectDraft:
    """One object on its way to being sound.

    Attributes:
        index: Its place in the file, from 0.
        name: Its label, mended.
        box: Its box, mended.
        truncated: Its mark, mended.
        codes: Codes of what was mended, in that order.
        is_dropped: Whether it is taken out of the file.
        words: What was done, a clause for each code.
    """

    index: int
    name: str
    box: Box
    truncated: bool
    codes: list[str]
    is_dropped: bool
    words: list[str]

    def note(self, code: str, words: str) -> None:
        """Write down what was done under a code."""
        self.codes.append(code)
        self.words.append(words)


@dataclass(slots=True)
class ObjectRepairs:
    """The objects of one annotation, mended step by step; the steps stand in the order in which they must run.

    ``left`` names what could be mended but is not: ``(code, index from 0, reason)``.
    """

    objects: list[ObjectDraft]
    left: list[tuple[str, int, str]]

    @classmethod
    def of(cls, annotation: Annotation) -> "ObjectRepairs":
        """Start from an annotation."""
        drafts = [
            ObjectDraft(index, one.name, one.box, one.truncated, [], False, [])
            for index, one in enumerate(annotation.objects)
        ]
        return cls(drafts, [])

    def respell(self, label_map: LabelMap) -> None:
        """C02: write labels that differ in case or blanks only as the label map does."""
        known = {_plain(name): name for name in reversed(label_map.names)}
        for draft in self.objects:
            right = known.get(_plain(draft.name))
            if draft.name.strip() and draft.name not in label_map and right is not None:
                draft.note("C02", f"label {draft.name!r} becomes {right!r}")
                draft.name = right

    def swap_corners(self) -> None:
        """B02: put minimum and maximum in order."""
        for draft in self.objects:
            if fault_of(draft.box, None) == "B02":
                box = draft.box
                draft.box = Box(
                    min(box.xmin, box.xmax),
                    min(box.ymin, box.ymax),
                    max(box.xmin, box.xmax),
                    max(box.ymin, box.ymax),
                )
                draft.note("B02", f"corners of {shown_box(box)} swapped")

    def clip(self, frame: tuple[int, int]) -> None:
        """B04: cut off what reaches up to two pixels beyond the picture."""
        width, height = frame
        for draft in self.objects:
            if fault_of(draft.box, frame) == "B04":
                box = draft.box
                draft.box = Box(
                    min(max(box.xmin, 0), width),
                    min(max(box.ymin, 0), height),
                    min(max(box.xmax, 0), width),
                    min(max(box.ymax, 0), height),
                )
                draft.note("B04", f"{shown_box(box)} clipped to {width}x{height}")

    def round_edges(self) -> None:
        """X08: whole numbers, the nearest; a box that would lose its area stays."""
        for draft in self.objects:
            edges = (draft.box.xmin, draft.box.ymin, draft.box.xmax, draft.box.ymax)
            if not all(math.isfinite(edge) for edge in edges) or all(float(edge).is_integer() for edge in edges):
                continue
            rounded = Box(*(float(math.floor(edge + 0.5)) for edge in edges))
            if fault_of(rounded, None) == fault_of(draft.box, None):
                draft.note("X08", f"{shown_box(draft.box)} rounded to {shown_box(rounded)}")
                draft.box = rounded
            else:
                self.left.append(("X08", draft.index, "rounded, it would have no area"))

    def mark_truncated(self, frame: tuple[int, int]) -> None:
        """B13: mark as truncated what touches the edge, as LabelImg does, and nothing else."""
        for draft in self.objects:
            box = draft.box
            if fault_of(box, frame) not in ("", "B04") or draft.is_dropped:
                continue
            touches = box.xmin <= 1 or box.ymin <= 1 or box.xmax >= frame[0] or box.ymax >= frame[1]
            if touches is not draft.truncated:
                draft.truncated = touches
                draft.note("B13", f"truncated becomes {int(touches)}")

    def drop_repeated(self, objects: tuple[LabeledObject, ...], extras: list[bytes]) -> None:
        """B08: keep the first of objects that are equal in everything.

        Args:
            objects: The objects of the file, for what a draft does not hold.
            extras: For each object what it holds beyond LabelImg's elements; differing extras make it another object.
        """
        first: dict[tuple[Box, str], int] = {}
        for draft in self.objects:
            earlier = first.setdefault((draft.box, draft.name), draft.index)
            if earlier == draft.index:
                continue
            here, there = (
                replace(objects[index], name="", box=draft.box, line=None) for index in (draft.index, earlier)
            )
            if here == there and extras[draft.index] == extras[earlier]:
                draft.is_dropped = True
                draft.note("B08", f"removed {draft.name!r} {shown_box(draft.box)}, a copy of object {earlier + 1}")
            else:
                self.left.append(("B08", draft.index, f"it differs from object {earlier + 1} in more than the box"))

    def drop_without_area(self) -> None:
        """B03: take out boxes without area, unless none would be left."""
        empty = [draft for draft in self.objects if fault_of(draft.box, None) == "B03" and not draft.is_dropped]
        others = sum(not draft.is_dropped for draft in self.objects) - len(empty)
        for draft in empty:
            if others:
                draft.is_dropped = True
                draft.note("B03", f"removed {draft.name!r} {shown_box(draft.box)}, which has no area")
            else:
                reason = "there is no other box, and without it the picture would say that there is nothing to find"
                self.left.append(("B03", draft.index, reason))


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()
