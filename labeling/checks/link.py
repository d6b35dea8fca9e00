"""Checks of the link between an XML file and its picture."""

import os
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

from labeling.checks.subject import Check, Subject
from labeling.dataset import IMAGE_SUFFIXES, Match
from labeling.findings import Finding, Severity


def picture_missing(subject: Subject) -> Iterator[Finding]:
    """L01: no picture of this stem."""
    if subject.files.image_paths:
        return
    stem = subject.files.xml_path.stem
    got = f"nothing named {stem}.jpg or the like"
    named = _base_name(subject.annotation.filename) if subject.annotation is not None else ""
    if named and named.rpartition(".")[0] not in ("", stem):
        got += f" (<filename> says {named!r})"
    yield subject.about_xml("L01", got=got, wanted=f"{stem} with one of {' '.join(IMAGE_SUFFIXES[:6])}")


def filename_differs(subject: Subject) -> Iterator[Finding]:
    """L03: ``<filename>`` names another file than the one of this stem; info when only the suffix is missing."""
    if subject.annotation is None or subject.image_path is None:
        return
    named = _base_name(subject.annotation.filename)
    actual = subject.image_path.name
    # LabelImg writes two blanks as a tab.
    if actual in (named, named.replace("\t", "  ")):
        return
    severity = Severity.INFO if named == subject.image_path.stem else None
    got = repr(named) if named else "no <filename>"
    line = subject.annotation.filename_line
    yield subject.about_xml("L03", got=got, wanted=repr(actual), line=line, severity=severity)


def path_elsewhere(subject: Subject) -> Iterator[Finding]:
    """L04: ``<path>`` is where the picture lay on the machine of whoever labelled it."""
    if subject.annotation is None or subject.image_path is None or not subject.annotation.path:
        return
    said = subject.annotation.path
    is_absolute = said.startswith("/") or PureWindowsPath(said).is_absolute()
    if is_absolute and said != _real_path(subject, subject.image_path):
        yield subject.about_xml("L04", got=repr(said), wanted="a path that is there, or none")


def stem_ambiguous(subject: Subject) -> Iterator[Finding]:
    """L05: two pictures of one stem; LabelImg keeps one XML for both, of whichever was saved last."""
    if len(subject.files.image_paths) > 1:
        names = ", ".join(path.name for path in subject.files.image_paths)
        yield subject.about_xml("L05", got=names, wanted="one picture")


def spelling_differs(subject: Subject) -> Iterator[Finding]:
    """L06: found only by ignoring case or Unicode normalisation; on another file system it is not found."""
    if subject.files.match is Match.LOOSE and subject.image_path is not None:
        got = (
            ascii(subject.files.xml_path.stem)
            if not subject.files.xml_path.stem.isascii()
            else subject.files.xml_path.stem
        )
        wanted = ascii(subject.image_path.stem) if not subject.image_path.stem.isascii() else subject.image_path.stem
        yield subject.about_xml("L06", got=got, wanted=wanted)


def picture_claimed_twice(subject: Subject) -> Iterator[Finding]:
    """L10: another XML file labels the same picture."""
    if subject.rivals:
        yield subject.about_xml("L10", got=", ".join(str(path) for path in subject.rivals), wanted="one XML a picture")


def _real_path(subject: Subject, image_path: Path) -> str:
    if subject.real_folder is None:
        return os.path.realpath(image_path)
    path = os.path.join(subject.real_folder, image_path.name)  # noqa: PTH118
    return os.path.realpath(path) if os.path.islink(path) else path  # noqa: PTH114 - a fifth of the time


def _base_name(filename: str) -> str:
    """The last part of what ``<filename>`` says, whatever system's path it is."""
    return PureWindowsPath(filename).name if "\\" in filename or "/" in filename else filename


CHECKS: tuple[Check, ...] = (
    picture_missing,
    filename_differs,
    path_elsewhere,
    stem_ambiguous,
    spelling_differs,
    picture_claimed_twice,
)
