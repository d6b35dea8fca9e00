"""``tagbox records``: build, verify and show TFRecords."""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from collectors.errors import InputError
from scripts import exit_codes
from scripts.classification_output import verify_classification_records
from scripts.commands.records_build import build
from scripts.commands.records_drawings import drawings
from scripts.commands.records_folder import folder as folder_command
from scripts.options import json_option
from scripts.output import file_size as _size
from scripts.output import progress_when_needed as _progress_when_needed
from scripts.output import say, write_json, write_table

if TYPE_CHECKING:
    from records.example import Feature

_PATH = click.Path(path_type=Path)


@click.group()
def records() -> None:
    """Build, verify and show TFRecords."""


records.add_command(build)
records.add_command(drawings)
records.add_command(folder_command)


@records.command()
@click.argument("folder", metavar="[DIR]", type=_PATH, default=Path("records"))
@json_option
def verify(folder: Path, as_json: bool) -> int:
    """Read every byte of the records in DIR (default: records) and hold it against the manifest.

    Exit codes: 0 all is well, 1 there are findings, 6 there is no manifest.
    """
    from records.classification_manifest import KIND, kind_of_manifest
    from records.verify import verify_records

    if kind_of_manifest(folder) == KIND:
        return verify_classification_records(folder, as_json=as_json)
    with _progress_when_needed("verify") as verifying:
        report = verify_records(folder, progress=verifying)
    if as_json:
        write_json(report.as_json())
    else:
        for finding in report.findings:
            click.echo(str(finding))
    say(
        f"{report.num_examples} examples with {report.num_boxes} boxes in {report.num_files} files, "
        f"{_size(report.num_bytes)}; findings: {len(report.findings)}"
    )
    return exit_codes.FINDINGS if report.findings else exit_codes.DONE


@records.command()
@click.argument("file", metavar="FILE")
@click.option("--index", type=click.IntRange(min=0), default=0, show_default=True, help="Which example, from 0.")
@click.option("--output", type=_PATH, help="Draw the picture with its boxes into this file (.png, .jpg).")
@json_option
def show(file: str, index: int, output: Path | None, as_json: bool) -> int:
    """Print the keys of one example of FILE, or draw it.

    FILE is any TFRecord of detection examples, from tagbox or not: a path, a glob in quotes, or the name that shards
    share. Several files count as one, in the order of their names.
    """
    from records.preview import describe_features
    from records.reading import expand_record_paths, read_features

    paths = expand_record_paths([file])
    examples = itertools.chain.from_iterable(read_features(path) for path in paths)
    features, count = None, 0
    for found in itertools.islice(examples, index + 1):
        features, count = found, count + 1
    if features is None or count <= index:
        raise InputError(
            f"there is no example {index}", where=file, fix=f"It has {count}: give --index 0 to {count - 1}."
        )
    if output is not None:
        _save_picture(features, output)
        say(f"drew example {index} into {output}")
        return exit_codes.DONE
    rows = describe_features(features)
    if as_json:
        write_json(rows)
    else:
        table = [[row["key"], row["kind"], str(row["count"]), _shown_values(row["values"])] for row in rows]
        write_table(["key", "kind", "count", "values"], table, right={2})
    return exit_codes.DONE


def _save_picture(features: Mapping[str, "Feature"], output: Path) -> None:
    from records.preview import draw_example

    picture = draw_example(features)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        picture.save(output)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot write the picture: {error}", where=str(output)) from error


def _shown_values(values: list[Any]) -> str:
    shown = []
    for value in values[:10]:
        if isinstance(value, dict):
            shown.append(f"<{value['bytes']} bytes, sha256 {value['sha256'][:12]}...>")
        else:
            shown.append(f"{value:.6g}" if isinstance(value, float) else str(value))
    return ", ".join(shown) + (f", and {len(values) - 10} more" if len(values) > 10 else "")
