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


def counted_on(progress: Progress, done_before: int, total_of_all: int | None) -> Progress:
    """Return what tells of a part of the work as of the whole: from ``done_before`` on, of ``total_of_all``."""

    def report(done: int, total: int | None, note: str = "") -> None:  # noqa: ARG001 - the protocol's
        progress(done_before + done, total_of_all, note)

    return report


def no_progress(done: int, total: int | None, note: str = "") -> None:
    """Report to nobody."""
