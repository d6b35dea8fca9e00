"""``tagbox records card``: the card of a records folder, for people and for programs."""

from pathlib import Path

import click

from collectors.errors import ConfigError, InputError
from scripts import exit_codes
from scripts.options import json_option
from scripts.output import say, write_json, write_table

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("folder", metavar="[DIR]", type=_PATH, default=Path("records"))
@click.option("--name", default="", help="Name of the dataset.  [default: that of DIR]")
@click.option("--description", default="", help="What it is, in a paragraph.  [default: its counts]")
@click.option("--license", "licences", multiple=True, help="URL or SPDX name of its licence; repeat it for more.")
@click.option("--url", default="", help="Its web page.")
@click.option("--creator", default="", help="Who made it.")
@click.option("--citation", default="", help="How to cite it.")
@click.option("--published", type=click.DateTime(["%Y-%m-%d"]), help="The day it was published, YYYY-MM-DD.")
@click.option("--version", default="", help="Its version.  [default: 1.0.0]")
@click.option("--data", type=_PATH, help="Data root whose ledger knows who made the pictures.  [default: data]")
@click.option("--no-data", is_flag=True, help="Ask no ledger.")
@click.option("--replace-readme", is_flag=True, help="Write over a README.md that is not from this command.")
@click.option("--dry-run", is_flag=True, help="Say what would be written; write nothing.")
@json_option
def card(
    folder: Path,
    name: str,
    description: str,
    licences: tuple[str, ...],
    url: str,
    creator: str,
    citation: str,
    published: object,
    version: str,
    data: Path | None,
    no_data: bool,
    replace_readme: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Describe the records in DIR (default: records): croissant.json, README.md, label_map.pbtxt and .csv.

    Counts come from the manifest, attribution from it and from the ledger of the data root. Run it again after a
    build: what you said of the dataset is kept, and a file that would not change is left alone.

    Exit codes: 0 done, 6 there is no manifest, a record is missing, or README.md is somebody's own.
    """
    from records.croissant import CardWords
    from records.dataset_card import write_card

    if data is not None and no_data:
        raise ConfigError("--data does not go with --no-data", fix="Give one of them.")
    if data is not None and not data.is_dir():
        raise InputError("no such data root", where=str(data))
    words = CardWords(
        name=name,
        description=description,
        licences=licences,
        url=url,
        creator=creator,
        citation=citation,
        published=str(published)[:10] if published else "",
        version=version,
    )
    report = write_card(
        folder,
        words,
        data_root=None if no_data else data or Path("data"),
        dry_run=dry_run,
        replace_readme=replace_readme,
    )
    if as_json:
        write_json(report.as_json())
    else:
        write_table(["file", "state"], [[name, state.value] for name, state in report.files.items()])
    who = report.totals.attribution
    if not report.has_licence:
        say("note: no licence is declared; name it with --license")
    if who.num_unknown:
        say(f"note: the origin of {who.num_unknown} of {who.num_pictures} pictures is not known")
    return exit_codes.DONE
