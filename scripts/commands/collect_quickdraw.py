"""``tagbox collect quickdraw``: drawings by category, only the bytes needed."""

import csv
import io
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import click

from collectors.progress import Progress
from scripts import exit_codes
from scripts.collect_options import PATIENCE_S, contact_of, describe_bytes, proxy_for, stop_event, wait_option
from scripts.options import json_option
from scripts.output import progress, say, write_json, write_table

if TYPE_CHECKING:
    from collectors.quickdraw import CategoryReport, CollectJob
    from collectors.quickdraw_ledger import OutputSummary
    from collectors.quickdraw_outputs import OutputSpec
    from collectors.quickdraw_selection import Selection
    from collectors.quickdraw_sources import Source

_DIRECTORY = click.Path(path_type=Path, file_okay=False)
_FAILURES = Path(".tagbox") / "quickdraw-failures.csv"
_SIDES = {"bitmap-npy": 28, "raster": 85, "jpeg": 224, "ndjson": 28}
_NAMED_AT_MOST = 5


@click.command()
@click.argument("categories", metavar="CATEGORY...", nargs=-1)
@click.option(
    "--as",
    "kind",
    type=click.Choice(["bitmap-npy", "jpeg", "raster", "ndjson"]),
    default="bitmap-npy",
    show_default=True,
    help="What to make of the drawings.",
)
@click.option("--out", type=_DIRECTORY, default=Path("drawings"), show_default=True, help="Where everything goes.")
@click.option("--limit", type=click.IntRange(1), help="Drawings a category.  [default: 10000]")
@click.option(
    "--sample",
    type=click.Choice(["spread", "first", "all"]),
    default="spread",
    show_default=True,
    help="Blocks from all over the file, its beginning, or everything in it.",
)
@click.option("--recognized-only", is_flag=True, help="Leave out drawings that QuickDraw did not recognise.")
@click.option("--country", "countries", multiple=True, metavar="CC", help="Only drawings from this country; repeat it.")
@click.option(
    "--skip-flagged",
    "flagged_path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Leave out the drawings listed: a key_id, or category,row, on each line.",
)
@click.option("--size", type=int, help="Side in pixels.  [default: 28; jpeg 224, raster 85]")
@click.option("--channels", type=click.Choice(["1", "3"]), help="Of raster and jpeg.  [default: 1; jpeg 3]")
@click.option(
    "--polarity",
    type=click.Choice(["black-on-white", "white-on-black"]),
    help="Of the pictures.  [default: white-on-black; jpeg black-on-white]",
)
@click.option("--line-width", type=float, default=16.0, show_default=True, help="Pen width; the canvas is 256 wide.")
@click.option("--padding", type=float, default=16.0, show_default=True, help="Border around the canvas.")
@click.option("--quality", type=int, default=90, show_default=True, help="JPEG quality, 1 to 95.")
@click.option(
    "--format",
    "format_name",
    default="",
    type=click.Choice(["", "numpy_bitmap", "binary", "simplified", "raw", "sketchrnn"]),
    help="Read this published format.  [default: the lightest that has what is needed]",
)
@click.option("--from", "folder", type=_DIRECTORY, help="Take files that lie here already; no CATEGORY means all.")
@click.option("--base-url", metavar="URL", help="Another bucket.  [default: Google's]")
@click.option("--cache", "cache_dir", type=_DIRECTORY, help="Where fetched parts are kept.  [default: in OUT/.tagbox]")
@click.option("--all-categories", is_flag=True, help="All 345.")
@click.option("--list-categories", is_flag=True, help="Print the names of all categories, and stop.")
@click.option("--jobs", type=click.IntRange(1), help="Processes that render.  [default: one a core]")
@click.option(
    "--back-off",
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="First pause after a failure; it doubles.",
)
@click.option("--contact", default="", metavar="TEXT", help="Mail or page for the User-Agent.")
@click.option("--dry-run", is_flag=True, help="Say what would be fetched; reads only the heads of the files.")
@wait_option
@json_option
def quickdraw(
    categories: tuple[str, ...],
    kind: str,
    out: Path,
    folder: Path | None,
    cache_dir: Path | None,
    dry_run: bool,
    list_categories: bool,
    all_categories: bool,
    wait: bool,
    as_json: bool,
    **choices: Any,
) -> int:  # fmt: skip
    """Fetch drawings of QuickDraw and make pictures, arrays or ndjson of them.

    CATEGORY is one of 345 names such as cat or "alarm clock". Only the bytes that are needed are fetched (10,000
    bitmaps: 7.84 MB of 115), and none twice: the same command again finishes what was stopped. Everything lies in
    OUT/<kind>/<category>, with a .csv beside it that says where each drawing comes from.
    """
    from collectors.quickdraw_bucket import CollectingStoppedError
    from collectors.quickdraw_categories import CATEGORIES

    if list_categories:
        click.echo("\n".join(CATEGORIES))
        return exit_codes.DONE
    received = _Received()
    with stop_event() as stop:
        cache = cache_dir or out / ".tagbox" / "quickdraw"
        source, names = _source_of(categories, all_categories, folder, cache, received, stop, choices)
        from collectors.processes import num_cores
        from collectors.quickdraw import CollectJob  # after the names are checked, for it takes a moment to import

        job = CollectJob(
            source=source,
            selection=_selection_of(choices),
            output=_output_of(kind, choices),
            out=out,
            format_name=choices["format_name"],
            jobs=choices["jobs"] or num_cores(),
            dry_run=dry_run,
        )
        try:
            with progress("drawings") as report:
                reports = _run(job, names, wait, received.noted(report))
        except CollectingStoppedError:
            say(f"stopped; {received.note()}. Run the same command again to go on")
            return exit_codes.INTERRUPTED
    return _tell(job, reports, as_json=as_json)


