"""Classification records of a folder of pictures: the folder, or the tag, is the label.

Pictures that belong together (the same look, the same post) never straddle the splits. An upright JPEG goes in byte for
byte, everything else as a JPEG made of it; the manifest says which and why.
"""

import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from collectors.errors import ConfigError, InputError
from collectors.files import atomic_writer
from collectors.progress import Progress, no_progress
from labeling.dataset import LabelFile, Match
from labeling.label_map import LabelMap
from labeling.labelled_pictures import LabelledPicture
from labeling.picture_groups import Bond, Group, group_pictures
from labeling.provenance import posts_by_picture
from labeling.split_choice import choose_verification
from records.classification_build import (
    ClassificationPlan,
    ClassificationReport,
    PlannedRecord,
    build_classification,
    choose_label_map,
    refuse_other_records,
)
from records.classification_features import encoded_features
from records.classification_manifest import LabelledPictureEntry, SourceAccount
from records.drawing_selection import DEFAULT_SALT
from records.errors import PictureChangedError
from records.example import BytesList, Feature, encode_example
from records.labelled_folder import FolderPicture, LabelledFolder, read_labelled_folder
from records.name_split import is_verification
from records.notices import Notice
from records.output_lock import folder_in_use
from records.picture_checks import to_jpeg, why_transcode
from records.plan import SPLITS, Refusal
from records.shard import HashingStream, ShardSummary
from records.shard_jobs import ShardJob, clear_staging, open_workers
from records.tfrecord import write_frames

