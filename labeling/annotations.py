"""The one in-memory model of a labelled picture, in the terms of LabelImg's Pascal VOC file.

Boxes are continuous pixel edges exactly as the file has them, origin at the top-left corner: nothing inside tagbox
adds or subtracts one. Readers and writers of other conventions translate at the edge.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-aligned box, edges in pixels of the image: ``xmin < xmax`` and ``ymin < ymax`` when it is sound."""

    xmin: float
    ymin: float
    xmax: float
    ymax: float

    @property
    def width(self) -> float:
        """Horizontal extent in pixels; zero or negative for an unsound box."""
        return self.xmax - self.xmin

    @property
    def height(self) -> float:
        """Vertical extent in pixels; zero or negative for an unsound box."""
        return self.ymax - self.ymin

    def iou(self, other: "Box") -> float:
        """Return the intersection with another box over the union, 0 to 1; 0 when one has no area."""
        width = min(self.xmax, other.xmax) - max(self.xmin, other.xmin)
        height = min(self.ymax, other.ymax) - max(self.ymin, other.ymin)
        if width <= 0 or height <= 0:
            return 0.0
        common = width * height
        return common / (self.width * self.height + other.width * other.height - common)

    def scaled(self, x_factor: float, y_factor: float) -> "Box":
        """Return the box in a picture whose sides are multiplied by the factors."""
        return Box(self.xmin * x_factor, self.ymin * y_factor, self.xmax * x_factor, self.ymax * y_factor)


@dataclass(frozen=True, slots=True)
class LabeledObject:
    """One ``<object>`` of an annotation file.

    ``line`` is the line of its opening tag in the file, or ``None`` when it did not come from a file; it says where an
    object was found, not what it is, so two objects that differ in nothing else are equal.
    """

    name: str
    box: Box
    pose: str = "Unspecified"
    truncated: bool = False
    difficult: bool = False
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Annotation:
    """One annotation file: what it says about its image, and the objects drawn in it.

    ``folder``, ``filename`` and ``path`` are decoration (the stem of the XML file finds the image); ``path`` is
    ``None`` when the file has no such element. ``width``, ``height`` and ``depth`` are what ``<size>`` claims, not
    what the image is. An annotation without objects is a negative picture; ``verified`` says that a person confirmed
    it in LabelImg. ``filename_line`` and ``size_line`` are where those elements stand, ``None`` when the file lacks
    them; they do not count in comparisons.
    """

    filename: str
    width: int
    height: int
    depth: int = 3
    folder: str = "images"
    path: str | None = None
    database: str = "Unknown"
    segmented: bool = False
    verified: bool = False
    objects: tuple[LabeledObject, ...] = ()
    filename_line: int | None = field(default=None, compare=False)
    size_line: int | None = field(default=None, compare=False)


# What stands in <source><database> of a file that a detector wrote. LabelImg writes "Unknown" there when it saves, so
# the mark goes when a person has looked at the boxes.
PROPOSAL_MARK = "tagbox proposal"


def is_proposal(annotation: Annotation) -> bool:
    """Tell whether the boxes are a detector's proposals that no person has saved yet."""
    return annotation.database.startswith(PROPOSAL_MARK)
