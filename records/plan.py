"""What a build will write, before it writes anything.

A plan is a sorted index: which examples stand in which shard of which record, with what number, and which pictures
stay out and why. Everything a shard's bytes depend on is in its plan, so any process on any machine that has the same
pictures writes the same bytes, and a fingerprint of the plan says whether a shard on disk is still the right one.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import PIL

from collectors.errors import ConfigError
from records.features import ExampleObject, ExampleSource, OtherSource

SPLITS = ("training", "verification")
# Raised whenever the same sources would give other bytes; every record is then built again.
CONTENT_VERSION = 2
MERGED = "merged"
"""What stands for the class in the names of records that hold several: ``merged_training.record``."""
DEFAULT_SHARD_BYTES = 200_000_000
# Taken from the classes, so that a field added there cannot be forgotten in the fingerprint.
_SOURCE_FIELDS = tuple(
    field.name for field in dataclasses.fields(ExampleSource) if field.name not in ("objects", "others")
)
_OBJECT_FIELDS = tuple(one.name for one in dataclasses.fields(ExampleObject))
_OTHER_FIELDS = tuple(one.name for one in dataclasses.fields(OtherSource))
_BOX = _OBJECT_FIELDS.index("box")
_NUMBERS_PER_RECORD = 1_000_000
# A merged record is alone with that of the other split, so it may have more.
_NUMBERS_PER_MERGED_RECORD = 1_000_000_000
_MAX_SOURCE_ID = 2**31 - 1
_MAX_SHARDS = 1 << 16


@dataclass(frozen=True, slots=True)
class Refusal:
    """A picture or XML file that stays out, with the stable code of the reason.

    ``path`` is relative to the data root, with forward slashes.
    """

    path: str
    code: str
    reason: str


@dataclass(frozen=True)
class ShardPlan:
    """One file to write: its name, its examples in order, and how many bytes their pictures have together."""

    file: str
    examples: tuple[ExampleSource, ...]
    picture_bytes: int = 0

    @cached_property
    def fingerprint(self) -> str:
        """Hex SHA-256 of everything the bytes of the shard depend on, its name excepted."""
        digest = hashlib.sha256(f"tagbox record content {CONTENT_VERSION}\n".encode())
        for example in self.examples:
            digest.update(json.dumps(_values_of(example), separators=(",", ":")).encode())
            digest.update(b"\n")
        if any(example.transcoding for example in self.examples):
            digest.update(f"Pillow {PIL.__version__}\n".encode())
        return digest.hexdigest()


@dataclass(frozen=True)
class RecordPlan:
    """One record, of one class and split: the files that hold it, and what was refused.

    ``file`` is the name of the record as people and configs call it; a large one is kept in several files,
    ``<file>-00000-of-00004`` and so on. ``shards`` is empty when every picture was refused.
    ``num_unlabeled`` counts the pictures beside them that have no XML yet; they are neither found nor refused.
    ``dropped`` counts the boxes that were left out on request, by the reason. ``options`` are the requests, in words.
    """

    file: str
    class_name: str
    split: str
    shards: tuple[ShardPlan, ...]
    refused: tuple[Refusal, ...] = ()
    num_unlabeled: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    options: tuple[str, ...] = ()

    @property
    def num_written(self) -> int:
        """Pictures that go in."""
        return sum(len(shard.examples) for shard in self.shards)

    @property
    def num_merged(self) -> int:
        """Pictures that went into the example of an equal one."""
        return sum(len(example.others) for example in self.examples())

    @property
    def num_found(self) -> int:
        """Pictures there are: those that go in, those that went into another's example, and those refused."""
        return self.num_written + self.num_merged + len(self.refused)

    @property
    def num_boxes(self) -> int:
        """Objects in the pictures that go in."""
        return sum(len(example.objects) for example in self.examples())

    @cached_property
    def fingerprint(self) -> str:
        """Hex SHA-256 over the names and the contents of all shards."""
        lines = [f"{shard.file} {shard.fingerprint}\n" for shard in self.shards]
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def examples(self) -> Iterator[ExampleSource]:
        """Walk the examples of all shards in order."""
        for shard in self.shards:
            yield from shard.examples


def record_file_name(class_name: str, split: str) -> str:
    """Return the name of the record of a class and split, for example ``cat_training.record``."""
    return f"{class_name}_{split}.record"


