"""One example of a record as a person looks at it: its keys in words, or its picture with the boxes drawn in."""

import hashlib
import io
from collections.abc import Mapping
from typing import Any

from PIL import Image

from labeling.annotations import Box
from labeling.drawing import DrawnBox, draw_boxes, label_color
from records.classification_features import ENCODED, raw_pixels
from records.errors import ExampleError
from records.example import BytesList, Feature, FloatList, Int64List
from records.example_values import first_bytes

_MAX_TEXT_BYTES = 300


def describe_features(features: Mapping[str, Feature]) -> list[dict[str, Any]]:
    """Describe every key of an example, sorted by key.

    Returns:
        Objects with ``key``, ``kind`` (``bytes``, ``float``, ``int64`` or ``none``), ``count``, and ``values``:
        numbers, texts, or ``{"bytes": size, "sha256": ...}`` in place of what is long or no text.
    """
    rows = []
    for key, feature in sorted(features.items()):
        kind: str
        shown: list[Any]
        match feature:
            case BytesList(values):
                kind, shown = "bytes", [_text_or_digest(value) for value in values]
            case FloatList(values):
                kind, shown = "float", list(values)
            case Int64List(values):
                kind, shown = "int64", list(values)
            case None:
                kind, shown = "none", []
        rows.append({"key": key, "kind": kind, "count": len(shown), "values": shown})
    return rows


def draw_example(features: Mapping[str, Feature]) -> Image.Image:
    """Decode the picture of an example and draw its boxes with their class names.

    Works on any example with the Object Detection API's keys; boxes without a name or an id are drawn without a word.

    Raises:
        ExampleError: It has no picture, the picture does not decode, or the four lists of edges differ in length.
    """
    if (drawing := raw_pixels(features)) is not None:
        return Image.fromarray(drawing)
    encoded = first_bytes(features, ENCODED)
    if not encoded:
        raise ExampleError(f"{ENCODED} is missing or empty, so there is nothing to draw")
    try:
        with Image.open(io.BytesIO(encoded)) as opened:
            image = opened.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ExampleError(f"the picture does not decode: {error}") from error
    boxes = []
    for index, edges in enumerate(_boxes(features)):
        label = _value(features.get("image/object/class/label"), index)
        text = _value(features.get("image/object/class/text"), index)
        words = text.decode(errors="replace") if isinstance(text, bytes) else "" if label is None else str(label)
        boxes.append(DrawnBox(Box(*edges).scaled(*image.size), words, label_color(words)))
    return draw_boxes(image, boxes)


def _boxes(features: Mapping[str, Feature]) -> list[tuple[float, float, float, float]]:
    columns = []
    for edge in ("xmin", "ymin", "xmax", "ymax"):
        feature = features.get(f"image/object/bbox/{edge}")
        columns.append(feature.values if isinstance(feature, FloatList) else ())
    if len({len(column) for column in columns}) > 1:
        raise ExampleError(f"the lists of edges differ in length: {', '.join(str(len(column)) for column in columns)}")
    # An edge that is not a number cannot be drawn.
    return [box for box in zip(*columns, strict=True) if all(abs(edge) < 1e6 for edge in box)]


def _value(feature: Feature, index: int) -> bytes | float | int | None:
    return feature.values[index] if feature is not None and index < len(feature.values) else None


def _text_or_digest(value: bytes) -> str | dict[str, Any]:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = ""
    if len(value) > _MAX_TEXT_BYTES or (value and not text.isprintable()) or (value and not text):
        return {"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()}
    return text
