"""``tagbox predict`` with a tag classifier: the tags of every picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from scripts.answering import AnsweredPictures, answer_pictures, write_csv
from scripts.classifying import draw_and_classify, write_answers_mosaic
from scripts.output import say, write_json, write_table


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

    from pipelines.classification.tag_prediction import found_tags

    if min_score is not None:
        thresholds = dict.fromkeys(thresholds, min_score)
    wanted = np.array([0.0 if top is not None and min_score is None else one for one in thresholds.values()])

    def answers_of(scores: Any) -> Any:
        return found_tags(scores, classifier.class_names, wanted, top=top)

    found = answer_pictures(classifier, sources, answers_of, invert=invert, draws=output is not None)
    _print(found, thresholds, form)
    given = [len(tags) for _, tags in found.answers]
    without = f", {given.count(0)} without any" if 0 in given else ""
    say(f"{sum(given)} tags for {len(given)} pictures{without}{found.not_read}")
    if output is not None and found.shown:
        say(f"drawn: {_write_mosaic(found.shown, thresholds, output)}")
    return found.exit_code


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


def _print(tagged: AnsweredPictures, thresholds: Mapping[str, float], form: str) -> None:
    if form == "json":
        found = [
            {
                "path": path,
                "tags": [
                    {"tag": one.name, "class_id": one.class_id, "score": one.score, "threshold": thresholds[one.name]}
                    for one in tags
                ],
            }
            for path, tags in tagged.answers
        ]
        write_json([*found, *({"path": path, "tags": [], "error": reason} for path, reason in tagged.errors)])
    elif form == "csv":
        write_csv(
            ["path", "tag", "class_id", "score", "threshold"],
            (
                [path, one.name, one.class_id, one.score, thresholds[one.name]]
                for path, tags in tagged.answers
                for one in tags
            ),
        )
    else:
        rows = [[path, ", ".join(_in_words(one, thresholds) for one in tags) or "-"] for path, tags in tagged.answers]
        write_table(["picture", "tags"], rows)
        if any(one.score < thresholds[one.name] for _, tags in tagged.answers for one in tags):
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
