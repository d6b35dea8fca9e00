"""Doodles that tagbox draws itself, so that a demonstration needs no download.

Every category is a recipe of pen movements on a square of 100 by 100 (y points down) with proportions, wobble, extra
strokes and stroke order that differ from drawing to drawing, the way people differ. Drawing ``index`` of a category is
a pure function of ``(seed, category, index)``.
"""

import hashlib
from collections.abc import Callable

import numpy as np

from collectors.doodle_pen import DoodlePen
from collectors.errors import ConfigError
from collectors.quickdraw_formats import Drawing
from collectors.stroke_simplification import simplify_strokes

# Not a moment of any clock: the same drawing has the same bytes on every day.
_TIMESTAMP = "2026-01-01 00:00:00.00000 UTC"
_COUNTRY = "ZZ"  # ISO 3166: unknown


def doodle_categories() -> tuple[str, ...]:
    """Return the names of the categories that can be drawn, in alphabetical order; all are QuickDraw names."""
    return tuple(sorted(_RECIPES))


def draw_doodle(category: str, index: int, *, seed: int) -> Drawing:
    """Draw one doodle.

    Args:
        category: One of `doodle_categories`.
        index: Which drawing, from 0; the same whatever else is drawn.
        seed: Another seed gives another set of drawings.

    Returns:
        A drawing in the simplified schema with a ``key_id`` of its own.

    Raises:
        ConfigError: There is no such category.
    """
    recipe = _RECIPES.get(category)
    if recipe is None:
        raise ConfigError(
            f"there is no doodle of {category!r}", fix="The categories are: " + ", ".join(doodle_categories()) + "."
        )
    digest = hashlib.sha256(f"tagbox doodle {seed} {category} {index}".encode()).digest()
    pen = DoodlePen(np.random.default_rng(int.from_bytes(digest[8:], "big")))
    recipe(pen)
    return Drawing(
        word=category,
        key_id=str(int.from_bytes(digest[:8], "big")),
        strokes=simplify_strokes(pen.finish()),
        countrycode=_COUNTRY,
        timestamp=_TIMESTAMP,
    )


def _house(pen: DoodlePen) -> None:
    left, right = pen.around(18, 5), pen.around(82, 5)
    eaves, ground = pen.around(46, 6), pen.around(92, 3)
    ridge, peak = pen.around(50, 6), pen.around(12, 6)
    over = pen.between(0, 9)
    if pen.chance(0.6):
        pen.polyline([(left, eaves), (left, ground), (right, ground), (right, eaves), (left, eaves)])
    else:
        pen.polyline([(left, eaves), (left, ground), (right, ground), (right, eaves)])
    roof = [(left - over, eaves), (ridge, peak), (right + over, eaves)]
    pen.polyline([*roof, roof[0]] if pen.chance(0.5) else roof)
    if pen.chance(0.92):
        door, width = pen.around(ridge, 10), pen.between(12, 19)
        lintel = ground - pen.between(20, 29)
        pen.polyline([(door, ground), (door, lintel), (door + width, lintel), (door + width, ground)])
        if pen.chance(0.5):
            pen.ellipse((door + width * 0.78, (lintel + ground) / 2), 1.5, 1.5)
    for side in (left + 7, right - 21):
        if pen.chance(0.55):
            size, top = pen.between(11, 15), eaves + pen.between(6, 11)
            pen.rectangle(side, top, side + size, top + size)
            if pen.chance(0.75):
                pen.line((side + size / 2, top), (side + size / 2, top + size))
                pen.line((side, top + size / 2), (side + size, top + size / 2))
    if pen.chance(0.45):
        stack, share = pen.around(right - 16, 3), 0.62
        foot = peak + (eaves - peak) * share
        pen.polyline([(stack - 5, foot - 4), (stack - 5, peak + 2), (stack + 5, peak + 2), (stack + 5, foot + 9)])


