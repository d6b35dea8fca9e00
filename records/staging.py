"""Where shards stand until all of them are there.

Shards are written into ``.building/`` inside the records folder, under a name that has the fingerprint of their plan.
A build that was stopped leaves the finished ones there, and the next one takes up those whose plan is still the same.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from os import cpu_count
from pathlib import Path

from collectors.errors import InputError
from collectors.processes import process_pool, submit_all
from collectors.progress import Progress
from records.plan import RecordPlan, ShardPlan
from records.shard import ShardSummary, summarize_shard, write_shard

FOLDER_NAME = ".building"
# Below this, starting processes takes longer than writing.
_BYTES_WORTH_PROCESSES = 1 << 30


def build_shards(
    records: Sequence[RecordPlan], data_root: Path, out_dir: Path, *, progress: Progress, jobs: int | None
) -> dict[str, tuple[ShardSummary, ...]]:
    """Write every shard into the staging folder, or find it there.

    Args:
        records: What to write.
        data_root: Where the pictures lie.
        out_dir: The records folder; made when missing, and removed again when nothing came to stand in it.
        progress: Told of every example.
        jobs: Processes; ``None`` takes one a processor when there is a gigabyte to write, else this one.

    Returns:
        What the shards of each record are, by the file name of the record.

    Raises:
        InputError: A picture cannot be read or changed, the disk refuses, or a process died. Finished shards stay in
            the staging folder.
    """
    staging = out_dir / FOLDER_NAME
    shards = {_staged_name(shard): shard for record in records for shard in record.shards}
    existed = out_dir.exists()
    summaries = _take_up(staging, shards)
    missing = {name: shard for name, shard in shards.items() if name not in summaries}
    try:
        summaries.update(_write_shards(missing, data_root, staging, shards, progress, jobs))
    finally:
        _remove_if_empty(staging)
        if not existed:
            _remove_if_empty(out_dir)
    return {record.file: tuple(summaries[_staged_name(shard)] for shard in record.shards) for record in records}


def commit_shards(records: Sequence[RecordPlan], out_dir: Path) -> None:
    """Rename the shards of the records from the staging folder into place.

    Raises:
        InputError: The disk refuses.
    """
    staging = out_dir / FOLDER_NAME
    for record in records:
        for shard in record.shards:
            target = out_dir / shard.file
            try:
                (staging / _staged_name(shard)).replace(target)
            except OSError as error:
                raise InputError(f"cannot write: {error.strerror or error}", where=str(target)) from error
    _remove_if_empty(staging)


def _staged_name(shard: ShardPlan) -> str:
    return f"{shard.file}.{shard.fingerprint[:16]}"


def _take_up(staging: Path, shards: Mapping[str, ShardPlan]) -> dict[str, ShardSummary]:
    """Find the shards a stopped build finished; anything else in the staging folder is of no use and goes."""
    summaries: dict[str, ShardSummary] = {}
    for path in sorted(staging.iterdir()) if staging.is_dir() else ():
        shard = shards.get(path.name)
        summary = summarize_shard(path, file=shard.file) if shard else None
        if shard and summary and summary.num_examples == len(shard.examples):
            summaries[path.name] = summary
            continue
        try:
            path.unlink()
        except OSError as error:
            raise InputError(f"cannot remove a left-over: {error.strerror or error}", where=str(path)) from error
    return summaries


def _write_shards(
    missing: Mapping[str, ShardPlan],
    data_root: Path,
    staging: Path,
    shards: Mapping[str, ShardPlan],
    progress: Progress,
    jobs: int | None,
) -> Iterator[tuple[str, ShardSummary]]:
    if not missing:
        return
    total = sum(len(shard.examples) for shard in shards.values())
    done = total - sum(len(shard.examples) for shard in missing.values())
    progress(done, total)
    workers = min(jobs or _workers_worth(missing.values()), len(missing))
    if workers <= 1:
        for name, shard in missing.items():
            yield (
                name,
                write_shard(
                    shard, data_root=data_root, path=staging / name, progress=_counted_on(progress, done, total)
                ),
            )
            done += len(shard.examples)
        return
    with process_pool(workers) as pool:
        calls = [(_write_named, (name, shard, data_root, staging / name)) for name, shard in missing.items()]
        for future in as_completed(submit_all(pool, calls)):
            name, entry = future.result()
            yield name, entry
            done += len(missing[name].examples)
            progress(done, total)


def _write_named(name: str, shard: ShardPlan, data_root: Path, path: Path) -> tuple[str, ShardSummary]:
    return name, write_shard(shard, data_root=data_root, path=path)


def _workers_worth(shards: Iterable[ShardPlan]) -> int:
    return (cpu_count() or 1) if sum(shard.picture_bytes for shard in shards) >= _BYTES_WORTH_PROCESSES else 1


def _counted_on(progress: Progress, done_before: int, total_of_all: int) -> Progress:
    def report(done: int, total: int | None, note: str = "") -> None:  # noqa: ARG001 - the protocol's
        progress(done_before + done, total_of_all, note)

    return report


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return
