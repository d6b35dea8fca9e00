"""``tagbox config``: what there is to train, and what a config comes to."""

from pathlib import Path

import click

from scripts import exit_codes
from scripts.options import json_option, quieten_tensorflow
from scripts.output import say, write_json, write_table


@click.group()
def config() -> None:
    """List, show and check pipeline configs."""


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
