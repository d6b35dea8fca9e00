"""The share of boxes that an anchor matches, by hand and against the matcher that training uses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipelines.anchor_share import coverage_of
from pipelines.detection.record_survey import RecordSurvey

ANCHORS = np.asarray([[0.0, 0.0, 0.5, 0.5], [0.25, 0.25, 0.75, 0.75], [-0.5, -0.5, 0.1, 0.1]], np.float32)


def _survey(*pictures):
    return RecordSurvey([], edges=[np.asarray(boxes, np.float32).reshape(-1, 4) for boxes in pictures])


def test_boxes_without_an_anchor_are_counted_and_measured():
    # xmin ymin xmax ymax: the first anchor itself; half of it (IoU 0.5 exactly); two slim ones.
    found = coverage_of(
        _survey([[0, 0, 0.5, 0.5], [0, 0, 0.25, 0.5]], [[0.1, 0.1, 0.2, 0.6], [0.5, 0.9, 0.6, 1.0]]),
        ANCHORS,
        [300, 600],
    )
    assert (found.num_boxes, found.num_matched, found.share) == (4, 2, 0.5)
    assert found.smallest == pytest.approx((60, 30), abs=0.01)
    assert found.largest == pytest.approx((60, 150), abs=0.01)
    words = found.summary()
    assert words.startswith(
        "50.0 % of the 4 training boxes have an anchor with an IoU of 0.5 or more at 600x300; 2 have"
    )
    assert "60x30 to 60x150 pixels" in words
    assert "task.model.input_size" in words


def test_nothing_to_learn_and_nothing_to_say():
    for survey in (_survey(), _survey([[0.5, 0.5, 0.5, 0.9]])):  # no box, and one without an area
        found = coverage_of(survey, ANCHORS, [300, 300])
        assert (found.num_boxes, found.share, found.summary()) == (0, None, "")


def test_when_all_fit_nothing_is_advised():
    assert coverage_of(_survey([[0, 0, 0.5, 0.5]]), ANCHORS, [300, 300]).summary() == (
        "100.0 % of the 1 training boxes have an anchor with an IoU of 0.5 or more at 300x300"
    )


@pytest.mark.tf
@settings(max_examples=25)
@given(arrays.arrays(np.float32, st.tuples(st.integers(1, 8), st.just(4)), elements=st.floats(0, 1, width=32)))
def test_it_is_what_the_matcher_of_training_sees(boxes):
    import tensorflow as tf

    from pipelines.detection import anchors as anchor_grid
    from pipelines.detection.matcher import pairwise_iou

    anchors = anchor_grid.ssd_anchors([(4, 4), (2, 2)], anchor_grid.box_specs(2), image_height=96, image_width=96)
    solid = boxes[((boxes[:, 2:] - boxes[:, :2]) > 0).all(axis=1)]
    found = coverage_of(_survey(boxes), anchors, [96, 96])
    assert found.num_boxes == len(solid)
    if len(solid):
        iou = pairwise_iou(tf.constant(solid[None][..., [1, 0, 3, 2]]), tf.constant(anchors))[0].numpy().max(axis=1)
        assert (iou >= 0.5 + 1e-4).sum() <= found.num_matched <= (iou >= 0.5 - 1e-4).sum()
