"""What a build has to write: its plan held against the records that are there, shard by shard."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from collectors.files import sha256_of_file
from collectors.processes import num_cores
from records.manifest import Manifest, RecordEntry
from records.plan import RecordPlan, ShardPlan
from records.prepare import BuildPlan
from records.shard import ShardSummary


class Reason(StrEnum):
    """Why a shard is written."""

    NEW = "new"
    CHANGED = "inputs changed"
    FORGOTTEN = "holds a forgotten picture"
    DAMAGED = "file is missing or damaged"


@dataclass(frozen=True, slots=True)
class RecordChange:
    """One record of a plan: the shards that are there as they would come out, and those to write with the reason."""

    plan: RecordPlan
    current: Mapping[str, ShardSummary]
    to_build: tuple[tuple[ShardPlan, Reason], ...]

    def entry(self, built: Mapping[str, ShardSummary]) -> RecordEntry:
        """Describe the record for the manifest, anew also where no shard changed (refusals may have).

        Args:
            built: What the shards of ``to_build`` are, by file name.
        """
        known = {**self.current, **built}
        return RecordEntry.of(self.plan, [known[shard.file] for shard in self.plan.shards])


def compare(plan: BuildPlan, old: Manifest, out_dir: Path) -> tuple[RecordChange, ...]:
    """Hold a plan against a records folder. The files that could stay are read to their end.

    Args:
        plan: What there will be.
        old: What the folder's manifest says there is.
        out_dir: The records folder.
    """
    there = {shard.file: shard for entry in old.records for shard in entry.shards}
    alike = [
        there[shard.file]
        for record in plan.records
        for shard in record.shards
        if shard.file in there and there[shard.file].fingerprint == shard.fingerprint
    ]
    with ThreadPoolExecutor(max_workers=num_cores()) as pool:
        whole = dict(zip([s.file for s in alike], pool.map(lambda s: _is_whole(s, out_dir), alike), strict=True))
    tainted = set(_holding_forgotten(old, plan.forgotten)) if plan.forgotten else set()
    changes = []
    for record in plan.records:
        current = {shard.file: there[shard.file] for shard in record.shards if whole.get(shard.file)}
        to_build = tuple(
            (shard, _reason(shard, there, whole, tainted)) for shard in record.shards if shard.file not in current
        )
        changes.append(RecordChange(record, current, to_build))
    return tuple(changes)


def _reason(
    shard: ShardPlan, there: Mapping[str, ShardSummary], whole: Mapping[str, bool], tainted: set[str]
) -> Reason:
    if shard.file not in there:
        return Reason.NEW
    if shard.file in whole:
        return Reason.DAMAGED
    return Reason.FORGOTTEN if shard.file in tainted else Reason.CHANGED


def _holding_forgotten(old: Manifest, forgotten: frozenset[str]) -> Iterator[str]:
    for entry in old.records:
        for shard, examples in zip(entry.shards, entry.examples, strict=True):
            if any(example.image_sha256 in forgotten for example in examples):
                yield shard.file


def _is_whole(shard: ShardSummary, out_dir: Path) -> bool:
    """Say whether a file is there with the bytes that the manifest says."""
    path = out_dir / shard.file
    try:
        return path.stat().st_size == shard.num_bytes and sha256_of_file(path) == shard.sha256
    except OSError:
        return False
