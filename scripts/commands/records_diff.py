"""``tagbox records diff``: what changed from one set of records to another."""

from collections import Counter
from pathlib import Path

import click

from scripts import exit_codes
from scripts.options import json_option
from scripts.output import say, write_json

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("old", metavar="OLD", type=_PATH)
@click.argument("new", metavar="NEW", type=_PATH)
@json_option
def diff(old: Path, new: Path, as_json: bool) -> int:
    """Say which pictures and boxes were added, removed or changed from OLD to NEW.

    Both are records of any tool: a folder, a manifest.json, a file, a glob in quotes, or the name that shards share.
    Where there is a manifest, it alone is read. Sharding, order and numbering do not matter.

    Exit codes: 0 no difference, 1 differences, 6 one of the two is missing or damaged.
    """
    from records.record_diff import diff_records

    found = diff_records(old, new)
    if as_json:
        write_json(found.as_json())
        return exit_codes.DONE if found.is_empty else exit_codes.FINDINGS
    for one in found.classes:
        what = "added" if one.before is None else "removed" if one.after is None else "renumbered"
        ids = " -> ".join(str(value) for value in (one.before, one.after) if value is not None)
        click.echo(f"class {one.name!r} {what}: {ids}".encode("utf-8", "replace").decode())
    for change in found.pictures:
        which = f" object {change.object_index}" if change.object_index is not None else ""
        words = " -> ".join(word for word in (change.before, change.after) if word)
        click.echo(f"{change.picture}{which} {change.kind}: {words}".encode("utf-8", "replace").decode())
    counts = Counter((change.object_index is not None, str(change.kind)) for change in found.pictures)
    for (is_object, kind), count in sorted(counts.items()):
        say(f"{count} {'objects' if is_object else 'pictures'} {kind}")
    say(f"{found.num_same} pictures are the same" + ("; no difference" if found.is_empty else ""))
    return exit_codes.DONE if found.is_empty else exit_codes.FINDINGS
