"""Whether the sources of drawings can be drawn as it is asked for."""

from collections.abc import Sequence

from collectors.errors import ConfigError, InputError
from records.drawing_sources import DrawingSource
from records.stroke_style import OFFICIAL_STYLE, StrokeStyle

DEFAULT_SIDE = 28
_SHOWN = 5
PICTURE_KINDS = ("bitmaps", "rasters")
"""Kinds of sources that have pixels, not strokes."""


def side_of(sources: Sequence[DrawingSource], side: int | None) -> int:
    """Return the side of the pictures: as asked for, that of the bitmaps, or `DEFAULT_SIDE`.

    Raises:
        InputError: Bitmaps of several sizes, and nothing is asked for.
    """
    if side is not None:
        return side
    sides: dict[int, DrawingSource] = {}
    for source in sources:
        if source.side:
            sides.setdefault(source.side, source)
    if len(sides) > 1:
        first, second, *_ = sides.values()
        raise InputError(
            f"bitmaps of several sizes: {first.name} has {first.side} px, {second.name} {second.side} px a side",
            where=str(second.path),
            fix=f"Choose one with --size {first.side}.",
        )
    return next(iter(sides), DEFAULT_SIDE)


def refuse_idle_style(sources: Sequence[DrawingSource], style: StrokeStyle) -> None:
    """Refuse a way of drawing strokes where there are none.

    Raises:
        ConfigError: It is not the usual one, and all sources are pictures.
    """
    if style != OFFICIAL_STYLE and all(source.kind in PICTURE_KINDS for source in sources):
        raise ConfigError(
            "line width and padding are for strokes; these drawings are pictures already",
            where=str(sources[0].path),
            fix="Leave --line-width and --padding out, or give .ndjson or .bin files.",
        )


def require_strokes(sources: Sequence[DrawingSource]) -> None:
    """Refuse classes without strokes, also beside others: a network would know them by their strokes never missing.

    Raises:
        InputError: A source has bitmaps or pictures.
    """
    lacking = [source for source in sources if source.kind in PICTURE_KINDS]
    if lacking:
        names = ", ".join(source.name for source in lacking[:_SHOWN]) + ("..." if len(lacking) > _SHOWN else "")
        raise InputError(
            f"strokes are asked for, and {len(lacking)} of {len(sources)} classes have pictures only: {names}",
            where=str(lacking[0].path),
            fix="Give .ndjson or .bin files of strokes (--class names the classes to take), or leave --strokes out.",
        )
