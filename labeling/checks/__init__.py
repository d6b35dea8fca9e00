"""Every check, one small function a code; `labeling.codes` says what the codes mean."""

from collections.abc import Iterator

from labeling.checks import box, image, label, link, overlap, shape, size, statistics, surroundings, whole, xml_file
from labeling.checks.subject import Check, Subject
from labeling.checks.whole import Whole
from labeling.findings import Finding

CHECKS: tuple[Check, ...] = (
    *xml_file.CHECKS,
    *link.CHECKS,
    *image.CHECKS,
    *size.CHECKS,
    *box.CHECKS,
    *overlap.CHECKS,
    *shape.CHECKS,
    *label.CHECKS,
)


def check_pair(subject: Subject) -> list[Finding]:
    """Run every check of one XML file with its picture, in the order of the codes."""
    return [finding for check in CHECKS for finding in check(subject)]


def check_whole(dataset: Whole) -> Iterator[Finding]:
    """Run every check of the data set as a whole."""
    for check in (*whole.CHECKS, *surroundings.CHECKS, *statistics.CHECKS):
        yield from check(dataset)
