"""``tagbox predict`` with a tag classifier: the tags of every picture."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from scripts import exit_codes
from scripts.classifying import draw_and_classify, write_answers_mosaic
from scripts.output import progress, say, write_json, write_table

_TILES = 180


def thresholds_of_source(classifier: Any, run: Any) -> dict[str, float]:
    """Return from which score on each tag is given, by name, and say where that is not what an evaluation found.

    Args:
        classifier: A run's classifier or a model file's.
        run: The run folder; ``None`` for a model file.
    """
    from pipelines.classification.tag_answers import THRESHOLD, thresholds_of

    names = list(classifier.class_names.values())
    if run is None:
        metadata = classifier.metadata
        if metadata.thresholds is None:
            say(f"note: {metadata.run} was exported without an evaluation: every tag from {THRESHOLD:g} on is given")
        return {name: (metadata.thresholds or {}).get(name, THRESHOLD) for name in names}
    results = run.read_results()
    say_whose_thresholds(results, classifier.step, str(run.path))
    return dict(zip(names, thresholds_of(results, names).tolist(), strict=True))


def say_whose_thresholds(results: Mapping[str, Any] | None, step: int, run: str) -> None:
    """Say so where the thresholds of a run are not those of the weights that are used."""
    from pipelines.classification.tag_answers import THRESHOLD

    if not results:
        say(f"note: {run} was not evaluated: every tag from {THRESHOLD:g} on is given")
    elif results.get("step") != step:
        say(f"note: the thresholds were found at step {results.get('step')}, the weights are of step {step}")


def tag_pictures(
    classifier: Any,
    thresholds: Mapping[str, float],
    sources: Sequence[Path],
    *,
    min_score: float | None,
    top: int | None,
    invert: bool,
    form: str,
    output: Path | None,
) -> int:
    """Print the tags of pictures; return the exit code.

    Args:
        classifier: A `pipelines.classification.classifier.Classifier` of tags.
        thresholds: From which score on each tag is given, by its name.
        sources: Pictures, folders, files of drawings.
        min_score: One threshold for all tags instead.
        top: The likeliest so many; without ``min_score`` those below their thresholds as well.
        invert: Turn light into dark first.
        form: ``table``, ``json`` or ``csv``.
        output: Folder of a picture of the pictures with their tags.
    """
    import numpy as np

    from pipelines.classification.sources import read_pictures
    from pipelines.classification.tag_prediction import found_tags

    if min_score is not None:
        thresholds = dict.fromkeys(thresholds, min_score)
    wanted = np.array([0.0 if top is not None and min_score is None else one for one in thresholds.values()])
    tagged: list[tuple[str, Any]] = []
    errors: list[tuple[str, str]] = []
    shown: list[tuple[Any, Any]] = []
    with progress("predicting") as advance:
        for part in read_pictures(sources, classifier.input_shape, inverted=invert):
            for name, reason in part.errors:
                say(f"error: {name}: {reason}")
            errors += part.errors
            if part.names:
                found = found_tags(classifier.scores(part.pixels), classifier.class_names, wanted, top=top)
                tagged += zip(part.names, found, strict=True)
                room = _TILES - len(shown) if output is not None else 0
                shown += list(zip(part.pixels[:room], found, strict=False))
            advance(len(tagged) + len(errors), None)
    _print(tagged, errors, thresholds, form)
    without = sum(not found for _, found in tagged)
    say(
        f"{sum(len(found) for _, found in tagged)} tags for {len(tagged)} pictures"
        + (f", {without} without any" if without else "")
        + (f", {len(errors)} not read" if errors else "")
    )
    if output is not None and shown:
        say(f"drawn: {_write_mosaic(shown, thresholds, output)}")
    return exit_codes.PARTLY_DONE if errors else exit_codes.DONE


def draw_and_tag(classifier: Any, thresholds: Mapping[str, float], *, top: int, port: int) -> int:
    """Serve the drawing page until Ctrl-C; return the exit code.

    Raises:
        click.UsageError: The network takes pictures in colour.
    """
    channels = classifier.input_shape[2]
    if channels != 1:
        raise click.UsageError(
            f"--draw is for networks of drawings, in one channel of grey; this one wants {channels} channels"
        )
    return draw_and_classify(classifier, top=top, port=port, thresholds=thresholds)


def _print(
    tagged: Sequence[tuple[str, Any]], errors: Sequence[tuple[str, str]], thresholds: Mapping[str, float], form: str
) -> None:
    if form == "json":
        found = [
            {
                "path": path,
                "tags": [
                    {"tag": one.name, "class_id": one.class_id, "score": one.score, "threshold": thresholds[one.name]}
                    for one in tags
                ],
            }
            for path, tags in tagged
        ]
        write_json([*found, *({"path": path, "tags": [], "error": reason} for path, reason in errors)])
    elif form == "csv":
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["path", "tag", "class_id", "score", "threshold"])
        for path, tags in tagged:
            writer.writerows([path, one.name, one.class_id, one.score, thresholds[one.name]] for one in tags)
        click.echo(stream.getvalue(), nl=False)
    else:
        rows = [[path, ", ".join(_in_words(one, thresholds) for one in tags) or "-"] for path, tags in tagged]
        write_table(["picture", "tags"], rows)
        if any(one.score < thresholds[one.name] for _, tags in tagged for one in tags):
            say("in brackets: below the threshold of the tag")


def _in_words(one: Any, thresholds: Mapping[str, float]) -> str:
    words = f"{one.name} {one.score:.3f}"
    return words if one.score >= thresholds[one.name] else f"({words})"


def _write_mosaic(shown: Sequence[tuple[Any, Any]], thresholds: Mapping[str, float], output: Path) -> Path:
    from pipelines.classification.mosaic import image_of_pixels
    from pipelines.classification.tag_mosaic import TagTile, draw_tag_mosaic

    tiles = []
    for pixels, tags in shown:
        reached = [(one.name, one.score) for one in tags if one.score >= thresholds[one.name]]
        below = [(one.name, one.score) for one in tags if one.score < thresholds[one.name]]
        tiles.append(TagTile(image_of_pixels(pixels), given=tuple(reached), below=tuple(below)))
    return write_answers_mosaic(draw_tag_mosaic(tiles), output)
