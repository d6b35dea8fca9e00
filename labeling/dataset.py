"""Where the labels and pictures of a data set lie, found by names alone: nothing is opened here.

Two layouts are known. A data root has class folders, ``<class>/{training,verification}/*.xml`` with the pictures in
``images/`` below (or beside the XML). Anything else is a plain folder: XML anywhere in it, pictures beside the XML, in
``images/`` below, or in ``images/`` or ``JPEGImages/`` next door. A picture belongs to the XML of the same stem;
``<filename>``, ``<folder>`` and ``<path>`` are decoration, as they are for LabelImg.
"""

import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from labeling.errors import DatasetError

SPLITS = ("training", "verification")
UNLABELED = "unlabeled"
LOADABLE_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp")
OTHER_IMAGE_SUFFIXES = (".gif", ".webp", ".tif", ".tiff", ".avif", ".heic", ".heif")
IMAGE_SUFFIXES = LOADABLE_SUFFIXES + OTHER_IMAGE_SUFFIXES


class Match(StrEnum):
    """How the picture of an XML file was found."""

    NONE = "none"
    STEM = "stem"
    LOOSE = "loose"  # the names differ in case or in Unicode normalisation
    DOUBLE_SUFFIX = "double suffix"  # a.xml.xml


@dataclass(frozen=True, slots=True)
class LabelFile:
    """One XML file and what was found for it.

    Attributes:
        xml_path: The XML file.
        image_paths: Pictures of its stem in the first folder that has one, sorted; more than one is ambiguous.
        match: How they were found.
        class_name: Name of the class folder; empty in a plain folder.
        split: ``training`` or ``verification``; empty in a plain folder.
    """

    xml_path: Path
    image_paths: tuple[Path, ...]
    match: Match
    class_name: str
    split: str


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A picture that no XML file claims."""

    path: Path
    class_name: str
    split: str


@dataclass(frozen=True, slots=True)
class ClassFolder:
    """A class folder of a data root.

    Attributes:
        path: The folder.
        name: The class.
        num_waiting: XML files that wait in ``unlabeled/`` to be placed in a split.
        stray_xml: XML files that lie in no split at all, sorted.
        has_splits: Whether there is a ``training/`` or ``verification/`` folder at all; without one its pictures are
            still being collected.
        num_labels: XML files in the splits.
    """

    path: Path
    name: str
    num_waiting: int
    stray_xml: tuple[Path, ...]
    has_splits: bool = True
    num_labels: int = 0

    @property
    def has_labels(self) -> bool:
        """Whether there is XML in one of the splits."""
        return self.num_labels > 0


@dataclass(frozen=True, slots=True)
class DatasetFiles:
    """Every XML file and every picture of a data set, sorted by path.

    Attributes:
        root: The folder that was looked through.
        class_folders: Class folders, sorted by name; empty for a plain folder.
        labels: XML files with the pictures found for them.
        unlabeled: Pictures without an XML file, in the folders where pictures of XML files may lie.
        num_images: Pictures in those folders in all.
    """

    root: Path
    class_folders: tuple[ClassFolder, ...]
    labels: tuple[LabelFile, ...]
    unlabeled: tuple[ImageFile, ...]
    num_images: int


def list_class_folders(root: Path) -> tuple[ClassFolder, ...]:
    """List the class folders of a data root, sorted by name, without keeping what lies in them.

    None for a plain folder; the root itself when it is a class folder.

    Raises:
        DatasetError: The folder is missing or cannot be listed.
    """
    _refuse_missing(root)
    return tuple(_class_folder(name, folder) for name, folder in _class_dirs(root))


def find_dataset(root: Path, class_names: Sequence[str] | None = None) -> DatasetFiles:
    """Find the labels and pictures under a folder.

    Args:
        root: A data root, one class folder, or any folder with XML in it.
        class_names: Look at these class folders only; ``None`` for all of them.

    Raises:
        DatasetError: The folder is missing or cannot be listed, a class folder asked for is missing, or there is no
            XML file at all.
    """
    _refuse_missing(root)
    class_dirs = _class_dirs(root)
    if class_names is not None:
        class_dirs = _chosen(root, class_dirs, class_names)
    if not class_dirs:
        labels, unlabeled, num_images = _match(root, _Search(root, beyond_root=True), "", "")
        _refuse_empty(root, labels, ())
        return DatasetFiles(root, (), tuple(labels), tuple(unlabeled), num_images)
    labels, unlabeled, num_images = [], [], 0
    folders = []
    for name, folder in class_dirs:
        for split in SPLITS:
            if _is_dir(folder / split):
                search = _Search(folder / split, beyond_root=False)
                more_labels, more_unlabeled, more_images = _match(folder / split, search, name, split)
                labels += more_labels
                unlabeled += more_unlabeled
                num_images += more_images
        folders.append(_class_folder(name, folder))
    _refuse_empty(root, labels, folders)
    return DatasetFiles(root, tuple(folders), tuple(labels), tuple(unlabeled), num_images)


class NormalPaths:
    """`os.path.normpath` for many paths of few folders, in a fifth of the time."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}

    def of(self, path: Path) -> str:
        """Return the path without ``..`` and doubled separators."""
        folder, separator, name = str(path).rpartition(os.sep)
        if not separator or name == "..":
            return os.path.normpath(path)
        normal = self._folders.get(folder)
        if normal is None:
            normal = os.path.normpath(folder + separator)
            normal = self._folders[folder] = "" if normal == "." else os.path.join(normal, "")  # noqa: PTH118
        return normal + name