def _fish(pen: DoodlePen) -> None:
    height, tail = pen.between(20, 30), pen.between(70, 78)
    middle = pen.around(50, 3)
    nose = pen.around(6, 3)
    fork = pen.between(15, 24)
    top = [
        (nose, middle),
        (25, middle - height * 0.85),
        (44, middle - height),
        (62, middle - height * 0.6),
        (tail, middle),
    ]
    bottom = [(x, 2 * middle - y) for x, y in top]
    if pen.chance(0.6):
        # One movement: over the back, round the tail, home along the belly.
        pen.curve([*top[:-1], (tail, middle - 4)])
        pen.polyline([(tail, middle - 4), (95, middle - fork), (90, middle), (95, middle + fork), (tail, middle + 4)])
        pen.curve([(tail, middle + 4), *bottom[-2::-1]])
    else:
        pen.curve([*top, *bottom[-2::-1]])
        pen.polyline([(tail - 2, middle), (95, middle - fork), (95, middle + fork), (tail - 2, middle)])
    eye = (pen.around(20, 3), middle - height * pen.between(0.2, 0.4))
    pen.ellipse(eye, *(pen.between(2, 4),) * 2)
    if pen.chance(0.55):
        pen.curve([(31, middle - height * 0.7), (pen.around(37, 2), middle), (31, middle + height * 0.7)])
    if pen.chance(0.5):
        pen.curve([(nose + 2, middle + 4), (nose + 7, middle + 7), (nose + 12, middle + 5)])
    if pen.chance(0.5):
        pen.curve([(36, middle - height), (46, middle - height - pen.between(8, 14)), (60, middle - height * 0.65)])
    for x in (44, 54, 63):
        if pen.chance(0.4):
            pen.curve([(x, middle - 6), (x + 5, middle), (x, middle + 6)])


def _cat(pen: DoodlePen) -> None:
    centre = (50.0, pen.around(57, 2))
    wide, tall = pen.between(34, 41), pen.between(29, 36)
    pen.ellipse(centre, wide, tall)
    for side in (-1, 1):
        lift = pen.between(24, 34)
        inner = (50 + side * wide * 0.28, centre[1] - tall * 0.93)
        outer = (50 + side * wide * 0.88, centre[1] - tall * 0.5)
        tip = (50 + side * wide * pen.between(0.72, 0.92), centre[1] - tall - lift * 0.62)
        pen.polyline([inner, tip, outer])
    eye = pen.between(3, 5.5)
    for side in (-1, 1):
        pen.ellipse((50 + side * wide * pen.around(0.4, 0.04), centre[1] - tall * 0.2), eye, eye)
        if pen.chance(0.5):
            pen.ellipse((50 + side * wide * 0.4, centre[1] - tall * 0.2), 1.2, 1.6)
    nose = centre[1] + tall * 0.18
    pen.polyline([(45, nose - 4), (55, nose - 4), (50, nose + 3), (45, nose - 4)])
    for side in (-1, 1):
        pen.curve([(50, nose + 3), (50 + side * 5, nose + 11), (50 + side * 13, nose + 8)])
    spread = pen.between(28, 38)
    for side in (-1, 1):
        for number in range(pen.pick((2, 3, 3, 3))):
            start = nose - 1 + number * 5
            pen.line((50 + side * 17, start), (50 + side * (17 + spread), start - 7 + number * 8))


def _flower(pen: DoodlePen) -> None:
    centre, core = (50.0, 32.0), pen.between(7, 10)
    petals = pen.pick((5, 5, 6, 6, 7, 8))
    reach = pen.between(24, 29)
    turn = pen.between(0, 2 * np.pi)
    pen.ellipse(centre, core, core)
    half = np.pi / petals * pen.between(0.8, 1.0)
    for number in range(petals):
        middle = turn + number * 2 * np.pi / petals
        rays = [
            (-half * 0.75, core),
            (-half * 1.05, reach * 0.72),
            (0.0, reach),
            (half * 1.05, reach * 0.72),
            (half * 0.75, core),
        ]
        pen.curve([pen.polar(centre, middle + angle, radius) for angle, radius in rays])
    foot = pen.around(50, 7)
    pen.curve([(50, centre[1] + reach), (pen.around(50, 4), 78), (foot, 99)])
    for side in (-1, 1):
        if pen.chance(0.7):
            root = (foot + (50 - foot) * 0.45, pen.around(86, 4))
            tip = (root[0] + side * pen.between(18, 26), root[1] - pen.between(10, 17))
            middle_y = (root[1] + tip[1]) / 2
            pen.curve(
                [
                    root,
                    ((root[0] + tip[0]) / 2 - side * 3, middle_y - 8),
                    tip,
                    ((root[0] + tip[0]) / 2 + side * 4, middle_y + 6),
                    root,
                ]
            )


