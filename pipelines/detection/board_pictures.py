"""Verification pictures on TensorBoard, the truth beside the detections."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from labeling.annotations import Box
from labeling.drawing import beside, detected_box, draw_boxes
from pipelines.board_summaries import BoardSummaries
from pipelines.detection_record import DetectionRecord
from pipelines.samples import RecordPicture, fit_picture, pick_pictures, truth_boxes

_PICTURES = 8
_PICTURE_SIDE = 480
_MIN_SCORE = 0.5


class SideBySide:
    """A few verification pictures, the same at every evaluation: truth left, detections right.

    Args:
        paths: The verification records, in the order in which they are evaluated.
        task: Whose newest evaluation is drawn; its config says which of the pictures are evaluated.
    """

    def __init__(self, paths: Sequence[Path], task: Any) -> None:
        self._paths, self._task, self._data = paths, task, task.task_config.validation_data
        self._pictures: list[RecordPicture] | None = None

    def write(self, summaries: BoardSummaries) -> None:
        """Write ``eval_side_by_side_0``... of an evaluation; its best threshold decides which detections are drawn."""
        record, min_score = self._task.record, self._task.evaluation["best_threshold"]
        if self._pictures is None:
            self._pictures = pick_pictures(
                self._paths, _PICTURES, every=self._data.sample_1_of_n, at_most=self._data.max_examples
            )
        with summaries.summary_writer().as_default():
            for number, picture in enumerate(self._pictures):
                drawn = self._draw(picture, record, _MIN_SCORE if min_score is None else min_score)
                tf.summary.image(
                    f"eval_side_by_side_{number}",
                    np.asarray(drawn)[None],
                    step=summaries.global_step,
                    description=f"{picture.name}: truth left, detections right",
                )
        summaries.flush()

    def _draw(self, picture: RecordPicture, record: DetectionRecord, min_score: float) -> Any:
        image, scale = fit_picture(picture.image, _PICTURE_SIDE)
        # Evaluation goes over the records in their order, so a picture's place among those read is that of its truth.
        image_id = record.images[picture.place]["id"]
        found = []
        for one in record.detections:
            if one["image_id"] == image_id and one["score"] >= min_score:
                left, top, width, height = one["bbox"]
                box = Box(left, top, left + width, top + height).scaled(scale, scale)
                found.append(detected_box(box, self._task.class_names.get(one["category_id"], "?"), one["score"]))
        truth = truth_boxes(picture, self._task.class_names, scale)
        return beside(draw_boxes(image, truth), draw_boxes(image, found))