def plan_record(
    candidates: Iterable[tuple[ExampleSource, int]],
    *,
    file: str,
    class_name: str,
    split: str,
    block: int,
    refused: Iterable[Refusal] = (),
    shard_bytes: int | None = DEFAULT_SHARD_BYTES,
) -> RecordPlan:
    """Share the examples of one record out to shards, sort them and number them.

    Which shard a picture goes to depends on the hash of its path and on how many shards there are, and its number on
    its place in that shard. So a picture that comes, goes or changes touches one shard, until the record has grown so
    much that it needs twice as many.

    Numbers (``source_id``) are unique over all records of one label map: every class and split has a million of its
    own, every shard an equal part of that, counted up by one in the order of the image paths. They do not depend on
    which other records are built.

    Args:
        candidates: Examples in any order, whatever their ``source_id``, each with the size of its picture in bytes.
        file: Name of the record.
        class_name: The class folder; `MERGED` for a record of several.
        split: One of `SPLITS`.
        block: Which block of numbers, from 1; no two classes of a data root share one. The label id serves. It does
            not matter for a merged record.
        refused: What stays out.
        shard_bytes: There are so many shards, a power of two, that in none the pictures add up to more, as far as
            every shard has a picture. ``None`` keeps everything in one file.

    Raises:
        ConfigError: There are more pictures than numbers for them.
    """
    ordered = sorted(candidates, key=lambda candidate: (candidate[0].image_path, candidate[0].xml_path))
    groups = _share_out(ordered, shard_bytes)
    count = len(groups)
    numbers = _NUMBERS_PER_MERGED_RECORD if class_name == MERGED else _NUMBERS_PER_RECORD
    first = (SPLITS.index(split) if class_name == MERGED else 2 * block + SPLITS.index(split)) * numbers + 1
    own = numbers // max(count, 1)
    if any(len(group) >= own for group in groups) or first + numbers - 2 > _MAX_SOURCE_ID:
        raise ConfigError(
            f"no free picture numbers for {class_name}/{split}: {len(ordered)} pictures in block {block}",
            fix="A class and split takes up to 999,999 pictures, a label id up to 1,072. Split the class folder.",
        )
    names = [file] if count == 1 else [f"{file}-{index:05d}-of-{count:05d}" for index in range(count)]
    return RecordPlan(
        file=file,
        class_name=class_name,
        split=split,
        shards=tuple(
            ShardPlan(
                name,
                tuple(
                    dataclasses.replace(example, source_id=first + index * own + position)
                    for position, (example, _) in enumerate(group)
                ),
                sum(num_bytes for _, num_bytes in group),
            )
            for index, (name, group) in enumerate(zip(names, groups, strict=True))
        ),
        refused=tuple(sorted(refused, key=lambda item: (item.path, item.code, item.reason))),
    )


def _share_out(
    ordered: Sequence[tuple[ExampleSource, int]], shard_bytes: int | None
) -> list[list[tuple[ExampleSource, int]]]:
    """Share examples out to shards by the hash of their paths, keeping their order within each."""
    groups = [list(ordered)] if ordered else []
    places: list[int] = []
    count = 1
    while shard_bytes is not None and any(_is_too_large(group, shard_bytes) for group in groups):
        if not places:
            hashes = (hashlib.sha256(example.image_path.encode()).digest() for example, _ in ordered)
            places = [int.from_bytes(digest[:8], "big") for digest in hashes]
        count *= 2
        finer: list[list[tuple[ExampleSource, int]]] = [[] for _ in range(count)]
        for place, candidate in zip(places, ordered, strict=True):
            finer[place * count >> 64].append(candidate)
        # A file of no examples reads like a broken one, so few large pictures stay together.
        if not all(finer) or count > _MAX_SHARDS:
            break
        groups = finer
    return groups


def _is_too_large(group: Sequence[tuple[ExampleSource, int]], shard_bytes: int) -> bool:
    return len(group) > 1 and sum(num_bytes for _, num_bytes in group) > shard_bytes


def _values_of(example: ExampleSource) -> list[object]:
    """Every value of an example, its objects' and their boxes' too (`dataclasses.astuple` takes ten times as long)."""
    objects = [[getattr(item, name) for name in _OBJECT_FIELDS] for item in example.objects]
    for values, item in zip(objects, example.objects, strict=True):
        box = item.box
        values[_BOX] = [box.xmin, box.ymin, box.xmax, box.ymax]
    others = [[getattr(item, name) for name in _OTHER_FIELDS] for item in example.others]
    return [*(getattr(example, name) for name in _SOURCE_FIELDS), objects, others]
