"""``tagbox predict`` with a classifier: what pictures are, and what a person draws."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from scripts import exit_codes
from scripts.options import stop_on_signal
from scripts.output import progress, say, write_json, write_table

_TILES = 180


def classify(
    classifier: Any,
    sources: Sequence[Path],
    *,
    top: int,
    invert: bool,
    form: str,
    output: Path | None,
) -> int:
    """Print the answers of a `pipelines.classification.classifier.Classifier` to pictures; return the exit code."""
    from pipelines.classification.classifier import best_answers
    from pipelines.classification.sources import read_pictures

    answered: list[tuple[str, Any]] = []
    errors: list[tuple[str, str]] = []
    shown: list[Any] = []
    dark_on_light = 0
    with progress("predicting") as advance:
        for part in read_pictures(sources, classifier.input_shape, inverted=invert):
            for name, reason in part.errors:
                say(f"error: {name}: {reason}")
            errors += part.errors
            dark_on_light += part.num_dark_on_light
            if part.names:
                answers = best_answers(classifier.scores(part.pixels), classifier.class_names, top)
                answered += zip(part.names, answers, strict=True)
                room = _TILES - len(shown) if output is not None else 0
                shown += list(zip(part.pixels[:room], answers, strict=False))
            advance(len(answered) + len(errors), None)
    _print(answered, errors, form)
    say(f"{len(answered)} pictures" + (f", {len(errors)} not read" if errors else ""))
    if dark_on_light:
        say(
            f"note: {dark_on_light} pictures are dark on light; QuickDraw's drawings are light on dark: if the "
            "classifier was trained on those, --invert turns them"
        )
    if output is not None and shown:
        say(f"drawn: {_write_mosaic(shown, output)}")
    return exit_codes.PARTLY_DONE if errors else exit_codes.DONE


def draw_and_classify(classifier: Any, *, top: int, port: int, thresholds: Mapping[str, float] | None = None) -> int:
    """Serve the drawing page until Ctrl-C; return the exit code.

    Args:
        classifier: A `pipelines.classification.classifier.Classifier`.
        top: How many answers are shown at most.
        port: Of the page; 0 takes a free one.
        thresholds: Of a tag classifier: from which score on each tag is given, by its name.
    """
    from pipelines.classification.drawing_server import DrawingServer

    with (
        DrawingServer(classifier, port=port, top=top, thresholds=thresholds) as server,
        stop_on_signal("ending") as should_stop,
    ):
        say(f"draw on {server.address} (Ctrl-C ends it)")
        server.timeout = 0.2
        while not should_stop():
            server.handle_request()
    say("ended")
    return exit_codes.DONE


def _print(answered: Sequence[tuple[str, Any]], errors: Sequence[tuple[str, str]], form: str) -> None:
    if form == "json":
        found = [
            {
                "path": name,
                "answers": [{"class": one.name, "class_id": one.class_id, "score": one.score} for one in answers],
            }
            for name, answers in answered
        ]
        write_json([*found, *({"path": name, "answers": [], "error": reason} for name, reason in errors)])
    elif form == "csv":
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["path", "rank", "class", "class_id", "score"])
        for name, answers in answered:
            writer.writerows([name, rank, one.name, one.class_id, one.score] for rank, one in enumerate(answers, 1))
        click.echo(stream.getvalue(), nl=False)
    else:
        rows = [
            [
                name,
                answers[0].name,
                f"{answers[0].score:.3f}",
                ", ".join(f"{one.name} {one.score:.3f}" for one in answers[1:] if one.score >= 0.001),
            ]
            for name, answers in answered
        ]
        write_table(["picture", "class", "score", "or"], rows, right={2})


def _write_mosaic(shown: Sequence[tuple[Any, Any]], output: Path) -> Path:
    from pipelines.classification.mosaic import Tile, draw_mosaic, image_of_pixels

    tiles = [
        Tile(image_of_pixels(pixels), answers[0].name, answers[0].name, answers[0].score) for pixels, answers in shown
    ]
    return write_answers_mosaic(draw_mosaic(tiles), output)


def write_answers_mosaic(mosaic: Any, output: Path) -> Path:
    """Write a mosaic as ``answers.png`` into a folder; return its path."""
    from collectors.files import atomic_writer

    path = output / "answers.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_writer(path) as stream:
        mosaic.save(stream, "PNG")
    return path
