"""``tagbox export``: model files out of a run, each with proof that it gives the same answers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from scripts import exit_codes
from scripts.options import json_option, native_lines_hidden, quieten_tensorflow
from scripts.output import progress, say, write_json, write_table
from scripts.tagging import say_whose_thresholds

_DETECTOR_COLUMNS = ("pictures", "missing", "box differs by", "score by", "AP50", "AP50 lost", "AP lost")
_CLASSIFIER_COLUMNS = ("pictures", "other answers", "score differs by", "top1", "top1 lost")
_TAG_COLUMNS = ("pictures", "other tags", "score differs by", "mAP", "mAP lost")
FORMATS = ("savedmodel", "tflite", "tflite-int8", "frozen-graph", "onnx", "keras")


@click.command()
@click.argument("run_dir", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--format", "formats", type=click.Choice(FORMATS), multiple=True, default=["savedmodel"], show_default=True
)
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), help="Their folder  [default: RUN/export].")
@click.option("--checkpoint", default="best", show_default=True, help="best, last, or the prefix of a checkpoint.")
@click.option("--check/--no-check", default=True, show_default=True, help="Run each file on verification pictures.")
@click.option("--check-pictures", type=click.IntRange(1), default=40, show_default=True, help="How many at most.")
@click.option(
    "--calibration-pictures",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    help="Training pictures that tflite-int8 measures its ranges on.",
)
@json_option
def export(
    run_dir: Path,
    formats: tuple[str, ...],
    output: Path | None,
    checkpoint: str,
    check: bool,
    check_pictures: int,
    calibration_pictures: int,
    as_json: bool,
) -> int:
    """Write model files out of a RUN, with pre- and post-processing, labels and metadata inside.

    Each file is opened again and run on verification pictures beside the run: the largest difference and the AP lost
    (a classifier: top1, a tag classifier: mAP) are printed. Files of a tag classifier carry the threshold of each tag.
    """
    from pipelines.run_directory import RunDirectory

    run = RunDirectory(run_dir)
    run.require()
    from pipelines.run_kinds import CLASSIFIER, DETECTOR, TAGGER
    from pipelines.run_list import kind_of_run

    kind = kind_of_run(run)
    quieten_tensorflow()
    from pipelines.export.onnx_model import require_onnx

    if "onnx" in formats:
        require_onnx()
    say("starting TensorFlow")
    from pipelines.export.export import Exporter, ExportFormat, RunExporter, export_run

    exporter: Exporter
    if kind is DETECTOR:
        from pipelines.detectors import RunDetector

        exporter = RunExporter(run, RunDetector(run, checkpoint=checkpoint))
    else:
        from pipelines.classification.classifier import RunClassifier
        from pipelines.classification.export import ClassifierExporter
        from pipelines.classification.tag_export import TagExporter

        classifier = RunClassifier(run, checkpoint=checkpoint)
        exporter = (TagExporter if kind is TAGGER else ClassifierExporter)(run, classifier)
        if kind is TAGGER:
            say_whose_thresholds(run.read_results(), classifier.step, str(run.path))
    kinds = [ExportFormat(name) for name in formats]
    done = []
    with native_lines_hidden(), progress("checking pictures") as advance:
        for exported in export_run(
            exporter,
            kinds,
            output or run.path / "export",
            check_pictures=check_pictures if check else 0,
            calibration_pictures=calibration_pictures,
            progress=advance,
        ):
            say(f"wrote {exported.path} ({exported.num_bytes / 1e6:.1f} MB)")
            done.append(exported)
    if as_json:
        write_json([_as_dict(exported) for exported in done])
    else:
        columns, cells_of = {
            DETECTOR: (_DETECTOR_COLUMNS, _detector_cells),
            CLASSIFIER: (_CLASSIFIER_COLUMNS, _classifier_cells),
            TAGGER: (_TAG_COLUMNS, _tag_cells),
        }[kind]
        rows = [_row(exported, cells_of, len(columns)) for exported in done]
        write_table(["format", "file", "MB", *columns], rows, right=set(range(2, 3 + len(columns))))
    if check and any(exported.agreement is None for exported in done):
        say("note: nothing was checked, the run's verification records are not there")
    return exit_codes.DONE


def _row(exported: Any, cells_of: Callable[[Any], list[str]], num_columns: int) -> list[str]:
    start = [str(exported.kind), str(exported.path), f"{exported.num_bytes / 1e6:.1f}"]
    found = exported.agreement
    return [*start, *(["not checked"] * num_columns if found is None else cells_of(found))]


def _detector_cells(found: Any) -> list[str]:
    return [
        str(found.pictures),
        f"{found.missing} of {found.detections}",
        f"{found.box_difference:.1e}",
        f"{found.score_difference:.1e}",
        *(_figure(value) for value in (found.ap50, found.ap50_lost, found.ap_lost)),
    ]


def _classifier_cells(found: Any) -> list[str]:
    differs = f"{found.score_difference:.1e}"
    return [str(found.pictures), str(found.other_answers), differs, _figure(found.top1), _figure(found.top1_lost)]


def _tag_cells(found: Any) -> list[str]:
    differs = f"{found.score_difference:.1e}"
    return [str(found.pictures), str(found.other_tags), differs, _figure(found.mAP), _figure(found.mAP_lost)]


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _as_dict(exported: Any) -> dict[str, Any]:
    from dataclasses import asdict

    agreement = asdict(exported.agreement) if exported.agreement is not None else None
    return {"format": str(exported.kind), "path": str(exported.path), "bytes": exported.num_bytes, "check": agreement}
