"""Looks at the LabelImg of this machine: whether it will crash, what it will show, and how to open a class folder.

LabelImg 1.8.6, the last one on PyPI, hands floats to Qt where it wants whole numbers. From Python 3.10 on PyQt5 refuses
them, so that it dies while a box is drawn. The mended code was never released.
"""

import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from collectors.errors import InputError
from collectors.files import write_atomically
from labeling.dataset import SPLITS, UNLABELED, find_dataset
from labeling.errors import DatasetError
from labeling.label_map import LabelMap

CLASSES_FILE = "predefined_classes.txt"
LAST_RELEASE = (1, 8, 6)
HEIRS = (("labelimgplusplus", "labelimgplusplus"), ("labelcraft", "labelcraft"), ("anylabeling", "anylabeling"))
"""Living successors: name of the program and of the package that brings it, the closest relative first."""

_COMMANDS = ("labelImg", "labelimg", "labelimgplusplus", "labelImgPlusPlus", "labelcraft", "anylabeling")
_PROBE = """
import importlib.metadata as m, json, sys
found = {}
for name in ("labelImg", "labelimgplusplus", "labelcraft", "anylabeling", "PyQt5", "PySide6"):
    try:
        found[name] = m.version(name)
    except m.PackageNotFoundError:
        pass
print(json.dumps({"python": list(sys.version_info[:3]), "packages": found}))
"""
_SHEBANG = re.compile(rb"\A#!\s*(?:/usr/bin/env\s+)?([^\s\r\n]+)")


@dataclass(frozen=True, slots=True)
class Installation:
    """One program that draws boxes.

    Attributes:
        command: The program.
        package: Its package; empty when the Python behind it could not be asked.
        version: Its version; empty like ``package``.
        python: Version of that Python, three numbers; empty like ``package``.
        problem: Why it will not work, a clause; empty when nothing is known against it.
    """

    command: Path
    package: str
    version: str
    python: tuple[int, ...]
    problem: str


@dataclass(frozen=True, slots=True)
class Opening:
    """How to label one folder: the command, word by word, and how far it is."""

    class_name: str
    folder: Path
    command: tuple[str, ...]
    num_pictures: int
    num_labelled: int


def find_installations(search_path: Sequence[Path], python: Path | None = None) -> tuple[Installation, ...]:
    """Find LabelImg and its heirs.

    Args:
        search_path: Folders with programs, as in ``PATH``.
        python: Interpreter of this environment, asked too when its folder is not among them.
    """
    folders = list(dict.fromkeys([*search_path, *([python.parent] if python is not None else [])]))
    found, seen = [], set()
    for folder in folders:
        for name in _COMMANDS:
            for path in (folder / name, folder / f"{name}.exe"):
                if path.is_file() and path.resolve() not in seen:
                    seen.add(path.resolve())
                    found.append(_look_at(path))
    return tuple(found)


def judge(package: str, version: str, python: tuple[int, ...]) -> str:
    """Say why a LabelImg will not work on a Python, or "" when nothing is known against it."""
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:3])
    if package.lower() == "labelimg" and numbers <= LAST_RELEASE and python[:2] >= (3, 10):
        return (
            f"LabelImg {version} crashes on Python {python[0]}.{python[1]} while a box is drawn: "
            "PyQt5 refuses its float coordinates"
        )
    return ""


