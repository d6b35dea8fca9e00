"""``tagbox collect tumblr``: a tag becomes a folder of pictures."""

import re
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from collectors.errors import ConfigError, PartlyDoneError, RemoteError
from scripts import exit_codes
from scripts.collect_options import (
    PATIENCE_S,
    contact_of,
    data_option,
    describe_bytes,
    describe_seconds,
    options_from,
    proxy_for,
    quality_option,
    stop_event,
    transfer_options,
    wait_option,
)
from scripts.options import json_option
from scripts.output import progress, say, write_json

if TYPE_CHECKING:
    from collectors.collect_plan import CollectPlan
    from collectors.ledger import Query
    from collectors.tumblr import SessionReport

_UNSAFE_NAME = re.compile(r"[/\\\x00-\x1f]|^\.|^\s|\s$")


@click.command()
@click.argument("tags", metavar="[TAG]...", nargs=-1)
@click.option("--class", "class_name", required=True, metavar="NAME", help="The class the pictures are for.")
@data_option
@click.option("--blog", "blogs", multiple=True, metavar="BLOG", help="Look in this blog only; can be repeated.")
@click.option("--limit", type=click.IntRange(1), help="Pictures to keep. [default: all there are]")
@click.option("--max-posts", type=click.IntRange(1), help="Stop after this many new posts.")
@click.option("--budget-calls", type=click.IntRange(1), help="Stop after this many API calls.")
@click.option("--before", metavar="DATE", help="Only posts before this day (UTC): 2025-01-31, or with time.")
@click.option("--after", metavar="DATE", help="Only posts from this day on (UTC).")
@click.option("--size", type=click.Choice(["640", "1280", "2048"]), default="1280", show_default=True,
              help="Largest rendition: 640x960, 1280x1920 or 2048x3072.")  # fmt: skip
@click.option("--plan", "--dry-run", "only_plan", is_flag=True, help="Say what the run will cost, and stop.")
@click.option(
    "--calls-per-minute", type=click.IntRange(1), default=60, show_default=True, help="Own limit of API calls."
)
@click.option("--calls-per-hour", type=click.IntRange(1), default=1_000, show_default=True, help="Quota of the key.")
@click.option("--calls-per-day", type=click.IntRange(1), default=5_000, show_default=True, help="Quota of the key.")
@click.option("--burst-wait", type=click.FloatRange(0), default=60.0, show_default=True, metavar="SECONDS",
              help="Pause after Tumblr says that calls come too fast.")  # fmt: skip
@click.option("--max-wait", type=click.FloatRange(0), default=3_600.0, show_default=True, metavar="SECONDS",
              help="Longest wait for a quota; beyond it the run ends with exit code 4.")  # fmt: skip
@click.option("--host", metavar="URL", help="Another API, such as the local Tumblr of the tests.")
@transfer_options
@quality_option
@wait_option
@json_option
def tumblr(
    tags: tuple[str, ...],
    class_name: str,
    data_dir: Path,
    only_plan: bool,
    wait: bool,
    as_json: bool,
    **choices: Any,
) -> int | None:
    r"""Fetch good, distinct pictures from Tumblr posts with a TAG.

    They go to DIR/<class>/unlabeled/images/. A second run brings what was posted since, then goes further back while
    fewer than --limit pictures are kept; an interrupted run goes on where it was. The API key comes from
    TUMBLR_CONSUMER_KEY.

    \b
    tagbox collect tumblr pose --class pose --limit 500
    tagbox collect tumblr "yoga pose" asana --class pose --blog some-studio

    Exit codes: 0 done, 1 nobody uses the tag, 3 no key or refused, 4 Tumblr fails or the quota is spent for long,
    5 some blogs could not be read, 6 disk or ledger trouble, 130 interrupted (saved).
    """
    from collectors.rate_limits import CallWindow

    queries = _queries(tags, class_name, choices)
    windows = [
        CallWindow(choices["calls_per_minute"], 60.0),
        CallWindow(choices["calls_per_hour"], 3_600.0),
        CallWindow(choices["calls_per_day"], 86_400.0),
    ]
    if only_plan:
        _plan(data_dir, queries, windows, choices["limit"], as_json=as_json)
        return None
    report = _collect(data_dir, queries, windows, choices, wait=wait)
    if as_json:
        write_json(_report_json(report))
    else:
        _show(report, data_dir, class_name, choices["limit"])
    return _exit_code(report, queries, data_dir)


