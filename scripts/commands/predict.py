"""``tagbox predict``: find objects in pictures, or tell what pictures are."""

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from scripts.classifying import classify, draw_and_classify
from scripts.detecting import find_objects
from scripts.options import json_option, quieten_tensorflow
from scripts.output import say
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
    if sources and draw:
        raise click.UsageError("--draw answers to what is drawn; leave the pictures out")
    source_of = click.get_current_context().get_parameter_source
    form = "json" if as_json else form
    unused = {"--output": output, "--format": form != "table", "--invert": invert, "--min-score": min_score is not None}
    if draw and (names := [name for name, is_given in unused.items() if is_given]):
        raise click.UsageError(f"{names[0]} does not go with --draw: the answers stand on the page")
    if port and not draw:
        raise click.UsageError("--port is that of --draw's page")
    if not is_run and source_of("checkpoint") is ParameterSource.COMMANDLINE:
        raise click.UsageError("--checkpoint is for a RUN; a model file has the weights of one")
    quieten_tensorflow()
    model = None if is_run else _open(source)
    kind = kind_of_run(run) if model is None else kind_named(model.metadata.kind)
    if kind is not DETECTOR:
        refused = {"--voc": voc, "--unlabeled": unlabeled, "--format coco": form == "coco"}
        if names := [name for name, is_given in refused.items() if is_given]:
            raise click.UsageError(f"{names[0]} is for detectors; a {kind.word} finds no boxes")
        if source_of("every") is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--every is for the films of detectors; a {kind.word} takes pictures")
        if kind is TAGGER:
            has_top = source_of("top") is ParameterSource.COMMANDLINE
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
    if source_of("top") is ParameterSource.COMMANDLINE:
        raise click.UsageError("--top is for classifiers; --min-score leaves out objects that are less likely")

    def open_detector() -> Any:
        if model is not None:
            return model
        say("starting TensorFlow")
        from pipelines.detectors import RunDetector

        return RunDetector(run, checkpoint=checkpoint)

    return find_objects(
        open_detector, sources, min_score=min_score, every=every, unlabeled=unlabeled, form=form, output=output, voc=voc
    )


def _open(path: Path) -> Any:
    say("starting TensorFlow")
    from pipelines.export.model_files import open_model

    return open_model(path)


def _classifier_of(run: Any, checkpoint: str) -> Any:
    say("starting TensorFlow")
    from pipelines.classification.classifier import RunClassifier

    return RunClassifier(run, checkpoint=checkpoint)
