"""CreateML sets: one JSON list of pictures in each folder, boxes as centre and size in pixels."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from collectors.errors import InputError
from labeling.annotations import Annotation, Box
from labeling.interchange import (
    Exchange,
    ExchangedPicture,
    Outputs,
    PictureFinder,
    bare_object,
    edge,
    size_of,
    split_of,
)

_FILE = "_annotations.createml.json"


def export_createml(pictures: Sequence[ExchangedPicture]) -> Outputs:
    """Return the files of a CreateML set, one folder a split; names are unique."""
    outputs: Outputs = {}
    for split in sorted({picture.split for picture in pictures}):
        chosen = [picture for picture in pictures if picture.split == split]
        text = json.dumps(createml_document(chosen), indent=1, ensure_ascii=False) + "\n"
        folder = f"{split}/" if split else ""
        outputs[f"{folder}{_FILE}"] = text.encode()
        outputs |= {f"{folder}{picture.name}": picture.source for picture in chosen}
    return outputs


def createml_document(pictures: Sequence[ExchangedPicture]) -> list[dict[str, Any]]:
    """Return the JSON list, with LabelImg's ``verified`` key."""
    return [
        {
            "image": picture.name,
            "verified": picture.annotation.verified,
            "annotations": [
                {
                    "label": one.name,
                    "coordinates": {
                        "x": _plain((one.box.xmin + one.box.xmax) / 2),
                        "y": _plain((one.box.ymin + one.box.ymax) / 2),
                        "width": _plain(one.box.width),
                        "height": _plain(one.box.height),
                    },
                }
                for one in picture.annotation.objects
            ],
        }
        for picture in pictures
    ]


def read_createml(root: Path) -> Exchange:
    """Read every CreateML file below a folder (or one file).

    Raises:
        InputError: There is none, or one cannot be read.
    """
    files = [root] if root.is_file() else sorted(path for path in root.rglob("*.json") if _document(path) is not None)
    if not files:
        raise InputError("no CreateML file here", where=str(root), fix=f"Give the folder that has {_FILE}.")
    finder, exchange = PictureFinder(root.parent if root.is_file() else root), Exchange()
    for path in files:
        document = _document(path)
        if document is None:
            raise InputError("not a CreateML file: it is no list of pictures", where=str(path))
        for entry in document:
            _take(entry, exchange, path, finder)
    return exchange


def objects_of(entry: dict[str, Any]) -> list[tuple[str, Box]]:
    """Return labels and boxes of one picture's entry.

    Raises:
        KeyError, TypeError, ValueError: It is not one.
    """
    found = []
    for annotation in entry["annotations"]:
        x, y, width, height = (float(annotation["coordinates"][key]) for key in ("x", "y", "width", "height"))
        if not all(map(math.isfinite, (x, y, width, height))):
            raise ValueError("a number that is not finite")
        box = Box(edge(x - width / 2), edge(y - height / 2), edge(x + width / 2), edge(y + height / 2))
        found.append((str(annotation["label"]), box))
    return found


def _take(entry: dict[str, Any], exchange: Exchange, where: Path, finder: PictureFinder) -> None:
    name = str(entry["image"])
    source = finder.find(name, near=[where.parent])
    if source is None:
        exchange.refuse(f"{where}: {name}", "its picture is not there, or there are several of that name")
        return
    try:
        drawn = objects_of(entry)
        width, height = size_of(source, has_boxes=bool(drawn))
    except (InputError, KeyError, TypeError, ValueError) as error:
        exchange.refuse(f"{where}: {name}", error.what if isinstance(error, InputError) else str(error), source)
        return
    exchange.labels += [label for label in dict.fromkeys(label for label, _ in drawn) if label not in exchange.labels]
    objects = tuple(bare_object(label, box, width, height) for label, box in drawn)
    annotation = Annotation(source.name, width, height, verified=bool(entry.get("verified")), objects=objects)
    exchange.pictures.append(ExchangedPicture(source.name, split_of(where.parent.name), annotation, source))


def _document(path: Path) -> list[dict[str, Any]] | None:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    is_list = isinstance(document, list) and document
    return document if is_list and all(isinstance(one, dict) and "image" in one for one in document) else None


def _plain(value: float) -> float | int:
    rounded = round(value, 7)  # a centre has half the step of an edge
    return int(rounded) if float(rounded).is_integer() else rounded
