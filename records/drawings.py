"""Classification records of drawings: millions of small bitmaps, shuffled as a whole, with memory for a few thousand.

First every source is read once and its index kept on disk (24 bytes a drawing). From the hashes in it follow the split
and the order of every drawing; a shard is a stretch of that order. So each shard is written by itself, in any process,
fetching its drawings from all sources piece by piece.
"""

import dataclasses
import hashlib
import itertools
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from collectors.errors import ConfigError, InputError
from collectors.files import atomic_writer
from collectors.progress import Progress, no_progress
from records.classification_build import (
    ClassificationPlan,
    ClassificationReport,
    PlannedRecord,
    build_classification,
    choose_label_map,
    refuse_other_records,
)
from records.classification_manifest import SourceAccount
from records.drawing_fit import PICTURE_KINDS, refuse_idle_style, require_strokes, side_of
from records.drawing_frames import ENCODINGS, DrawingLabel, drawing_frames, total_bytes
from records.drawing_reading import HASH, NAME, PLACE, index_source, place_words, read_drawings
from records.drawing_selection import (
    SplitSizes,
    choose_splits,
    first_of_each,
    order_of,
    shared_hashes,
)
from records.drawing_sources import MAX_SIDE, MIN_SIDE, DrawingSource, find_drawing_sources
from records.notices import Notice
from records.output_lock import folder_in_use
from records.plan import SPLITS, Refusal
from records.shard import HashingStream, ShardSummary
from records.shard_jobs import INDEX_NAME, ShardJob, Workers, clear_staging, open_workers
from records.staging import FOLDER_NAME
from records.stroke_layers import LAYER_BYTES_A_ROW, MAX_LAYERS
from records.stroke_style import OFFICIAL_STYLE, StrokeStyle

