"""``tagbox weights``: other people's weights, fetched and proven."""

from pathlib import Path
from typing import Any

import click

from scripts import exit_codes
from scripts.options import cache_option, json_option, quieten_tensorflow
from scripts.output import progress, say, write_json, write_table

_SHOWN = 8


@click.group()
def weights() -> None:
    """Check and fetch weights to start from."""


@weights.command("list")
@json_option
def list_weights(as_json: bool) -> int:
    """List the published weights that `--init` knows by name."""
    from pipelines.weights.zoo import IMAGENET, zoo_weights

    rows = [(IMAGENET, "any (backbone only)", "Keras applications", "the config's backbone and depth multiplier")]
    rows += [(entry.name, entry.config, entry.url, entry.remark) for entry in zoo_weights()]
    if as_json:
        write_json([dict(zip(("name", "config", "url", "remark"), row, strict=True)) for row in rows])
    else:
        write_table(["name", "config", "from", "remark"], [list(row) for row in rows])
    return exit_codes.DONE


@weights.command("fetch")
@click.argument("name")
@click.option("--mirror", default="", metavar="URL", help="A folder on the web that has the published files.")
@click.option("--config", "config_name", default="ssd_mobilenet_v1", show_default=True, help="Config for `imagenet`.")
@cache_option
def fetch(name: str, mirror: str, config_name: str, cache: Path) -> int:
    """Fetch published weights by NAME into the cache and print where they are.

    For example: tagbox weights fetch ssdlite_mobilenet_v2_coco
    """
    from pipelines.weights.fetching import fetch_weights
    from pipelines.weights.zoo import IMAGENET, find_zoo_weights

    if name == IMAGENET:
        quieten_tensorflow()
        from pipelines.experiment import load_experiment
        from pipelines.weights.published import weights_for

        found = weights_for(name, load_experiment(Path(config_name)).params.task.model)
    else:
        found = find_zoo_weights(name)
    with progress(f"fetching {found.file_name}") as advance:
        path = fetch_weights(found, cache, mirror=mirror, progress=advance)
    if found.remark:
        say(f"note: {found.remark}")
    click.echo(str(path))
    return exit_codes.DONE


@weights.command("check")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--config", "config_name", default="", metavar="NAME", help="The config to try [default: recognised].")
@click.option("--image", type=click.Path(path_type=Path, dir_okay=False), help="Compare on this picture.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key of the config; repeat it.")
@click.option("--all", "show_all", is_flag=True, help="Name every variable, not the first few.")
@json_option
def check(
    path: Path, config_name: str, image: Path | None, overrides: tuple[str, ...], show_all: bool, as_json: bool
) -> int:
    """Account for every variable of FILE and prove that it arrives where it belongs.

    FILE is an .npz, a checkpoint (TF1 or TF2), a frozen .pb, an .h5 of Keras applications, a folder with one of them,
    or a run. The network it fits is built with its weights and compared with a reference on a picture. Exit code 1
    when they differ.
    """
    quieten_tensorflow()
    say("starting TensorFlow")
    from pipelines.weights.checking import check_weights

    picture = _read_picture(image) if image else None
    report = check_weights(path, config_name, picture=picture, overrides=overrides)
    imported, certificate = report.imported, report.certificate
    if as_json:
        write_json(
            {
                "file": imported.path,
                "format": imported.format,
                "config": report.config,
                "depth_multiplier": report.depth_multiplier,
                "num_classes": report.num_classes,
                "loaded": list(imported.loaded),
                "missing": list(imported.missing),
                "mismatched": list(imported.mismatched),
                "unused": list(imported.unused),
                "reference": certificate.reference,
                "differences": certificate.differences,
                "magnitudes": certificate.magnitudes,
                "exact": certificate.is_exact,
            }
        )
        return exit_codes.DONE if certificate.is_exact else exit_codes.FINDINGS
    head = "no class predictor" if not any("ClassPredictor/" in name for name in imported.loaded) else ""
    size = f", depth multiplier {report.depth_multiplier:g}, {head or f'{report.num_classes} classes'}"
    click.echo(f"{imported.path} ({imported.format}): {report.config}{size}")
    click.echo(imported.summary())
    for title, names in (
        ("not in the file", imported.missing),
        ("of another shape", imported.mismatched),
        ("of the file not used", imported.unused),
    ):
        for name in names if show_all else names[:_SHOWN]:
            click.echo(f"  {title}: {name}")
        if len(names) > _SHOWN and not show_all:
            click.echo(f"  ... and {len(names) - _SHOWN} more {title} (--all names them)")
    click.echo(f"compared with {certificate.reference}:")
    for name, difference in certificate.differences.items():
        magnitude = certificate.magnitudes[name]
        click.echo(f"  {name}: maximum absolute difference {difference:.2e} (values up to {magnitude:.3g})")
    click.echo("parity: exact" if certificate.is_exact else "parity: NOT exact")
    return exit_codes.DONE if certificate.is_exact else exit_codes.FINDINGS


def _read_picture(path: Path) -> Any:
    import numpy as np
    from PIL import Image

    from collectors.errors import InputError

    try:
        with Image.open(path) as opened:
            return np.asarray(opened.convert("RGB"), np.uint8)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read as a picture ({error})", where=str(path)) from error
