"""Charts as SVG inside a page: sharp at any size, in the page's colours, light and dark, with letters of the reader.

The letters are the browser's own, so a class name of any script shows.
"""

from pipelines.report.charts import (
    BarChart,
    Chart,
    LineChart,
    Series,
    axis_range,
    finite_points,
    round_ticks,
    short_number,
)
from pipelines.report.markup import escaped

PALETTE_SIZE = 8
_WIDTH, _HEIGHT = 440, 260
# Left there is room for the axis title and a number such as 0.0015.
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 18, 10, 38
_DASHES = ("", "6 3", "2 3")
_BAR_HEIGHT = 20
_NAME_LETTERS = 19


def svg_chart(chart: Chart) -> str:
    """Return the ``<svg>`` of a chart; its words stand in it as text."""
    if isinstance(chart, LineChart):
        return _line_chart(chart)
    return _lying_bars(chart) if chart.horizontal else _standing_bars(chart)


def legend(chart: Chart) -> list[tuple[int, int, str]]:
    """Return colour, kind of line and name of what a chart shows, where there is more than one."""
    if isinstance(chart, LineChart):
        rows = [
            (_color(series.color, place), series.line, series.name)
            for place, series in enumerate(chart.series)
            if series.name
        ]
    else:
        rows = [(_color(bars.color, place), 0, bars.name) for place, bars in enumerate(chart.bars) if bars.name]
    return rows if len(rows) > 1 else []


