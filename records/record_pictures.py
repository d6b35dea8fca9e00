"""The pictures of a set of records and their boxes, from its manifest or from the records themselves."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from collectors.errors import InputError
from records import manifest
from records.errors import ManifestError
from records.example import BytesList, Feature, Int64List
from records.example_values import first_text
from records.features import ExampleSource, normalized_box
from records.manifest import Manifest, RecordEntry
from records.reading import DetectionExample, expand_record_paths, read_examples
from records.record_sets import names_beside, split_in_name


@dataclass(frozen=True, slots=True)
class RecordObject:
    """One object: its class, its box as fractions ``xmin ymin xmax ymax`` (exactly 32-bit floats), its flags."""

    text: str
    box_norm: tuple[float, float, float, float]
    difficult: bool = False
    truncated: bool = False
    view: str = "Unspecified"


@dataclass(frozen=True, slots=True)
class RecordPicture:
    """One picture of a set of records.

    Attributes:
        name: Path below the data root; where the record does not tell it, the file name, or the source id.
        split: ``training``, ``verification``, or empty when nothing tells.
        sha256: Hex digest of the picture's file; where the record does not tell it, of the bytes in the record.
        width: In pixels, 0 when the record does not say.
        height: In pixels, 0 when the record does not say.
        objects: In the order of the record.
    """

    name: str
    split: str
    sha256: str
    width: int
    height: int
    objects: tuple[RecordObject, ...]


@dataclass(frozen=True, slots=True)
class RecordContent:
    """The pictures of a set of records, in its order, and the ids of its classes by name."""

    pictures: tuple[RecordPicture, ...]
    ids: Mapping[str, int]


def read_content(path: Path) -> RecordContent:
    """Read what a set of records holds.

    Args:
        path: A records folder, its manifest, a record file, a glob, or the name that shards share. A manifest is
            believed: `records.verify` is what holds it against the records.

    Raises:
        ManifestError: The manifest cannot be read.
        InputError: Nothing is there, or a record is damaged or holds something else.
    """
    folder = path.parent if path.name == manifest.FILE_NAME else path
    if folder.is_dir():
        listed = manifest.read_manifest(folder)
        if listed is not None:
            return _from_manifest(listed)
        if folder != path:
            raise ManifestError("there is no such manifest", where=str(path))
    return _from_records(expand_record_paths([path]))


def _from_manifest(listed: Manifest) -> RecordContent:
    pictures = tuple(_listed_picture(source, entry) for entry in listed.records for source in entry.all_examples())
    return RecordContent(pictures, {name: class_id for class_id, name in listed.label_map})


def _listed_picture(source: ExampleSource, entry: RecordEntry) -> RecordPicture:
    size = {"width": source.width, "height": source.height}
    objects = tuple(
        RecordObject(item.text, normalized_box(item.box, **size), item.difficult, item.truncated, item.view)
        for item in source.objects
    )
    return RecordPicture(source.image_path, entry.split, source.image_sha256, source.width, source.height, objects)


def _from_records(paths: Iterable[Path]) -> RecordContent:
    pictures = []
    ids: dict[str, int] = {}
    for path in paths:
        names = names_beside(path.parent) or {}
        ids.update({name: class_id for class_id, name in names.items()})
        for example in read_examples([path]):
            texts = [
                text or names.get(label, f"class {label}")
                for text, label in zip(example.texts, example.labels.tolist(), strict=True)
            ]
            for text, label in zip(texts, example.labels.tolist(), strict=True):
                ids.setdefault(text, label)
            pictures.append(_read_picture(example, texts))
    if not pictures:
        raise InputError("the records hold no example", where=", ".join(str(path) for path in paths))
    return RecordContent(tuple(pictures), ids)


def _read_picture(example: DetectionExample, texts: Iterable[str]) -> RecordPicture:
    features = example.features
    count = example.num_boxes
    truncated = _padded(features.get("image/object/truncated"), count)
    views = _views(features.get("image/object/view"), count)
    boxes = example.boxes_norm.astype(np.float64).tolist()
    objects = tuple(
        RecordObject(text, (box[0], box[1], box[2], box[3]), bool(difficult), is_truncated, view)
        for text, box, difficult, is_truncated, view in zip(
            texts, boxes, example.difficult, truncated, views, strict=True
        )
    )
    return RecordPicture(
        name=first_text(features, "tagbox/image_path") or example.filename or example.source_id,
        split=first_text(features, "tagbox/split") or split_in_name(example.path.name),
        # A picture that had to be transcoded is the same as long as its file is.
        sha256=first_text(features, "tagbox/image_sha256") or hashlib.sha256(example.encoded).hexdigest(),
        width=example.width,
        height=example.height,
        objects=objects,
    )


def _padded(feature: Feature, count: int) -> Iterator[bool]:
    values = feature.values if isinstance(feature, Int64List) and len(feature.values) == count else (0,) * count
    return (bool(value) for value in values)


def _views(feature: Feature, count: int) -> list[str]:
    if isinstance(feature, BytesList) and len(feature.values) == count:
        return [value.decode(errors="replace") for value in feature.values]
    return ["Unspecified"] * count