class _Search:
    """Finds pictures by stem, in a fixed order of places around each XML file."""

    def __init__(self, root: Path, *, beyond_root: bool) -> None:
        self._root = root
        self._beyond_root = beyond_root
        self._places: dict[str, list[Path]] = {}
        self._images: dict[Path, dict[str, list[Path]]] = {}
        self._loose: dict[Path, dict[str, list[Path]]] = {}

    def places(self, xml_dir: Path) -> Iterator[Path]:
        """Folders where the pictures of the XML files in ``xml_dir`` may lie, nearest first."""
        yield xml_dir
        yield xml_dir / "images"
        inside = xml_dir != self._root
        if inside or self._beyond_root:
            yield from (_above(xml_dir) / name for name in ("images", "JPEGImages"))
        if inside and xml_dir.parent != self._root:
            yield from (xml_dir.parent.parent / name for name in ("images", "JPEGImages"))
        yield self._root / "images"

    def find(self, xml_path: Path) -> tuple[tuple[Path, ...], Match]:
        """Return the pictures of an XML file and how they were found."""
        folder, _, name = str(xml_path).rpartition(os.sep)
        if folder not in self._places:
            self._places[folder] = list(self.places(xml_path.parent))
        places = self._places[folder]
        stem = name[:-4]
        if found := self._by_stem(places, stem):
            return found, Match.STEM
        if stem.lower().endswith(".xml") and (found := self._by_stem(places, stem[:-4])):
            return found, Match.DOUBLE_SUFFIX
        wanted = _loose_key(stem)
        for place in places:
            self._list(place)
            if loose := self._loose[place].get(wanted):
                return tuple(loose), Match.LOOSE
        return (), Match.NONE

    def images(self, xml_dirs: Iterable[Path]) -> list[Path]:
        """Every picture in the places of these folders, once, sorted."""
        found: dict[str, Path] = {}
        for xml_dir in xml_dirs:
            for place in self.places(xml_dir):
                self._list(place)
                folder = os.path.normpath(place)
                for paths in self._images[place].values():
                    found.update((os.path.join(folder, path.name), path) for path in paths)  # noqa: PTH118
        return [found[key] for key in sorted(found)]

    def _by_stem(self, places: list[Path], stem: str) -> tuple[Path, ...]:
        for place in places:
            self._list(place)
            if stem in self._images[place]:
                return tuple(self._images[place][stem])
        return ()

    def _list(self, place: Path) -> None:
        if place in self._images:
            return
        exact: dict[str, list[Path]] = {}
        loose: dict[str, list[Path]] = {}
        for name, is_dir in _names(place) if _is_dir(place) else ():
            stem, suffix = os.path.splitext(name)  # noqa: PTH122 - three times as fast as Path's
            if not is_dir and suffix.lower() in IMAGE_SUFFIXES:
                path = place / name
                exact.setdefault(stem, []).append(path)
                loose.setdefault(_loose_key(stem), []).append(path)
        self._images[place] = exact
        self._loose[place] = loose


def _match(root: Path, search: _Search, class_name: str, split: str) -> tuple[list[LabelFile], list[ImageFile], int]:
    xml_paths = list(_xml_below(root))
    labels = [LabelFile(path, *search.find(path), class_name, split) for path in xml_paths]
    normal = NormalPaths()
    claimed = {normal.of(image) for label in labels for image in label.image_paths}
    xml_dirs = sorted({path.parent for path in xml_paths}) or [root]
    images = search.images(xml_dirs)
    unlabeled = [ImageFile(path, class_name, split) for path in images if normal.of(path) not in claimed]
    return labels, unlabeled, len(images)


