"""Verification pictures on TensorBoard, the truth beside the detections."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.board_summaries import BoardSummaries
from pipelines.samples import RecordPicture, draw_evaluated, pick_pictures

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
                shown_from = _MIN_SCORE if min_score is None else min_score
                drawn = draw_evaluated(picture, record, self._task.class_names, shown_from, _PICTURE_SIDE)
                tf.summary.image(
                    f"eval_side_by_side_{number}",
                    np.asarray(drawn)[None],
                    step=summaries.global_step,
                    description=f"{picture.name}: truth left, detections right",
                )
        summaries.flush()
