"""Labels as people read them: ``ice_cream`` becomes ``Ice Cream``."""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from collectors.errors import InputError
from labeling.label_map import read_label_map

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
_UNUSED = "???"
_MAPS = (".pbtxt", ".csv")


def title_of(label: str) -> str:
    """Return a label as a title: words apart by one space, each with a capital first letter.

    Underscores become spaces. A word that has a capital already stays as it is.

    Example:
        >>> title_of("the eiffel_tower"), title_of("t-shirt"), title_of("bird's nest"), title_of("iPhone")
        ('The Eiffel Tower', 'T-Shirt', "Bird's Nest", 'iPhone')
    """
    words = " ".join(label.replace("_", " ").split())
    return _WORD.sub(lambda found: _capitalised(found.group()), words)


def same_titles(labels: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the labels that share a title, ``Ice cream`` and ``ice_cream``; each group in the order of the labels."""
    groups: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        groups[title_of(label)].append(label)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def read_labels(source: Path) -> list[str]:
    """Return the labels of a source, in the order in which a model numbers them.

    Args:
        source: A text file with a label a line (``retrained_labels.txt``, ``labelmap.txt``), a label map (``.pbtxt`` or
            ``.csv``), a folder with a ``label_map.pbtxt`` (a run, records, a data root), or a folder of label folders.

    Returns:
        The labels. Of a label map by id, ``???`` where an id is not used, so that the line stays the id; of label
        folders sorted by name.

    Raises:
        InputError: It is missing, cannot be read, or has no labels.
    """
    if source.is_dir():
        path = source / "label_map.pbtxt"
        labels = _of_map(path) if path.is_file() else _of_folders(source)
    elif source.suffix.lower() in _MAPS:
        labels = _of_map(source)
    else:
        labels = _of_text(source)
    if not labels:
        raise InputError("there are no labels here", where=str(source), fix="Give a file with a label a line.")
    return labels


def _of_map(path: Path) -> list[str]:
    names = dict(read_label_map(path).items)
    return [names.get(class_id, _UNUSED) for class_id in range(1, max(names, default=0) + 1)]


def _of_folders(source: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in source.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=str(source)) from error


def _of_text(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(
            f"cannot be read ({reason})", where=str(path), fix="Give a text file, a label a line."
        ) from error
    if "\0" in text:
        raise InputError("is not a text file", where=str(path), fix="Give a text file, a label a line.")
    labels = [line.strip() for line in text.split("\n")]
    while labels and not labels[-1]:
        labels.pop()
    for number, label in enumerate(labels, start=1):
        if not label:
            # Line 3 is class 3: what is left out here would move every label after it.
            raise InputError("this line has no label", where=f"{path}:{number}", fix="Write one, or take it out.")
    return labels


def _capitalised(word: str) -> str:
    return word if any(letter.isupper() for letter in word) else word[0].title() + word[1:]
