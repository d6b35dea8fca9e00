"""Checks of ``<size>`` against the picture."""

from collections.abc import Iterator

from labeling.checks.subject import Check, Subject
from labeling.findings import Finding

# Rounding of both sides of a scaled picture, relative.
_SCALE_TOLERANCE = 0.02
_GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "F")


def size_zero(subject: Subject) -> Iterator[Finding]:
    """S01: LabelImg writes 0 x 0 when it could not read the picture."""
    annotation = subject.annotation
    if annotation is None or (annotation.width > 0 and annotation.height > 0):
        return
    got = "no <size>" if annotation.size_line is None else f"{annotation.width}x{annotation.height}"
    wanted = "the picture's size"
    if subject.decoded is not None:
        wanted = f"{subject.decoded.width}x{subject.decoded.height}"
    yield subject.about_xml("S01", got=got, wanted=wanted, line=annotation.size_line)


def size_turned(subject: Subject) -> Iterator[Finding]:
    """S02: width and height are those of the picture turned by 90 degrees, and so are the boxes."""
    yield from _mismatch(subject, "S02")


def size_scaled(subject: Subject) -> Iterator[Finding]:
    """S03: the picture was resized after it was labelled."""
    yield from _mismatch(subject, "S03")


def size_differs(subject: Subject) -> Iterator[Finding]:
    """S04: ``<size>`` fits the picture in no way."""
    yield from _mismatch(subject, "S04")


def depth_differs(subject: Subject) -> Iterator[Finding]:
    """S05: LabelImg writes 1 for grey pictures and 3 for all others."""
    if subject.annotation is None or subject.decoded is None:
        return
    wanted = 1 if subject.decoded.mode in _GREY_MODES else 3
    if subject.annotation.depth != wanted:
        got = f"depth {subject.annotation.depth} for mode {subject.decoded.mode}"
        yield subject.about_xml("S05", got=got, wanted=str(wanted), line=subject.annotation.size_line)


def _mismatch(subject: Subject, code: str) -> Iterator[Finding]:
    annotation, image = subject.annotation, subject.decoded
    if annotation is None or image is None or annotation.width <= 0 or annotation.height <= 0:
        return
    said, actual = (annotation.width, annotation.height), (image.width, image.height)
    if said != actual and _kind(said, actual) == code:
        wanted = f"{actual[0]}x{actual[1]}"
        if image.orientation >= 5:
            wanted += f" as stored (EXIF orientation {image.orientation})"
        yield subject.about_xml(code, got=f"{said[0]}x{said[1]}", wanted=wanted, line=annotation.size_line)


def _kind(said: tuple[int, int], actual: tuple[int, int]) -> str:
    if said == actual[::-1]:
        return "S02"
    horizontal, vertical = said[0] / actual[0], said[1] / actual[1]
    return "S03" if abs(horizontal / vertical - 1) <= _SCALE_TOLERANCE else "S04"


CHECKS: tuple[Check, ...] = (size_zero, size_turned, size_scaled, size_differs, depth_differs)
