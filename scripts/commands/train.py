"""``tagbox train``: run an experiment in a run folder."""

import os
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from scripts import exit_codes, legacy_flags, retrain_flags, retraining
from scripts.board_process import board_beside, require_tensorboard
from scripts.options import (
    fill_paths,
    json_option,
    quieten_tensorflow,
    records_option,
    set_path_option,
    stop_on_signal,
    weights_cache,
)
from scripts.output import figure, progress, say, write_json, write_table
from scripts.training_line import training_line

_NAMES_SHOWN = 20
_SLOW_INPUT_SHARE = 0.1


@click.command()
@click.argument("config", required=False, type=click.Path(path_type=Path))
@click.option("--run", "run_dir", type=click.Path(path_type=Path), help="The run folder [default: runs/<config name>].")
@records_option
@click.option(
    "--init",
    type=click.Path(path_type=Path),
    help="Weights to start from: a file, a run, imagenet or another name of `tagbox weights list`, or none.",
)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key of the config; repeat it.")
@set_path_option
@click.option(
    "--mode",
    type=click.Choice(["train_and_eval", "train"]),
    default="train_and_eval",
    show_default=True,
    help="With train, evaluate in another terminal: tagbox eval RUN --follow.",
)
@click.option("--minutes", type=float, metavar="N", help="Measure the machine, and plan steps and rates for so long.")
@click.option("--smoke", is_flag=True, help="Only learn 8 pictures by heart, and say which part is broken when not.")
@click.option("--board", is_flag=True, help="Run TensorBoard beside the training, and stop it with the training.")
@click.option("--workers", metavar="HOST:PORT,...", help="Train on several machines: the address of each, chief first.")
@click.option("--task", type=int, metavar="N", help="Which of --workers this process is, from 0.")
@json_option
@legacy_flags.training_flags
@legacy_flags.drawing_flags
@retrain_flags.retraining_flags
@click.pass_context
def train(
    context: click.Context,
    /,
    config: Path | None,
    run_dir: Path | None,
    records_dir: Path,
    init: Path | None,
    overrides: tuple[str, ...],
    paths: tuple[str, ...],
    mode: str,
    minutes: float | None,
    smoke: bool,
    board: bool,
    workers: str | None,
    task: int | None,
    as_json: bool,
    pipeline_config_path: Path | None,
    train_dir: Path | None,
    num_train_steps: int | None,
    train_src: Path | None,
    eval_src: Path | None,
    **old_flags: Any,
) -> int:
    """Train a detector or classifier from a pipeline CONFIG, evaluating along the way.

    CONFIG is the name of a config that comes with tagbox, a YAML file, or a pipeline.config of the OD API.

    The same command goes on where the run folder stands, with the batches it would have had. Ctrl-C and SIGTERM save
    the state first.

    For example: tagbox train ssdlite_mobilenet_v2 --run runs/raccoon --init ssdlite_mobilenet_v2_coco
    """
    old = retrain_flags.take_retraining(old_flags)
    num_refused = 0
    if old:
        config = config or retrain_flags.CONFIG
        if context.get_parameter_source("records_dir") is ParameterSource.DEFAULT:
            records_dir = old.records_dir(records_dir)
        retrain_flags.announce(old, records_dir, run_dir)
        num_refused = retraining.build_records(old, records_dir)
        overrides = (*old.overrides, *overrides)
    if train_src or eval_src:
        config = config or Path("renaissance")
        paths += legacy_flags.drawing_paths(train_src, eval_src)
        words = ["train", config, *(["--run", run_dir] if run_dir else [])]
        legacy_flags.announce(
            [*words, *(part for path in paths for part in ("--set-path", path))], "the older script's"
        )
    if config is None:
        config, run_dir = _old_command_line(pipeline_config_path, train_dir, run_dir, num_train_steps)
        overrides += (f"trainer.train_steps={num_train_steps}",) if num_train_steps else ()
        legacy_flags.announce_without_effect(old_flags)
    begun = time.monotonic()
    _refuse_together(minutes, workers, board=board, smoke=smoke)
    if board:
        require_tensorboard()
    quieten_tensorflow()
    say("starting TensorFlow")
    from pipelines.experiment import load_experiment
    from pipelines.preflight import prepare
    from pipelines.resuming import adopt_moved_paths
    from pipelines.run_directory import RunDirectory
    from pipelines.run_kinds import TAGGER, kind_of

    experiment = load_experiment(config, overrides)
    if old and kind_of(experiment.name) is TAGGER:
        raise click.UsageError("--image_dir is for one label a picture; records of several: tagbox records folder SRC")
    fill_paths(experiment, paths)
    run = RunDirectory(run_dir or Path("runs") / config.stem)
    _choose_weights(experiment, init, run, cache=train_dir if old else None)
    cluster = _join_cluster(experiment, workers, task)
    moved = adopt_moved_paths(experiment, run, records_dir)
    preflight = prepare(experiment, records_dir)
    _say_what_is_there(preflight, moved, gives_tags=kind_of(experiment.name) is TAGGER)
    if smoke:
        return _smoke(experiment, preflight, as_json=as_json)
    evaluates = mode == "train_and_eval"
    budget = _plan_time(experiment, preflight, run, minutes, begun, evaluates=evaluates, cluster=cluster)
    _say_where_it_stands(experiment, run, init)
    with ExitStack() as beside:
        if board and cluster.is_chief:
            run.path.parent.mkdir(parents=True, exist_ok=True)
            say(f"TensorBoard: {beside.enter_context(board_beside(run.path.parent))} (it ends with the training)")
        results = _train(experiment, preflight, run, evaluates=evaluates, cluster=cluster, budget=budget)
    if results is None:
        return exit_codes.INTERRUPTED
    if results and cluster.is_chief and evaluates:
        from pipelines.run_pages import write_run_pages

        figures = ", ".join(f"{name} {figure(results[name])}" for name in kind_of(experiment.name).figures)
        say(f"best checkpoint (step {results['step']}): {figures} on {results['num_images']} verification pictures")
        say(f"report: {write_run_pages(run)}")
    if old and results and cluster.is_chief:
        retraining.write_files(old, run)
        if old.print_misclassified:
            retraining.say_misclassified(run)
    if as_json:
        write_json(results)
    say(f"the run is in {run.path}; watch its curves with: tagbox board {run.path.parent}")
    return exit_codes.PARTLY_DONE if num_refused else exit_codes.DONE


