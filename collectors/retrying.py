"""Pictures that could not be fetched, tried once more."""

import contextlib
from collections.abc import Sequence
from queue import Queue
from threading import Event

from collectors.downloader import Downloader
from collectors.errors import TagboxError
from collectors.ledger import Ledger
from collectors.media_pipeline import Arrival, MediaPipeline, Tally
from collectors.media_table import MediaJob, MediaTable
from collectors.progress import Progress, no_progress
from collectors.selection import Selector
from collectors.tumblr import CollectOptions

_NO_LIMIT = 10**9


def retry_refused(
    ledger: Ledger,
    options: CollectOptions,
    *,
    agent: str,
    stop: Event,
    codes: Sequence[str] = (),
    progress: Progress = no_progress,
) -> Tally:
    """Fetch again what was refused for a passing reason, and judge what comes.

    Args:
        ledger: Open for writing; the caller holds the lock of the root.
        options: How to fetch and judge; limits and budgets do not count here.
        agent: The User-Agent.
        stop: Set from outside to end early with everything saved.
        codes: Take the refusals with these codes instead, retryable or not.
        progress: Told about every batch.

    Raises:
        InputError: The disk refuses a file or the ledger.
        RemoteError: The media host keeps failing.
    """
    media = MediaTable(ledger)
    media.recover()
    events: Queue[object] = Queue()
    pipeline = MediaPipeline(
        ledger,
        Downloader(agent, options.download, options.policy, stop),
        Selector(ledger, options.thresholds),
        options.image_limits,
        events,
        stop,
        num_threads=options.num_threads,
    )

    def take(num: int, after: int) -> list[MediaJob]:
        return media.take_retryable(num, after=after, codes=codes)

    was_stopped = False
    try:
        while not stop.is_set():
            pipeline.dispatch(_NO_LIMIT, take)
            tally = pipeline.tally
            progress(tally.kept + tally.num_refused, None, f"{tally.kept} kept, {tally.num_refused} refused again")
            if not pipeline.num_under_way:
                break
            pipeline.receive(_arrivals(pipeline.next_events()))
    finally:
        was_stopped = stop.is_set()
        stop.set()
        pipeline.join()
        with contextlib.suppress(TagboxError):
            pipeline.receive([arrival for arrival in _arrivals(pipeline.next_events()) if arrival.error is None])
        pipeline.give_back()
        if not was_stopped:
            stop.clear()
    return pipeline.tally


def _arrivals(events: Sequence[object]) -> list[Arrival]:
    return [event for event in events if isinstance(event, Arrival)]
