"""What lies beside the XML and the pictures of a data set: labels of other formats, leftovers, links that lead out."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from labeling.dataset import IMAGE_SUFFIXES, DatasetFiles

_YOLO_LINE = re.compile(rb"\s*\d+(?:\s+[\d.eE+-]+){4,5}\s*(?:\n|$)")
_CREATEML_START = re.compile(rb'\s*\[\s*\{\s*"(?:image|imagefilename|annotations)"\s*:')
_SNIFFED_BYTES = 300
# Files of one folder whose content is looked at; what their names promise, the others will hold as well.
_SNIFFED_FILES = 3


class Kind(StrEnum):
    """What something beside the labels is."""

    YOLO = "YOLO"
    CREATEML = "CreateML"
    LEFTOVER = "leftover"
    OUTWARD_LINK = "link"


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Something beside the labels.

    Attributes:
        kind: What it is.
        path: The file, or the first of several of one kind in one folder.
        count: How many of the kind there are in the folder.
        target: Where a link leads.
    """

    kind: Kind
    path: Path
    count: int = 1
    target: str = ""


def find_neighbours(files: DatasetFiles) -> tuple[Neighbour, ...]:
    """Look through the folders that hold the XML and the pictures; sorted by path. Folders that vanish give nothing."""
    folders = {files.root}
    folders.update(folder.path for folder in files.class_folders)
    folders.update(label.xml_path.parent for label in files.labels)
    folders.update(path.parent for label in files.labels for path in label.image_paths)
    folders.update(image.path.parent for image in files.unlabeled)
    real_root = os.path.realpath(files.root)
    found = [one for folder in folders for one in _in_folder(folder, real_root)]
    return tuple(sorted(found, key=lambda one: (str(one.path), one.kind)))


def _in_folder(folder: Path, real_root: str) -> Iterator[Neighbour]:
    try:
        with os.scandir(folder) as entries:
            names = sorted((entry.name, entry.is_symlink()) for entry in entries if not entry.name.startswith("."))
    except OSError:
        return
    stems: set[str] = set()
    texts: list[str] = []
    for name, is_link in names:
        stem, suffix = os.path.splitext(name)  # noqa: PTH122
        lower = suffix.lower()
        if lower == ".tmp":
            yield Neighbour(Kind.LEFTOVER, folder / name)
        elif lower in (".txt", ".json"):
            texts.append(name)
        elif lower == ".xml" or lower in IMAGE_SUFFIXES:
            stems.add(stem)
        if is_link and (target := _leads_out(folder / name, real_root)):
            yield Neighbour(Kind.OUTWARD_LINK, folder / name, target=target)
    yield from _foreign_labels(folder, texts, stems)


def _foreign_labels(folder: Path, names: list[str], stems: set[str]) -> Iterator[Neighbour]:
    yolo = [name for name in names if name.endswith(".txt") and name[:-4] in stems]
    if any(_YOLO_LINE.match(_start_of(folder / name)) for name in yolo[:_SNIFFED_FILES]):
        yield Neighbour(Kind.YOLO, folder / yolo[0], len(yolo))
    createml = [name for name in names if name.endswith(".json")]
    for name in createml[:_SNIFFED_FILES]:
        if _CREATEML_START.match(_start_of(folder / name)):
            yield Neighbour(Kind.CREATEML, folder / name)


def _start_of(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(_SNIFFED_BYTES)
    except OSError:
        return b""


def _leads_out(path: Path, real_root: str) -> str:
    """Where a link leads if that is outside of the data root; "" if it is inside, or leads nowhere at all."""
    target = os.path.realpath(path)
    inside = os.path.join(real_root, "")  # noqa: PTH118
    return "" if target.startswith(inside) or not os.path.exists(target) else target  # noqa: PTH110
