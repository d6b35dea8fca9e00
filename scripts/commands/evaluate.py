"""``tagbox eval``: how good a run is."""

from pathlib import Path
from typing import Any

import click

from scripts import exit_codes
from scripts.options import json_option, quieten_tensorflow
from scripts.output import figure, progress, say, write_json, write_table


@click.command()
@click.argument("run_dir", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--checkpoint", default="best", show_default=True, help="best, last, or the prefix of a checkpoint.")
@click.option("--records", "records", multiple=True, help="Evaluate on these records instead; globs work.")
@json_option
def evaluate(run_dir: Path, checkpoint: str, records: tuple[str, ...], as_json: bool) -> int:
    """Evaluate a RUN on its verification records: COCO's AP for all classes and for each."""
    from pipelines.run_directory import RunDirectory

    run = RunDirectory(run_dir)
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
