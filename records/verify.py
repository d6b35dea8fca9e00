"""Judging records: is every file whole, and sound to train on?

Trainers hide what is wrong in a record: a file of 0 bytes is an empty one, an inverted box never becomes a positive,
a label past the last class is background. Each of these is a finding here. Files that a manifest names are held against
it; those of other tools are judged by themselves.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from collectors.processes import num_cores, process_pool, submit_all
from collectors.progress import Progress, counted_on, no_progress
from records import croissant
from records.dataset_card import is_card_stale
from records.manifest import Manifest
from records.plan import SPLITS
from records.reading import base_name
from records.record_sets import find_record_sets, split_in_name
from records.shard_check import ShardCheck, ShardTask, check_shard
from records.verify_findings import RecordFinding, VerifyReport
from records.verify_surroundings import check_surroundings

# Below the second, starting processes takes longer than they save; below the first, nothing is worth a word.
_BYTES_WORTH_THREADS, _BYTES_WORTH_PROCESSES = 1 << 24, 1 << 30
_Call = tuple[Callable[..., Any], tuple[Any, ...]]
_SHOWN = 5


def verify_records(
    *paths: Path,
    label_map_path: Path | None = None,
    decode: bool = False,
    jobs: int | None = None,
    progress: Progress = no_progress,
) -> VerifyReport:
    """Read every byte of records and judge them.

    Args:
        paths: Folders, files, globs, or names that shards share. A folder that `tagbox records build` made, and a file
            of one, is held against its manifest.
        label_map_path: The label map of files without a manifest; ``None`` takes ``label_map.pbtxt`` beside them,
            where there is one.
        decode: Decode every picture, also those whose hash proves that the build decoded them.
        jobs: How many files are read at once; ``None`` for one a processor. Threads read them, or processes where
            there is a gigabyte and more.
        progress: Told of every example, or of every file when several are read at once.

    Returns:
        The same report whatever ``jobs`` is.

    Raises:
        ManifestError: A manifest cannot be read, or a folder has neither a manifest nor records.
        InputError: A path matches nothing, shards are missing, or the label map cannot be read.
        LabelMapError: The label map that was named is broken.
    """
    sets = find_record_sets(paths, label_map_path=label_map_path)
    tasks = [list(one.tasks(decode=decode)) for one in sets]
    checks = _run([task for some in tasks for task in some], jobs, progress)
    findings: list[RecordFinding] = []
    notices: list[str] = []
    for one, some in zip(sets, tasks, strict=True):
        own = [(task, checks[task.path]) for task in some]
        source_ids = _SourceIds(is_ours=one.manifest is not None)
        for task, check in own:
            findings += sorted([*check.findings, *source_ids.findings(task.path, check)], key=_place)
        findings += _overlap(own)
        if one.manifest is None:
            findings += _ambiguous_labels(own)
            notices += _remarks(own)
        elif one.is_whole_folder:
            findings += _beside(one.folder, one.manifest)
    read = [check for check in checks.values() if check.was_read]
    return VerifyReport(
        paths=tuple(paths),
        files=tuple(task.path for some in tasks for task in some if checks[task.path].was_read),
        num_examples=sum(check.num_examples for check in read),
        num_boxes=sum(check.num_boxes for check in read),
        num_bytes=sum(check.num_bytes for check in read),
        num_decoded=sum(check.num_decoded for check in read),
        findings=tuple(findings),
        notices=tuple(notices),
    )


def _run(tasks: Sequence[ShardTask], jobs: int | None, progress: Progress) -> dict[Path, ShardCheck]:
    """Check every file; the result is in the order of the tasks whatever is finished first."""
    total = sum(len(task.sources) for task in tasks) if all(task.listed for task in tasks) else None
    sizes = [_size_of(task.path) for task in tasks]
    workers = min(jobs or num_cores(), len(tasks))
    checks: dict[Path, ShardCheck] = {}
    done = 0
    if workers <= 1 or sum(sizes) < _BYTES_WORTH_THREADS:
        for task in tasks:
            checks[task.path] = check_shard(task, progress=counted_on(progress, done, total))
            done += checks[task.path].num_examples
        return checks
    # The largest first, so that no worker is left alone with it at the end.
    ordered = [task for _, task in sorted(zip(sizes, tasks, strict=True), key=lambda pair: -pair[0])]
    with _workers(workers, sum(sizes)) as submit:
        for future in as_completed(submit([(_check_named, (task,)) for task in ordered])):
            path, check = future.result()
            checks[path] = check
            done += check.num_examples
            progress(done, total)
    return checks


@contextmanager
def _workers(count: int, num_bytes: int) -> Iterator[Callable[[list[_Call]], list[Future[Any]]]]:
    """Open a pool: threads where little is to be read (hashing lets the others run), else processes."""
    if num_bytes < _BYTES_WORTH_PROCESSES:
        with ThreadPoolExecutor(count) as threads:
            yield lambda calls: [threads.submit(function, *arguments) for function, arguments in calls]
        return
    with process_pool(count) as pool:
        yield lambda calls: submit_all(pool, calls)


def _place(finding: RecordFinding) -> tuple[bool, int]:
    """Sort by example, what is about the file last."""
    return (finding.example is None, finding.example or 0)


def _check_named(task: ShardTask) -> tuple[Path, ShardCheck]:
    return task.path, check_shard(task)


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


class _SourceIds:
    """The source ids seen so far, and where; those of other tools are unique within one record, ours everywhere."""

    def __init__(self, *, is_ours: bool) -> None:
        self._is_ours = is_ours
        self._seen: dict[tuple[str, int | str], str] = {}

    def findings(self, path: Path, check: ShardCheck) -> Iterator[RecordFinding]:
        scope = "" if self._is_ours else str(path.parent / base_name(path))
        for index, number in enumerate(check.source_ids):
            if number is None:
                continue
            if self._is_ours and isinstance(number, str):
                yield RecordFinding(
                    "V10", path, index, "image/source_id is no number from 1 to 2147483647; evaluation crashes on it"
                )
            elif number == "":
                # Evaluation takes every picture without one for the same picture.
                yield RecordFinding("V10", path, index, "image/source_id is missing or empty")
            elif (scope, number) in self._seen:
                yield RecordFinding(
                    "V10", path, index, f"source_id {number} stands also in {self._seen[scope, number]}"
                )
            else:
                self._seen[scope, number] = f"{path}: example {index}"


def _overlap(own: Sequence[tuple[ShardTask, ShardCheck]]) -> Iterator[RecordFinding]:
    """Find the pictures, by their bytes, that are trained on and evaluated on."""
    training: dict[bytes, str] = {}
    verification: list[tuple[bytes, ShardTask, int]] = []
    for task, check in own:
        for index, (sha256, split) in enumerate(zip(check.picture_sha256, check.splits, strict=True)):
            place = split or split_in_name(task.path.name)
            if sha256 and place == SPLITS[0]:
                training.setdefault(sha256, f"{task.path}: example {index}{_picture_of(task, index)}")
            elif sha256 and place == SPLITS[1]:
                verification.append((sha256, task, index))
    for sha256, task, index in verification:
        if sha256 in training:
            message = f"its picture{_picture_of(task, index)} is trained on as well: {training[sha256]}"
            yield RecordFinding("V17", task.path, index, message)


def _picture_of(task: ShardTask, index: int) -> str:
    return f" ({task.sources[index].image_path})" if index < len(task.sources) else ""


def _ambiguous_labels(own: Sequence[tuple[ShardTask, ShardCheck]]) -> Iterator[RecordFinding]:
    """Find labels that mean several classes, where no label map says which is right."""
    names: dict[int, dict[str, Path]] = defaultdict(dict)
    for task, check in own:
        if task.label_names is None:
            for label, texts in sorted(check.texts.items()):
                for text in sorted(texts):
                    names[label].setdefault(text, task.path)
    for label, paths in sorted(names.items()):
        if len(paths) > 1:
            (first, where), (second, path) = list(paths.items())[:2]
            yield RecordFinding("V11", path, None, f"label {label} is {second!r} here and {first!r} in {where}")


def _remarks(own: Sequence[tuple[ShardTask, ShardCheck]]) -> Iterator[str]:
    """Say what is no fault of another tool's records, but good to know."""
    yield "no manifest names these files, so that counts, hashes and what should be there cannot be checked: " + _names(
        [task.path for task, _ in own]
    )
    count = sum(check.remarks["text-source-id"] for _, check in own)
    if count:
        yield (
            f"examples whose image/source_id is a text: {count}. tagbox makes a number of it; "
            "Model Garden's own evaluation stops there."
        )
    count = sum(check.remarks["no-boxes-keys"] for _, check in own)
    if count:
        yield f"examples without keys for boxes: {count}; they are no detection examples, or have no object"
    unknown = [task.path for task, check in own if task.label_names is None and check.num_boxes]
    if unknown:
        yield f"no label map is known (--label-map), so that labels are not checked: {_names(unknown)}"


def _names(paths: Sequence[Path]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(str(path) for path in paths[:_SHOWN]) + more


def _beside(folder: Path, listed: Manifest) -> Iterator[RecordFinding]:
    """Look for what stands beside the records: files nobody lists, label maps, an unfinished build, an old card."""
    named = {shard.file for entry in listed.records for shard in entry.shards}
    yield from check_surroundings(folder, named, listed.label_map)
    if is_card_stale(folder, listed):
        yield RecordFinding(
            "V21", folder / croissant.FILE_NAME, None, f"write the card again: tagbox records card {folder}"
        )
