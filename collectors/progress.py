"""How long work tells the outside how far it is, without printing."""

from typing import Protocol


class Progress(Protocol):
    """Called as work goes on; cheap enough to call for every item."""

    def __call__(self, done: int, total: int | None, note: str = "") -> None:
        """Report that ``done`` of ``total`` items (``None``: not known) are finished.

        Args:
            done: Items finished so far, never decreasing.
            total: Items in all, or ``None``.
            note: A few words about the present state, for example ``"3 refused"``.
        """
        ...


def no_progress(done: int, total: int | None, note: str = "") -> None:
    """Report to nobody."""