SHARD_BYTES = 32_000_000
# Raised whenever the same drawings would give other bytes; every record is then built again.
_CONTENT_VERSION = 1
# The same of strokes alone, for how they are drawn.
_PEN_VERSION = 2
_CHUNK_PIXELS = 1 << 24
# Below this, starting processes takes longer than the work.
_BYTES_WORTH_PROCESSES = 20_000_000
_SHOWN = 5
_ORDER, _HASH, _PLACE, _NAME = range(4)
_END = 1 << 64
_RAW_ONLY = "Leave --strokes or --encoding out."
_MOST_SORTED = 1 << 22


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawingOptions:
    """How to build; checked when made.

    Attributes:
        sizes: How many drawings of each class go where.
        side: Width and height of the pictures, px; ``None``: that of the bitmaps, 28 for strokes and pictures.
        style: How strokes are drawn; bitmaps and pictures are as they are.
        encoding: ``raw`` (a byte a pixel), ``png`` or ``jpeg``.
        with_layers: Keep the strokes one by one besides; ``raw`` only, and every source must have strokes.
        labels: Only these; ``None`` for all.
        num_shards: Files of each record; ``None``: as many as keep a file below 32 MB.
        label_map_path: A label map to use as it is.
    """

    sizes: SplitSizes
    side: int | None = None
    style: StrokeStyle = OFFICIAL_STYLE
    encoding: str = "raw"
    with_layers: bool = False
    labels: tuple[str, ...] | None = None
    num_shards: int | None = None
    label_map_path: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be built."""
        if self.encoding not in ENCODINGS:
            raise ConfigError(f"encoding must be one of {', '.join(ENCODINGS)}, not {self.encoding!r}")
        if self.with_layers and self.encoding != "raw":
            raise ConfigError(f"strokes are kept beside raw pixels, not beside {self.encoding}", fix=_RAW_ONLY)
        if self.side is not None and not MIN_SIDE <= self.side <= MAX_SIDE:
            raise ConfigError(f"the size must be {MIN_SIDE} to {MAX_SIDE} pixels, not {self.side}")
        if self.num_shards is not None and not 1 <= self.num_shards <= 100_000:
            raise ConfigError(f"{self.num_shards} files are no way to keep a record")


@dataclass(frozen=True, slots=True)
class ShardPart:
    """What of one source may stand in a shard: the source, its label, and the file of its chosen drawings."""

    source: DrawingSource
    label: DrawingLabel
    selection_path: Path


@dataclass(frozen=True, slots=True)
class DrawingShard:
    """One file of a record: all drawings whose order is from ``low`` up to but not including ``high``."""

    file: str
    fingerprint: str
    num_examples: int
    low: int
    high: int
    side: int
    style: StrokeStyle
    encoding: str
    with_layers: bool
    parts: tuple[ShardPart, ...]

    def write(self, path: Path) -> ShardSummary:
        """Write the shard into ``path``, whole or not at all.

        Raises:
            InputError: A source cannot be read or changed since it was indexed, or the disk refuses the file.
        """
        count = 0
        selections = [np.load(part.selection_path, mmap_mode="r") for part in self.parts]
        with atomic_writer(path) as stream:
            hashing = HashingStream(stream)
            for low, high in self._stretches():
                frames = self._frames(selections, low, high)
                hashing.write(b"".join(frames))
                count += len(frames)
        return ShardSummary(self.file, count, hashing.num_bytes, hashing.sha256)

    def _stretches(self) -> Iterator[tuple[int, int]]:
        """Cut the shard into stretches of the order whose drawings are held in memory together."""
        num = max(1, -(-self.num_examples * self.side**2 // _CHUNK_PIXELS))
        edges = [self.low + (self.high - self.low) * index // num for index in range(num + 1)]
        yield from itertools.pairwise(edges)

    def _frames(self, selections: Sequence[NDArray[np.uint64]], low: int, high: int) -> list[bytes]:
        frames: list[bytes] = []
        orders: list[NDArray[np.uint64]] = []
        for part, selection in zip(self.parts, selections, strict=True):
            first, last = _stretch(selection[_ORDER], low, high)
            if first == last:
                continue
            chosen = np.array(selection[:, first:last])
            drawings = read_drawings(
                part.source, chosen[_PLACE], chosen[_HASH], self.side, self.style, with_layers=self.with_layers
            )
            frames += drawing_frames(part.label, drawings, side=self.side, encoding=self.encoding)
            orders.append(chosen[_ORDER])
        if not frames:
            return []
        return [frames[index] for index in np.argsort(np.concatenate(orders), kind="stable").tolist()]


@dataclass(frozen=True, slots=True)
class _Indexed:
    """A source that was read: where its index is, how many drawings were found, and what stays out."""

    path: Path
    num_found: int
    refused: tuple[Refusal, ...]


def build_drawing_records(
    src: Path,
    targets: Mapping[str, Path],
    options: DrawingOptions,
    *,
    progress: Progress = no_progress,
    index_progress: Progress = no_progress,
    jobs: int | None = None,
    dry_run: bool = False,
) -> ClassificationReport:
    """Build one training and one verification record of all drawings in a folder.

    Args:
        src: See `records.drawing_sources.find_drawing_sources`.
        targets: The record file of each split, by its name; a large record is kept in several files of that name
            with ``-00000-of-00004`` and so on behind it. They may lie in two folders.
        options: How.
        progress: Told of the drawings written, after each shard.
        index_progress: Told of the sources read, before that.
        jobs: Processes; ``None`` chooses. The bytes do not depend on it.
        dry_run: Find out everything and write nothing.

    Raises:
        ConfigError: A label is not there, a label map does not fit.
        InputError: A source is missing, damaged, too small or changes; a folder has other records or is in use; the
            disk refuses. What was there is as it was.
    """
    if len(set(targets.values())) < len(SPLITS):
        raise ConfigError("training and verification cannot be one record", where=str(targets[SPLITS[0]]))
    sources = find_drawing_sources(src, options.labels)
    side = side_of(sources, options.side)
    refuse_idle_style(sources, options.style)
    if options.with_layers:
        require_strokes(sources)
    folders = list(dict.fromkeys(target.parent for target in targets.values()))
    num_bytes = sum(source.num_rows * source.side**2 or _size_of(source) for source in sources)
    with ExitStack() as stack:
        for folder in folders:
            files = [target.name for target in targets.values() if target.parent == folder]
            refuse_other_records(folder, files)
            if not dry_run:
                stack.enter_context(folder_in_use(folder, clear_staging))
        label_map = choose_label_map(folders, [source.label for source in sources], options.label_map_path)
        index_dir = stack.enter_context(_index_folder(folders[0], dry_run=dry_run))
        workers = stack.enter_context(open_workers(jobs, is_worth_processes=num_bytes >= _BYTES_WORTH_PROCESSES))
        indexed = _index_all(sources, index_dir, workers, index_progress)
        shared = _refuse_shared(sources, indexed)
        accounts = _choose_all(sources, indexed, shared, options.sizes)
        labels = [DrawingLabel(label_map.ids[source.label], source.label, source.name) for source in sources]
        records = [_plan_record(split, targets[split], sources, labels, indexed, side, options) for split in SPLITS]
        plan = ClassificationPlan(
            records=tuple(records),
            label_map=label_map,
            content=_content(options, side),
            sources=tuple(accounts),
            refusals=tuple(item for one, more in zip(indexed, shared, strict=True) for item in (*one.refused, *more)),
            notices=tuple(_notices(accounts, shared)),
        )
        return build_classification(plan, workers=workers, progress=progress, dry_run=dry_run)


@contextmanager
def _index_folder(folder: Path, *, dry_run: bool) -> Iterator[Path]:
    if dry_run:
        with tempfile.TemporaryDirectory() as temporary:
            yield Path(temporary)
        return
    path = folder / FOLDER_NAME / INDEX_NAME
    try:
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        yield path
    except OSError as error:
        raise InputError(
            f"cannot write: {error.strerror or error}", where=str(error.filename or path), fix="Free some space."
        ) from error


def _size_of(source: DrawingSource) -> int:
    # Text costs far more time a byte than bitmaps do; pictures are not counted, they cost most of all.
    return 20 * source.stamp[0] if source.stamp else _BYTES_WORTH_PROCESSES


def _index_all(
    sources: Sequence[DrawingSource], index_dir: Path, workers: Workers, progress: Progress
) -> list[_Indexed]:
    found: dict[int, _Indexed] = {}
    work = [(source, index_dir / f"{number:05d}") for number, source in enumerate(sources)]
    for done, (place, one) in enumerate(workers.run(_index_one, work), start=1):
        found[place] = one
        progress(done, len(sources))
    return [found[place] for place in range(len(sources))]


def _index_one(work: tuple[DrawingSource, Path]) -> _Indexed:
    """Index a source, leave the copies of drawings out, and save the rest."""
    source, path = work
    indexed = index_source(source)
    index = indexed.index
    first = first_of_each(index[HASH])
    copies = np.setdiff1d(np.arange(index.shape[1]), first)
    refused = [
        Refusal(place_words(source, place), "duplicate", "the same drawing stands in this class already")
        for place in index[PLACE, copies].tolist()
    ]
    np.save(path.with_suffix(".index.npy"), index[:, first])
    return _Indexed(path, index.shape[1] + len(indexed.refused), (*indexed.refused, *refused))


def _refuse_shared(sources: Sequence[DrawingSource], indexed: Sequence[_Indexed]) -> list[tuple[Refusal, ...]]:
    """Refuse drawings that stand in several classes, in all of them: which one is right nobody can tell."""
    shared = shared_hashes([_load_index(one)[HASH] for one in indexed])
    if not len(shared):
        return [()] * len(sources)
    places: list[list[tuple[int, int]]] = []
    labels: dict[int, list[str]] = {}
    for source, one in zip(sources, indexed, strict=True):
        index = _load_index(one)
        hits = np.flatnonzero(np.isin(index[HASH], shared))
        places.append(list(zip(index[HASH, hits].tolist(), index[PLACE, hits].tolist(), strict=True)))
        for value, _ in places[-1]:
            labels.setdefault(value, []).append(source.label)
        if len(hits):
            np.save(one.path.with_suffix(".index.npy"), np.delete(np.array(index), hits, axis=1))
    return [
        tuple(
            Refusal(
                place_words(source, place),
                "two-labels",
                f"the same drawing stands under {' and '.join(labels[value])}",
            )
            for value, place in found
        )
        for source, found in zip(sources, places, strict=True)
    ]


def _choose_all(
    sources: Sequence[DrawingSource],
    indexed: Sequence[_Indexed],
    shared: Sequence[tuple[Refusal, ...]],
    sizes: SplitSizes,
) -> list[SourceAccount]:
    """Choose the drawings of every class, save them by split in their order, and account for all of them."""
    accounts = []
    short = []
    for source, one, more in zip(sources, indexed, shared, strict=True):
        index = np.array(_load_index(one))
        refused = len(one.refused) + len(more)
        if index.shape[1] < sizes.needed:
            short.append(f"{source.label} has {index.shape[1]} ({one.num_found} found, {refused} refused)")
            continue
        chosen = choose_splits(index[HASH], sizes)
        for split, indices in zip(SPLITS, chosen, strict=True):
            order = order_of(index[HASH, indices], sizes.salt)
            picked = np.argsort(order, kind="stable")
            rows = indices[picked]
            selection = np.stack([order[picked], index[HASH, rows], index[PLACE, rows], index[NAME, rows]])
            np.save(_selection_path(one, split), selection)
        used = sum(len(indices) for indices in chosen)
        accounts.append(
            SourceAccount(
                source.label, source.name, one.num_found, len(chosen[0]), len(chosen[1]), index.shape[1] - used, refused
            )
        )
    if short:
        raise InputError(_too_few(short, len(sources), sizes), where=str(sources[0].path.parent), fix=_MORE)
    return accounts


_MORE = "Ask for fewer, add drawings, or leave the class out (--class names those to take)."


def _too_few(short: Sequence[str], num_classes: int, sizes: SplitSizes) -> str:
    asked = (
        "at least one usable drawing is needed"
        if sizes.train_size is None
        else f"{sizes.train_size} + {sizes.eval_size} = {sizes.needed} usable drawings of each class are needed"
    )
    shown = "; ".join(short[:_SHOWN]) + (f"; and {len(short) - _SHOWN} more" if len(short) > _SHOWN else "")
    return f"{asked}, and {len(short)} of {num_classes} classes have fewer: {shown}"


def _plan_record(
    split: str,
    target: Path,
    sources: Sequence[DrawingSource],
    labels: Sequence[DrawingLabel],
    indexed: Sequence[_Indexed],
    side: int,
    options: DrawingOptions,
) -> PlannedRecord:
    selections = [np.load(_selection_path(one, split), mmap_mode="r") for one in indexed]
    counts = [(label, selection.shape[1]) for label, selection in zip(labels, selections, strict=True)]
    total = sum(count for _, count in counts)
    size = total_bytes(counts, side=side) + (total * side * LAYER_BYTES_A_ROW if options.with_layers else 0)
    num_shards = options.num_shards or max(1, -(-size // SHARD_BYTES))
    num_shards = min(num_shards, total)
    parts = [
        ShardPart(source, label, _selection_path(one, split))
        for source, label, one in zip(sources, labels, indexed, strict=True)
    ]
    shards: list[ShardJob] = []
    edges = _shard_edges([selection[_ORDER] for selection in selections], total, num_shards)
    for low, high in itertools.pairwise(edges):
        name = target.name if num_shards == 1 else f"{target.name}-{len(shards):05d}-of-{num_shards:05d}"
        shards.append(_plan_shard(name, low, high, side, options, parts, selections))
    return PlannedRecord(
        folder=target.parent,
        file=target.name,
        split=split,
        shards=tuple(shards),
        counts=tuple(sorted((label.text, count) for label, count in counts)),
    )


def _shard_edges(orders: Sequence[NDArray[np.uint64]], total: int, num_shards: int) -> list[int]:
    """Cut the order into shards: of equal numbers of drawings, or of equal length where that comes to the same."""
    if not num_shards:
        return []
    if total > _MOST_SORTED:
        return [_END * index // num_shards for index in range(num_shards + 1)]
    together = np.sort(np.concatenate(orders))
    return [0, *(int(together[total * index // num_shards]) for index in range(1, num_shards)), _END]


def _plan_shard(
    name: str,
    low: int,
    high: int,
    side: int,
    options: DrawingOptions,
    parts: Sequence[ShardPart],
    selections: Sequence[NDArray[np.uint64]],
) -> DrawingShard:
    encoding, style = options.encoding, options.style
    how = "" if style == OFFICIAL_STYLE else f" {style.line_width!r} {style.padding!r}"
    how += f" layers {MAX_LAYERS}" if options.with_layers else ""
    digest = hashlib.sha256(f"tagbox drawings {_CONTENT_VERSION} {side}{how} {encoding} {low} {high}\n".encode())
    used, count = [], 0
    for part, selection in zip(parts, selections, strict=True):
        first, last = _stretch(selection[_ORDER], low, high)
        if first == last:
            continue
        label = part.label
        kind = part.source.kind if part.source.kind in PICTURE_KINDS else f"{part.source.kind} {_PEN_VERSION}"
        digest.update(json.dumps([label.label, label.text, label.source, kind, last - first]).encode())
        digest.update(np.ascontiguousarray(selection[:, first:last], "<u8").tobytes())
        used.append(part)
        count += last - first
    return DrawingShard(
        name, digest.hexdigest(), count, low, high, side, style, encoding, options.with_layers, tuple(used)
    )


def _stretch(order: NDArray[np.uint64], low: int, high: int) -> tuple[int, int]:
    """Return where in a sorted order the numbers from ``low`` up to but not including ``high`` stand."""
    first = int(np.searchsorted(order, np.uint64(low))) if low else 0
    last = len(order) if high >= _END else int(np.searchsorted(order, np.uint64(high)))
    return first, last


def _content(options: DrawingOptions, side: int) -> dict[str, object]:
    sizes = options.sizes
    how: dict[str, object] = (
        {"eval_share": sizes.eval_share}
        if sizes.train_size is None
        else {"train_size": sizes.train_size, "eval_size": sizes.eval_size}
    )
    style: dict[str, object] = {} if options.style == OFFICIAL_STYLE else dataclasses.asdict(options.style)
    layers = {"stroke_layers": MAX_LAYERS} if options.with_layers else {}
    head = {"of": "drawings", "encoding": options.encoding, "side": side, **layers}
    return {**head, **style, **how, "salt": sizes.salt}


def _notices(accounts: Sequence[SourceAccount], shared: Sequence[tuple[Refusal, ...]]) -> Iterator[Notice]:
    for split in SPLITS:
        lacking = [account.label for account in accounts if not getattr(account, split)]
        if lacking:
            shown = ", ".join(lacking[:_SHOWN]) + (
                f" and {len(lacking) - _SHOWN} more" if len(lacking) > _SHOWN else ""
            )
            yield Notice(f"no-{split}", f"no drawing of {shown} is in {split}")
    num_shared = sum(map(len, shared))
    if num_shared:
        first = next(item for items in shared for item in items)
        yield Notice(
            "two-labels",
            f"{num_shared} drawings stand in several classes and stay out: {first.path}: {first.reason}...",
        )


def _load_index(one: _Indexed) -> NDArray[np.uint64]:
    index: NDArray[np.uint64] = np.load(one.path.with_suffix(".index.npy"), mmap_mode="r")
    return index


def _selection_path(one: _Indexed, split: str) -> Path:
    return one.path.with_suffix(f".{split}.npy")
