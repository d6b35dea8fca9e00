"""``tagbox records build``."""

import gc
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from collectors.progress import Progress
from records.plan import SPLITS
from scripts import exit_codes
from scripts.options import json_option
from scripts.output import progress_when_needed, say, size_in_words, write_json, write_table

if TYPE_CHECKING:
    from records.build_report import BuildReport
    from records.prepare import BuildPlan, ContentOptions
    from records.staging import Engine

_SHOWN = 20
_OBJECTS_A_COLLECTION = 100_000
_PATH = click.Path(path_type=Path)
_OLDER_FLAGS = ("data_dir", "custom_class", "training_type", "output_path", "label_map_path")
_KINDS = ("exif", "gif", "webp", "tiff", "avif", "bmp", "cmyk", "16bit")


class _Part(click.ParamType[tuple[int, int]]):
    """A share of the shards, ``i/n``."""

    name = "i/n"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        index, _, count = str(value).partition("/")
        if not (index.isdigit() and count.isdigit() and 1 <= int(index) <= int(count)):
            self.fail(f"{value!r} is no share such as 1/4 to 4/4.", param, ctx)
        return int(index), int(count)


@click.command()
@click.argument("data", metavar="[DATA]", type=_PATH, required=False)
@click.option("--out", type=_PATH, help="Folder of the records.  [default: records]")
@click.option("--class", "classes", multiple=True, metavar="NAME", help="Only this class folder; repeat it for more.")
@click.option("--merge", is_flag=True, help="One record a split for all classes; equal pictures become one example.")
@click.option("--label-map", type=_PATH, help="Use this label map instead of DATA/label_map.pbtxt.")
@click.option("--drop-difficult", is_flag=True, help="Leave boxes out that are marked difficult; they are counted.")
@click.option(
    "--min-box",
    metavar="N@SIZE",
    help="Leave boxes out with a side below N pixels where the model sees SIZE (300 or 640x480); they are counted.",
)
@click.option(
    "--transcode",
    multiple=True,
    type=click.Choice([*_KINDS, "all"]),
    help="Convert pictures of this kind; repeat it for more. Everything else goes in byte for byte.",
)
@click.option(
    "--shard-mb",
    type=click.FloatRange(min=0, min_open=True),
    default=200.0,
    show_default=True,
    help="Split a record into files whose pictures come to at most this many megabytes.",
)
@click.option("--jobs", type=click.IntRange(min=1), help="How many work at once; the bytes do not depend on it.")
@click.option("--shard", "part", type=_Part(), help="Build every n-th file only; whoever finds all there commits.")
@click.option("--engine", type=click.Choice(["local", "beam"]), default="local", show_default=True, help="Who builds.")
@click.option("--beam-arg", "beam_args", multiple=True, metavar="--NAME=VALUE", help="For Beam; repeat it for more.")
@click.option("--worker-data", metavar="ROOT", help="What Beam's workers call DATA, a path or URL.")
@click.option("--worker-out", metavar="ROOT", help="Where Beam's workers write, a path or URL.")
@click.option("--check", is_flag=True, help="Say what a build would do and why, and write nothing.")
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
    merge: bool,
    label_map: Path | None,
    drop_difficult: bool,
    min_box: str | None,
    transcode: tuple[str, ...],
    shard_mb: float,
    jobs: int | None,
    part: tuple[int, int] | None,
    engine: str,
    beam_args: tuple[str, ...],
    worker_data: str | None,
    worker_out: str | None,
    check: bool,
    dry_run: bool,
    as_json: bool,
    **older: Any,
) -> int:
    """Check the labels of DATA and build one record for each class and split.

    DATA (default: data) holds one folder a class, with XML in training/ and verification/ and the pictures in
    images/ below. Pictures that the checks refuse stay out and are listed. What is up to date is left alone.

    Exit codes: 0 every picture is in, 5 some are refused, 6 nothing can be used, 2 wrong usage; with --check 0 when
    there is nothing to do and 1 when there is.
    """
    from records.build import build_from_plan, build_part
    from records.build_report import NothingUsableError
    from records.prepare import check_cache_of, prepare_build

    newer = {"DATA": data, "--out": out, "--class": classes or None, "--label-map": label_map, "--merge": merge or None}
    is_older_call = any(value is not None for value in older.values())
    if is_older_call:
        _refuse_mixture(newer, older)
    if part is not None and (check or dry_run):
        raise click.UsageError("--shard builds; leave --check and --dry-run out.")
    chosen = _engine(engine, jobs, beam_args, worker_data, worker_out)
    content = _content(merge, drop_difficult, min_box, transcode)
    with _few_collections(), progress_when_needed("check") as checking:
        if is_older_call:
            out_dir = older["output_path"].parent
            plan = _plan_like_the_older_script(older, content, checking, jobs, keep_check=not (check or dry_run))
        else:
            out_dir, root = out or Path("records"), data or Path("data")
            plan = prepare_build(
                root,
                classes=classes or None,
                label_map_path=label_map,
                shard_bytes=int(shard_mb * 1_000_000),
                content=content,
                progress=checking,
                jobs=jobs,
                cache=check_cache_of(root, read_only=check or dry_run),
            )
    try:
        with _few_collections(), progress_when_needed("write") as writing:
            if part is not None:
                report = build_part(plan, out_dir, part=part, progress=writing, engine=chosen)
            else:
                report = build_from_plan(plan, out_dir, progress=writing, engine=chosen, dry_run=dry_run or check)
    except NothingUsableError as error:
        _print_report(error.report, as_json=as_json)
        raise
    _print_report(report, as_json=as_json, why=check)
    if check:
        return exit_codes.DONE if report.is_current else exit_codes.FINDINGS
    return exit_codes.PARTLY_DONE if report.num_refused else exit_codes.DONE


