"""``tagbox collect``: fetch pictures, and look after what was fetched."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scripts import exit_codes
from scripts.collect_options import (
    PATIENCE_S,
    contact_of,
    data_option,
    describe_bytes,
    options_from,
    quality_changes,
    quality_option,
    records_dirs_option,
    stop_event,
    transfer_options,
    wait_option,
)
from scripts.commands.collect_quickdraw import quickdraw, show_drawings
from scripts.commands.collect_tumblr import tumblr
from scripts.options import json_option
from scripts.output import progress, say, write_json, write_table

if TYPE_CHECKING:
    from collectors.ledger import Ledger
    from collectors.ledger_reports import LedgerStatus


@click.group()
def collect() -> None:
    """Fetch pictures and account for every one of them.

    The ledger of a dataset root (DIR/.tagbox/ledger.sqlite) holds every post and URL ever seen, what became of it and
    why, and where each picture comes from.
    """


collect.add_command(tumblr)
collect.add_command(quickdraw)


@collect.command()
@data_option
@records_dirs_option
@click.option("--gaps", "show_gaps", is_flag=True, help="List the places where posts may have been missed.")
@json_option
def status(data_dir: Path, records_dirs: tuple[Path, ...], show_gaps: bool, as_json: bool) -> None:
    """Show what the ledger knows: yield of every tag, refusals by reason, calls and bytes spent."""
    from collectors.ledger import open_ledger
    from collectors.ledger_lock import RootBusyError, exclusive
    from collectors.ledger_reports import ledger_status
    from collectors.quickdraw_ledger import summary

    ledger = open_ledger(data_dir, create=False)
    try:
        try:
            with exclusive(data_dir):
                _track(ledger, records_dirs, deep=False)
            is_busy = False
        except RootBusyError:
            is_busy = True
        found = ledger_status(ledger)
        drawings = summary(ledger)
    finally:
        ledger.close()
    if as_json:
        write_json(_status_json(found, is_busy=is_busy) | {"quickdraw": [asdict(entry) for entry in drawings]})
        return
    if is_busy:
        say("a collector is at work here; the figures move")
    if drawings:
        show_drawings(drawings)
    if found.queries or not drawings:
        _show_status(found, data_dir, show_gaps=show_gaps)


def _track(ledger: "Ledger", records_dirs: tuple[Path, ...], *, deep: bool) -> int:
    from collectors.dataset_tracking import find_removed, track_labels, track_records

    track_labels(ledger)
    track_records(ledger, records_dirs)
    return find_removed(ledger) if deep else 0


def _status_json(found: "LedgerStatus", *, is_busy: bool) -> dict[str, Any]:
    return {
        "pictures": found.num_pictures,
        "states": found.states,
        "classes": found.classes,
        "refusals": {code: {"pictures": num, "retryable": again} for code, (num, again) in found.refusals.items()},
        "queries": [
            {
                "class": entry.query.class_name,
                "tag": entry.query.tag,
                "blog": entry.query.blog,
                "posts": entry.posts,
                "pages": entry.pages,
                "pictures": entry.pictures,
                "kept": entry.kept,
                "refused": entry.refused,
                "waiting": entry.waiting,
                "kept_per_page": round(entry.kept_per_page, 2),
                "possible_gaps": entry.num_gaps,
                "back_dated_posts": entry.back_dated,
                "exhausted": entry.is_exhausted,
                "unavailable": entry.is_unavailable,
            }
            for entry in found.queries
        ],
        "gaps": [
            {"query": title, "kind": kind, "second": second, "note": note} for title, kind, second, note in found.gaps
        ],
        "spending": found.spending,
        "calls_last_hour": found.calls_last_hour,
        "forgotten": found.num_forgotten,
        "collector_at_work": is_busy,
    }


def _show_status(found: "LedgerStatus", data_dir: Path, *, show_gaps: bool) -> None:
    rows = []
    for entry in found.queries:
        end = "unavailable" if entry.is_unavailable else "all read" if entry.is_exhausted else "goes on"
        rows.append(
            [
                entry.query.class_name, entry.query.title, str(entry.posts), str(entry.pictures), str(entry.kept),
                str(entry.refused), str(entry.waiting), f"{entry.kept_per_page:.1f}", str(entry.num_gaps), end,
            ]
        )  # fmt: skip
    headings = [
        "class",
        "query",
        "posts",
        "pictures",
        "kept",
        "refused",
        "waiting",
        "kept a page",
        "gaps?",
        "posts left",
    ]
    write_table(headings, rows, right={2, 3, 4, 5, 6, 7, 8})
    click.echo()
    if found.refusals:
        table = [[code, str(num), str(again) if again else ""] for code, (num, again) in found.refusals.items()]
        write_table(["refused because", "pictures", "worth a retry"], table, right={1, 2})
        click.echo()
    kept = sum(found.classes.values())
    words = [f"{found.states.get(state, 0)} {state}" for state in ("labelled", "recorded") if found.states.get(state)]
    click.echo(
        f"{data_dir}: {found.num_pictures} pictures seen, {kept} kept" + (f" ({', '.join(words)})" if words else "")
    )
    spent = found.spending
    click.echo(
        f"spent: {spent.get('api_calls', 0)} API calls ({found.calls_last_hour} in the last hour), "
        f"{spent.get('media_requests', 0)} media requests, {describe_bytes(spent.get('media_bytes', 0))}"
    )
    if found.num_forgotten:
        click.echo(f"{found.num_forgotten} posts, blogs and pictures are forgotten on request and stay out")
    if found.gaps and not show_gaps:
        click.echo(f"posts may be missing in {len(found.gaps)} places (--gaps lists them)")
    if show_gaps:
        for title, kind, second, note in found.gaps:
            click.echo(f"  {title} at {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(second))} UTC: {note} ({kind})")
    if found.num_retryable:
        say(f"{found.num_retryable} refused pictures are worth a retry: tagbox collect retry --data {data_dir}")


@collect.command()
@data_option
@click.option("--code", "codes", multiple=True, metavar="CODE", help="Try these refusals instead, retryable or not.")
@transfer_options
@quality_option
@wait_option
@json_option
def retry(data_dir: Path, codes: tuple[str, ...], as_json: bool, wait: bool, **choices: Any) -> int | None:
    """Fetch again what failed for a passing reason: time-outs, overloaded servers, broken transfers."""
    from collectors.http_client import user_agent
    from collectors.ledger import open_ledger
    from collectors.ledger_lock import exclusive
    from collectors.retrying import retry_refused

    ledger = open_ledger(data_dir, create=False)
    try:
        with exclusive(data_dir, wait_s=PATIENCE_S if wait else 0.0, on_wait=say), stop_event() as stop:
            options = options_from(ledger, choices)
            agent = user_agent(contact_of(choices))
            with progress("trying again") as report:
                tally = retry_refused(ledger, options, agent=agent, stop=stop, codes=codes, progress=report)
            is_stopped = stop.is_set()
    finally:
        ledger.close()
    if as_json:
        write_json({"kept": tally.kept, "refused": tally.refused, "bytes": tally.num_bytes, "stopped": is_stopped})
    else:
        reasons = ", ".join(f"{code} {num}" for code, num in sorted(tally.refused.items()))
        say(f"{tally.kept} kept, {tally.num_refused} refused" + (f": {reasons}" if reasons else ""))
    return exit_codes.INTERRUPTED if is_stopped else None


@collect.command()
@data_option
@quality_option
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@wait_option
@json_option
def regate(data_dir: Path, quality: tuple[str, ...], dry_run: bool, wait: bool, as_json: bool) -> None:
    """Apply other quality thresholds to the pictures that are here, without downloading.

    The thresholds are remembered for later runs; without --quality the ones remembered are applied again. Pictures that
    no longer pass are put aside and come back with looser thresholds. Labelled pictures stay.
    """
    from collectors.image_quality import QualityThresholds
    from collectors.ledger import open_ledger
    from collectors.ledger_lock import exclusive
    from collectors.media_table import MediaTable
    from collectors.regating import regate as judge_again

    ledger = open_ledger(data_dir, create=False)
    try:
        with exclusive(data_dir, wait_s=PATIENCE_S if wait else 0.0, on_wait=say):
            changes = (ledger.setting("quality") or {}) | quality_changes(quality)
            thresholds = QualityThresholds().with_changes(changes)
            MediaTable(ledger).recover()
            _track(ledger, (), deep=True)
            report = judge_again(ledger, thresholds, dry_run=dry_run)
            if not dry_run:
                ledger.remember("quality", changes)
    finally:
        ledger.close()
    if as_json:
        write_json(
            {
                "kept_before_and_after": report.unchanged, "newly_refused": report.refused, "newly_kept": report.kept,
                "still_refused": report.still_refused, "to_be_fetched_again": report.requeued, "dry_run": dry_run,
            }
        )  # fmt: skip
        return
    would = "would be " if dry_run else ""
    reasons = ", ".join(f"{code} {num}" for code, num in sorted(report.refused.items()))
    say(f"{sum(report.refused.values())} pictures {would}put aside" + (f" ({reasons})" if reasons else ""))
    say(f"{report.kept} pictures {would}taken back, {report.unchanged} stay, {report.still_refused} stay out")
    if report.requeued:
        say(f"{report.requeued} copies of what was put aside wait to be fetched: run the collect command again")


@collect.command()
@click.argument("target", metavar="POST|BLOG|HASH")
@data_option
@records_dirs_option
@click.option("--dry-run", is_flag=True, help="Only list what would be removed.")
@wait_option
@json_option
def forget(
    target: str, data_dir: Path, records_dirs: tuple[Path, ...], dry_run: bool, wait: bool, as_json: bool
) -> None:
    """Remove a post, a blog or a picture for good, and keep it from coming back.

    TARGET is a post (id or URL), the name of a blog, the SHA-256 of a picture, or a media URL. Pictures go with
    their XML and all copies, everywhere below the dataset root; the records that still hold them are listed.
    """
    from collectors.forgetting import forget as forget_target
    from collectors.ledger import open_ledger
    from collectors.ledger_lock import exclusive
    from collectors.media_table import MediaTable

    ledger = open_ledger(data_dir, create=False)
    try:
        with exclusive(data_dir, wait_s=PATIENCE_S if wait else 0.0, on_wait=say):
            MediaTable(ledger).recover()
            _track(ledger, records_dirs, deep=False)
            report = forget_target(ledger, target, records_dirs=records_dirs, dry_run=dry_run)
    finally:
        ledger.close()
    if as_json:
        write_json(
            {
                "kind": report.kind, "value": report.value, "posts": report.posts, "pictures": report.pictures,
                "files": report.files, "records_to_rebuild": report.records, "dry_run": dry_run,
            }
        )  # fmt: skip
        return
    for name in report.files:
        click.echo(name)
    would = "would be " if dry_run else ""
    say(
        f"{report.kind} {report.value}: {report.posts} posts, {report.pictures} pictures, {len(report.files)} files "
        f"{would}removed" + ("" if dry_run else "; it will not come back")
    )
    for record in report.records:
        say(f"rebuild, it still holds the picture: {record}  (tagbox records build)")


@collect.command()
@data_option
@json_option
def attribution(data_dir: Path, as_json: bool) -> None:
    """Write ATTRIBUTION.md and ATTRIBUTION.csv: who made each picture, where it was posted, and by whom first."""
    from collectors.attribution import write_attribution
    from collectors.ledger import open_ledger
    from collectors.quickdraw_ledger import summary
    from collectors.quickdraw_ledger import write_attribution as write_attribution_of_drawings

    ledger = open_ledger(data_dir, create=False)
    try:
        paths, num = write_attribution(ledger)
        if summary(ledger):
            paths.append(write_attribution_of_drawings(ledger))
    finally:
        ledger.close()
    if as_json:
        write_json({"files": [str(path) for path in paths], "credits": num})
        return
    for path in paths:
        click.echo(path)
    say(f"{num} credits")
