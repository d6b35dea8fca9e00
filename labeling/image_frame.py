"""Which way up a labelled picture was when its boxes were drawn, and how to turn its pixels for good.

A phone stores the pixels as the sensor saw them and notes in EXIF how to turn them. LabelImg up to 1.8.3 shows the
stored pixels, later ones show the turned picture, and TensorFlow trains on the stored pixels; so what a box means
depends on the program that drew it. ``<size>`` tells which it was wherever turning swaps two different sides. Where
nothing tells, nothing is guessed.
"""

import io
import math
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from PIL import Image, ImageOps

from labeling.annotations import Box

_ORIENTATION_TAG = 0x0112
_JPEG_QUALITY = 97
_TOLERANCE_PX = 2
_JPEGTRAN = {
    2: ["-flip", "horizontal"],
    3: ["-rotate", "180"],
    4: ["-flip", "vertical"],
    5: ["-transpose"],
    6: ["-rotate", "90"],
    7: ["-transverse"],
    8: ["-rotate", "270"],
}


class Frame(StrEnum):
    """The picture that boxes were drawn on."""

    STORED = "stored"  # the pixels as the file has them
    TURNED = "turned"  # the picture as EXIF wants it shown
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class FrameVerdict:
    """Which frame the boxes are in, and what proves it (or why nothing does), a clause."""

    frame: Frame
    evidence: str


def judge_frame(said: tuple[int, int], stored: tuple[int, int], orientation: int, boxes: Sequence[Box]) -> FrameVerdict:
    """Say in which frame the boxes of a picture with an EXIF orientation were drawn.

    Args:
        said: Width and height of ``<size>``; zeros when it says nothing.
        stored: Width and height of the pixels as stored.
        orientation: EXIF orientation, 2 to 8.
        boxes: Edges in pixels, sound ones.
    """
    if not boxes:
        return FrameVerdict(Frame.TURNED, "there is no box that could be wrong")
    turned = stored[::-1]
    if orientation < 5:
        return FrameVerdict(
            Frame.UNKNOWN, f"orientation {orientation} keeps width and height, so <size> proves nothing"
        )
    if stored == turned:
        return FrameVerdict(Frame.UNKNOWN, "the picture is square, so <size> proves nothing")
    if said == stored:
        return FrameVerdict(Frame.STORED, f"<size> {said[0]}x{said[1]} is that of the stored pixels")
    if said == turned:
        return FrameVerdict(Frame.TURNED, f"<size> {said[0]}x{said[1]} is that of the turned picture")
    if min(said) > 0:
        return FrameVerdict(Frame.UNKNOWN, f"<size> {said[0]}x{said[1]} fits neither way")
    fits_stored, fits_turned = (all(fits(box, frame) for box in boxes) for frame in (stored, turned))
    if fits_stored != fits_turned:
        frame = Frame.STORED if fits_stored else Frame.TURNED
        return FrameVerdict(frame, f"the boxes fit into the {frame} picture only")
    return FrameVerdict(Frame.UNKNOWN, "there is no <size>, and the boxes fit both ways or neither")


def turn_box(box: Box, orientation: int, width: int, height: int) -> Box:
    """Return where a box of the stored pixels lies in the turned picture.

    Args:
        box: Edges in stored pixels.
        orientation: EXIF orientation, 1 to 8.
        width: Width of the stored pixels.
        height: Their height.
    """
    left, top, right, bottom = box.xmin, box.ymin, box.xmax, box.ymax
    if orientation >= 5:  # mirrored at the main diagonal first
        left, top, right, bottom = top, left, bottom, right
        width, height = height, width
    if orientation in (2, 3, 6, 7):
        left, right = width - right, width - left
    if orientation in (3, 4, 7, 8):
        top, bottom = height - bottom, height - top
    return Box(left, top, right, bottom)


def fits(box: Box, frame: tuple[int, int]) -> bool:
    """Whether a box, in whole pixels, lies in a picture of this width and height, two of tolerance on each side."""
    edges = (box.xmin, box.ymin, box.xmax, box.ymax)
    if not all(math.isfinite(edge) for edge in edges):
        return False
    left, top, right, bottom = (math.floor(edge + 0.5) for edge in edges)
    return min(left, top) >= -_TOLERANCE_PX and right <= frame[0] + _TOLERANCE_PX and bottom <= frame[1] + _TOLERANCE_PX


@dataclass(frozen=True, slots=True)
class TurnedPicture:
    """A picture whose pixels were turned for good.

    Attributes:
        content: The new file, without an orientation.
        is_lossless: Whether every pixel is the old one at its new place.
    """

    content: bytes
    is_lossless: bool


def turn_pixels(content: bytes, jpegtran: Path | None = None) -> TurnedPicture:
    """Turn the pixels of a picture as its EXIF orientation says and take the orientation out.

    PNG, BMP and TIFF lose nothing. A JPEG loses nothing when ``jpegtran`` is given and the picture consists of whole
    blocks; else it is encoded again at quality 97 without chroma subsampling. Colour profile and other EXIF stay.

    Args:
        content: The picture; it must decode.
        jpegtran: The program of libjpeg, if there is one.
    """
    with Image.open(io.BytesIO(content)) as image:
        kind = image.format or ""
        exif = image.getexif()
        orientation = exif.get(_ORIENTATION_TAG, 1)
        if kind in ("JPEG", "MPO") and jpegtran is not None and orientation in _JPEGTRAN:
            lossless = _turn_jpeg(content, orientation, jpegtran)
            if lossless is not None:
                return TurnedPicture(lossless, is_lossless=True)
        upright = ImageOps.exif_transpose(image)
        options: dict[str, object] = {"exif": _without_orientation(exif)}
        if image.info.get("icc_profile"):
            options["icc_profile"] = image.info["icc_profile"]
        stream = io.BytesIO()
        if kind in ("JPEG", "MPO"):
            upright.save(stream, "JPEG", quality=_JPEG_QUALITY, subsampling=0, **options)
        else:
            upright.save(stream, kind, **options)
    return TurnedPicture(stream.getvalue(), is_lossless=kind not in ("JPEG", "MPO"))


def _without_orientation(exif: Image.Exif) -> bytes:
    if _ORIENTATION_TAG in exif:
        del exif[_ORIENTATION_TAG]
    return exif.tobytes() if len(exif) else b""


def _turn_jpeg(content: bytes, orientation: int, jpegtran: Path) -> bytes | None:
    """Let jpegtran move the coefficients; ``None`` when it cannot do so without loss."""
    command = [str(jpegtran), "-copy", "all", "-perfect", *_JPEGTRAN[orientation]]
    try:
        done = subprocess.run(command, input=content, capture_output=True, check=False, timeout=120)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return _reset_orientation(done.stdout) if done.returncode == 0 else None


def _reset_orientation(content: bytes) -> bytes | None:
    """Set the EXIF orientation of a JPEG to 1 in place; ``None`` when it is not found where it belongs."""
    start = content.find(b"Exif\0\0")
    if start < 0:
        return None
    tiff = start + 6
    order = {b"II*\0": "little", b"MM\0*": "big"}.get(content[tiff : tiff + 4])
    if order is None:
        return None
    little = order == "little"

    def number(position: int, length: int) -> int:
        return int.from_bytes(content[position : position + length], "little" if little else "big")

    directory = tiff + number(tiff + 4, 4)
    for index in range(number(directory, 2)):
        entry = directory + 2 + 12 * index
        if number(entry, 2) == _ORIENTATION_TAG:
            one = (1).to_bytes(2, "little" if little else "big")
            return content[: entry + 8] + one + content[entry + 10 :]
    return None
