"""Objects cut out of the training pictures, to be pasted onto others."""

import hashlib
import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from collectors.errors import ConfigError
from records.reading import DetectionExample, read_examples

_SMALLEST_PX = 16
_QUALITY = 92


@dataclass(slots=True)
class ObjectPool:
    """Objects, those of one class after those of another.

    Attributes:
        crops: JPEG files: each an object with a margin around it, as far as its picture has one.
        inner: Where the object's box lies in its crop: ``ymin xmin ymax xmax`` as shares of the crop.
        sizes: Height and width of each box in pixels of its picture.
        pictures: Height and width of that picture.
        classes: Class id of each object.
        begins: The first object of each class that is there.
        counts: The number of objects of each.
    """

    crops: list[bytes] = field(default_factory=list)
    inner: list[NDArray[np.float32]] = field(default_factory=list)
    sizes: list[tuple[float, float]] = field(default_factory=list)
    pictures: list[tuple[int, int]] = field(default_factory=list)
    classes: list[int] = field(default_factory=list)
    begins: list[int] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an object stands: which example of those read, which of its boxes."""

    example: int
    box: int


def collect_objects(
    paths: Sequence[Path], *, classes: Sequence[int], limit: int, margin: float, largest: int, seed: int
) -> ObjectPool:
    """Cut objects out of records: as many of each class, as far as there are.

    Crowds, boxes marked difficult and those below 16 pixels are left where they are. Which of many are taken depends on
    the seed and on their place in the records alone.

    Args:
        paths: Records.
        classes: Ids of the classes that are wanted; none for all.
        limit: Objects in all.
        margin: What is cut out around a box, as a share of its sides.
        largest: Longer side of a crop in pixels, at most.
        seed: Another seed, other objects of those that are more than ``limit``.

    Raises:
        ConfigError: There is no such object.
        InputError: A record cannot be read.
    """
    found: dict[int, list[_Place]] = defaultdict(list)
    for number, example in enumerate(read_examples(paths)):
        for row in _usable(example):
            label = int(example.labels[row])
            if not classes or label in classes:
                found[label].append(_Place(number, row))
    if not found:
        raise ConfigError(
            "the training records have no object that could be pasted",
            where="task.train_data.augmentation.copy_paste",
            fix="Set its probability to 0, or name other classes.",
        )
    share = max(1, limit // len(found))
    chosen = {label: sorted(places, key=lambda place: _draw(seed, place))[:share] for label, places in found.items()}
    wanted: dict[int, list[int]] = defaultdict(list)
    for places in chosen.values():
        for place in places:
            wanted[place.example].append(place.box)
    cut: dict[int, list[tuple[bytes, NDArray[np.float32], tuple[float, float], tuple[int, int]]]] = defaultdict(list)
    for number, example in enumerate(read_examples(paths)):
        if number in wanted and (image := _open(example)) is not None:
            for row in sorted(wanted[number]):
                cut[int(example.labels[row])].append(_cut(image, example.boxes_norm[row], margin, largest))
    pool = ObjectPool()
    for label in sorted(cut):
        pool.begins.append(len(pool.crops))
        pool.counts.append(len(cut[label]))
        for crop, inner, size, picture in cut[label]:
            pool.crops.append(crop)
            pool.inner.append(inner)
            pool.sizes.append(size)
            pool.pictures.append(picture)
            pool.classes.append(label)
    return pool


def _usable(example: DetectionExample) -> list[int]:
    """Return the rows of the boxes that can be cut out; the size is that in the record, where it says one."""
    edges = np.clip(example.boxes_norm, 0.0, 1.0)
    sides = (edges[:, 2:] - edges[:, :2]) * np.asarray([example.width or 1e6, example.height or 1e6])
    usable = (sides >= _SMALLEST_PX).all(axis=1) & ~example.is_crowd & ~example.difficult & (example.labels > 0)
    return [int(row) for row in np.flatnonzero(usable)]


def _draw(seed: int, place: _Place) -> bytes:
    return hashlib.sha256(f"{seed} {place.example} {place.box}".encode()).digest()


def _open(example: DetectionExample) -> Image.Image | None:
    try:
        return Image.open(io.BytesIO(example.encoded)).convert("RGB")
    except (OSError, UnidentifiedImageError, ValueError):
        return None  # training itself says which picture cannot be decoded


def _cut(
    image: Image.Image, edges: NDArray[np.float32], margin: float, largest: int
) -> tuple[bytes, NDArray[np.float32], tuple[float, float], tuple[int, int]]:
    side = np.asarray([image.width, image.height] * 2, np.float64)
    box = np.clip(edges.astype(np.float64), 0.0, 1.0) * side
    size = box[2:] - box[:2]
    # Whole pixels around the box and its margin.
    begin = np.floor(np.maximum(box[:2] - margin * size, 0)).astype(int)
    end = np.minimum(np.maximum(np.ceil(box[2:] + margin * size).astype(int), begin + 1), side[:2].astype(int))
    crop = image.crop((*begin.tolist(), *end.tolist()))
    inner = (box - np.tile(begin, 2)) / np.tile(end - begin, 2)
    if max(crop.size) > largest:
        scale = largest / max(crop.size)
        crop = crop.resize(
            (max(1, round(crop.width * scale)), max(1, round(crop.height * scale))), Image.Resampling.BOX
        )
    stream = io.BytesIO()
    crop.save(stream, "JPEG", quality=_QUALITY)
    rows_first = inner[[1, 0, 3, 2]].astype(np.float32)
    return stream.getvalue(), rows_first, (float(size[1]), float(size[0])), (image.height, image.width)
