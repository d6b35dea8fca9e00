"""One scene: doodles laid out on a background, and the exact box of the ink that is seen of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from collectors.quickdraw_formats import Drawing
from collectors.rasterize import InkPatch, rasterize_placed
from labeling.annotations import Box, LabeledObject
from labeling.scene_backgrounds import paint_background
from labeling.scene_spec import Colour, SceneSpec

_TRIES = 40
VISIBLE_FROM = 32
"""Ink that covers less of a pixel than this, of 255, is not seen and lies outside the box."""

_MARGIN_PX = 2  # LabelImg raises an edge at 0 to 1; a box that never touches the border stays as it is.


class LooseBoxError(Exception):
    """A box and the ink it belongs to are more than one pixel apart: a bug of the composition, never written."""


@dataclass(frozen=True, slots=True)
class Scene:
    """An RGB picture and the labelled doodles in it, in drawing order."""

    image: Image.Image
    objects: tuple[LabeledObject, ...]


@dataclass(frozen=True, slots=True)
class _Placed:
    """A doodle at its place: its ink, and its extent by geometry (exact, before any pixel is drawn)."""

    label: str | None
    extent: Box
    ink: InkPatch


def compose_scene(
    spec: SceneSpec,
    drawings: Mapping[str, Sequence[Drawing]],
    *,
    categories: Sequence[str],
    main: str | None,
    rng: np.random.Generator,
) -> Scene:
    """Compose one scene; a pure function of its arguments and the state of ``rng``.

    Args:
        spec: The recipe.
        drawings: Drawings by category, at least one for each of ``categories`` and of ``spec.clutter``.
        categories: The labelled categories.
        main: The category that is sure to be in the scene; ``None`` makes a scene without labels.
        rng: The only source of chance.

    Returns:
        The scene. Every visible doodle of ``categories`` is labelled.

    Raises:
        LooseBoxError: A box does not bound its ink within one pixel.
        InputError: A background photograph cannot be read.
    """
    image = paint_background(spec, rng)
    placed: list[_Placed] = []
    for category in _cast(spec, categories, main, rng):
        pool = drawings[category]
        drawing = pool[int(rng.integers(len(pool)))]
        label = category if category in categories else None
        doodle = _place(spec, drawing, label, placed, rng)
        if doodle is not None:
            placed.append(doodle)
    objects = _label(placed)
    for doodle in placed:
        _lay_ink(image, doodle.ink, _ink_colour(spec, image, doodle.ink, rng))
    return Scene(image, objects)


def _cast(spec: SceneSpec, categories: Sequence[str], main: str | None, rng: np.random.Generator) -> list[str]:
    """Choose who appears, the main category first: it is placed while there is room."""
    cast: list[str] = []
    if main is not None:
        others = int(rng.integers(spec.objects[0], spec.objects[1] + 1)) - 1
        cast = [main, *(categories[int(i)] for i in rng.integers(len(categories), size=others))]
    if spec.clutter:
        extras = int(rng.integers(spec.clutter_objects[0], spec.clutter_objects[1] + 1))
        cast += [spec.clutter[int(i)] for i in rng.integers(len(spec.clutter), size=extras)]
    return cast


def _place(
    spec: SceneSpec, drawing: Drawing, label: str | None, placed: Sequence[_Placed], rng: np.random.Generator
) -> _Placed | None:
    """Find a size, an angle and a free place; ``None`` when the picture is too full."""
    points = np.concatenate(drawing.strokes).astype(np.float64)
    for _ in range(_TRIES):
        pen = float(rng.uniform(*spec.pen_range))
        angle = np.deg2rad(rng.uniform(-spec.rotation_deg, spec.rotation_deg))
        flip = -1.0 if rng.random() < spec.mirror else 1.0
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag([flip, 1.0])
        turned = points @ turn.T
        low, high = turned.min(axis=0), turned.max(axis=0)
        longer = max(float((high - low).max()), 1.0)
        scale = (rng.uniform(*spec.scale) * spec.shorter_side - pen) / longer
        size = (high - low) * scale + pen
        room = np.array([spec.width, spec.height]) - 2 * _MARGIN_PX - size
        corner = _MARGIN_PX + rng.uniform(0, 1, 2) * room
        extent = Box(*corner, *(corner + size))
        if room.min() <= 0 or any(_covered_share(extent, other.extent) > spec.max_overlap for other in placed):
            continue
        transform = np.column_stack([turn * scale, corner + pen / 2 - low * scale])
        return _Placed(label, extent, rasterize_placed(drawing.strokes, transform, line_width_px=pen))
    return None


def _covered_share(first: Box, second: Box) -> float:
    """Return how much of the smaller box the two have in common, 0 to 1."""
    width = min(first.xmax, second.xmax) - max(first.xmin, second.xmin)
    height = min(first.ymax, second.ymax) - max(first.ymin, second.ymin)
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / min(first.width * first.height, second.width * second.height)


def _label(placed: Sequence[_Placed]) -> tuple[LabeledObject, ...]:
    objects = []
    for number, doodle in enumerate(placed):
        if doodle.label is None:
            continue
        later = [other for other in placed[number + 1 :] if _covered_share(doodle.extent, other.extent) > 0]
        box = _visible_box(doodle.ink, [other.ink for other in later])
        if box is None and later:
            continue  # Wholly painted over: nobody can see it, so nobody may be asked to find it.
        objects.append(LabeledObject(doodle.label, _tight(box, doodle.extent, hidden=bool(later))))
    return tuple(objects)


def _visible_box(ink: InkPatch, later: Sequence[InkPatch]) -> Box | None:
    """Bound the pixels where ink is still seen under the later ink, half-open; ``None`` when there are none."""
    seen = ink.coverage.astype(np.float32)
    height, width = seen.shape
    for other in later:
        top, left = max(ink.top, other.top), max(ink.left, other.left)
        bottom = min(ink.top + height, other.top + other.coverage.shape[0])
        right = min(ink.left + width, other.left + other.coverage.shape[1])
        if top < bottom and left < right:
            over = other.coverage[top - other.top : bottom - other.top, left - other.left : right - other.left]
            seen[top - ink.top : bottom - ink.top, left - ink.left : right - ink.left] *= 1 - over / np.float32(255)
    shown = seen >= VISIBLE_FROM
    rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
    if not len(rows):
        return None
    return Box(
        float(ink.left + columns[0]),
        float(ink.top + rows[0]),
        float(ink.left + columns[-1] + 1),
        float(ink.top + rows[-1] + 1),
    )


def _tight(box: Box | None, extent: Box, *, hidden: bool) -> Box:
    """Hold the box of the pixels against the geometry of the strokes, which no pixel code has touched."""
    if box is None:
        raise LooseBoxError(f"the doodle at {extent} left no visible ink")
    outside = max(extent.xmin - box.xmin, extent.ymin - box.ymin, box.xmax - extent.xmax, box.ymax - extent.ymax)
    inside = max(box.xmin - extent.xmin, box.ymin - extent.ymin, extent.xmax - box.xmax, extent.ymax - box.ymax)
    if outside > 1 or (inside > 1 and not hidden):
        raise LooseBoxError(f"the box {box} of the visible ink is off the strokes' extent {extent}")
    return box


def _ink_colour(spec: SceneSpec, image: Image.Image, ink: InkPatch, rng: np.random.Generator) -> Colour:
    """Choose an ink; on a photograph the one of three that stands out most."""
    choices = [spec.inks[int(i)] for i in rng.integers(len(spec.inks), size=3)]
    if spec.background != "photos":
        return choices[0]
    height, width = ink.coverage.shape
    ground = np.array(image.crop((ink.left, ink.top, ink.left + width, ink.top + height))).mean(axis=(0, 1))
    return max(choices, key=lambda colour: float(np.abs(ground - colour).sum()))


def _lay_ink(image: Image.Image, ink: InkPatch, colour: Colour) -> None:
    image.paste(colour, (ink.left, ink.top), Image.fromarray(ink.coverage))
