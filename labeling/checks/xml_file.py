"""Checks of the XML file itself."""

import math
from collections.abc import Iterator

from labeling.annotations import is_proposal
from labeling.checks.subject import Check, Subject, shown_box
from labeling.dataset import Match
from labeling.findings import Finding

_MOST_OBJECTS = 5000
_SHOWN_BOXES = 5


def reading_problems(subject: Subject) -> Iterator[Finding]:
    """X01 to X07, X10, X12: what the reader could not take as an annotation."""
    for problem in subject.reading.problems:
        yield subject.about_xml(
            problem.code,
            got=problem.got,
            wanted=problem.wanted,
            line=problem.line,
            object_index=problem.object_index,
            action=_with_salvage(subject) if problem.code == "X01" and subject.salvaged else None,
        )


def too_many_objects(subject: Subject) -> Iterator[Finding]:
    """X05: more objects than anybody draws; the reader has its own X05 for the size in bytes."""
    if subject.annotation is not None and len(subject.annotation.objects) > _MOST_OBJECTS:
        got = f"{len(subject.annotation.objects)} objects"
        yield subject.about_xml("X05", got=got, wanted=f"at most {_MOST_OBJECTS}")


def edges_not_whole(subject: Subject) -> Iterator[Finding]:
    """X08: edges with a fraction, one finding a file; they are kept as they are."""
    for index, labeled in enumerate(subject.annotation.objects if subject.annotation is not None else ()):
        box = labeled.box
        for edge in (box.xmin, box.ymin, box.xmax, box.ymax):
            if not edge.is_integer() and math.isfinite(edge):
                yield subject.about_object("X08", index, got=f"{edge:g}", wanted="whole numbers, as LabelImg writes")
                return


def unknown_elements(subject: Subject) -> Iterator[Finding]:
    """X09: elements that LabelImg does not write; they are no fault."""
    if subject.reading.unknown_elements:
        got = ", ".join(f"<{name}>" for name in subject.reading.unknown_elements[:5])
        yield subject.about_xml("X09", got=got, wanted="the elements of Pascal VOC")


def double_suffix(subject: Subject) -> Iterator[Finding]:
    """X11: ``a.xml.xml``, from an old save dialogue."""
    if subject.files.match is Match.DOUBLE_SUFFIX:
        name = subject.files.xml_path.name
        yield subject.about_xml("X11", got=name, wanted=name[:-4])


def proposals(subject: Subject) -> Iterator[Finding]:
    """X13: boxes that a detector proposed; LabelImg takes the mark away when a person saves the file."""
    if subject.annotation is not None and is_proposal(subject.annotation):
        got = subject.annotation.database
        yield subject.about_xml("X13", got=got, wanted="a file that a person has saved")


def _with_salvage(subject: Subject) -> str:
    """The action of X01 with what can still be read, so that nobody has to open the broken file."""
    shown = ", ".join(f"{one.name!r} {shown_box(one.box)}" for one in subject.salvaged[:_SHOWN_BOXES])
    more = f" and {len(subject.salvaged) - _SHOWN_BOXES} more" if len(subject.salvaged) > _SHOWN_BOXES else ""
    what = "1 whole box stands" if len(subject.salvaged) == 1 else f"{len(subject.salvaged)} whole boxes stand"
    return f"Restore the file, or draw its boxes again; {what} before the break (not used): {shown}{more}."


CHECKS: tuple[Check, ...] = (
    reading_problems,
    too_many_objects,
    edges_not_whole,
    unknown_elements,
    double_suffix,
    proposals,
)
