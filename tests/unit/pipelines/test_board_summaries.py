"""The names under which TensorBoard shows what OD API users look for."""

import pytest

from pipelines.board_summaries import training_tag, validation_tag

pytestmark = pytest.mark.tf


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("training_loss", "Loss/total_loss"),
        ("localization_loss", "Loss/localization_loss"),
        ("learning_rate", "learning_rate"),
        ("something_new", "something_new"),
    ],
)
def test_training(name, tag):
    assert training_tag(name) == tag


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("AP", "DetectionBoxes_Precision/mAP"),
        ("AP50", "DetectionBoxes_Precision/mAP@.50IOU"),
        ("AP75", "DetectionBoxes_Precision/mAP@.75IOU"),
        ("AP_small", "DetectionBoxes_Precision/mAP (small)"),
        ("AR1", "DetectionBoxes_Recall/AR@1"),
        ("AR100", "DetectionBoxes_Recall/AR@100"),
        ("AR_large", "DetectionBoxes_Recall/AR@100 (large)"),
        ("validation_loss", "Loss/total_loss"),
        ("pascal_AP50", "PascalBoxes_Precision/mAP@0.5IOU"),
        ("pascal_AP50/ring-tailed cat", "PascalBoxes_PerformanceByCategory/AP@0.5IOU/ring-tailed cat"),
        ("F1", "F1"),
    ],
)
def test_validation(name, tag):
    assert validation_tag(name) == tag
