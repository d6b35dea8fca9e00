"""Which drawings go into training and into verification, and in which order: all of it from their hashes.

A drawing's rank is its hash, mixed with the salt. Verification takes the lowest ranks of a class, training the highest.
Whatever else is added later, a drawing of one split never comes to stand in the other: to push one of the lowest out of
verification, drawings must come below it, and those above it, of which training has enough, stay.
"""

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collectors.errors import ConfigError

DEFAULT_SALT = "tagbox"
_MOST_AT_ONCE = 1 << 22

Numbers = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class SplitSizes:
    """How many drawings of each class the splits get; checked when made.

    Attributes:
        train_size: Exactly so many for training; ``None``: by share.
        eval_size: Exactly so many for verification; given together with ``train_size``.
        eval_share: Without sizes: the share of verification, 0 to 1; training gets the rest.
        salt: Makes another choice and another order.
    """

    train_size: int | None = None
    eval_size: int | None = None
    eval_share: float = 0.1
    salt: str = DEFAULT_SALT

    def __post_init__(self) -> None:
        """Refuse what cannot be chosen."""
        if (self.train_size is None) != (self.eval_size is None):
            raise ConfigError(
                "train_size and eval_size go together",
                fix="With one of them alone, a later build with more drawings could move some into the other split.",
            )
        if self.train_size is not None and self.eval_size is not None:
            if min(self.train_size, self.eval_size) < 0 or self.train_size + self.eval_size == 0:
                raise ConfigError(f"train_size {self.train_size} and eval_size {self.eval_size} ask for no drawing")
        elif not 0 <= self.eval_share <= 1:
            raise ConfigError(f"eval_share must be from 0 to 1, not {self.eval_share:g}")

    @property
    def needed(self) -> int:
        """Drawings that every class must have."""
        if self.train_size is None or self.eval_size is None:
            return 1
        return self.train_size + self.eval_size


def mix(hashes: Numbers, salt: str) -> Numbers:
    """Return other 64-bit numbers for hashes, a different one for each: splitmix64 over the hash and the salt."""
    key = np.uint64(int.from_bytes(hashlib.sha256(salt.encode("utf-8", "surrogatepass")).digest()[:8], "big"))
    mixed = hashes ^ key
    with np.errstate(over="ignore"):
        mixed = mixed + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    result: Numbers = mixed ^ (mixed >> np.uint64(31))
    return result


def order_of(hashes: Numbers, salt: str) -> Numbers:
    """Return the place of drawings in the shuffled order of a record, 0 to 2^64 - 1, independent of their split."""
    return mix(hashes, f"order\0{salt}")


def choose_splits(hashes: Numbers, sizes: SplitSizes) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Choose among the drawings of one class.

    Args:
        hashes: Of their content, all different, at least ``sizes.needed``.
        sizes: How many.

    Returns:
        Indices for training and for verification; no index is in both.
    """
    ranks = mix(hashes, f"split\0{sizes.salt}")
    if sizes.train_size is not None and sizes.eval_size is not None:
        queue = np.argsort(ranks, kind="stable")
        return queue[len(queue) - sizes.train_size :], queue[: sizes.eval_size]
    is_verification = ranks < np.float64(sizes.eval_share) * 2.0**64
    return np.flatnonzero(~is_verification), np.flatnonzero(is_verification)


def first_of_each(hashes: Numbers) -> NDArray[np.intp]:
    """Return the index of the first drawing of every content, ascending; the others are copies."""
    _, first = np.unique(hashes, return_index=True)
    return np.sort(first)


def shared_hashes(classes: Sequence[Numbers]) -> Numbers:
    """Return the hashes, sorted, that stand in more than one class.

    Args:
        classes: Hashes of each class, each different within its class. They may be maps of files: no more than some
            four million are in memory at a time.
    """
    total = sum(len(hashes) for hashes in classes)
    num_ranges = total // _MOST_AT_ONCE + 1
    edges = [(2**64 * index // num_ranges) for index in range(num_ranges + 1)]
    shared = []
    for low, high in itertools.pairwise(edges):
        pieces = [hashes[(hashes >= np.uint64(low)) & (hashes <= np.uint64(high - 1))] for hashes in classes]
        together = np.sort(np.concatenate(pieces)) if pieces else np.zeros(0, np.uint64)
        shared.append(np.unique(together[1:][together[1:] == together[:-1]]))
    return np.concatenate(shared) if shared else np.zeros(0, np.uint64)