class _Received:
    """Counts what comes over the wire."""

    def __init__(self) -> None:
        self.num_bytes = 0

    def add(self, num_bytes: int) -> None:
        self.num_bytes += num_bytes

    def note(self) -> str:
        return f"{describe_bytes(self.num_bytes)} fetched"

    def noted(self, report: Progress) -> Progress:
        """Add to every report of progress what was fetched."""

        def report_with_bytes(done: int, total: int | None, note: str = "") -> None:
            report(done, total, note or self.note())

        return report_with_bytes


def _source_of(
    words: tuple[str, ...],
    all_categories: bool,
    folder: Path | None,
    cache_dir: Path,
    received: _Received,
    stop: Event,
    choices: dict[str, Any],
) -> "tuple[Source, list[str]]":
    from collectors.errors import ConfigError
    from collectors.http_client import user_agent
    from collectors.quickdraw_bucket import BASE_URL, Bucket, BucketSettings
    from collectors.quickdraw_categories import CATEGORIES, find_category
    from collectors.quickdraw_local import list_folder
    from collectors.quickdraw_sources import BucketSource, FolderSource

    if folder is not None:
        source = FolderSource(list_folder(folder))
        here = source.categories
        return source, list(dict.fromkeys(w if w in here else find_category(w) for w in words)) or list(here)
    names = list(CATEGORIES) if all_categories else [find_category(word) for word in words]
    if not names:
        raise ConfigError("no category is given", fix="Name some, or see --list-categories and --all-categories.")
    url = choices["base_url"] or BASE_URL
    settings = BucketSettings(base_url=url, back_off_s=choices["back_off"], proxy=proxy_for(url))
    bucket = Bucket(user_agent(contact_of(choices)), settings, stop)
    return BucketSource(bucket, cache_dir, received.add), list(dict.fromkeys(names))


def _selection_of(choices: dict[str, Any]) -> "Selection":
    from collectors.errors import ConfigError
    from collectors.quickdraw_flagged import FlaggedDrawings, read_flagged
    from collectors.quickdraw_selection import Selection

    limit, sample = choices["limit"], choices["sample"]
    if sample == "all" and limit is not None:
        raise ConfigError("--sample all takes everything, --limit does not", fix="Drop one of them.")
    flagged_path = choices["flagged_path"]
    return Selection(
        limit=None if sample == "all" else limit or 10_000,
        sample=sample,
        recognized_only=choices["recognized_only"],
        countries=frozenset(code.upper() for code in choices["countries"]),
        flagged=read_flagged(flagged_path) if flagged_path else FlaggedDrawings(),
    )


def _output_of(kind: str, choices: dict[str, Any]) -> "OutputSpec":
    from collectors.errors import ConfigError
    from collectors.quickdraw_outputs import OutputSpec
    from collectors.quickdraw_pictures import PictureSpec

    if kind == "bitmap-npy" and (choices["size"] not in (None, 28) or choices["channels"] == "3"):
        raise ConfigError("bitmap-npy is 28 pixels and one channel", fix="Use --as raster for other sizes.")
    pictures = PictureSpec(
        side=choices["size"] or _SIDES[kind],
        channels=int(choices["channels"] or (3 if kind == "jpeg" else 1)),
        polarity=choices["polarity"] or ("black-on-white" if kind == "jpeg" else "white-on-black"),
        line_width=choices["line_width"],
        padding=choices["padding"],
        quality=choices["quality"],
    )
    return OutputSpec(kind, pictures)


