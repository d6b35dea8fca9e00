"""A picture of what a network is trained on: the first batch, as its input pipeline makes it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from collectors.files import atomic_writer
from labeling.annotations import Box
from labeling.drawing import TRUTH_COLOR, DrawnBox, draw_boxes

_MOST_PICTURES = 16
_COLUMNS = 4
_GAP_PX = 4


def write_training_batch(dataset: Any, strategy: Any, class_names: Mapping[int, str], output: Path) -> None:
    """Draw the first batch of a detector's training data, with its boxes, as a JPEG.

    Args:
        dataset: The batches, as `pipelines.detection.input_pipeline.build_dataset` makes them; who reads them at the
            same time is not disturbed.
        strategy: Over whose devices they are spread.
        class_names: Name of each class id.
        output: The file; of large batches the first pictures are drawn.
    """
    images, labels = next(iter(dataset))
    local = strategy.experimental_local_results
    shares = zip(local(images), local(labels["boxes"]), local(labels["classes"]), strict=True)
    pictures = [
        draw_example(image, of_image, classes, class_names)
        for share in shares
        for image, of_image, classes in zip(*(part.numpy() for part in share), strict=True)
    ]
    with atomic_writer(output) as stream:
        _sheet(pictures[:_MOST_PICTURES]).save(stream, "JPEG", quality=90)


def draw_example(
    image: NDArray[np.float32], boxes: NDArray[np.float32], classes: NDArray[np.int32], class_names: Mapping[int, str]
) -> Image.Image:
    """Draw one network input with its boxes.

    Args:
        image: ``(height, width, 3)`` in ``[-1, 1]``.
        boxes: ``(m, 4)`` normalised ``ymin xmin ymax xmax``.
        classes: ``(m,)``; 0 is padding.
        class_names: Name of each class id.
    """
    height, width, _ = image.shape
    picture = Image.fromarray(np.clip((image + 1.0) * 127.5, 0, 255).round().astype(np.uint8))
    drawn = [
        DrawnBox(
            Box(left * width, top * height, right * width, bottom * height), class_names.get(one, "?"), TRUTH_COLOR
        )
        for (top, left, bottom, right), one in zip(boxes.tolist(), classes.tolist(), strict=True)
        if one > 0
    ]
    return draw_boxes(picture, drawn)


def _sheet(pictures: list[Image.Image]) -> Image.Image:
    width, height = pictures[0].size
    columns = min(_COLUMNS, len(pictures))
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * (width + _GAP_PX) - _GAP_PX, rows * (height + _GAP_PX) - _GAP_PX), "white")
    for index, picture in enumerate(pictures):
        sheet.paste(picture, (index % columns * (width + _GAP_PX), index // columns * (height + _GAP_PX)))
    return sheet
