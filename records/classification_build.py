"""From planned classification records to a folder with them: build what is missing, commit, the manifest last.

What is planned comes from `records.drawings` or `records.picture_folder`. A build that fails or is killed leaves the
records that were there as they were; the next one takes up the shards that were finished.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collectors.errors import ConfigError, InputError
from collectors.files import has_content, sha256_of_file, write_atomically
from collectors.progress import Progress
from labeling.label_map import LabelMap, read_label_map
from records import label_ids
from records.build_report import State
from records.classification_manifest import (
    ClassificationManifest,
    ClassificationRecord,
    LabelledPictureEntry,
    SourceAccount,
    format_classification_manifest,
    read_classification_manifest,
)
from records.drawing_sources import check_spellings
from records.manifest import FILE_NAME, tagbox_version
from records.notices import Notice
from records.plan import Refusal
from records.shard import ShardSummary
from records.shard_jobs import ShardJob, Workers, build_shards, commit_shards

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class PlannedRecord:
    """One record to make; ``counts`` and ``pictures`` are as in the manifest. Without shards there is no record."""

    folder: Path
    file: str
    split: str
    shards: tuple[ShardJob, ...]
    counts: tuple[tuple[str, int], ...]
    pictures: tuple[tuple[LabelledPictureEntry, ...], ...] = ()

    @property
    def path(self) -> Path:
        """The record, or what the names of its files begin with."""
        return self.folder / self.file

    @property
    def fingerprint(self) -> str:
        """Hex SHA-256 over the names and the contents of all shards."""
        lines = [f"{shard.file} {shard.fingerprint}\n" for shard in self.shards]
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    @property
    def num_examples(self) -> int:
        """Examples in all shards."""
        return sum(shard.num_examples for shard in self.shards)


@dataclass(frozen=True, slots=True)
class ClassificationPlan:
    """Everything a build will do; the fields are those of the manifest."""

    records: tuple[PlannedRecord, ...]
    label_map: LabelMap
    content: Mapping[str, Any]
    sources: tuple[SourceAccount, ...]
    refusals: tuple[Refusal, ...]
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class ClassificationOutcome:
    """One record and what was done about it; ``num_bytes`` is 0 when it is not on disk."""

    record: PlannedRecord
    state: State
    num_bytes: int

    def as_json(self) -> dict[str, Any]:
        """The outcome as a JSON object."""
        return {
            "file": str(self.record.path),
            "split": self.record.split,
            "state": self.state.value,
            "written": self.record.num_examples,
            "classes": dict(self.record.counts),
            "bytes": self.num_bytes,
            "shards": [shard.file for shard in self.record.shards],
        }


@dataclass(frozen=True, slots=True)
class ClassificationReport:
    """The account of a build: what was found is what was written, refused and not needed."""

    plan: ClassificationPlan
    outcomes: tuple[ClassificationOutcome, ...]
    removed: tuple[str, ...] = ()
    dry_run: bool = False

    @property
    def num_refused(self) -> int:
        """Drawings or pictures that stay out because something is wrong with them."""
        return sum(source.refused for source in self.plan.sources)

    def as_json(self) -> dict[str, Any]:
        """The report as a JSON object; refusals with path, code and reason."""
        sources = self.plan.sources
        return {
            "dry_run": self.dry_run,
            "content": dict(self.plan.content),
            "totals": {
                "found": sum(source.found for source in sources),
                "written": sum(source.training + source.verification for source in sources),
                "unused": sum(source.unused for source in sources),
                "refused": self.num_refused,
            },
            "records": [outcome.as_json() for outcome in self.outcomes],
            "sources": [{name: getattr(one, name) for name in SourceAccount.__slots__} for one in sources],
            "refusals": [{"path": item.path, "code": item.code, "reason": item.reason} for item in self.plan.refusals],
            "notices": [{"code": notice.code, "message": notice.message} for notice in self.plan.notices],
            "label_map": [{"id": class_id, "name": name} for class_id, name in self.plan.label_map.items],
            "removed": list(self.removed),
        }


def choose_label_map(folders: Sequence[Path], names: Iterable[str], label_map_path: Path | None) -> LabelMap:
    """Decide on the ids: those of the caller's map, or those the folders have already, new names after them.

    Raises:
        ConfigError: The caller's map lacks a name, or an id moved against what the folders have.
        InputError: A map cannot be read, or a name is another spelling of one in it.
    """
    wanted = sorted(set(names))
    old = [(folder, items) for folder in folders if (items := _label_map_of(folder))]
    if label_map_path is not None:
        label_map = read_label_map(label_map_path)
        missing = [name for name in wanted if name not in label_map]
        if missing:
            shown = ", ".join(missing[:_SHOWN]) + ("..." if len(missing) > _SHOWN else "")
            raise ConfigError(
                f"the label map has no {shown}",
                where=str(label_map_path),
                fix="Add the items, or leave --label-map out.",
            )
    else:
        label_map = LabelMap(old[0][1]).extended_with(wanted) if old else LabelMap.from_names(wanted)
    known = [(name, "the label map") for name in label_map.names if name not in wanted]
    check_spellings([*known, *((name, f"the label {name!r}") for name in wanted)])
    for folder, items in old:
        label_map = label_ids.union_of_label_maps(items, label_map, where=folder)
    return label_map


def refuse_other_records(folder: Path, files: Iterable[str]) -> None:
    """Refuse a folder that has records this build does not answer for.

    Raises:
        InputError: It has detection records, or classification records under other names.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError("this is a file, not a folder", where=str(folder), fix="Choose another name for the folder.")
    old = read_classification_manifest(folder)
    others = sorted({record.file for record in old.records} - set(files)) if old else []
    if others:
        raise InputError(
            f"other classification records are there: {', '.join(others[:_SHOWN])}",
            where=str(folder),
            fix="Choose another folder: the manifest describes one build.",
        )


