"""Building shards on this machine, in this process or in several."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from collectors.processes import process_pool, submit_all
from collectors.progress import Progress
from records.plan import ShardPlan
from records.shard import ShardSummary, write_shard
from records.staging import ShardJob

# Below this, starting processes takes longer than writing.
_BYTES_WORTH_PROCESSES = 192 << 20
_POLL_S = 0.25

# In a worker process: how many examples all of them have written, for the one that watches.
_written: Any = None


@dataclass(frozen=True, slots=True)
class LocalEngine:
    """Processes of this machine; see `records.staging.Engine`.

    Attributes:
        workers: How many; ``None`` takes one a processor when there is enough to write, else this process alone.
    """

    workers: int | None = None

    def run(
        self, jobs: Sequence[ShardJob], data_root: Path, staging: Path, progress: Progress
    ) -> Iterator[tuple[str, ShardSummary]]:
        """Write every shard; the bytes do not depend on the number of workers."""
        workers = min(self.workers or _workers_worth(jobs), len(jobs))
        if workers <= 1:
            yield from _in_this_process(jobs, data_root, staging, progress)
        else:
            yield from _in_processes(jobs, data_root, staging, progress, workers)


def _in_this_process(
    jobs: Sequence[ShardJob], data_root: Path, staging: Path, progress: Progress
) -> Iterator[tuple[str, ShardSummary]]:
    before = 0
    for name, shard in jobs:

        def advance(done: int, total: int | None, note: str = "", before: int = before) -> None:
            progress(before + done, total, note)

        yield name, write_shard(shard, data_root=data_root, path=staging / name, progress=advance)
        before += len(shard.examples)


def _in_processes(
    jobs: Sequence[ShardJob], data_root: Path, staging: Path, progress: Progress, workers: int
) -> Iterator[tuple[str, ShardSummary]]:
    total = sum(len(job.shard.examples) for job in jobs)
    counter = get_context("spawn").Value("q", 0)
    # The largest first, so that no process is left alone with it at the end.
    ordered = sorted(jobs, key=lambda job: (-job.shard.picture_bytes, job.name))
    with process_pool(workers, initializer=_count_into, initargs=(counter,)) as pool:
        calls = [(_write_named, (name, shard, data_root, staging / name)) for name, shard in ordered]
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


def _workers_worth(jobs: Sequence[ShardJob]) -> int:
    return (os.cpu_count() or 1) if sum(job.shard.picture_bytes for job in jobs) >= _BYTES_WORTH_PROCESSES else 1
