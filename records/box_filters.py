"""Boxes that are left out on request, and counted: difficult ones, and those too small for the model to see."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from collectors.errors import ConfigError
from records.features import ExampleObject, normalized_box

DIFFICULT, SMALL = "difficult", "small"


@dataclass(frozen=True, slots=True)
class SmallestBox:
    """The least side a box must have, in pixels, once its picture was resized to ``width`` by ``height``."""

    side_px: float
    width: int
    height: int

    def __str__(self) -> str:
        size = f"{self.width}" if self.width == self.height else f"{self.width}x{self.height}"
        return f"{self.side_px:g}@{size}"


@dataclass(frozen=True, slots=True)
class BoxFilters:
    """Which boxes to leave out."""

    drop_difficult: bool = False
    smallest: SmallestBox | None = None

    def words(self) -> tuple[str, ...]:
        """The requests, as the command line says them; none when every box goes in."""
        difficult = ("drop-difficult",) if self.drop_difficult else ()
        return (*difficult, f"min-box {self.smallest}") if self.smallest is not None else difficult

    def apply(
        self, objects: Sequence[ExampleObject], *, width: int, height: int
    ) -> tuple[tuple[ExampleObject, ...], Counter[str]]:
        """Return the objects that stay, and how many were dropped by reason.

        Args:
            objects: Of one picture; their boxes are sound.
            width: Of the picture, in pixels.
            height: Of the picture, in pixels.
        """
        kept, dropped = [], Counter[str]()
        for item in objects:
            reason = self._reason(item, width, height)
            if reason:
                dropped[reason] += 1
            else:
                kept.append(item)
        return tuple(kept), dropped

    def _reason(self, item: ExampleObject, width: int, height: int) -> str:
        if self.drop_difficult and item.difficult:
            return DIFFICULT
        if self.smallest is None:
            return ""
        xmin, ymin, xmax, ymax = normalized_box(item.box, width=width, height=height)
        side = min((xmax - xmin) * self.smallest.width, (ymax - ymin) * self.smallest.height)
        return SMALL if side < self.smallest.side_px else ""


def parse_smallest_box(text: str) -> SmallestBox:
    """Read ``N@SIZE`` or ``N@WIDTHxHEIGHT``: pixels, and the size that the model resizes pictures to.

    Raises:
        ConfigError: It is something else.

    Example:
        >>> parse_smallest_box("8@300")
        SmallestBox(side_px=8.0, width=300, height=300)
    """
    side, _, size = text.partition("@")
    width, _, height = size.partition("x")
    try:
        found = SmallestBox(float(side), int(width), int(height or width))
    except ValueError:
        found = SmallestBox(0, 0, 0)
    if not (0 < found.side_px < float("inf") and found.width > 0 and found.height > 0):
        raise ConfigError(
            f"{text!r} is no smallest box",
            fix="Write N@SIZE, for example 8@300: 8 pixels where the model sees 300x300.",
        )
    return found
