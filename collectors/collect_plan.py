"""What a run will cost, before it costs anything: calls, time at the limits, bytes, disk."""

from collections.abc import Sequence
from dataclasses import dataclass

from collectors.ledger import Ledger, Query
from collectors.ledger_reports import ledger_status
from collectors.rate_limits import CallWindow

# Means seen on photo tags; a dataset's own figures replace them once it has some.
_POSTS_PER_PAGE = 20.0
_PICTURES_PER_POST = 1.2
_KEPT_SHARE = 0.7
_BYTES_PER_PICTURE = 220_000.0
_PICTURES_PER_S = 10.0
_ENOUGH_PAGES = 3


@dataclass(frozen=True, slots=True)
class CollectPlan:
    """The expected cost of a run.

    Attributes:
        kept: Pictures to be kept.
        calls: API calls.
        seconds: Wall time, the longer of calling within the limits and fetching.
        sittings: Times the command has to be started, because the daily quota ends it.
        download_bytes: Received from media hosts.
        disk_bytes: Used on disk at the end, kept and refused pictures.
        basis: Where the rates come from, for people.
    """

    kept: int
    already_kept: int
    calls: int
    pictures: int
    seconds: float
    sittings: int
    download_bytes: int
    disk_bytes: int
    basis: str
    kept_per_call: float


def plan_collection(
    ledger: Ledger | None, queries: Sequence[Query], *, limit: int, windows: Sequence[CallWindow]
) -> CollectPlan:
    """Estimate a run, from the ledger's own history where it has one.

    Args:
        ledger: ``None`` before the first run.
        queries: What is to be collected, all for one class.
        limit: Kept pictures wanted.
        windows: The limits of calls that will be kept.
    """
    kept_per_page = _POSTS_PER_PAGE * _PICTURES_PER_POST * _KEPT_SHARE
    kept_share, num_bytes, basis, already = _KEPT_SHARE, _BYTES_PER_PICTURE, "usual figures of photo tags", 0
    if ledger is not None:
        status = ledger_status(ledger)
        already = status.classes.get(queries[0].class_name, 0)
        same = [entry for entry in status.queries if entry.query in queries]
        known = same if sum(entry.pages for entry in same) >= _ENOUGH_PAGES else status.queries
        pages = sum(entry.pages for entry in known)
        kept, refused = sum(entry.kept for entry in known), sum(entry.refused for entry in known)
        if pages >= _ENOUGH_PAGES and kept:
            kept_per_page, kept_share = kept / pages, kept / (kept + refused)
            requests = status.spending.get("media_requests", 0)
            num_bytes = status.spending.get("media_bytes", 0) / requests if requests else num_bytes
            basis = "this dataset so far" + ("" if known is same else " (other tags)")
    wanted = max(0, limit - already)
    calls = -(-wanted // max(kept_per_page, 0.01)) if wanted else 0
    pictures = round(wanted / kept_share)
    call_seconds = _seconds_for(int(calls), windows)
    return CollectPlan(
        kept=wanted,
        already_kept=already,
        calls=int(calls),
        pictures=pictures,
        seconds=max(call_seconds, pictures / _PICTURES_PER_S),
        sittings=1 + int(call_seconds // 86_400),
        download_bytes=round(pictures * num_bytes),
        disk_bytes=round(pictures * num_bytes),
        basis=basis,
        kept_per_call=kept_per_page,
    )


def _seconds_for(calls: int, windows: Sequence[CallWindow]) -> float:
    """Time the calls take when every window is used to the full and refilled as soon as it may be."""
    return max((((calls - 1) // window.calls) * window.seconds for window in windows), default=0.0) if calls else 0.0
