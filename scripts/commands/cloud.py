"""``tagbox cloud``: files for services that train elsewhere."""

import re
from dataclasses import replace
from pathlib import Path

import click

from collectors.errors import ConfigError
from collectors.files import write_atomically
from scripts import exit_codes
from scripts.options import quieten_tensorflow
from scripts.output import say


@click.group()
def cloud() -> None:
    """Write the file of a training job in the cloud; nothing is submitted."""


@cloud.command("job")
@click.argument("config", metavar="CONFIG", type=click.Path(path_type=Path))
@click.option("--image", required=True, help="Container image with tagbox in it, in a registry the service can read.")
@click.option("--output", required=True, metavar="gs://...", help="Where the job leaves its run folder.")
@click.option(
    "--records", "records", required=True, metavar="gs://...", help="Where the records and the label map are."
)
@click.option("--init", metavar="gs://...", help="Weights to start from.")
@click.option("--cloud-yml", type=click.Path(path_type=Path), help="Take the machines from this file of ml-engine.")
@click.option("--machine", help="Machine of chief and workers [default: n1-standard-8, or what --cloud-yml says].")
@click.option("--workers", type=click.IntRange(0, 1000), help="Machines beside the chief [default: 0, or --cloud-yml].")
@click.option("--hours", type=click.FloatRange(min=0.1), help="Let the service stop the job after this time.")
@click.option("--service-account", default="", help="Who the job runs as.")
@click.option("--name", help="Name of the job [default: the config's].")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key of the config; repeat it.")
@click.option("--format", "kind", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
@click.option("--rest", is_flag=True, help="The whole CustomJob for the REST interface instead of gcloud's --config.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the file here [default: stdout].")
def job(
    config: Path,
    image: str,
    output: str,
    records: str,
    init: str | None,
    cloud_yml: Path | None,
    machine: str | None,
    workers: int | None,
    hours: float | None,
    service_account: str,
    name: str | None,
    overrides: tuple[str, ...],
    kind: str,
    rest: bool,
    out: Path | None,
) -> int:
    """Write a Vertex AI CustomJob that trains CONFIG.

    A CONFIG that does not come with tagbox is copied to --output beside the run; the command is said.
    """
    quieten_tensorflow()
    from pipelines.cloud_job import Machines, custom_job, mounted, read_cloud_yml, write_job
    from pipelines.config_files import packaged_configs
    from pipelines.experiment import load_experiment

    experiment = load_experiment(config, overrides)
    machines = read_cloud_yml(cloud_yml) if cloud_yml else Machines()
    for note in machines.notes:
        say(f"note: {note}")
    if machine:
        machines = replace(machines, chief=machine, worker=machine, accelerator="", worker_accelerator="")
    if workers is not None:
        machines = replace(machines, workers=workers)
    batch, replicas = experiment.params.task.train_data.global_batch_size, machines.workers + 1
    if batch % replicas:
        key = "task.train_data.global_batch_size"
        raise ConfigError(
            f"`{key}` is {batch}, which {replicas} machines cannot share evenly",
            where=experiment.origins.get(key, ""),
            fix=f"Add --set {key}={-(-batch // replicas) * replicas}, or choose --workers.",
        )
    home = output.rstrip("/")
    packaged = {path.resolve() for path in packaged_configs()}
    is_packaged = not config.is_file() or config.resolve() in packaged
    if local := [base for base in experiment.bases if base.resolve() not in packaged]:
        raise ConfigError(
            f"it extends {local[0]}, which the machines do not have",
            where=str(config),
            fix=f"Write one file: tagbox config show {config} > whole.yaml",
        )
    config_word = config.stem if is_packaged else mounted(f"{home}/{config.name}")
    words = ["train", config_word, "--run", mounted(f"{home}/run"), "--records", mounted(records.rstrip("/"))]
    words += ["--init", mounted(init)] if init else []
    words += [word for override in overrides for word in ("--set", override)]
    if max(machines.accelerator_count, machines.worker_accelerator_count) and machines.accelerator:
        words += ["--set", f"runtime.num_gpus={machines.accelerator_count}"]
        if not machines.workers and machines.accelerator_count > 1:
            words += ["--set", "runtime.distribution_strategy=mirrored"]
    title = name or config.stem
    content = custom_job(
        name=title,
        image=image,
        output=home,
        train_words=words,
        machines=machines,
        labels={"tool": "tagbox", "experiment": re.sub(r"[^a-z0-9_-]", "-", experiment.name.lower())[:63]},
        hours=hours,
        service_account=service_account,
    )
    text = write_job(content, as_json=kind == "json", for_gcloud=not rest)
    if out is None:
        click.echo(text, nl=False)
    else:
        write_atomically(out, text)
        say(f"the job is in {out}; nothing was submitted")
    if not is_packaged:
        say(f"copy the config first: gcloud storage cp {config} {home}/{config.name}")
    region = machines.region or "REGION"
    if not rest:
        file = out or "FILE"
        say(f"submit it with: gcloud ai custom-jobs create --region={region} --display-name={title} --config={file}")
    return exit_codes.DONE
