"""Which groups of pictures go to verification: as many as asked, of every class, label and size of box.

The choice starts from a hash of each group's name, so it does not depend on the order of folders, and a group keeps its
place in the queue when the data grows. Along this queue a group goes to verification when that brings the set nearer to
its targets: the share of pictures and of negatives of each class, and of its boxes by label and by size.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from labeling.labelled_pictures import LabelledPicture

_SMALL_AREA = 32**2
_MEDIUM_AREA = 96**2

Stratum = tuple[str, ...]
"""What is counted, for example ``("pictures", class)``, ``("boxes", class, label)``, ``("small", class)``."""


@dataclass(frozen=True, slots=True)
class Balance:
    """How one stratum came out: its count in all, in verification, and the count aimed at."""

    stratum: Stratum
    total: int
    verification: int
    target: float


def strata_of(picture: LabelledPicture) -> Counter[Stratum]:
    """Count what one picture brings into each stratum."""
    name = picture.class_name
    counts: Counter[Stratum] = Counter({("pictures", name): 1})
    objects = picture.annotation.objects if picture.annotation is not None else ()
    if not objects:
        counts["negatives", name] += 1
    for labeled in objects:
        counts["boxes", name, labeled.name] += 1
        area = labeled.box.width * labeled.box.height
        counts["small" if area < _SMALL_AREA else "medium" if area < _MEDIUM_AREA else "large", name] += 1
    return counts


def place_in_queue(names: Sequence[str], salt: str) -> int:
    """Return the place of a group in the queue, 0 to 2**64 - 1: a hash of its smallest name and the salt."""
    digest = hashlib.sha256(f"{salt}\0{min(names)}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big")


def choose_verification(
    groups: Sequence[Sequence[LabelledPicture]],
    *,
    training: Sequence[LabelledPicture],
    verification: Sequence[LabelledPicture],
    share: float,
    salt: str,
) -> tuple[frozenset[int], tuple[Balance, ...]]:
    """Choose the groups for verification.

    Args:
        groups: Groups that may go either way.
        training: Pictures that are in training, or must go there.
        verification: Pictures that are in verification, or must go there.
        share: Share of everything that verification is to have, 0 to 1.
        salt: Makes another queue.

    Returns:
        The indices of the groups for verification, and how each stratum came out, sorted.
    """
    brought = [_total(group) for group in groups]
    there = _total(verification)
    totals = _total(training) + there + _total([one for group in groups for one in group])
    pictures_with = _num_pictures_with([*training, *verification, *(one for group in groups for one in group)])
    targets = {stratum: _target(stratum, total, share, pictures_with) for stratum, total in totals.items()}
    queue = sorted(range(len(groups)), key=lambda index: place_in_queue([one.stem for one in groups[index]], salt))
    chosen = set()
    # First those that overshoot nothing, so that what is common does not drag too much of what is rare along.
    for may_overshoot in (False, True):
        for index in queue:
            if index in chosen or not (may_overshoot or _fits(brought[index], there, targets)):
                continue
            if _gain(brought[index], there, targets) > 0:
                chosen.add(index)
                there.update(brought[index])
    balance = (Balance(stratum, totals[stratum], there[stratum], targets[stratum]) for stratum in sorted(totals))
    return frozenset(chosen), tuple(balance)


def _fits(brought: Counter[Stratum], there: Counter[Stratum], targets: dict[Stratum, float]) -> bool:
    return all(there[stratum] + count <= targets[stratum] + 0.5 for stratum, count in brought.items())


def _gain(brought: Counter[Stratum], there: Counter[Stratum], targets: dict[Stratum, float]) -> float:
    """How much nearer a group brings verification to its targets, each stratum in units of its target."""
    gain = 0.0
    for stratum, count in brought.items():
        target = targets[stratum]
        if target > 0:
            gain += ((there[stratum] - target) ** 2 - (there[stratum] + count - target) ** 2) / target
        else:
            gain -= count
    return gain


def _target(stratum: Stratum, total: int, share: float, pictures_with: Counter[Stratum]) -> float:
    """The share of the total; at least one picture of every label that has two, or its score would mean nothing."""
    is_needed = share > 0 and stratum[0] in ("pictures", "boxes") and pictures_with[stratum] > 1
    return max(share * total, 1.0 if is_needed else 0.0)


def _total(pictures: Sequence[LabelledPicture]) -> Counter[Stratum]:
    total: Counter[Stratum] = Counter()
    for picture in pictures:
        total.update(strata_of(picture))
    return total


def _num_pictures_with(pictures: Sequence[LabelledPicture]) -> Counter[Stratum]:
    return Counter[Stratum](stratum for picture in pictures for stratum in strata_of(picture))
