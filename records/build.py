"""Building a records folder: plan, build, commit.

The plan is made by `records.prepare`, the shards by an engine into `records.staging`. They are renamed into place when
all are there, then come the copies of the label map, and the manifest is written last. A build that fails or is killed
before that leaves the records that were there as they were.
"""

import dataclasses
import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from collectors.errors import ConfigError, InputError
from collectors.files import atomic_writer, sha256_of_file
from collectors.progress import Progress, no_progress
from labeling.check_cache import CheckCache
from labeling.label_map import LabelMap
from records import label_ids, manifest, staging
from records.build_report import BuildReport, NothingUsableError, RecordOutcome, State
from records.changes import RecordChange, compare
from records.local_engine import LocalEngine
from records.manifest import Manifest, RecordEntry
from records.notices import Notice, foreign_record_notices, forgotten_notices, split_overlap_notices
from records.output_lock import OutputBusyError, output_lock
from records.plan import DEFAULT_SHARD_BYTES, MERGED, ShardPlan
from records.prepare import BuildPlan, ContentOptions, check_cache_of, prepare_build
from records.shard import ShardSummary
from records.staging import Engine


def build_records(
    data_root: Path,
    out_dir: Path,
    *,
    classes: Sequence[str] | None = None,
    label_map_path: Path | None = None,
    progress: Progress = no_progress,
    check_progress: Progress = no_progress,
    jobs: int | None = None,
    shard_bytes: int = DEFAULT_SHARD_BYTES,
    content: ContentOptions | None = None,
    cache: CheckCache | None = None,
    dry_run: bool = False,
) -> BuildReport:
    """Check a data root and build one record for each class and split, or one for each split.

    Shards that are there already and would come out the same are left alone. Records of classes that are not asked for
    stay, in the folder and in its manifest.

    Args:
        data_root: The folder of the class folders.
        out_dir: The records folder; made when missing.
        classes: Only these class folders; ``None`` for all.
        label_map_path: A label map to use in place of the data root's own; see `records.label_ids`.
        progress: Told of every example written.
        check_progress: Told of every picture checked, before that.
        jobs: Threads that check and processes that write; ``None`` chooses. The bytes do not depend on it.
        shard_bytes: A record whose pictures add up to more is kept in several files of about this size.
        content: What goes in: merged or by class, which boxes, which conversions.
        cache: What earlier checks found out, see `labeling.check_cache`; ``None`` takes the data root's own.
        dry_run: Find out everything and write nothing.

    Raises:
        ConfigError: A class that is not there, a broken label map, ids that moved.
        NothingUsableError: There are labels, and every one is refused; carries the report.
        InputError: No labels at all, a file that cannot be read, or the disk refuses. What was in ``out_dir`` is as
            it was.
    """
    plan = prepare_build(
        data_root,
        classes=classes,
        label_map_path=label_map_path,
        shard_bytes=shard_bytes,
        content=content,
        progress=check_progress,
        jobs=jobs,
        cache=check_cache_of(data_root, read_only=dry_run) if cache is None else cache,
    )
    return build_from_plan(plan, out_dir, progress=progress, engine=LocalEngine(jobs), dry_run=dry_run)


def build_from_plan(
    plan: BuildPlan,
    out_dir: Path,
    *,
    progress: Progress = no_progress,
    engine: Engine | None = None,
    dry_run: bool = False,
) -> BuildReport:
    """Do what a plan says; see `build_records` for the promise and the errors.

    Args:
        plan: From `records.prepare.prepare_build` or `records.prepare.prepare_single_record`.
        out_dir: The records folder; made when missing. The manifest and the label map in it are kept up as well.
        progress: Told of every example written.
        engine: Builds the shards; ``None`` for this machine.
        dry_run: Find out everything and write nothing.

    Raises:
        OutputBusyError: Another build writes into the folder.
    """
    if dry_run:
        return _compared(plan, out_dir).report
    with output_lock(out_dir):
        work = _compared(plan, out_dir)
        summaries = staging.build_shards(
            work.to_build, plan.data_root, out_dir, progress=progress, engine=engine or LocalEngine()
        )
        return _commit(plan, work, summaries, out_dir)


