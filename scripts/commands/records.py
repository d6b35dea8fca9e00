"""``tagbox records``: build TFRecords; the group of the commands that judge and show them."""

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from collectors.progress import Progress
from records.plan import SPLITS
from scripts import exit_codes
from scripts.commands.records_card import card
from scripts.commands.records_diff import diff
from scripts.commands.records_drawings import drawings
from scripts.commands.records_folder import folder as folder_command
from scripts.commands.records_show import show
from scripts.commands.records_verify import verify
from scripts.options import json_option
from scripts.output import progress_when_needed, say, size_in_words, write_json, write_table

if TYPE_CHECKING:
    from records.build_report import BuildReport
    from records.prepare import BuildPlan

_SHOWN = 20
_PATH = click.Path(path_type=Path)
_OLDER_FLAGS = ("data_dir", "custom_class", "training_type", "output_path", "label_map_path")


@click.group()
def records() -> None:
    """Build, verify, compare, show and describe TFRecords."""


records.add_command(drawings)
records.add_command(folder_command)


@records.command()
@click.argument("data", metavar="[DATA]", type=_PATH, required=False)
@click.option("--out", type=_PATH, help="Folder of the records.  [default: records]")
@click.option("--class", "classes", multiple=True, metavar="NAME", help="Only this class folder; repeat it for more.")
@click.option("--label-map", type=_PATH, help="Use this label map instead of DATA/label_map.pbtxt.")
@click.option("--jobs", type=click.IntRange(min=1), help="How many work at once; the bytes do not depend on it.")
@click.option("--dry-run", is_flag=True, help="Check and plan; write nothing.")
@json_option
@click.option("--data_dir", type=_PATH, help="For one record, with the flags of the older script: the data root,")
@click.option("--custom_class", metavar="NAME", help="the class folder,")
@click.option("--training_type", type=click.Choice(SPLITS), help="the split,")
@click.option("--output_path", type=_PATH, help="the record file to write,")
@click.option("--label_map_path", type=_PATH, help="and the label map, made when there is none.")
def build(
    data: Path | None,
    out: Path | None,
    classes: tuple[str, ...],
    label_map: Path | None,
    jobs: int | None,
    dry_run: bool,
    as_json: bool,
    **older: Any,
) -> int:
    """Check the labels of DATA and build one record for each class and split.

    DATA (default: data) holds one folder a class, with XML in training/ and verification/ and the pictures in
    images/ below. Pictures that the checks refuse stay out and are listed. What is up to date is left alone.

    Exit codes: 0 every picture is in, 5 some are refused, 6 nothing can be used, 2 wrong usage.
    """
    from records.build import build_from_plan
    from records.build_report import NothingUsableError
    from records.prepare import prepare_build

    newer = {"DATA": data, "--out": out, "--class": classes or None, "--label-map": label_map}
    is_older_call = any(value is not None for value in older.values())
    if is_older_call:
        _refuse_mixture(newer, older)
    with progress_when_needed("check") as checking:
        if is_older_call:
            out_dir = older["output_path"].parent
            plan = _plan_like_the_older_script(older, checking, jobs, keep_check=not dry_run)
        else:
            out_dir = out or Path("records")
            plan = prepare_build(
                data or Path("data"),
                classes=classes or None,
                label_map_path=label_map,
                progress=checking,
                jobs=jobs,
                keep_check=not dry_run,
            )
    try:
        with progress_when_needed("write") as writing:
            report = build_from_plan(plan, out_dir, progress=writing, jobs=jobs, dry_run=dry_run)
    except NothingUsableError as error:
        _print_report(error.report, as_json=as_json)
        raise
    _print_report(report, as_json=as_json)
    return exit_codes.PARTLY_DONE if report.num_refused else exit_codes.DONE


def _refuse_mixture(newer: dict[str, Any], older: dict[str, Any]) -> None:
    mixed = [name for name, value in newer.items() if value is not None]
    if mixed:
        raise click.UsageError(
            f"{mixed[0]} does not go with --{next(n for n in _OLDER_FLAGS if older[n] is not None)}: use either DATA "
            "--out --class --label-map, or --data_dir --custom_class --training_type --output_path --label_map_path."
        )
    missing = [name for name in _OLDER_FLAGS[:-1] if older[name] is None]
    if missing:
        raise click.UsageError(f"--{missing[0]} is missing: the flags of the older script go together.")
    if older["output_path"].is_dir():
        raise click.UsageError(f"--output_path is a folder: {older['output_path']}. Give the name of the record file.")


def _plan_like_the_older_script(
    older: dict[str, Any], checking: Progress, jobs: int | None, *, keep_check: bool
) -> "BuildPlan":
    from records.prepare import prepare_single_record

    return prepare_single_record(
        older["data_dir"],
        file=older["output_path"].name,
        class_name=older["custom_class"],
        split=older["training_type"],
        label_map_path=older["label_map_path"],
        progress=checking,
        jobs=jobs,
        keep_check=keep_check,
    )


def _print_report(report: "BuildReport", *, as_json: bool) -> None:
    if as_json:
        write_json(report.as_json())
    else:
        rows = [
            [
                outcome.plan.class_name,
                outcome.plan.split,
                str(outcome.plan.num_written),
                str(outcome.plan.num_boxes),
                str(len(outcome.plan.refused)),
                size_in_words(outcome.num_bytes) if outcome.num_bytes else "-",
                outcome.state.value,
                outcome.plan.file if outcome.plan.shards else "-",
            ]
            for outcome in report.outcomes
        ]
        headings = ["class", "split", "images", "boxes", "refused", "size", "state", "record"]
        write_table(headings, rows, right={2, 3, 4, 5})
    for refusal in itertools.islice(report.refusals(), _SHOWN):
        say(f"refused: {refusal.path}: {refusal.code} {refusal.reason}")
    if report.num_refused > _SHOWN:
        where = "--json prints" if _wrote_nothing(report) else f"{report.manifest_path} has"
        say(f"refused: {report.num_refused - _SHOWN} more; {where} them all")
    for notice in report.notices:
        say(f"warning: {notice.message}")
    if report.wrote_label_map:
        items = ", ".join(f"{class_id} {name}" for class_id, name in report.label_map)
        say(f"wrote the label map {report.label_map_path}: {items}")
    say(_summary(report))


def _wrote_nothing(report: "BuildReport") -> bool:
    return report.dry_run or not report.num_written


def _summary(report: "BuildReport") -> str:
    account = f"labelled pictures: {report.num_found} = {report.num_written} in records + {report.num_refused} refused"
    if not report.num_written:
        return f"{account}; nothing was written"
    if report.dry_run:
        return f"{account}; nothing was written (dry run)"
    if report.is_up_to_date:
        return f"{account}; up to date in {report.out_dir}"
    written = sum(outcome.state == "written" for outcome in report.outcomes)
    return f"{account}; wrote {written} of {len(report.outcomes)} records to {report.out_dir}"


for _command in (verify, diff, show, card):
    records.add_command(_command)
