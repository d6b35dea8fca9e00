"""What an evaluation has to reach: ``--min-ap50``, ``--min-top1`` and ``--min-map``."""

from typing import TYPE_CHECKING, Any

import click

from scripts import exit_codes
from scripts.output import say

if TYPE_CHECKING:  # the commands import what they need of pipelines when they run
    from pipelines.run_kinds import RunKind


class Gate:
    """What is asked for, by the name of the figure; ``None`` asks for nothing."""

    def __init__(self, **least: float | None) -> None:
        self._least = {name: value for name, value in least.items() if value is not None}

    def require_known_to(self, kind: "RunKind") -> None:
        """Refuse to ask a run for a figure that its kind does not have."""
        for name in self._least:
            if name not in kind.figures:
                raise click.UsageError(
                    f"--min-{name.lower()} does not go with a {kind.word}: ask for --min-{kind.figures[0].lower()}"
                )

    def passed_by(self, results: dict[str, Any]) -> int:
        """Return the exit code, and say why where a figure is too low."""
        for name, least in self._least.items():
            reached = results.get(name)
            # COCO's precision of what is all right is 1 - 2e-16: a figure is what it is to six digits.
            if reached is None or reached < least - 1e-6:
                is_what = "not defined, because there is nothing to find" if reached is None else f"{reached:.6g}"
                say(f"{name} is {is_what}; --min-{name.lower()} asks for {least:g}")
                return exit_codes.FINDINGS
        return exit_codes.DONE
