"""COCO detection files: ``annotations/instances_<split>.json`` beside the pictures, boxes as x, y, width, height.

What COCO has no place for (truncated, difficult, pose, verified) stands in extra keys that other readers leave alone,
so nothing is lost on the way out and back.
"""

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from collectors.errors import InputError
from labeling.annotations import Annotation, Box, LabeledObject
from labeling.interchange import Exchange, ExchangedPicture, Outputs, PictureFinder, edge, split_of, touches_edge


def export_coco(pictures: Sequence[ExchangedPicture], labels: Sequence[tuple[int, str]]) -> Outputs:
    """Return the files of a COCO set; a split without pictures has none.

    Args:
        pictures: What to write; names are unique.
        labels: Category ids and names.
    """
    outputs: Outputs = {}
    for split in sorted({picture.split for picture in pictures}):
        chosen = [picture for picture in pictures if picture.split == split]
        folder = split or "images"
        document = coco_document(chosen, labels)
        text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
        outputs[f"annotations/instances_{split or 'all'}.json"] = text.encode()
        outputs |= {f"{folder}/{picture.name}": picture.source for picture in chosen}
    return outputs


def coco_document(pictures: Sequence[ExchangedPicture], labels: Sequence[tuple[int, str]]) -> dict[str, Any]:
    """Return the JSON document of one split; ids count from 1 in the order given."""
    ids = {name: number for number, name in labels}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, picture in enumerate(pictures, start=1):
        drawn = picture.annotation
        image = {"id": image_id, "file_name": picture.name, "width": drawn.width, "height": drawn.height}
        images.append(image | ({"verified": True} if drawn.verified else {}))
        for one in drawn.objects:
            box = one.box
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": ids[one.name],
                    "bbox": [_plain(value) for value in (box.xmin, box.ymin, box.width, box.height)],
                    "area": _plain(box.width * box.height),
                    "iscrowd": 0,
                    "attributes": {"truncated": one.truncated, "difficult": one.difficult, "pose": one.pose},
                }
            )
    categories = [{"id": number, "name": name} for number, name in labels]
    return {"images": images, "annotations": annotations, "categories": categories}


def read_coco(root: Path) -> Exchange:
    """Read every COCO file below a folder (or one file), pictures found below the folder.

    Raises:
        InputError: There is none, or one cannot be read as COCO.
    """
    files = [root] if root.is_file() else sorted(path for path in root.rglob("*.json") if _is_coco(path))
    if not files:
        raise InputError("no COCO file here", where=str(root), fix="Give the folder with annotations/*.json.")
    # The download of COCO has keypoints and captions of the same pictures beside the boxes.
    files = [path for path in files if path.stem.startswith("instances")] or files
    folder = root.parent if root.is_file() else root
    if root.is_file() and folder.name == "annotations":
        folder = folder.parent
    finder, exchange = PictureFinder(folder), Exchange()
    for path in files:
        split = next(
            (found for word in (*path.stem.split("_")[::-1], path.parent.name) if (found := split_of(word))), ""
        )
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            take_document(document, exchange, split=split, where=path, finder=finder)
        except OSError as error:
            raise InputError(f"cannot read it: {error.strerror or error}", where=str(path)) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"not a COCO file ({type(error).__name__}: {error})", where=str(path)) from error
    return exchange


def take_document(
    document: dict[str, Any], exchange: Exchange, *, split: str, where: Path, finder: PictureFinder
) -> None:
    """Add the pictures of one COCO document to an exchange.

    Raises:
        KeyError, TypeError, ValueError: The document is not COCO.
    """
    names = {category["id"]: str(category["name"]) for category in document["categories"]}
    exchange.labels += [name for name in names.values() if name not in exchange.labels]
    drawn: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for annotation in document["annotations"]:
        drawn[annotation["image_id"]].append(annotation)
    for image in document["images"]:
        name = str(image["file_name"])
        annotations = drawn.pop(image["id"], [])
        source = finder.find(name, near=[where.parent, where.parent.parent / (split or "images")])
        if source is None:
            exchange.refuse(f"{where}: {name}", "its picture is not there, or there are several of that name")
            continue
        width, height = int(image["width"]), int(image["height"])
        objects = []
        for annotation in annotations:
            objects.append(_object_of(annotation, names, width, height))
            if annotation.get("iscrowd"):
                exchange.lose("crowd marks")
            if annotation.get("segmentation"):
                exchange.lose("outlines")
        annotation_here = Annotation(
            source.name, width, height, verified=bool(image.get("verified")), objects=tuple(objects)
        )
        exchange.pictures.append(ExchangedPicture(source.name, split, annotation_here, source))
    for image_id in drawn:
        exchange.refuse(where, f"annotations of image {image_id!r}, which is not listed")


def _object_of(annotation: dict[str, Any], names: dict[Any, str], width: int, height: int) -> LabeledObject:
    left, top, box_width, box_height = (float(value) for value in annotation["bbox"])
    if not all(map(math.isfinite, (left, top, box_width, box_height))):
        raise ValueError(f"annotation {annotation.get('id')!r} has a box that is not finite")
    box = Box(edge(left), edge(top), edge(left + box_width), edge(top + box_height))
    extra = annotation.get("attributes") or {}
    return LabeledObject(
        names[annotation["category_id"]],
        box,
        pose=str(extra.get("pose", "Unspecified")),
        truncated=bool(extra.get("truncated", touches_edge(box, width, height))),
        difficult=bool(extra.get("difficult", False)),
    )


def _is_coco(path: Path) -> bool:
    if any(part.startswith(".") for part in path.parts[-3:]):
        return False
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and {"images", "annotations", "categories"} <= document.keys()


def _plain(value: float) -> float | int:
    rounded = edge(value)
    return int(rounded) if float(rounded).is_integer() else rounded
