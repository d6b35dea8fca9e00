"""The parts of a manifest as JSON values, and back: examples, shards, refusals."""

import sys
from typing import Any

from labeling.annotations import Box
from records.features import ExampleObject, ExampleSource, OtherSource
from records.plan import Refusal
from records.shard import ShardSummary


def shard_to_json(shard: ShardSummary) -> dict[str, Any]:
    """Return a shard as a JSON object."""
    return {
        "file": shard.file,
        "examples": shard.num_examples,
        "bytes": shard.num_bytes,
        "sha256": shard.sha256,
        "inputs": shard.fingerprint,
    }


def shard_from_json(value: dict[str, Any]) -> ShardSummary:
    """Undo `shard_to_json`.

    Raises:
        KeyError: A key is missing; ``TypeError`` or ``ValueError`` when a value is of another kind.
    """
    return ShardSummary(
        str(value["file"]), int(value["examples"]), int(value["bytes"]), str(value["sha256"]),
        str(value.get("inputs", "")),
    )  # fmt: skip


def refusal_to_json(refusal: Refusal) -> dict[str, str]:
    """Return a refusal as a JSON object."""
    return {"path": refusal.path, "code": refusal.code, "reason": refusal.reason}


def refusal_from_json(value: dict[str, Any]) -> Refusal:
    """Undo `refusal_to_json`; see `shard_from_json` for the errors."""
    return Refusal(str(value["path"]), str(value["code"]), str(value["reason"]))


def example_to_json(example: ExampleSource, shard: int, class_name: str) -> dict[str, Any]:
    """Return an example as a JSON object.

    Args:
        example: What stands in the record.
        shard: Index of its file.
        class_name: The record's; the class folder of the example is named where it is another.
    """
    value: dict[str, Any] = {
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
    if example.class_folder != class_name:
        value["class"] = example.class_folder
    if example.post_urls:
        value["posts"] = list(example.post_urls)
    if example.transcoding:
        value["transcoding"] = example.transcoding
    if example.others:
        value["also"] = [
            {"image": other.image_path, "xml": other.xml_path, "xml_sha256": other.xml_sha256,
             "class": other.class_folder}
            for other in example.others
        ]  # fmt: skip
    return value


def example_from_json(value: dict[str, Any], *, class_name: str, split: str) -> ExampleSource:
    """Undo `example_to_json`; see `shard_from_json` for the errors.

    Args:
        value: The JSON object.
        class_name: The record's.
        split: The record's.
    """
    return ExampleSource(
        source_id=int(value["source_id"]),
        image_path=str(value["image"]),
        xml_path=str(value["xml"]),
        image_sha256=str(value["image_sha256"]),
        xml_sha256=str(value["xml_sha256"]),
        width=int(value["width"]),
        height=int(value["height"]),
        format=sys.intern(str(value["format"])),
        class_folder=sys.intern(str(value.get("class", class_name))),
        split=split,
        objects=tuple(_object_from_json(box) for box in value["boxes"]),
        post_urls=tuple(str(url) for url in value.get("posts", ())),
        transcoding=sys.intern(str(value.get("transcoding", ""))),
        others=tuple(
            OtherSource(str(other["image"]), str(other["xml"]), str(other["xml_sha256"]), str(other["class"]))
            for other in value.get("also", ())
        ),
    )


def _object_from_json(box: dict[str, Any]) -> ExampleObject:
    return ExampleObject(
        label=int(box["label"]),
        text=sys.intern(str(box["text"])),
        box=Box(*(float(box[edge]) for edge in ("xmin", "ymin", "xmax", "ymax"))),
        difficult=bool(box["difficult"]),
        truncated=bool(box["truncated"]),
        view=sys.intern(str(box["view"])),
    )
