"""Building shards on this machine: one after another, in a few threads, or in processes.

Of the time a shard takes, most goes to reading, hashing and writing, which run outside Python's lock. Two threads
keep two processors busy with that and need no start; more than that wait for each other, and processes do not.
"""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from collectors.processes import num_cores, process_pool, submit_all
from collectors.progress import Progress
from records.plan import ShardPlan
from records.shard import ShardSummary, write_shard
from records.staging import ShardJob

# Below the first, starting threads takes longer than writing; below the second, starting a process does.
_BYTES_WORTH_THREADS = 8 << 20
_BYTES_WORTH_PROCESSES = 2 << 30
_BYTES_WORTH_CONVERTING = 32 << 20
_MOST_THREADS = 2
_POLL_S = 0.25

# In a worker process: how many examples all of them have written, for the one that watches.
_written: Any = None


@dataclass(frozen=True, slots=True)
class LocalEngine:
    """Threads or processes of this machine; see `records.staging.Engine`.

    Attributes:
        workers: How many; ``None`` takes one a processor when there is enough to write, else one.
    """

    workers: int | None = None

    def run(
        self, jobs: Sequence[ShardJob], data_root: Path, staging: Path, progress: Progress
    ) -> Iterator[tuple[str, ShardSummary]]:
        """Write every shard; the bytes do not depend on the number of workers."""
        num_bytes = sum(job.shard.picture_bytes for job in jobs)
        workers = self.workers or (num_cores() if num_bytes >= _BYTES_WORTH_THREADS else 1)
        workers = min(workers, len(jobs))
        if workers <= 1:
            yield from _in_this_process(jobs, data_root, staging, progress)
        elif _is_worth_processes(jobs, num_bytes):
            yield from _in_processes(jobs, data_root, staging, progress, workers)
        else:
            yield from _in_threads(jobs, data_root, staging, progress, min(workers, _MOST_THREADS))


def _in_this_process(
    jobs: Sequence[ShardJob], data_root: Path, staging: Path, progress: Progress
) -> Iterator[tuple[str, ShardSummary]]:
    before = 0
    for name, shard in jobs:

        def advance(done: int, total: int | None, note: str = "", before: int = before) -> None:
            progress(before + done, total, note)

        yield name, write_shard(shard, data_root=data_root, path=staging / name, progress=advance)
        before += len(shard.examples)


class _StoppedError(Exception):
    """Another thread failed, or Ctrl-C: what is half written is given up."""


def _in_threads(
    jobs: Sequence[ShardJob], data_root: Path, staging: Path, progress: Progress, workers: int
) -> Iterator[tuple[str, ShardSummary]]:
    total = sum(len(job.shard.examples) for job in jobs)
    written = dict.fromkeys((job.name for job in jobs), 0)  # each thread writes its own entry
    stop = threading.Event()

    def write(job: ShardJob) -> tuple[str, ShardSummary]:
        def advance(done: int, total: int | None, note: str = "") -> None:  # noqa: ARG001 - the protocol's
            if stop.is_set():
                raise _StoppedError
            written[job.name] = done

        return job.name, write_shard(job.shard, data_root=data_root, path=staging / job.name, progress=advance)

    with ThreadPoolExecutor(workers, thread_name_prefix="shard") as pool:
        try:
            pending: set[Future[tuple[str, ShardSummary]]] = {pool.submit(write, job) for job in _largest_first(jobs)}
            while pending:
                done, pending = wait(pending, timeout=_POLL_S, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
                progress(sum(written.values()), total)
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _in_processes(
    jobs: Sequence[ShardJob], data_root: Path, staging: Path, progress: Progress, workers: int
) -> Iterator[tuple[str, ShardSummary]]:
    total = sum(len(job.shard.examples) for job in jobs)
    counter = get_context("spawn").Value("q", 0)
    with process_pool(workers, initializer=_count_into, initargs=(counter,)) as pool:
        calls = [(_write_named, (name, shard, data_root, staging / name)) for name, shard in _largest_first(jobs)]
        pending = set(submit_all(pool, calls))
        while pending:
            done, pending = wait(pending, timeout=_POLL_S, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
            progress(min(int(counter.value), total), total)


def _count_into(counter: Any) -> None:
    global _written  # noqa: PLW0603 - a process is given it once, when it starts
    _written = counter


def _write_named(name: str, shard: ShardPlan, data_root: Path, path: Path) -> tuple[str, ShardSummary]:
    told = 0

    def advance(done: int, total: int | None, note: str = "") -> None:  # noqa: ARG001 - the protocol's
        nonlocal told
        if _written is not None and (done - told >= 64 or done == total):
            with _written.get_lock():
                _written.value += done - told
            told = done

    return name, write_shard(shard, data_root=data_root, path=path, progress=advance)


def _largest_first(jobs: Sequence[ShardJob]) -> list[ShardJob]:
    """Order jobs so that nobody is left alone with a large one at the end."""
    return sorted(jobs, key=lambda job: (-job.shard.picture_bytes, job.name))


def _is_worth_processes(jobs: Sequence[ShardJob], num_bytes: int) -> bool:
    # Converting a picture takes a hundred times as long as copying it, and holds Python's lock now and then.
    is_converted = any(example.transcoding for job in jobs for example in job.shard.examples)
    return num_bytes >= (_BYTES_WORTH_CONVERTING if is_converted else _BYTES_WORTH_PROCESSES)
