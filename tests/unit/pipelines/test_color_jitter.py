"""Colours change as asked for, by one matrix that does what the four steps would do one after the other."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.detection import color_jitter
from pipelines.detection.augmentation_config import SSDAugmentation, SSDColorJitter

pytestmark = pytest.mark.tf

IMAGE = tf.constant(np.random.default_rng(3).uniform(-0.5, 0.5, (20, 30, 3)), tf.float32)


def _changed(seed=1, **options):
    return color_jitter.jitter_color(IMAGE, tf.constant([4, seed]), SSDAugmentation(**options)).numpy()


def _unit(image):
    return (np.asarray(image) + 1) / 2


def test_nothing_asked_for_changes_nothing():
    assert not color_jitter.wants_color(SSDAugmentation())
    assert _changed() == pytest.approx(IMAGE.numpy(), abs=1e-5)


@pytest.mark.parametrize(
    "options",
    [{"color": 0.1}, {"gray": 0.1}, {"jitter": SSDColorJitter(hue=0.1)}, {"jitter": SSDColorJitter(contrast=[0.9, 1])}],
)
def test_anything_asked_for_is_noticed(options):
    assert color_jitter.wants_color(SSDAugmentation(**options))


@given(st.integers(0, 2**31 - 1), st.floats(0, 1))
@settings(max_examples=30)
def test_any_strength_stays_within_the_range_and_a_seed_repeats_itself(seed, strength):
    changed = _changed(seed, color=strength, gray=0.2)
    assert np.isfinite(changed).all()
    assert changed.min() >= -1
    assert changed.max() <= 1
    assert np.array_equal(changed, _changed(seed, color=strength, gray=0.2))


def test_brightness_moves_every_value_by_the_same():
    moves = [(_unit(_changed(seed, jitter=SSDColorJitter(brightness=0.2))) - _unit(IMAGE)) for seed in range(20)]
    assert all(move.max() - move.min() < 1e-5 for move in moves)
    amounts = [move.mean() for move in moves]
    assert -0.2 <= min(amounts) < -0.05 < 0.05 < max(amounts) <= 0.2


def test_contrast_and_saturation_are_tensorflows():
    values = _unit(IMAGE).astype(np.float32)
    contrast = _unit(_changed(jitter=SSDColorJitter(contrast=[1.4, 1.4])))
    assert contrast == pytest.approx(tf.image.adjust_contrast(values, 1.4).numpy(), abs=1e-4)
    without = _unit(_changed(jitter=SSDColorJitter(saturation=[0.0, 0.0])))
    assert without == pytest.approx(np.repeat(tf.image.rgb_to_grayscale(values).numpy(), 3, axis=2), abs=1e-3)
    assert _unit(_changed(gray=1.0)) == pytest.approx(without, abs=1e-6)


def test_a_hue_keeps_the_brightness_and_a_whole_turn_comes_back():
    luma = np.array([0.299, 0.587, 0.114])
    for seed in range(5):
        changed = _changed(seed, jitter=SSDColorJitter(hue=0.5))
        assert _unit(changed) @ luma == pytest.approx(_unit(IMAGE) @ luma, abs=0.15)
    turn = np.linalg.matrix_power(color_jitter._hue_matrix(tf.constant(0.25)).numpy(), 4)
    assert turn == pytest.approx(np.eye(3), abs=1e-4)


def test_all_at_once_is_one_after_the_other():
    config = SSDColorJitter(brightness=0.1, contrast=[0.7, 0.7], saturation=[1.2, 1.2])
    bright = _unit(_changed(jitter=SSDColorJitter(brightness=0.1))).astype(np.float32)
    contrast = tf.image.adjust_contrast(bright, 0.7)
    gray = tf.image.rgb_to_grayscale(contrast)
    expected = gray + 1.2 * (contrast - gray)
    assert _unit(_changed(jitter=config)) == pytest.approx(np.clip(expected, 0, 1), abs=1e-3)