def build_classification(
    plan: ClassificationPlan, *, workers: Workers, progress: Progress, dry_run: bool
) -> ClassificationReport:
    """Do what a plan says, folder by folder. The caller holds the folders' locks.

    Raises:
        InputError: A source cannot be read or changed, or the disk refuses. What was in the folders is as it was.
    """
    folders = list(dict.fromkeys(record.folder for record in plan.records))
    olds = {folder: read_classification_manifest(folder) for folder in folders}
    current = {record.path: entry for record in plan.records if (entry := _entry_on_disk(record, olds[record.folder]))}
    if dry_run:
        outcomes = tuple(_outcome(record, current.get(record.path), None) for record in plan.records)
        return ClassificationReport(plan, outcomes, dry_run=True)
    to_build = [record for record in plan.records if record.shards and record.path not in current]
    built: dict[Path, ClassificationRecord] = {}
    # All shards of all folders are there before the first one is put in its place.
    for folder in folders:
        mine = [record for record in to_build if record.folder == folder]
        summaries = build_shards([shard for record in mine for shard in record.shards], folder, workers, progress)
        built |= {record.path: _entry_of(record, summaries) for record in mine}
    removed: list[str] = []
    for folder in folders:
        mine = [record for record in plan.records if record.folder == folder]
        commit_shards([shard for record in mine if record.path in built for shard in record.shards], folder)
        found = [current.get(record.path) or built.get(record.path) for record in mine]
        entries = [entry for entry in found if entry is not None]
        _write_texts(folder, plan, entries, olds[folder])
        removed += _remove_stale(folder, olds[folder], entries)
    outcomes = tuple(_outcome(record, current.get(record.path), built.get(record.path)) for record in plan.records)
    return ClassificationReport(plan, outcomes, tuple(removed))


def _entry_of(record: PlannedRecord, summaries: Mapping[str, ShardSummary]) -> ClassificationRecord:
    shards = tuple(summaries[shard.file] for shard in record.shards)
    return ClassificationRecord(record.file, record.split, record.fingerprint, shards, record.counts, record.pictures)


def _label_map_of(folder: Path) -> tuple[tuple[int, str], ...]:
    old = read_classification_manifest(folder)
    if old is not None:
        return old.label_map
    path = folder / label_ids.FILE_NAME
    return read_label_map(path).items if path.exists() else ()


def _entry_on_disk(record: PlannedRecord, old: ClassificationManifest | None) -> ClassificationRecord | None:
    """Find the record as it would come out, among those that are there."""
    for entry in old.records if old else ():
        if entry.file == record.file and record.shards and entry.fingerprint == record.fingerprint:
            same = all(_is_on_disk(record.folder / shard.file, shard.num_bytes, shard.sha256) for shard in entry.shards)
            return entry if same else None
    return None


def _is_on_disk(path: Path, num_bytes: int, sha256: str) -> bool:
    try:
        return path.stat().st_size == num_bytes and sha256_of_file(path) == sha256
    except OSError:
        return False


def _outcome(
    record: PlannedRecord, current: ClassificationRecord | None, built: ClassificationRecord | None
) -> ClassificationOutcome:
    if not record.shards:
        return ClassificationOutcome(record, State.LEFT_OUT, 0)
    if current is not None:
        return ClassificationOutcome(record, State.UP_TO_DATE, current.num_bytes)
    if built is not None:
        return ClassificationOutcome(record, State.WRITTEN, built.num_bytes)
    return ClassificationOutcome(record, State.PLANNED, 0)


def _write_texts(
    folder: Path, plan: ClassificationPlan, entries: Sequence[ClassificationRecord], old: ClassificationManifest | None
) -> None:
    label_ids.write_copies(folder, plan.label_map)
    # A newer tagbox alone is no reason to touch the manifest of records that it would write the same.
    for version in dict.fromkeys((old.tagbox_version if old else tagbox_version(), tagbox_version())):
        manifest = ClassificationManifest(
            plan.label_map.items, plan.content, tuple(entries), plan.sources, plan.refusals, version
        )
        text = format_classification_manifest(manifest)
        if has_content(folder / FILE_NAME, text):
            return
    write_atomically(folder / FILE_NAME, text)


def _remove_stale(
    folder: Path, old: ClassificationManifest | None, entries: Sequence[ClassificationRecord]
) -> list[str]:
    """Remove the files that the last manifest names and this one does not; returns those that were there."""
    names = {shard.file for entry in entries for shard in entry.shards}
    before = {shard.file for entry in (old.records if old else ()) for shard in entry.shards}
    removed = [name for name in sorted(before - names) if (folder / name).exists()]
    for name in removed:
        try:
            (folder / name).unlink()
        except OSError as error:
            raise InputError(f"cannot remove: {error.strerror or error}", where=str(folder / name)) from error
    return removed
