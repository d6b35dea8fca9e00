"""Predictions in the forms that other programs read."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.predict import Prediction

_COLUMNS = ("path", "width", "height", "class", "class_id", "score", "xmin", "ymin", "xmax", "ymax")


def as_dict(prediction: Prediction) -> dict[str, Any]:
    """Return one picture: ``path``, ``width``, ``height``, ``objects`` best first, and ``error`` when it has one.

    A frame has ``video``, ``frame`` (from 0) and ``seconds`` as well.
    """
    objects = [
        {
            "class": found.name,
            "class_id": found.class_id,
            "score": found.score,
            "box": {name: getattr(found.box, name) for name in ("xmin", "ymin", "xmax", "ymax")},
        }
        for found in prediction.detections
    ]
    base = {
        "path": str(prediction.path), "width": prediction.width, "height": prediction.height, "objects": objects,
    }  # fmt: skip
    if prediction.video is not None:
        base |= {"video": str(prediction.video), "frame": prediction.frame, "seconds": prediction.seconds}
    return {**base, "error": prediction.error} if prediction.error else base


def as_csv(predictions: Sequence[Prediction]) -> str:
    """Return one line an object, with a header; boxes in pixels. A picture without objects has no line."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for prediction in predictions:
        for found in prediction.detections:
            edges = (found.box.xmin, found.box.ymin, found.box.xmax, found.box.ymax)
            writer.writerow(
                [prediction.path, prediction.width, prediction.height, found.name, found.class_id, found.score, *edges]
            )
    return stream.getvalue()


def as_coco(predictions: Sequence[Prediction], class_names: Mapping[int, str]) -> dict[str, Any]:
    """Return a COCO data set of detections: ``images``, ``categories`` and ``annotations`` with a ``score``.

    Ids count from 1 in the order of the pictures; boxes are ``x y width height`` in pixels. Pictures that could not be
    read are left out.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for prediction in predictions:
        if prediction.error:
            continue
        image_id = len(images) + 1
        images.append(
            {
                "id": image_id, "file_name": str(prediction.path), "width": prediction.width,
                "height": prediction.height,
            }
        )  # fmt: skip
        for found in prediction.detections:
            box = found.box
            annotations.append(
                {
                    "id": len(annotations) + 1, "image_id": image_id, "category_id": found.class_id,
                    "bbox": [box.xmin, box.ymin, box.width, box.height], "area": box.width * box.height,
                    "iscrowd": 0, "score": found.score,
                }
            )  # fmt: skip
    categories = [{"id": class_id, "name": name} for class_id, name in sorted(class_names.items())]
    return {"images": images, "categories": categories, "annotations": annotations}