def build_part(
    plan: BuildPlan,
    out_dir: Path,
    *,
    part: tuple[int, int],
    progress: Progress = no_progress,
    engine: Engine | None = None,
) -> BuildReport:
    """Build a share of the shards, so that any scheduler can spread a build over machines with a common disk.

    Each of ``n`` calls builds every ``n``-th shard of the plan. The one that finds all of them there commits; so does a
    whole build afterwards, which takes up what is finished.

    Args:
        plan: The same for all calls.
        out_dir: The records folder.
        part: Which share, ``(i, n)`` with ``i`` from 1 to ``n``.
        progress: Told of every example written.
        engine: Builds the shards; ``None`` for this machine.

    Returns:
        The account; ``num_missing`` says how many shards others have to build before the commit.

    Raises:
        ConfigError: There is no such share.
        InputError: See `build_records`.
    """
    index, count = part
    if not 1 <= index <= count:
        raise ConfigError(f"there is no shard {index}/{count}", fix="Count from 1: --shard 1/4 to --shard 4/4.")
    with output_lock(out_dir, shared=True):
        work = _compared(plan, out_dir)
        everything = [shard.file for record in plan.records for shard in record.shards]
        mine = set(everything[index - 1 :: count])
        own = [shard for shard in work.to_build if shard.file in mine]
        there = staging.take_up(own, out_dir, progress=progress)
        jobs = [staging.job_of(shard) for shard in own if shard.file not in there]
        if jobs:
            for _ in (engine or LocalEngine()).run(jobs, plan.data_root, out_dir / staging.FOLDER_NAME, progress):
                pass
        missing = _not_staged(work.to_build, out_dir)
        report = dataclasses.replace(work.report, num_missing=len(missing))
        if missing:
            return report
    try:
        with output_lock(out_dir):
            work = _compared(plan, out_dir)
            missing = _not_staged(work.to_build, out_dir)
            if missing:
                return dataclasses.replace(work.report, num_missing=len(missing))
            return _commit_staged(plan, work, out_dir, progress)
    except OutputBusyError:
        return report  # whoever has the folder commits


def _commit_staged(plan: BuildPlan, work: "_Work", out_dir: Path, progress: Progress) -> BuildReport:
    """Commit what others have staged."""
    summaries = staging.take_up(work.to_build, out_dir, progress=progress)
    damaged = [shard for shard in work.to_build if shard.file not in summaries]
    if damaged:
        for shard in damaged:
            (out_dir / staging.FOLDER_NAME / staging.job_of(shard).name).unlink(missing_ok=True)
        raise InputError(
            f"shards are damaged: {', '.join(shard.file for shard in damaged)}",
            where=str(out_dir / staging.FOLDER_NAME),
            fix="They were removed; run the same command again.",
        )
    return _commit(plan, work, summaries, out_dir)


@dataclass(frozen=True, slots=True)
class _Work:
    """A plan held against what is there."""

    old: Manifest
    label_map: LabelMap
    changes: tuple[RecordChange, ...]
    kept: tuple[RecordEntry, ...]
    report: BuildReport

    @property
    def to_build(self) -> list[ShardPlan]:
        """Shards to write, in the order of the plan."""
        return [shard for change in self.changes for shard, _ in change.to_build]


def _compared(plan: BuildPlan, out_dir: Path) -> _Work:
    """Find out what is to be done.

    Raises:
        NothingUsableError: Nothing goes into any record.
        ConfigError: The folder has records that this build must not stand beside.
    """
    # Only a ledger that forgot something makes it necessary to know what stood in records that are built again.
    skipped = () if plan.forgotten else plan.files
    old = manifest.read_manifest(out_dir, skip_examples_of=skipped) or Manifest()
    label_map = label_ids.union_of_label_maps(old.label_map, plan.label_map.label_map, where=out_dir)
    changes = compare(plan, old, out_dir)
    kept = tuple(_kept(plan, old, out_dir))
    _refuse_mixture(plan, kept, out_dir)
    removed = _stale_files(plan, old, kept, out_dir)
    report = BuildReport(
        out_dir=out_dir,
        outcomes=tuple(_outcome(change) for change in changes),
        notices=(
            *plan.notices,
            *_overlap_notices(plan, kept),
            *foreign_record_notices(kept, plan.class_names),
            *forgotten_notices(kept, plan.forgotten),
        ),
        label_map_path=plan.label_map.path,
        label_map=label_map.items,
        added_labels=plan.label_map.added,
        removed=removed,
        dry_run=True,
    )
    if not report.num_written:
        raise NothingUsableError(report, where=str(plan.data_root))
    is_current = report.is_up_to_date and not removed and plan.label_map.exists and not plan.label_map.added
    work = _Work(old, label_map, changes, kept, report)
    if is_current:
        texts = _texts_differ(_new_manifest(work, {}), old, label_map, out_dir)
        work = dataclasses.replace(work, report=dataclasses.replace(report, is_current=not texts))
    return work


def _commit(plan: BuildPlan, work: _Work, summaries: dict[str, ShardSummary], out_dir: Path) -> BuildReport:
    wrote_label_map = plan.label_map.write()
    staging.commit_shards(work.to_build, out_dir)
    new = _new_manifest(work, summaries)
    _write_texts(new, work.old, work.label_map, out_dir)
    removed = _remove_stale(work.report.removed, out_dir)
    gone = (
        [Notice("removed", f"removed {', '.join(removed)}: the data has no such record any more.")] if removed else []
    )
    sizes = {entry.file: entry.num_bytes for entry in new.records}
    return dataclasses.replace(
        work.report,
        outcomes=tuple(_outcome(change, sizes[change.plan.file]) for change in work.changes),
        notices=(*work.report.notices, *gone),
        removed=removed,
        wrote_label_map=wrote_label_map,
        dry_run=False,
        is_current=True,
    )


