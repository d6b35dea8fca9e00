"""Collecting from Tumblr: pages on one side, pictures on the other, one thread that writes the ledger between them.

A session first brings what was posted since the last one (the head), then goes on into the past (the backlog) while
fewer pictures are kept than wanted. A page is asked for only when the pictures under way cannot reach the limit, so the
same command ends with the same set however often it was interrupted.
"""

import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import Queue
from threading import Event

from collectors.consent import ConsentPolicy, judge_post
from collectors.downloader import Downloader, DownloadSettings
from collectors.errors import TagboxError
from collectors.image_files import ImageLimits
from collectors.image_quality import QualityThresholds
from collectors.ledger import Ledger, Query, Walk
from collectors.media_pipeline import Arrival, MediaPipeline, Tally
from collectors.media_table import MediaJob, MediaTable
from collectors.progress import Progress, no_progress
from collectors.rate_limits import StoppedError
from collectors.selection import Selector
from collectors.tumblr_api import BLOG_PAGE, TAGGED_PAGE, BlogUnavailableError, TumblrApi
from collectors.tumblr_paging import advance
from collectors.tumblr_posts import Post, SizeLimit, parse_post

_NO_LIMIT = 10**9
_UNDER_WAY = "under way"


@dataclass(frozen=True, slots=True)
class CollectOptions:
    """What a session is to do.

    Attributes:
        limit: Kept pictures of the class to reach; ``None`` for all there are. New posts are always brought in, at
            most ``limit`` pictures of them a session.
        max_posts: New posts to read in this session, ``None`` for no bound.
        budget_calls: API calls to spend in this session, ``None`` for no bound.
        num_threads: Threads that fetch and decode.
    """

    limit: int | None = None
    max_posts: int | None = None
    budget_calls: int | None = None
    num_threads: int = 12
    size_limit: SizeLimit = field(default_factory=SizeLimit)
    policy: ConsentPolicy = field(default_factory=ConsentPolicy)
    image_limits: ImageLimits = field(default_factory=ImageLimits)
    thresholds: QualityThresholds = field(default_factory=QualityThresholds)
    download: DownloadSettings = field(default_factory=DownloadSettings)


@dataclass(slots=True)
class SessionReport:
    """What a session did.

    Attributes:
        ended_by: limit, exhausted, max_posts, budget, stopped.
        refused: Code -> pictures refused in this session, those that were never fetched included.
        unavailable: Title of a query -> why it could not be read.
        num_gaps: Possible gaps recorded for the queries, in this session and before.
    """

    tally: Tally
    ended_by: str = "exhausted"
    new_posts: int = 0
    pages: int = 0
    calls: int = 0
    num_gaps: int = 0
    kept_in_class: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    unavailable: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Page:
    walk: Walk
    posts: list[Post] = field(default_factory=list)
    error: BaseException | None = None


