"""The manifest of a records folder: what is in every record, where it came from, and what stayed out.

It is written last, so a folder whose manifest names a record has that record whole. The text is the same for the same
content: keys in a fixed order, one example or refusal a line (so that a text diff of two manifests can be read), no
times and no paths outside the data root.
"""

import importlib.metadata
import json
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from records.errors import ManifestError
from records.features import ExampleSource
from records.manifest_json import (
    example_from_json,
    example_to_json,
    refusal_from_json,
    refusal_to_json,
    shard_from_json,
    shard_to_json,
)
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

    There are no files when every picture was refused. ``dropped`` counts boxes left out on request, by the reason, and
    ``options`` are the requests.
    """

    file: str
    class_name: str
    split: str
    fingerprint: str
    shards: tuple[ShardSummary, ...]
    examples: tuple[tuple[ExampleSource, ...], ...]
    refused: tuple[Refusal, ...]
    num_unlabeled: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    options: tuple[str, ...] = ()

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
            dropped=plan.dropped,
            options=plan.options,
        )

    @property
    def num_written(self) -> int:
        """Pictures in the record."""
        return sum(shard.num_examples for shard in self.shards)

    @property
    def num_merged(self) -> int:
        """Pictures that went into the example of an equal one."""
        return sum(len(example.others) for example in self.all_examples())

    @property
    def num_found(self) -> int:
        """Labelled pictures there were: written, merged and refused."""
        return self.num_written + self.num_merged + len(self.refused)

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


def read_manifest(folder: Path, *, skip_examples_of: Container[str] = ()) -> Manifest | None:
    """Read the manifest of a records folder; ``None`` when there is none.

    Args:
        folder: The records folder.
        skip_examples_of: File names of records whose examples are not needed: those of a large data set take more
            memory than all the rest of a build. Such an entry has no examples.

    Raises:
        ManifestError: The file cannot be read, is damaged, or is no manifest of tagbox.
    """
    path = folder / FILE_NAME
    try:
        try:
            with path.open(encoding="utf-8") as stream:
                return _parse(_document_of(stream, skip_examples_of))
        except (_OtherLayoutError, KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError):
            # Not line by line as it was written: somebody's tool has formatted it anew, or it is damaged.
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
    return "".join(manifest_lines(manifest))


def manifest_lines(manifest: Manifest) -> Iterator[str]:
    """Yield the text of ``manifest.json`` line by line; that of a large data set is larger than its plan."""
    records = sorted(manifest.records, key=lambda entry: entry.file)
    head = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "tagbox": manifest.tagbox_version,
        "voc_convention": manifest.voc_convention,
        "totals": {
            "found": sum(entry.num_found for entry in records),
            "written": sum(entry.num_written for entry in records),
            "merged": sum(entry.num_merged for entry in records),
            "refused": sum(len(entry.refused) for entry in records),
            "boxes": sum(entry.num_boxes for entry in records),
        },
        "label_map": [{"id": class_id, "name": name} for class_id, name in manifest.label_map],
    }
    yield "{\n"
    for key, value in head.items():
        yield f" {_compact(key)}: {_compact(value)},\n"
    if not records:
        yield ' "records": []\n}\n'
        return
    yield ' "records": [\n'
    for index, entry in enumerate(records, start=1):
        yield from _record_lines(entry)
        yield "  },\n" if index < len(records) else "  }\n"
    yield " ]\n}\n"


_FIX = "Move it away or choose another folder; `tagbox records build` writes a new one."


class _OtherLayoutError(Exception):
    """The lines are not those of `manifest_lines`."""


def _record_lines(entry: RecordEntry) -> Iterator[str]:
    scalars = {
        "file": entry.file,
        "class": entry.class_name,
        "split": entry.split,
        "fingerprint": entry.fingerprint,
        "found": entry.num_found,
        "written": entry.num_written,
        "merged": entry.num_merged,
        "refused": len(entry.refused),
        "unlabeled": entry.num_unlabeled,
        "boxes": entry.num_boxes,
        "dropped": dict(entry.dropped),
        "options": list(entry.options),
    }
    yield "  {\n"
    for key, value in scalars.items():
        yield f"   {_compact(key)}: {_compact(value)},\n"
    yield from _list_lines("shards", (shard_to_json(shard) for shard in entry.shards))
    yield ",\n"
    examples = (
        example_to_json(example, index, entry.class_name)
        for index, group in enumerate(entry.examples)
        for example in group
    )
    yield from _list_lines("examples", examples)
    yield ",\n"
    yield from _list_lines("refusals", (refusal_to_json(item) for item in entry.refused))
    yield "\n"


def _list_lines(key: str, items: Iterable[Any]) -> Iterator[str]:
    yield f"   {_compact(key)}: ["
    is_empty = True
    for item in items:
        yield f"{'' if is_empty else ','}\n    {_compact(item)}"
        is_empty = False
    yield "]" if is_empty else "\n   ]"


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _document_of(lines: Iterator[str], skip_examples_of: Container[str]) -> dict[str, Any]:
    """Read what `manifest_lines` wrote; examples are taken apart one at a time.

    Raises:
        _OtherLayoutError: It is laid out in another way, or damaged.
    """
    _expect(lines, "{\n")
    document: dict[str, Any] = {"records": []}
    for line in lines:
        if line == ' "records": []\n':
            break
        if line == ' "records": [\n':
            while (opening := next(lines, "")) == "  {\n":
                document["records"].append(_record_of(lines, skip_examples_of))
            if opening != " ]\n":
                raise _OtherLayoutError
            break
        document.update(_pair(line))
    _expect(lines, "}\n")
    is_ours = (document.get("format"), document.get("version")) == (FORMAT, FORMAT_VERSION)
    if next(lines, None) is not None or not is_ours or document.get("kind", "detection") != "detection":
        raise _OtherLayoutError
    return document


def _record_of(lines: Iterator[str], skip_examples_of: Container[str]) -> dict[str, Any]:
    record: dict[str, Any] = {}
    for line in lines:
        if line in ("  },\n", "  }\n"):
            return record
        if not line.endswith(": [\n"):
            record.update(_pair(line))
            continue
        key = json.loads(line.strip()[:-3])
        is_skipped = key == "examples" and record["file"] in skip_examples_of
        values = []
        for item in lines:
            if item in ("   ],\n", "   ]\n"):
                break
            if is_skipped:
                continue
            value = json.loads(item.strip().removesuffix(","))
            values.append((value["shard"], _example_of(value, record)) if key == "examples" else value)
        record[key] = values
    raise _OtherLayoutError


def _pair(line: str) -> dict[str, Any]:
    found = json.loads("{" + line.strip().removesuffix(",") + "}")
    if len(found) != 1:
        raise _OtherLayoutError
    return dict(found)


def _expect(lines: Iterator[str], wanted: str) -> None:
    if next(lines, "") != wanted:
        raise _OtherLayoutError


def _parse(document: dict[str, Any]) -> Manifest:
    return Manifest(
        label_map=tuple((int(item["id"]), str(item["name"])) for item in document["label_map"]),
        records=tuple(_parse_record(record) for record in document["records"]),
        tagbox_version=str(document["tagbox"]),
        voc_convention=str(document["voc_convention"]),
    )


def _parse_record(record: dict[str, Any]) -> RecordEntry:
    shards = tuple(shard_from_json(shard) for shard in record["shards"])
    groups: list[list[ExampleSource]] = [[] for _ in shards]
    for item in record["examples"]:
        index, example = item if isinstance(item, tuple) else (item["shard"], _example_of(item, record))
        groups[index].append(example)
    return RecordEntry(
        file=str(record["file"]),
        class_name=str(record["class"]),
        split=str(record["split"]),
        fingerprint=str(record["fingerprint"]),
        shards=shards,
        examples=tuple(tuple(group) for group in groups),
        refused=tuple(refusal_from_json(item) for item in record["refusals"]),
        num_unlabeled=int(record["unlabeled"]),
        dropped={str(reason): int(count) for reason, count in record.get("dropped", {}).items()},
        options=tuple(str(option) for option in record.get("options", ())),
    )


def _example_of(value: dict[str, Any], record: dict[str, Any]) -> ExampleSource:
    return example_from_json(value, class_name=str(record["class"]), split=str(record["split"]))
