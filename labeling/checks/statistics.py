"""Checks by counting: labels and boxes of the whole set.

What a count of a few pictures says is chance, so the checks of shares and numbers speak from `LEAST_PICTURES` on.
"""

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from labeling.annotations import LabeledObject
from labeling.checks.subject import Subject, make_finding
from labeling.checks.whole import Whole, WholeCheck
from labeling.findings import Finding

LEAST_PICTURES = 50
"""Usable pictures below which shares and numbers are not judged."""

_LEAST_BOXES_OF_A_SPREAD = 20
_UNUSUAL_DEVIATIONS = 5.0
# Boxes of one size have no spread at all; a tenth up or down is never unusual.
_LEAST_SPREAD = 0.1
_FEW_BOXES = 10
_IMBALANCE = 50
_USUAL_SHARES = (0.05, 0.5)


def size_unusual(whole: Whole) -> Iterator[Finding]:
    """B14: far from the median size of its label, by the median absolute deviation of the logarithm."""
    if len(whole.usable) < LEAST_PICTURES:
        return
    sides: dict[str, list[tuple[float, Subject, int]]] = defaultdict(list)
    for subject in whole.usable:
        for index, labeled in enumerate(_objects(subject)):
            if subject.frame is not None and labeled.box.width > 0 and labeled.box.height > 0:
                width, height = subject.frame
                share = math.sqrt(labeled.box.width * labeled.box.height / (width * height))
                sides[labeled.name].append((math.log(share), subject, index))
    for name, found in sorted(sides.items()):
        if len(found) < _LEAST_BOXES_OF_A_SPREAD:
            continue
        median = statistics.median(side for side, _, _ in found)
        spread = max(1.4826 * statistics.median(abs(side - median) for side, _, _ in found), _LEAST_SPREAD)
        for side, subject, index in found:
            if abs(side - median) > _UNUSUAL_DEVIATIONS * spread:
                got = f"{name!r} over {math.exp(side):.1%} of the picture's side"
                yield subject.about_object("B14", index, got=got, wanted=f"about {math.exp(median):.0%}")


def counted_from_one(whole: Whole) -> Iterator[Finding]:
    """B16: files of the VOC devkit, whose edges are inclusive pixels from 1 to the width; one finding for all.

    LabelImg's edges have the same range, so the numbers alone tell nothing: ``<database>`` must name VOC, too.
    """
    from_devkit = []
    touches = False
    for subject in whole.usable:
        if subject.annotation is None or subject.frame is None or "voc" not in subject.annotation.database.lower():
            continue
        from_devkit.append(subject)
        for labeled in subject.annotation.objects:
            box = labeled.box
            if min(box.xmin, box.ymin) < 1 or box.xmax > subject.frame[0] or box.ymax > subject.frame[1]:
                return
            touches |= min(box.xmin, box.ymin) == 1 or box.xmax == subject.frame[0] or box.ymax == subject.frame[1]
    if touches:
        assert from_devkit[0].annotation is not None
        got = f"{len(from_devkit)} files of {from_devkit[0].annotation.database!r}, edges from 1 to the width"
        yield from_devkit[0].about_xml("B16", got=got, wanted="edges from 0")


def only_in_verification(whole: Whole) -> Iterator[Finding]:
    """C06: the score of such a label is that of a class nobody taught."""
    trained = {labeled.name for subject in _of_split(whole, "training") for labeled in _objects(subject)}
    if not any(True for _ in _of_split(whole, "training")):
        return  # that is D10
    for subject in _of_split(whole, "verification"):
        for index, labeled in enumerate(_objects(subject)):
            if labeled.name not in trained:
                trained.add(labeled.name)
                yield subject.about_object("C06", index, got=repr(labeled.name), wanted="a label of training/")


def few_boxes(whole: Whole) -> Iterator[Finding]:
    """C07: too few to learn from, or a slip that the label map allows."""
    for name, (count, subject, index) in _training_labels(whole).items():
        if count < _FEW_BOXES:
            got = f"{count} of {name!r} in training"
            yield subject.about_object("C07", index, got=got, wanted=f"at least {_FEW_BOXES}")


