"""``tagbox eval``: how good a run is."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from scripts import exit_codes, legacy_flags
from scripts.classifier_results import evaluate_classifier, tell_of_classifier
from scripts.evaluation_gate import Gate
from scripts.evaluation_tables import print_results, print_suspects
from scripts.options import json_option, quieten_tensorflow, stop_on_signal
from scripts.output import figure, progress, say, write_json


@click.command()
@click.argument("run_dir", metavar="[RUN]", required=False, type=click.Path(path_type=Path))
@click.argument("folder", metavar="[FOLDER]", required=False, type=click.Path(path_type=Path))
@click.option("--checkpoint", default="best", show_default=True, help="best, last, or the prefix of a checkpoint.")
@click.option(
    "--records",
    "records",
    multiple=True,
    help="Evaluate on these records instead; globs work, and a folder means its verification records.",
)
@click.option(
    "--empty-without-xml", is_flag=True, help="Take pictures of FOLDER without XML as pictures without objects."
)
@click.option("--follow", is_flag=True, help="Evaluate each new checkpoint of a run in training, until it ends.")
@click.option(
    "--detections",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Instead of a RUN: detections of any tool, in COCO's results format.",
)
@click.option(
    "--truth",
    type=click.Path(path_type=Path),
    metavar="DIR|FILE",
    help="What --detections are judged by: a folder of Pascal VOC XML, or a COCO file.",
)
@click.option(
    "--label-map",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What the numbers of classes in --detections mean [default: the label_map.pbtxt in --truth].",
)
@click.option(
    "--mistakes",
    "limit",
    type=click.IntRange(min=0),
    default=5,
    show_default=True,
    metavar="N",
    help="Draw the N worst mistakes of each kind and class, and the most suspicious labels.",
)
@click.option(
    "--album",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where to draw them [default: mistakes in the RUN; of other pictures than its own, nowhere].",
)
@click.option(
    "--images",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where the pictures are that a COCO file of --truth names, for --album.",
)
@click.option(
    "--min-ap50",
    type=click.FloatRange(0, 1),
    metavar="FIGURE",
    help="End with exit code 1 where AP50 is below this.",
)
@click.option(
    "--min-top1",
    type=click.FloatRange(0, 1),
    metavar="FIGURE",
    help="The same for the top-1 accuracy of a classifier.",
)
@click.option(
    "--min-map",
    type=click.FloatRange(0, 1),
    metavar="FIGURE",
    help="The same for the mean AP over the tags of a tag classifier.",
)
@json_option
@legacy_flags.evaluation_flags
def evaluate(
    run_dir: Path | None,
    folder: Path | None,
    checkpoint: str,
    records: tuple[str, ...],
    empty_without_xml: bool,
    follow: bool,
    detections: Path | None,
    truth: Path | None,
    label_map: Path | None,
    limit: int,
    album: Path | None,
    images: Path | None,
    min_ap50: float | None,
    min_top1: float | None,
    min_map: float | None,
    as_json: bool,
    checkpoint_dir: Path | None,
    run_once: bool,
    **old_flags: Any,
) -> int:
    """Evaluate a RUN on its verification records, or on a FOLDER of pictures with LabelImg's XML.

    COCO's and Pascal VOC's AP for all classes and for each, what each kind of error costs, the worst mistakes as
    pictures, and the labels that are most likely wrong. Of a classifier: top-1 and top-5 accuracy, and each class;
    of a tag classifier: mAP, F1 and the best threshold of each tag.

    With --follow, beside `tagbox train CONFIG --mode train` in another terminal. Or evaluate what any tool has found:

    For example: tagbox eval --detections found.json --truth data/raccoon --min-ap50 0.8
    """
    if detections or truth:
        if not detections or not truth:
            raise click.UsageError("--detections and --truth go together")
        if run_dir or follow or records or empty_without_xml or checkpoint != "best" or min_top1 or min_map:
            raise click.UsageError("--detections are evaluated without a RUN and without its options")
        found = _evaluate_file(detections, truth, label_map, images)
        return _tell(found, album, limit, Gate(AP50=min_ap50), as_json)
    if run_dir is None and checkpoint_dir is None:
        raise click.UsageError("Name a RUN, or give --detections and --truth.")
    if label_map or images:
        raise click.UsageError("--label-map and --images are for --detections; a RUN has its own")
    if empty_without_xml and not folder:
        raise click.UsageError("--empty-without-xml is for a FOLDER")
    from pipelines.run_directory import RunDirectory
    from pipelines.run_kinds import DETECTOR
    from pipelines.run_list import kind_of_run

    if run_dir is None and checkpoint_dir is not None:
        # eval.py went on until it was stopped, unless it was told to run once.
        run_dir, follow = checkpoint_dir, not run_once
        legacy_flags.announce(["eval", run_dir, *(["--follow"] if follow else [])])
        legacy_flags.announce_without_effect(old_flags)
    run, gate = RunDirectory(run_dir or Path()), Gate(AP50=min_ap50, top1=min_top1, mAP=min_map)
    if follow:
        if records or folder or album or checkpoint != "best":
            raise click.UsageError("--follow evaluates every checkpoint on the run's own records")
        return _follow(run, as_json, gate, limit)
    if folder and records:
        raise click.UsageError("evaluate on a FOLDER or on --records")
    kind = kind_of_run(run)
    gate.require_known_to(kind)
    if kind is not DETECTOR:
        has_limit = click.get_current_context().get_parameter_source("limit") is ParameterSource.COMMANDLINE
        if folder or album or has_limit:
            raise click.UsageError(
                f"a {kind.word} is evaluated on its records, or on --records; "
                "FOLDER, --album and --mistakes are for detectors"
            )
        return gate.passed_by(evaluate_classifier(run, list(records), checkpoint, as_json=as_json))
    if folder:
        return _tell(_evaluate_folder(run, folder, checkpoint, empty_without_xml), album, limit, gate, as_json)
    if records:
        return _tell(_evaluate_records(run, list(records), checkpoint), album, limit, gate, as_json)
    quieten_tensorflow()
    say("starting TensorFlow")
    from pipelines.evaluate import evaluate as run_evaluation

    with progress("evaluating, batches") as advance:
        results = run_evaluation(run, checkpoint=checkpoint, progress=advance)
    _tell_of_run(run, results, as_json, limit, album)
    return gate.passed_by(results)


@dataclass(frozen=True, slots=True)
class _Found:
    """An evaluation on other pictures than the run's own; ``beside`` are its record files."""

    results: dict[str, Any]
    record: Any
    class_names: dict[int, str]
    pictures: Any
    beside: Sequence[Path] = ()
    refused: Sequence[str] = ()


