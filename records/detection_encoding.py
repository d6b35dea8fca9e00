"""The bytes of a detection example, written straight from what is known of it.

What `records.features.detection_features` says and `records.example.encode_example` writes, without the steps between:
these took as long as the disk. Most values repeat from picture to picture, and their bytes are kept.
"""

import functools
import hashlib

from records.errors import ExampleError
from records.example import bytes_entry, bytes_entry_head, floats_entry, ints_entry, whole_example
from records.features import ExampleObject, ExampleSource, area_px, normalized_box

_KEPT = 4096


def encode_detection(source: ExampleSource, encoded: bytes) -> list[bytes]:
    """Write one labelled picture as a ``tf.train.Example``, in pieces; the picture is passed on, not copied.

    Args:
        source: What is known of the picture and its objects. No objects give empty lists.
        encoded: The bytes of the picture: those of the file, or what its transcoding gave.

    Returns:
        Pieces that together are ``encode_example(detection_features(source, encoded))``.

    Raises:
        ExampleError: A label is below 1 or a box is unsound; see `records.features.normalized_box`.
    """
    image_sha256 = source.image_sha256.encode()
    sha256 = hashlib.sha256(encoded).hexdigest().encode() if source.transcoding else image_sha256
    image_path = source.image_path.encode()
    # Keys in the order of their bytes.
    entries = [
        bytes_entry_head(b"image/encoded", len(encoded)),
        encoded,
        bytes_entry(b"image/filename", image_path.rpartition(b"/")[2]),
        _text(b"image/format", source.format),
        _ints(b"image/height", (source.height,)),
        bytes_entry(b"image/key/sha256", sha256),
        _objects(source),
        bytes_entry(b"image/source_id", b"%d" % source.source_id),
        _ints(b"image/width", (source.width,)),
    ]
    if source.others:
        others = source.others
        folders = [source.class_folder, *(other.class_folder for other in others)]
        entries += (
            bytes_entry(b"tagbox/class_folder", *map(str.encode, folders)),
            bytes_entry(b"tagbox/image_path", image_path, *(other.image_path.encode() for other in others)),
        )
    else:
        entries += (_text(b"tagbox/class_folder", source.class_folder), bytes_entry(b"tagbox/image_path", image_path))
    entries += (
        bytes_entry(b"tagbox/image_sha256", image_sha256),
        bytes_entry(b"tagbox/post_url", *map(str.encode, source.post_urls)),
        _text(b"tagbox/split", source.split),
        _text(b"tagbox/transcoding", *([source.transcoding] if source.transcoding else [])),
        bytes_entry(b"tagbox/xml_path", source.xml_path.encode(), *(o.xml_path.encode() for o in source.others)),
        bytes_entry(b"tagbox/xml_sha256", source.xml_sha256.encode(), *(o.xml_sha256.encode() for o in source.others)),
    )
    return whole_example(entries)


def _objects(source: ExampleSource) -> bytes:
    """Write the ``image/object`` keys."""
    objects = source.objects
    if any(item.label < 1 for item in objects):
        raise ExampleError("a label id is below 1; 0 means background", where=source.xml_path)
    size = {"width": source.width, "height": source.height}
    boxes = [normalized_box(item.box, **size) for item in objects]
    return b"".join(
        (
            floats_entry(b"image/object/area", [area_px(item.box, **size) for item in objects]),
            floats_entry(b"image/object/bbox/xmax", [box[2] for box in boxes]),
            floats_entry(b"image/object/bbox/xmin", [box[0] for box in boxes]),
            floats_entry(b"image/object/bbox/ymax", [box[3] for box in boxes]),
            floats_entry(b"image/object/bbox/ymin", [box[1] for box in boxes]),
            _kinds(tuple([_kind(item) for item in objects])),
        )
    )


def _kind(item: ExampleObject) -> tuple[int, str, bool, bool, str]:
    return item.label, item.text, item.difficult, item.truncated, item.view


@functools.lru_cache(maxsize=_KEPT)
def _kinds(kinds: tuple[tuple[int, str, bool, bool, str], ...]) -> bytes:
    """Write the keys of objects that say nothing of where they are."""
    return b"".join(
        (
            ints_entry(b"image/object/class/label", [kind[0] for kind in kinds]),
            bytes_entry(b"image/object/class/text", *[kind[1].encode() for kind in kinds]),
            ints_entry(b"image/object/difficult", [int(kind[2]) for kind in kinds]),
            ints_entry(b"image/object/is_crowd", [0] * len(kinds)),
            ints_entry(b"image/object/truncated", [int(kind[3]) for kind in kinds]),
            bytes_entry(b"image/object/view", *[kind[4].encode() for kind in kinds]),
        )
    )


@functools.lru_cache(maxsize=_KEPT)
def _text(key: bytes, *values: str) -> bytes:
    return bytes_entry(key, *map(str.encode, values))


@functools.lru_cache(maxsize=_KEPT)
def _ints(key: bytes, values: tuple[int, ...]) -> bytes:
    return ints_entry(key, values)
