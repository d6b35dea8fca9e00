"""Pictures out of records: truth drawn on them, detections beside them."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from collectors.files import atomic_writer
from labeling.annotations import Box
from labeling.drawing import TRUTH_COLOR, DrawnBox, beside, detected_box, draw_boxes
from pipelines.detection_record import DetectionRecord
from records.reading import DetectionExample, read_examples
from records.tfrecord import read_tfrecord

_MAX_SIDE = 480
_QUALITY = 82


@dataclass(frozen=True, slots=True)
class RecordPicture:
    """A picture out of a record with its ground truth, boxes in pixels; ``place`` counts those that are read from 0."""

    place: int
    name: str
    image: Image.Image
    boxes: tuple[tuple[int, Box], ...]


def pick_pictures(paths: Sequence[Path], limit: int, *, every: int = 1, at_most: int = 0) -> list[RecordPicture]:
    """Return up to ``limit`` pictures spread evenly over the records; those that cannot be decoded are passed over.

    Args:
        paths: Record files.
        limit: Most pictures to return.
        every: Only each so-manieth picture is read, as an evaluation does with ``sample_1_of_n``.
        at_most: Only so many are read, as with ``max_examples``; 0 is all.
    """
    total = -(-sum(1 for path in paths for _ in read_tfrecord(path)) // every)
    total = min(total, at_most) if at_most else total
    count = min(limit, total)
    wanted = {every * round(place * (total - 1) / max(1, count - 1)) for place in range(count)}
    examples = ((place, example) for place, example in enumerate(read_examples(paths)) if place in wanted)
    return [picture for place, example in examples if (picture := _picture(place // every, example)) is not None]


def draw_evaluated(
    picture: RecordPicture, record: DetectionRecord, class_names: Mapping[int, str], min_score: float, max_side: int
) -> Image.Image:
    """Draw the truth (left) and the detections (right) of a picture that was evaluated.

    Args:
        picture: Its ``place`` is that among the pictures of ``record``: an evaluation goes over the records in order.
        record: What the evaluation found.
        class_names: Name of each class id.
        min_score: Detections below are not drawn.
        max_side: Each half is at most so wide and so high, in pixels.
    """
    image, scale = fit_picture(picture.image, max_side)
    image_id = record.images[picture.place]["id"]
    found = []
    for one in record.detections:
        if one["image_id"] == image_id and one["score"] >= min_score:
            left, top, width, height = one["bbox"]
            box = Box(left, top, left + width, top + height).scaled(scale, scale)
            found.append(detected_box(box, class_names.get(one["category_id"], "?"), one["score"]))
    truth = truth_boxes(picture, class_names, scale)
    return beside(draw_boxes(image, truth), draw_boxes(image, found))


def write_samples(
    pictures: Sequence[RecordPicture],
    record: DetectionRecord,
    class_names: Mapping[int, str],
    output: Path,
    *,
    min_score: float,
) -> list[tuple[Path, str]]:
    """Draw truth (left) and detections (right) of pictures that were evaluated.

    Args:
        pictures: See `draw_evaluated`.
        record: What the evaluation found.
        class_names: Name of each class id.
        output: Folder of the JPEGs ``sample_01.jpg``...; older samples in it are removed.
        min_score: Detections below are not drawn.

    Returns:
        Each file with the name of its picture.
    """
    output.mkdir(parents=True, exist_ok=True)
    for old in output.glob("sample_*.jpg"):
        old.unlink()
    written = []
    for number, picture in enumerate(pictures, start=1):
        path = output / f"sample_{number:02d}.jpg"
        with atomic_writer(path) as stream:
            draw_evaluated(picture, record, class_names, min_score, _MAX_SIDE).save(stream, "JPEG", quality=_QUALITY)
        written.append((path, picture.name))
    return written


def write_sheet(
    paths: Sequence[Path], class_names: Mapping[int, str], output: Path, *, limit: int = 24, columns: int = 6
) -> bool:
    """Draw a contact sheet of training pictures with their truth; false when there is no picture."""
    pictures = pick_pictures(paths, limit)
    if not pictures:
        return False
    cell_width, cell_height = 240, 180
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * cell_width, rows * cell_height), "white")
    for index, picture in enumerate(pictures):
        image, scale = fit_picture(picture.image, cell_width - 6, cell_height - 6)
        drawn = draw_boxes(image, truth_boxes(picture, class_names, scale))
        left = (index % columns) * cell_width + (cell_width - drawn.width) // 2
        sheet.paste(drawn, (left, (index // columns) * cell_height + (cell_height - drawn.height) // 2))
    with atomic_writer(output) as stream:
        sheet.save(stream, "JPEG", quality=_QUALITY)
    return True


def _picture(place: int, example: DetectionExample) -> RecordPicture | None:
    try:
        image = Image.open(io.BytesIO(example.encoded)).convert("RGB")
    except (OSError, UnidentifiedImageError, ValueError):
        return None
    edges = (example.boxes_norm * np.asarray([image.width, image.height] * 2)).tolist()
    boxes = tuple((label, Box(*row)) for label, row in zip(example.labels.tolist(), edges, strict=True))
    return RecordPicture(place, example.filename or f"{example.path.name} #{example.index}", image, boxes)


def truth_boxes(picture: RecordPicture, class_names: Mapping[int, str], scale: float) -> list[DrawnBox]:
    """Return the truth of a picture that is drawn ``scale`` times its size."""
    return [
        DrawnBox(box.scaled(scale, scale), class_names.get(label, "?"), TRUTH_COLOR) for label, box in picture.boxes
    ]


def fit_picture(image: Image.Image, max_width: int, max_height: int | None = None) -> tuple[Image.Image, float]:
    """Shrink a picture where it is larger than ``max_width`` by ``max_height`` (the same); return it and the factor."""
    scale = min(1.0, max_width / image.width, (max_height or max_width) / image.height)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size), scale
