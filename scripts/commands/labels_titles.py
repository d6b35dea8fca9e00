"""``tagbox labels titles``: labels as people read them."""

from pathlib import Path

import click

from scripts import exit_codes
from scripts.options import json_option
from scripts.output import say, write_json

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("source", metavar="SOURCE", type=_PATH)
@click.option(
    "--out", type=_PATH, help="Write the titles into this file (also SOURCE itself) instead of printing them."
)
@json_option
def titles(source: Path, out: Path | None, as_json: bool) -> int:
    """Print the labels of SOURCE as titles: ice_cream becomes Ice Cream.

    One a line, in the order in which a model numbers them, so that the file can take the place of its labels.

    SOURCE is a text file with a label a line (retrained_labels.txt), a label map, a run, a records folder, or a folder
    with one folder a label. A word that has a capital already stays as it is.

    For example: tagbox labels titles retrained_labels.txt --out label_titles.txt

    Exit codes: 0 done, 1 done, but two labels have the same title, 6 there are no labels.
    """
    from collectors.files import write_atomically
    from labeling.label_titles import read_labels, same_titles, title_of

    labels = read_labels(source)
    lines = [title_of(label) for label in labels]
    if out is not None:
        write_atomically(out, "".join(f"{line}\n" for line in lines))
        say(f"{len(lines)} titles: {out}")
    if as_json:
        write_json([{"label": label, "title": title} for label, title in zip(labels, lines, strict=True)])
    elif out is None:
        for line in lines:
            click.echo(line)
    alike = same_titles(labels)
    for group in alike:
        say(f"warning: {' and '.join(repr(label) for label in group)} have the same title")
    return exit_codes.FINDINGS if alike else exit_codes.DONE
