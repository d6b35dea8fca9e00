"""Boxes drawn on pictures: each label in its own colour, the same everywhere."""

import functools
import hashlib
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from labeling.annotations import Box

TRUTH_COLOR = (0, 200, 83)
# Ten hues that stay apart on photographs.
_COLORS = (
    (230, 25, 75), (0, 114, 220), (245, 130, 48), (60, 180, 75), (145, 30, 180),
    (0, 170, 170), (240, 50, 230), (170, 110, 40), (90, 90, 240), (128, 128, 0),
)  # fmt: skip
_SMALLEST_LETTERS_PX = 11
_FIRST_FOREIGN = 0x0250
_FIRST_EASTERN = 0x2E80
# What the usual systems have for Chinese, Japanese and Korean; Pillow looks in their font folders.
_EASTERN_FONTS = ("NotoSansCJK-Regular.ttc", "wqy-microhei.ttc", "msyh.ttc", "meiryo.ttc", "malgun.ttf", "PingFang.ttc")


@dataclass(frozen=True, slots=True)
class DrawnBox:
    """A box in pixels of the picture, with the words to write on it; no words, no plate."""

    box: Box
    text: str
    color: tuple[int, int, int]


def label_color(label: str) -> tuple[int, int, int]:
    """Return the RGB colour of a label, the same on every picture; two of many labels may share one."""
    return _COLORS[hashlib.sha256(label.encode("utf-8", "surrogatepass")).digest()[0] % len(_COLORS)]


def detected_box(box: Box, label: str, score: float) -> DrawnBox:
    """Return a detection as it is drawn, with its score in percent."""
    return DrawnBox(box, f"{label} {100 * score:.0f}%", label_color(label))


def draw_boxes(image: Image.Image, boxes: Sequence[DrawnBox]) -> Image.Image:
    """Return a copy of ``image`` in RGB with boxes and their words; line and letters grow with the picture.

    A box is drawn on the pixels just inside its edges. What lies outside the picture is clipped, so a box that is
    wholly outside shows as a line at the border.
    """
    picture = image.convert("RGB")
    if picture is image:
        picture = image.copy()
    draw = ImageDraw.Draw(picture)
    line = max(2, round(min(picture.size) / 150))
    size = max(_SMALLEST_LETTERS_PX, round(min(picture.size) / 30))
    for drawn in boxes:
        left, right = _clipped(drawn.box.xmin, drawn.box.xmax, picture.width)
        top, bottom = _clipped(drawn.box.ymin, drawn.box.ymax, picture.height)
        # A box of a pixel or two has no inside to outline.
        thin = min(right - left, bottom - top) < 2 * line
        draw.rectangle((left, top, right, bottom), outline=drawn.color, width=1 if thin else line)
        if drawn.text:
            _draw_words(draw, drawn, (left, top), picture.width, font_for(drawn.text, size))
    return picture


Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def font_for(text: str, size: float) -> Font:
    """Return a font that has the letters of ``text``, as far as one is there: Pillow's own knows Latin ones only."""
    if text.isascii() or all(ord(letter) < _FIRST_FOREIGN for letter in text):
        return ImageFont.load_default(size)
    is_wide = any(ord(letter) >= _FIRST_EASTERN for letter in text)
    for name in (*(_EASTERN_FONTS if is_wide else ()), *_broad_fonts()):
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)


@functools.cache
def _broad_fonts() -> tuple[str, ...]:
    """The font that comes with matplotlib: Cyrillic, Greek, Arabic and many more; found without importing it."""
    spec = importlib.util.find_spec("matplotlib")
    folders = spec.submodule_search_locations if spec is not None else None
    return tuple(f"{folder}/mpl-data/fonts/ttf/DejaVuSans.ttf" for folder in folders or ())


def fitted_text(text: str, font: Font, width: float) -> str:
    """Cut a text so that it is at most ``width`` pixels wide, with three dots where something is missing."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "...") > width:
        text = text[:-1]
    return text + "..."


def beside(left: Image.Image, right: Image.Image, gap: int = 6) -> Image.Image:
    """Return two pictures side by side on white."""
    wide = Image.new("RGB", (left.width + gap + right.width, max(left.height, right.height)), "white")
    wide.paste(left, (0, 0))
    wide.paste(right, (left.width + gap, 0))
    return wide


def _clipped(low: float, high: float, size: int) -> tuple[float, float]:
    first = min(max(0.0, min(low, high)), size - 1)
    return first, min(max(first, max(low, high) - 1), size - 1)


def _draw_words(
    draw: ImageDraw.ImageDraw,
    drawn: DrawnBox,
    corner: tuple[float, float],
    width: int,
    font: Font,
) -> None:
    words = fitted_text(drawn.text, font, width - 4)
    extent = draw.textbbox((0, 0), words, font=font)
    plate_width, plate_height = extent[2] + 4, extent[3] + 3
    # Above the box where there is room, else inside it; never beyond the right edge.
    x = max(0.0, min(corner[0], width - plate_width))
    y = corner[1] - plate_height if corner[1] >= plate_height else corner[1]
    draw.rectangle((x, y, x + plate_width, y + plate_height), fill=drawn.color)
    brightness = 0.299 * drawn.color[0] + 0.587 * drawn.color[1] + 0.114 * drawn.color[2]
    draw.text((x + 2, y + 1), words, fill=(0, 0, 0) if brightness > 140 else (255, 255, 255), font=font)
