"""What a composed picture may look like: every choice a user has, with its limits."""

from dataclasses import dataclass
from pathlib import Path

from collectors.errors import ConfigError

Colour = tuple[int, int, int]

# Felt pens and a soft pencil: all dark or strong enough to be seen on every paper.
PEN_COLOURS: tuple[Colour, ...] = (
    (38, 38, 44),
    (30, 62, 140),
    (184, 36, 44),
    (22, 112, 68),
    (112, 48, 132),
    (196, 88, 18),
    (8, 112, 132),
    (104, 66, 38),
)

# On photographs, which may be dark, chalk as well.
CHALK_COLOURS: tuple[Colour, ...] = ((250, 250, 245), (255, 226, 90), (140, 230, 250), (255, 170, 190))


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneSpec:
    """The recipe of a set of scenes; checked when made.

    Ranges are ``(smallest, largest)``, both included. Raises `ConfigError` for a recipe nobody can draw.

    Attributes:
        width: Picture width in pixels.
        height: Picture height in pixels.
        objects: How many doodles of the chosen categories a scene gets; fewer where no room is left, never none.
        scale: Longer side of a doodle as a share of the picture's shorter side.
        max_overlap: Largest share of the smaller of two boxes that the other may cover, 0 to 1.
        rotation_deg: Largest turn to either side, degrees.
        mirror: Share of doodles flipped left to right.
        line_width: Pen width in pixels; ``None`` takes 0.9 % to 1.8 % of the shorter side.
        colours: Ink colours, red green blue, 0 to 255; ``None`` takes eight pens, and chalk too on photographs.
        background: ``paper`` (grain, tint and light made from the seed), ``plain`` (white) or ``photos``.
        photos: Pictures to draw on, for the background ``photos``.
        clutter: Categories that are drawn and not labelled.
        clutter_objects: How many unlabelled doodles a scene gets, when there are clutter categories.
        negatives: Share of scenes without any labelled doodle.
        verification_share: Share of the drawings that only verification scenes use.
        jpeg_quality: 1 to 95.
    """

    width: int = 320
    height: int = 240
    objects: tuple[int, int] = (2, 4)
    scale: tuple[float, float] = (0.25, 0.55)
    max_overlap: float = 0.05
    rotation_deg: float = 12.0
    mirror: float = 0.5
    line_width: tuple[float, float] | None = None
    colours: tuple[Colour, ...] | None = None
    background: str = "paper"
    photos: tuple[Path, ...] = ()
    clutter: tuple[str, ...] = ()
    clutter_objects: tuple[int, int] = (1, 2)
    negatives: float = 0.0
    verification_share: float = 0.2
    jpeg_quality: int = 90

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        _require(48 <= self.width <= 8192 and 48 <= self.height <= 8192, "size", "48 to 8192 pixels a side")
        _require(1 <= self.objects[0] <= self.objects[1] <= 100, "objects", "1 to 100, smallest first")
        _require(0.05 <= self.scale[0] <= self.scale[1] <= 0.9, "scale", "0.05 to 0.9, smallest first")
        _require(0 <= self.max_overlap <= 1, "max_overlap", "0 to 1")
        _require(0 <= self.rotation_deg <= 180, "rotation_deg", "0 to 180 degrees")
        _require(0 <= self.mirror <= 1, "mirror", "0 to 1")
        thickest = self.scale[0] * self.shorter_side / 2
        _require(
            1 <= self.pen_range[0] <= self.pen_range[1] <= thickest,
            "line_width",
            f"1 to {thickest:g} pixels (half of the smallest doodle), smallest first",
        )
        _require(bool(self.inks), "colours", "at least one")
        _require(all(0 <= part <= 255 for colour in self.inks for part in colour), "colours", "three numbers 0 to 255")
        _require(self.background in {"paper", "plain", "photos"}, "background", "paper, plain or photos")
        _require(self.background != "photos" or bool(self.photos), "photos", "at least one picture to draw on")
        _require(
            0 <= self.clutter_objects[0] <= self.clutter_objects[1] <= 100,
            "clutter_objects",
            "0 to 100, smallest first",
        )
        _require(0 <= self.negatives < 1, "negatives", "0 up to but not 1")
        _require(0.01 <= self.verification_share <= 0.99, "verification_share", "0.01 to 0.99")
        _require(1 <= self.jpeg_quality <= 95, "jpeg_quality", "1 to 95")

    @property
    def shorter_side(self) -> int:
        """The shorter side of the picture in pixels."""
        return min(self.width, self.height)

    @property
    def pen_range(self) -> tuple[float, float]:
        """Pen width in pixels, smallest and largest."""
        return self.line_width or (max(1.0, 0.009 * self.shorter_side), max(1.0, 0.018 * self.shorter_side))

    @property
    def inks(self) -> tuple[Colour, ...]:
        """The colours to choose from."""
        if self.colours is not None:
            return self.colours
        return PEN_COLOURS + CHALK_COLOURS if self.background == "photos" else PEN_COLOURS


def _require(holds: bool, option: str, allowed: str) -> None:
    if not holds:
        raise ConfigError(f"{option} must be {allowed}", where="scenes")
