"""What the checks look at: one XML file with everything known about it and its picture."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from labeling.annotations import Annotation, Box, LabeledObject
from labeling.codes import CODES
from labeling.dataset import LabelFile
from labeling.findings import Finding, Severity
from labeling.image_probe import ImageFacts, ImageProblem
from labeling.label_map import LabelMap
from labeling.voc_reader import Reading


@dataclass(frozen=True, slots=True)
class Subject:
    """One XML file, read, with its picture, decoded.

    Attributes:
        files: Where both lie.
        reading: What the reader made of the XML.
        image: What the picture is; ``None`` when there is none, or more than one.
        label_map: Labels that are allowed; ``None`` allows all.
        rivals: Other XML files that claim the same picture.
        salvaged: Objects that can still be read of an XML that is cut off.
        real_folder: Where the picture's folder really lies, links followed; ``None`` when nobody has looked.
        annotation: The annotation, or ``None`` when the XML could not be taken apart.
        image_path: The picture, when there is exactly one.
        decoded: The picture's facts when it decodes, else ``None``.
        frame: Width and height that the boxes were drawn in, in pixels: what ``<size>`` says when it says something,
            else the picture's; ``None`` when nothing tells.
    """

    files: LabelFile
    reading: Reading
    image: ImageFacts | None
    label_map: LabelMap | None = None
    rivals: tuple[Path, ...] = ()
    salvaged: tuple[LabeledObject, ...] = ()
    real_folder: str | None = None

    # Looked at by every check, thousands of times: found out once.
    annotation: Annotation | None = field(init=False, repr=False, compare=False)
    image_path: Path | None = field(init=False, repr=False, compare=False)
    decoded: ImageFacts | None = field(init=False, repr=False, compare=False)
    frame: tuple[int, int] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        annotation = self.reading.annotation
        is_decoded = self.image is not None and self.image.problem is ImageProblem.NONE
        decoded = self.image if is_decoded else None
        # A wrong <size> is a finding of its own and need not be repeated for every box.
        frame = None if decoded is None else (decoded.width, decoded.height)
        if annotation is not None and annotation.width > 0 and annotation.height > 0:
            frame = (annotation.width, annotation.height)
        paths = self.files.image_paths
        object.__setattr__(self, "annotation", annotation)
        object.__setattr__(self, "image_path", paths[0] if len(paths) == 1 else None)
        object.__setattr__(self, "decoded", decoded)
        object.__setattr__(self, "frame", frame)

    def about_xml(
        self,
        code: str,
        *,
        got: str,
        wanted: str,
        line: int | None = None,
        object_index: int | None = None,
        severity: Severity | None = None,
        action: str | None = None,
    ) -> Finding:
        """Make a finding about the XML file."""
        return make_finding(
            code,
            self.files.xml_path,
            got=got,
            wanted=wanted,
            line=line,
            object_index=object_index,
            severity=severity,
            action=action,
        )

    def about_image(
        self, code: str, *, got: str, wanted: str, severity: Severity | None = None, action: str | None = None
    ) -> Finding:
        """Make a finding about the picture."""
        path = self.image_path or self.files.xml_path
        return make_finding(code, path, got=got, wanted=wanted, severity=severity, action=action)

    def about_object(self, code: str, index: int, *, got: str, wanted: str, action: str | None = None) -> Finding:
        """Make a finding about the object of this index, counted from 0."""
        assert self.annotation is not None
        line = self.annotation.objects[index].line
        return self.about_xml(code, got=got, wanted=wanted, line=line, object_index=index + 1, action=action)


Check = Callable[[Subject], Iterable[Finding]]
"""A check of one XML file with its picture; it yields nothing when all is well or when it cannot tell."""


def make_finding(
    code: str,
    path: Path,
    *,
    got: str,
    wanted: str,
    line: int | None = None,
    object_index: int | None = None,
    severity: Severity | None = None,
    action: str | None = None,
) -> Finding:
    """Make a finding with the title, severity and action of its code, the last two unless given."""
    known = CODES[code]
    return Finding(
        code=code,
        severity=known.severity if severity is None else severity,
        path=path,
        line=line,
        object_index=object_index,
        message=f"{known.title}: {got}; wanted {wanted}",
        got=got,
        wanted=wanted,
        action=known.action if action is None else action,
    )


def shown_box(box: Box) -> str:
    """Return a box as people read it: ``(xmin, ymin)-(xmax, ymax)``."""
    return f"({box.xmin:g}, {box.ymin:g})-({box.xmax:g}, {box.ymax:g})"
