"""``tagbox predict`` with a classifier: what pictures are, and what a person draws."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts import exit_codes
from scripts.answering import AnsweredPictures, answer_pictures, write_csv
from scripts.options import stop_on_signal
from scripts.output import say, write_json, write_table


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

    def answers_of(scores: Any) -> Any:
        return best_answers(scores, classifier.class_names, top)

    found = answer_pictures(classifier, sources, answers_of, invert=invert, draws=output is not None)
    _print(found, form)
    say(f"{len(found.answers)} pictures{found.not_read}")
    if output is not None and found.shown:
        say(f"drawn: {_write_mosaic(found.shown, output)}")
    return found.exit_code


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


def _print(answered: AnsweredPictures, form: str) -> None:
    if form == "json":
        found = [
            {
                "path": name,
                "answers": [{"class": one.name, "class_id": one.class_id, "score": one.score} for one in answers],
            }
            for name, answers in answered.answers
        ]
        write_json([*found, *({"path": name, "answers": [], "error": reason} for name, reason in answered.errors)])
    elif form == "csv":
        write_csv(
            ["path", "rank", "class", "class_id", "score"],
            (
                [name, rank, one.name, one.class_id, one.score]
                for name, answers in answered.answers
                for rank, one in enumerate(answers, 1)
            ),
        )
    else:
        rows = [
            [
                name,
                answers[0].name,
                f"{answers[0].score:.3f}",
                ", ".join(f"{one.name} {one.score:.3f}" for one in answers[1:] if one.score >= 0.001),
            ]
            for name, answers in answered.answers
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
