"""``tagbox labels convert``: to and from COCO, YOLO, CreateML and the Pascal VOC devkit."""

import shlex
from collections import Counter
from pathlib import Path

import click

from collectors.errors import ConfigError
from scripts import exit_codes
from scripts.commands.repair_history import own_label_map
from scripts.options import json_option
from scripts.output import progress, say, write_json

_DIRECTORY = click.Path(path_type=Path)
_FORMATS = click.Choice(["tagbox", "coco", "yolo", "createml", "voc-devkit"])
_NAMED_AT_MOST = 20


@click.command()
@click.argument("source", metavar="SOURCE", type=_DIRECTORY)
@click.option("--from", "source_format", type=_FORMATS, default="tagbox", show_default=True, help="What SOURCE is.")
@click.option("--to", "target_format", type=_FORMATS, required=True, help="What to write.")
@click.option("--out", type=_DIRECTORY, required=True, help="Folder to write to.")
@click.option("--class", "class_name", default="", metavar="NAME", help="Class folder, with --to tagbox.")
@click.option("--label-map", "label_map_path", type=_DIRECTORY,
              help="Order and numbers of the labels. [default: SOURCE/label_map.pbtxt]")  # fmt: skip
@click.option("--allow-loss", is_flag=True, help="Convert even if the new format cannot hold everything.")
@click.option("--dry-run", is_flag=True, help="Say what would happen and write nothing.")
@json_option
def convert(
    source: Path,
    source_format: str,
    target_format: str,
    out: Path,
    class_name: str,
    label_map_path: Path | None,
    allow_loss: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Convert a set of labels, with its pictures, to or from another format.

    What the new format cannot hold (such as difficult marks in YOLO) is counted, and nothing is written unless
    --allow-loss is given. Sets without splits come into unlabeled/, for: tagbox labels split.

    Exit codes: 0 done, 2 something would be lost, 5 some pictures were refused (each is named), 6 SOURCE
    cannot be read.
    """
    from labeling.convert import plan_conversion, write_conversion

    label_map = own_label_map(source, label_map_path) if source.is_dir() else None
    with progress("reading") as advance:
        conversion = plan_conversion(
            source,
            source_format=source_format,
            target_format=target_format,
            label_map=label_map,
            class_name=class_name,
            progress=advance,
        )
    if conversion.losses and not allow_loss and not dry_run:
        lost = ", ".join(f"{count} {what}" for what, count in conversion.losses.items())
        raise ConfigError(f"{target_format} cannot hold {lost}", fix="Add --allow-loss to convert without them.")
    written = 0
    if not dry_run:
        with progress("writing") as advance:
            written = write_conversion(conversion, out, advance)
    splits = Counter(picture.split or "no split" for picture in conversion.pictures)
    if as_json:
        write_json(
            {
                "out": str(out),
                "format": target_format,
                "dry_run": dry_run,
                "pictures": len(conversion.pictures),
                "boxes": conversion.num_boxes,
                "splits": {"none" if name == "no split" else name: count for name, count in sorted(splits.items())},
                "files_written": written,
                "refused": [{"where": one.where, "reason": one.reason} for one in conversion.refused],
                "unlabelled": [str(path) for path in conversion.unlabelled],
                "waiting": conversion.num_waiting,
                "losses": dict(conversion.losses),
            }
        )
    else:
        words = ", ".join(f"{count} in {name}" for name, count in sorted(splits.items()))
        click.echo(
            f"{len(conversion.pictures)} pictures with {conversion.num_boxes} boxes" + (f" ({words})" if words else "")
        )
    for one in conversion.refused[:_NAMED_AT_MOST]:
        say(f"refused: {one.where}: {one.reason}")
    if len(conversion.refused) > _NAMED_AT_MOST:
        say(f"... and {len(conversion.refused) - _NAMED_AT_MOST} more; --json names them all")
    for what, count in conversion.losses.items():
        say(f"lost: {count} {what}")
    if conversion.unlabelled:
        say(f"{len(conversion.unlabelled)} pictures have no labels and were left out")
    if target_format in ("yolo", "voc-devkit") and conversion.pictures and not splits["verification"]:
        say("no picture is in verification, so all of them are written as training pictures")
    if conversion.num_waiting:
        say(f"{conversion.num_waiting} labelled pictures wait in unlabeled/ and were left out; place them with: "
            f"tagbox labels split {shlex.quote(str(source))} --apply")  # fmt: skip
    say("dry run: nothing was written" if dry_run else f"{written} files written to {out}")
    return exit_codes.PARTLY_DONE if conversion.refused else exit_codes.DONE
