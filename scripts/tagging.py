"""``tagbox predict`` with a tag classifier: all tags of every picture."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from scripts import exit_codes
from scripts.output import progress, say, write_json, write_table


def tag_pictures(
    run: Any, checkpoint: str, sources: Sequence[Path], *, min_score: float | None, invert: bool, form: str
) -> int:
    """Print the tags of pictures; return the exit code.

    Args:
        run: The run folder of a tag classifier.
        checkpoint: ``best``, ``last``, or the prefix of a checkpoint.
        sources: Pictures, folders, files of drawings.
        min_score: One threshold for all tags; ``None`` takes that of each from the run's evaluation.
        invert: Turn light into dark first.
        form: ``table``, ``json`` or ``csv``.
    """
    say("starting TensorFlow")
    import numpy as np

    from pipelines.classification.classifier import RunClassifier
    from pipelines.classification.sources import read_pictures
    from pipelines.classification.tag_answers import THRESHOLD, thresholds_of
    from pipelines.classification.tag_prediction import found_tags

    classifier = RunClassifier(run, checkpoint=checkpoint)
    results, names = run.read_results(), list(classifier.class_names.values())
    thresholds = thresholds_of(results, names) if min_score is None else np.full(len(names), min_score)
    if min_score is None and not results:
        say(f"note: {run.path} was not evaluated: every tag from {THRESHOLD:g} on is given")
    tagged: list[tuple[str, Any]] = []
    errors: list[tuple[str, str]] = []
    with progress("predicting") as advance:
        for part in read_pictures(sources, classifier.input_shape, inverted=invert):
            for name, reason in part.errors:
                say(f"error: {name}: {reason}")
            errors += part.errors
            if part.names:
                found = found_tags(classifier.scores(part.pixels), classifier.class_names, thresholds)
                tagged += zip(part.names, found, strict=True)
            advance(len(tagged) + len(errors), None)
    _print(tagged, errors, dict(zip(names, thresholds.tolist(), strict=True)), form)
    without = sum(not found for _, found in tagged)
    say(
        f"{sum(len(found) for _, found in tagged)} tags for {len(tagged)} pictures"
        + (f", {without} without any" if without else "")
        + (f", {len(errors)} not read" if errors else "")
    )
    return exit_codes.PARTLY_DONE if errors else exit_codes.DONE


def _print(
    tagged: Sequence[tuple[str, Any]], errors: Sequence[tuple[str, str]], thresholds: dict[str, float], form: str
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
        rows = [[path, ", ".join(f"{one.name} {one.score:.3f}" for one in tags) or "-"] for path, tags in tagged]
        write_table(["picture", "tags"], rows)
