"""What changed between two states of a data set: pictures, and box by box."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from labeling.annotations import Annotation, LabeledObject
from labeling.checks.subject import shown_box
from labeling.errors import AnnotationError
from labeling.voc import read_annotation
from labeling.waiting_labels import find_labels

_SAME_OBJECT_IOU = 0.5


class ChangeKind(StrEnum):
    """What happened to a picture or to an object."""

    ADDED = "added"
    REMOVED = "removed"
    PLACED = "placed"  # in another split or class folder
    RELABELLED = "relabelled"
    MOVED = "moved"  # the edges of a box
    MARKED = "marked"  # truncated, difficult, pose or verified
    RESIZED = "resized"  # <size>
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class LabelChange:
    """One change.

    Attributes:
        stem: The picture.
        kind: What happened.
        object_index: Which object, from 1, of the new file, or of the old one when removed; ``None`` for a picture.
        before: What it was, short; empty when it was not there.
        after: What it is, short; empty when it is gone.
    """

    stem: str
    kind: ChangeKind
    object_index: int | None
    before: str
    after: str

    def as_json(self) -> dict[str, Any]:
        """The change as a JSON object."""
        return {
            "picture": self.stem,
            "kind": self.kind.value,
            "object": self.object_index,
            "before": self.before,
            "after": self.after,
        }


def diff_labels(old: Path, new: Path) -> tuple[LabelChange, ...]:
    """Compare two data sets, or two XML files, by the stems of the XML files.

    A picture that is in several class folders is compared with the one in the same folder. Two boxes are the same
    object when they cover each other at least half.

    Returns:
        Every change, sorted by stem, pictures before objects.

    Raises:
        DatasetError: One of the two is missing or holds no XML.
    """
    before, after = _annotations(old), _annotations(new)
    if old.is_file() and new.is_file():
        before, after = (dict(zip([("", "")], found.values(), strict=True)) for found in (before, after))
    pairs, changes = _paired(before, after)
    for key_before, key_after in pairs:
        stem = key_after[1] or new.stem
        if key_before[0] != key_after[0]:
            changes.append(LabelChange(stem, ChangeKind.PLACED, None, key_before[0], key_after[0]))
        changes += compare_annotations(stem, before[key_before], after[key_after])
    return tuple(sorted(changes, key=lambda one: (one.stem, one.object_index or 0, one.kind, one.before)))


Found = dict[tuple[str, str], Annotation | AnnotationError]
"""Place (class and split) and stem of each annotation, or why it cannot be read."""


def _annotations(root: Path) -> Found:
    if root.is_file():
        return {("", root.stem): _read(root)}
    found: Found = {}
    for files in find_labels(root):
        for label in files.labels:
            place = f"{label.class_name}/{label.split}" if label.split else _place(label.xml_path, root)
            found[place, label.xml_path.stem] = _read(label.xml_path)
    return found


def _place(path: Path, root: Path) -> str:
    parts = path.relative_to(root).parts
    return "/".join(parts[: parts.index("unlabeled") + 1]) if "unlabeled" in parts else ""


def _read(path: Path) -> Annotation | AnnotationError:
    try:
        return read_annotation(path)
    except AnnotationError as error:
        return error


def _paired(before: Found, after: Found) -> tuple[list[tuple[tuple[str, str], tuple[str, str]]], list[LabelChange]]:
    """Pair what has the same place and stem, then what has the same stem and class, then the same stem."""
    pairs = [(key, key) for key in sorted(before.keys() & after.keys())]
    old = sorted(before.keys() - after.keys())
    new = sorted(after.keys() - before.keys())
    for same_class in (True, False):
        for key in list(old):
            same = [one for one in new if one[1] == key[1]]
            same = [one for one in same if not same_class or one[0].partition("/")[0] == key[0].partition("/")[0]]
            if same:
                pairs.append((key, same[0]))
                old.remove(key)
                new.remove(same[0])
    changes = [LabelChange(stem, ChangeKind.REMOVED, None, place or "a picture", "") for place, stem in old]
    changes += [LabelChange(stem, ChangeKind.ADDED, None, "", place or "a picture") for place, stem in new]
    return pairs, changes


def compare_annotations(
    stem: str, before: Annotation | AnnotationError, after: Annotation | AnnotationError
) -> Iterator[LabelChange]:
    """Compare two states of the labels of one picture.

    Args:
        stem: What the changes call the picture.
        before: The labels, or why they cannot be read.
        after: The same, later.

    Yields:
        The changes of the picture, then of its objects: those in both, removed ones, added ones.
    """
    if isinstance(before, AnnotationError) or isinstance(after, AnnotationError):
        words = [one.what if isinstance(one, AnnotationError) else "readable" for one in (before, after)]
        if words[0] != words[1]:
            yield LabelChange(stem, ChangeKind.UNREADABLE, None, *words)
        return
    sizes = [f"{one.width}x{one.height}" for one in (before, after)]
    if sizes[0] != sizes[1]:
        yield LabelChange(stem, ChangeKind.RESIZED, None, *sizes)
    if before.verified is not after.verified:
        words = ["verified" if one.verified else "not verified" for one in (before, after)]
        yield LabelChange(stem, ChangeKind.MARKED, None, *words)
    matches = _match(before.objects, after.objects)
    for first, second in sorted(matches.items()):
        yield from _compare_objects(stem, second + 1, before.objects[first], after.objects[second])
    for index, one in enumerate(before.objects):
        if index not in matches:
            yield LabelChange(stem, ChangeKind.REMOVED, index + 1, f"{one.name!r} {shown_box(one.box)}", "")
    for index, one in enumerate(after.objects):
        if index not in matches.values():
            yield LabelChange(stem, ChangeKind.ADDED, index + 1, "", f"{one.name!r} {shown_box(one.box)}")


def _compare_objects(stem: str, index: int, before: LabeledObject, after: LabeledObject) -> Iterator[LabelChange]:
    if before.name != after.name:
        yield LabelChange(stem, ChangeKind.RELABELLED, index, repr(before.name), repr(after.name))
    if before.box != after.box:
        yield LabelChange(stem, ChangeKind.MOVED, index, shown_box(before.box), shown_box(after.box))
    marks = [_marks(one) for one in (before, after)]
    if marks[0] != marks[1]:
        yield LabelChange(stem, ChangeKind.MARKED, index, *marks)


def _match(before: tuple[LabeledObject, ...], after: tuple[LabeledObject, ...]) -> dict[int, int]:
    """Pair objects one to one: equal ones first, then by overlap, the same label before another."""
    candidates = []
    for first, one in enumerate(before):
        for second, other in enumerate(after):
            overlap = 1.0 if one.box == other.box else one.box.iou(other.box)
            if overlap >= _SAME_OBJECT_IOU:
                candidates.append((one != other, one.name != other.name, -overlap, first, second))
    matches: dict[int, int] = {}
    taken: set[int] = set()
    for *_, first, second in sorted(candidates):
        if first not in matches and second not in taken:
            matches[first] = second
            taken.add(second)
    return matches


def _marks(one: LabeledObject) -> str:
    words = [word for word, is_set in (("truncated", one.truncated), ("difficult", one.difficult)) if is_set]
    return ", ".join([*words, one.pose] if one.pose != "Unspecified" else words) or "no marks"
