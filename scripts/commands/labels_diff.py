"""``tagbox labels diff``: what changed between two states of a data set."""

from collections import Counter
from pathlib import Path

import click

from scripts import exit_codes
from scripts.options import json_option
from scripts.output import say, write_json

_DIRECTORY = click.Path(path_type=Path)


@click.command()
@click.argument("old", metavar="A", type=_DIRECTORY)
@click.argument("new", metavar="B", type=_DIRECTORY)
@json_option
def diff(old: Path, new: Path, as_json: bool) -> int:
    """Say what changed from A to B, two data sets or two XML files.

    Compares by the stems of the XML files, box by box: added, removed, relabelled, moved, marked otherwise, placed in
    another split. Order, spelling and paths inside the files do not matter.

    Exit codes: 0 no difference, 1 differences, 6 one of the two is missing or has no XML.
    """
    from labeling.label_diff import diff_labels

    changes = diff_labels(old, new)
    counts = Counter((change.object_index is not None, change.kind.value) for change in changes)
    if as_json:
        write_json([change.as_json() for change in changes])
        return exit_codes.FINDINGS if changes else exit_codes.DONE
    for change in changes:
        which = f" object {change.object_index}" if change.object_index is not None else ""
        words = " -> ".join(word for word in (change.before, change.after) if word)
        click.echo(f"{change.stem}{which} {change.kind}: {words}".encode("utf-8", "replace").decode())
    for (is_object, kind), count in sorted(counts.items()):
        say(f"{count} {'objects' if is_object else 'pictures'} {kind}")
    if not changes:
        say("no difference")
    return exit_codes.FINDINGS if changes else exit_codes.DONE
