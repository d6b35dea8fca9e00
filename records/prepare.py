"""From a data root to the plan of a build: run the checks, choose the label map, plan every record.

Nothing is written here but the check cache: pictures that were checked before are not decoded again.
"""

import dataclasses
import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from collectors.errors import ConfigError, InputError
from collectors.progress import Progress, no_progress
from labeling.annotations import Box
from labeling.check_cache import CheckCache
from labeling.dataset import ClassFolder, DatasetFiles, find_dataset
from labeling.label_map import LabelMap
from labeling.validate import CheckedImage, CheckReport, check_dataset
from records.errors import ExampleError
from records.features import FORMATS, ExampleObject, ExampleSource, normalized_box
from records.label_ids import LabelMapPlan, plan_label_map
from records.notices import Notice, check_notices, empty_class_notice, label_map_notices, record_notices
from records.plan import DEFAULT_SHARD_BYTES, SPLITS, RecordPlan, Refusal, plan_record, record_file_name

# Why a picture that passed the checks stays out all the same; the reason says what is wrong with it.
NOT_AN_EXAMPLE = "R01"


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
    progress: Progress
    jobs: int | None
    keep_check: bool


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """Everything a build will do, before it does it.

    ``records`` has one plan for every class and split that has labels, also where all of them are refused. ``files``
    are the names of all records this build answers for: one that is not planned any more is to be removed.
    ``class_names`` are the class folders of the data root, also those that are not built.
    """

    data_root: Path
    label_map: LabelMapPlan
    records: tuple[RecordPlan, ...]
    files: tuple[str, ...]
    class_names: tuple[str, ...]
    notices: tuple[Notice, ...] = ()


def prepare_build(
    data_root: Path,
    *,
    classes: Sequence[str] | None = None,
    label_map_path: Path | None = None,
    shard_bytes: int | None = DEFAULT_SHARD_BYTES,
    progress: Progress = no_progress,
    jobs: int | None = None,
    keep_check: bool = True,
) -> BuildPlan:
    """Plan the records of a data root, one for each class and split.

    Args:
        data_root: The folder of the class folders.
        classes: Only these class folders; ``None`` for all.
        label_map_path: See `records.label_ids.plan_label_map`.
        shard_bytes: See `records.plan.plan_record`.
        progress: Told of every picture checked.
        jobs: Threads that check; ``None`` for one a processor.
        keep_check: Write what the check finds out to the data root's check cache; without, it is only asked.

    Raises:
        ConfigError: A class is not there, or there are more pictures than numbers for them.
        InputError: No class folder, or none of those asked for has labels.
    """
    files = _find(data_root)
    folders = _chosen_folders(files, classes)
    targets = [
        _Target(folder.name, split, record_file_name(folder.name, split)) for folder in folders for split in SPLITS
    ]
    return _prepare(files, folders, targets, _Options(label_map_path, shard_bytes, progress, jobs, keep_check))


def prepare_single_record(
    data_root: Path,
    *,
    file: str,
    class_name: str,
    split: str,
    label_map_path: Path | None = None,
    progress: Progress = no_progress,
    jobs: int | None = None,
    keep_check: bool = True,
) -> BuildPlan:
    """Plan the one record of a class and split under a name of the caller's choice, always in a single file.

    Raises:
        ConfigError: The class is not there, the split is none, or there are more pictures than numbers for them.
        InputError: No class folder, or the split of the class has no labels.
    """
    if split not in SPLITS:
        raise ConfigError(f"there is no split {split!r}", fix=f"It is one of: {', '.join(SPLITS)}.")
    files = _find(data_root)
    folders = _chosen_folders(files, [class_name])
    options = _Options(label_map_path, None, progress, jobs, keep_check)
    plan = _prepare(files, folders, [_Target(class_name, split, file)], options)
    if not plan.records:
        raise _nothing_to_build(data_root, folders, split)
    return plan


def _find(data_root: Path) -> DatasetFiles:
    files = find_dataset(data_root)
    # A class folder given in place of its parent is found as a data root of one class, the root itself.
    if not files.class_folders or files.class_folders[0].path == data_root:
        named = (
            f"Give the folder above it: tagbox records build {data_root.parent}"
            if files.class_folders
            else (
                "Put the pictures and XML into <class>/training/ and <class>/verification/: tagbox labels place --help"
            )
        )
        raise InputError("this is not a data root with class folders", where=str(data_root), fix=named)
    return files


def _chosen_folders(files: DatasetFiles, classes: Sequence[str] | None) -> list[ClassFolder]:
    known = {folder.name: folder for folder in files.class_folders}
    for name in classes or ():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"Did you mean {near[0]}? " if near else ""
            raise ConfigError(
                f"there is no class folder {name!r}", where=str(files.root), fix=f"{hint}It has: {', '.join(known)}."
            )
    return list(known.values()) if classes is None else [known[name] for name in sorted(set(classes))]


