"""The keys of a classification example, as TensorFlow's image classification libraries have them.

Two forms. *Encoded*: a picture file under ``image/encoded``, what Model Garden's decoder reads. *Raw*: one byte a pixel
under ``image/raw``, a batch of which `tf.io.parse_example` and `tf.io.decode_raw` turn into an array at once; where it
was asked for with the strokes one by one, see `records.stroke_layers`.
"""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from records.errors import ExampleError
from records.example import BytesList, Feature, Int64List
from records.example_values import first_bytes, first_int

RAW = "image/raw"
STROKE_LAYERS = "image/stroke_layers"
ENCODED = "image/encoded"


def raw_features(
    *, label: int, text: str, side: int, pixels: bytes, source: str, drawing: bytes, layers: bytes = b""
) -> dict[str, Feature]:
    """Put one drawing of ``side`` by ``side`` bytes under its keys.

    Args:
        label: Id of the class in the label map, from 1.
        text: Its name there.
        side: Width and height, px.
        pixels: Rows from the top, 255 is ink.
        source: The file it comes from, below the source folder.
        drawing: Which drawing of the file.
        layers: Its strokes one by one, from `records.stroke_layers.pack_layers`; empty leaves the key out.

    Raises:
        ExampleError: The label is below 1, or there are more or fewer pixels.
    """
    if len(pixels) != side * side:
        raise ExampleError(f"{len(pixels)} bytes are no picture of {side} x {side} px")
    return {
        **_class_features([label], [text]),
        "image/height": Int64List((side,)),
        "image/width": Int64List((side,)),
        RAW: BytesList((pixels,)),
        **({STROKE_LAYERS: BytesList((layers,))} if layers else {}),
        "tagbox/source": _text(source),
        "tagbox/drawing": BytesList((drawing,)),
    }


def encoded_features(
    *,
    labels: Sequence[int],
    texts: Sequence[str],
    encoded: bytes,
    format_name: str,
    width: int,
    height: int,
    may_lack_label: bool = False,
) -> dict[str, Feature]:
    """Put one picture file under its keys; several labels make a multi-label example.

    Args:
        labels: Ids of the label map, from 1, at least one unless ``may_lack_label``.
        texts: Their names there.
        encoded: The picture file.
        format_name: ``jpeg`` or ``png``.
        width: Of the picture, px.
        height: Of the picture, px.
        may_lack_label: A picture without any label is an example too: of several labels that it has not.

    Raises:
        ExampleError: A label is below 1, or there is none.
    """
    return {
        **_class_features(labels, texts, may_lack_label=may_lack_label),
        "image/height": Int64List((height,)),
        "image/width": Int64List((width,)),
        "image/format": _text(format_name),
        "image/key/sha256": _text(hashlib.sha256(encoded).hexdigest()),
        ENCODED: BytesList((encoded,)),
    }


def raw_pixels(features: Mapping[str, Feature]) -> NDArray[np.uint8] | None:
    """Return the drawing of an example, shape ``(height, width)``, 255 is ink; ``None``: it has none of a byte a pixel.

    Raises:
        ExampleError: There are more or fewer bytes than height and width say.
    """
    content = first_bytes(features, RAW)
    if not content:
        return None
    height, width = first_int(features, "image/height"), first_int(features, "image/width")
    if height < 1 or height * width != len(content):
        raise ExampleError(f"{RAW} has {len(content)} bytes for {width} x {height} px")
    return np.frombuffer(content, np.uint8).reshape(height, width)


def _class_features(labels: Sequence[int], texts: Sequence[str], *, may_lack_label: bool = False) -> dict[str, Feature]:
    if not (labels or may_lack_label) or min(labels, default=1) < 1 or len(labels) != len(texts):
        raise ExampleError(f"labels {list(labels)} with names {list(texts)}: ids are from 1, one for each name")
    return {
        "image/class/label": Int64List(tuple(labels)),
        "image/class/text": BytesList(tuple(text.encode() for text in texts)),
    }


def _text(value: str) -> BytesList:
    return BytesList((value.encode(),))
