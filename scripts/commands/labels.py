"""``tagbox labels``: check, place and look at labelled pictures."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from collectors.errors import ConfigError
from scripts import exit_codes
from scripts.commands.labels_audit import audit
from scripts.commands.labels_convert import convert
from scripts.commands.labels_diff import diff
from scripts.commands.labels_doctor import doctor
from scripts.commands.labels_fix import fix
from scripts.commands.labels_scenes import scenes
from scripts.commands.labels_split import split
from scripts.options import json_option
from scripts.output import progress, say, write_json, write_table

if TYPE_CHECKING:
    from labeling.dataset_statistics import BoxStatistics, SplitStatistics
    from labeling.findings import Finding
    from labeling.label_map import LabelMap
    from labeling.validate import CheckReport

_COLOUR_OF = {"error": "red", "warning": "yellow", "info": "blue"}
_DIRECTORY = click.Path(path_type=Path)


@click.group()
def labels() -> None:
    """Check, place and look at labelled pictures.

    DIR is a data root with class folders (<class>/training, <class>/verification), one class folder, or any folder of
    LabelImg XML with the pictures beside it, in images/, ../images/ or ../JPEGImages/.
    """


@labels.command()
@click.argument("root", metavar="DIR", type=_DIRECTORY)
@click.option("--label-map", "label_map_path", type=_DIRECTORY, help="Labels allowed. [default: DIR/label_map.pbtxt]")
@click.option("--class", "class_names", multiple=True, metavar="NAME", help="Look at this class folder only.")
@click.option("--only", multiple=True, metavar="CODES", help="Report these codes only, such as B03,S or B.")
@click.option("--ignore", multiple=True, metavar="CODES", help="Do not report these codes.")
@click.option("--strict", is_flag=True, help="Exit with 1 on warnings too.")
@click.option("--info", "show_info", is_flag=True, help="Show findings that need no action as well.")
@click.option("--jobs", type=click.IntRange(1, 256), help="Threads that read and decode. [default: one a processor]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON Lines on stdout: findings, refusals, a summary.")
def check(
    root: Path,
    label_map_path: Path | None,
    class_names: tuple[str, ...],
    only: tuple[str, ...],
    ignore: tuple[str, ...],
    strict: bool,
    show_info: bool,
    jobs: int | None,
    as_json: bool,
) -> int:
    """Say what would break or silently poison a training.

    Reads every XML, decodes every labelled picture to its last row, and reports each problem with its file and line, a
    stable code (see: tagbox labels codes) and what to do. An error about a pair refuses it: it goes into no record.

    Exit codes: 0 nothing to mend, 1 errors (with --strict also warnings), 6 no such folder or no XML in it.
    """
    from labeling.findings import Severity
    from labeling.reports import json_lines, select

    only_codes, ignored_codes = _codes(only), _codes(ignore)
    report = _checked(root, _label_map(root, label_map_path), class_names, jobs)
    report = select(report, only=only_codes, ignore=ignored_codes)
    if as_json:
        for line in json_lines(report, root):
            _put(line)
    else:
        _write_findings(report, show_info=show_info)
        _write_summary(report, root, show_info=show_info)
    has_errors = report.count(Severity.ERROR) > 0
    has_warnings = report.count(Severity.WARNING) > 0
    return exit_codes.FINDINGS if has_errors or (strict and has_warnings) else exit_codes.DONE


@labels.command()
@json_option
def codes(as_json: bool) -> None:
    """List every code that a check can report."""
    from labeling.codes import CODES

    if as_json:
        write_json(
            [
                {"code": code.name, "severity": code.severity.value, "title": code.title, "action": code.action}
                for code in CODES.values()
            ]
        )
        return
    rows = [[code.name, code.severity.value, code.title, code.action] for code in CODES.values()]
    write_table(["code", "severity", "what is wrong", "what to do"], rows)


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

    Sizes are COCO's: small below 32x32 pixels, medium below 96x96. The median side is that of the box as a share of
    the picture: 10% is 30 pixels of a 300-pixel model.
    """
    from labeling.dataset_statistics import statistics_of

    if plot_path is not None:
        from labeling.statistics_plot import plot_format

        plot_format(plot_path)  # before the long work
    report = _checked(root, None, class_names, None)
    splits = statistics_of(report.images)
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
    headings = ["class", "split", "label", "pictures", "negative", "boxes", "small", "medium", "large"]
    headings += ["shortest side", "median side", "aspect", "truncated", "difficult"]
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
    report = _checked(root, None, class_names, None)
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


