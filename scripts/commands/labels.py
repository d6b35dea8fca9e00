"""``tagbox labels``: check, place and look at labelled pictures."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from collectors.errors import ConfigError
from scripts import exit_codes
from scripts.commands.labels_audit import audit
from scripts.commands.labels_check import check, codes
from scripts.commands.labels_convert import convert
from scripts.commands.labels_diff import diff
from scripts.commands.labels_doctor import doctor
from scripts.commands.labels_fix import fix
from scripts.commands.labels_scenes import scenes
from scripts.commands.labels_split import split
from scripts.commands.labels_titles import titles
from scripts.options import json_option
from scripts.output import progress, say, write_json, write_table

if TYPE_CHECKING:
    from labeling.dataset_statistics import BoxStatistics, SplitStatistics
    from labeling.validate import CheckReport

_DIRECTORY = click.Path(path_type=Path)


@click.group()
def labels() -> None:
    """Check, place and look at labelled pictures.

    DIR is a data root with class folders (<class>/training, <class>/verification), one class folder, or any folder of
    LabelImg XML with the pictures beside it, in images/, ../images/ or ../JPEGImages/.
    """


@labels.command()
@click.argument("source", metavar="SOURCE", type=_DIRECTORY)
@click.option("--class", "class_name", required=True, metavar="NAME", help="Class folder to fill.")
@click.option("--out", "data_dir", type=_DIRECTORY, default=Path("data"), show_default=True, help="Data root.")
@click.option("--training", type=_DIRECTORY, help="List of training pictures: CSV with a filename column, or text.")
@click.option("--verification", type=_DIRECTORY, help="List of verification pictures.")
@click.option("--dry-run", is_flag=True, help="Say what would happen and write nothing.")
@json_option
def place(
    source: Path,
    class_name: str,
    data_dir: Path,
    training: Path | None,
    verification: Path | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Copy the labelled pairs of a published split into a data root.

    The lists name pictures (folders and suffixes do not matter); each name's XML and picture are copied from SOURCE to
    NAME/training/ or NAME/verification/ of the data root. Nothing is overwritten; run again, it finds all in place.

    Exit codes: 0 every name is in place, 5 some were refused (each is named with the reason), 6 no SOURCE or no list.
    """
    from labeling.placing import Outcome, place_labels, read_names

    lists = {"training": training, "verification": verification}
    names = {split: read_names(path) for split, path in lists.items() if path is not None}
    if not names:
        raise ConfigError("no list is given", fix="Give --training LIST, --verification LIST or both.")
    with progress("placing") as advance:
        report = place_labels(source, data_dir, class_name=class_name, names=names, dry_run=dry_run, progress=advance)
    refused = [one for one in report.placements if one.outcome is Outcome.REFUSED]
    counts = {split: {outcome.value: report.count(split, outcome) for outcome in Outcome} for split in names}
    if as_json:
        write_json(
            {
                "class": class_name,
                "data_dir": str(data_dir),
                "dry_run": dry_run,
                "splits": {split: {"named": len(names[split])} | counts[split] for split in names},
                "refused": [{"name": one.name, "split": one.split, "reason": one.reason} for one in refused],
                "unnamed": [str(path) for path in report.unnamed],
            }
        )
    else:
        rows = [[split, str(len(names[split])), *(str(count) for count in counts[split].values())] for split in names]
        write_table(["split", "named", *(outcome.value for outcome in Outcome)], rows, right={1, 2, 3, 4})
    for one in refused:
        say(f"error: {one.name} ({one.split}): {one.reason}")
    if report.unnamed:
        say(f"{len(report.unnamed)} XML files of {source} stand in no list and were left alone")
    if dry_run:
        say("dry run: nothing was written")
    return exit_codes.PARTLY_DONE if refused else exit_codes.DONE


