"""What a run is trained and evaluated on, in numbers: ``data.json`` of the run folder."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.anchor_share import MATCHING_IOU, AnchorCoverage
from pipelines.detection.record_survey import RecordSurvey

if TYPE_CHECKING:  # it asks the tasks, which ask this module
    from pipelines.preflight import Preflight


def summarize_data(preflight: "Preflight", coverage: AnchorCoverage | None = None) -> dict[str, Any]:
    """Count what the records of a detector hold.

    Args:
        preflight: Its surveys are summed up.
        coverage: How the anchors fit the training boxes; ``None`` leaves it out.

    Returns:
        ``training`` and ``verification``, each with ``files``, ``num_images``, ``num_boxes``, ``classes`` (boxes by
        class name) and ``pictures`` (``width`` and ``height``: smallest, median and largest, pixels; empty without
        pictures); ``anchors``: ``iou``, ``input_size``, ``num_boxes``, ``num_matched``, ``sizes`` and
        ``anchor_sides_px`` of the training boxes, see `pipelines.anchor_share.AnchorCoverage`.
    """
    names = dict(preflight.label_map.items)
    summary: dict[str, Any] = {
        "training": _split(preflight.training, names),
        "verification": _split(preflight.verification, names),
    }
    if coverage is not None:
        fit = asdict(coverage)
        fit["sizes"] = [
            {**one, "low_px": round(one["low_px"], 1), "high_px": round(one["high_px"], 1)} for one in fit["sizes"]
        ]
        summary["anchors"] = {"iou": MATCHING_IOU, **fit}
    return summary


def _split(survey: RecordSurvey, names: dict[int, str]) -> dict[str, Any]:
    boxes = {
        names.get(class_id, f"class {class_id}"): survey.boxes[class_id] for class_id in sorted({*names, *survey.boxes})
    }
    sides = np.asarray(survey.sizes, np.int64).reshape(-1, 2)
    return {
        "files": [str(path) for path in survey.paths],
        "num_images": survey.num_examples,
        "num_boxes": sum(boxes.values()),
        "classes": boxes,
        "pictures": {
            name: [int(sides[:, column].min()), int(np.median(sides[:, column])), int(sides[:, column].max())]
            for column, name in enumerate(("width", "height"))
            if len(sides)
        },
    }