def _run(job: "CollectJob", names: list[str], wait: bool, report: Progress) -> "list[CategoryReport]":
    from collectors.ledger import open_ledger
    from collectors.ledger_lock import exclusive
    from collectors.quickdraw import collect_drawings

    if job.dry_run:
        return collect_drawings(job, names, None, progress=report)
    with exclusive(job.out, wait_s=PATIENCE_S if wait else 0.0, on_wait=say):
        ledger = open_ledger(job.out)
        try:
            found = collect_drawings(job, names, ledger, progress=report)
        finally:
            ledger.close()
        _write_failures(job.out, found)
    return found


def _write_failures(out: Path, reports: "list[CategoryReport]") -> None:
    from collectors.files import write_atomically

    failed = [report for report in reports if report.error is not None]
    path = out / _FAILURES
    if not failed:
        path.unlink(missing_ok=True)
        return
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["category", "file", "reason"])
    writer.writerows([report.category, report.url, str(report.error)] for report in failed)
    write_atomically(path, table.getvalue())


def _tell(job: "CollectJob", reports: "list[CategoryReport]", *, as_json: bool) -> int:
    if as_json:
        write_json(_as_json(job, reports))
    else:
        _write_account(reports)
    for report in reports:
        _name_refused(report)
        if report.format_name == "numpy_bitmap" and not job.output.pictures.is_official and report.error is None:
            say(f"{report.category}: enlarged from 28 pixels; where there are strokes, pictures are sharper")
    failed = [report for report in reports if report.error is not None]
    whole = sum(report.size for report in reports if report.error is None)
    num_drawings = sum(report.num_drawings for report in reports if report.error is None)
    fetched = sum(report.num_bytes if job.dry_run else report.num_received for report in reports)
    verb = "would take" if job.dry_run else "have"
    of_whole = f"{describe_bytes(fetched)} fetched of {describe_bytes(whole)} in whole files"
    say(f"{verb} {num_drawings} drawings; {of_whole}")
    if not failed:
        return exit_codes.DONE
    for report in failed:
        say(f"failed: {report.error}")
    if len(failed) == len(reports):
        assert failed[0].error is not None
        return exit_codes.code_of(failed[0].error)
    if not job.dry_run:
        say(f"{len(failed)} of {len(reports)} categories failed; they are listed in {job.out / _FAILURES}")
    return exit_codes.PARTLY_DONE


def _name_refused(report: "CategoryReport") -> None:
    for record in report.first_refused[:_NAMED_AT_MOST]:
        say(f"skipped: {report.url}: byte {record.offset}: {record.reason} ({record.code})")
    left = report.refused.total() - _NAMED_AT_MOST
    if left > 0 and report.first_refused:
        say(f"... and {left} more in {report.category}")


def _write_account(reports: "list[CategoryReport]") -> None:
    rows = [
        [
            report.category,
            report.state,
            report.format_name,
            str(report.num_drawings),
            describe_bytes(report.num_received),
            describe_bytes(report.size),
            ", ".join(f"{code} {num}" for code, num in sorted((report.left_out + report.refused).items())) or "-",
            str(report.path) if report.error is None else "-",
        ]
        for report in reports
    ]
    headings = ["category", "state", "from", "drawings", "fetched", "whole file", "left out", "where"]
    write_table(headings, rows, right={3, 4, 5})


def show_drawings(found: "list[OutputSummary]") -> None:
    """Print what was made of QuickDraw's drawings, for ``tagbox collect status``."""
    rows = [
        [
            entry.folder, entry.category, str(entry.num_drawings), str(entry.num_left_out), str(entry.num_refused),
            describe_bytes(entry.bytes_fetched), describe_bytes(entry.size),
        ]
        for entry in found
    ]  # fmt: skip
    headings = ["folder", "category", "drawings", "left out", "refused", "fetched", "whole file"]
    write_table(headings, rows, right={2, 3, 4, 5, 6})


def _as_json(job: "CollectJob", reports: "list[CategoryReport]") -> dict[str, Any]:
    return {
        "out": str(job.out),
        "dry_run": job.dry_run,
        "options": job.options(),
        "categories": [
            {
                "category": report.category,
                "state": report.state,
                "format": report.format_name,
                "url": report.url,
                "drawings": report.num_drawings,
                "bytes_fetched": report.num_received,
                "bytes_of_whole_file": report.size,
                "bytes_written" if not job.dry_run else "bytes_to_fetch": report.num_bytes,
                "left_out": dict(report.left_out),
                "refused": dict(report.refused),
                "removed": report.num_removed,
                "path": str(report.path) if report.error is None else None,
                "error": str(report.error) if report.error is not None else None,
            }
            for report in reports
        ],
    }