def _new_manifest(work: _Work, summaries: dict[str, ShardSummary]) -> Manifest:
    entries = [change.entry(summaries) for change in work.changes]
    return Manifest(work.label_map.items, (*work.kept, *entries), manifest.tagbox_version())


def _not_staged(shards: Sequence[ShardPlan], out_dir: Path) -> list[ShardPlan]:
    folder = out_dir / staging.FOLDER_NAME
    return [shard for shard in shards if not (folder / staging.job_of(shard).name).exists()]


def _kept(plan: BuildPlan, old: Manifest, out_dir: Path) -> list[RecordEntry]:
    """Find the records this build has nothing to say about.

    One of a class folder that is gone stays as long as its files are there: the folder may be that of another data
    root. When somebody removed them, it is given up.
    """
    return [
        entry
        for entry in old.records
        if entry.file not in plan.files
        and (entry.class_name in plan.class_names or any((out_dir / shard.file).exists() for shard in entry.shards))
    ]


def _refuse_mixture(plan: BuildPlan, kept: Sequence[RecordEntry], out_dir: Path) -> None:
    merged = [entry.file for entry in kept if entry.class_name == MERGED]
    if merged and plan.records:
        raise ConfigError(
            f"the folder has merged records ({', '.join(merged)}), which hold every class already",
            where=str(out_dir),
            fix="Build with --merge, or build single classes into another folder.",
        )


def _overlap_notices(plan: BuildPlan, kept: Sequence[RecordEntry]) -> list[Notice]:
    return split_overlap_notices(
        lambda: itertools.chain(
            (example for record in plan.records for example in record.examples()),
            (example for entry in kept for example in entry.all_examples()),
        )
    )


def _outcome(change: RecordChange, num_bytes: int | None = None) -> RecordOutcome:
    rebuilt = tuple((shard.file, reason) for shard, reason in change.to_build)
    if not change.plan.shards:
        return RecordOutcome(change.plan, State.LEFT_OUT, 0)
    if not rebuilt:
        return RecordOutcome(change.plan, State.UP_TO_DATE, sum(s.num_bytes for s in change.current.values()))
    if num_bytes is None:
        return RecordOutcome(change.plan, State.PLANNED, 0, rebuilt)
    return RecordOutcome(change.plan, State.WRITTEN, num_bytes, rebuilt)


def _texts_differ(new: Manifest, old: Manifest, label_map: LabelMap, out_dir: Path) -> bool:
    return label_ids.copies_differ(out_dir, label_map) or not _is_manifest_current(new, old, out_dir)


def _write_texts(new: Manifest, old: Manifest, label_map: LabelMap, out_dir: Path) -> None:
    """Write the copies of the label map, then the manifest; a file that would not change is left alone."""
    label_ids.write_copies(out_dir, label_map)
    if not _is_manifest_current(new, old, out_dir):
        with atomic_writer(out_dir / manifest.FILE_NAME) as stream:
            stream.writelines(line.encode() for line in manifest.manifest_lines(new))


def _is_manifest_current(new: Manifest, old: Manifest, out_dir: Path) -> bool:
    path = out_dir / manifest.FILE_NAME
    if not path.exists():
        return False
    # A newer tagbox alone is no reason to touch the manifest of records that it would write the same.
    same = dataclasses.replace(new, tagbox_version=old.tagbox_version)
    digest = hashlib.sha256()
    for line in manifest.manifest_lines(same):
        digest.update(line.encode())
    try:
        return sha256_of_file(path) == digest.hexdigest()
    except OSError:
        return False


def _stale_files(plan: BuildPlan, old: Manifest, kept: Sequence[RecordEntry], out_dir: Path) -> tuple[str, ...]:
    """Name the files that the last manifest names and the next one will not, as far as they are there; sorted."""
    names = {shard.file for record in plan.records for shard in record.shards}
    names |= {shard.file for entry in kept for shard in entry.shards}
    stale = {shard.file for entry in old.records for shard in entry.shards} - names
    return tuple(sorted(name for name in stale if (out_dir / name).exists()))


def _remove_stale(names: Sequence[str], out_dir: Path) -> tuple[str, ...]:
    for name in names:
        try:
            (out_dir / name).unlink(missing_ok=True)
        except OSError as error:
            raise InputError(f"cannot remove: {error.strerror or error}", where=str(out_dir / name)) from error
    return tuple(names)
