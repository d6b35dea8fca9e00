"""Shards of classification records: written aside in any order by any number of processes, taken up after a stop.

A shard job is a pure function of what it carries. Its fingerprint stands in the name of the file in the staging folder,
so a stopped build goes on where it was, and a shard of other inputs is never taken for it.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from collectors.errors import InputError
from collectors.processes import num_cores, process_pool, submit_all
from collectors.progress import Progress
from records.shard import ShardSummary, summarize_shard
from records.staging import FOLDER_NAME

INDEX_NAME = "index"

_Argument = TypeVar("_Argument")
_Result = TypeVar("_Result")


class ShardJob(Protocol):
    """One file to write."""

    @property
    def file(self) -> str:
        """Its name in the records folder."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hex SHA-256 of everything its bytes depend on."""
        ...

    @property
    def num_examples(self) -> int:
        """How many examples it will have."""
        ...

    def write(self, path: Path) -> ShardSummary:
        """Write it into ``path``, whole or not at all."""
        ...


class Workers:
    """Runs one function on many arguments, here or in processes."""

    def __init__(self, pool: ProcessPoolExecutor | None) -> None:
        self._pool = pool

    def run(
        self, function: Callable[[_Argument], _Result], arguments: Sequence[_Argument]
    ) -> Iterator[tuple[int, _Result]]:
        """Yield the place of each argument with its result, in the order in which they are done."""
        if self._pool is None:
            for place, argument in enumerate(arguments):
                yield place, function(argument)
            return
        calls: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [(function, (one,)) for one in arguments]
        futures = submit_all(self._pool, calls)
        places = {future: place for place, future in enumerate(futures)}
        for future in as_completed(futures):
            yield places[future], future.result()


@contextmanager
def open_workers(jobs: int | None, *, is_worth_processes: bool) -> Iterator[Workers]:
    """Open processes for a build: as many as asked, else one a processor where the work is worth starting them."""
    count = jobs or (num_cores() if is_worth_processes else 1)
    if count <= 1:
        yield Workers(None)
        return
    with process_pool(count) as pool:
        yield Workers(pool)


def build_shards(
    shards: Sequence[ShardJob], out_dir: Path, workers: Workers, progress: Progress
) -> dict[str, ShardSummary]:
    """Write every shard into the staging folder of ``out_dir``, or find it there.

    Returns:
        What each shard is, by the name of its file.

    Raises:
        InputError: An input cannot be read or changed, the disk refuses, or a process died. Finished shards stay in
            the staging folder for the next build.
    """
    staging = out_dir / FOLDER_NAME
    try:
        staging.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write: {error.strerror or error}", where=str(staging)) from error
    by_name = {staged_name(shard): shard for shard in shards}
    summaries = _take_up(staging, by_name)
    total = sum(shard.num_examples for shard in shards)
    done = sum(summary.num_examples for summary in summaries.values())
    progress(done, total)
    missing = [(staging / name, shard) for name, shard in by_name.items() if shard.file not in summaries]
    for place, summary in workers.run(_write_one, missing):
        summaries[summary.file] = summary
        done += missing[place][1].num_examples
        progress(done, total)
    return summaries


def commit_shards(shards: Sequence[ShardJob], out_dir: Path) -> None:
    """Rename the shards from the staging folder into place.

    Raises:
        InputError: The disk refuses.
    """
    for shard in shards:
        target = out_dir / shard.file
        try:
            (out_dir / FOLDER_NAME / staged_name(shard)).replace(target)
        except OSError as error:
            raise InputError(f"cannot write: {error.strerror or error}", where=str(target)) from error


def clear_staging(out_dir: Path) -> None:
    """Remove the index of a build, and the staging folder with it when no shard is left there."""
    staging = out_dir / FOLDER_NAME
    shutil.rmtree(staging / INDEX_NAME, ignore_errors=True)
    try:
        staging.rmdir()
    except OSError:
        return


def staged_name(shard: ShardJob) -> str:
    """Return the name of a shard in the staging folder."""
    return f"{shard.file}.{shard.fingerprint[:16]}"


def _write_one(argument: tuple[Path, ShardJob]) -> ShardSummary:
    path, shard = argument
    return shard.write(path)


def _take_up(staging: Path, shards: Mapping[str, ShardJob]) -> dict[str, ShardSummary]:
    """Find the shards a stopped build finished; what else lies in the staging folder is of no use and goes."""
    summaries: dict[str, ShardSummary] = {}
    for path in sorted(staging.iterdir()):
        if path.is_dir():
            continue
        shard = shards.get(path.name)
        summary = summarize_shard(path, file=shard.file) if shard else None
        if shard and summary and summary.num_examples == shard.num_examples:
            summaries[shard.file] = summary
            continue
        try:
            path.unlink()
        except OSError as error:
            raise InputError(f"cannot remove a left-over: {error.strerror or error}", where=str(path)) from error
    return summaries