@contextmanager
def _few_collections() -> Iterator[None]:
    """Look for garbage less often: a plan is a hundred objects a picture, all needed, and looking takes a sixth."""
    before = gc.get_threshold()
    gc.set_threshold(_OBJECTS_A_COLLECTION, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _engine(
    name: str, jobs: int | None, beam_args: tuple[str, ...], worker_data: str | None, worker_out: str | None
) -> "Engine":
    from records.local_engine import LocalEngine

    if name == "local":
        given = [
            flag
            for flag, value in (("--beam-arg", beam_args), ("--worker-data", worker_data), ("--worker-out", worker_out))
            if value
        ]
        if given:
            raise click.UsageError(f"{given[0]} goes with --engine beam.")
        return LocalEngine(jobs)
    from records.beam_engine import BeamEngine, require_beam

    require_beam()
    return BeamEngine(beam_args, worker_data=worker_data, worker_out=worker_out)


def _content(merge: bool, drop_difficult: bool, min_box: str | None, transcode: tuple[str, ...]) -> "ContentOptions":
    from records.box_filters import BoxFilters, parse_smallest_box
    from records.prepare import ContentOptions

    filters = BoxFilters(drop_difficult, parse_smallest_box(min_box) if min_box is not None else None)
    return ContentOptions(merge, filters, frozenset(_KINDS if "all" in transcode else transcode))


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
    older: dict[str, Any], content: "ContentOptions", checking: Progress, jobs: int | None, *, keep_check: bool
) -> "BuildPlan":
    from records.prepare import check_cache_of, prepare_single_record

    root = older["data_dir"]
    return prepare_single_record(
        root,
        file=older["output_path"].name,
        class_name=older["custom_class"],
        split=older["training_type"],
        label_map_path=older["label_map_path"],
        content=content,
        progress=checking,
        jobs=jobs,
        cache=check_cache_of(root, read_only=not keep_check),
    )


def _print_report(report: "BuildReport", *, as_json: bool, why: bool = False) -> None:
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
                _files(len(outcome.rebuilt), len(outcome.plan.shards)),
                outcome.state.value,
                outcome.plan.file if outcome.plan.shards else "-",
            ]
            for outcome in report.outcomes
        ]
        headings = ["class", "split", "images", "boxes", "refused", "size", "files", "state", "record"]
        write_table(headings, rows, right={2, 3, 4, 5})
    if why:
        _say_why(report)
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


def _files(num_rebuilt: int, num_files: int) -> str:
    return f"{num_rebuilt} of {num_files}" if num_rebuilt else str(num_files)


def _say_why(report: "BuildReport") -> None:
    rebuilt = [pair for outcome in report.outcomes for pair in outcome.rebuilt]
    for file, reason in rebuilt[:_SHOWN]:
        say(f"to build: {file}: {reason}")
    if len(rebuilt) > _SHOWN:
        say(f"to build: {len(rebuilt) - _SHOWN} more; --json prints them all")
    for file in report.removed:
        say(f"to remove: {file}: the data has no such record any more")
    if not rebuilt and not report.removed and not report.is_current:
        say("to write: manifest.json or the label map; the records themselves are up to date")


def _wrote_nothing(report: "BuildReport") -> bool:
    return report.dry_run or not report.num_written


def _summary(report: "BuildReport") -> str:
    merged = f" + {report.num_merged} merged into others" if report.num_merged else ""
    account = (
        f"labelled pictures: {report.num_found} = {report.num_written} in records{merged} + "
        f"{report.num_refused} refused"
    )
    if not report.num_written:
        return f"{account}; nothing was written"
    if report.num_missing:
        return f"{account}; this share is done, files that others have to build: {report.num_missing}"
    if report.dry_run:
        current = "; everything is up to date" if report.is_current else ""
        return f"{account}{current}; nothing was written (dry run)"
    if report.is_up_to_date:
        return f"{account}; up to date in {report.out_dir}"
    written = sum(outcome.state == "written" for outcome in report.outcomes)
    return f"{account}; wrote {written} of {len(report.outcomes)} records to {report.out_dir}"