def _class_dirs(root: Path) -> list[tuple[str, Path]]:
    """The class folders of a root, by name; none when the root is a plain folder."""
    if any(_is_dir(root / split) for split in SPLITS):
        return [(root.resolve().name, root)]
    folders = [path for path, is_dir in _entries(root) if is_dir]
    if not any(_is_dir(path / name) for path in folders for name in (*SPLITS, UNLABELED)):
        return []
    return [(path.name, path) for path in folders if _is_class_folder(path)]


def _is_class_folder(folder: Path) -> bool:
    """Whether a folder of a data root is a class: it has a split, collects pictures, is empty, or holds XML."""
    if any(_is_dir(folder / name) for name in (*SPLITS, UNLABELED)):
        return True
    return not _entries(folder) or next(_xml_below(folder), None) is not None


def _chosen(root: Path, class_dirs: list[tuple[str, Path]], class_names: Sequence[str]) -> list[tuple[str, Path]]:
    known = dict(class_dirs)
    for name in class_names:
        if name not in known:
            has = f"It has: {', '.join(known)}." if known else "It has no class folders at all."
            raise DatasetError(f"no class folder {name!r}", where=str(root), fix=has)
    return [(name, known[name]) for name in sorted(set(class_names))]


def _class_folder(name: str, folder: Path) -> ClassFolder:
    waiting = 0
    stray = []
    subfolders = []
    for part, is_dir in _names(folder):
        if is_dir:
            subfolders.append(folder / part)
        elif _is_xml(part):
            stray.append(folder / part)
    for subfolder in subfolders:
        if subfolder.name not in SPLITS and not subfolder.is_symlink():
            found = list(_xml_below(subfolder))
            if subfolder.name == UNLABELED:
                waiting = len(found)
            else:
                stray += found
    splits = [folder / split for split in SPLITS if _is_dir(folder / split)]
    num_labels = sum(map(_count_xml, splits))
    return ClassFolder(folder, name, waiting, tuple(stray), bool(splits), num_labels)


def _count_xml(folder: Path) -> int:
    """Count the files that `_xml_below` yields."""
    names = _names(folder)
    subfolders = [folder / name for name, is_dir in names if is_dir]
    count = sum(not is_dir and _is_xml(name) for name, is_dir in names)
    return count + sum(_count_xml(subfolder) for subfolder in subfolders if not subfolder.is_symlink())


def _refuse_missing(root: Path) -> None:
    if not root.is_dir():
        raise DatasetError(
            "it is a file" if root.exists() else "no such folder",
            where=str(root),
            fix="Give the folder that holds the class folders or the XML files.",
        )


def _refuse_empty(root: Path, labels: Sequence[LabelFile], folders: Sequence[ClassFolder]) -> None:
    if labels:
        return
    waiting = sum(folder.num_waiting for folder in folders)
    if waiting:
        fix = f"{waiting} XML files lie in {UNLABELED}/: place them with their pictures by `tagbox labels split`."
    else:
        fix = "Draw boxes in LabelImg (PascalVOC) and save them as XML there."
    where = f"in the training/ and verification/ folders of {root}" if folders else f"under {root}"
    raise DatasetError(f"no XML labels {where}", fix=fix)


def _xml_below(folder: Path) -> Iterator[Path]:
    """Every XML file below a folder, hidden ones left out, sorted by folder and name."""
    subfolders = []
    for name, is_dir in _names(folder):
        if is_dir:
            subfolders.append(folder / name)
        elif _is_xml(name):
            yield folder / name
    for subfolder in subfolders:
        if not subfolder.is_symlink():  # a link may lead round in a circle
            yield from _xml_below(subfolder)


def _is_xml(name: str) -> bool:
    return len(name) > 4 and name[-4:].lower() == ".xml"


def _entries(folder: Path) -> list[tuple[Path, bool]]:
    """What lies in a folder, hidden things left out, sorted by name, and whether it is a folder."""
    return [(folder / name, is_dir) for name, is_dir in _names(folder)]


def _names(folder: Path) -> list[tuple[str, bool]]:
    """`_entries` by name alone: making a path costs more than listing it."""
    try:
        with os.scandir(folder) as entries:
            return sorted((entry.name, _is_folder(entry)) for entry in entries if not entry.name.startswith("."))
    except OSError as error:
        raise DatasetError(f"cannot list the folder: {error.strerror or error}", where=str(folder)) from error


def _is_dir(path: Path) -> bool:
    """`Path.is_dir`, which raises where the folder above may not be entered; listing that one says so."""
    return os.path.isdir(path)  # noqa: PTH112


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads round in a circle
        return False


def _above(folder: Path) -> Path:
    """The folder above, spelt without ``..`` where the spelling allows it."""
    return folder / ".." if folder.name in ("", "..") else folder.parent


def _loose_key(stem: str) -> str:
    return stem.lower() if stem.isascii() else unicodedata.normalize("NFC", stem).casefold()
