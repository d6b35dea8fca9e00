"""The machine-readable card of a records folder: Croissant 1.0, the metadata format of MLCommons, as plain JSON-LD.

The files are listed with their hashes, and the pictures with their boxes can be read through the card without any code
of ours: its fields point into the manifest.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from records import manifest

FILE_NAME = "croissant.json"
_CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
# The terms of the specification that stand for themselves in its own vocabulary.
_TERMS = (
    "citeAs", "column", "equivalentProperty", "extract", "field", "fileObject", "fileProperty", "fileSet", "format",
    "includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex",
    "repeated", "replace", "samplingRate", "separator", "source", "subField", "transform",
)  # fmt: skip
# Validators compare the context with that of the specification's own examples, so it has the terms not in use as well.
_CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{term: f"cr:{term}" for term in _TERMS},
}
_CLASSES, _SPLITS = "The label map.", "training is learned from, verification is evaluated on."
_EXAMPLES = "$.records[*].examples[*]"
# Where a field of the record set "pictures" stands in an example of the manifest, of what type, and what it is.
_PICTURE_FIELDS = (
    ("source_id", "source_id", "sc:Integer", "The number of the example, image/source_id."),
    ("image", "image", "sc:Text", "The picture's path below the data root."),
    ("xml", "xml", "sc:Text", "Its annotation's path below the data root."),
    ("image_sha256", "image_sha256", "sc:Text", "SHA-256 of the picture file, hex."),
    ("width", "width", "sc:Integer", "Pixels."),
    ("height", "height", "sc:Integer", "Pixels."),
    ("format", "format", "sc:Text", "jpeg, png or bmp."),
)
_BOX_FIELDS = (
    ("label", "sc:Integer", "Class id."),
    ("text", "sc:Text", "Class name."),
    ("xmin", "sc:Float", "Left edge in pixels."),
    ("ymin", "sc:Float", "Upper edge in pixels."),
    ("xmax", "sc:Float", "Right edge in pixels."),
    ("ymax", "sc:Float", "Lower edge in pixels."),
    ("difficult", "sc:Boolean", "The annotator found it hard to see."),
    ("truncated", "sc:Boolean", "It reaches beyond the picture."),
)


@dataclass(frozen=True, slots=True)
class CardWords:
    """What only a person knows of a dataset; empty where nothing was said.

    Attributes:
        name: Its name.
        description: One paragraph.
        licences: URLs or names of licences.
        url: Its web page.
        creator: Who made it.
        citation: How to cite it.
        published: The day it was published, ``YYYY-MM-DD``.
        version: Its version, such as ``1.0.0``.
    """

    name: str = ""
    description: str = ""
    licences: tuple[str, ...] = ()
    url: str = ""
    creator: str = ""
    citation: str = ""
    published: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class CardFile:
    """A file of the folder: its name, what it is (a MIME type), its size in bytes and its hex SHA-256."""

    name: str
    media_type: str
    num_bytes: int
    sha256: str


def croissant_document(
    words: CardWords,
    files: Iterable[CardFile],
    *,
    licences: Iterable[str],
    classes: Iterable[tuple[int, str]],
    splits: Iterable[str],
) -> dict[str, Any]:
    """Return the card as a JSON object, keys in a fixed order.

    Args:
        words: What the person said.
        files: Every file of the folder that belongs to the dataset, the manifest among them.
        licences: What is known of the rights, when the person named no licence.
        classes: The label map, as ``(id, name)`` pairs.
        splits: Names of the splits that have pictures.
    """
    licence = list(words.licences) or list(licences)
    document = {
        "@context": dict(_CONTEXT),
        "@type": "sc:Dataset",
        "conformsTo": _CONFORMS_TO,
        "name": words.name,
        "description": words.description,
        "license": licence[0] if len(licence) == 1 else licence,
        "url": words.url,
        "version": words.version,
        "citeAs": words.citation,
        "datePublished": words.published,
        "creator": {"@type": "sc:Organization", "name": words.creator} if words.creator else "",
        "distribution": [_file_object(file) for file in files],
        "recordSet": [
            _table("classes", _CLASSES, "sc:Enumeration", "id", [{"id": one, "name": name} for one, name in classes]),
            _table("splits", _SPLITS, "cr:Split", "name", [{"name": split} for split in splits]),
            _pictures(),
        ],
    }
    return {key: value for key, value in document.items() if value not in ("", [])}


def words_of(document: Mapping[str, Any]) -> CardWords:
    """Read back what a person said from a card; what is absent or of another kind is empty."""
    licence = document.get("license", ())
    creator = document.get("creator")
    return CardWords(
        name=_text(document.get("name")),
        description=_text(document.get("description")),
        licences=tuple(filter(None, map(_text, licence if isinstance(licence, list) else [licence]))),
        url=_text(document.get("url")),
        creator=_text(creator.get("name")) if isinstance(creator, dict) else "",
        citation=_text(document.get("citeAs")),
        published=_text(document.get("datePublished")),
        version=_text(document.get("version")),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _file_object(file: CardFile) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": file.name,
        "name": file.name,
        "contentUrl": file.name,
        "contentSize": f"{file.num_bytes} B",
        "encodingFormat": file.media_type,
        "sha256": file.sha256,
    }


def _table(name: str, words: str, data_type: str, key: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Describe a record set whose rows stand in the card itself, the label map or the splits."""
    kinds = {
        field: "sc:Integer" if isinstance(value, int) else "sc:Text" for row in rows for field, value in row.items()
    }
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": words,
        "dataType": data_type,
        "key": {"@id": f"{name}/{key}"},
        "field": [
            {"@type": "cr:Field", "@id": f"{name}/{field}", "name": f"{name}/{field}", "dataType": kind}
            for field, kind in kinds.items()
        ],
        "data": [{f"{name}/{field}": value for field, value in row.items()} for row in rows],
    }


def _pictures() -> dict[str, Any]:
    fields = [
        _field(f"pictures/{name}", kind, f"{_EXAMPLES}.{key}", words) for name, key, kind, words in _PICTURE_FIELDS
    ]
    split = _field("pictures/split", "sc:Text", f"{_EXAMPLES}.image", "The split, from the picture's path.")
    split["source"]["transform"] = {"regex": r"^[^/]*/([^/]*)/"}
    boxes: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": "pictures/boxes",
        "name": "pictures/boxes",
        "description": "The objects of the picture.",
        "repeated": True,
        # Readers look for the columns of a record set in its own fields, not in their parts.
        "source": {"fileObject": {"@id": manifest.FILE_NAME}, "extract": {"jsonPath": f"{_EXAMPLES}.boxes"}},
        "subField": [],
    }
    for name, kind, words in _BOX_FIELDS:
        field = _field(f"pictures/boxes/{name}", kind, f"{_EXAMPLES}.boxes", words)
        field["source"]["transform"] = {"jsonPath": f"$.{name}"}
        boxes["subField"].append({**field, "repeated": True})
    return {
        "@type": "cr:RecordSet",
        "@id": "pictures",
        "name": "pictures",
        "description": "Every picture with its boxes. The picture itself stands in the TFRecord files.",
        "key": {"@id": "pictures/source_id"},
        "field": [*fields, split, boxes],
    }


def _field(name: str, kind: str, path: str, words: str) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": name,
        "name": name,
        "description": words,
        "dataType": kind,
        "source": {"fileObject": {"@id": manifest.FILE_NAME}, "extract": {"jsonPath": path}},
    }
