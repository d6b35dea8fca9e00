"""``tagbox records show``: one example in words, or as a picture."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from collectors.errors import InputError
from scripts import exit_codes
from scripts.options import json_option
from scripts.output import say, write_json, write_table

if TYPE_CHECKING:
    from records.example import Feature


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--index", type=click.IntRange(min=0), help="Which example, from 0.  [default: 0]")
@click.option("--source-id", metavar="ID", help="The example of this image/source_id.")
@click.option("--filename", metavar="NAME", help="The example of this file, or of the end of its path.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Draw the picture with its boxes into this file (.png, .jpg).",
)
@json_option
def show(
    files: tuple[str, ...],
    index: int | None,
    source_id: str | None,
    filename: str | None,
    output: Path | None,
    as_json: bool,
) -> int:
    """Print the keys of one example of FILE, or draw it.

    FILE is any TFRecord of detection examples, from tagbox or not: a path, a folder, a glob, or the name that shards
    share. Several files count as one, in the order of their names.
    """
    from records.example_selection import select_example
    from records.preview import describe_features

    found = select_example(files, index=index, source_id=source_id, filename=filename)
    if found.num_others:
        say(f"note: {found.num_others} more fit; this is the first")
    if output is not None:
        _save_picture(found.features, output)
        say(f"drew example {found.index} of {found.path} into {output}")
        return exit_codes.DONE
    rows = describe_features(found.features)
    if as_json:
        write_json(rows)
    else:
        say(f"example {found.index} of {found.path}")
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
