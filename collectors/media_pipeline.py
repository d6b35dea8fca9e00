"""Pictures from URL to judged file: fetched and decoded by threads in any order, judged by the caller in one order.

At most ``limit - kept`` pictures are under way at a time, so no more is fetched than is wanted, and which pictures are
fetched does not depend on how fast they come.
"""

import os
import sqlite3
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from threading import Event

from collectors.downloader import Download, Downloader
from collectors.errors import InputError, RemoteError
from collectors.files import write_atomically
from collectors.image_files import ImageFacts, ImageLimits, ImageRefusedError, examine
from collectors.ledger import Ledger
from collectors.media_table import INCOMING, MediaJob, MediaTable, Transfer
from collectors.processes import num_cores
from collectors.refusals import Refusal
from collectors.selection import Selector

_MAX_FAILURES_IN_A_ROW = 25
_AHEAD_PER_THREAD = 8
_POLL_S = 0.25
_GATHER_S = 0.05
_INCOMING = INCOMING.as_posix()


Take = Callable[[int, int], list[MediaJob]]
"""(how many at most, only after this turn) -> jobs in order of their turns."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a thread made of a job: facts and a staged file, a refusal, or an error that ends the run."""

    job: MediaJob
    download: Download
    facts: ImageFacts | None = None
    staged: str = ""
    refusal: Refusal | None = None
    error: BaseException | None = None


@dataclass(slots=True)
class Tally:
    """What a session did: pictures kept and refused (by code), bytes received, conserved over all that was judged."""

    kept: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    num_bytes: int = 0

    @property
    def num_refused(self) -> int:
        """All refusals together."""
        return sum(self.refused.values())