def _sun(pen: DoodlePen) -> None:
    centre, radius = (50.0, 50.0), pen.between(19, 27)
    pen.ellipse(centre, radius, radius * pen.around(1, 0.06))
    rays = pen.pick((8, 9, 10, 11, 12, 14))
    turn = pen.between(0, 2 * np.pi)
    gap, long = pen.between(3, 8), pen.between(12, 19)
    for number in range(rays):
        angle = turn + (number + pen.around(0, 0.12)) * 2 * np.pi / rays
        end = radius + gap + long * (0.6 if number % 2 and rays > 9 else pen.around(1, 0.12))
        pen.line(pen.polar(centre, angle, radius + gap), pen.polar(centre, angle, end))
    if pen.chance(0.35):
        for side in (-1, 1):
            pen.ellipse((50 + side * radius * 0.35, 50 - radius * 0.2), 1.8, 2.2)
        pen.curve(
            [
                (50 - radius * 0.45, 50 + radius * 0.25),
                (50, 50 + radius * 0.55),
                (50 + radius * 0.45, 50 + radius * 0.25),
            ]
        )


def _tree(pen: DoodlePen) -> None:
    trunk, crown = pen.between(6, 9), pen.around(36, 3)
    if pen.chance(0.75):
        bumps = pen.pick((6, 7, 8, 9))
        wide, tall = pen.between(33, 40), pen.between(28, 34)
        turn = pen.between(0, 2 * np.pi)
        deep = pen.between(0.14, 0.24)
        angles = np.linspace(0, 2 * np.pi, 12 * bumps + 1)
        # Arches that meet in notches, as a cloud is drawn.
        reach = 1 - deep + deep * np.abs(np.sin(angles * bumps / 2))
        pen.trace(
            [
                (50 + wide * r * np.cos(turn + a), crown + tall * r * np.sin(turn + a))
                for a, r in zip(angles, reach, strict=True)
            ]
        )
        top = crown + tall * 0.8
    else:
        pen.ellipse((50, crown), pen.between(28, 35), pen.between(28, 33))
        top = crown + 29
    flare = pen.between(1, 6)
    pen.curve([(50 - trunk, top), (50 - trunk, 84), (50 - trunk - flare, 99)])
    pen.curve([(50 + trunk, top), (50 + trunk, 84), (50 + trunk + flare, 99)])
    if pen.chance(0.6):
        pen.line((50 - trunk - flare, 99), (50 + trunk + flare, 99))
    if pen.chance(0.35):
        pen.curve([(50, 80), (pen.around(51, 1), 86), (50, 92)])
    for _ in range(pen.pick((0, 0, 2, 3, 4))):
        pen.ellipse((pen.around(50, 18), pen.around(crown, 13)), 3, 3)


def _car(pen: DoodlePen) -> None:
    left, right = pen.around(5, 2), pen.around(95, 2)
    belt, floor, roof = pen.around(52, 3), pen.around(74, 2), pen.around(29, 4)
    front, back = pen.around(70, 4), pen.around(26, 4)
    slope = pen.between(5, 13)
    body = [(left, floor), (left, belt), (right, belt), (right, floor)]
    cabin = [(back - slope, belt), (back, roof), (front, roof), (front + slope, belt)]
    if pen.chance(0.55):
        # One silhouette: bonnet, windscreen, roof and boot in a single movement.
        pen.polyline(
            [(left, floor), (left, belt), *cabin, (right, belt + pen.between(0, 5)), (right, floor), (left, floor)]
        )
        if pen.chance(0.5):
            pen.line((left + 2, belt), (right - 2, belt))
    else:
        pen.polyline([*body, body[0]])
        pen.polyline(cabin)
    radius = pen.between(8.5, 12)
    for hub in (pen.around(25, 3), pen.around(75, 3)):
        pen.ellipse((hub, floor + 2), radius, radius)
        if pen.chance(0.55):
            pen.ellipse((hub, floor + 2), radius * 0.4, radius * 0.4)
    if pen.chance(0.8):
        post = (back + front) / 2
        sill, header = belt - 3, roof + 5
        pen.polyline(
            [
                (back - slope * 0.5, sill),
                (back + 2, header),
                (post - 2, header),
                (post - 2, sill),
                (back - slope * 0.5, sill),
            ]
        )
        pen.polyline(
            [
                (front + slope * 0.5, sill),
                (front - 2, header),
                (post + 2, header),
                (post + 2, sill),
                (front + slope * 0.5, sill),
            ]
        )
        if pen.chance(0.35):
            pen.line((post, sill), (post, floor - 3))
    if pen.chance(0.4):
        pen.ellipse((right - 5, belt + 7), 3, 3.5)
    if pen.chance(0.35):
        handle = pen.around(52, 3)
        pen.line((handle, belt + 7), (handle + 6, belt + 7))


