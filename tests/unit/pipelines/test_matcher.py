"""Which anchor answers for which box: by hand, and as properties that hold for any boxes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.detection import matcher
from pipelines.detection.anchors import box_specs, ssd_anchors

pytestmark = pytest.mark.tf

GRID = ssd_anchors([(3, 3), (1, 1)], box_specs(2), image_height=96, image_width=96)


def _match(boxes, valid=None, anchors=GRID, **options):
    boxes = np.asarray(boxes, np.float32)[None]
    valid = np.ones(boxes.shape[1], bool) if valid is None else np.asarray(valid, bool)
    found = matcher.match(boxes, valid[None], np.asarray(anchors, np.float32), **options)
    return tuple(part.numpy()[0] for part in found)


def test_iou_by_hand():
    boxes = np.array([[[0, 0, 2, 2], [0, 0, 1, 1], [5, 5, 5, 5]]], np.float32)
    anchors = np.array([[0, 0, 2, 2], [1, 1, 3, 3], [5, 5, 5, 5]], np.float32)
    iou = matcher.pairwise_iou(boxes, anchors).numpy()[0]
    assert iou == pytest.approx(np.array([[1, 1 / 7, 0], [0.25, 0, 0], [0, 0, 0]]), abs=1e-6)


def test_thresholds_make_positives_ignored_ones_and_negatives():
    anchors = [[0, 0, 1, 1], [0, 0, 1, 0.6], [0, 0, 1, 0.45], [0, 0, 1, 0.3]]
    row, positive, negative = _match([[0, 0, 1, 1]], anchors=anchors, matched_threshold=0.6, unmatched_threshold=0.4)
    assert positive.tolist() == [True, True, False, False]
    assert negative.tolist() == [False, False, False, True]  # 0.45 lies between the thresholds: ignored
    assert row[:2].tolist() == [0, 0]


def test_a_box_that_overlaps_no_anchor_enough_still_gets_its_best_one():
    anchors = [[0, 0, 1, 1], [0, 0, 0.5, 0.5]]
    row, positive, negative = _match([[0, 0, 0.1, 0.1]], anchors=anchors)
    assert positive.tolist() == [False, True]
    assert negative.tolist() == [True, False]
    assert row[1] == 0


def test_a_forced_match_takes_the_anchor_from_the_box_that_overlaps_it_more():
    # Both boxes have anchor 0 as their best; box 0 overlaps it less, and anchor 1 belongs to nobody.
    anchors = [[0, 0, 1, 1], [2, 2, 3, 3]]
    boxes = [[0, 0, 1, 0.3], [0, 0, 1, 0.9]]
    assert _match(boxes, anchors=anchors)[0][0] == 0
    assert _match(boxes, anchors=anchors, last_box_wins=True)[0][0] == 1


def test_of_two_equal_boxes_the_earlier_wins_and_in_2017_the_later():
    box = GRID[4].tolist()
    assert _match([box, box])[0][4] == 0
    assert _match([box, box], last_box_wins=True)[0][4] == 1


def test_padding_claims_nothing():
    boxes = [[0.1, 0.1, 0.4, 0.4], [0.0, 0.0, 0.0, 0.0], [0.2, 0.2, 0.9, 0.9]]
    padded = _match(boxes, [True, False, False])
    alone = _match(boxes[:1])
    for one, other in zip(padded[1:], alone[1:], strict=True):
        assert one.tolist() == other.tolist()
    assert (padded[0][padded[1]] == 0).all()


def test_a_picture_without_boxes_is_all_background():
    _, positive, negative = _match(np.zeros((2, 4)), [False, False])
    assert not positive.any()
    assert negative.all()


@st.composite
def _pictures(draw):
    count = draw(st.integers(1, 6))
    rows, valid = [], []
    for _ in range(count):
        y, x = draw(st.floats(0, 0.875, width=32)), draw(st.floats(0, 0.875, width=32))
        height, width = draw(st.floats(0.03125, 1, width=32)), draw(st.floats(0.03125, 1, width=32))
        rows.append([y, x, min(1.0, y + height), min(1.0, x + width)])
        valid.append(draw(st.booleans()))
    return np.array(rows, np.float32), np.array(valid)


@settings(deadline=None)  # the first call in a process is slow
@given(_pictures(), st.booleans())
def test_any_picture(picture, last_box_wins):
    boxes, valid = picture
    row, positive, negative = _match(boxes, valid, last_box_wins=last_box_wins)
    iou = np.where(valid[:, None], matcher.pairwise_iou(boxes[None], GRID).numpy()[0], -1.0)
    assert not (positive & negative).any()
    assert (positive | negative).all()  # equal thresholds leave nothing to ignore
    assert valid[row[positive]].all()
    assert (iou.max(axis=0)[negative] < 0.5).all()
    assert positive[iou.max(axis=0) >= 0.5].all()
    # Every box has its best anchor, unless another box claims the same one.
    best = iou.argmax(axis=1)
    for number in np.flatnonzero(valid):
        assert positive[best[number]]
        rivals = [other for other in np.flatnonzero(valid) if best[other] == best[number]]
        assert row[best[number]] == (max(rivals) if last_box_wins else min(rivals))
    # A positive anchor that nobody claims answers for the box it overlaps most.
    for anchor in np.flatnonzero(positive):
        if anchor not in best[valid]:
            assert iou[row[anchor], anchor] == iou[:, anchor].max() >= 0.5