def _queries(tags: tuple[str, ...], class_name: str, choices: dict[str, Any]) -> "list[Query]":
    from collectors.ledger import Query

    if _UNSAFE_NAME.search(class_name) or not class_name:
        raise ConfigError(f"--class {class_name!r} cannot be the name of a folder")
    names = list(dict.fromkeys(tag.strip().lstrip("#").strip() for tag in tags))
    blogs = list(dict.fromkeys(_blog_name(blog) for blog in choices["blogs"]))
    if "" in names or "" in blogs:
        raise ConfigError("a tag or blog is empty", fix="For example: tagbox collect tumblr pose --class pose")
    if not names and not blogs:
        raise ConfigError("no tag and no blog is given", fix="For example: tagbox collect tumblr pose --class pose")
    since, until = _second(choices["after"], "--after"), _second(choices["before"], "--before")
    if since and until and since >= until:
        raise ConfigError("--after must lie before --before")
    return [Query(class_name, tag, blog, since, until) for tag in names or [""] for blog in blogs or [""]]


def _blog_name(text: str) -> str:
    name = re.sub(r"^https?://(www\.)?", "", text.strip()).split("/")[0].lstrip("@")
    return name.removesuffix(".tumblr.com")


def _second(text: str | None, option: str) -> int:
    if text is None:
        return 0
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{option} {text}: not a date", fix="Write it as 2025-01-31 or 2025-01-31T18:00.") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _collect(
    data_dir: Path, queries: "list[Query]", windows: list[Any], choices: dict[str, Any], *, wait: bool
) -> "SessionReport":
    from PIL import Image

    from collectors.dataset_tracking import find_removed, track_labels
    from collectors.http_client import api_session, user_agent
    from collectors.ledger import open_ledger, record_call
    from collectors.ledger_lock import exclusive
    from collectors.ledger_schema import LEDGER_PATH
    from collectors.rate_limits import RateScheduler
    from collectors.tumblr import TumblrSession
    from collectors.tumblr_api import API_HOST, TumblrApi
    from collectors.tumblr_posts import SizeLimit
    from scripts.credentials import tumblr_credentials

    # The collector refuses such pictures with a reason; the warning would only confuse.
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)
    credentials = tumblr_credentials()
    contact = contact_of(choices, credentials.contact)
    if not contact:
        say("no contact is given for the User-Agent; set TUMBLR_CONTACT to your mail or page, as is polite")
    agent = user_agent(contact)
    width = int(choices["size"])
    with exclusive(data_dir, wait_s=PATIENCE_S if wait else 0.0, on_wait=say), stop_event() as stop:
        ledger = open_ledger(data_dir)
        try:
            options = options_from(
                ledger, choices, limit=choices["limit"], max_posts=choices["max_posts"],
                budget_calls=choices["budget_calls"], size_limit=SizeLimit(width, width * 3 // 2),
            )  # fmt: skip
            track_labels(ledger)
            if gone := find_removed(ledger):
                say(
                    f"{gone} pictures were deleted by hand; they stay out (tagbox collect retry --code removed_by_hand)"
                )
            scheduler = RateScheduler(
                windows, earlier=ledger.recent_calls(time.time()), max_wait_s=choices["max_wait"],
                burst_wait_s=choices["burst_wait"], on_wait=_say_wait, stop=stop,
                on_call=lambda at: record_call(data_dir / LEDGER_PATH, at),
            )  # fmt: skip
            host = choices["host"] or API_HOST
            api = TumblrApi(
                credentials.consumer_key, api_session(agent, proxy=proxy_for(host)), scheduler, host=host,
                back_off_s=choices["back_off"],
            )  # fmt: skip
            titles = ", ".join(query.title for query in queries)
            with progress(f"{queries[0].class_name}: {titles}") as report:
                session = TumblrSession(
                    ledger, api, queries, options, agent=agent, stop=stop, num_calls=lambda: scheduler.calls,
                    progress=report,
                )  # fmt: skip
                return session.run()
        finally:
            ledger.close()


def _say_wait(until: float, reason: str) -> None:
    moment = time.strftime("%H:%M:%S", time.localtime(until))
    say(f"waiting until {moment} ({describe_seconds(until - time.time())}): {reason}")


def _plan(data_dir: Path, queries: "list[Query]", windows: list[Any], limit: int | None, *, as_json: bool) -> None:
    from collectors.collect_plan import plan_collection
    from collectors.ledger import open_ledger
    from collectors.ledger_schema import LEDGER_PATH

    if limit is None:
        raise ConfigError("a plan needs --limit", fix="Say how many pictures you want, for example --limit 500.")
    ledger = open_ledger(data_dir, create=False) if (data_dir / LEDGER_PATH).is_file() else None
    try:
        plan = plan_collection(ledger, queries, limit=limit, windows=windows)
    finally:
        if ledger is not None:
            ledger.close()
    if as_json:
        write_json({field: getattr(plan, field) for field in plan.__slots__})
        return
    _show_plan(plan, queries)


def _show_plan(plan: "CollectPlan", queries: "list[Query]") -> None:
    click.echo(f"to keep   {plan.kept} pictures for {queries[0].class_name} ({plan.already_kept} are here)")
    click.echo(f"calls     about {plan.calls}, at {plan.kept_per_call:.1f} kept pictures a call")
    click.echo(f"fetch     about {plan.pictures} pictures, {describe_bytes(plan.download_bytes)}")
    sittings = f", in {plan.sittings} sittings (daily quota)" if plan.sittings > 1 else ""
    click.echo(f"time      about {describe_seconds(plan.seconds)} at the limits set{sittings}")
    click.echo(f"disk      about {describe_bytes(plan.disk_bytes)}, refused pictures included")
    click.echo(f"based on  {plan.basis}")


def _report_json(report: "SessionReport") -> dict[str, Any]:
    return {
        "kept": report.tally.kept,
        "refused": report.refused,
        "kept_in_class": report.kept_in_class,
        "new_posts": report.new_posts,
        "pages": report.pages,
        "calls": report.calls,
        "bytes": report.tally.num_bytes,
        "ended_by": report.ended_by,
        "possible_gaps": report.num_gaps,
        "unavailable": report.unavailable,
    }


_ENDINGS = {
    "limit": "the limit is reached",
    "exhausted": "there are no more posts",
    "max_posts": "--max-posts is reached",
    "budget": "the budget of calls is spent",
    "stopped": "interrupted; the same command goes on",
}


def _show(report: "SessionReport", data_dir: Path, class_name: str, limit: int | None) -> None:
    of_limit = f" of {limit}" if limit else ""
    tally = report.tally
    say(
        f"{report.kept_in_class}{of_limit} pictures in {data_dir / class_name / 'unlabeled' / 'images'} "
        f"({tally.kept} new); {_ENDINGS[report.ended_by]}"
    )
    say(f"{report.new_posts} new posts in {report.calls} calls, {describe_bytes(tally.num_bytes)} received")
    if report.refused:
        reasons = sorted(report.refused.items(), key=lambda item: (-item[1], item[0]))
        say(f"{sum(report.refused.values())} refused: " + ", ".join(f"{code} {num}" for code, num in reasons))
    if report.num_gaps:
        say(f"posts may be missing in {report.num_gaps} places: tagbox collect status --gaps --data {data_dir}")
    say(f"all of it: tagbox collect status --data {data_dir}")


def _exit_code(report: "SessionReport", queries: "list[Query]", data_dir: Path) -> int | None:
    if report.ended_by == "stopped":
        return exit_codes.INTERRUPTED
    if report.unavailable:
        lines = "; ".join(f"{title}: {reason}" for title, reason in report.unavailable.items())
        if len(report.unavailable) == len(queries):
            raise RemoteError(lines, fix="Check the names.")
        raise PartlyDoneError(lines, fix=f"The others are done; tagbox collect status --data {data_dir} shows them.")
    if report.ended_by == "exhausted" and not report.new_posts and not report.kept_in_class:
        titles = ", ".join(query.title for query in queries)
        say(f"no post was found for {titles}: check the spelling, or try another tag")
        return exit_codes.FINDINGS
    return None