def _evaluate_file(detections: Path, truth: Path, label_map: Path | None, images: Path | None) -> _Found:
    from pipelines.detection_analysis import results_of
    from pipelines.detection_files import read_detections
    from pipelines.picture_origins import FilePictures

    judged = read_detections(detections, truth, label_map)
    if judged.left_out:
        say(f"note: {judged.left_out} detections are of pictures without truth, as {judged.example}: left out")
    results = results_of(judged.record, judged.class_names)
    results |= {"detections": str(detections), "truth": str(truth), "num_left_out": judged.left_out}
    folders = [images] if images else [truth.parent, truth.parent / "images"]
    pictures = FilePictures(judged.record.images, folders)
    return _Found(results, judged.record, judged.class_names, pictures, refused=judged.refused)


def _evaluate_records(run: Any, records: list[str], checkpoint: str) -> _Found:
    quieten_tensorflow()
    say("starting TensorFlow")
    from pipelines.evaluate import evaluate_records, records_of
    from pipelines.picture_origins import RecordPictures

    with progress("evaluating, batches") as advance:
        found = evaluate_records(run, records, checkpoint=checkpoint, progress=advance)
    paths = records_of(run, records)
    pictures = RecordPictures(found.record.images, paths)
    return _Found(found.results, found.record, found.class_names, pictures, paths, found.left_out)


