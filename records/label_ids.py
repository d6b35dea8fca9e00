"""Which label map a build uses, and how it grows.

The data root keeps one map for all its classes, ``label_map.pbtxt``. It is made when it is absent and gets a new item
at its end when a new class folder has labels; no id ever moves and no line of it is rewritten. A map that the caller
names is the caller's: it is read as it is, and made only when there is none.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from collectors.errors import TagboxError
from collectors.files import has_content, write_atomically
from labeling.label_map import LabelMap, format_csv, format_pbtxt, read_label_map
from records.errors import LabelIdsMovedError

FILE_NAME = "label_map.pbtxt"


@dataclass(frozen=True, slots=True)
class LabelMapPlan:
    """The label map of a build.

    ``path`` is its file, ``added`` the names that are new in it, sorted. ``exists`` is false when the file has to be
    made. ``is_callers`` is true when the caller named the file.
    """

    label_map: LabelMap
    path: Path
    exists: bool
    is_callers: bool
    added: tuple[str, ...] = ()

    def write(self) -> bool:
        """Make or extend the file, and ``.csv`` beside it; returns whether there was anything to write.

        Raises:
            InputError: The disk refuses.
        """
        if self.exists and not self.added:
            return False
        if self.path.suffix.lower() != ".csv":
            write_atomically(self.path, self._pbtxt())
        write_atomically(self.path.with_suffix(".csv"), format_csv(self.label_map))
        return True

    def _pbtxt(self) -> str:
        if not self.exists:
            return format_pbtxt(self.label_map)
        # What people wrote (comments, order, display names) stays as it is; the new items follow.
        text = self.path.read_bytes().decode("utf-8-sig").rstrip()
        new = LabelMap(tuple((self.label_map.ids[name], name) for name in self.added))
        return f"{text}\n\n{format_pbtxt(new)}" if text else format_pbtxt(new)


def plan_label_map(data_root: Path, class_names: Iterable[str], label_map_path: Path | None) -> LabelMapPlan:
    """Decide on the label map of a build; nothing is written.

    Args:
        data_root: Its ``label_map.pbtxt`` is the map, or the beginning of it.
        class_names: Every class folder of the root that has labels, whichever of them is built.
        label_map_path: A map to use instead. When the file is absent, the map of the data root, extended, goes there.

    Raises:
        InputError: A map cannot be read.
        LabelMapError: A map is broken; the message has file and line.
    """
    if label_map_path is not None and label_map_path.exists():
        return LabelMapPlan(read_label_map(label_map_path), label_map_path, exists=True, is_callers=True)
    own_path = data_root / FILE_NAME
    base = read_label_map(own_path) if own_path.exists() else LabelMap()
    extended = base.extended_with(class_names)
    added = tuple(name for name in extended.names if name not in base)
    if label_map_path is not None:
        return LabelMapPlan(extended, label_map_path, exists=False, is_callers=True, added=added)
    return LabelMapPlan(extended, own_path, exists=own_path.exists(), is_callers=False, added=added)


def has_items(path: Path, label_map: LabelMap) -> bool:
    """Say whether a file is a label map that says the same; false when it is absent or broken."""
    try:
        return read_label_map(path).items == label_map.items
    except TagboxError:
        return False


def copies_differ(folder: Path, label_map: LabelMap) -> bool:
    """Say whether `write_copies` would write anything."""
    path = folder / FILE_NAME
    return not has_items(path, label_map) or not has_content(path.with_suffix(".csv"), format_csv(label_map))


def write_copies(folder: Path, label_map: LabelMap) -> None:
    """Write both forms of a label map into a records folder; a file that says the same, be it in other words, stays.

    Raises:
        InputError: The disk refuses.
    """
    path = folder / FILE_NAME
    if not has_content(path.with_suffix(".csv"), format_csv(label_map)):
        write_atomically(path.with_suffix(".csv"), format_csv(label_map))
    # It may be the caller's own file.
    if not has_items(path, label_map):
        write_atomically(path, format_pbtxt(label_map))


def union_of_label_maps(old: Iterable[tuple[int, str]], new: LabelMap, *, where: Path) -> LabelMap:
    """Join the map that records in a folder were built with and the map of a new build.

    Args:
        old: ``(id, name)`` pairs of the records that are there.
        new: The map of the build.
        where: The records folder, for the message.

    Returns:
        Every class of both; a class that the new map gave up keeps its number.

    Raises:
        LabelIdsMovedError: A name has two ids, or an id two names.
    """
    names = dict(new.items)
    items = list(new.items)
    for class_id, name in old:
        if new.ids.get(name, class_id) != class_id:
            what = f"the label map gives {name!r} id {new.ids[name]}, the records there were built with {class_id}"
        elif names.get(class_id, name) != name:
            what = f"the label map gives id {class_id} to {names[class_id]!r}, the records there mean {name!r} by it"
        else:
            if class_id not in names:
                items.append((class_id, name))
            continue
        raise LabelIdsMovedError(
            what,
            where=str(where),
            fix="Ids must never move: checkpoints and records mean classes by them. "
            "Put the old ids back, or build into another folder.",
        )
    return LabelMap(tuple(items), new.display_names)
