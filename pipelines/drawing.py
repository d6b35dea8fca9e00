"""Boxes drawn on pictures: truth in green, detections in the colour of their class."""

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from labeling.annotations import Box

_TRUTH_COLOR = (0, 200, 83)
_GOLDEN_RATIO = 0.618033988749895


@dataclass(frozen=True, slots=True)
class DrawnBox:
    """A box in pixels of the picture, with the words to write on it."""

    box: Box
    text: str
    color: tuple[int, int, int]


def truth_box(box: Box, name: str) -> DrawnBox:
    """Return a ground-truth box as it is drawn."""
    return DrawnBox(box, name, _TRUTH_COLOR)


def detected_box(box: Box, name: str, class_id: int, score: float) -> DrawnBox:
    """Return a detection as it is drawn, with its score in percent."""
    return DrawnBox(box, f"{name} {100 * score:.0f}%", class_color(class_id))


def class_color(class_id: int) -> tuple[int, int, int]:
    """Return the colour of a class: bright, and far from those of its neighbours."""
    red, green, blue = colorsys.hsv_to_rgb((0.03 + class_id * _GOLDEN_RATIO) % 1.0, 0.85, 0.95)
    return int(255 * red), int(255 * green), int(255 * blue)


def draw_boxes(image: Image.Image, boxes: Sequence[DrawnBox]) -> Image.Image:
    """Return a copy of ``image`` with boxes and labels; line and letters grow with the picture."""
    picture = image.convert("RGB")
    canvas = ImageDraw.Draw(picture)
    line = max(2, round(min(picture.size) / 150))
    font = ImageFont.load_default(size=max(11, round(min(picture.size) / 26)))
    for drawn in boxes:
        edges = (drawn.box.xmin, drawn.box.ymin, drawn.box.xmax, drawn.box.ymax)
        if drawn.box.width <= 0 or drawn.box.height <= 0:
            continue
        canvas.rectangle(edges, outline=drawn.color, width=line)
        left, top, right, bottom = canvas.textbbox((0, 0), drawn.text, font=font)
        width, height = right - left + 6, bottom - top + 6
        # Above the box where there is room, else inside it; never beyond the right edge.
        x = max(0.0, min(drawn.box.xmin, picture.width - width))
        y = drawn.box.ymin - height if drawn.box.ymin >= height else max(0.0, drawn.box.ymin)
        canvas.rectangle((x, y, x + width, y + height), fill=drawn.color)
        brightness = 0.299 * drawn.color[0] + 0.587 * drawn.color[1] + 0.114 * drawn.color[2]
        ink = (0, 0, 0) if brightness > 140 else (255, 255, 255)
        canvas.text((x + 3 - left, y + 3 - top), drawn.text, fill=ink, font=font)
    return picture


def beside(left: Image.Image, right: Image.Image, gap: int = 6) -> Image.Image:
    """Return two pictures of the same height side by side on white."""
    wide = Image.new("RGB", (left.width + gap + right.width, max(left.height, right.height)), "white")
    wide.paste(left, (0, 0))
    wide.paste(right, (left.width + gap, 0))
    return wide