class TumblrSession:
    """One run of the collector over some queries for one class.

    Args:
        ledger: Open for writing; the caller holds the lock of the root.
        api: Calls Tumblr; its scheduler is shared by all queries.
        queries: What to collect, all for the same class.
        options: How.
        agent: The User-Agent for media.
        stop: Set from outside (Ctrl-C) to end early with everything saved.
        num_calls: Returns the API calls made so far, for the budget and the report.
    """

    def __init__(
        self,
        ledger: Ledger,
        api: TumblrApi,
        queries: Sequence[Query],
        options: CollectOptions,
        *,
        agent: str,
        stop: Event,
        num_calls: Callable[[], int],
        progress: Progress = no_progress,
    ) -> None:
        self._ledger = ledger
        self._api = api
        self._queries = {ledger.query_id(query): query for query in queries}
        self._class_name = queries[0].class_name
        self._options = options
        self._stop = stop
        self._num_calls = num_calls
        self._progress = progress
        self._events: Queue[object] = Queue()
        self._media = MediaTable(ledger)
        self._pages = ThreadPoolExecutor(1, thread_name_prefix="pages")
        self._page_under_way = False
        self._page_sizes: dict[int, int] = {}
        self._pipeline: MediaPipeline | None = None
        self._agent = agent
        self._report = SessionReport(Tally())

    def run(self) -> SessionReport:
        """Collect until the limit, the end of the posts, a budget or ``stop``.

        Raises:
            CredentialsError: Tumblr refused the key.
            QuotaSpentError: The quota comes back later than the scheduler may wait.
            RemoteError: Tumblr or the media host keeps failing.
            InputError: The disk refuses a file or the ledger.
        """
        self._media.recover()
        before = self._counts()
        options = self._options
        self._pipeline = MediaPipeline(
            self._ledger,
            Downloader(self._agent, options.download, options.policy, self._stop),
            Selector(self._ledger, options.thresholds),
            options.image_limits,
            self._events,
            self._stop,
            num_threads=options.num_threads,
        )
        self._report.tally = self._pipeline.tally
        try:
            head = self._head_walks()
            self._note(_UNDER_WAY)
            for walk in head:
                walk.note = _UNDER_WAY
                self._phase([walk], walk.id)
                if walk.state == "open":  # cut short by the limit: the rest belongs to the backlog
                    walk.is_head = False
                    self._demote(walk)
            backlog = [walk for query_id in self._queries for walk in self._ledger.walks(query_id, state="open")]
            self._phase([walk for walk in backlog if not walk.is_head], None)
            self._note("")
        except StoppedError:
            self._report.ended_by = "stopped"
        finally:
            was_stopped = self._stop.is_set()
            self._stop.set()
            self._pages.shutdown(wait=True, cancel_futures=True)
            self._pipeline.join()
            self._save_late_arrivals()
            self._pipeline.give_back()
            if not was_stopped:
                self._stop.clear()
        if self._stop.is_set():
            self._report.ended_by = "stopped"
        self._report.calls = self._num_calls()
        for (state, code), num in self._counts().items():
            if state == "refused" and num > before.get((state, code), 0):
                self._report.refused[code] = num - before.get((state, code), 0)
        self._report.kept_in_class = self._media.num_kept(self._class_name)
        self._report.num_gaps = self._count_gaps()
        return self._report

    def _head_walks(self) -> list[Walk]:
        """Return the walks that look for new posts: those a killed session left, or fresh ones for known queries."""
        walks = []
        for query_id, query in self._queries.items():
            known = self._ledger.walks(query_id)
            open_head = [walk for walk in known if walk.is_head and walk.state == "open"]
            before = query.until or None
            if open_head:
                walks += open_head
            elif not known:
                self._ledger.start_walk(query_id, before=before, floor=0, is_head=False)
            elif not any(walk.state == "open" and not walk.pages for walk in known) and not self._was_cut(known):
                floor = max((walk.newest for walk in known), default=0)
                walks.append(self._ledger.start_walk(query_id, before=before, floor=floor, is_head=True))
        return walks

    def _was_cut(self, known: Sequence[Walk]) -> bool:
        """Tell whether the last session of these walks was interrupted, so that it has to be ended first."""
        return any(walk.note == _UNDER_WAY for walk in known)

    def _note(self, note: str) -> None:
        """Mark the walks of all queries, so that the next session can tell whether this one came to its end."""
        with self._ledger.transaction() as db:
            db.executemany(
                "UPDATE walks SET note = ? WHERE query_id = ? AND note != ?",
                [(note, query_id, note) for query_id in self._queries],
            )

    def _demote(self, walk: Walk) -> None:
        with self._ledger.transaction() as db:
            db.execute("UPDATE walks SET is_head = 0 WHERE id = ?", (walk.id,))

    def _phase(self, walks: list[Walk], walk_id: int | None) -> None:
        """Work through the pages of some walks and the pictures of one walk, or of the class, until none is left."""
        assert self._pipeline is not None
        pipeline = self._pipeline
        limit = self._options.limit or _NO_LIMIT

        def take(num: int, after: int) -> list[MediaJob]:
            return self._media.take(num, after=after, class_name=self._class_name, walk_id=walk_id)

        pipeline.begin(self._class_name, walk_id)
        self._report.ended_by = "exhausted"
        while True:
            if self._stop.is_set():
                raise StoppedError
            kept = self._media.num_kept(self._class_name) if walk_id is None else self._media.num_kept_of_walk(walk_id)
            wanted = limit - kept
            if wanted > pipeline.num_under_way:
                pipeline.dispatch(wanted, take)
            if wanted > pipeline.num_under_way and not self._page_under_way:
                # Fewer under way than wanted after taking all there are: more posts are needed.
                self._ask_for_page(walks, pipeline.num_under_way)
            self._tell(kept)
            if not pipeline.num_under_way and not self._page_under_way:
                if wanted <= 0:
                    self._report.ended_by = "limit"
                break
            self._handle(pipeline.next_events())

    def _ask_for_page(self, walks: Sequence[Walk], num_under_way: int) -> None:
        """Send for the next page of the walk with the fewest pages, so that all queries get their turn."""
        options = self._options
        open_walks = [walk for walk in walks if walk.state == "open"]
        if not open_walks or num_under_way >= options.num_threads * 6:
            return
        if options.max_posts is not None and self._report.new_posts >= options.max_posts:
            self._report.ended_by = "max_posts"
            return
        if options.budget_calls is not None and self._num_calls() >= options.budget_calls:
            self._report.ended_by = "budget"
            return
        walk = min(open_walks, key=lambda walk: (walk.pages, walk.id))
        self._page_under_way = True
        self._pages.submit(self._fetch_page, walk, self._queries[walk.query_id])

    def _fetch_page(self, walk: Walk, query: Query) -> None:
        """Fetch and parse one page; runs in the page thread and never raises."""
        try:
            if query.blog:
                raw = self._api.blog_posts(query.blog, tag=query.tag, before=walk.before)
            else:
                raw = self._api.tagged(query.tag, before=walk.before)
            parsed = (parse_post(post, self._options.size_limit) for post in raw)
            self._events.put(_Page(walk, [post for post in parsed if post is not None]))
        except BaseException as error:  # noqa: BLE001 - the thread that waits must learn of it
            self._events.put(_Page(walk, error=error))

    def _handle(self, events: Sequence[object]) -> None:
        assert self._pipeline is not None
        self._pipeline.receive([event for event in events if isinstance(event, Arrival)])
        for event in events:
            if isinstance(event, _Page):
                self._page_under_way = False
                self._take_page(event)

    def _take_page(self, page: _Page) -> None:
        walk = page.walk
        query = self._queries[walk.query_id]
        if isinstance(page.error, BlogUnavailableError):
            self._report.unavailable[query.title] = f"{page.error.what} ({page.error.code})"
            walk.state = "unavailable"
            self._ledger.save_walk(walk)
            return
        if page.error is not None:
            raise page.error
        known = self._ledger.known_post_ids([post.post_id for post in page.posts])
        num_new = len({post.post_id for post in page.posts} - known)
        size = max(len(page.posts), self._page_sizes.get(walk.query_id, 0))
        self._page_sizes[walk.query_id] = size
        full = min(size, BLOG_PAGE if query.blog else TAGGED_PAGE) if walk.pages else len(page.posts)
        policy = self._options.policy
        with self._ledger.transaction():
            gap = advance(walk, page.posts, num_new, page_size=max(full, TAGGED_PAGE), since=query.since)
            if gap is not None:
                self._ledger.add_gap(walk.id, gap.kind, gap.second, gap.note)
            self._ledger.add_posts(
                walk,
                self._class_name,
                page.posts,
                lambda post, candidate: judge_post(post, candidate, policy, since=query.since, until=query.until),
            )
            self._ledger.save_walk(walk)
        self._report.new_posts += num_new
        self._report.pages += 1

    def _save_late_arrivals(self) -> None:
        """Write down what the threads finished while the session was ending, so that it is not fetched again."""
        assert self._pipeline is not None
        late = [event for event in self._pipeline.next_events() if isinstance(event, Arrival) and event.error is None]
        with contextlib.suppress(TagboxError):  # the session ends with the problem that is already on its way
            self._pipeline.receive(late)

    def _tell(self, kept: int) -> None:
        tally = self._report.tally
        calls = self._num_calls()
        yield_words = f", {tally.kept / calls:.1f} pictures a call" if calls else ""
        note = f"{tally.num_refused} refused, {self._report.new_posts} new posts, {calls} calls{yield_words}"
        self._progress(kept, self._options.limit, note)

    def _counts(self) -> dict[tuple[str, str], int]:
        """Pictures of the class by state and refusal code."""
        rows = self._ledger.connection.execute(
            "SELECT state, code, sum(num) FROM counters WHERE class_name = ? GROUP BY state, code", (self._class_name,)
        )
        return {(row[0], row[1]): int(row[2]) for row in rows}

    def _count_gaps(self) -> int:
        marks = ",".join("?" * len(self._queries))
        found = self._ledger.connection.execute(
            f"SELECT count(*) FROM gaps JOIN walks ON walks.id = gaps.walk_id WHERE query_id IN ({marks})",  # noqa: S608
            list(self._queries),
        )
        return int(found.fetchone()[0])
