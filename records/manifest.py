"""The manifest of a records folder: what is in every record, where it came from, and what stayed out.

It is written last, so a folder whose manifest names a record has that record whole. The text is the same for the same
content: keys in a fixed order, one example or refusal a line (so that a text diff of two manifests can be read), no
times and no paths outside the data root.
"""

import importlib.metadata
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labeling.annotations import Box
from records.errors import ManifestError
from records.features import ExampleObject, ExampleSource
from records.plan import RecordPlan, Refusal
from records.shard import ShardSummary

FILE_NAME = "manifest.json"
FORMAT = "tagbox-records"
FORMAT_VERSION = 1
# Pixel edges as LabelImg writes them, divided by width and height with nothing added or subtracted.
VOC_CONVENTION = "labelimg"


@dataclass(frozen=True, slots=True)
class RecordEntry:
    """One record in the manifest: its files with counts and hashes, its examples by shard, and its refusals.

    There are no files when every picture was refused.
    """

    file: str
    class_name: str
    split: str
    fingerprint: str
    shards: tuple[ShardSummary, ...]
    examples: tuple[tuple[ExampleSource, ...], ...]
    refused: tuple[Refusal, ...]
    num_unlabeled: int = 0

    @classmethod
    def of(cls, plan: RecordPlan, shards: Sequence[ShardSummary]) -> "RecordEntry":
        """Describe a record that was written as planned."""
        examples = tuple(shard.examples for shard in plan.shards)
        return cls(
            file=plan.file,
            class_name=plan.class_name,
            split=plan.split,
            fingerprint=plan.fingerprint,
            shards=tuple(shards),
            examples=examples,
            refused=plan.refused,
            num_unlabeled=plan.num_unlabeled,
        )

    @property
    def num_written(self) -> int:
        """Pictures in the record."""
        return sum(shard.num_examples for shard in self.shards)

    @property
    def num_boxes(self) -> int:
        """Objects in the record."""
        return sum(len(example.objects) for example in self.all_examples())

    @property
    def num_bytes(self) -> int:
        """Size of all its files."""
        return sum(shard.num_bytes for shard in self.shards)

    def all_examples(self) -> Iterator[ExampleSource]:
        """Walk the examples of all shards in order."""
        for examples in self.examples:
            yield from examples


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything a records folder holds: its records by file name, and the label map as ``(id, name)`` pairs."""

    label_map: tuple[tuple[int, str], ...] = ()
    records: tuple[RecordEntry, ...] = ()
    tagbox_version: str = ""
    voc_convention: str = VOC_CONVENTION


def tagbox_version() -> str:
    """Return the version of tagbox, or ``"unknown"`` when it runs from a folder that was never installed."""
    try:
        return importlib.metadata.version("tagbox")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def read_manifest(folder: Path) -> Manifest | None:
    """Read the manifest of a records folder; ``None`` when there is none.

    Raises:
        ManifestError: The file cannot be read, is damaged, or is no manifest of tagbox.
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
    if document.get("kind", "detection") != "detection":
        raise ManifestError(
            f"the folder has {document['kind']} records, not detection records",
            where=str(path),
            fix="Choose another folder for detection records.",
        )
    if document.get("version") != FORMAT_VERSION:
        raise ManifestError(
            f"the manifest has version {document.get('version')!r}, this tagbox reads {FORMAT_VERSION}",
            where=str(path),
            fix="Use the tagbox that made it, or build into another folder.",
        )
    try:
        return _parse(document)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise ManifestError(
            f"the manifest is damaged ({type(error).__name__}: {error})", where=str(path), fix=_FIX
        ) from error


def format_manifest(manifest: Manifest) -> str:
    """Return the text of ``manifest.json``: the same for the same content, ending in a line feed."""
    records = sorted(manifest.records, key=lambda entry: entry.file)
    head = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "tagbox": manifest.tagbox_version,
        "voc_convention": manifest.voc_convention,
        "totals": {
            "found": sum(entry.num_written + len(entry.refused) for entry in records),
            "written": sum(entry.num_written for entry in records),
            "refused": sum(len(entry.refused) for entry in records),
            "boxes": sum(entry.num_boxes for entry in records),
        },
        "label_map": [{"id": class_id, "name": name} for class_id, name in manifest.label_map],
    }
    lines = [f" {_compact(key)}: {_compact(value)}," for key, value in head.items()]
    blocks = ",\n".join(_format_record(entry) for entry in records)
    body = f"[\n{blocks}\n ]" if blocks else "[]"
    return "{\n" + "\n".join(lines) + f'\n "records": {body}\n}}\n'


