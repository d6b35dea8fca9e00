"""The label map: which number each class has, once and for all.

Ids start at 1 (0 is the background) and are append-only: a checkpoint trained yesterday means the same classes
tomorrow, so a new name gets the next free id wherever it stands in the alphabet.
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from collectors.errors import InputError
from collectors.files import write_atomically
from labeling.errors import LabelMapError
from labeling.label_map_text import Item, parse_items, quote


@dataclass(frozen=True)
class LabelMap:
    """Names and ids of the classes, sorted by id.

    Attributes:
        items: ``(id, name)`` pairs, ids from 1, each id and each name once. Gaps between ids are allowed: a class
            that was given up keeps its number.
        display_names: Names to show to people, by id; only where they differ from the name.

    Raises:
        LabelMapError: An id below 1, an id or a name twice, or an empty name.
    """

    items: tuple[tuple[int, str], ...] = ()
    display_names: tuple[tuple[int, str], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "items", tuple(sorted(self.items)))
        object.__setattr__(self, "display_names", tuple(sorted(self.display_names)))
        seen_ids: set[int] = set()
        seen_names: set[str] = set()
        for class_id, name in self.items:
            if problem := _problem_of(class_id, name, seen_ids, seen_names):
                raise LabelMapError(problem)
            seen_ids.add(class_id)
            seen_names.add(name)

    @classmethod
    def from_names(cls, names: Iterable[str]) -> "LabelMap":
        """Make a map of ``names`` in sorted order, ids 1, 2, 3...; repeated names count once."""
        return cls().extended_with(names)

    @property
    def names(self) -> tuple[str, ...]:
        """Class names in the order of their ids."""
        return tuple(name for _, name in self.items)

    @cached_property
    def ids(self) -> dict[str, int]:
        """Id of each class name."""
        return {name: class_id for class_id, name in self.items}

    @property
    def max_id(self) -> int:
        """The highest id in use; 0 for an empty map."""
        return self.items[-1][0] if self.items else 0

    def __len__(self) -> int:
        return len(self.items)

    def __contains__(self, name: object) -> bool:
        return name in self.ids

    def extended_with(self, names: Iterable[str]) -> "LabelMap":
        """Return this map plus every new name, in sorted order after the highest id; no id ever changes.

        Raises:
            LabelMapError: A name is empty.
        """
        new = sorted(set(names) - set(self.ids))
        added = tuple(enumerate(new, start=self.max_id + 1))
        return LabelMap((*self.items, *added), self.display_names) if added else self


def read_label_map(path: Path) -> LabelMap:
    """Read a label map: ``StringIntLabelMap`` text (``.pbtxt``), or ``id,name`` rows when the name ends in ``.csv``.

    The text form is taken as people write it: any spacing, single or double quotes, ``item {`` or ``item: {`` or
    ``item <``, fields in any order, ``display_name`` and further fields, escapes, ``#`` comments. An empty file is an
    empty map.

    Raises:
        InputError: The file cannot be read.
        LabelMapError: It is broken; the message has file and line.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError(
            f"cannot read the label map: {error.strerror or error}",
            where=str(path),
            fix="Give the path of a label_map.pbtxt.",
        ) from error
    except UnicodeDecodeError as error:
        raise LabelMapError("the label map is not UTF-8 text", where=str(path), fix="Save it as UTF-8.") from error
    items = _csv_items(text, path) if path.suffix.lower() == ".csv" else parse_items(text, path)
    return _map_of(items, path)


def format_pbtxt(label_map: LabelMap) -> str:
    """Return the map as ``StringIntLabelMap`` text, one block an item in the order of ids; "" for an empty map."""
    display_names = dict(label_map.display_names)
    blocks = []
    for class_id, name in label_map.items:
        lines = [f"  id: {class_id}", f"  name: {quote(name)}"]
        if class_id in display_names:
            lines.append(f"  display_name: {quote(display_names[class_id])}")
        blocks.append("item {\n" + "\n".join(lines) + "\n}\n")
    return "\n".join(blocks)


def format_csv(label_map: LabelMap) -> str:
    """Return the map as ``id,name`` rows without a heading, the only form Model Garden's decoder reads."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(label_map.items)
    return stream.getvalue()


def write_label_map(label_map: LabelMap, path: Path) -> None:
    """Write ``path`` (``.pbtxt`` text) and the same map as ``.csv`` beside it, each whole or not at all.

    Raises:
        InputError: The disk refuses.
    """
    write_atomically(path.with_suffix(".csv"), format_csv(label_map))
    write_atomically(path, format_pbtxt(label_map))


def _csv_items(text: str, path: Path) -> list[Item]:
    items = []
    reader = csv.reader(io.StringIO(text))
    for row in reader:
        line = reader.line_num
        if not row or (line == 1 and row == ["id", "name"]):
            continue
        if len(row) != 2 or not (row[0].isascii() and row[0].strip().isdigit()):
            raise LabelMapError(
                f"not an `id,name` row: {','.join(row)[:60]!r}", where=f"{path}:{line}", fix="Write for example: 1,cat"
            )
        items.append(Item(int(row[0]), row[1], None, line))
    return items


def _map_of(items: list[Item], path: Path) -> LabelMap:
    seen_ids: set[int] = set()
    seen_names: set[str] = set()
    for item in items:
        where = f"{path}:{item.line}"
        if item.class_id is None:
            raise LabelMapError("this item has no id", where=where, fix="Give it the next free id.")
        if item.name is None:
            raise LabelMapError("this item has no name", where=where, fix="Add a line such as: name: 'cat'")
        if problem := _problem_of(item.class_id, item.name, seen_ids, seen_names):
            raise LabelMapError(problem, where=where, fix="Give every class its own name and its own id, from 1.")
        seen_ids.add(item.class_id)
        seen_names.add(item.name)
    pairs = tuple((item.class_id, item.name) for item in items if item.class_id is not None and item.name is not None)
    shown = tuple(
        (item.class_id, item.display_name)
        for item in items
        if item.class_id is not None and item.display_name is not None
    )
    return LabelMap(pairs, shown)


def _problem_of(class_id: int, name: str, seen_ids: set[int], seen_names: set[str]) -> str:
    if class_id < 1:
        return f"id {class_id} of {name!r} is not allowed: ids start at 1, 0 is the background"
    if class_id > 2**31 - 1:
        return f"id {class_id} of {name!r} is too large"
    if not name.strip():
        return f"the name of id {class_id} is empty"
    if class_id in seen_ids:
        return f"id {class_id} is there twice (the second time for {name!r})"
    if name in seen_names:
        return f"the name {name!r} is there twice (the second time with id {class_id})"
    return ""
