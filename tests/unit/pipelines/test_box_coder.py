"""Boxes as offsets from anchors, by hand and back again."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.detection import box_coder

pytestmark = pytest.mark.tf


def test_one_box_by_hand():
    # The anchor is 0.4 high and 0.2 wide around (0.5, 0.5); the box is 0.2 by 0.4 around (0.6, 0.55).
    anchors = np.array([[0.3, 0.4, 0.7, 0.6]], np.float32)
    boxes = np.array([[0.5, 0.35, 0.7, 0.75]], np.float32)
    codes = box_coder.encode(boxes, anchors).numpy()
    expected = [10 * 0.1 / 0.4, 10 * 0.05 / 0.2, 5 * math.log(0.5), 5 * math.log(2.0)]
    assert codes[0] == pytest.approx(expected, abs=1e-5)


def test_an_anchor_on_its_own_box_has_codes_of_zero():
    anchors = np.array([[0.1, 0.2, 0.5, 0.9], [-0.1, 0.0, 1.2, 0.3]], np.float32)
    assert box_coder.encode(anchors, anchors).numpy() == pytest.approx(np.zeros((2, 4)), abs=1e-6)


def test_scale_factors_stand_in_the_order_y_x_height_width():
    anchors = np.array([[0.0, 0.0, 1.0, 1.0]], np.float32)
    boxes = np.array([[0.1, 0.2, 0.6, 0.8]], np.float32)
    plain = box_coder.encode(boxes, anchors, (1.0, 1.0, 1.0, 1.0)).numpy()
    scaled = box_coder.encode(boxes, anchors, (2.0, 3.0, 4.0, 5.0)).numpy()
    assert scaled == pytest.approx(plain * [2, 3, 4, 5], rel=1e-6)


@st.composite
def _boxes(draw, count):
    """Boxes of at least a hundredth of the picture, also reaching outside it."""
    rows = []
    for _ in range(count):
        y, x = draw(st.floats(-0.5, 1.0, width=32)), draw(st.floats(-0.5, 1.0, width=32))
        height, width = draw(st.floats(0.015625, 1.5, width=32)), draw(st.floats(0.015625, 1.5, width=32))
        rows.append([y, x, y + height, x + width])
    return np.array(rows, np.float32)


@settings(deadline=None)  # the first call in a process is slow
@given(st.data())
def test_decoding_undoes_encoding(data):
    boxes, anchors = data.draw(_boxes(5)), data.draw(_boxes(5))
    codes = box_coder.encode(boxes, anchors)
    assert box_coder.decode(codes, anchors).numpy() == pytest.approx(boxes, abs=2e-5)


def test_a_batch_is_coded_against_the_same_anchors():
    chance = np.random.default_rng(3)
    anchors = np.sort(chance.random((4, 2, 2)), axis=1).reshape(4, 4).astype(np.float32)
    batch = np.sort(chance.random((3, 4, 2, 2)), axis=2).reshape(3, 4, 4).astype(np.float32)
    together = box_coder.encode(batch, anchors).numpy()
    for row in range(3):
        assert together[row] == pytest.approx(box_coder.encode(batch[row], anchors).numpy())
    assert box_coder.decode(together, anchors).numpy() == pytest.approx(batch, abs=1e-5)


def test_a_box_without_area_is_coded_finitely():
    anchors = np.array([[0.0, 0.0, 1.0, 1.0]], np.float32)
    codes = box_coder.encode(np.zeros((1, 4), np.float32), anchors).numpy()
    assert np.isfinite(codes).all()