def _star(pen: DoodlePen) -> None:
    turn, centre = -np.pi / 2 + pen.around(0, 0.12), (50.0, 50.0)
    tips = [pen.polar(centre, turn + i * 2 * np.pi / 5, 45 * pen.around(1, 0.08)) for i in range(5)]
    if pen.chance(0.5):
        # The way children learn it: five lines without lifting the pen.
        start = pen.pick(range(5))
        pen.polyline([tips[(start + 2 * i) % 5] for i in range(6)])
        return
    depth = pen.between(0.36, 0.52)
    corners = []
    for i, tip in enumerate(tips):
        corners += [tip, pen.polar(centre, turn + (i + 0.5) * 2 * np.pi / 5, 45 * depth * pen.around(1, 0.08))]
    start = pen.pick(range(10))
    turned = corners[start:] + corners[:start]
    pen.polyline([*turned, turned[0]])


def _cup(pen: DoodlePen) -> None:
    side = pen.pick((-1, 1))
    middle, rim, foot = 50 - side * 9.0, pen.around(34, 3), pen.around(90, 3)
    wide = pen.between(26, 32)
    base = wide * pen.between(0.68, 1.0)
    tall = foot - rim
    if pen.chance(0.7):
        lip = pen.between(4, 8)
        pen.ellipse((middle, rim), wide, lip)
        pen.curve(
            [
                (middle - wide, rim),
                (middle - wide * 0.97, rim + tall * 0.5),
                (middle - base, foot - 3),
                (middle, foot + lip * 0.6),
                (middle + base, foot - 3),
                (middle + wide * 0.97, rim + tall * 0.5),
                (middle + wide, rim),
            ]
        )
    else:
        pen.polyline(
            [
                (middle - wide, rim),
                (middle - base, foot),
                (middle + base, foot),
                (middle + wide, rim),
                (middle - wide, rim),
            ]
        )
    edge = middle + side * wide
    reach = pen.between(15, 23)
    for inset in (0.0, pen.between(4, 6)) if pen.chance(0.5) else (0.0,):
        pen.curve(
            [
                (edge, rim + tall * 0.2 + inset),
                (edge + side * (reach - inset), rim + tall * 0.22 + inset),
                (edge + side * (reach + 1 - inset), rim + tall * 0.55),
                (edge + side * (reach * 0.6 - inset), rim + tall * 0.72 - inset),
                (edge - side * 2, rim + tall * 0.7 - inset),
            ]
        )
    if pen.chance(0.6):
        for number in range(pen.pick((2, 3, 3))):
            x = middle - 14 + number * 13
            pen.curve([(x, rim - 9), (x + 4, rim - 15), (x - 3, rim - 21), (x + 2, rim - 28)])
    if pen.chance(0.3):
        pen.curve([(middle - wide - 8, foot + 1), (middle, foot + 9), (middle + wide + 8, foot + 1)])


def _umbrella(pen: DoodlePen) -> None:
    rim, top = pen.around(48, 3), pen.around(10, 3)
    wide = pen.between(39, 46)
    dome = [(50 + wide * np.cos(a), rim - (rim - top) * np.sin(a)) for a in np.linspace(np.pi, 0, 25)]
    pen.trace(dome)
    arches = pen.pick((3, 4, 4, 5))
    span = 2 * wide / arches
    deep = pen.between(4, 8)
    hem = []
    for number in range(arches):
        start = 50 - wide + number * span
        hem += [(start + span * t, rim - deep * np.sin(np.pi * t)) for t in np.linspace(0, 1, 9)]
    pen.trace(hem)
    if pen.chance(0.7):
        for number in range(1, arches):
            foot = 50 - wide + number * span
            pen.curve([(50, top), ((50 + foot) / 2 + (foot - 50) * 0.22, (top + rim) / 2 - 4), (foot, rim)])
    hook = pen.pick((-1, 1)) * pen.between(7, 10)
    end = pen.around(88, 2)
    bend = [(50 + hook * (1 - np.cos(a)), end + abs(hook) * np.sin(a)) for a in np.linspace(0, np.pi, 11)]
    pen.trace([(50, rim - (deep if arches % 2 else 0)), (50, (rim + end) / 2), *bend])
    if pen.chance(0.5):
        pen.line((50, top), (50, top - pen.between(5, 8)))


_RECIPES: dict[str, Callable[[DoodlePen], None]] = {
    "car": _car,
    "cat": _cat,
    "cup": _cup,
    "fish": _fish,
    "flower": _flower,
    "house": _house,
    "star": _star,
    "sun": _sun,
    "tree": _tree,
    "umbrella": _umbrella,
}
