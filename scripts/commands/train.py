"""``tagbox train``: run an experiment in a run folder."""

import sys
from pathlib import Path

import click

from scripts import exit_codes
from scripts.options import json_option, quieten_tensorflow, records_option, stop_on_signal
from scripts.output import figure, progress, say, write_json


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--run", "run_dir", type=click.Path(path_type=Path), help="The run folder [default: runs/<config name>].")
@records_option
@click.option("--init", type=click.Path(path_type=Path), help="Weights to start from (.npz, TF1 checkpoint).")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key of the config; repeat it.")
@json_option
def train(
    config: Path, run_dir: Path | None, records_dir: Path, init: Path | None, overrides: tuple[str, ...], as_json: bool
) -> int:
    """Train a detector from a pipeline CONFIG, evaluating along the way.

    The same command goes on where the run folder stands. Ctrl-C saves the state first.

    For example: tagbox train ssd_mobilenet_v1 --run runs/raccoon --init mobilenet_v1_1.0_224.npz
    """
    quieten_tensorflow()
    say("starting TensorFlow")
    from pipelines.experiment import load_experiment
    from pipelines.preflight import prepare
    from pipelines.report import write_report
    from pipelines.resuming import adopt_moved_paths
    from pipelines.run_directory import RunDirectory
    from pipelines.train import train as run_training
    from pipelines.training_progress import InterruptedRunError, TrainingReport

    experiment = load_experiment(config, overrides)
    if init:
        experiment.set("task.init_checkpoint", str(init), "--init")
    run = RunDirectory(run_dir or Path("runs") / config.stem)
    moved = adopt_moved_paths(experiment, run, records_dir)
    preflight = prepare(experiment, records_dir)
    classes = "class" if len(preflight.label_map) == 1 else "classes"
    say(
        f"{preflight.training.num_examples} training and {preflight.verification.num_examples} verification pictures, "
        f"{len(preflight.label_map)} {classes}: {', '.join(preflight.label_map.names)}"
    )
    for remark in (*moved, *preflight.remarks):
        say(f"note: {remark}")
    done, wanted = run.read_status().get("step", 0), experiment.params.trainer.train_steps
    if done >= wanted:
        say(f"this run has its {done} steps already; for more: --set trainer.train_steps={2 * done}")
    elif done:
        say(f"going on at step {done} of {wanted}")
    elif not experiment.params.task.init_checkpoint:
        say("note: training starts from random weights; give trained ones with --init where you have them")
    with stop_on_signal() as should_stop, progress("training") as advance:

        def report(where: TrainingReport) -> None:
            figure = f", AP50 {where.ap50:.3f}" if where.ap50 is not None else ""
            rate = f", {where.steps_per_second:.2f} steps/s" if where.steps_per_second else ""
            advance(where.step, where.total_steps, f"loss {where.loss:.3f}{rate}{figure}")

        try:
            results = run_training(
                experiment,
                preflight,
                run,
                command=sys.argv,
                report=report,
                should_stop=should_stop,
                notice=lambda sentence: say(f"note: {sentence}"),
            )
        except InterruptedRunError as stop:
            say(str(stop))
            return exit_codes.INTERRUPTED
    if results:
        say(
            f"best checkpoint (step {results['step']}): AP50 {figure(results['AP50'])}, AP {figure(results['AP'])} "
            f"on {results['num_images']} verification pictures"
        )
        say(f"report: {write_report(run)}")
    if as_json:
        write_json(results)
    say(f"the run is in {run.path}; watch its curves with: tagbox board {run.path.parent}")
    return exit_codes.DONE