class _Frame:
    """Where values lie in the drawing."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        self.x_ends, self.y_ends = x, y

    def x(self, value: float) -> float:
        low, high = self.x_ends
        return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        low, high = self.y_ends
        share = min(1.5, max(-0.5, (value - low) / (high - low)))  # far above the top is cut off anyway
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)

    def point(self, x: float, y: float) -> str:
        return f"{self.x(x):.1f},{self.y(y):.1f}"


def _line_chart(chart: LineChart) -> str:
    pieces = [(series, finite_points(series)) for series in chart.series]
    points = [point for _, parts in pieces for part in parts for point in part]
    frame = _Frame(axis_range([x for x, _ in points], chart.x_range), axis_range([y for _, y in points], chart.y_range))
    inside = []
    if chart.diagonal:
        low, high = max(frame.x_ends[0], frame.y_ends[0]), min(frame.x_ends[1], frame.y_ends[1])
        inside.append(f'<path class="d" d="M{frame.point(low, low)}L{frame.point(high, high)}"/>')
    for place, (series, parts) in enumerate(pieces):
        inside.append(_line(frame, series, parts, _color(series.color, place)))
    for mark in chart.marks:
        x = frame.x(mark.x)
        anchor, shift = ("end", -4) if x > _WIDTH * 0.7 else ("start", 4)
        inside.append(
            f'<path class="m" d="M{x:.1f},{_TOP}V{_HEIGHT - _BOTTOM}"/>'
            f'<text x="{x + shift:.1f}" y="{_HEIGHT - _BOTTOM - 8}" text-anchor="{anchor}">{escaped(mark.label)}</text>'
        )
    ticks = "".join(
        f'<text x="{frame.x(value):.1f}" y="{_HEIGHT - _BOTTOM + 14}" text-anchor="middle">{short_number(value)}</text>'
        for value in round_ticks(*frame.x_ends)
    )
    empty = "" if points else _nothing()
    return _svg(chart, f'{_grid(frame)}{ticks}<g clip-path="url(#plot)">{"".join(inside)}</g>{empty}')


def _line(frame: _Frame, series: Series, parts: list[list[tuple[float, float]]], color: int) -> str:
    path = "".join(
        "M" + "L".join(frame.point(*point) for point in part) + ("h0" if len(part) == 1 else "") for part in parts
    )
    dashes = f' stroke-dasharray="{_DASHES[series.line % 3]}"' if series.line % 3 else ""
    width = f' stroke-width="{1.6 * series.width:.1f}"' if series.width != 1.0 else ""
    drawn = f'<path class="l s{color}"{width}{dashes} d="{path}"/>' if path else ""
    if series.markers:
        drawn += "".join(
            f'<circle class="f{color}" cx="{frame.x(x):.1f}" cy="{frame.y(y):.1f}" r="3">'
            f"<title>{escaped(series.name)} {y:.3f} ({short_number(x)})</title></circle>"
            for part in parts
            for x, y in part
        )
    return drawn


def _standing_bars(chart: BarChart) -> str:
    count = max(1, len(chart.categories))
    frame = _Frame((0.0, float(count)), (0.0, _tallest(chart)))
    drawn = []
    for at, category in enumerate(chart.categories):
        floor = 0.0
        for place, bars in enumerate(chart.bars):
            width = 0.84 if chart.stacked else 0.84 / len(chart.bars)
            left = at + 0.08 + (0 if chart.stacked else place * width)
            top = floor + bars.values[at]
            if bars.values[at]:
                drawn.append(
                    f'<rect class="f{_color(bars.color, place)}" x="{frame.x(left):.1f}" y="{frame.y(top):.1f}" '
                    f'width="{frame.x(left + width) - frame.x(left):.1f}" height="{frame.y(floor) - frame.y(top):.1f}">'
                    f"<title>{escaped(category)}: {escaped(bars.name)} {short_number(bars.values[at])}</title></rect>"
                )
            floor = top if chart.stacked else 0.0
    every, below = -(-count // 9), _HEIGHT - _BOTTOM + 14
    ticks = "".join(
        f'<text x="{frame.x(at + 0.5):.1f}" y="{below}" text-anchor="middle">{escaped(category)}</text>'
        for at, category in enumerate(chart.categories)
        if at % every == 0
    )
    return _svg(chart, f"{_grid(frame)}{ticks}{''.join(drawn)}{'' if drawn else _nothing()}")


def _lying_bars(chart: BarChart) -> str:
    left, widest = 146, _tallest(chart)
    height = _BAR_HEIGHT * max(1, len(chart.categories)) + 34
    scale = (_WIDTH - left - _RIGHT - 40) / widest
    drawn = []
    for at, category in enumerate(chart.categories):
        y, end = at * _BAR_HEIGHT + 4, 0.0
        name = category if len(category) <= _NAME_LETTERS else category[: _NAME_LETTERS - 1] + "…"
        drawn.append(f'<text x="{left - 6}" y="{y + 13}" text-anchor="end">{escaped(name)}</text>')
        for place, bars in enumerate(chart.bars):
            thick = (_BAR_HEIGHT - 4) / (1 if chart.stacked else len(chart.bars))
            start = end if chart.stacked else 0.0
            drawn.append(
                f'<rect class="f{_color(bars.color, place)}" x="{left + start * scale:.1f}" '
                f'y="{y + (0 if chart.stacked else place * thick):.1f}" '
                f'width="{bars.values[at] * scale:.1f}" height="{thick:.1f}">'
                f"<title>{escaped(category)}: {escaped(bars.name)} {short_number(bars.values[at])}</title></rect>"
            )
            end = max(end, start + bars.values[at])
        total = f"{sum(bars.values[at] for bars in chart.bars):.3g}" if chart.stacked else ""
        drawn.append(f'<text x="{left + end * scale + 5:.1f}" y="{y + 13}">{total}</text>')
    label = f'<text x="{(_WIDTH + left) / 2:.0f}" y="{height - 6}" text-anchor="middle">{escaped(chart.y_label)}</text>'
    return _open(chart, height) + "".join(drawn) + label + "</svg>"


def _tallest(chart: BarChart) -> float:
    if not chart.bars or not chart.categories:
        return 1.0
    columns = list(zip(*(bars.values for bars in chart.bars), strict=True))
    heights = [sum(column) if chart.stacked else max(column) for column in columns]
    return max(heights) * 1.04 or 1.0


def _grid(frame: _Frame) -> str:
    lines = "".join(
        f'<path class="g" d="M{_LEFT},{frame.y(value):.1f}H{_WIDTH - _RIGHT}"/>'
        f'<text x="{_LEFT - 6}" y="{frame.y(value) + 4:.1f}" text-anchor="end">{short_number(value)}</text>'
        for value in round_ticks(*frame.y_ends)
    )
    return lines + f'<path class="a" d="M{_LEFT},{_TOP}V{_HEIGHT - _BOTTOM}H{_WIDTH - _RIGHT}"/>'


def _svg(chart: Chart, inside: str) -> str:
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    labels = (
        f'<text x="{middle:.0f}" y="{_HEIGHT - 6}" text-anchor="middle">{escaped(chart.x_label)}</text>'
        f'<text transform="translate(11 {(_TOP + _HEIGHT - _BOTTOM) / 2:.0f}) rotate(-90)" text-anchor="middle">'
        f"{escaped(chart.y_label)}</text>"
    )
    return _open(chart, _HEIGHT) + inside + labels + "</svg>"


def _open(chart: Chart, height: int) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escaped(_spoken(chart))}">'


def clip_definition() -> str:
    """Return the hidden ``<svg>`` that the line charts of a page are cut by."""
    return (
        '<svg width="0" height="0" aria-hidden="true" style="position:absolute"><clipPath id="plot">'
        f'<rect x="{_LEFT}" y="{_TOP - 4}" width="{_WIDTH - _LEFT - _RIGHT + 4}" '
        f'height="{_HEIGHT - _TOP - _BOTTOM + 8}"/></clipPath></svg>'
    )


def _spoken(chart: Chart) -> str:
    """Say in words what a chart shows, for those who do not see it."""
    if isinstance(chart, BarChart):
        names = [bars.name for bars in chart.bars if bars.name]
        return f"{chart.title}: {len(chart.categories)} bars{' of ' + ', '.join(names) if names else ''}."
    words = [f"{chart.title}: {chart.y_label} over {chart.x_label}."]
    for series in chart.series[:PALETTE_SIZE]:
        points = [point for part in finite_points(series) for point in part]
        if points:
            words.append(f"{series.name or 'Line'} from {points[0][1]:.3g} to {points[-1][1]:.3g}.")
    words += [f"Marked: {mark.label}." for mark in chart.marks]
    return " ".join(words)


def _nothing() -> str:
    return f'<text x="{(_LEFT + _WIDTH) / 2:.0f}" y="{_HEIGHT / 2:.0f}" text-anchor="middle">nothing to show</text>'


def _color(color: int | None, place: int) -> int:
    return (place if color is None else color) % PALETTE_SIZE