@labels.command()
@click.argument("root", metavar="DIR", type=_DIRECTORY)
@click.option("--class", "class_names", multiple=True, metavar="NAME", help="Look at this class folder only.")
@click.option("--plot", "plot_path", type=_DIRECTORY, help="Draw sizes, shapes and places; .png, .pdf or .svg.")
@json_option
def stats(root: Path, class_names: tuple[str, ...], plot_path: Path | None, as_json: bool) -> None:
    """Count pictures, boxes and their sizes, per class and split.

    Three ways of having no box are counted apart: verified empty (the space bar in LabelImg), negative (an XML without
    objects that nobody verified) and unlabelled (no XML: nobody looked; not among the pictures counted before).

    Sizes are COCO's: small below 32x32 pixels, medium below 96x96. Shortest is the shortest side of all boxes,
    median that of a box as a share of the picture: 10% is 30 pixels of a 300-pixel model.
    """
    from labeling.dataset import find_dataset
    from labeling.dataset_statistics import statistics_of

    if plot_path is not None:
        from labeling.statistics_plot import plot_format

        plot_format(plot_path)  # before the long work
    report = _checked(root, class_names)
    splits = statistics_of(report.images, find_dataset(root, class_names or None).unlabeled)
    if plot_path is not None:
        from labeling.statistics_plot import plot_statistics, save_plot

        save_plot(plot_statistics(report.images), plot_path)
        say(f"drawn: {plot_path}")
    if as_json:
        refused, unlabeled = len(report.refused), len(report.unlabeled)
        write_json(
            {
                "root": str(root),
                "splits": [split.as_json() for split in splits],
                "refused": refused,
                "without_xml": unlabeled,
            }
        )
        return
    headings = ["class", "split", "label", "pictures", "verified empty", "negative", "unlabelled", "boxes"]
    headings += ["small", "medium", "large"]
    headings += ["shortest", "median", "aspect", "truncated", "difficult"]
    rows = [row for split in splits for row in _statistics_rows(split)]
    write_table(headings, rows, right=set(range(3, len(headings))))
    _say_left_out(report)


@labels.command()
@click.argument("root", metavar="DIR", type=_DIRECTORY)
@click.option("--output", type=_DIRECTORY, required=True, help="Picture to write, .jpg or .png.")
@click.option("--class", "class_names", multiple=True, metavar="NAME", help="Look at this class folder only.")
@click.option("--label", multiple=True, metavar="NAME", help="Only pictures with this label.")
@click.option("--limit", type=click.IntRange(min=1), default=60, show_default=True, help="Pictures at most.")
@click.option("--columns", type=click.IntRange(min=1), help="Pictures a row. [default: as wide as high]")
@click.option("--tile", "tile_px", type=click.IntRange(40, 2000), default=240, show_default=True, help="Pixels a side.")
def sheet(
    root: Path,
    output: Path,
    class_names: tuple[str, ...],
    label: tuple[str, ...],
    limit: int,
    columns: int | None,
    tile_px: int,
) -> None:
    """Draw labelled pictures with their boxes on one page.

    Takes pictures evenly from the whole set, so that the page shows all of it. Refused pictures are left out.
    """
    from labeling.contact_sheet import contact_sheet, pick_evenly, save_sheet, sheet_format

    sheet_format(output)  # before the long work
    report = _checked(root, class_names)
    wanted = [
        image
        for image in report.images
        if not label or any(labeled.name in label for labeled in image.annotation.objects)
    ]
    picked = pick_evenly(wanted, limit)
    save_sheet(contact_sheet(picked, columns=columns, tile_px=tile_px), output)
    click.echo(str(output))
    say(f"{len(picked)} of {len(wanted)} pictures drawn")
    _say_left_out(report)


def _checked(root: Path, class_names: tuple[str, ...]) -> "CheckReport":
    from labeling.check_cache import CheckCache
    from labeling.validate import check_dataset

    with progress("checking") as advance:
        return check_dataset(root, class_names=class_names or None, progress=advance, cache=CheckCache(root))


def _statistics_rows(split: "SplitStatistics") -> list[list[str]]:
    names = [name for name, _ in split.labels]
    label = names[0] if len(names) == 1 else f"all {len(names)}" if names else "none"
    kinds = (split.num_images, split.num_verified_empty, split.num_negatives, split.num_unlabelled)
    counts = [str(count) for count in kinds]
    rows = [[split.class_name or "-", split.split or "-", label, *counts, *_box_cells(split.boxes)]]
    if len(names) > 1:
        rows += [["", "", name, str(boxes.num_images), "", "", "", *_box_cells(boxes)] for name, boxes in split.labels]
    return rows


def _box_cells(boxes: "BoxStatistics") -> list[str]:
    counts = (boxes.num_boxes, boxes.num_small, boxes.num_medium, boxes.num_large)
    sizes = [f"{boxes.smallest_side_px:g} px", f"{boxes.median_side:.0%}", f"{boxes.median_aspect:.2f}"]
    flags = [str(boxes.num_truncated), str(boxes.num_difficult)]
    return [str(count) for count in counts] + (sizes if boxes.num_boxes else ["-", "-", "-"]) + flags


def _say_left_out(report: "CheckReport") -> None:
    if report.refused:
        say(f"{len(report.refused)} refused pictures are left out; see: tagbox labels check")


for _command in (audit, check, codes, convert, diff, doctor, fix, scenes, split, titles):
    labels.add_command(_command)
