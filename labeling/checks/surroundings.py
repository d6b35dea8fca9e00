"""Checks of what lies beside the labels."""

from collections.abc import Iterator

from labeling.checks.subject import make_finding
from labeling.checks.whole import Whole, WholeCheck
from labeling.findings import Finding
from labeling.surroundings import Kind, Neighbour


def leads_out(whole: Whole) -> Iterator[Finding]:
    """L07: the set works here, but a copy of it would lack this file."""
    for one in _of_kind(whole, Kind.OUTWARD_LINK):
        yield make_finding("L07", one.path, got=f"a link to {one.target}", wanted="a file of the set's own")


def other_formats(whole: Whole) -> Iterator[Finding]:
    """L08: LabelImg was switched to YOLO or CreateML on the way; one finding a folder and format."""
    for kind in (Kind.YOLO, Kind.CREATEML):
        for one in _of_kind(whole, kind):
            got = f"{kind} labels in {one.path.name}" + (f" and {one.count - 1} more" if one.count > 1 else "")
            yield make_finding("L08", one.path, got=got, wanted="Pascal VOC only")


def leftovers(whole: Whole) -> Iterator[Finding]:
    """D08: a program was killed while it saved."""
    for one in _of_kind(whole, Kind.LEFTOVER):
        yield make_finding("D08", one.path, got=one.path.name, wanted="no .tmp files")


def _of_kind(whole: Whole, kind: Kind) -> Iterator[Neighbour]:
    return (one for one in whole.neighbours if one.kind is kind)


CHECKS: tuple[WholeCheck, ...] = (leads_out, other_formats, leftovers)
