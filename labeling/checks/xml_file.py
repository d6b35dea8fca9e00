"""Checks of the XML file itself."""

from collections.abc import Iterator

from labeling.checks.subject import Check, Subject
from labeling.dataset import Match
from labeling.findings import Finding


def reading_problems(subject: Subject) -> Iterator[Finding]:
    """X01 to X07, X10, X12: what the reader could not take as an annotation."""
    for problem in subject.reading.problems:
        yield subject.about_xml(
            problem.code,
            got=problem.got,
            wanted=problem.wanted,
            line=problem.line,
            object_index=problem.object_index,
        )


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


CHECKS: tuple[Check, ...] = (reading_problems, unknown_elements, double_suffix)
