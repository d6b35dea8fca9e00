"""Checks of single sound boxes: what is possible, but seldom meant."""

from collections.abc import Iterator

from labeling.annotations import LabeledObject
from labeling.checks.box import fault_of
from labeling.checks.subject import Check, Subject, shown_box
from labeling.findings import Finding

_WHOLE_SHARE = 0.98
_LONGEST_ASPECT = 20.0


def over_everything(subject: Subject) -> Iterator[Finding]:
    """B11: a box that covers the picture."""
    for index, labeled, (width, height) in _sound(subject):
        share = labeled.box.width * labeled.box.height / (width * height)
        if share > _WHOLE_SHARE:
            got = f"{labeled.name!r} over {min(share, 1.0):.0%} of the picture"
            yield subject.about_object("B11", index, got=got, wanted=f"at most {_WHOLE_SHARE:.0%}")


def very_long(subject: Subject) -> Iterator[Finding]:
    """B12: one side more than twenty times the other."""
    for index, labeled, _ in _sound(subject):
        longest, shortest = max(labeled.box.width, labeled.box.height), min(labeled.box.width, labeled.box.height)
        if longest > _LONGEST_ASPECT * shortest:
            got = f"{labeled.name!r} of {labeled.box.width:g}x{labeled.box.height:g} px"
            yield subject.about_object("B12", index, got=got, wanted=f"at most {_LONGEST_ASPECT:g} to 1")


def truncated_differs(subject: Subject) -> Iterator[Finding]:
    """B13: LabelImg sets ``truncated`` where a box touches the edge, and nowhere else; one finding a file.

    Its own edge is 1 (not 0) at the left and the top. Files of other writers set the flag by hand.
    """
    differing = []
    for index, labeled, (width, height) in _sound(subject):
        box = labeled.box
        touches = box.xmin <= 1 or box.ymin <= 1 or box.xmax >= width or box.ymax >= height
        if touches is not labeled.truncated:
            differing.append((index, labeled, touches))
    if differing:
        index, labeled, touches = differing[0]
        more = f" and {len(differing) - 1} more" if len(differing) > 1 else ""
        where = "touches the edge" if touches else "does not touch the edge"
        got = f"truncated {int(labeled.truncated)}, but {shown_box(labeled.box)} {where}{more}"
        yield subject.about_object("B13", index, got=got, wanted=f"truncated {int(touches)}")


def _sound(subject: Subject) -> Iterator[tuple[int, LabeledObject, tuple[int, int]]]:
    if subject.annotation is None or subject.frame is None:
        return
    for index, labeled in enumerate(subject.annotation.objects):
        if fault_of(labeled.box, subject.frame) in ("", "B04"):
            yield index, labeled, subject.frame


CHECKS: tuple[Check, ...] = (over_everything, very_long, truncated_differs)