SHARD_BYTES = 100_000_000
WITHOUT_LABEL = "without-label"
"""Code of the notice of pictures that have no label: no warning."""
_CONTENT_VERSION = 1
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderOptions:
    """How to build; checked when made.

    Attributes:
        labels: Only these label folders; ``None`` for all.
        multi_label: Several labels a picture: all folders it lies in, and its tags that are labels.
        tags: With ``multi_label``: labels that have no folder.
        only_tags: The tags alone are labels, folders are none; a picture may then have no label.
        eval_share: Share of verification, 0 to 1, of the pictures nobody put into a split.
        max_side: Shrink pictures whose longer side is longer, px; ``None``: keep them.
        salt: Makes another split and order.
        label_map_path: A label map to use as it is.
        split_by: ``look``, so that pictures that belong together stay together, or ``name``: see `records.name_split`.
        name_prefix: With ``name``: stands before the path below the source folder; retrain.py hashed the whole path in
            the words it was given.
    """

    labels: tuple[str, ...] | None = None
    multi_label: bool = False
    tags: tuple[str, ...] = ()
    only_tags: bool = False
    eval_share: float = 0.1
    max_side: int | None = None
    salt: str = DEFAULT_SALT
    label_map_path: Path | None = None
    split_by: str = "look"
    name_prefix: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be built."""
        if not 0 <= self.eval_share <= 1:
            raise ConfigError(f"eval_share must be from 0 to 1, not {self.eval_share:g}")
        if self.max_side is not None and self.max_side < 8:
            raise ConfigError(f"max_side must be 8 pixels or more, not {self.max_side}")
        if self.split_by not in ("look", "name"):
            raise ConfigError(f"split_by must be look or name, not {self.split_by}")
        if self.name_prefix and self.split_by != "name":
            raise ConfigError("a prefix of names has no meaning in a split by look", fix="Add --split-by name.")
        if self.tags and not self.multi_label:
            raise ConfigError("tags as labels need several labels a picture", fix="Add --multi-label.")
        if self.only_tags and not self.tags:
            raise ConfigError("without folders as labels there must be tags", fix="Add --multi-label --tag NAME.")


@dataclass(frozen=True, slots=True)
class PictureExample:
    """One picture of a shard: its file below the source folder, its labels, and why it is transcoded (or empty)."""

    name: str
    sha256: str
    labels: tuple[int, ...]
    texts: tuple[str, ...]
    split: str
    width: int
    height: int
    transcoded: str


@dataclass(frozen=True, slots=True)
class PictureShard:
    """One file of a record."""

    file: str
    src: Path
    max_side: int | None
    examples: tuple[PictureExample, ...]

    @property
    def num_examples(self) -> int:
        """How many pictures."""
        return len(self.examples)

    @property
    def fingerprint(self) -> str:
        """Hex SHA-256 of everything the bytes depend on."""
        digest = hashlib.sha256(f"tagbox pictures {_CONTENT_VERSION} {self.max_side}\n".encode())
        for example in self.examples:
            values = [getattr(example, name) for name in PictureExample.__slots__]
            digest.update(json.dumps(values).encode() + b"\n")
        return digest.hexdigest()

    def write(self, path: Path) -> ShardSummary:
        """Write the shard into ``path``, whole or not at all.

        Raises:
            PictureChangedError: A picture is not the one that was checked.
            InputError: A picture cannot be read, or the disk refuses the file.
        """
        with atomic_writer(path) as stream:
            hashing = HashingStream(stream)
            count = write_frames(hashing, (encode_example(self._features(example)) for example in self.examples))
        return ShardSummary(self.file, count, hashing.num_bytes, hashing.sha256)

    def _features(self, example: PictureExample) -> dict[str, Feature]:
        path = self.src / example.name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise PictureChangedError(path) from error
        if hashlib.sha256(content).hexdigest() != example.sha256:
            raise PictureChangedError(path)
        width, height = example.width, example.height
        if example.transcoded:
            content = to_jpeg(content, max_side=self.max_side)
            with Image.open(io.BytesIO(content)) as image:
                width, height = image.size
        features = encoded_features(
            labels=example.labels,
            texts=example.texts,
            may_lack_label=True,  # whether one may is settled when the build is planned
            encoded=content,
            format_name="jpeg",
            width=width,
            height=height,
        )
        own = {
            "image/filename": example.name.rpartition("/")[2],
            "tagbox/image_path": example.name,
            "tagbox/split": example.split,
        }
        return {**features, **{key: BytesList((value.encode(),)) for key, value in own.items()}}


def build_folder_records(
    src: Path,
    out_dir: Path,
    options: FolderOptions,
    *,
    progress: Progress = no_progress,
    check_progress: Progress = no_progress,
    jobs: int | None = None,
    dry_run: bool = False,
) -> ClassificationReport:
    """Build one training and one verification record of the pictures in a folder of label folders.

    Args:
        src: See `records.labelled_folder`.
        out_dir: The records folder; made when missing.
        options: How.
        progress: Told of the pictures written, after each shard.
        check_progress: Told of every picture checked, before that.
        jobs: Processes; ``None`` chooses. The bytes do not depend on it.
        dry_run: Find out everything and write nothing.

    Raises:
        ConfigError: A label is not there, a label map does not fit.
        InputError: There are no pictures, none is usable or one changes; the folder has other records or is in use;
            the disk refuses. What was there is as it was.
    """
    targets = {split: f"pictures_{split}.record" for split in SPLITS}
    with ExitStack() as stack:
        refuse_other_records(out_dir, targets.values())
        if not dry_run:
            stack.enter_context(folder_in_use(out_dir, clear_staging))
        workers = stack.enter_context(open_workers(jobs, is_worth_processes=_is_worth_processes(src)))
        folder = read_labelled_folder(
            src,
            labels=options.labels,
            tags=options.tags,
            multi_label=options.multi_label,
            only_tags=options.only_tags,
            workers=workers,
            progress=check_progress,
        )
        splits = _choose_splits(src, folder, options)
        if not folder.pictures:
            raise _nothing_usable(src, folder)
        names = {label for picture in folder.pictures for label in picture.labels}
        if not names:
            raise InputError(
                f"no picture of a post with {' or '.join(options.tags)} is here",
                where=str(src),
                fix="Tags are looked up in the ledger of a collected data root. Give others, or leave --only-tags out.",
            )
        label_map = choose_label_map([out_dir], names, options.label_map_path)
        records = [
            _plan_record(src, out_dir, targets[split], split, folder.pictures, splits, label_map, options)
            for split in SPLITS
        ]
        plan = ClassificationPlan(
            records=tuple(records),
            label_map=label_map,
            content={
                "of": "pictures",
                "encoding": "jpeg",
                "multi_label": options.multi_label,
                "max_side": options.max_side,
                "eval_share": options.eval_share,
                "salt": options.salt,
                **({"only_tags": True} if options.only_tags else {}),
                **_split_by_name(options),
            },
            sources=tuple(_accounts(folder, splits)),
            refusals=tuple(
                sorted((item for items in folder.refused.values() for item in items), key=lambda item: item.path)
            ),
            notices=(*folder.notices, *_class_notices(folder, splits, options)),
        )
        return build_classification(plan, workers=workers, progress=progress, dry_run=dry_run)


def _split_by_name(options: FolderOptions) -> dict[str, Any]:
    """What the manifest says of a split by name; nothing of the usual one."""
    return {"split_by": "name", "name_prefix": options.name_prefix} if options.split_by == "name" else {}


def _place_by_name(folder: LabelledFolder, options: FolderOptions) -> None:
    """Put every picture that nobody placed into the split of its name."""

    def split_of(picture: FolderPicture) -> str:
        is_one = is_verification(options.name_prefix + picture.name, 100 * options.eval_share)
        return picture.split or ("verification" if is_one else "training")

    folder.pictures = [replace(picture, split=split_of(picture)) for picture in folder.pictures]


def _is_worth_processes(src: Path) -> bool:
    return sum(1 for _, _ in zip(src.rglob("*"), range(300), strict=False)) >= 300


def _choose_splits(src: Path, folder: LabelledFolder, options: FolderOptions) -> dict[str, str]:
    """Return the split of each picture by its name; those that cannot go anywhere are refused."""
    if options.split_by == "name":
        _place_by_name(folder, options)
    pictures = [_as_labelled_picture(src, picture) for picture in folder.pictures]
    groups = group_pictures(pictures, posts=posts_by_picture(src))
    splits = {picture.name: picture.split for picture in folder.pictures if picture.split}
    free: list[Group] = []
    refused: set[str] = set()
    leaks: list[str] = []
    alike: list[str] = []
    for group in groups:
        members = [folder.pictures[index] for index in group.members]
        placed = {member.split for member in members if member.split}
        waiting = [member for member in members if not member.split]
        if len(placed) > 1:
            names = " and ".join(member.name for member in members if member.split)
            leaks.append(names)
            for member in waiting:
                folder.refused[member.folder_label].append(
                    Refusal(member.name, "leak", f"it belongs to {names}, which lie in both splits")
                )
                refused.add(member.name)
        elif placed:
            splits |= dict.fromkeys((member.name for member in waiting), placed.pop())
        else:
            free.append(group)
        alike += _alike(group, members)
    _note(folder, "both-splits", "PICTURES THAT BELONG TOGETHER LIE IN BOTH SPLITS, so the score is too good", leaks)
    _note(folder, "alike", "pictures that look the same have different labels", alike)
    chosen, _ = choose_verification(
        [[pictures[index] for index in group.members] for group in free],
        training=[
            one
            for one, picture in zip(pictures, folder.pictures, strict=True)
            if splits.get(picture.name) == "training"
        ],
        verification=[
            one
            for one, picture in zip(pictures, folder.pictures, strict=True)
            if splits.get(picture.name) == "verification"
        ],
        share=options.eval_share,
        salt=options.salt,
    )
    for place, group in enumerate(free):
        split = "verification" if place in chosen else "training"
        splits |= dict.fromkeys((folder.pictures[index].name for index in group.members), split)
    folder.pictures = [picture for picture in folder.pictures if picture.name not in refused]
    return splits


def _alike(group: Group, members: Sequence[FolderPicture]) -> Iterator[str]:
    """Find pictures that look the same under different labels; they go in, into one split."""
    if len({member.labels for member in members}) < 2:
        return
    by_index = dict(zip(group.members, members, strict=True))
    for tie in group.ties:
        first, second = by_index[tie.first], by_index[tie.second]
        if tie.bond in (Bond.LOOK, Bond.MIRROR) and first.labels != second.labels:
            yield f"{first.name} and {second.name} ({tie.detail})"


def _note(folder: LabelledFolder, code: str, words: str, found: Sequence[str]) -> None:
    if found:
        more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        folder.notices.append(Notice(code, f"{words}: {len(found)}: {'; '.join(found[:_SHOWN])}{more}"))


def _as_labelled_picture(src: Path, picture: FolderPicture) -> LabelledPicture:
    """What groups and splits are made of; the stem is the whole name, so that equal file names keep apart."""
    key = Path(picture.name.replace("/", "\x00") + ".")
    return LabelledPicture(
        label=LabelFile(key, (picture.path,), Match.STEM, picture.folder_label, picture.split),
        class_name=picture.folder_label,
        class_dir=src / picture.folder_label,
        split=picture.split or "unlabeled",
        annotation=None,
        image=picture.facts,
        xml_sha256="",
        error=None,
    )


def _plan_record(
    src: Path,
    out_dir: Path,
    file: str,
    split: str,
    pictures: Sequence[FolderPicture],
    splits: dict[str, str],
    label_map: LabelMap,
    options: FolderOptions,
) -> PlannedRecord:
    mine = sorted(
        (picture for picture in pictures if splits[picture.name] == split),
        key=lambda picture: hashlib.sha256(f"{options.salt}\0{picture.facts.sha256}".encode()).digest(),
    )
    groups: list[list[PictureExample]] = []
    size = 0
    for picture in mine:
        if not groups or size + picture.facts.num_bytes > SHARD_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(_example(picture, split, label_map, options))
        size += picture.facts.num_bytes
    names = [file] if len(groups) == 1 else [f"{file}-{index:05d}-of-{len(groups):05d}" for index in range(len(groups))]
    shards: list[ShardJob] = [
        PictureShard(name, src, options.max_side, tuple(group)) for name, group in zip(names, groups, strict=True)
    ]
    counts = Counter(label for picture in mine for label in picture.labels)
    entries = tuple(
        tuple(LabelledPictureEntry(one.name, one.sha256, one.texts, one.transcoded) for one in group)
        for group in groups
    )
    return PlannedRecord(out_dir, file, split, tuple(shards), tuple(sorted(counts.items())), entries)


def _example(picture: FolderPicture, split: str, label_map: LabelMap, options: FolderOptions) -> PictureExample:
    facts = picture.facts
    reason = why_transcode(facts)
    if not reason and options.max_side is not None and max(facts.width, facts.height) > options.max_side:
        reason = f"shrunk to {options.max_side} px"
    return PictureExample(
        name=picture.name,
        sha256=facts.sha256,
        labels=tuple(label_map.ids[label] for label in picture.labels),
        texts=picture.labels,
        split=split,
        width=facts.width,
        height=facts.height,
        transcoded=reason,
    )


def _accounts(folder: LabelledFolder, splits: dict[str, str]) -> Iterator[SourceAccount]:
    counts = Counter((picture.folder_label, splits[picture.name]) for picture in folder.pictures)
    for label, found in sorted(folder.num_found.items()):
        training, verification = counts[label, "training"], counts[label, "verification"]
        yield SourceAccount(label, label, found, training, verification, 0, len(folder.refused[label]))


def _class_notices(folder: LabelledFolder, splits: dict[str, str], options: FolderOptions) -> Iterator[Notice]:
    counts = Counter((label, splits[picture.name]) for picture in folder.pictures for label in picture.labels)
    totals = Counter(label for picture in folder.pictures for label in picture.labels)
    folders = {label for label, found in folder.num_found.items() if found and not options.only_tags}
    if num_without := sum(not picture.labels for picture in folder.pictures):
        yield Notice(WITHOUT_LABEL, f"{num_without} pictures have none of the tags: they go in as pictures without any")
    for label in sorted(folders | set(options.tags)):
        if not totals[label] and label in folders:
            yield Notice("all-refused", f"{label}: all of its pictures are refused, so it is no class")
        elif not totals[label]:
            yield Notice("unknown-tag", f"--tag {label}: no picture of a post with this tag is here, so it is no class")
        elif totals[label] == 1:
            yield Notice("one-picture", f"{label}: one picture only, in {_only_split(label, counts)}; add some")
        else:
            for split in SPLITS:
                if not counts[label, split]:
                    yield Notice(f"no-{split}", f"{label}: no picture is in {split}")


def _only_split(label: str, counts: Counter[tuple[str, str]]) -> str:
    return next(split for split in SPLITS if counts[label, split])


def _nothing_usable(src: Path, folder: LabelledFolder) -> InputError:
    refusals = sorted((item for items in folder.refused.values() for item in items), key=lambda item: item.path)
    first = refusals[0]
    return InputError(
        f"every picture is refused ({len(refusals)}), the first, {first.path}, because of {first.code}: {first.reason}",
        where=str(src),
        fix="Give pictures that decode, each under one label.",
    )
