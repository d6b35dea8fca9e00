"""``tagbox predict``: find objects in pictures, or tell what pictures are."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from collectors.errors import ConfigError
from scripts import exit_codes
from scripts.classifying import classify, draw_and_classify
from scripts.options import json_option, quieten_tensorflow
from scripts.output import progress, say, write_json, write_table
from scripts.tagging import draw_and_tag, tag_pictures, thresholds_of_source


@click.command()
@click.argument("source", metavar="RUN|MODEL", type=click.Path(path_type=Path))
@click.argument("sources", metavar="IMAGE...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), help="Folder for the drawn pictures.")
@click.option(
    "--min-score",
    type=click.FloatRange(0, 1),
    help="Leave out weaker ones.  [default: the run's threshold of best F1; of a tag classifier, of each tag]",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(("table", "json", "csv", "coco")),
    default="table",
    show_default=True,
    help="What is printed; --json is short for --format json.",
)
@click.option(
    "--voc", is_flag=True, help="Write LabelImg XML beside the pictures as proposals, never over a person's file."
)
@click.option("--checkpoint", default="best", show_default=True, help="best, last, or the prefix of a checkpoint.")
@click.option("--unlabeled", is_flag=True, help="Take only pictures for which nobody has saved a LabelImg XML.")
@click.option("--every", type=click.IntRange(1), default=1, show_default=True, help="Take each Nth frame of a film.")
@click.option(
    "--top",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="A classifier's answers to a picture, at most; given, a tag classifier's N likeliest tags.",
)
@click.option("--invert", is_flag=True, help="Turn light into dark first: ink on paper for a classifier of drawings.")
@click.option("--draw", is_flag=True, help="Draw on a page in the browser; a classifier answers after each stroke.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Of the page; 0 takes a free one.")
@json_option
def predict(
    source: Path,
    sources: tuple[Path, ...],
    output: Path | None,
    min_score: float | None,
    form: str,
    voc: bool,
    checkpoint: str,
    unlabeled: bool,
    every: int,
    top: int,
    invert: bool,
    draw: bool,
    port: int,
    as_json: bool,
) -> int:
    """Find objects in pictures with a RUN or a MODEL file of `tagbox export`.

    IMAGE is a picture, a folder, which is searched to any depth, a pattern in quotes ('new/**/*.jpg'), or a film.

    Prints one line an object: picture, class, score, and the box in pixels. A classifier tells what each picture is,
    and takes QuickDraw's .npy, .ndjson and .bin files as well; a tag classifier gives all tags above their threshold.
    Pictures that cannot be read are named, the rest is done, and the exit code is 5.
    """
    from pipelines.run_directory import RunDirectory
    from pipelines.run_kinds import DETECTOR, TAGGER, kind_named
    from pipelines.run_list import kind_of_run

    run = RunDirectory(source)
    is_run = run.config_path.is_file() or (source.is_dir() and not (source / "saved_model.pb").is_file())
    if is_run:
        run.require()
    if not sources and not draw:
        raise click.UsageError("Missing argument 'IMAGE...': pictures or folders; or --draw.")
    quieten_tensorflow()
    model = None if is_run else _open(source)
    kind = kind_of_run(run) if model is None else kind_named(model.metadata.kind)
    if kind is not DETECTOR:
        refused = {"--voc": voc, "--unlabeled": unlabeled, "--format coco": form == "coco"}
        if names := [name for name, is_given in refused.items() if is_given]:
            raise click.UsageError(f"{names[0]} is for detectors; a {kind.word} finds no boxes")
        form = "json" if as_json else form
        if kind is TAGGER:
            has_top = click.get_current_context().get_parameter_source("top") is ParameterSource.COMMANDLINE
            tagger = model or _classifier_of(run, checkpoint)
            thresholds = thresholds_of_source(tagger, run if is_run else None)
            if draw:
                return draw_and_tag(tagger, thresholds, top=top, port=port)
            return tag_pictures(
                tagger, thresholds, sources, min_score=min_score, top=top if has_top else None, invert=invert,
                form=form, output=output,
            )  # fmt: skip
        if min_score is not None:
            raise click.UsageError("--min-score is for detectors and tag classifiers; --top limits these answers")
        classifier = model or _classifier_of(run, checkpoint)
        if draw:
            return draw_and_classify(classifier, top=top, port=port)
        return classify(classifier, sources, top=top, invert=invert, form=form, output=output)
    if draw or invert:
        raise click.UsageError(f"--{'draw' if draw else 'invert'} is for classifiers")
    from pipelines.picture_sources import find_pictures, is_video, name_drawings
    from pipelines.video_frames import Frame, Video

    pictures = find_pictures(sources)
    videos = {path: Video(path, every=every) for path in pictures if is_video(path)}
    if voc and videos:
        raise ConfigError(
            "--voc needs pictures; a frame of a film is no file", where=str(next(iter(videos))),
            fix="Take the frames out first: ffmpeg -i FILM frame_%05d.jpg",
        )  # fmt: skip
    from pipelines.proposals import ProposalFate, labels_of, write_proposal

    if unlabeled:
        num_found = len(pictures)
        pictures = [picture for picture in pictures if labels_of(picture) is None]
        say(f"{len(pictures)} of {num_found} pictures are not labelled")
    num_pictures = len(pictures) - len(videos) + sum(video.num_frames for video in videos.values())
    drawings = name_drawings(pictures, output) if output is not None else {}

    def each_picture() -> Iterator[Path | Frame]:
        for path in pictures:
            if path in videos:
                yield from videos[path].frames()
            else:
                yield path

    if is_run:
        say("starting TensorFlow")
    from pipelines.detectors import RunDetector
    from pipelines.predict import Predictor
    from pipelines.prediction_formats import as_coco, as_csv, as_dict

    detector = model or RunDetector(run, checkpoint=checkpoint)
    predictor = Predictor(detector, min_score=min_score)
    predictions, unreadable = [], 0
    fates: Counter[ProposalFate] = Counter()
    with progress("predicting") as advance:
        for done, (prediction, image) in enumerate(predictor.predict(each_picture()), start=1):
            predictions.append(prediction)
            if image is None:
                unreadable += 1
                say(f"error: {prediction.path}: {prediction.error}")
            elif prediction.video in drawings:
                _draw(prediction, image, drawings[prediction.video] / f"frame_{prediction.frame:06d}.jpg")
            elif prediction.path in drawings:
                _draw(prediction, image, drawings[prediction.path])
            if voc and image is not None:
                fate, path = write_proposal(prediction, origin=f"{detector.metadata.run} step {detector.metadata.step}")
                fates[fate] += 1
                if fate is ProposalFate.LABELLED:
                    say(f"note: {path} was saved by a person, or cannot be read; it is left as it is")
            advance(done, max(done, num_pictures))
    rows = [row for prediction in predictions for row in _rows(prediction)]
    if as_json or form == "json":
        write_json([as_dict(prediction) for prediction in predictions])
    elif form == "csv":
        click.echo(as_csv(predictions), nl=False)
    elif form == "coco":
        write_json(as_coco(predictions, predictor.class_names))
    else:
        write_table(["picture", "class", "score", "xmin", "ymin", "xmax", "ymax"], rows, right={2, 3, 4, 5, 6})
    say(
        f"{len(rows)} objects in {len(predictions) - unreadable} pictures"
        + (f", {unreadable} not read" if unreadable else "")
    )
    if output is not None:
        say(f"drawn pictures are in {output}")
    if voc:
        say(
            f"{fates[ProposalFate.WRITTEN]} proposals written, {fates[ProposalFate.NOTHING_FOUND]} pictures without "
            f"any, {fates[ProposalFate.LABELLED]} left to the person who labelled them; `tagbox labels check` refuses "
            "proposals (X13) until they are saved in LabelImg"
        )
    return exit_codes.PARTLY_DONE if unreadable else exit_codes.DONE


def _open(path: Path) -> Any:
    say("starting TensorFlow")
    from pipelines.export.model_files import open_model

    return open_model(path)


def _classifier_of(run: Any, checkpoint: str) -> Any:
    say("starting TensorFlow")
    from pipelines.classification.classifier import RunClassifier

    return RunClassifier(run, checkpoint=checkpoint)


def _draw(prediction: Any, image: Any, path: Path) -> None:
    from collectors.files import atomic_writer
    from labeling.drawing import detected_box, draw_boxes

    boxes = [detected_box(found.box, found.name, found.score) for found in prediction.detections]
    with atomic_writer(path) as stream:
        draw_boxes(image, boxes).save(stream, "JPEG", quality=92)


def _rows(prediction: Any) -> list[list[str]]:
    return [
        [str(prediction.path), found.name, f"{found.score:.3f}"]
        + [f"{edge:.0f}" for edge in (found.box.xmin, found.box.ymin, found.box.xmax, found.box.ymax)]
        for found in prediction.detections
    ]
