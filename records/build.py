"""Building a records folder: plan, build, commit.

The plan is made by `records.prepare`, the shards by `records.staging`. They are renamed into place when all are there,
then come the copies of the label map, and the manifest is written last. A build that fails or is killed before that
leaves the records that were there as they were.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from collectors.errors import InputError, TagboxError
from collectors.files import sha256_of_file, write_atomically
from collectors.progress import Progress, no_progress
from labeling.label_map import LabelMap, format_csv, format_pbtxt, read_label_map
from records import label_ids, manifest, staging
from records.build_report import BuildReport, NothingUsableError, RecordOutcome, State
from records.manifest import Manifest, RecordEntry
from records.notices import Notice, foreign_record_notices, split_overlap_notices
from records.plan import DEFAULT_SHARD_BYTES, RecordPlan
from records.prepare import BuildPlan, prepare_build


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
    dry_run: bool = False,
) -> BuildReport:
    """Check a data root and build one record for each class and split.

    Records that are there already and would come out the same are left alone. Records of classes that are not asked
    for stay, in the folder and in its manifest.

    Args:
        data_root: The folder of the class folders.
        out_dir: The records folder; made when missing.
        classes: Only these class folders; ``None`` for all.
        label_map_path: A label map to use in place of the data root's own; see `records.label_ids`.
        progress: Told of every example written.
        check_progress: Told of every picture checked, before that.
        jobs: Threads that check and processes that write; ``None`` chooses. The bytes do not depend on it.
        shard_bytes: A record whose pictures add up to more is kept in several files of about this size.
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
        progress=check_progress,
        jobs=jobs,
        keep_check=not dry_run,
    )
    return build_from_plan(plan, out_dir, progress=progress, jobs=jobs, dry_run=dry_run)


def build_from_plan(
    plan: BuildPlan, out_dir: Path, *, progress: Progress = no_progress, jobs: int | None = None, dry_run: bool = False
) -> BuildReport:
    """Do what a plan says; see `build_records` for the promise and the errors.

    Args:
        plan: From `records.prepare.prepare_build` or `records.prepare.prepare_single_record`.
        out_dir: The records folder; made when missing. The manifest and the label map in it are kept up as well.
        progress: Told of every example written.
        jobs: Processes that write; ``None`` chooses.
        dry_run: Find out everything and write nothing.
    """
    old = manifest.read_manifest(out_dir) or Manifest()
    label_map = label_ids.union_of_label_maps(old.label_map, plan.label_map.label_map, where=out_dir)
    current = _up_to_date(plan, old, out_dir)
    kept = _kept(plan, old, out_dir)
    report = BuildReport(
        out_dir=out_dir,
        outcomes=tuple(_outcome(record, current.get(record.file)) for record in plan.records),
        notices=(*plan.notices, *_overlap_notices(plan, kept), *foreign_record_notices(kept, plan.class_names)),
        label_map_path=plan.label_map.path,
        label_map=label_map.items,
        added_labels=plan.label_map.added,
        dry_run=dry_run,
    )
    if not report.num_written:
        raise NothingUsableError(report, where=str(plan.data_root))
    if dry_run:
        return report

    to_build = [record for record in plan.records if record.shards and record.file not in current]
    summaries = staging.build_shards(to_build, plan.data_root, out_dir, progress=progress, jobs=jobs)
    wrote_label_map = plan.label_map.write()
    staging.commit_shards(to_build, out_dir)
    built = {record.file: RecordEntry.of(record, summaries[record.file]) for record in to_build}
    # A record of which everything was refused has no file, and its refusals stand in the manifest all the same.
    empty = [RecordEntry.of(record, ()) for record in plan.records if not record.shards]
    new = Manifest(label_map.items, (*kept, *current.values(), *built.values(), *empty), manifest.tagbox_version())
    _write_texts(new, old, label_map, out_dir)
    removed = _remove_stale(old, new, out_dir)
    gone = (
        [Notice("removed", f"removed {', '.join(removed)}: the data has no such record any more.")] if removed else []
    )
    return dataclasses.replace(
        report,
        outcomes=tuple(_outcome(r, current.get(r.file), built.get(r.file)) for r in plan.records),
        notices=(*report.notices, *gone),
        removed=removed,
        wrote_label_map=wrote_label_map,
    )


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


def _up_to_date(plan: BuildPlan, old: Manifest, out_dir: Path) -> dict[str, RecordEntry]:
    """Find the records that are there already as they would come out, described anew (refusals may have changed)."""
    entries = {entry.file: entry for entry in old.records}
    current = {}
    for record in plan.records:
        entry = entries.get(record.file)
        if entry and record.shards and entry.fingerprint == record.fingerprint and _is_on_disk(entry, out_dir):
            current[record.file] = RecordEntry.of(record, entry.shards)
    return current


def _overlap_notices(plan: BuildPlan, kept: Sequence[RecordEntry]) -> list[Notice]:
    planned = [example for record in plan.records for example in record.examples()]
    return split_overlap_notices([*planned, *(example for entry in kept for example in entry.all_examples())])


def _outcome(record: RecordPlan, current: RecordEntry | None, built: RecordEntry | None = None) -> RecordOutcome:
    if not record.shards:
        return RecordOutcome(record, State.LEFT_OUT, 0)
    if current is not None:
        return RecordOutcome(record, State.UP_TO_DATE, current.num_bytes)
    if built is not None:
        return RecordOutcome(record, State.WRITTEN, built.num_bytes)
    return RecordOutcome(record, State.PLANNED, 0)


def _is_on_disk(entry: RecordEntry, out_dir: Path) -> bool:
    """Say whether every file of a record is there with the bytes that the manifest says."""
    for shard in entry.shards:
        path = out_dir / shard.file
        try:
            if path.stat().st_size != shard.num_bytes or sha256_of_file(path) != shard.sha256:
                return False
        except OSError:
            return False
    return True


def _write_texts(new: Manifest, old: Manifest, label_map: LabelMap, out_dir: Path) -> None:
    """Write the copies of the label map, then the manifest; a file that would not change is left alone."""
    path = out_dir / label_ids.FILE_NAME
    if not _has_text(path.with_suffix(".csv"), format_csv(label_map)):
        write_atomically(path.with_suffix(".csv"), format_csv(label_map))
    # The same map in other words (it may be the caller's own file) stays as it is.
    if not _has_items(path, label_map):
        write_atomically(path, format_pbtxt(label_map))
    path = out_dir / manifest.FILE_NAME
    # A newer tagbox alone is no reason to touch the manifest of records that it would write the same.
    version = old.tagbox_version if path.exists() else new.tagbox_version
    text = manifest.format_manifest(dataclasses.replace(new, tagbox_version=version))
    if not _has_text(path, text):
        write_atomically(path, manifest.format_manifest(new))


def _has_items(path: Path, label_map: LabelMap) -> bool:
    try:
        return read_label_map(path).items == label_map.items
    except TagboxError:
        return False


def _has_text(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() == text.encode()
    except OSError:
        return False


def _remove_stale(old: Manifest, new: Manifest, out_dir: Path) -> tuple[str, ...]:
    """Remove the files that the last manifest names and this one does not; returns those that were there."""
    names = {shard.file for entry in new.records for shard in entry.shards}
    stale = sorted({shard.file for entry in old.records for shard in entry.shards} - names)
    removed = [name for name in stale if (out_dir / name).exists()]
    for name in removed:
        try:
            (out_dir / name).unlink()
        except OSError as error:
            raise InputError(f"cannot remove: {error.strerror or error}", where=str(out_dir / name)) from error
    return tuple(removed)
