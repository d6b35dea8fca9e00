"""What a build will write, before it writes anything.

A plan is a sorted index: which examples stand in which shard of which record, with what number, and which pictures
stay out and why. Everything a shard's bytes depend on is in its plan, so any process on any machine that has the same
pictures writes the same bytes, and a fingerprint of the plan says whether a shard on disk is still the right one.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from collectors.errors import ConfigError
from records.features import ExampleObject, ExampleSource

SPLITS = ("training", "verification")
# Raised whenever the same sources would give other bytes; every record is then built again.
CONTENT_VERSION = 1
DEFAULT_SHARD_BYTES = 200_000_000
# Taken from the classes, so that a field added there cannot be forgotten in the fingerprint.
_SOURCE_FIELDS = tuple(field.name for field in dataclasses.fields(ExampleSource) if field.name != "objects")
_OBJECT_FIELDS = tuple(field.name for field in dataclasses.fields(ExampleObject))
_BOX = _OBJECT_FIELDS.index("box")
_NUMBERS_PER_RECORD = 1_000_000
_MAX_SOURCE_ID = 2**31 - 1


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
        return digest.hexdigest()


@dataclass(frozen=True)
class RecordPlan:
    """One record, of one class and split: the files that hold it, and what was refused.

    ``file`` is the name of the record as people and configs call it; a large one is kept in several files,
    ``<file>-00000-of-00004`` and so on. ``shards`` is empty when every picture was refused.
    ``num_unlabeled`` counts the pictures beside them that have no XML yet; they are neither found nor refused.
    """

    file: str
    class_name: str
    split: str
    shards: tuple[ShardPlan, ...]
    refused: tuple[Refusal, ...] = ()
    num_unlabeled: int = 0

    @property
    def num_written(self) -> int:
        """Pictures that go in."""
        return sum(len(shard.examples) for shard in self.shards)

    @property
    def num_found(self) -> int:
        """Pictures there are: those that go in and those refused."""
        return self.num_written + len(self.refused)

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
    """Sort the examples of one record, number them and share them out.

    Numbers (``source_id``) are unique over all records of one label map, because every class and split has
    a million of its own, and they go up by one in the order of the image paths. They do not depend on which other
    records are built.

    Args:
        candidates: Examples in any order, whatever their ``source_id``, each with the size of its picture in bytes.
        file: Name of the record.
        class_name: The class folder.
        split: One of `SPLITS`.
        block: Which block of numbers, from 1; no two classes of a data root share one. The label id serves.
        refused: What stays out.
        shard_bytes: A shard is closed before its pictures add up to more; one larger picture has a shard of its own.
            ``None`` keeps everything in one file.

    Raises:
        ConfigError: There are more pictures than numbers for them.
    """
    ordered = sorted(candidates, key=lambda candidate: (candidate[0].image_path, candidate[0].xml_path))
    first = (2 * block + SPLITS.index(split)) * _NUMBERS_PER_RECORD + 1
    if len(ordered) >= _NUMBERS_PER_RECORD or first + len(ordered) > _MAX_SOURCE_ID:
        raise ConfigError(
            f"no free picture numbers for {class_name}/{split}: {len(ordered)} pictures in block {block}",
            fix="A class and split takes up to 999,999 pictures, a label id up to 1,072. Split the class folder.",
        )
    groups: list[list[ExampleSource]] = []
    sizes: list[int] = []
    for position, (example, num_bytes) in enumerate(ordered):
        if not groups or (shard_bytes is not None and sizes[-1] + num_bytes > shard_bytes):
            groups.append([])
            sizes.append(0)
        groups[-1].append(dataclasses.replace(example, source_id=first + position))
        sizes[-1] += num_bytes
    names = [file] if len(groups) == 1 else [f"{file}-{index:05d}-of-{len(groups):05d}" for index in range(len(groups))]
    return RecordPlan(
        file=file,
        class_name=class_name,
        split=split,
        shards=tuple(
            ShardPlan(name, tuple(group), size) for name, group, size in zip(names, groups, sizes, strict=True)
        ),
        refused=tuple(sorted(refused, key=lambda item: (item.path, item.code, item.reason))),
    )


def _values_of(example: ExampleSource) -> list[object]:
    """Every value of an example, its objects' and their boxes' too (`dataclasses.astuple` takes ten times as long)."""
    objects = [[getattr(item, name) for name in _OBJECT_FIELDS] for item in example.objects]
    for values, item in zip(objects, example.objects, strict=True):
        box = item.box
        values[_BOX] = [box.xmin, box.ymin, box.xmax, box.ymax]
    return [*(getattr(example, name) for name in _SOURCE_FIELDS), objects]
