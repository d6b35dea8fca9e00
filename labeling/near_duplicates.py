"""Which pictures look the same although their bytes differ: saved again, resized, or mirrored.

Two things must agree: the perceptual hash (shapes) and eight by eight mean colours. The hash alone takes any two
drawings of one outline for the same picture. A crop is not recognised.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from collectors.image_identity import perceptual_hashes

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

RADIUS = 8
"""Bits of the hash that may differ. Of 240 photographs, saved again or resized: 0 to 6; of unrelated ones: from 10."""

SAMPLED_PX = 90
"""Rows and columns that a picture needs to be looked at; decoding it finer than that tells hardly more."""

_SIDE = 32
_COLOURS_SIDE = 8
# Mean difference of the colours, in levels of 255; a picture saved at quality 40 differs by 2.
_COLOUR_TOLERANCE = 10.0
# Spread of the grey levels below which a picture is blank and its hash is noise.
_LEAST_SPREAD = 4.0


@dataclass(frozen=True, slots=True)
class Look:
    """What a picture looks like, small enough to keep.

    Attributes:
        phash: Perceptual hash, 64 bits.
        mirror_phash: That of the left-right mirror image.
        colours: Mean colours of eight by eight fields, 192 bytes: rows from the top, RGB.
    """

    phash: int
    mirror_phash: int
    colours: bytes


@dataclass(frozen=True, slots=True)
class NearPair:
    """Two pictures that look the same, by their indices; ``distance`` is in bits of the hash."""

    first: int
    second: int
    distance: int
    is_mirrored: bool


def look_of(image: Image.Image) -> Look | None:
    """Return the look of a decoded picture; ``None`` where there is nothing to see (blank, or no ordinary pixels).

    Pass it decoded at a fraction of its size where the format can, of no less than `SAMPLED_PX`.
    """
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        return None
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    small = rgb.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0)
    gray = small.convert("L")
    if _spread(gray) < _LEAST_SPREAD:
        return None
    phash, mirror = perceptual_hashes(gray)
    return Look(phash, mirror, small.reduce(_SIDE // _COLOURS_SIDE).tobytes())


def near_pairs(first: Sequence[Look | None], second: Sequence[Look | None]) -> Iterator[NearPair]:
    """Yield every picture of ``first`` that looks like one of ``second``, in the order of both.

    ``None`` is like nothing. A tenth of a million comparisons takes about a millisecond.
    """
    import numpy as np

    places = [index for index, look in enumerate(second) if look is not None]
    known = [look for look in second if look is not None]
    hashes = np.array([look.phash for look in known], np.uint64)
    colours = np.array([_field(look) for look in known], np.int16)
    for index, look in enumerate(first):
        if look is None or not known:
            continue
        straight = np.bitwise_count(hashes ^ np.uint64(look.phash))
        mirrored = np.bitwise_count(hashes ^ np.uint64(look.mirror_phash))
        for place in np.nonzero(np.minimum(straight, mirrored) <= RADIUS)[0]:
            mine = _field(look)
            for distance, own, is_mirrored in ((straight, mine, False), (mirrored, mine[:, ::-1], True)):
                if distance[place] <= RADIUS and np.abs(own - colours[place]).mean() <= _COLOUR_TOLERANCE:
                    yield NearPair(index, places[place], int(distance[place]), is_mirrored)
                    break


def _field(look: Look) -> "npt.NDArray[np.int16]":
    import numpy as np

    return np.frombuffer(look.colours, np.uint8).reshape(_COLOURS_SIDE, _COLOURS_SIDE, 3).astype(np.int16)


def _spread(gray: Image.Image) -> float:
    import numpy as np

    levels = np.frombuffer(gray.tobytes(), np.uint8).astype(np.float64)
    mean = levels.sum() / levels.size
    return math.sqrt(max(0.0, levels.dot(levels) / levels.size - mean * mean))
