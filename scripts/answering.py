"""Pictures that a classifier, or a tag classifier, is asked about: read one after the other, answered, and kept."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from scripts import exit_codes
from scripts.output import progress, say

_SHOWN_AT_MOST = 180


@dataclass(slots=True)
class AnsweredPictures:
    """What was answered.

    Attributes:
        answers: Name of each picture, and the answers to it.
        errors: Name of each picture that could not be read, and why.
        shown: Pixels of the first pictures, and the answers to them; none where nobody wants to draw them.
    """

    answers: list[tuple[str, Any]] = field(default_factory=list)
    errors: list[tuple[str, str]] = field(default_factory=list)
    shown: list[tuple[Any, Any]] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """What the command ends with."""
        return exit_codes.PARTLY_DONE if self.errors else exit_codes.DONE

    @property
    def not_read(self) -> str:
        """How many were not read, as the end of a sentence; empty where all were."""
        return f", {len(self.errors)} not read" if self.errors else ""


def answer_pictures(
    classifier: Any, sources: Sequence[Path], answers_of: Callable[[Any], Iterable[Any]], *, invert: bool, draws: bool
) -> AnsweredPictures:
    """Ask about pictures; those that cannot be read are named at once.

    Args:
        classifier: A `pipelines.classification.classifier.Classifier`.
        sources: Pictures, folders, files of drawings.
        answers_of: Gives the answers to each picture of their scores, ``(n, classes)``.
        invert: Turn light into dark first.
        draws: Keep the first pictures, to be drawn.
    """
    from pipelines.classification.sources import read_pictures

    found, dark_on_light = AnsweredPictures(), 0
    with progress("predicting") as advance:
        for part in read_pictures(sources, classifier.input_shape, inverted=invert):
            for name, reason in part.errors:
                say(f"error: {name}: {reason}")
            found.errors += part.errors
            dark_on_light += part.num_dark_on_light
            if part.names:
                answers = answers_of(classifier.scores(part.pixels))
                found.answers += zip(part.names, answers, strict=True)
                room = _SHOWN_AT_MOST - len(found.shown) if draws else 0
                found.shown += zip(part.pixels[:room], answers, strict=False)
            advance(len(found.answers) + len(found.errors), None)
    if dark_on_light and invert:
        say(f"note: {dark_on_light} pictures are dark on light now that --invert has turned them: leave it out there")
    elif dark_on_light:
        say(
            f"note: {dark_on_light} pictures are dark on light; QuickDraw's drawings are light on dark: if the "
            "classifier was trained on those, --invert turns them"
        )
    return found


def write_csv(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table as CSV on stdout."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(headings)
    writer.writerows(rows)
    click.echo(stream.getvalue(), nl=False)
