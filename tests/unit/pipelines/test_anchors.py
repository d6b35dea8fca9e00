"""The anchor boxes against the OD API's own, and against what the paper says of them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.detection.anchors import box_specs, multiscale_anchors, ssd_anchors

MAP_SIZES_300 = [(19, 19), (10, 10), (5, 5), (3, 3), (2, 2), (1, 1)]


def test_the_1917_anchors_are_those_of_the_object_detection_api(shared_data):
    reference = np.load(shared_data / "weights" / "ssd_mobilenet_v1_tf1" / "reference.npz")["anchors"]
    ours = ssd_anchors(MAP_SIZES_300, box_specs(6), image_height=300, image_width=300)
    assert ours.shape == (1917, 4)
    assert ours.dtype == np.float32
    assert np.abs(ours - reference).max() < 1e-6


def test_the_first_map_has_three_boxes_and_the_rest_six_with_the_interpolated_one_last():
    specs = box_specs(6)
    assert [len(layer) for layer in specs] == [3, 6, 6, 6, 6, 6]
    assert specs[0] == [(0.1, 1.0), (0.2, 2.0), (0.2, 0.5)]
    assert specs[1][:-1] == [(pytest.approx(0.35), ratio) for ratio in (1.0, 2.0, 0.5, 3.0, 0.3333)]
    assert specs[1][-1] == pytest.approx((math.sqrt(0.35 * 0.5), 1.0))
    assert specs[5][-1] == pytest.approx((math.sqrt(0.95 * 1.0), 1.0))


def test_the_order_of_2017_has_the_interpolated_box_second():
    old = box_specs(6, interpolated_box_second=True)[1]
    new = box_specs(6)[1]
    assert old == [new[0], new[5], *new[1:5]]


def test_without_the_interpolated_box_and_without_the_reduced_layer():
    assert [len(layer) for layer in box_specs(2, interpolated_scale_aspect_ratio=0)] == [3, 5]
    assert [len(layer) for layer in box_specs(2, reduce_boxes_in_lowest_layer=False)] == [6, 6]
    assert box_specs(1, reduce_boxes_in_lowest_layer=False)[0][0] == (0.2, 1.0)


def test_one_location_by_hand():
    (box,) = ssd_anchors([(1, 1)], [[(0.5, 4.0)]], image_height=300, image_width=300)
    # Ratio 4 is twice as wide and half as high as the square of this scale.
    assert box == pytest.approx([0.5 - 0.125, 0.5 - 0.5, 0.5 + 0.125, 0.5 + 0.5])


def test_anchors_run_over_rows_then_columns_then_boxes():
    anchors = ssd_anchors([(2, 3)], [[(0.1, 1.0), (0.2, 1.0)]], image_height=10, image_width=10)
    centers = (anchors[:, :2] + anchors[:, 2:]) / 2
    expected = [(y, x) for y in (0.25, 0.75) for x in (1 / 6, 3 / 6, 5 / 6) for _ in range(2)]
    assert centers == pytest.approx(np.array(expected), abs=1e-6)
    assert (anchors[:, 2] - anchors[:, 0]) == pytest.approx(np.array([0.1, 0.2] * 6), abs=1e-6)


def test_boxes_keep_their_shape_in_pixels_on_an_input_that_is_not_square():
    anchors = ssd_anchors([(6, 8)], [[(0.5, 1.0)]], image_height=192, image_width=256)
    heights = (anchors[:, 2] - anchors[:, 0]) * 192
    widths = (anchors[:, 3] - anchors[:, 1]) * 256
    assert heights == pytest.approx(widths, abs=1e-4)
    assert heights == pytest.approx(np.full(48, 0.5 * 192), abs=1e-4)


def test_a_map_without_specs_is_refused():
    with pytest.raises(ValueError, match="zip"):
        ssd_anchors([(2, 2), (1, 1)], box_specs(1), image_height=10, image_width=10)


@settings(deadline=None)
@given(
    rows=st.integers(1, 9), columns=st.integers(1, 9), layers=st.integers(1, 7),
    height=st.integers(32, 600), width=st.integers(32, 600), reduced=st.booleans(),
)  # fmt: skip
def test_count_and_centers_of_any_grid(rows, columns, layers, height, width, reduced):
    specs = box_specs(layers, reduce_boxes_in_lowest_layer=reduced)
    anchors = ssd_anchors([(rows, columns)] * layers, specs, image_height=height, image_width=width)
    assert len(anchors) == rows * columns * sum(len(layer) for layer in specs)
    centers = (anchors[:, :2] + anchors[:, 2:]) / 2
    assert ((centers > 0) & (centers < 1)).all()
    assert (anchors[:, 2:] > anchors[:, :2]).all()
    assert np.isfinite(anchors).all()


# --- a pyramid's -----------------------------------------------------------------------------------------------------

PYRAMID_320 = [(40, 40), (20, 20), (10, 10), (5, 5), (3, 3)]


def test_a_pyramid_of_320_pixels_has_12804_anchors():
    anchors = multiscale_anchors(PYRAMID_320, min_level=3, image_height=320, image_width=320)
    assert anchors.shape == (12804, 4)
    assert anchors.dtype == np.float32
    # The first place of stride 8: at 4 pixels, ratio 1 in both sizes, then 2, then 0.5.
    first = anchors[:6] * 320
    sizes = np.stack([first[:, 2] - first[:, 0], first[:, 3] - first[:, 1]], axis=1)
    root = math.sqrt(2)
    assert (first[:, :2] + first[:, 2:]) / 2 == pytest.approx(np.full((6, 2), 4.0), abs=1e-4)
    expected = [(32, 32), (32 * root, 32 * root), (32 / root, 32 * root), (32, 64), (32 * root, 32 / root), (64, 32)]
    assert sizes == pytest.approx(np.array(expected), rel=1e-5)


def test_where_the_side_does_not_divide_by_the_stride_boxes_begin_at_the_corner():
    # 320 = 2.5 * 128: the coarsest level of the OD API's 320 detectors stands half a cell off.
    anchors = multiscale_anchors(PYRAMID_320, min_level=3, image_height=320, image_width=320)[-9 * 6 :] * 320
    centers = (anchors[::6, :2] + anchors[::6, 2:]) / 2
    assert centers == pytest.approx(np.array([(y, x) for y in (0, 128, 256) for x in (0, 128, 256)]), abs=1e-3)
    mixed = multiscale_anchors([(2, 3)], min_level=5, image_height=64, image_width=90, scales_per_octave=1)
    assert (mixed[0, :2] + mixed[0, 2:]) / 2 == pytest.approx([16 / 64, 0.0], abs=1e-6)


@given(
    rows=st.integers(1, 6), columns=st.integers(1, 6), levels=st.integers(1, 4), scales=st.integers(1, 3),
    ratios=st.lists(st.sampled_from([0.5, 1.0, 2.0, 3.0]), min_size=1, max_size=4, unique=True),
    height=st.integers(32, 700), width=st.integers(32, 700),
)  # fmt: skip
def test_any_pyramid(rows, columns, levels, scales, ratios, height, width):
    anchors = multiscale_anchors(
        [(rows, columns)] * levels, min_level=3, aspect_ratios=ratios, scales_per_octave=scales,
        image_height=height, image_width=width,
    )  # fmt: skip
    assert len(anchors) == rows * columns * levels * scales * len(ratios)
    assert np.isfinite(anchors).all()
    heights, widths = (anchors[:, 2] - anchors[:, 0]) * height, (anchors[:, 3] - anchors[:, 1]) * width
    tile = np.tile(np.repeat(ratios, scales), rows * columns * levels)
    assert widths / heights == pytest.approx(tile, rel=1e-3)
