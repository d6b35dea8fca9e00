"""How strokes become pictures in classification records."""

from dataclasses import dataclass

from collectors.errors import ConfigError

# As in `collectors.rasterize`, which is not imported here: it brings matplotlib.
_CANVAS = 256


@dataclass(frozen=True, slots=True)
class StrokeStyle:
    """How strokes are drawn; the defaults are those of the official bitmaps.

    Attributes:
        line_width: Pen width; the canvas of a drawing is 256 wide. Above 0, up to 128.
        padding: Free border around the canvas, 0 to 256.
    """

    line_width: float = 16.0
    padding: float = 16.0

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        if not 0 < self.line_width <= _CANVAS / 2:
            raise ConfigError(f"the line width must be above 0, up to {_CANVAS // 2}, not {self.line_width:g}")
        if not 0 <= self.padding <= _CANVAS:
            raise ConfigError(f"the padding must be 0 to {_CANVAS}, not {self.padding:g}")


OFFICIAL_STYLE = StrokeStyle()
