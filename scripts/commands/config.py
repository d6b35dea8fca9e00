"""``tagbox config``: what there is to train, and what a config comes to."""

from pathlib import Path

import click

from scripts import exit_codes
from scripts.options import json_option, quieten_tensorflow, records_option
from scripts.output import say, write_json, write_table

FATES = ("honoured", "approximated", "ignored", "unsupported")


@click.group()
def config() -> None:
    """List, show, check, time, explain and import pipeline configs."""


@config.command("list")
@json_option
def list_configs(as_json: bool) -> int:
    """List the configs that come with tagbox."""
    from pipelines.config_files import packaged_configs, purpose_of

    rows = [(path.stem, purpose_of(path), str(path)) for path in packaged_configs()]
    if as_json:
        write_json([{"name": name, "purpose": purpose, "path": path} for name, purpose, path in rows])
    else:
        write_table(["config", "what it trains"], [[name, purpose] for name, purpose, _ in rows])
    return exit_codes.DONE


@config.command("show")
@click.argument("path", metavar="CONFIG", type=click.Path(path_type=Path))
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key; repeat it.")
def show(path: Path, overrides: tuple[str, ...]) -> int:
    """Print the merged CONFIG as YAML, every value with its origin."""
    quieten_tensorflow()
    from pipelines.experiment import dump_experiment, load_experiment

    click.echo(dump_experiment(load_experiment(path, overrides)), nl=False)
    return exit_codes.DONE


@config.command("check")
@click.argument("path", metavar="CONFIG", type=click.Path(path_type=Path))
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key; repeat it.")
@click.option("--records", "records_dir", type=click.Path(path_type=Path), help="Check against these records as well.")
def check(path: Path, overrides: tuple[str, ...], records_dir: Path | None) -> int:
    """Check a CONFIG: its keys and values, and with --records what `tagbox train` would read."""
    quieten_tensorflow()
    from pipelines.experiment import load_experiment
    from pipelines.preflight import prepare

    experiment = load_experiment(path, overrides)
    if records_dir is not None:
        for remark in prepare(experiment, records_dir).remarks:
            say(f"note: {remark}")
    say(f"{path} is sound: experiment {experiment.name}")
    return exit_codes.DONE


@config.command("variables")
@click.argument("path", metavar="CONFIG", type=click.Path(path_type=Path))
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key; repeat it.")
@json_option
def variables(path: Path, overrides: tuple[str, ...], as_json: bool) -> int:
    """List the variables of a CONFIG's network: name, shape, parameters, and whether they are trained.

    Names are what task.freeze and task.learning_rate_multipliers look into.
    """
    quieten_tensorflow()
    from pipelines.experiment import load_experiment
    from pipelines.variable_table import described_variables

    found = described_variables(load_experiment(path, overrides))
    if as_json:
        write_json([one._asdict() for one in found])
    else:
        rows = [[one.name, "x".join(map(str, one.shape)), str(one.parameters), one.trained] for one in found]
        write_table(["variable", "shape", "parameters", "trained"], rows)
    moved = sum(one.parameters for one in found if one.learning_rate)
    say(f"{len(found)} variables, {sum(one.parameters for one in found)} parameters, {moved} of them trained")
    return exit_codes.DONE


@config.command("time")
@click.argument("path", metavar="CONFIG", type=click.Path(path_type=Path))
@records_option
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key; repeat it.")
@click.option("--steps", type=click.IntRange(min=5), default=20, show_default=True, help="How many steps to measure.")
@json_option
def time_steps(path: Path, records_dir: Path, overrides: tuple[str, ...], steps: int, as_json: bool) -> int:
    """Measure a training step of CONFIG: as a run has it, and on a batch that is there already.

    The difference is what reading, decoding and augmenting costs. Nothing is written.

    For example: tagbox config time ssd_mobilenet_v1 --set task.train_data.global_batch_size=16
    """
    quieten_tensorflow()
    say("starting TensorFlow")
    from pipelines.experiment import load_experiment
    from pipelines.preflight import prepare
    from pipelines.step_time import measure_step_time

    experiment = load_experiment(path, overrides)
    preflight = prepare(experiment, records_dir)
    say(f"measuring {steps} steps each way")
    measured = measure_step_time(experiment, preflight, steps=steps)
    total_steps = experiment.params.trainer.train_steps
    if as_json:
        names = ("step_seconds", "step_seconds_without_input", "input_wait_share", "batch_size", "images_per_second")
        write_json({name: getattr(measured, name) for name in names})
    else:
        waiting = measured.input_wait_share * measured.step_seconds
        rows = [
            [name, f"{seconds * 1000:.0f}", f"{measured.batch_size / seconds:.1f}", f"{wait * 1000:.0f}"]
            for name, seconds, wait in (
                ("with the input pipeline", measured.step_seconds, waiting),
                ("on a held batch", measured.step_seconds_without_input, 0.0),
            )
        ]
        write_table(["a step", "ms", "pictures/s", "ms waiting for input"], rows, right={1, 2, 3})
    say(f"{total_steps} steps: {total_steps * measured.step_seconds / 60:.1f} minutes and the evaluations")
    return exit_codes.DONE


@config.command("explain")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--only", type=click.Choice(FATES), multiple=True, help="Only fields with this fate; repeat it.")
@click.option("--set", "set_only", is_flag=True, help="Only fields that stand in the file, not the defaults.")
@json_option
def explain_config(path: Path, only: tuple[str, ...], set_only: bool, as_json: bool) -> int:
    """Say what becomes of each field of an OD API pipeline.config: honoured, approximated (how) or ignored (why).

    Exit code 1 when a field cannot be honoured, so that `tagbox train` would refuse the config.
    """
    from pipelines.odapi.explain import explain
    from pipelines.odapi.pipeline_config import read_pipeline_config

    fields = explain(read_pipeline_config(path))
    shown = [
        field
        for field in fields
        if (not only or field.fate in only) and (field.is_set or not set_only) and (field.value or field.note)
    ]
    if as_json:
        names = ("path", "value", "is_set", "line", "fate", "note")
        write_json([{name: getattr(field, name) for name in names} for field in shown])
    else:
        rows = [
            [str(field.line) if field.is_set else "default", field.path, field.value, str(field.fate), field.note]
            for field in shown
        ]
        write_table(["line", "field", "value", "fate", "how or why"], rows)
    counts = {fate: sum(field.fate == fate for field in fields) for fate in FATES}
    say(", ".join(f"{count} {fate}" for fate, count in counts.items() if count) + f", of {len(fields)} fields")
    return exit_codes.FINDINGS if counts["unsupported"] else exit_codes.DONE


@config.command("import")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="The YAML file [default: stdout].")
def import_config(path: Path, output: Path | None) -> int:
    """Write an OD API pipeline.config as the YAML config that trains identically."""
    quieten_tensorflow()
    from collectors.files import write_atomically
    from pipelines.experiment import dump_experiment, load_experiment

    experiment = load_experiment(path)
    for key, where in experiment.unconfigured.items():
        say(f"note: {where} says PATH_TO_BE_CONFIGURED; `{key}` is left empty")
    text = dump_experiment(experiment)
    if output is None:
        click.echo(text, nl=False)
    else:
        write_atomically(output, text)
        say(f"wrote {output}; train with: tagbox train {output}")
    return exit_codes.DONE
