"""What changed from one set of records to another: pictures, and box by box.

A set with a manifest is compared by its manifest, without reading a picture; one of another tool by its examples. Boxes
are compared as records keep them, so that both ways of reading one record agree.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from labeling.annotations import Annotation, Box, LabeledObject
from labeling.label_diff import compare_annotations
from records.record_pictures import RecordContent, RecordPicture, read_content


class RecordChangeKind(StrEnum):
    """What happened to a picture or to an object; `labeling.label_diff.ChangeKind` has those of single boxes."""

    ADDED = "added"
    REMOVED = "removed"
    PLACED = "placed"  # in another split
    RENAMED = "renamed"  # the same bytes under another name
    REPLACED = "replaced"  # other bytes under the same name


@dataclass(frozen=True, slots=True)
class RecordChange:
    """One change.

    Attributes:
        picture: The picture, by its name in the new records, or in the old ones when it is gone.
        kind: A word of `RecordChangeKind` or of `labeling.label_diff.ChangeKind`.
        object_index: Which object, from 1, of the new example, or of the old one when removed; ``None`` for a picture.
        before: What it was, short; empty when it was not there.
        after: What it is, short; empty when it is gone.
    """

    picture: str
    kind: str
    object_index: int | None
    before: str
    after: str

    def as_json(self) -> dict[str, Any]:
        """The change as a JSON object."""
        return {
            "picture": self.picture,
            "kind": self.kind,
            "object": self.object_index,
            "before": self.before,
            "after": self.after,
        }


@dataclass(frozen=True, slots=True)
class ClassChange:
    """A class whose id is another, that is new (``before`` is ``None``) or gone (``after`` is ``None``)."""

    name: str
    before: int | None
    after: int | None

    def as_json(self) -> dict[str, Any]:
        """The change as a JSON object."""
        return {"class": self.name, "before": self.before, "after": self.after}


@dataclass(frozen=True, slots=True)
class RecordDiff:
    """Everything that changed; ``num_same`` counts the pictures that are the same in both."""

    pictures: tuple[RecordChange, ...]
    classes: tuple[ClassChange, ...]
    num_same: int

    @property
    def is_empty(self) -> bool:
        """Whether both are the same."""
        return not self.pictures and not self.classes

    def as_json(self) -> dict[str, Any]:
        """The diff as a JSON object."""
        return {
            "same": self.num_same,
            "classes": [change.as_json() for change in self.classes],
            "changes": [change.as_json() for change in self.pictures],
        }


def diff_records(old: Path, new: Path) -> RecordDiff:
    """Compare two sets of records.

    Pictures are paired by name, and where the name is gone by their bytes, then by the last part of the name. Two boxes
    are the same object when they cover each other at least half. In which file, in which order and under which number
    an example stands does not matter.

    Args:
        old: A records folder, its manifest, a record file, a glob, or the name that shards share.
        new: The same.

    Returns:
        Every change, sorted by picture, what is about a picture before what is about its objects.

    Raises:
        InputError: One of the two is missing, damaged, or no record of detection examples.
    """
    before, after = read_content(old), read_content(new)
    pairs, removed, added = _paired(before.pictures, after.pictures)
    changes: list[RecordChange] = []
    num_same = 0
    for first, second in pairs:
        found = list(_compare(first, second))
        num_same += not found
        changes += found
    changes += [RecordChange(one.name, RecordChangeKind.REMOVED, None, _words(one), "") for one in removed]
    changes += [RecordChange(one.name, RecordChangeKind.ADDED, None, "", _words(one)) for one in added]
    ordered = sorted(changes, key=lambda one: (one.picture, one.object_index or 0, one.kind, one.before, one.after))
    return RecordDiff(tuple(ordered), tuple(_class_changes(before, after)), num_same)


_KEYS: tuple[Callable[[RecordPicture], Hashable], ...] = (
    lambda one: (one.split, one.name),
    lambda one: one.name,
    lambda one: (one.split, one.sha256),
    lambda one: one.sha256,
    lambda one: (one.split, one.name.rpartition("/")[2]),
)


def _paired(
    before: Sequence[RecordPicture], after: Sequence[RecordPicture]
) -> tuple[list[tuple[RecordPicture, RecordPicture]], list[RecordPicture], list[RecordPicture]]:
    pairs = []
    old, new = list(before), list(after)
    for key in _KEYS:
        waiting: dict[Hashable, list[RecordPicture]] = defaultdict(list)
        for one in reversed(new):
            waiting[key(one)].append(one)
        left = []
        for one in old:
            if others := waiting.get(key(one)):
                pairs.append((one, others.pop()))
            else:
                left.append(one)
        old, new = left, [one for others in waiting.values() for one in reversed(others)]
    return pairs, old, new


def _compare(before: RecordPicture, after: RecordPicture) -> Iterator[RecordChange]:
    name = after.name
    if before.split != after.split:
        yield RecordChange(name, RecordChangeKind.PLACED, None, before.split or "no split", after.split or "no split")
    elif before.name != after.name and "/" in before.name and "/" in after.name:
        # Another tool keeps only the last part of a name: that is no change.
        yield RecordChange(name, RecordChangeKind.RENAMED, None, before.name, after.name)
    if before.sha256 != after.sha256:
        yield RecordChange(name, RecordChangeKind.REPLACED, None, before.sha256[:12], after.sha256[:12])
    for change in compare_annotations(name, _annotation(before), _annotation(after)):
        yield RecordChange(name, change.kind.value, change.object_index, change.before, change.after)


def _annotation(picture: RecordPicture) -> Annotation:
    objects = []
    for one in picture.objects:
        # Pixels from 32-bit fractions: three decimals bring back what was written, and hide what the fractions lost.
        edges = [
            round(edge * side, 3)
            for edge, side in zip(one.box_norm, (picture.width or 1, picture.height or 1) * 2, strict=True)
        ]
        objects.append(
            LabeledObject(one.text, Box(*edges), pose=one.view, truncated=one.truncated, difficult=one.difficult)
        )
    return Annotation(picture.name, picture.width, picture.height, objects=tuple(objects))


def _class_changes(before: RecordContent, after: RecordContent) -> Iterator[ClassChange]:
    for name in sorted({*before.ids, *after.ids}):
        first, second = before.ids.get(name), after.ids.get(name)
        if first != second:
            yield ClassChange(name, first, second)


def _words(picture: RecordPicture) -> str:
    boxes = "1 box" if len(picture.objects) == 1 else f"{len(picture.objects)} boxes"
    return f"{picture.split}, {boxes}" if picture.split else boxes