def imbalance(whole: Whole) -> Iterator[Finding]:
    """C08: the commonest label is fifty times the rarest one; one finding for the set."""
    counts = sorted((count, name) for name, (count, _, _) in _training_labels(whole).items())
    if len(counts) > 1 and counts[-1][0] > _IMBALANCE * counts[0][0]:
        got = f"{counts[-1][0]} of {counts[-1][1]!r}, {counts[0][0]} of {counts[0][1]!r}"
        yield make_finding("C08", whole.files.root, got=got, wanted=f"at most {_IMBALANCE} to 1")


def beyond_ascii(whole: Whole) -> Iterator[Finding]:
    """C09: one finding for each such label."""
    seen: set[str] = set()
    for subject in whole.usable:
        for index, labeled in enumerate(_objects(subject)):
            if not labeled.name.isascii() and labeled.name not in seen:
                seen.add(labeled.name)
                yield subject.about_object("C09", index, got=repr(labeled.name), wanted="ASCII letters")


def no_negatives(whole: Whole) -> Iterator[Finding]:
    """D05: nothing shows the model what is not the object."""
    training = [subject for subject in whole.usable if subject.files.split != "verification"]
    if len(training) >= LEAST_PICTURES and all(_objects(subject) for subject in training):
        got = f"{len(training)} pictures, each with objects"
        yield make_finding("D05", whole.files.root, got=got, wanted="some without")


def partly_verified(whole: Whole) -> Iterator[Finding]:
    """D06: somebody began to go through the files; one finding for each class folder."""
    for name, subjects in _by_class(whole).items():
        verified = sum(subject.annotation is not None and subject.annotation.verified for subject in subjects)
        if len(subjects) >= LEAST_PICTURES and 0 < verified < len(subjects):
            path = _folder_of(whole, name)
            yield make_finding("D06", path, got=f"{verified} of {len(subjects)}", wanted="all or none")


def share_unusual(whole: Whole) -> Iterator[Finding]:
    """D07: a class with a share of verification pictures below a twentieth or above a half."""
    for name, subjects in _by_class(whole).items():
        counts = Counter(subject.files.split for subject in subjects)
        total = counts["training"] + counts["verification"]
        if total < LEAST_PICTURES or not counts["verification"] or not counts["training"]:
            continue
        share = counts["verification"] / total
        if not _USUAL_SHARES[0] <= share <= _USUAL_SHARES[1]:
            got = f"{counts['verification']} of {total} ({share:.0%})"
            wanted = f"{_USUAL_SHARES[0]:.0%} to {_USUAL_SHARES[1]:.0%}"
            yield make_finding("D07", _folder_of(whole, name), got=got, wanted=wanted)


def _objects(subject: Subject) -> tuple[LabeledObject, ...]:
    return subject.annotation.objects if subject.annotation is not None else ()


def _of_split(whole: Whole, split: str) -> Iterator[Subject]:
    return (subject for subject in whole.usable if subject.files.split == split)


def _by_class(whole: Whole) -> dict[str, list[Subject]]:
    groups: dict[str, list[Subject]] = defaultdict(list)
    for subject in whole.usable:
        groups[subject.files.class_name].append(subject)
    return groups


def _folder_of(whole: Whole, class_name: str) -> Path:
    return next((one.path for one in whole.files.class_folders if one.name == class_name), whole.files.root)


def _training_labels(whole: Whole) -> dict[str, tuple[int, Subject, int]]:
    """Boxes of each label outside verification, with the first of them; nothing for a small set."""
    if len(whole.usable) < LEAST_PICTURES:
        return {}
    found: dict[str, tuple[int, Subject, int]] = {}
    for subject in whole.usable:
        if subject.files.split == "verification":
            continue
        for index, labeled in enumerate(_objects(subject)):
            count, first, place = found.get(labeled.name, (0, subject, index))
            found[labeled.name] = (count + 1, first, place)
    return found


CHECKS: tuple[WholeCheck, ...] = (
    size_unusual,
    counted_from_one,
    only_in_verification,
    few_boxes,
    imbalance,
    beyond_ascii,
    no_negatives,
    partly_verified,
    share_unusual,
)
