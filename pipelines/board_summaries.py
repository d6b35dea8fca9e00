"""TensorBoard's curves under the names that users of the OD API know."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orbit
import tensorflow as tf

from pipelines.metrics import PASCAL_BY_CLASS

_PRECISION, _RECALL = "DetectionBoxes_Precision", "DetectionBoxes_Recall"
_LOSSES = {f"{part}_loss": f"Loss/{part}_loss" for part in ("classification", "localization", "regularization")}
_TRAINING = {**_LOSSES, "training_loss": "Loss/total_loss", "training_top1": "Accuracy/top1"}
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
    **{name: f"Accuracy/{name}" for name in ("top1", "top5", "macro_top1", "micro_F1", "macro_F1")},
    "mAP": "Accuracy/mAP",
}
_BY_CLASS_TAG = "PascalBoxes_PerformanceByCategory/AP@0.5IOU/"
# Said to the person elsewhere, and no curve: a count that never changes, and TFM's copy of a figure.
_LEFT_OUT = ("num_images", "best_AP50", "best_top1", "best_mAP")


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
