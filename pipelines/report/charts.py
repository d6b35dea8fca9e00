"""Charts as data; `pipelines.report.svg` draws them into pages, `pipelines.plots` into PNG files."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

_MOST_POINTS = 400


@dataclass(frozen=True, slots=True)
class Series:
    """A line: ``y`` over ``x``, broken where ``y`` is ``None`` or not finite.

    Attributes:
        name: For the legend; empty stays out of it.
        x: Rising.
        y: As many.
        markers: Dots on the points.
        color: Which colour of the palette; lines of one chart that belong together share one. ``None``: its place.
        line: 0 solid, 1 dashed, 2 dotted.
        width: Relative to the usual line.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    markers: bool = False
    color: int | None = None
    line: int = 0
    width: float = 1.0


@dataclass(frozen=True, slots=True)
class Mark:
    """A place on the x axis that is pointed out."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class LineChart:
    """Lines over a common axis.

    Attributes:
        title: What it shows.
        x_label: With the unit.
        y_label: With the unit.
        series: At least one for a chart with something in it.
        x_range: Ends of the axis; ``None``: those of the values.
        y_range: The same.
        marks: Places to point out.
        diagonal: Also draw where x equals y.
    """

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    marks: Sequence[Mark] = ()
    diagonal: bool = False


@dataclass(frozen=True, slots=True)
class Bars:
    """Heights of one colour, one for each category."""

    name: str
    values: Sequence[float]
    color: int | None = None


@dataclass(frozen=True, slots=True)
class BarChart:
    """Bars over categories, stacked on each other or side by side.

    Attributes:
        title: What it shows.
        x_label: Of the categories.
        y_label: Of the heights.
        categories: Names, in order.
        bars: Each with as many values as categories.
        stacked: On each other.
        horizontal: Categories run downwards, for names that are long.
    """

    title: str
    x_label: str
    y_label: str
    categories: Sequence[str]
    bars: Sequence[Bars]
    stacked: bool = True
    horizontal: bool = False


Chart = LineChart | BarChart


def finite_points(series: Series) -> list[list[tuple[float, float]]]:
    """Return the unbroken pieces of a line."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for x, y in zip(series.x, series.y, strict=True):
        if y is None or not (math.isfinite(x) and math.isfinite(y)):
            pieces.append([])
        else:
            pieces[-1].append((float(x), float(y)))
    return [piece for piece in pieces if piece]


def thinned(x: Sequence[float], y: Sequence[float], most: int = _MOST_POINTS) -> tuple[list[float], list[float]]:
    """Average neighbours so that at most ``most`` points are left: a picture has no room for more."""
    size = -(-len(x) // most) if len(x) else 1
    if size == 1:
        return list(x), list(y)
    starts = range(0, len(x), size)
    return (
        [sum(x[first : first + size]) / len(x[first : first + size]) for first in starts],
        [sum(y[first : first + size]) / len(y[first : first + size]) for first in starts],
    )


def usual_top(values: Sequence[float]) -> float | None:
    """Return the end of an axis that leaves the highest few out; ``None`` where nothing is finite and above 0.

    The first losses of a fresh network are off the scale of all that follow.
    """
    finite = sorted(value for value in values if 0 < value < math.inf)
    return 1.1 * finite[int(0.97 * (len(finite) - 1))] if finite else None


def axis_range(values: Sequence[float], wanted: tuple[float, float] | None = None) -> tuple[float, float]:
    """Return the ends of an axis that holds all values, or the wanted ones; never of no length."""
    if wanted is not None and wanted[0] < wanted[1]:
        return wanted
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if low == high:
        margin = abs(low) / 2 or 0.5
        return low - margin, high + margin
    return low, high


def round_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return round numbers between two ends: multiples of 1, 2 or 5 times a power of ten, about ``count``."""
    rough = (high - low) / max(1, count)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((factor * power for factor in (1, 2, 5) if factor * power >= rough * 0.999), 10 * power)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def short_number(value: float) -> str:
    """Write a number of an axis: ``0.25``, ``1500``, ``20k``, ``3M``, ``0.0004``."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if letter == 'k' else size):.4g}{letter}"
    return f"{value:.4g}" if value else "0"
