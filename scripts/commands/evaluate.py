"""``tagbox eval``: how good a run is."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scripts import exit_codes, legacy_flags
from scripts.classifier_results import print_classifier_results
from scripts.options import json_option, quieten_tensorflow, stop_on_signal
from scripts.output import figure, progress, say, write_json, write_table

if TYPE_CHECKING:
    from pipelines.run_kinds import RunKind


@click.command()
@click.argument("run_dir", metavar="[RUN]", required=False, type=click.Path(path_type=Path))
@click.option("--checkpoint", default="best", show_default=True, help="best, last, or the prefix of a checkpoint.")
@click.option("--records", "records", multiple=True, help="Evaluate on these records instead; globs work.")
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
@json_option
@legacy_flags.evaluation_flags
def evaluate(
    run_dir: Path | None,
    checkpoint: str,
    records: tuple[str, ...],
    follow: bool,
    detections: Path | None,
    truth: Path | None,
    label_map: Path | None,
    min_ap50: float | None,
    min_top1: float | None,
    as_json: bool,
    checkpoint_dir: Path | None,
    run_once: bool,
    **old_flags: Any,
) -> int:
    """Evaluate a RUN on its verification records: a detector's AP (COCO's and Pascal VOC's), a classifier's accuracy.

    With --follow, beside `tagbox train CONFIG --mode train` in another terminal. Or evaluate what any tool has found:

    For example: tagbox eval --detections found.json --truth data/raccoon --min-ap50 0.8
    """
    if detections or truth:
        if not detections or not truth:
            raise click.UsageError("--detections and --truth go together")
        if run_dir or follow or records or checkpoint != "best" or min_top1 is not None:
            raise click.UsageError("--detections are evaluated without a RUN and without its options")
        return _evaluate_file(detections, truth, label_map, _Gate(AP50=min_ap50), as_json)
    if run_dir is None and checkpoint_dir is None:
        raise click.UsageError("Name a RUN, or give --detections and --truth.")
    if label_map:
        raise click.UsageError("--label-map is for --detections; a RUN has its own")
    from pipelines.run_directory import RunDirectory
    from pipelines.run_list import kind_of_run

    if run_dir is None and checkpoint_dir is not None:
        # eval.py went on until it was stopped, unless it was told to run once.
        run_dir, follow = checkpoint_dir, not run_once
        legacy_flags.announce(["eval", run_dir, *(["--follow"] if follow else [])])
        legacy_flags.announce_without_effect(old_flags)
    run, gate = RunDirectory(run_dir or Path()), _Gate(AP50=min_ap50, top1=min_top1)
    if follow:
        if records or checkpoint != "best":
            raise click.UsageError("--follow evaluates every checkpoint on the run's own records")
        return _follow(run, as_json, gate)
    kind = kind_of_run(run)
    gate.require_known_to(kind)
    quieten_tensorflow()
    say("starting TensorFlow")
    from pipelines.evaluate import evaluate as run_evaluation
    from pipelines.run_pages import write_run_pages

    with progress("evaluating, batches") as advance:
        results = run_evaluation(run, checkpoint=checkpoint, input_path=list(records) or None, progress=advance)
    if as_json:
        write_json(results)
    else:
        _print_results(results, kind)
    if not records:
        say(f"report: {write_run_pages(run)}")
    return gate.passed_by(results)


def _evaluate_file(detections: Path, truth: Path, label_map: Path | None, gate: "_Gate", as_json: bool) -> int:
    from pipelines.detection_analysis import results_of
    from pipelines.detection_files import read_detections

    judged = read_detections(detections, truth, label_map)
    for reason in judged.refused:
        say(f"left out: {reason}")
    if judged.left_out:
        say(f"note: {judged.left_out} detections are of pictures without truth, as {judged.example}: left out")
    results = results_of(judged.record, judged.class_names)
    results |= {
        "detections": str(detections), "truth": str(truth), "num_left_out": judged.left_out, "refused": judged.refused,
    }  # fmt: skip
    if as_json:
        write_json(results)
    else:
        print_results(results)
    return gate.passed_by(results) or (exit_codes.PARTLY_DONE if judged.refused else exit_codes.DONE)


class _Gate:
    """What ``--min-ap50`` and ``--min-top1`` ask for, by the name of the figure."""

    def __init__(self, **least: float | None) -> None:
        self._least = {name: value for name, value in least.items() if value is not None}

    def require_known_to(self, kind: "RunKind") -> None:
        """Refuse to ask a run for a figure that its kind does not have."""
        for name in self._least:
            if name not in kind.figures:
                raise click.UsageError(
                    f"--min-{name.lower()} does not go with a {kind.word}: ask for --min-{kind.figures[0].lower()}"
                )

    def passed_by(self, results: dict[str, Any]) -> int:
        """Return the exit code, and say why where a figure is too low."""
        for name, least in self._least.items():
            reached = results.get(name)
            # COCO's precision of what is all right is 1 - 2e-16: a figure is what it is to six digits.
            if reached is None or reached < least - 1e-6:
                is_what = "not defined, because there is nothing to find" if reached is None else f"{reached:.6g}"
                say(f"{name} is {is_what}; --min-{name.lower()} asks for {least:g}")
                return exit_codes.FINDINGS
        return exit_codes.DONE


def _follow(run: Any, as_json: bool, gate: _Gate) -> int:
    quieten_tensorflow()
    say("starting TensorFlow")
    from pipelines.follow import FollowedCheckpoint
    from pipelines.follow import follow as follow_run
    from pipelines.run_list import kind_of_run
    from pipelines.run_pages import write_run_pages

    def report(one: FollowedCheckpoint) -> None:
        best = ", the best so far" if one.is_best else ""
        figures = ", ".join(f"{name} {figure(one.evaluation[name])}" for name in kind_of_run(run).figures)
        say(f"step {one.step}: {figures}{best}")

    if not run.config_path.is_file():
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
    if results:
        say(f"report: {write_run_pages(run)}")
    if as_json:
        write_json(results)
    elif results:
        _print_results(results, kind)
    return gate.passed_by(results or {})


def _print_results(results: dict[str, Any], kind: "RunKind") -> None:
    printers = {"detector": print_results, "classifier": print_classifier_results}
    printers[kind.word](results)


def print_results(results: dict[str, Any]) -> None:
    """Print the figures of an evaluation as two tables on stdout."""
    names, pascal = ["AP", "AP50", "AP75", "AR100"], results["pascal"]
    headings = [*names, "VOC AP", "VOC07 AP", "pictures"]
    row = [*(figure(results[name]) for name in names), figure(pascal["AP50"]), figure(pascal.get("AP50_11_point"))]
    row.append(str(results["num_images"]))
    if "step" in results:
        headings, row = [*headings, "step"], [*row, str(results["step"])]
    write_table(headings, [row], right=set(range(len(row))))
    intervals = results.get("intervals", {})
    if sure := [f"{name} {_range(intervals[name])}" for name in ("AP", "AP50") if intervals.get(name)]:
        say(f"95 % interval (bootstrap over the pictures): {', '.join(sure)}")
    if results["best_threshold"] is not None:
        say(
            f"best F1 {figure(results['F1'])} with scores from {results['best_threshold']:.2f} on: "
            f"precision {figure(results['precision'])}, recall {figure(results['recall'])}"
        )
    write_table(
        ["class", "AP", "AP50", "VOC AP", "boxes"],
        [
            [name, figure(row["AP"]), figure(row["AP50"]), figure(pascal["per_class"][name]), str(row["num_truth"])]
            for name, row in results["per_class"].items()
        ],
        right={1, 2, 3, 4},
    )


def _range(ends: list[float]) -> str:
    return f"{figure(ends[0])} to {figure(ends[1])}"