def _evaluate_folder(run: Any, folder: Path, checkpoint: str, empty_without_xml: bool) -> _Found:
    from labeling.label_map import read_label_map
    from records.labelled_examples import read_labelled_examples, require_known_classes

    label_map = read_label_map(run.label_map_path)
    with progress("checking pictures") as advance:
        examples = read_labelled_examples(folder, label_map, empty_without_xml=empty_without_xml, progress=advance)
    require_known_classes(examples, label_map)
    if examples.num_without_xml:
        say(
            f"note: {examples.num_without_xml} pictures have no XML: left out, because nobody said that they are empty "
            "(--empty-without-xml says so)"
        )
    for name, count in sorted(examples.unknown.items()):
        say(f"note: {count} boxes of {name!r}, which is no class of the run: left out; their pictures count")
    quieten_tensorflow()
    say("starting TensorFlow")
    from pipelines.evaluate import evaluate_folder
    from pipelines.picture_origins import FilePictures

    with progress("evaluating, batches") as advance:
        found = evaluate_folder(run, examples, checkpoint=checkpoint, progress=advance)
    results = found.results | {
        "folder": str(folder), "num_without_xml": examples.num_without_xml, "unknown_classes": dict(examples.unknown),
    }  # fmt: skip
    refused = [f"{folder / one.path}: {one.reason} ({one.code})" for one in examples.refused]
    return _Found(results, found.record, found.class_names, FilePictures(found.record.images, ()), refused=refused)


def _tell(found: _Found, album: Path | None, limit: int, gate: Gate, as_json: bool) -> int:
    """Print an evaluation on other pictures than a run's own, and draw its mistakes where that was asked for."""
    from pipelines.mistake_album import album_index, find_mistakes, write_album
    from pipelines.picture_origins import find_data_root

    for reason in found.refused:
        say(f"left out: {reason}")
    min_score = found.results["errors"]["min_score"]
    mistakes = find_mistakes(found.record, found.class_names, min_score=min_score, limit=limit)
    if album:
        index = write_album(mistakes, album, found.record, found.pictures, beside=found.beside)
        say(f"mistakes: {album}")
    else:
        root = find_data_root(found.record.images, found.beside) if found.beside else None
        index = album_index(mistakes, found.record, data_root=root)
    results = found.results | {"refused": list(found.refused)}
    _print(results, index, as_json)
    return gate.passed_by(results) or (exit_codes.PARTLY_DONE if found.refused else exit_codes.DONE)


def _tell_of_run(run: Any, results: dict[str, Any], as_json: bool, limit: int, album: Path | None = None) -> None:
    from pipelines.report.run_report import write_report
    from pipelines.run_album import write_run_album

    index = write_run_album(run, limit=limit, output=album)
    _print(results, index, as_json)
    say(f"mistakes: {album or run.mistakes}")
    say(f"report: {write_report(run)}")


def _print(results: dict[str, Any], index: dict[str, Any], as_json: bool) -> None:
    if as_json:
        write_json(results | {name: index[name] for name in ("mistakes", "suspects")})
    else:
        print_results(results)
        print_suspects(index)


def _follow(run: Any, as_json: bool, gate: Gate, limit: int) -> int:
    quieten_tensorflow()
    say("starting TensorFlow")
    from pipelines.follow import FollowedCheckpoint
    from pipelines.follow import follow as follow_run
    from pipelines.run_kinds import DETECTOR
    from pipelines.run_list import kind_of_run

    def report(one: FollowedCheckpoint) -> None:
        best = ", the best so far" if one.is_best else ""
        figures = ", ".join(f"{name} {figure(one.evaluation[name])}" for name in kind_of_run(run).figures)
        say(f"step {one.step}: {figures}{best}")

    if run.config_path.is_file():
        gate.require_known_to(kind_of_run(run))
    else:
        say(f"waiting for {run.path} to begin; Ctrl-C ends the waiting")
    with stop_on_signal("ending after this evaluation; press Ctrl-C again to drop it") as should_stop:
        results = follow_run(
            run, report=report, notice=lambda sentence: say(f"note: {sentence}"), should_stop=should_stop
        )
        if should_stop():
            say(f"{run.path}: no longer followed. Run the same command again to go on.")
            return exit_codes.INTERRUPTED
    say(f"the run has ended ({run.read_status().get('state')})")
    kind = kind_of_run(run)
    gate.require_known_to(kind)
    if results and kind is not DETECTOR:
        tell_of_classifier(run, results, as_json=as_json)
    elif results:
        _tell_of_run(run, results, as_json, limit)
    elif as_json:
        write_json(results)
    return gate.passed_by(results or {})
