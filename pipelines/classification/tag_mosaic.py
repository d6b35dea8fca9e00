"""Pictures with their tags: those given rightly in green, wrongly in red, missed in brown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines.classification.mosaic import MISSED, MOST_LINES, RIGHT, SOFT, WRONG, Color, draw_mosaic, picture_of
from records.reading import read_features_at

_SIDE, _COLUMNS = 168, 6
_Scored = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class TagTile:
    """A picture and its tags, each with its probability, likeliest first.

    Attributes:
        image: The picture.
        given: Tags that it is given, and has where that is known.
        wrong: Tags that it is given and has not.
        missed: Tags that it has and is not given.
        below: Tags that are shown although they do not reach their threshold; nobody asked whether it has them.
        is_judged: Whether it is known what it has.
    """

    image: Image.Image
    given: _Scored = ()
    wrong: _Scored = ()
    missed: _Scored = ()
    below: _Scored = ()
    is_judged: bool = False

    @property
    def is_right(self) -> bool:
        """Whether it is given the tags that it has."""
        return not self.wrong and not self.missed

    @property
    def lines(self) -> Sequence[tuple[str, Color]]:
        """A line for each tag; mistakes first, so that they are there where many tags are cut off."""
        lines = [(f"wrong: {_in_words(one)}", WRONG) for one in self.wrong]
        lines += [(f"missed: {_in_words(one)}", MISSED) for one in self.missed]
        lines += [(_in_words(one), RIGHT) for one in self.given]
        lines += [(f"({_in_words(one)})", SOFT) for one in self.below]
        if len(lines) > MOST_LINES:
            lines = [*lines[: MOST_LINES - 1], (f"and {len(lines) - MOST_LINES + 1} more", SOFT)]
        return lines or [("has no tag, is given none" if self.is_judged else "no tag", SOFT)]


def judged_tile(
    image: Image.Image,
    truth: NDArray[np.bool_],
    scores: NDArray[np.float32],
    names: Sequence[str],
    thresholds: NDArray[np.float64],
) -> TagTile:
    """Return a picture with its tags judged.

    Args:
        image: The picture.
        truth: Whether it has each tag, ``(tags,)``.
        scores: The probability of each, ``(tags,)``.
        names: Tags, in that order.
        thresholds: From which probability on each is given, ``(tags,)``.
    """
    found = scores >= thresholds
    order = np.argsort(-scores, kind="stable").tolist()

    def named(chosen: NDArray[np.bool_]) -> _Scored:
        return tuple((names[at], float(scores[at])) for at in order if chosen[at])

    return TagTile(image, named(truth & found), named(~truth & found), named(truth & ~found), is_judged=True)


def judged_tiles(
    paths: Sequence[Path],
    rows_by_place: Mapping[int, int],
    truth: NDArray[np.bool_],
    scores: NDArray[np.float32],
    names: Sequence[str],
    thresholds: NDArray[np.float64],
) -> dict[int, TagTile]:
    """Return pictures of records with their tags judged, by their row.

    Args:
        paths: The records that were evaluated, in their order.
        rows_by_place: By the place of a wanted picture in the records its row in the answers.
        truth: Whether each picture has each tag, ``(n, tags)``.
        scores: The probability of each, ``(n, tags)``.
        names: Tags, in the order of the columns.
        thresholds: From which probability on each is given, ``(tags,)``.
    """
    tiles: dict[int, TagTile] = {}
    for place, features in read_features_at(paths, rows_by_place):
        row = rows_by_place[place]
        tiles[row] = judged_tile(picture_of(features), truth[row], scores[row], names, thresholds)
    return tiles


def draw_tag_mosaic(tiles: Sequence[TagTile]) -> Image.Image | None:
    """Draw them, with room for the names of tags; ``None`` when there is none."""
    return draw_mosaic(tiles, columns=_COLUMNS, side=_SIDE)


def _in_words(tag: tuple[str, float]) -> str:
    name, score = tag
    return f"{name} {100 * score:.0f}%"
