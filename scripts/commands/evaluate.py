"""``tagbox eval``: how good a run is."""

from pathlib import Path
from typing import Any

import click

from scripts import exit_codes, legacy_flags
from scripts.options import json_option, quieten_tensorflow, stop_on_signal
from scripts.output import figure, progress, say, write_json, write_table


@click.command()
@click.argument("run_dir", metavar="RUN", required=False, type=click.Path(path_type=Path))
@click.option("--checkpoint", default="best", show_default=True, help="best, last, or the prefix of a checkpoint.")
@click.option("--records", "records", multiple=True, help="Evaluate on these records instead; globs work.")
@click.option("--follow", is_flag=True, help="Evaluate each new checkpoint of a run in training, until it ends.")
@json_option
@legacy_flags.evaluation_flags
def evaluate(
    run_dir: Path | None,
    checkpoint: str,
    records: tuple[str, ...],
    follow: bool,
    as_json: bool,
    checkpoint_dir: Path | None,
    run_once: bool,
    **old_flags: Any,
) -> int:
    """Evaluate a RUN on its verification records: COCO's AP for all classes and for each.

    With --follow, beside `tagbox train CONFIG --mode train` in another terminal.
    """
    from pipelines.run_directory import RunDirectory

    if run_dir is None:
        if checkpoint_dir is None:
            raise click.UsageError("Missing argument 'RUN'.")
        # eval.py went on until it was stopped, unless it was told to run once.
        run_dir, follow = checkpoint_dir, not run_once
        legacy_flags.announce(["eval", run_dir, *(["--follow"] if follow else [])])
        legacy_flags.announce_without_effect(old_flags)
    run = RunDirectory(run_dir)
    if follow:
        if records or checkpoint != "best":
            raise click.UsageError("--follow evaluates every checkpoint on the run's own records")
        return _follow(run, as_json)
    run.require()
    quieten_tensorflow()
    say("starting TensorFlow")
    from pipelines.evaluate import evaluate as run_evaluation
    from pipelines.report import write_report

    with progress("evaluating, batches") as advance:
        results = run_evaluation(run, checkpoint=checkpoint, input_path=list(records) or None, progress=advance)
    if as_json:
        write_json(results)
    else:
        print_results(results)
    if not records:
        say(f"report: {write_report(run, checkpoint=checkpoint)}")
    return exit_codes.DONE


def _follow(run: Any, as_json: bool) -> int:
    quieten_tensorflow()
    say("starting TensorFlow")
    from pipelines.follow import FollowedCheckpoint
    from pipelines.follow import follow as follow_run
    from pipelines.report import write_report

    def report(one: FollowedCheckpoint) -> None:
        best = ", the best so far" if one.is_best else ""
        say(f"step {one.step}: AP50 {figure(one.evaluation['AP50'])}, AP {figure(one.evaluation['AP'])}{best}")

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
    if results:
        say(f"report: {write_report(run)}")
    if as_json:
        write_json(results)
    elif results:
        print_results(results)
    return exit_codes.DONE


def print_results(results: dict[str, Any]) -> None:
    """Print the figures of an evaluation as two tables on stdout."""
    names = ["AP", "AP50", "AP75", "AR100"]
    write_table(
        [*names, "pictures", "step"],
        [[*(figure(results[name]) for name in names), str(results["num_images"]), str(results["step"])]],
        right=set(range(6)),
    )
    if results["best_threshold"] is not None:
        say(
            f"best F1 {figure(results['F1'])} with scores from {results['best_threshold']:.2f} on: "
            f"precision {figure(results['precision'])}, recall {figure(results['recall'])}"
        )
    write_table(
        ["class", "AP", "AP50", "boxes"],
        [
            [name, figure(row["AP"]), figure(row["AP50"]), str(row["num_truth"])]
            for name, row in results["per_class"].items()
        ],
        right={1, 2, 3},
    )