def _prepare(
    files: DatasetFiles, folders: Sequence[ClassFolder], targets: Sequence[_Target], options: _Options
) -> BuildPlan:
    root = files.root
    labeled = sorted({label.class_name for label in files.labels})
    usable = [folder.name for folder in folders if folder.name in labeled]
    notices = [empty_class_notice(folder) for folder in folders if folder.name not in usable]
    if not usable:
        raise _nothing_to_build(root, folders)
    choice = plan_label_map(root, labeled, options.label_map_path)
    label_map = choice.label_map
    report = check_dataset(
        root,
        label_map=label_map,
        class_names=usable,
        progress=options.progress,
        jobs=options.jobs,
        cache=CheckCache(root, read_only=not options.keep_check),
    )
    blocks = _blocks(label_map, (folder.name for folder in files.class_folders))
    records = []
    wanted = [target for target in targets if target.class_name in usable]
    for target in wanted:
        candidates, refused = _examples_of(report, target, root, label_map)
        record = plan_record(
            candidates,
            file=target.file,
            class_name=target.class_name,
            split=target.split,
            block=blocks[target.class_name],
            refused=refused,
            shard_bytes=options.shard_bytes,
        )
        if record.num_found:
            unlabeled = sum(path.relative_to(root).parts[:2] == target[:2] for path in report.unlabeled)
            records.append(dataclasses.replace(record, num_unlabeled=unlabeled))
    notices += label_map_notices(choice, usable)
    notices += record_notices(root, records, wanted)
    notices += check_notices(report, choice, root)
    return BuildPlan(
        data_root=root,
        label_map=choice,
        records=tuple(records),
        files=tuple(target.file for target in targets),
        class_names=tuple(folder.name for folder in files.class_folders),
        notices=tuple(notices),
    )


def _blocks(label_map: LabelMap, class_names: Iterable[str]) -> dict[str, int]:
    """Number the class folders: by label id, and past the last id where a folder's name is not a label."""
    others = sorted(name for name in class_names if name not in label_map)
    return {**label_map.ids, **{name: label_map.max_id + 1 + index for index, name in enumerate(others)}}


def _examples_of(
    report: CheckReport, target: _Target, data_root: Path, label_map: LabelMap
) -> tuple[list[tuple[ExampleSource, int]], list[Refusal]]:
    """Return the pictures of one record with their sizes in bytes, and those that stay out."""
    candidates = []
    refused = [
        Refusal(_relative(item.path, data_root), item.code, item.reason)
        for item in report.refused
        if (item.class_name, item.split) == target[:2]
    ]
    for image in report.images:
        if (image.class_name, image.split) != target[:2]:
            continue
        try:
            candidates.append((_source(image, data_root, label_map), image.image_path.stat().st_size))
        except ExampleError as error:
            refused.append(Refusal(_relative(image.xml_path, data_root), NOT_AN_EXAMPLE, error.what))
        except OSError as error:
            raise InputError(f"cannot read the picture: {error.strerror}", where=str(image.image_path)) from error
    return candidates, refused


def _source(image: CheckedImage, data_root: Path, label_map: LabelMap) -> ExampleSource:
    """Turn a checked picture into the source of an example.

    Raises:
        ExampleError: It cannot be one.
    """
    paths = [path.relative_to(data_root).as_posix() for path in (image.image_path, image.xml_path)]
    if paths != [_relative(path, data_root) for path in (image.image_path, image.xml_path)]:
        raise ExampleError("its name is not valid UTF-8; rename the picture and its XML")
    if image.format not in FORMATS:
        raise ExampleError(f"a picture of format {image.format!r} cannot be trained on; save it as JPEG or PNG")
    objects = []
    for item in image.annotation.objects:
        box = Box(float(item.box.xmin), float(item.box.ymin), float(item.box.xmax), float(item.box.ymax))
        normalized_box(box, width=image.width, height=image.height)
        if item.name not in label_map:
            raise ExampleError(f"the label {item.name!r} is not in the label map")
        objects.append(
            ExampleObject(label_map.ids[item.name], item.name, box, item.difficult, item.truncated, item.pose)
        )
    return ExampleSource(
        source_id=0,
        image_path=paths[0],
        xml_path=paths[1],
        image_sha256=image.sha256,
        xml_sha256=image.xml_sha256,
        width=image.width,
        height=image.height,
        format=image.format,
        class_folder=image.class_name,
        split=image.split,
        objects=tuple(objects),
    )


def _relative(path: Path, data_root: Path) -> str:
    """Return a path below the data root as text that any file can hold; bytes that are no UTF-8 become U+FFFD."""
    return path.relative_to(data_root).as_posix().encode(errors="surrogateescape").decode(errors="replace")


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