def _checked(root: Path, label_map: "LabelMap | None", class_names: tuple[str, ...], jobs: int | None) -> "CheckReport":
    from labeling.validate import check_dataset

    with progress("checking") as advance:
        return check_dataset(root, label_map=label_map, class_names=class_names or None, progress=advance, jobs=jobs)


def _label_map(root: Path, path: Path | None) -> "LabelMap | None":
    from labeling.label_map import read_label_map

    if path is None and (root / "label_map.pbtxt").is_file():
        path = root / "label_map.pbtxt"
        say(f"labels are compared with {path}")
    return None if path is None else read_label_map(path)


def _codes(words: tuple[str, ...]) -> frozenset[str]:
    from labeling.codes import expand_codes

    try:
        return expand_codes([part for word in words for part in word.split(",") if part.strip()])
    except ValueError as error:
        raise ConfigError(str(error), fix="List them with: tagbox labels codes") from error


def _write_findings(report: "CheckReport", *, show_info: bool) -> None:
    last: Path | None = None
    for finding in report.findings:
        if finding.severity.value == "info" and not show_info:
            continue
        if last is not None and finding.path != last:
            click.echo()
        last = finding.path
        _write_finding(finding)


def _write_finding(finding: "Finding") -> None:
    which = f" (object {finding.object_index})" if finding.object_index is not None else ""
    severity = click.style(finding.severity.value, fg=_COLOUR_OF[finding.severity.value], bold=True)
    _put(f"{finding.where}: {severity} {finding.code}{which}: {finding.message}")
    _put(f"    {finding.action}")


def _put(line: str) -> None:
    """Print a line on stdout; file names that are not text at all (bytes of another encoding) get question marks."""
    click.echo(line.encode("utf-8", "replace").decode())


def _write_summary(report: "CheckReport", root: Path, *, show_info: bool) -> None:
    from labeling.codes import CODES
    from labeling.reports import counts_by_code, summary_lines

    hidden = {finding.code for finding in report.findings if finding.severity.value == "info"}
    if any(finding.severity.value != "info" or show_info for finding in report.findings):
        click.echo()
    for code, count in counts_by_code(report).items():
        severities = {finding.severity for finding in report.findings if finding.code == code}
        words = "/".join(sorted((severity.value for severity in severities), key=list(_COLOUR_OF).index))
        note = "  (shown with --info)" if code in hidden and not show_info else ""
        click.echo(f"{count:6d}  {code}  {words}: {CODES[code].title}{note}")
    if report.findings:
        click.echo()
    for line in summary_lines(report, root):
        _put(line)
    if not report.refused and not any(finding.severity.value != "info" for finding in report.findings):
        click.echo("nothing to mend")


def _statistics_rows(split: "SplitStatistics") -> list[list[str]]:
    names = [name for name, _ in split.labels]
    label = names[0] if len(names) == 1 else f"all {len(names)}" if names else "none"
    counts = [str(split.num_images), str(split.num_negatives)]
    rows = [[split.class_name or "-", split.split or "-", label, *counts, *_box_cells(split.boxes)]]
    if len(names) > 1:
        rows += [["", "", name, str(boxes.num_images), "", *_box_cells(boxes)] for name, boxes in split.labels]
    return rows


def _box_cells(boxes: "BoxStatistics") -> list[str]:
    counts = (boxes.num_boxes, boxes.num_small, boxes.num_medium, boxes.num_large)
    sizes = [f"{boxes.smallest_side_px:g} px", f"{boxes.median_side:.0%}", f"{boxes.median_aspect:.2f}"]
    flags = [str(boxes.num_truncated), str(boxes.num_difficult)]
    return [str(count) for count in counts] + (sizes if boxes.num_boxes else ["-", "-", "-"]) + flags


def _say_left_out(report: "CheckReport") -> None:
    if report.refused:
        say(f"{len(report.refused)} refused pictures are left out; see: tagbox labels check")


labels.add_command(audit)
labels.add_command(convert)
labels.add_command(diff)
labels.add_command(doctor)
labels.add_command(fix)
labels.add_command(scenes)
labels.add_command(split)