def openings_of(root: Path, program: str, classes_file: Path) -> tuple[Opening, ...]:
    """Return the command that opens each folder of a data root, or of a class folder, for labelling.

    LabelImg takes the folder of pictures, the list of labels, and the folder to save the XML in.

    Args:
        root: A data root, one class folder, or a folder of pictures.
        program: The program to run.
        classes_file: The list of labels.

    Raises:
        DatasetError: The folder is missing, or no pictures are in it.
    """
    if not root.is_dir():
        raise DatasetError("no such folder", where=str(root))
    places = (UNLABELED, *SPLITS)
    is_class = any((root / name).is_dir() for name in places)
    try:
        below = [path for path in sorted(root.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    except OSError as error:
        raise DatasetError(f"cannot list the folder: {error.strerror or error}", where=str(root)) from error
    class_dirs = [root] if is_class else [path for path in below if any((path / name).is_dir() for name in places)]
    folders = [(one.resolve().name, one / name, _images_of(one / name)) for one in class_dirs for name in places]
    openings = []
    for class_name, folder, images in folders or _plain_folders(root):
        pictures = {path.stem for path in _files(images) if path.suffix.lower() in _SHOWN_SUFFIXES}
        if pictures:
            labelled = {path.stem for path in _files(folder) if path.suffix.lower() == ".xml"} & pictures
            command = (program, str(images), str(classes_file), str(folder))
            openings.append(Opening(class_name, folder, command, len(pictures), len(labelled)))
    if not openings:
        raise DatasetError("no pictures here", where=str(root), fix="Collect some first: tagbox collect --help")
    return tuple(openings)


def write_classes(label_map: LabelMap, path: Path) -> bool:
    """Write the list of labels that LabelImg offers, in the order of the label map; returns whether it was changed.

    Raises:
        InputError: A label has a line break, the map is empty, or the disk refuses.
    """
    if not label_map.names:
        raise InputError("the label map is empty", where=str(path), fix="Add a label to it first.")
    broken = next((name for name in label_map.names if len(name.splitlines()) != 1), None)
    if broken is not None:
        raise InputError(f"the label {broken!r} cannot stand in a list of one label a line", where=str(path))
    content = "".join(f"{name}\n" for name in label_map.names).encode()
    if path.is_file() and path.read_bytes() == content:
        return False
    write_atomically(path, content)
    return True


# What Qt shows without further plug-ins; LabelImg lists nothing else.
_SHOWN_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff"}


def _images_of(folder: Path) -> Path:
    return folder / "images" if (folder / "images").is_dir() else folder


def _plain_folders(root: Path) -> list[tuple[str, Path, Path]]:
    """Folders of XML with the folder of their pictures, wherever the one lies beside the other; by name."""
    try:
        labels = find_dataset(root).labels
    except DatasetError:  # nothing is labelled yet
        labels = ()
    pairs = {(label.xml_path.parent, path.parent) for label in labels for path in label.image_paths}
    name = root.resolve().name
    return [(name, *pair) for pair in sorted(pairs)] or [(name, root, _images_of(root))]


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []


def _look_at(command: Path) -> Installation:
    interpreter = _interpreter_of(command)
    answer = _ask(interpreter) if interpreter is not None else None
    if answer is None:
        return Installation(command, "", "", (), "the Python behind it could not be asked")
    packages, python = answer
    wanted = command.stem.lower()
    package = next((name for name in packages if name.lower() == wanted), "")
    if not package:
        return Installation(command, "", "", python, "its package is not installed any more")
    version = packages[package]
    return Installation(command, package, version, python, judge(package, version, python))


def _interpreter_of(command: Path) -> Path | None:
    """The Python that a program starts: of its first line, or beside it."""
    try:
        with command.open("rb") as stream:
            start = stream.read(512)
    except OSError:
        return None
    shebang = _SHEBANG.match(start)
    named = Path(shebang.group(1).decode("utf-8", "replace")) if shebang else None
    if named is not None and "python" in named.name:
        return named if named.is_absolute() else command.parent / named.name
    beside = [command.parent / name for name in ("python3", "python", "python.exe")]
    return next((path for path in beside if path.exists()), None)


def _ask(interpreter: Path) -> tuple[dict[str, str], tuple[int, ...]] | None:
    """Its packages with their versions, and its own version."""
    try:
        done = subprocess.run(  # noqa: S603 - the program that the installed command itself starts
            [str(interpreter), "-I", "-c", _PROBE], capture_output=True, text=True, timeout=20, check=False
        )
        answer = json.loads(done.stdout)
        return dict(answer["packages"]), tuple(answer["python"])
    except (OSError, ValueError, KeyError, TypeError, subprocess.TimeoutExpired):
        return None
