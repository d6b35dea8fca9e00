"""Records as the scripts of the TF Object Detection API write them: text as source id, no areas, no crowds."""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from records.example import BytesList, Feature, FloatList, Int64List, encode_example
from records.tfrecord import write_frames

Box = tuple[float, float, float, float]


def random_picture(seed: int, size: tuple[int, int] = (40, 30)) -> Image.Image:
    """Return a picture of soft blotches, ``size`` as width and height; another seed, other blotches."""
    pixels = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), np.uint8)
    return Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR)


def encode_picture(picture: Image.Image, kind: str = "JPEG") -> bytes:
    """Return the bytes of a picture file."""
    stream = io.BytesIO()
    options = {"quality": 95} if kind == "JPEG" else {}
    picture.save(stream, kind, **options)
    return stream.getvalue()


def od_example(
    picture: Image.Image,
    boxes: Sequence[Box] = (),
    labels: Sequence[int] = (),
    *,
    kind: str = "JPEG",
    source_id: str | None = "raccoon-1.jpg",
    **more: Feature,
) -> bytes:
    """Write one example: boxes are normalised ``ymin xmin ymax xmax``, ``more`` has keys with ``__`` for a slash."""
    features: dict[str, Feature] = {
        "image/height": Int64List((picture.height,)),
        "image/width": Int64List((picture.width,)),
        "image/filename": BytesList((b"raccoon-1.jpg",)),
        "image/encoded": BytesList((encode_picture(picture, kind),)),
        "image/format": BytesList((kind.lower().encode(),)),
        "image/object/bbox/ymin": FloatList(tuple(box[0] for box in boxes)),
        "image/object/bbox/xmin": FloatList(tuple(box[1] for box in boxes)),
        "image/object/bbox/ymax": FloatList(tuple(box[2] for box in boxes)),
        "image/object/bbox/xmax": FloatList(tuple(box[3] for box in boxes)),
        "image/object/class/text": BytesList(tuple(b"thing" for _ in boxes)),
        "image/object/class/label": Int64List(tuple(labels)),
    }
    if source_id is not None:
        features["image/source_id"] = BytesList((source_id.encode(),))
    return encode_example(features | {key.replace("__", "/"): value for key, value in more.items()})


def write_records(path: Path, examples: Iterable[bytes]) -> Path:
    """Write a record file and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        write_frames(stream, examples)
    return path
