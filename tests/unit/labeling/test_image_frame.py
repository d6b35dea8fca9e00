import io
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from labeling.annotations import Box
from labeling.image_frame import Frame, judge_frame, turn_box, turn_pixels
from labeling.image_probe import probe_bytes
from tests.unit.labeling.labeled_pictures import EXIF_ORIENTATION, picture_bytes, varied_picture


def _encoded(image: Image.Image, kind: str, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    exif[0x010F] = "a maker"
    stream = io.BytesIO()
    image.save(stream, kind, exif=exif)
    return stream.getvalue()


@given(
    orientation=st.integers(1, 8),
    edges=st.tuples(st.integers(0, 14), st.integers(0, 9), st.integers(1, 15), st.integers(1, 10)),
)
def test_boxes_turn_as_pillow_turns_pixels(orientation: int, edges: tuple[int, int, int, int]) -> None:
    left, top, width, height = edges
    pixels = np.zeros((20, 30), np.uint8)
    pixels[top : top + height, left : left + width] = 255
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(_encoded(Image.fromarray(pixels), "PNG", orientation))))
    rows, columns = np.nonzero(np.asarray(upright))
    seen = Box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert turn_box(Box(left, top, left + width, top + height), orientation, 30, 20) == seen


_BOX = Box(1, 2, 10, 12)


@pytest.mark.parametrize(
    ("said", "orientation", "boxes", "frame"),
    [
        ((30, 20), 6, [_BOX], Frame.STORED),
        ((20, 30), 6, [_BOX], Frame.TURNED),
        ((20, 30), 8, [_BOX], Frame.TURNED),
        ((30, 20), 3, [_BOX], Frame.UNKNOWN),
        ((30, 20), 3, [], Frame.TURNED),
        ((60, 40), 6, [_BOX], Frame.UNKNOWN),
        ((0, 0), 6, [_BOX], Frame.UNKNOWN),
        ((0, 0), 6, [Box(22, 2, 29, 12)], Frame.STORED),
        ((0, 0), 6, [Box(2, 22, 12, 29)], Frame.TURNED),
    ],
)
def test_the_frame_is_proven_or_unknown(
    said: tuple[int, int], orientation: int, boxes: list[Box], frame: Frame
) -> None:
    verdict = judge_frame(said, (30, 20), orientation, boxes)
    assert verdict.frame is frame
    assert verdict.evidence


def test_a_square_picture_proves_nothing() -> None:
    assert judge_frame((20, 20), (20, 20), 6, [_BOX]).frame is Frame.UNKNOWN


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "MPO"])
def test_pixels_are_turned_once(kind: str, orientation: int) -> None:
    with Image.open(io.BytesIO(picture_bytes(seed=3))) as image:
        content = _encoded(image.convert("RGB"), kind, orientation)
    turned = turn_pixels(content)
    facts = probe_bytes(turned.content)
    assert facts.orientation == 1
    assert facts.format == kind.lower().replace("mpo", "jpeg")
    with Image.open(io.BytesIO(turned.content)) as after, Image.open(io.BytesIO(content)) as before:
        assert after.getexif()[0x010F] == "a maker"
        wanted = np.asarray(ImageOps.exif_transpose(before).convert("RGB"), np.float64)
        difference = np.asarray(after.convert("RGB"), np.float64) - wanted
    assert turned.is_lossless is (kind == "PNG")
    assert np.abs(difference).max() <= (0 if kind == "PNG" else 12)
    assert (difference**2).mean() < 3  # 43 dB


# Takes and refuses what jpegtran does, and copies the EXIF as it is; the turning itself is Pillow's, nearly lossless.
_STAND_IN = """
import io, sys
from PIL import Image
T = Image.Transpose
TURNS = {
    "-flip horizontal": T.FLIP_LEFT_RIGHT, "-flip vertical": T.FLIP_TOP_BOTTOM, "-transpose": T.TRANSPOSE,
    "-transverse": T.TRANSVERSE, "-rotate 90": T.ROTATE_270, "-rotate 180": T.ROTATE_180, "-rotate 270": T.ROTATE_90,
}
arguments = " ".join(sys.argv[1:])
assert arguments.startswith("-copy all -perfect "), arguments
image = Image.open(io.BytesIO(sys.stdin.buffer.read()))
if image.width % 16 or image.height % 16:
    sys.exit("transformation is not perfect")
turned = image.transpose(TURNS[arguments.removeprefix("-copy all -perfect ")])
turned.save(sys.stdout.buffer, "JPEG", quality=100, subsampling=0, exif=image.info["exif"])
"""


@pytest.fixture
def jpegtran(tmp_path: Path) -> Path:
    """The real one where it is installed, else a program that speaks its command line."""
    if (installed := shutil.which("jpegtran")) is not None:
        return Path(installed)
    path = tmp_path / "jpegtran"
    path.write_text(f"#!{sys.executable}\n{_STAND_IN}")
    path.chmod(0o700)
    return path


@pytest.mark.parametrize("orientation", range(2, 9))
def test_jpegtran_turns_as_the_orientation_says(orientation: int, jpegtran: Path) -> None:
    content = _encoded(varied_picture(orientation, (64, 48)), "JPEG", orientation)
    turned = turn_pixels(content, jpegtran)
    assert turned.is_lossless
    assert probe_bytes(turned.content).orientation == 1
    with Image.open(io.BytesIO(turned.content)) as after, Image.open(io.BytesIO(content)) as before:
        assert after.getexif()[0x010F] == "a maker"
        difference = np.asarray(after, np.float64) - np.asarray(ImageOps.exif_transpose(before), np.float64)
    assert np.abs(difference).max() <= 8


def test_jpegtran_is_not_asked_to_lose_a_part_of_a_block(jpegtran: Path) -> None:
    content = _encoded(varied_picture(1, (61, 45)), "JPEG", 6)
    turned = turn_pixels(content, jpegtran)
    assert not turned.is_lossless
    assert (probe_bytes(turned.content).width, probe_bytes(turned.content).height) == (45, 61)


def test_a_jpegtran_that_fails_is_not_needed(tmp_path: Path) -> None:
    content = picture_bytes(orientation=6)
    turned = turn_pixels(content, tmp_path / "none")
    assert not turned.is_lossless
    assert probe_bytes(turned.content).orientation == 1
