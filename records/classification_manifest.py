"""The manifest of classification records: what is in every record, by class, where it came from, what stayed out.

It stands under the same name and format as that of detection records (`records.manifest`) and says ``"kind":
"classification"``. Drawings come by the million, so they are counted by class and source; pictures of a folder are
listed one a line.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from records.errors import ManifestError
from records.manifest import FILE_NAME, FORMAT, FORMAT_VERSION
from records.plan import Refusal
from records.shard import ShardSummary

KIND = "classification"


@dataclass(frozen=True, slots=True)
class LabelledPictureEntry:
    """One picture of a record.

    Attributes:
        image_path: Below the source folder, with forward slashes.
        image_sha256: Of the file on disk, hex.
        labels: Its classes, one of them or several.
        transcoded: Why the picture in the record is another file than the one on disk; empty when it is the same.
    """

    image_path: str
    image_sha256: str
    labels: tuple[str, ...]
    transcoded: str = ""


@dataclass(frozen=True, slots=True)
class ClassificationRecord:
    """One record: its files, how many examples of each class it has, and its pictures by shard where they are listed.

    ``counts`` are ``(class name, examples)``, sorted; with several labels a picture they add up to more than the
    examples.
    """

    file: str
    split: str
    fingerprint: str
    shards: tuple[ShardSummary, ...]
    counts: tuple[tuple[str, int], ...]
    pictures: tuple[tuple[LabelledPictureEntry, ...], ...] = ()

    @property
    def num_examples(self) -> int:
        """Examples in all files."""
        return sum(shard.num_examples for shard in self.shards)

    @property
    def num_bytes(self) -> int:
        """Size of all files."""
        return sum(shard.num_bytes for shard in self.shards)


@dataclass(frozen=True, slots=True)
class SourceAccount:
    """What became of one source file or label folder: ``found`` is the sum of the other numbers.

    ``unused`` is what neither split needed.
    """

    label: str
    source: str
    found: int
    training: int
    verification: int
    unused: int
    refused: int


@dataclass(frozen=True, slots=True)
class ClassificationManifest:
    """Everything a folder of classification records holds.

    Attributes:
        label_map: ``(id, name)`` pairs.
        content: What an example holds and how it was chosen: plain JSON values by name.
        records: By file name.
        sources: By label.
        refusals: What stayed out; ``path`` is below the source folder.
        tagbox_version: The version that wrote it.
    """

    label_map: tuple[tuple[int, str], ...]
    content: Mapping[str, Any]
    records: tuple[ClassificationRecord, ...]
    sources: tuple[SourceAccount, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    tagbox_version: str = ""


def kind_of_manifest(folder: Path) -> str | None:
    """Return ``detection`` or ``classification``; ``None`` when the folder has no manifest that can be read."""
    try:
        document = json.loads((folder / FILE_NAME).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        return None
    return str(document.get("kind", "detection"))


def read_classification_manifest(folder: Path) -> ClassificationManifest | None:
    """Read the manifest of a folder of classification records; ``None`` when there is none.

    Raises:
        ManifestError: It cannot be read, is damaged, or belongs to records of another kind.
    """
    path = folder / FILE_NAME
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise ManifestError(f"cannot read the manifest: {error}", where=str(path), fix=_FIX) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ManifestError("this is not a manifest of tagbox records", where=str(path), fix=_FIX)
    if document.get("kind", "detection") != KIND or document.get("version") != FORMAT_VERSION:
        kind, version = document.get("kind", "detection"), document.get("version")
        raise ManifestError(
            f"the folder has {kind} records of version {version!r}, not classification records of {FORMAT_VERSION}",
            where=str(path),
            fix="Choose another folder with --out.",
        )
    try:
        return _parse(document)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise ManifestError(
            f"the manifest is damaged ({type(error).__name__}: {error})", where=str(path), fix=_FIX
        ) from error


def format_classification_manifest(manifest: ClassificationManifest) -> str:
    """Return the text of ``manifest.json``: the same for the same content, ending in a line feed."""
    written = sum(source.training + source.verification for source in manifest.sources)
    refused = sum(source.refused for source in manifest.sources)
    unused = sum(source.unused for source in manifest.sources)
    head = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "kind": KIND,
        "tagbox": manifest.tagbox_version,
        "content": dict(manifest.content),
        "totals": {
            "found": sum(source.found for source in manifest.sources),
            "written": written,
            "unused": unused,
            "refused": refused,
        },
    }
    lines = [f" {_compact(key)}: {_compact(value)}," for key, value in head.items()]
    label_map = [{"id": class_id, "name": name} for class_id, name in manifest.label_map]
    sources = [
        {name: getattr(source, name) for name in SourceAccount.__slots__}
        for source in sorted(manifest.sources, key=lambda source: (source.label, source.source))
    ]
    refusals = [{"path": item.path, "code": item.code, "reason": item.reason} for item in manifest.refusals]
    blocks = ",\n".join(_format_record(record) for record in sorted(manifest.records, key=lambda one: one.file))
    return (
        "{\n"
        + "\n".join(lines)
        + f'\n "label_map": {_one_a_line(label_map)},'
        + f'\n "records": [\n{blocks}\n ],'
        + f'\n "sources": {_one_a_line(sources)},'
        + f'\n "refusals": {_one_a_line(refusals)}\n}}\n'
    )


_FIX = "Move it away or choose another folder with --out; a build writes a new one."


def _format_record(record: ClassificationRecord) -> str:
    scalars = {
        "file": record.file,
        "split": record.split,
        "fingerprint": record.fingerprint,
        "written": record.num_examples,
        "classes": dict(record.counts),
    }
    shards = [
        {"file": shard.file, "examples": shard.num_examples, "bytes": shard.num_bytes, "sha256": shard.sha256}
        for shard in record.shards
    ]
    pictures = [_picture_json(picture, index) for index, group in enumerate(record.pictures) for picture in group]
    lines = [f"   {_compact(key)}: {_compact(value)}," for key, value in scalars.items()]
    lines += [f'   "shards": {_one_a_line(shards, 3)},', f'   "examples": {_one_a_line(pictures, 3)}']
    return "  {\n" + "\n".join(lines) + "\n  }"


def _picture_json(picture: LabelledPictureEntry, shard: int) -> dict[str, Any]:
    value = {
        "shard": shard,
        "image": picture.image_path,
        "image_sha256": picture.image_sha256,
        "labels": list(picture.labels),
    }
    return {**value, "transcoded": picture.transcoded} if picture.transcoded else value


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _one_a_line(items: Sequence[Any], indent: int = 1) -> str:
    if not items:
        return "[]"
    inner = " " * (indent + 1)
    return "[\n" + ",\n".join(f"{inner}{_compact(item)}" for item in items) + f"\n{' ' * indent}]"


def _parse(document: dict[str, Any]) -> ClassificationManifest:
    return ClassificationManifest(
        label_map=tuple((int(item["id"]), str(item["name"])) for item in document["label_map"]),
        content=dict(document["content"]),
        records=tuple(_parse_record(record) for record in document["records"]),
        sources=tuple(_parse_source(source) for source in document["sources"]),
        refusals=tuple(
            Refusal(str(item["path"]), str(item["code"]), str(item["reason"])) for item in document["refusals"]
        ),
        tagbox_version=str(document["tagbox"]),
    )


def _parse_source(source: dict[str, Any]) -> SourceAccount:
    numbers = (int(source[name]) for name in ("found", "training", "verification", "unused", "refused"))
    return SourceAccount(str(source["label"]), str(source["source"]), *numbers)


def _parse_record(record: dict[str, Any]) -> ClassificationRecord:
    shards = tuple(
        ShardSummary(str(shard["file"]), int(shard["examples"]), int(shard["bytes"]), str(shard["sha256"]))
        for shard in record["shards"]
    )
    return ClassificationRecord(
        file=str(record["file"]),
        split=str(record["split"]),
        fingerprint=str(record["fingerprint"]),
        shards=shards,
        counts=tuple((str(name), int(count)) for name, count in record["classes"].items()),
        pictures=tuple(tuple(group) for group in _pictures_by_shard(record["examples"], len(shards))),
    )


def _pictures_by_shard(examples: Sequence[dict[str, Any]], num_shards: int) -> Iterator[list[LabelledPictureEntry]]:
    groups: list[list[LabelledPictureEntry]] = [[] for _ in range(num_shards)]
    for example in examples:
        groups[example["shard"]].append(
            LabelledPictureEntry(
                str(example["image"]),
                str(example["image_sha256"]),
                tuple(str(label) for label in example["labels"]),
                str(example.get("transcoded", "")),
            )
        )
    yield from groups if examples else ()
