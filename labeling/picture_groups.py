"""Which pictures belong together, so that a split must not part them: copies, look-alikes, pictures of one post."""

import hashlib
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from PIL import Image

from labeling.image_probe import ImageProblem
from labeling.labelled_pictures import LabelledPicture
from labeling.near_duplicates import near_pairs
from labeling.provenance import origins_of


class Bond(StrEnum):
    """What holds two pictures together, the strongest first."""

    BYTES = "the same bytes"
    PIXELS = "the same pixels"
    LOOK = "the same look"
    MIRROR = "the same look, mirrored"
    POST = "the same post"
    BLOG = "the same blog"


@dataclass(frozen=True, slots=True)
class Tie:
    """Two pictures that belong together, by their indices, ``first < second``; ``detail`` says more for people."""

    first: int
    second: int
    bond: Bond
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Pictures that belong together: indices in order, and the ties between them."""

    members: tuple[int, ...]
    ties: tuple[Tie, ...]


def group_pictures(
    pictures: Sequence[LabelledPicture],
    *,
    posts: Mapping[str, frozenset[str]] | None = None,
    blogs: Mapping[str, frozenset[str]] | None = None,
) -> tuple[Group, ...]:
    """Return the groups of a set, single pictures too, by their first member.

    Pictures with the same bytes, the same pixels, the same look (saved again, resized, mirrored) or a post in common
    are one group, and so is everything connected in this way. Pictures that do not decode stand alone.

    Args:
        pictures: The pictures.
        posts: Posts of each picture by the SHA-256 of its bytes or by ``<class>/<stem>``, the posts they were reblogged
            from included; see `labeling.provenance`.
        blogs: The same for blogs, when pictures of one blog are to stay together; ``None`` when not.
    """
    ties = [*_of_bytes(pictures), *_of_pixels(pictures), *_of_looks(pictures)]
    for bond, origins in ((Bond.POST, posts or {}), (Bond.BLOG, blogs or {})):
        ties += _of_origins(pictures, bond, origins)
    leader = list(range(len(pictures)))

    def find(index: int) -> int:
        while leader[index] != index:
            leader[index] = leader[leader[index]]
            index = leader[index]
        return index

    for tie in ties:
        first, second = find(tie.first), find(tie.second)
        leader[max(first, second)] = min(first, second)
    members: dict[int, list[int]] = defaultdict(list)
    within: dict[int, list[Tie]] = defaultdict(list)
    for index in range(len(pictures)):
        members[find(index)].append(index)
    for tie in ties:
        within[find(tie.first)].append(tie)
    return tuple(Group(tuple(members[first]), tuple(within[first])) for first in sorted(members))


def _of_bytes(pictures: Sequence[LabelledPicture]) -> list[Tie]:
    first: dict[str, int] = {}
    ties = []
    for index, picture in enumerate(pictures):
        if picture.image is not None and picture.image.sha256:
            earlier = first.setdefault(picture.image.sha256, index)
            ties += [Tie(earlier, index, Bond.BYTES)] if earlier != index else []
    return ties


def _of_pixels(pictures: Sequence[LabelledPicture]) -> list[Tie]:
    """Ties of pictures that look like nothing (blank ones, sixteen bits a sample): only these are decoded once more."""
    plain: dict[tuple[int, int, str], list[int]] = defaultdict(list)
    for index, picture in enumerate(pictures):
        image = picture.image
        if image is not None and image.look is None and image.problem is ImageProblem.NONE:
            plain[image.width, image.height, image.mode].append(index)
    ties = []
    for members in plain.values():
        bytes_of = {index: _sha256_of(pictures[index]) for index in members}
        if len(set(bytes_of.values())) < 2:
            continue  # one picture, or copies that are tied by their bytes already
        first: dict[str, int] = {}
        for index in members:
            earlier = first.setdefault(_pixels_of(pictures[index].image_path), index)
            if bytes_of[earlier] != bytes_of[index]:
                ties.append(Tie(earlier, index, Bond.PIXELS))
    return ties


def _sha256_of(picture: LabelledPicture) -> str:
    return picture.image.sha256 if picture.image is not None else ""


def _pixels_of(path: Path) -> str:
    """A hash of the decoded pixels; the path itself when they cannot be read any more."""
    try:
        with warnings.catch_warnings(), Image.open(path) as image:
            warnings.simplefilter("ignore")
            pixels = image if image.mode.startswith(("I", "F")) else image.convert("RGB")
            return hashlib.sha256(f"{pixels.mode} {pixels.size} ".encode() + pixels.tobytes()).hexdigest()
    except (OSError, ValueError, Image.DecompressionBombError):
        return str(path)


def _of_looks(pictures: Sequence[LabelledPicture]) -> list[Tie]:
    looks = [None if picture.image is None else picture.image.look for picture in pictures]
    ties = []
    for pair in near_pairs(looks, looks):
        first, second = pictures[pair.first].image, pictures[pair.second].image
        if pair.first < pair.second and first is not None and second is not None and first.sha256 != second.sha256:
            bond = Bond.MIRROR if pair.is_mirrored else Bond.LOOK
            ties.append(Tie(pair.first, pair.second, bond, f"{pair.distance} of 64 bits differ"))
    return ties


def _of_origins(pictures: Sequence[LabelledPicture], bond: Bond, origins: Mapping[str, frozenset[str]]) -> list[Tie]:
    first: dict[str, int] = {}
    ties = []
    for index, picture in enumerate(pictures):
        for name in sorted(origins_of(origins, _sha256_of(picture), picture.class_name, picture.stem)):
            earlier = first.setdefault(name, index)
            ties += [Tie(earlier, index, bond, name)] if earlier != index else []
    return ties