class MediaPipeline:
    """Runs the pictures of one session.

    Args:
        ledger: Open for writing, used by the calling thread only.
        downloader: Fetches; its ``per_host`` decides how many threads are of use.
        selector: Judges.
        limits: What a picture may be.
        arrivals: Filled by the threads with `Arrival`; the caller reads it and may put its own events in.
        stop: Set to end early.
        num_threads: Threads that fetch.
    """

    def __init__(
        self,
        ledger: Ledger,
        downloader: Downloader,
        selector: Selector,
        limits: ImageLimits,
        arrivals: "Queue[object]",
        stop: Event,
        *,
        num_threads: int,
    ) -> None:
        self._ledger = ledger
        self._root = str(ledger.root)
        self._incoming = ledger.root / INCOMING
        self._media = MediaTable(ledger)
        self._downloader = downloader
        self._selector = selector
        self._limits = limits
        self._arrivals = arrivals
        self._stop = stop
        self._threads = ThreadPoolExecutor(num_threads, thread_name_prefix="media")
        # A picture unpacks into megabytes: more of them at a time than there are cores only push each other out of the
        # caches, so a thread that has fetched one hands it over and waits.
        self._examiners = ThreadPoolExecutor(num_cores(), thread_name_prefix="examine")
        self._ahead = num_threads * _AHEAD_PER_THREAD
        self._order: deque[int] = deque()
        self._ready: dict[int, Arrival | None] = {}
        self._after = 0
        self._failures_in_a_row = 0
        self.tally = Tally()

    @property
    def num_under_way(self) -> int:
        """Pictures taken and not yet judged."""
        return len(self._order)

    def begin(self, class_name: str, walk_id: int | None) -> None:
        """Start over at a class's first waiting picture, of one walk or of all.

        Files left by a killed process come first.
        """
        self._after = 0
        for row in self._media.fetched_rows(class_name=class_name, walk_id=walk_id):
            self._order.append(row["id"])
            self._ready[row["id"]] = None

    def dispatch(self, wanted: int, take: Take) -> int:
        """Send pictures to the threads, so that no more than ``wanted`` are under way; returns how many.

        Args:
            wanted: Pictures that may be under way.
            take: Chooses the next ones and marks them as queued.
        """
        room = min(wanted, self._ahead) - len(self._order)
        # Rows are taken in blocks: a transaction for every picture would cost more than it.
        if room <= 0 or (room < self._ahead // 4 and room < wanted - len(self._order) and self._order):
            return 0
        jobs = take(room, self._after)
        for job in jobs:
            self._after = job.turn
            self._order.append(job.media_id)
            self._threads.submit(self._work, job)
        return len(jobs)

    def next_events(self) -> list[object]:
        """Wait a moment for something to happen; take all that has, own events of the caller included."""
        events: list[object] = []
        try:
            events.append(self._arrivals.get(timeout=_POLL_S))
            # While the line is long nobody waits for a single picture: those of the next moment share its transaction.
            if len(self._order) > self._ahead // 2 and isinstance(events[0], Arrival):
                self._stop.wait(_GATHER_S)
            while True:
                events.append(self._arrivals.get_nowait())
        except Empty:
            return events

    def receive(self, arrivals: list[Arrival]) -> None:
        """Write down what arrived, and judge every picture whose turn it is.

        Raises:
            InputError: The disk refused a file.
            RemoteError: Every one of the last transfers failed: the host is down or has had enough of us.
        """
        for arrival in arrivals:
            if arrival.error is not None:
                raise arrival.error
        for arrival in arrivals:
            self._ready[arrival.job.media_id] = arrival
        came = [arrival for arrival in arrivals if arrival.refusal is None or arrival.refusal.code != "stopped"]
        with self._ledger.transaction():
            if came:
                self._media.record_transfers([_transfer(arrival) for arrival in came])
                self.tally.num_bytes += sum(arrival.download.num_bytes for arrival in came)
            self._judge_ready()
        self._media.settle_files()
        if self._failures_in_a_row >= _MAX_FAILURES_IN_A_ROW:
            raise RemoteError(
                f"the last {self._failures_in_a_row} pictures could not be fetched",
                fix="Try them again later with: tagbox collect retry",
            )

    def _judge_ready(self) -> None:
        """Judge the pictures at the front of the line that have arrived."""
        turn: list[tuple[int, Arrival | None]] = []
        while self._order and self._order[0] in self._ready:
            media_id = self._order.popleft()
            turn.append((media_id, self._ready.pop(media_id)))
        rows = self._media.rows_to_judge([media_id for media_id, _ in turn]) if turn else {}
        for media_id, arrival in turn:
            if arrival is not None and arrival.refusal is not None:
                self._refuse(media_id, arrival.refusal)
            else:
                self._judge(rows[media_id])

    def _refuse(self, media_id: int, refusal: Refusal) -> None:
        if refusal.code == "stopped":
            self._media.put_back([media_id])
            return
        self._failures_in_a_row = self._failures_in_a_row + 1 if refusal.is_retryable else 0
        self._media.refuse(media_id, refusal)
        self._count_refusal(refusal.code)

    def _judge(self, row: sqlite3.Row) -> None:
        self._failures_in_a_row = 0
        if self._selector.decide(row):
            self.tally.kept += 1
        else:
            self._count_refusal(self._media.row(row["id"])["code"])

    def _count_refusal(self, code: str) -> None:
        self.tally.refused[code] = self.tally.refused.get(code, 0) + 1

    def join(self) -> None:
        """Let the threads end what they are at, with ``stop`` set or all done; read once more what they put in."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._examiners.shutdown()
        self._downloader.close()

    def give_back(self) -> None:
        """Return what was taken and did not arrive to the waiting ones."""
        self._media.put_back(self._order)
        self._order.clear()
        self._ready.clear()

    def _work(self, job: MediaJob) -> None:
        """Fetch, decode, measure and stage one picture; runs in a thread and never raises."""
        part_path = self._incoming / f"{job.media_id}.part"
        download = Download()
        try:
            download = self._downloader.fetch(job.url, part_path)
            facts, refusal = self._examine(download)
            if refusal is not None and download.was_resumed and refusal is not download.refusal:
                # The halves of a resumed file may not belong together: once more, in one piece.
                part_path.unlink(missing_ok=True)
                again = self._downloader.fetch(job.url, part_path)
                again.attempts += download.attempts
                again.num_bytes += download.num_bytes
                download = again
                facts, refusal = self._examine(download)
            staged = self._stage(job, part_path, download, facts) if facts is not None else ""
            if facts is None and refusal is not None and not refusal.is_retryable:
                part_path.unlink(missing_ok=True)
            download.content = None
            self._arrivals.put(Arrival(job, download, _without_content(facts), staged, refusal))
        except BaseException as error:  # noqa: BLE001 - whatever it is, the thread that waits must learn of it
            self._arrivals.put(Arrival(job, download, error=error))

    def _examine(self, download: Download) -> tuple[ImageFacts | None, Refusal | None]:
        if download.content is None:
            return None, download.refusal
        try:
            return self._examiners.submit(examine, download.content, self._limits).result(), None
        except ImageRefusedError as error:
            return None, error.refusal

    def _stage(self, job: MediaJob, part_path: Path, download: Download, facts: ImageFacts) -> str:
        staged = f"{_INCOMING}/{job.media_id}.{facts.extension}"
        target = f"{self._root}/{staged}"
        if facts.content is not download.content:
            write_atomically(Path(target), facts.content)
            part_path.unlink(missing_ok=True)
            return staged
        try:
            file = os.open(part_path, os.O_RDONLY)
            try:
                os.fsync(file)
            finally:
                os.close(file)
            os.replace(part_path, target)  # noqa: PTH105
        except OSError as error:
            raise InputError(f"cannot write: {error.strerror or error}", where=target) from error
        return staged


def _transfer(arrival: Arrival) -> Transfer:
    download = arrival.download
    return Transfer(
        arrival.job.media_id,
        status=download.status,
        attempts=download.attempts,
        num_bytes=download.num_bytes,
        etag=download.etag,
        facts=arrival.facts,
        staged=arrival.staged,
    )


def _without_content(facts: ImageFacts | None) -> ImageFacts | None:
    """Let go of the bytes: many pictures can wait for their turn."""
    if facts is None:
        return None
    return ImageFacts(
        b"", facts.extension, facts.sha256, facts.pixel_sha256, facts.phash, facts.mirror_phash, facts.metrics
    )