def _old_command_line(
    config: Path | None, train_dir: Path | None, run_dir: Path | None, steps: int | None
) -> tuple[Path, Path | None]:
    """Return CONFIG and RUN of an old command line, and say its modern form."""
    if config is None:
        raise click.UsageError("Missing argument 'CONFIG'.")
    run_dir = run_dir or train_dir
    words: list[object] = ["train", config]
    words += ["--run", run_dir] if run_dir else []
    words += ["--set", f"trainer.train_steps={steps}"] if steps else []
    legacy_flags.announce(words)
    return config, run_dir


def _choose_weights(experiment: Any, init: Path | None, run: Any, *, cache: Path | None) -> None:
    """Settle what a run starts from: ``--init``, or what the config says; a name stands for published weights."""
    from pipelines.weights.zoo import is_zoo_name

    key = "task.init_checkpoint"
    configured = experiment.params.task.init_checkpoint
    if init and str(init) == "none":
        experiment.set(key, "", "--init none")
    elif init:
        experiment.set(key, str(_resolve_weights(init, experiment, cache)), f"--init {init}")
    elif is_zoo_name(configured) and run.read_status().get("step"):
        experiment.set(key, "", "not needed: the run has checkpoints")
    elif is_zoo_name(configured):
        experiment.set(key, str(_resolve_weights(Path(configured), experiment, cache)), f"{key}: {configured}")


def _resolve_weights(init: Path, experiment: Any, cache: Path | None) -> Path:
    """Return the weights of a path or a name; published ones are fetched into the cache first."""
    from pipelines.weights.fetching import fetch_weights
    from pipelines.weights.published import weights_for
    from pipelines.weights.zoo import is_zoo_name

    if init.exists() or not is_zoo_name(str(init)):
        return init
    found = weights_for(str(init), experiment.params.task.model)
    if found.remark:
        say(f"note: {found.name}: {found.remark}")
    with progress(f"fetching {found.file_name}") as advance:
        return fetch_weights(found, cache or weights_cache(), progress=advance)


def _join_cluster(experiment: Any, workers: str | None, task: int | None) -> Any:
    """Find out whether other processes train along, and make TensorFlow ready for them."""
    from pipelines import cluster as clusters

    if workers is not None:
        cluster = clusters.cluster_of_addresses(workers, task)
    elif task is not None:
        raise click.UsageError("--task numbers one of --workers")
    else:
        cluster = clusters.environment_cluster(os.environ)
        cluster = cluster if cluster.size > 1 else clusters.configured_cluster(experiment)
    clusters.join(cluster, experiment)
    if cluster.size > 1:
        say(f"this is worker {cluster.index} of {cluster.size}; training begins when all of them are there")
    return cluster


def _say_what_is_there(preflight: Any, moved: list[str], *, gives_tags: bool) -> None:
    one, several = ("tag", "tags") if gives_tags else ("class", "classes")
    classes = one if len(preflight.label_map) == 1 else several
    say(
        f"{preflight.training.num_examples} training and {preflight.verification.num_examples} verification pictures, "
        f"{len(preflight.label_map)} {classes}: {_some(preflight.label_map.names)}"
    )
    for remark in (*moved, *preflight.remarks):
        say(f"note: {remark}")


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:_NAMES_SHOWN])} and {more} more"


