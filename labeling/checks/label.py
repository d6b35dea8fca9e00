"""Checks of the labels against the label map and the class folder."""

import difflib
from collections.abc import Iterator

from labeling.checks.subject import Check, Subject
from labeling.findings import Finding
from labeling.label_map import LabelMap


def unknown(subject: Subject) -> Iterator[Finding]:
    """C01: the label map does not have it."""
    for index, name, label_map in _strangers(subject):
        if _written_right(name, label_map) is None:
            near = difflib.get_close_matches(name, label_map.names, n=1, cutoff=0.6)
            wanted = f"{near[0]!r} perhaps" if near else f"one of {_some(label_map)}"
            yield subject.about_object("C01", index, got=repr(name), wanted=wanted)


def misspelt(subject: Subject) -> Iterator[Finding]:
    """C02: the label map has it in other case, or with other blanks."""
    for index, name, label_map in _strangers(subject):
        known = _written_right(name, label_map)
        if known is not None:
            yield subject.about_object("C02", index, got=repr(name), wanted=repr(known))


def not_of_folder(subject: Subject) -> Iterator[Finding]:
    """C03: a label that is allowed but is not the name of the class folder, one finding for each such label."""
    if subject.annotation is None or not subject.files.class_name:
        return
    seen = {subject.files.class_name, ""}
    for index, labeled in enumerate(subject.annotation.objects):
        allowed = subject.label_map is None or labeled.name in subject.label_map
        if labeled.name.strip() and labeled.name not in seen and allowed:
            seen.add(labeled.name)
            yield subject.about_object("C03", index, got=repr(labeled.name), wanted=repr(subject.files.class_name))


def empty(subject: Subject) -> Iterator[Finding]:
    """C04: no label, or nothing but blanks."""
    for index, labeled in enumerate(subject.annotation.objects if subject.annotation is not None else ()):
        if not labeled.name.strip():
            yield subject.about_object("C04", index, got=repr(labeled.name), wanted="the name of a class")


def _strangers(subject: Subject) -> Iterator[tuple[int, str, LabelMap]]:
    if subject.annotation is None or subject.label_map is None:
        return
    for index, labeled in enumerate(subject.annotation.objects):
        if labeled.name.strip() and labeled.name not in subject.label_map:
            yield index, labeled.name, subject.label_map


def _written_right(name: str, label_map: LabelMap) -> str | None:
    """The label that this one is but for case and blanks."""
    key = _plain(name)
    return next((known for known in label_map.names if _plain(known) == key), None)


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()


def _some(label_map: LabelMap) -> str:
    names = [repr(name) for name in label_map.names[:5]]
    return ", ".join(names) + (f" and {len(label_map) - 5} more" if len(label_map) > 5 else "") or "none: it is empty"


CHECKS: tuple[Check, ...] = (unknown, misspelt, not_of_folder, empty)
