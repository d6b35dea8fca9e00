"""``tagbox records``: build, verify and show TFRecords."""

import itertools
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from collectors.errors import InputError
from collectors.progress import Progress
from records.plan import SPLITS
from scripts import exit_codes
from scripts.classification_output import verify_classification_records
from scripts.commands.records_drawings import drawings
from scripts.commands.records_folder import folder as folder_command
from scripts.options import json_option
from scripts.output import progress, say, write_json, write_table

if TYPE_CHECKING:
    from records.build_report import BuildReport
    from records.example import Feature
    from records.prepare import BuildPlan

_SHOWN = 20
_PATH = click.Path(path_type=Path)
_OLDER_FLAGS = ("data_dir", "custom_class", "training_type", "output_path", "label_map_path")


@click.group()
def records() -> None:
    """Build, verify and show TFRecords."""


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
    with _progress_when_needed("check") as checking:
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
        with _progress_when_needed("write") as writing:
            report = build_from_plan(plan, out_dir, progress=writing, jobs=jobs, dry_run=dry_run)
    except NothingUsableError as error:
        _print_report(error.report, as_json=as_json)
        raise
    _print_report(report, as_json=as_json)
    return exit_codes.PARTLY_DONE if report.num_refused else exit_codes.DONE


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


@contextmanager
def _progress_when_needed(title: str) -> Iterator[Progress]:
    """Show progress from the first report on; nothing is shown of work that turns out to be done."""
    with ExitStack() as stack:
        shown: list[Progress] = []

        def report(done: int, total: int | None, note: str = "") -> None:
            if not shown:
                shown.append(stack.enter_context(progress(title)))
            shown[0](done, total, note)

        yield report


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
                _size(outcome.num_bytes) if outcome.num_bytes else "-",
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


def _size(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:.1f} MB" if num_bytes >= 100_000 else f"{num_bytes / 1e3:.1f} kB"
