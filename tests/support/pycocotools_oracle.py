"""COCO's evaluation by pycocotools itself, for tests that compare."""

import contextlib
import io
from collections.abc import Mapping

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pipelines.detection_record import DetectionRecord, coco_dataset


def pycocotools_evaluation(record: DetectionRecord, class_names: Mapping[int, str]) -> COCOeval:
    """Evaluate as pycocotools' demo does; detections are given as a data set, because ``loadRes`` refuses none."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth, found = COCO(), COCO()
        truth.dataset = coco_dataset(record, class_names)
        truth.createIndex()
        found.dataset = {
            **truth.dataset,
            "annotations": [
                {**one, "id": number, "area": one["bbox"][2] * one["bbox"][3], "iscrowd": 0}
                for number, one in enumerate(record.detections, start=1)
            ],
        }
        found.createIndex()
        evaluation = COCOeval(truth, found, "bbox")
        evaluation.params.imgIds = sorted({image["id"] for image in record.images})
        evaluation.params.catIds = sorted(class_names)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation
