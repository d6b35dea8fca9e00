"""From a data root to the plan of a build: run the checks, choose the label map, plan every record.

Nothing is written here but the cache of the checks.
"""

import dataclasses
import difflib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from collectors.errors import ConfigError, InputError
from collectors.processes import num_cores
from collectors.progress import Progress, no_progress
from labeling.check_cache import CheckCache
from labeling.dataset import ClassFolder, find_dataset, list_class_folders
from labeling.label_map import LabelMap
from labeling.provenance import forgotten_pictures, post_urls_by_picture
from records.box_filters import BoxFilters
from records.candidates import CheckTally, Selection, SplitCandidates, examine_class
from records.label_ids import LabelMapPlan, plan_label_map
from records.merging import MergeConflict, merge_candidates
from records.notices import (
    Notice,
    check_notices,
    dropped_notices,
    empty_class_notice,
    label_map_notices,
    merge_notices,
    record_notices,
)
from records.picture_conversion import KINDS
from records.plan import DEFAULT_SHARD_BYTES, MERGED, SPLITS, RecordPlan, Refusal, plan_record, record_file_name

# The cache keeps all it knows in memory, about three kilobytes a picture.
_MOST_CACHED = 60_000


@dataclass(frozen=True, slots=True)
class ContentOptions:
    """What goes into the records.

    Attributes:
        merge: One record a split for all class folders, see `records.merging`.
        filters: Boxes to leave out.
        transcode: Pictures to convert, keys of `records.picture_conversion.KINDS`.
    """

    merge: bool = False
    filters: BoxFilters = field(default_factory=BoxFilters)
    transcode: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for kind in sorted(self.transcode - KINDS.keys()):
            raise ConfigError(f"there is no conversion {kind!r}", fix=f"There are: {', '.join(KINDS)}.")

    def words(self) -> tuple[str, ...]:
        """What is asked for, in words; nothing where all is as usual."""
        return (*self.filters.words(), *(f"transcode {kind}" for kind in sorted(self.transcode)))


class _Target(NamedTuple):
    """A record asked for."""

    class_name: str
    split: str
    file: str


@dataclass(frozen=True, slots=True)
class _Options:
    """How to plan, whatever is asked for."""

    label_map_path: Path | None
    shard_bytes: int | None
    content: ContentOptions
    progress: Progress
    jobs: int | None
    cache: CheckCache | None


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """Everything a build will do, before it does it.

    ``records`` has one plan for every class and split that has labels (in a merged build for every split), also where
    all of them are refused. ``files`` are the names of all records this build answers for: one that is not planned any
    more is to be removed. ``class_names`` are the class folders of the data root, also those that are not built.
    ``forgotten`` are the SHA-256 of pictures that the ledger wants in no record.
    """

    data_root: Path
    label_map: LabelMapPlan
    records: tuple[RecordPlan, ...]
    files: tuple[str, ...]
    class_names: tuple[str, ...]
    notices: tuple[Notice, ...] = ()
    forgotten: frozenset[str] = frozenset()


def check_cache_of(data_root: Path, *, read_only: bool = False) -> CheckCache | None:
    """Return what earlier checks of a data root found out; ``None`` where it would take more memory than a build may.

    Of a root that is missing it is ``None``, too.

    Args:
        data_root: The folder of the class folders.
        read_only: Ask the cache and never write it.
    """
    if not data_root.is_dir():
        return None
    num_labels = sum(folder.num_labels for folder in list_class_folders(data_root))
    return CheckCache(data_root, read_only=read_only) if num_labels <= _MOST_CACHED else None


def prepare_build(
    data_root: Path,
    *,
    classes: Sequence[str] | None = None,
    label_map_path: Path | None = None,
    shard_bytes: int | None = DEFAULT_SHARD_BYTES,
    content: ContentOptions | None = None,
    progress: Progress = no_progress,
    jobs: int | None = None,
    cache: CheckCache | None = None,
) -> BuildPlan:
    """Plan the records of a data root, one for each class and split, or one for each split.

    Args:
        data_root: The folder of the class folders.
        classes: Only these class folders; ``None`` for all.
        label_map_path: See `records.label_ids.plan_label_map`.
        shard_bytes: See `records.plan.plan_record`.
        content: What goes in.
        progress: Told of every picture checked.
        jobs: Threads that check; ``None`` for one a processor.
        cache: What earlier checks of this root found out; brought up to date. ``None`` reads every file.

    Raises:
        ConfigError: A class is not there, or there are more pictures than numbers for them.
        InputError: No class folder, or none of those asked for has labels.
    """
    content = content or ContentOptions()
    known = _find(data_root)
    folders = _chosen_folders(data_root, known, classes)
    names = [folder.name for folder in folders]
    targets = [_Target(name, split, record_file_name(name, split)) for name in names for split in SPLITS]
    merged = [_Target(MERGED, split, record_file_name(MERGED, split)) for split in SPLITS]
    if content.merge and classes is not None:
        raise ConfigError(
            "merged records hold every class folder", fix="Leave --class or --merge out, or merge into another folder."
        )
    if MERGED in (folder.name for folder in known):
        raise ConfigError(
            f"a class folder is called {MERGED!r}, which is what records of several classes are called",
            where=str(data_root),
            fix="Rename the folder and its label.",
        )
    options = _Options(label_map_path, shard_bytes, content, progress, jobs, cache)
    plan = _prepare(data_root, known, folders, merged if content.merge else targets, options)
    if classes is None:
        # A folder holds the one or the other: a training on all of its records would read pictures twice.
        files = tuple(target.file for target in (*targets, *merged))
        return dataclasses.replace(plan, files=files)
    return plan


def prepare_single_record(
    data_root: Path,
    *,
    file: str,
    class_name: str,
    split: str,
    label_map_path: Path | None = None,
    content: ContentOptions | None = None,
    progress: Progress = no_progress,
    jobs: int | None = None,
    cache: CheckCache | None = None,
) -> BuildPlan:
    """Plan the one record of a class and split under a name of the caller's choice, always in a single file.

    Raises:
        ConfigError: The class is not there, the split is none, or there are more pictures than numbers for them.
        InputError: No class folder, or the split of the class has no labels.
    """
    if split not in SPLITS:
        raise ConfigError(f"there is no split {split!r}", fix=f"It is one of: {', '.join(SPLITS)}.")
    known = _find(data_root)
    folders = _chosen_folders(data_root, known, [class_name])
    options = _Options(label_map_path, None, content or ContentOptions(), progress, jobs, cache)
    plan = _prepare(data_root, known, folders, [_Target(class_name, split, file)], options)
    if not plan.records:
        raise _nothing_to_build(data_root, folders, split)
    return plan


def _find(data_root: Path) -> tuple[ClassFolder, ...]:
    folders = list_class_folders(data_root)
    # A class folder given in place of its parent is found as a data root of one class, the root itself.
    if not folders or folders[0].path == data_root:
        named = (
            f"Give the folder above it: tagbox records build {data_root.parent}"
            if folders
            else (
                "Put the pictures and XML into <class>/training/ and <class>/verification/: tagbox labels place --help"
            )
        )
        raise InputError("this is not a data root with class folders", where=str(data_root), fix=named)
    if not any(folder.has_labels for folder in folders):
        waiting = sum(folder.num_waiting for folder in folders)
        raise InputError(
            f"no XML labels in the training/ and verification/ folders of {data_root}",
            fix=f"{waiting} XML files lie in unlabeled/: move them with their pictures to training/ and verification/."
            if waiting
            else "Draw boxes in LabelImg (PascalVOC) and save them as XML there.",
        )
    return folders


def _chosen_folders(
    data_root: Path, folders: Sequence[ClassFolder], classes: Sequence[str] | None
) -> list[ClassFolder]:
    known = {folder.name: folder for folder in folders}
    for name in classes or ():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"Did you mean {near[0]}? " if near else ""
            raise ConfigError(
                f"there is no class folder {name!r}", where=str(data_root), fix=f"{hint}It has: {', '.join(known)}."
            )
    return list(known.values()) if classes is None else [known[name] for name in sorted(set(classes))]


def _prepare(
    root: Path,
    known: Sequence[ClassFolder],
    folders: Sequence[ClassFolder],
    targets: Sequence[_Target],
    options: _Options,
) -> BuildPlan:
    labeled = [folder.name for folder in known if folder.has_labels]
    usable = [folder.name for folder in folders if folder.has_labels]
    notices = [empty_class_notice(folder) for folder in folders if not folder.has_labels]
    if not usable:
        raise _nothing_to_build(root, folders)
    choice = plan_label_map(root, labeled, options.label_map_path)
    tally = CheckTally()
    selection = Selection(
        label_map=choice.label_map,
        filters=options.content.filters,
        transcode=options.content.transcode,
        posts=post_urls_by_picture(root),
        forgotten=forgotten_pictures(root),
        with_looks=options.content.merge,
    )
    pool: dict[str, list[SplitCandidates]] = {split: [] for split in SPLITS}
    blocks = _blocks(choice.label_map, (folder.name for folder in known))
    records: list[RecordPlan] = []
    conflicts: list[MergeConflict] = []
    num_repeated = 0
    checked = 0
    is_whole = len({target.split for target in targets}) == len(SPLITS)
    total = sum(folder.num_labels for folder in folders) if is_whole else None
    for name in usable:
        splits = [target.split for target in targets if target.class_name in (name, MERGED)]
        progress, count = _counting_on(options.progress, checked, total)
        found = examine_class(
            find_dataset(root, [name]),
            selection,
            tally,
            progress=progress,
            jobs=options.jobs or num_cores(),
            cache=options.cache,
            splits=splits,
        )
        checked += count[0]
        for target in targets:
            if target.class_name == name:
                records += _planned(target, found[target.split], blocks[name], options)
            elif target.class_name == MERGED:
                pool[target.split].append(found[target.split])
    if options.cache is not None:
        options.cache.save()
    for target in targets:
        if target.class_name == MERGED:
            merged, joined = _merged(pool.pop(target.split), root)
            conflicts += merged
            num_repeated += joined[1]
            records += _planned(target, joined[0], 0, options)
    wanted = [target for target in targets if target.class_name in (*usable, MERGED)]
    notices += label_map_notices(choice, usable)
    notices += record_notices(root, records, wanted)
    notices += merge_notices(records, conflicts, num_repeated)
    notices += dropped_notices(records)
    notices += check_notices(tally, choice, root)
    return BuildPlan(
        data_root=root,
        label_map=choice,
        records=tuple(records),
        files=tuple(target.file for target in targets),
        class_names=tuple(folder.name for folder in known),
        notices=tuple(notices),
        forgotten=selection.forgotten,
    )


def _merged(pool: Sequence[SplitCandidates], root: Path) -> tuple[list[MergeConflict], tuple[SplitCandidates, int]]:
    looks = {sha256: look for one in pool for sha256, look in one.looks.items()}
    merged = merge_candidates((candidate for one in pool for candidate in one.examples), looks, root)
    refused: list[Refusal] = [refusal for one in pool for refusal in one.refused]
    dropped: Counter[str] = Counter()
    for one in pool:
        dropped.update(one.dropped)
    joined = SplitCandidates(merged.examples, refused, dropped, sum(one.num_unlabeled for one in pool))
    return merged.conflicts, (joined, merged.num_repeated)


def _planned(target: _Target, found: SplitCandidates, block: int, options: _Options) -> list[RecordPlan]:
    """Plan one record; none when there is nothing to say about it."""
    record = plan_record(
        found.examples,
        file=target.file,
        class_name=target.class_name,
        split=target.split,
        block=block,
        refused=found.refused,
        shard_bytes=options.shard_bytes,
    )
    if not record.num_found:
        return []
    return [
        dataclasses.replace(
            record,
            num_unlabeled=found.num_unlabeled,
            dropped=dict(sorted(found.dropped.items())),
            options=options.content.words(),
        )
    ]


def _counting_on(progress: Progress, before: int, total_of_all: int | None) -> tuple[Progress, list[int]]:
    """Report the pictures of one class after those of the classes before it."""
    count = [0]

    def report(done: int, total: int | None, note: str = "") -> None:
        count[0] = total or 0
        progress(before + done, total if total_of_all is None else total_of_all, note)

    return report, count


def _blocks(label_map: LabelMap, class_names: Iterable[str]) -> dict[str, int]:
    """Number the class folders: by label id, and past the last id where a folder's name is not a label."""
    others = sorted(name for name in class_names if name not in label_map)
    return {**label_map.ids, **{name: label_map.max_id + 1 + index for index, name in enumerate(others)}}


def _nothing_to_build(data_root: Path, folders: Sequence[ClassFolder], split: str = "") -> InputError:
    names = ", ".join(folder.name for folder in folders)
    place = f"{folders[0].name}/{split or 'training'}"
    waiting = sum(folder.num_waiting for folder in folders)
    fix = (
        f"XML waiting in unlabeled/: {waiting}; move them to {place}/ with their pictures."
        if waiting
        else f"Draw boxes in LabelImg and save the XML in {place}/, the pictures in {place}/images/."
    )
    return InputError(f"no labelled pictures in {names}{'/' + split if split else ''}", where=str(data_root), fix=fix)
