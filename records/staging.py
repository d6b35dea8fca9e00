"""Where shards stand until all of them are there.

Shards are written into ``.building/`` inside the records folder, under a name that has the fingerprint of their plan.
A build that was stopped leaves the finished ones there, and the next one takes up those whose plan is still the same.
"""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from collectors.errors import InputError
from collectors.progress import Progress, counted_on
from records.plan import ShardPlan
from records.shard import ShardSummary, summarize_shard

FOLDER_NAME = ".building"


class ShardJob(NamedTuple):
    """A shard to write, and the name of its file in the staging folder."""

    name: str
    shard: ShardPlan


class Engine(Protocol):
    """What builds shards: processes of this machine, or a cluster."""

    def run(
        self, jobs: Sequence[ShardJob], data_root: Path, staging: Path, progress: Progress
    ) -> Iterator[tuple[str, ShardSummary]]:
        """Write every shard into the staging folder and yield its name and what it is, in any order.

        Args:
            jobs: At least one.
            data_root: Where the pictures lie.
            staging: The folder; made when missing.
            progress: Told of examples written, of those of all jobs.

        Raises:
            InputError: A picture cannot be read or changed, or the disk refuses. What is finished stays.
        """
        ...


def job_of(shard: ShardPlan) -> ShardJob:
    """Return the job of writing a shard."""
    return ShardJob(f"{shard.file}.{shard.fingerprint[:16]}", shard)


def build_shards(
    shards: Sequence[ShardPlan], data_root: Path, out_dir: Path, *, progress: Progress, engine: Engine
) -> dict[str, ShardSummary]:
    """Write every shard into the staging folder, or find it there.

    Args:
        shards: What to write.
        data_root: Where the pictures lie.
        out_dir: The records folder; made when missing, and removed again when nothing came to stand in it.
        progress: Told of every example.
        engine: Does it.

    Returns:
        What the shards are, by file name.

    Raises:
        InputError: A picture cannot be read or changed, the disk refuses, or a process died. Finished shards stay in
            the staging folder.
    """
    staging = out_dir / FOLDER_NAME
    jobs = [job_of(shard) for shard in shards]
    existed = out_dir.exists()
    found = take_up(shards, out_dir, progress=progress)
    missing = [job for job in jobs if job.shard.file not in found]
    _remove_left_overs(staging, {job.name for job in jobs if job.shard.file in found})
    total = sum(len(job.shard.examples) for job in jobs)
    done = total - sum(len(job.shard.examples) for job in missing)
    files = {job.name: job.shard.file for job in jobs}
    if missing:
        progress(done, total)
    try:
        for name, summary in engine.run(missing, data_root, staging, counted_on(progress, done, total)):
            found[files[name]] = summary
    finally:
        _remove_if_empty(staging)
        if not existed:
            _remove_if_empty(out_dir)
    return found


def take_up(shards: Iterable[ShardPlan], out_dir: Path, *, progress: Progress) -> dict[str, ShardSummary]:
    """Find the shards that stand finished in the staging folder; returns what they are by file name.

    Each is read to its end. Nothing is removed.
    """
    staging = out_dir / FOLDER_NAME
    summaries: dict[str, ShardSummary] = {}
    there = {path.name for path in staging.iterdir()} if staging.is_dir() else set()
    wanted = [job for job in map(job_of, shards) if job.name in there]
    total = sum(len(job.shard.examples) for job in wanted)
    done = 0
    for job in wanted:
        shard = job.shard
        summary = summarize_shard(staging / job.name, file=shard.file, fingerprint=shard.fingerprint)
        if summary is not None and summary.num_examples == len(shard.examples):
            summaries[shard.file] = summary
        done += len(shard.examples)
        progress(done, total, "already written")
    return summaries


def commit_shards(shards: Iterable[ShardPlan], out_dir: Path) -> None:
    """Rename shards from the staging folder into place, and remove the folder with anything left in it.

    Raises:
        InputError: The disk refuses.
    """
    staging = out_dir / FOLDER_NAME
    for job in map(job_of, shards):
        target = out_dir / job.shard.file
        try:
            (staging / job.name).replace(target)
        except OSError as error:
            raise InputError(f"cannot write: {error.strerror or error}", where=str(target)) from error
    _remove_left_overs(staging, set())
    _remove_if_empty(staging)


def _remove_left_overs(staging: Path, wanted: set[str]) -> None:
    for path in sorted(staging.iterdir()) if staging.is_dir() else ():
        if path.name in wanted:
            continue
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        except OSError as error:
            raise InputError(f"cannot remove a left-over: {error.strerror or error}", where=str(path)) from error


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return
