import io

import numpy as np
import pytest
from PIL import Image

from collectors.errors import ConfigError
from collectors.quickdraw_pictures import PictureSpec, convert_bitmaps, draw_pictures, encode_jpeg
from collectors.rasterize import rasterize_drawings
from tests.support.quickdraw_files import drawings_of

STROKES = [drawing.strokes for drawing in drawings_of("cat", 12)]


def test_official_pictures_from_strokes_and_from_bitmaps_are_the_same():
    bitmaps = rasterize_drawings(STROKES)
    assert np.array_equal(draw_pictures(STROKES, PictureSpec()), bitmaps)
    assert np.array_equal(convert_bitmaps(bitmaps, PictureSpec()), bitmaps)


def test_polarity_turns_ink_over():
    paper = draw_pictures(STROKES, PictureSpec(side=60, polarity="black-on-white"))
    assert np.array_equal(255 - paper, draw_pictures(STROKES, PictureSpec(side=60)))
    assert (paper[:, 0] == 255).all(), "the border is paper"


@pytest.mark.parametrize("side", [14, 28, 85, 224])
def test_bitmaps_are_brought_to_any_size(side):
    bitmaps = rasterize_drawings(STROKES)
    pictures = convert_bitmaps(bitmaps, PictureSpec(side=side))
    assert pictures.shape == (12, side, side)
    assert pictures.mean() == pytest.approx(bitmaps.mean(), rel=0.05)
    sharp = draw_pictures(STROKES, PictureSpec(side=side))
    assert np.abs(pictures.astype(int) - sharp).mean() < 22


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_jpegs_decode_to_what_was_drawn(channels, mode):
    spec = PictureSpec(side=100, channels=channels, polarity="black-on-white")
    pictures = draw_pictures(STROKES, spec)
    for picture in pictures:
        with Image.open(io.BytesIO(encode_jpeg(picture, spec))) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", mode, (100, 100))
            assert np.abs(np.asarray(image.convert("L")).astype(int) - picture).mean() < 3


def test_quality_is_a_choice():
    picture = draw_pictures(STROKES[:1], PictureSpec(side=200))[0]
    sizes = [len(encode_jpeg(picture, PictureSpec(side=200, quality=quality))) for quality in (30, 75, 95)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[2] / 2


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"side": 4}, "size"),
        ({"side": 4096}, "size"),
        ({"channels": 2}, "channels"),
        ({"polarity": "grey"}, "polarity"),
        ({"line_width": 0.0}, "line_width"),
        ({"padding": -1.0}, "padding"),
        ({"quality": 100}, "quality"),
    ],
)
def test_impossible_pictures_are_refused(changes, named):
    with pytest.raises(ConfigError, match=f"{named} must be"):
        PictureSpec(**changes)
