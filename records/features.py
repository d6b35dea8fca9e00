"""The keys of a detection example: one labelled picture as TensorFlow's detection libraries expect it.

Names and kinds are those of the TensorFlow Object Detection API's scripts, with ``area`` and ``is_crowd`` as Model
Garden's COCO tool writes them, a ``source_id`` that is a number (Model Garden's evaluation parses it as one), and
keys of our own under ``tagbox/``, which decoders pass over.

Boxes are LabelImg's pixel edges divided by the width and the height as they are, clipped to 0..1 and rounded to 32
bits. Trainers hide unsound boxes instead of refusing them (an inverted one simply never becomes a positive), so this
is the strict place.
"""

import hashlib
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from labeling.annotations import Box
from records.errors import ExampleError
from records.example import BytesList, Feature, FloatList, Int64List

# What both TensorFlow's `decode_image` (as a picture, not an animation) and the OD API take.
FORMATS = ("jpeg", "png", "bmp")


@dataclass(frozen=True, slots=True)
class ExampleObject:
    """One object of an example.

    ``label`` is the id of the class in the label map, from 1; ``text`` its name there; ``box`` in pixels of the
    picture; ``view`` is what VOC calls the pose.
    """

    label: int
    text: str
    box: Box
    difficult: bool = False
    truncated: bool = False
    view: str = "Unspecified"


@dataclass(frozen=True, slots=True)
class OtherSource:
    """Another place of a picture that stands in several class folders: its file and its XML there."""

    image_path: str
    xml_path: str
    xml_sha256: str
    class_folder: str


@dataclass(frozen=True, slots=True)
class ExampleSource:
    """Everything of an example but the bytes of its picture.

    Paths are relative to the data root, with forward slashes; hashes are hex SHA-256. A picture without objects is a
    negative: its lists are empty.

    Attributes:
        image_sha256: Of the file.
        width: Of the picture in the example, in pixels; so is ``height``.
        format: Of the picture in the example, one of `FORMATS`.
        post_urls: Where a collected picture was posted, sorted; empty for others.
        transcoding: What is done to the picture (see `records.picture_conversion`); empty when its bytes are kept.
        others: Where else the picture stands, sorted; only in a merged record.
    """

    source_id: int
    image_path: str
    xml_path: str
    image_sha256: str
    xml_sha256: str
    width: int
    height: int
    format: str
    class_folder: str
    split: str
    objects: tuple[ExampleObject, ...] = ()
    post_urls: tuple[str, ...] = ()
    transcoding: str = ""
    others: tuple[OtherSource, ...] = ()


def normalized_box(box: Box, *, width: int, height: int) -> tuple[float, float, float, float]:
    """Divide a box by the size of its picture, clip it to 0..1 and round it to 32 bits.

    Args:
        box: Edges in pixels.
        width: Of the picture, in pixels, 1 or more.
        height: Of the picture, in pixels, 1 or more.

    Returns:
        ``xmin, ymin, xmax, ymax``, each exactly a 32-bit float in ``[0, 1]``, with ``xmin < xmax`` and
        ``ymin < ymax``.

    Raises:
        ExampleError: Nothing is left of the box inside the picture, or an edge is not a number.
    """
    # min and max would let a NaN through or not, depending on the order of their arguments; the comparison below
    # is false for NaN, so it is refused here.
    edges = (box.xmin / width, box.ymin / height, box.xmax / width, box.ymax / height)
    if any(math.isnan(edge) for edge in edges):
        raise ExampleError(f"the box {_words(box)} has an edge that is not a number")
    packed = struct.pack("<4f", *(min(max(edge, 0.0), 1.0) for edge in edges))
    xmin, ymin, xmax, ymax = struct.unpack("<4f", packed)
    if not (xmin < xmax and ymin < ymax):
        raise ExampleError(f"nothing is left of the box {_words(box)} inside the picture of {width} x {height} px")
    return xmin, ymin, xmax, ymax


def area_px(box: Box, *, width: int, height: int) -> float:
    """Return the area, in square pixels and rounded to 32 bits, of the part of a box that lies inside its picture."""
    horizontal = min(max(box.xmax, 0), width) - min(max(box.xmin, 0), width)
    vertical = min(max(box.ymax, 0), height) - min(max(box.ymin, 0), height)
    return float(struct.unpack("<f", struct.pack("<f", horizontal * vertical))[0])


def detection_features(source: ExampleSource, encoded: bytes) -> dict[str, Feature]:
    """Put one labelled picture under the keys of the Object Detection API.

    Args:
        source: What is known of the picture and its objects. No objects give empty lists.
        encoded: The bytes of the picture: those of the file, or what its transcoding gave.

    Returns:
        Features for `records.example.encode_example`. Every ``image/object`` list is as long as there are objects.

    Raises:
        ExampleError: A label is below 1 or a box is unsound; see `normalized_box`.
    """
    objects = source.objects
    if any(item.label < 1 for item in objects):
        raise ExampleError("a label id is below 1; 0 means background", where=source.xml_path)
    size = {"width": source.width, "height": source.height}
    boxes = [normalized_box(item.box, **size) for item in objects]
    sha256 = hashlib.sha256(encoded).hexdigest() if source.transcoding else source.image_sha256
    return {
        "image/height": Int64List((source.height,)),
        "image/width": Int64List((source.width,)),
        "image/filename": _text(source.image_path.rpartition("/")[2]),
        "image/source_id": _text(str(source.source_id)),
        "image/key/sha256": _text(sha256),
        "image/encoded": BytesList((encoded,)),
        "image/format": _text(source.format),
        "image/object/bbox/xmin": FloatList(tuple(box[0] for box in boxes)),
        "image/object/bbox/ymin": FloatList(tuple(box[1] for box in boxes)),
        "image/object/bbox/xmax": FloatList(tuple(box[2] for box in boxes)),
        "image/object/bbox/ymax": FloatList(tuple(box[3] for box in boxes)),
        "image/object/class/text": _texts([item.text for item in objects]),
        "image/object/class/label": Int64List(tuple(item.label for item in objects)),
        "image/object/area": FloatList(tuple(area_px(item.box, **size) for item in objects)),
        "image/object/is_crowd": Int64List((0,) * len(objects)),
        "image/object/difficult": Int64List(tuple(int(item.difficult) for item in objects)),
        "image/object/truncated": Int64List(tuple(int(item.truncated) for item in objects)),
        "image/object/view": _texts([item.view for item in objects]),
        "tagbox/image_path": _texts([source.image_path, *(other.image_path for other in source.others)]),
        "tagbox/image_sha256": _text(source.image_sha256),
        "tagbox/xml_path": _texts([source.xml_path, *(other.xml_path for other in source.others)]),
        "tagbox/xml_sha256": _texts([source.xml_sha256, *(other.xml_sha256 for other in source.others)]),
        "tagbox/class_folder": _texts([source.class_folder, *(other.class_folder for other in source.others)]),
        "tagbox/split": _text(source.split),
        "tagbox/post_url": _texts(source.post_urls),
        "tagbox/transcoding": _texts([source.transcoding] if source.transcoding else []),
    }


def _text(value: str) -> BytesList:
    return BytesList((value.encode(),))


def _texts(values: Sequence[str]) -> BytesList:
    return BytesList(tuple(value.encode() for value in values))


def _words(box: Box) -> str:
    return f"({box.xmin:g}, {box.ymin:g}, {box.xmax:g}, {box.ymax:g})"