_FIX = "Move it away or choose another folder; `tagbox records build` writes a new one."


def _format_record(entry: RecordEntry) -> str:
    scalars = {
        "file": entry.file,
        "class": entry.class_name,
        "split": entry.split,
        "fingerprint": entry.fingerprint,
        "found": entry.num_written + len(entry.refused),
        "written": entry.num_written,
        "refused": len(entry.refused),
        "unlabeled": entry.num_unlabeled,
        "boxes": entry.num_boxes,
    }
    shards = [
        {"file": shard.file, "examples": shard.num_examples, "bytes": shard.num_bytes, "sha256": shard.sha256}
        for shard in entry.shards
    ]
    examples = [_example_json(example, index) for index, group in enumerate(entry.examples) for example in group]
    refusals = [{"path": item.path, "code": item.code, "reason": item.reason} for item in entry.refused]
    lines = [f"   {_compact(key)}: {_compact(value)}," for key, value in scalars.items()]
    lines += [
        f'   "shards": {_one_a_line(shards)},',
        f'   "examples": {_one_a_line(examples)},',
        f'   "refusals": {_one_a_line(refusals)}',
    ]
    return "  {\n" + "\n".join(lines) + "\n  }"


def _example_json(example: ExampleSource, shard: int) -> dict[str, Any]:
    return {
        "source_id": example.source_id,
        "shard": shard,
        "image": example.image_path,
        "xml": example.xml_path,
        "image_sha256": example.image_sha256,
        "xml_sha256": example.xml_sha256,
        "width": example.width,
        "height": example.height,
        "format": example.format,
        "boxes": [
            {
                "label": item.label,
                "text": item.text,
                "xmin": item.box.xmin,
                "ymin": item.box.ymin,
                "xmax": item.box.xmax,
                "ymax": item.box.ymax,
                "difficult": item.difficult,
                "truncated": item.truncated,
                "view": item.view,
            }
            for item in example.objects
        ],
    }


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _one_a_line(items: Sequence[Any]) -> str:
    return "[\n" + ",\n".join(f"    {_compact(item)}" for item in items) + "\n   ]" if items else "[]"


def _parse(document: dict[str, Any]) -> Manifest:
    return Manifest(
        label_map=tuple((int(item["id"]), str(item["name"])) for item in document["label_map"]),
        records=tuple(_parse_record(record) for record in document["records"]),
        tagbox_version=str(document["tagbox"]),
        voc_convention=str(document["voc_convention"]),
    )


def _parse_record(record: dict[str, Any]) -> RecordEntry:
    shards = tuple(
        ShardSummary(str(shard["file"]), int(shard["examples"]), int(shard["bytes"]), str(shard["sha256"]))
        for shard in record["shards"]
    )
    groups: list[list[ExampleSource]] = [[] for _ in shards]
    for example in record["examples"]:
        groups[example["shard"]].append(_parse_example(example, record))
    return RecordEntry(
        file=str(record["file"]),
        class_name=str(record["class"]),
        split=str(record["split"]),
        fingerprint=str(record["fingerprint"]),
        shards=shards,
        examples=tuple(tuple(group) for group in groups),
        refused=tuple(
            Refusal(str(item["path"]), str(item["code"]), str(item["reason"])) for item in record["refusals"]
        ),
        num_unlabeled=int(record["unlabeled"]),
    )


def _parse_example(example: dict[str, Any], record: dict[str, Any]) -> ExampleSource:
    return ExampleSource(
        source_id=int(example["source_id"]),
        image_path=str(example["image"]),
        xml_path=str(example["xml"]),
        image_sha256=str(example["image_sha256"]),
        xml_sha256=str(example["xml_sha256"]),
        width=int(example["width"]),
        height=int(example["height"]),
        format=str(example["format"]),
        class_folder=str(record["class"]),
        split=str(record["split"]),
        objects=tuple(
            ExampleObject(
                label=int(box["label"]),
                text=str(box["text"]),
                box=Box(*(float(box[edge]) for edge in ("xmin", "ymin", "xmax", "ymax"))),
                difficult=bool(box["difficult"]),
                truncated=bool(box["truncated"]),
                view=str(box["view"]),
            )
            for box in example["boxes"]
        ),
    )