def _say_where_it_stands(experiment: Any, run: Any, init: Path | None) -> None:
    from pipelines.evaluate import stored_experiment
    from pipelines.run_kinds import kind_of

    status, wanted = run.read_status(), experiment.params.trainer.train_steps
    done, reason = status.get("step", 0), status.get("reason")
    if reason and done < wanted:
        say(f"this run ended at step {done} ({reason}); a larger trainer.early_stopping.patience, or 0, goes on")
    elif done >= wanted:
        say(f"this run has its {done} steps already; for more: --set trainer.train_steps={2 * done}")
    elif done:
        say(f"going on at step {done} of {wanted}")
        began_from = stored_experiment(run).params.task.init_checkpoint
        if init and experiment.params.task.init_checkpoint != began_from:
            say("note: --init has no effect, this run has weights of its own; another start needs another --run")
            experiment.set("task.init_checkpoint", began_from, "as the run began")
    elif kind_of(experiment.name).wants_weights and not experiment.params.task.init_checkpoint:
        say("note: training starts from random weights; give trained ones with --init where you have them")


def _refuse_together(minutes: float | None, workers: str | None, *, board: bool, smoke: bool) -> None:
    for other, is_given in (("--minutes", minutes is not None), ("--workers", bool(workers)), ("--board", board)):
        if smoke and is_given:
            raise click.UsageError(f"--smoke trains no run; leave {other} out")
    if minutes is not None and workers:
        raise click.UsageError("--minutes plans for this machine alone; with --workers give trainer.train_steps")


def _smoke(experiment: Any, preflight: Any, *, as_json: bool) -> int:
    """Learn a few pictures by heart, and say which part is broken when that fails."""
    from pipelines.smoke_test import smoke_test

    with progress("learning 8 pictures by heart") as advance:
        found = smoke_test(experiment, preflight, report=lambda step, loss: advance(step, None, f"loss {loss:.3f}"))
    if as_json:
        write_json(asdict(found))
    else:
        rows = [[one.part, "ok" if one.is_sound else "broken", one.sentence] for one in found.findings]
        write_table(["part", "", "seen"], rows)
    took = f"{found.steps} steps in {found.seconds:.0f} s"
    if found.fits:
        say(f"it learns: AP50 {figure(found.ap50)} on its own training pictures after {took}")
        return exit_codes.DONE
    broken = found.broken
    say(f"it does not learn ({took}): {f'{broken.part}: {broken.sentence}' if broken else 'no part stands out'}")
    return exit_codes.FINDINGS


def _plan_time(
    experiment: Any, preflight: Any, run: Any, minutes: float | None, begun: float, *, evaluates: bool, cluster: Any
) -> Any:
    """Return the clock of a run with ``--minutes``, now or when it was begun, and say its plan."""
    from pipelines.time_budget import kept_budget, new_budget, refuse_contradiction

    if cluster.size > 1:
        if minutes is not None:
            raise click.UsageError("--minutes plans for this machine alone; in a cluster give trainer.train_steps")
        return None

    def clock() -> float:
        return time.monotonic() - begun

    if budget := kept_budget(experiment, run, minutes, clock=clock):
        left = max(0.0, 60.0 * budget.plan.minutes - budget.used_s)
        say(f"planned for {budget.plan.minutes:g} minutes: {budget.plan.train_steps} steps; {left / 60:.1f} are left")
        return budget
    if minutes is None:
        return None
    from pipelines.time_measurement import measure_times

    refuse_contradiction(experiment, minutes)
    evaluates = evaluates and preflight.verification.num_examples > 0
    say("measuring a step and an evaluation")
    budget = new_budget(
        experiment,
        run,
        minutes,
        measure=lambda: measure_times(experiment, preflight, evaluates=evaluates),
        clock=clock,
    )
    say(budget.plan.summary(experiment.params.task.train_data.global_batch_size))
    return budget


def _train(
    experiment: Any, preflight: Any, run: Any, *, evaluates: bool, cluster: Any, budget: Any
) -> dict[str, Any] | None:
    """Train with a live line; ``None`` when the person stopped it."""
    from pipelines.train import train as run_training
    from pipelines.training_progress import InterruptedRunError
    from pipelines.weights.accounting import read_accounting

    is_fresh = not run.read_status().get("step", 0)
    with stop_on_signal() as should_stop, training_line() as show:
        told: list[Any] = []

        def report(where: Any) -> None:
            if is_fresh and not told and (imported := read_accounting(run.path)):
                say(f"weights of {imported.path}: {imported.summary()} (named in {run.path}/weights.json)")
            told.append(where)
            show(where)

        try:
            results = run_training(
                experiment,
                preflight,
                run,
                command=sys.argv,
                report=report,
                should_stop=should_stop,
                notice=lambda sentence: say(f"note: {sentence}"),
                evaluates=evaluates,
                cluster=cluster,
                budget=budget,
            )
        except InterruptedRunError as stop:
            say(str(stop))
            return None
    _say_how_fast(told[1:], experiment.params.task.train_data.global_batch_size)
    return results


def _say_how_fast(loops: list[Any], batch_size: int) -> None:
    """Say the rate of the loops after the first, which spent its time on tracing, and what the input had of it."""
    if not loops or not (rate := loops[-1].steps_per_second):
        return
    waiting = statistics.mean(loop.input_wait_share for loop in loops)
    say(f"{rate:.2f} steps a second, {rate * batch_size:.1f} pictures; {waiting:.1%} of the time waiting for input")
    if waiting > _SLOW_INPUT_SHARE:
        say("note: the input holds the training up; tagbox config time shows by how much")
