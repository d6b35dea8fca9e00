"""What label formats have in common: pictures with a name, a split and boxes; and what some of them cannot hold."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from PIL import Image

from collectors.errors import InputError
from labeling.annotations import Annotation, Box, LabeledObject
from labeling.dataset import IMAGE_SUFFIXES

TRAINING_NAMES = ("training", "train")
VERIFICATION_NAMES = ("verification", "val", "valid", "validation", "test")

UNREAD_ELEMENTS = "files with elements that LabelImg does not know"
"""A loss: polygons, parts and the like, which no reader here takes."""

_DECIMALS = 6
_ORIENTATION_TAG = 0x0112


@dataclass(frozen=True, slots=True)
class ExchangedPicture:
    """One picture on its way from one format to another.

    Attributes:
        name: Its file name, without folders; unique in the set.
        split: ``training``, ``verification``, or "" when the set has none.
        annotation: Size and objects; boxes are continuous pixel edges, as everywhere in tagbox.
        source: Where the picture lies.
    """

    name: str
    split: str
    annotation: Annotation
    source: Path

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return PurePosixPath(self.name).stem


@dataclass(frozen=True, slots=True)
class NotExchanged:
    """A picture, or a file of labels, that could not be taken.

    Attributes:
        where: The file of labels, with the picture's name where it is about one of several.
        reason: A clause.
        picture: The picture, where it was found.
    """

    where: str
    reason: str
    picture: Path | None = None


@dataclass(slots=True)
class Exchange:
    """What reading a set gave.

    Attributes:
        pictures: The pictures, sorted by split and name.
        labels: Every label with its place in the other format's list, in that order.
        refused: What could not be taken, with the reason.
        losses: What the other format has and ours cannot hold: a noun and how often.
        unlabelled: Pictures that no label file speaks of, where the reader knows them.
    """

    pictures: list[ExchangedPicture] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    refused: list[NotExchanged] = field(default_factory=list)
    losses: dict[str, int] = field(default_factory=dict)
    unlabelled: list[Path] = field(default_factory=list)

    def lose(self, what: str) -> None:
        """Count one thing that is lost."""
        self.losses[what] = self.losses.get(what, 0) + 1

    def refuse(self, where: str | Path, reason: str, picture: Path | None = None) -> None:
        """Note what could not be taken."""
        self.refused.append(NotExchanged(str(where), reason, picture))


Outputs = dict[str, bytes | Path]
"""Files of an exported set: path below its root, and the bytes or the file to copy."""


def split_of(name: str) -> str:
    """Return ``training`` or ``verification`` for the usual names of splits (``val2017`` too), else ""."""
    lowered = name.lower().rstrip("0123456789")
    if lowered in TRAINING_NAMES:
        return "training"
    return "verification" if lowered in VERIFICATION_NAMES else ""


def touches_edge(box: Box, width: int, height: int) -> bool:
    """Whether LabelImg would mark the box as truncated: its own first column and row are 1."""
    return box.xmin <= 1 or box.ymin <= 1 or box.xmax >= width or box.ymax >= height


def edge(value: float) -> float:
    """Return an edge that was computed, without the noise of floating point: six decimals."""
    return round(value, _DECIMALS)


def losses_of_flags(pictures: Iterable[ExchangedPicture], *, keeps_verified: bool) -> dict[str, int]:
    """Count what a format of bare boxes cannot hold.

    Args:
        pictures: What is to be written.
        keeps_verified: Whether the format has a place for LabelImg's verified mark.
    """
    losses: dict[str, int] = {}

    def lose(what: str, times: int) -> None:
        if times:
            losses[what] = losses.get(what, 0) + times

    for picture in pictures:
        annotation = picture.annotation
        lose("verified marks", int(annotation.verified and not keeps_verified))
        for one in annotation.objects:
            expected = touches_edge(one.box, annotation.width, annotation.height)
            lose("difficult marks", int(one.difficult))
            lose("truncated marks", int(one.truncated is not expected))
            lose("poses", int(one.pose != "Unspecified"))
    return losses


def bare_object(name: str, box: Box, width: int, height: int) -> LabeledObject:
    """Return an object of which only label and box are known; truncated as LabelImg would mark it."""
    return LabeledObject(name, box, truncated=touches_edge(box, width, height))


def size_of(path: Path, *, has_boxes: bool) -> tuple[int, int]:
    """Return width and height of a picture from its header, for labels that do not say them.

    Args:
        path: The picture.
        has_boxes: Whether the labels have boxes, so that it matters which way up the picture was.

    Raises:
        InputError: It cannot be read as a picture, or EXIF turns it: nothing tells then what the boxes were drawn on.
    """
    try:
        with Image.open(path) as image:
            orientation = image.getexif().get(_ORIENTATION_TAG, 1)
            size = image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"the picture cannot be read ({type(error).__name__})", where=str(path)) from error
    if has_boxes and orientation in range(2, 9):
        raise InputError(
            f"EXIF turns the picture (orientation {orientation}), and nothing tells whether its boxes were drawn on the"
            " turned one",
            where=str(path),
            fix="Turn its pixels for good first, in the program that drew the boxes.",
        )
    return size


class PictureFinder:
    """Finds the pictures of a set by the names that its label files use.

    Args:
        root: Folder of the set; pictures may lie anywhere below it.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._by_name: dict[str, list[Path]] = {}
        self._by_stem: dict[str, list[Path]] = {}
        for path in sorted(root.rglob("*")):
            is_hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
            if path.suffix.lower() in IMAGE_SUFFIXES and not is_hidden and path.is_file():
                self._by_name.setdefault(path.name, []).append(path)
                self._by_stem.setdefault(path.stem, []).append(path)

    def find(self, name: str, *, near: Sequence[Path] = ()) -> Path | None:
        """Return the picture of a name, which may have folders; ``None`` when there is none, or no telling which.

        Args:
            name: As the labels have it.
            near: Folders to look in first.
        """
        base = PurePosixPath(name.replace("\\", "/"))
        if base.is_absolute() or ".." in base.parts:
            base = PurePosixPath(base.name)
        for folder in (*near, self._root):
            if (folder / base).is_file():
                return folder / base
        found = self._by_name.get(base.name, [])
        return found[0] if len(found) == 1 else None

    def of_stem(self, stem: str, *, near: Sequence[Path] = ()) -> Path | None:
        """Return the picture of a stem, in one of the folders ``near`` if there is one; see `find`."""
        found = self._by_stem.get(stem, [])
        for folder in near:
            here = [path for path in found if path.parent == folder]
            if here:
                return here[0] if len(here) == 1 else None
        return found[0] if len(found) == 1 else None

    def all(self) -> list[Path]:
        """Return every picture, sorted by path."""
        return sorted(path for paths in self._by_name.values() for path in paths)
