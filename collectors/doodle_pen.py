"""A pen held by a hand: lines wobble, circles do not quite close, corners overshoot."""

from collections.abc import Sequence
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

Point: TypeAlias = tuple[float, float]
_T = TypeVar("_T")

_STEP = 2.0  # Distance between the points of a stroke, in units of the 100 by 100 sheet.


class DoodlePen:
    """Draws strokes on a sheet of 100 by 100 (y points down) with the habits of one person.

    How shaky the hand is, how far strokes miss their end, how the sheet lies: drawn once from the generator. All
    later randomness comes from the same generator, so the drawing is a pure function of its state.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._strokes: list[NDArray[np.float64]] = []
        self._shake = rng.uniform(0.25, 1.0)
        self._miss = rng.uniform(0.2, 1.6)

    def between(self, low: float, high: float) -> float:
        """Return a number from ``low`` to ``high``, each as likely."""
        return float(self._rng.uniform(low, high))

    def around(self, middle: float, spread: float) -> float:
        """Return a number within ``spread`` of ``middle``, near ones likelier."""
        return middle + spread * float(self._rng.triangular(-1, 0, 1))

    def chance(self, probability: float) -> bool:
        """Say yes this often."""
        return bool(self._rng.random() < probability)

    def pick(self, choices: Sequence[_T]) -> _T:
        """Return one of the choices."""
        return choices[int(self._rng.integers(len(choices)))]

    @staticmethod
    def polar(centre: Point, angle: float, radius: float) -> Point:
        """Return the point at an angle (radians, from the right, downwards) and distance of ``centre``."""
        return centre[0] + radius * float(np.cos(angle)), centre[1] + radius * float(np.sin(angle))

    def line(self, start: Point, end: Point) -> None:
        """Draw a straight stroke, as straight as a hand can."""
        self.polyline([start, end])

    def polyline(self, corners: Sequence[Point]) -> None:
        """Draw straight lines from corner to corner in one stroke; every corner is missed by a little."""
        missed = np.array(corners, float) + self._rng.normal(0, self._miss * 0.5, (len(corners), 2))
        self._add(missed)

    def rectangle(self, left: float, top: float, right: float, bottom: float) -> None:
        """Draw a closed rectangle in one stroke, from any corner, either way round."""
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        start = int(self._rng.integers(4))
        turned = corners[start:] + corners[:start]
        self.polyline([*turned, turned[0]])

    def curve(self, points: Sequence[Point]) -> None:
        """Draw a smooth stroke through the points (Catmull-Rom)."""
        knots = np.array(points, float) + self._rng.normal(0, self._miss * 0.4, (len(points), 2))
        self._add(_catmull_rom(knots))

    def trace(self, points: Sequence[Point]) -> None:
        """Draw through many close points, corners and all; only the hand's shake is added."""
        self._add(np.array(points, float))

    def ellipse(self, centre: Point, radius_x: float, radius_y: float) -> None:
        """Draw an ellipse that starts anywhere and ends near its start, before or past it."""
        start = self._rng.uniform(0, 2 * np.pi)
        sweep = 2 * np.pi + self._rng.normal(0, 0.12)
        turns = np.linspace(0, sweep, max(10, int(max(radius_x, radius_y) * 3)))
        drift = 1 + self._rng.normal(0, 0.04) * turns / sweep
        squash = 1 + self._rng.normal(0, 0.04, 2)
        x = centre[0] + radius_x * squash[0] * drift * np.cos(start + turns)
        y = centre[1] + radius_y * squash[1] * drift * np.sin(start + turns)
        self._add(np.stack([x, y], axis=1))

    def finish(self) -> list[NDArray[np.float64]]:
        """Return the strokes, each ``(points, 2)``: a sheet a little askew, strokes in this person's order."""
        lean = np.deg2rad(self.around(0, 7))
        turn = np.array([[np.cos(lean), -np.sin(lean)], [np.sin(lean), np.cos(lean)]])
        stretch = np.diag([self.around(1, 0.14), self.around(1, 0.1)])
        strokes = [stroke @ (turn @ stretch).T for stroke in self._strokes]
        # People begin with the outline; what they add later has no order of its own.
        later = [int(i) for i in self._rng.permutation(np.arange(1, len(strokes)))]
        ordered = [strokes[0], *(strokes[i] for i in later)]
        return [stroke[::-1] if self._rng.random() < 0.3 else stroke for stroke in ordered]

    def _add(self, corners: NDArray[np.float64]) -> None:
        even = _every_step(corners)
        if len(even) > 2:
            even = even + self._wobble(len(even))
        self._strokes.append(even)

    def _wobble(self, count: int) -> NDArray[np.float64]:
        """Slow unsteadiness: noise at a few points of the stroke, smoothly joined."""
        knots = max(2, count // 6)
        noise = self._rng.normal(0, self._shake, (knots, 2))
        where = np.linspace(0, knots - 1, count)
        return np.stack([np.interp(where, np.arange(knots), noise[:, axis]) for axis in (0, 1)], axis=1)


def _every_step(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points `_STEP` apart along the corners, every corner kept."""
    steps = np.diff(corners, axis=0)
    parts = np.maximum(1, np.rint(np.hypot(steps[:, 0], steps[:, 1]) / _STEP)).astype(int)
    number = np.arange(parts.sum()) - np.repeat(np.cumsum(parts) - parts, parts) + 1
    step = np.repeat(steps / parts[:, None], parts, axis=0)
    between = np.repeat(corners[:-1], parts, axis=0) + step * number[:, None]
    return np.concatenate([corners[:1], between])


def _catmull_rom(knots: NDArray[np.float64]) -> NDArray[np.float64]:
    closed = bool(np.hypot(*(knots[0] - knots[-1])) < 3)
    before, after = (knots[-2], knots[1]) if closed else (2 * knots[0] - knots[1], 2 * knots[-1] - knots[-2])
    padded = np.concatenate([[before], knots, [after]])
    t = np.linspace(0, 1, 9)[1:, None]
    pieces = [knots[:1]]
    for a, b, c, d in zip(padded[:-3], padded[1:-2], padded[2:-1], padded[3:], strict=True):
        pieces.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    return np.concatenate(pieces)
