"""What the ledger knows, summed up; reads counters and small tables only, so that size does not matter."""

import time
from dataclasses import dataclass, field

from collectors.ledger import Ledger, Query

_KEPT = ("kept", "labelled", "recorded")
_WAITING = ("seen", "queued", "fetched")


@dataclass(slots=True)
class QueryStatus:
    """What one query brought: pictures are credited to the query that saw them first."""

    query: Query
    posts: int = 0
    pages: int = 0
    pictures: int = 0
    kept: int = 0
    refused: int = 0
    waiting: int = 0
    num_gaps: int = 0
    back_dated: int = 0
    is_exhausted: bool = False
    is_unavailable: bool = False

    @property
    def kept_per_page(self) -> float:
        """Kept pictures for each page of the API, the price of a picture; 0 before the first page."""
        return self.kept / self.pages if self.pages else 0.0


@dataclass(slots=True)
class LedgerStatus:
    """The state of a dataset root.

    Attributes:
        states: State -> pictures; their sum is every picture ever seen.
        refusals: Code -> (pictures, of which retryable).
        gaps: ``(query, kind, Unix second, note)`` of every place where posts may have been missed.
        spending: api_calls, media_requests, media_bytes.
        calls_last_hour: API calls of the last hour.
        num_forgotten: Tombstones of posts, blogs and pictures.
    """

    states: dict[str, int] = field(default_factory=dict)
    classes: dict[str, int] = field(default_factory=dict)
    refusals: dict[str, tuple[int, int]] = field(default_factory=dict)
    queries: list[QueryStatus] = field(default_factory=list)
    gaps: list[tuple[str, str, int, str]] = field(default_factory=list)
    spending: dict[str, int] = field(default_factory=dict)
    calls_last_hour: int = 0
    num_forgotten: int = 0

    @property
    def num_pictures(self) -> int:
        """Every picture ever seen."""
        return sum(self.states.values())

    @property
    def num_retryable(self) -> int:
        """Refused pictures worth another try."""
        return sum(retryable for _, retryable in self.refusals.values())


def ledger_status(ledger: Ledger) -> LedgerStatus:
    """Sum up a ledger. An empty one gives zeros."""
    db = ledger.connection
    status = LedgerStatus()
    by_query: dict[int, QueryStatus] = {}
    for row in db.execute("SELECT * FROM queries ORDER BY id"):
        query = Query(row["class_name"], row["tag"], row["blog"], row["since"], row["until"])
        by_query[row["id"]] = QueryStatus(query)
    for row in db.execute("SELECT * FROM counters WHERE num != 0 ORDER BY query_id, state, code"):
        state, num = row["state"], row["num"]
        status.states[state] = status.states.get(state, 0) + num
        if state in _KEPT:
            status.classes[row["class_name"]] = status.classes.get(row["class_name"], 0) + num
        if state == "refused":
            total, retryable = status.refusals.get(row["code"], (0, 0))
            status.refusals[row["code"]] = (total + num, retryable + num * row["is_retryable"])
        entry = by_query[row["query_id"]]
        entry.pictures += num
        entry.kept += num * (state in _KEPT)
        entry.refused += num * (state == "refused")
        entry.waiting += num * (state in _WAITING)
    walks = db.execute(
        "SELECT query_id, sum(posts) posts, sum(pages) pages, sum(back_dated) back_dated, sum(state = 'open') is_open, "
        "sum(state = 'unavailable') lost FROM walks GROUP BY query_id"
    )
    for row in walks:
        entry = by_query[row["query_id"]]
        entry.posts, entry.pages, entry.back_dated = row["posts"], row["pages"], row["back_dated"]
        entry.is_exhausted, entry.is_unavailable = not row["is_open"], bool(row["lost"])
    gaps = db.execute(
        "SELECT query_id, kind, second, gaps.note FROM gaps JOIN walks ON walks.id = gaps.walk_id ORDER BY gaps.id"
    )
    for row in gaps:
        entry = by_query[row["query_id"]]
        entry.num_gaps += 1
        status.gaps.append((entry.query.title, row["kind"], row["second"], row["note"]))
    status.queries = list(by_query.values())
    status.refusals = dict(sorted(status.refusals.items(), key=lambda item: (-item[1][0], item[0])))
    status.spending = {row["name"]: row["amount"] for row in db.execute("SELECT name, amount FROM spending")}
    hour_ago = time.time() - 3_600
    status.calls_last_hour = db.execute("SELECT count(*) FROM api_calls WHERE at > ?", (hour_ago,)).fetchone()[0]
    status.num_forgotten = db.execute(
        "SELECT count(*) FROM tombstones WHERE kind IN ('post', 'blog', 'media_key')"
    ).fetchone()[0]
    return status
