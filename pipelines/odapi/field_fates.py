"""What can become of a field of a pipeline.config."""

import enum
from typing import Any, NamedTuple


class Fate(enum.StrEnum):
    """What becomes of a field."""

    HONOURED = "honoured"
    APPROXIMATED = "approximated"
    IGNORED = "ignored"
    UNSUPPORTED = "unsupported"


class FieldNote(NamedTuple):
    """The fate of a field.

    Attributes:
        fate: What becomes of it.
        note: How it is approximated, why it is ignored, or what has to be written instead.
        only: The values that can be honoured; empty: every value. Enum values stand as their names.
        exact: The values that are honoured although others are approximated or ignored.
    """

    fate: Fate
    note: str = ""
    only: tuple[Any, ...] = ()
    exact: tuple[Any, ...] = ()


def yes(note: str = "", only: tuple[Any, ...] = ()) -> FieldNote:
    """Honoured: any value, or these only."""
    return FieldNote(Fate.HONOURED, note, only)


def nearly(note: str, exact: tuple[Any, ...] = ()) -> FieldNote:
    """Approximated, as the note says; some values exactly."""
    return FieldNote(Fate.APPROXIMATED, note, exact=exact)


def no(note: str, only: tuple[Any, ...] = ()) -> FieldNote:
    """Ignored, because of what the note says; other values than these, when given, are refused."""
    return FieldNote(Fate.IGNORED, note, only)
