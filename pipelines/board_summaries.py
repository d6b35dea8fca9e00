"""TensorBoard under the names that users of the OD API know, with pictures of detections beside the truth."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orbit
import tensorflow as tf

from pipelines.detection.ssd_config import SSDData
from pipelines.metrics import PASCAL_BY_CLASS, DetectionRecord
from pipelines.samples import RecordPicture, draw_evaluated, pick_pictures

_PICTURES = 8
_PICTURE_SIDE = 480
_MIN_SCORE = 0.5
_PRECISION, _RECALL = "DetectionBoxes_Precision", "DetectionBoxes_Recall"
_LOSSES = {f"{part}_loss": f"Loss/{part}_loss" for part in ("classification", "localization", "regularization")}
_TRAINING = {**_LOSSES, "training_loss": "Loss/total_loss"}
_VALIDATION = {
    **_LOSSES,
    "validation_loss": "Loss/total_loss",
    "AP": f"{_PRECISION}/mAP",
    "AP50": f"{_PRECISION}/mAP@.50IOU",
    "AP75": f"{_PRECISION}/mAP@.75IOU",
    **{f"AP_{size}": f"{_PRECISION}/mAP ({size})" for size in ("small", "medium", "large")},
    **{f"AR{limit}": f"{_RECALL}/AR@{limit}" for limit in (1, 10, 100)},
    **{f"AR_{size}": f"{_RECALL}/AR@100 ({size})" for size in ("small", "medium", "large")},
    "pascal_AP50": "PascalBoxes_Precision/mAP@0.5IOU",
}
_BY_CLASS_TAG = "PascalBoxes_PerformanceByCategory/AP@0.5IOU/"
# Said to the person elsewhere, and no curve: a count that never changes, and TFM's copy of a figure.
_LEFT_OUT = ("num_images", "best_AP50")


def training_tag(name: str) -> str:
    """Return the tag of a value of the training loop; names that the OD API does not have stay."""
    return _TRAINING.get(name, name)


def validation_tag(name: str) -> str:
    """Return the tag of a figure of an evaluation; ``pascal_AP50/cat`` is the class `cat`."""
    if name.startswith(PASCAL_BY_CLASS):
        return _BY_CLASS_TAG + name.removeprefix(PASCAL_BY_CLASS)
    return _VALIDATION.get(name, name)


class BoardSummaries(orbit.utils.SummaryManager):
    """Orbit's writer of scalars, which translates their names."""

    def __init__(self, folder: Path, global_step: Any, *, training: bool) -> None:
        self._tag = training_tag if training else validation_tag
        self.global_step = global_step
        super().__init__(str(folder), tf.summary.scalar, global_step=global_step)

    def write_summaries(self, summary_dict: Mapping[str, Any]) -> None:
        """Write every value under its tag."""
        renamed = {self._tag(name): value for name, value in summary_dict.items() if name not in _LEFT_OUT}
        super().write_summaries(renamed)


class SideBySide:
    """A few verification pictures, the same at every evaluation: truth left, detections right.

    Args:
        paths: The verification records, in the order in which they are evaluated.
        class_names: Name of each class id.
        data: Which of the pictures are evaluated.
    """

    def __init__(self, paths: Sequence[Path], class_names: Mapping[int, str], data: SSDData) -> None:
        self._paths, self._class_names, self._data = paths, class_names, data
        self._pictures: list[RecordPicture] | None = None

    def write(self, summaries: BoardSummaries, record: DetectionRecord, min_score: float | None) -> None:
        """Write ``eval_side_by_side_0``... of an evaluation; ``min_score`` decides which detections are drawn."""
        if self._pictures is None:
            self._pictures = pick_pictures(
                self._paths, _PICTURES, every=self._data.sample_1_of_n, at_most=self._data.max_examples
            )
        with summaries.summary_writer().as_default():
            for number, picture in enumerate(self._pictures):
                shown_from = _MIN_SCORE if min_score is None else min_score
                drawn = draw_evaluated(picture, record, self._class_names, shown_from, _PICTURE_SIDE)
                tf.summary.image(
                    f"eval_side_by_side_{number}",
                    np.asarray(drawn)[None],
                    step=summaries.global_step,
                    description=f"{picture.name}: truth left, detections right",
                )
        summaries.flush()
