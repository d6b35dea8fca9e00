"""Averaged weights: the arithmetic, the exchange, and what a checkpoint of both gives back."""

from types import SimpleNamespace

import numpy as np
import pytest

pytestmark = pytest.mark.tf

RATE, DECAY = 0.1, 0.9


@pytest.fixture(scope="module")
def training():
    """Five steps of SGD on one kernel, with the weights after each and their average computed in NumPy."""
    import tensorflow as tf
    import tf_keras

    from pipelines.averaging import ExactAverage

    model = tf_keras.Sequential([tf_keras.layers.Dense(3, use_bias=False, kernel_initializer="ones")])
    model.build((None, 2))
    optimizer = ExactAverage(tf_keras.optimizers.legacy.SGD(RATE), average_decay=DECAY, dynamic_decay=True)
    optimizer.shadow_copy(model)
    optimizer.begin_at_weights()
    weight = np.ones((2, 3), np.float32)
    average = weight.copy()
    chance = np.random.default_rng(3)
    for step in range(1, 6):
        gradient = chance.normal(size=(2, 3)).astype(np.float32)
        optimizer.apply_gradients([(tf.constant(gradient), model.trainable_variables[0])])
        weight = weight - np.float32(RATE) * gradient
        decay = min(DECAY, (1 + step) / (10 + step))
        average = decay * average + (1 - decay) * weight
    return SimpleNamespace(model=model, optimizer=optimizer, weight=weight, average=average)


def test_the_average_is_that_of_the_formula(training):
    assert training.model.get_weights()[0] == pytest.approx(training.weight, rel=1e-5)
    training.optimizer.swap_weights()
    assert training.model.get_weights()[0] == pytest.approx(training.average, rel=1e-5)
    training.optimizer.swap_weights()


def test_weights_come_back_bit_by_bit(training):
    training.model.variables[0].assign(training.model.variables[0] * 1e-4)  # TFM's sum and difference would round
    before = training.model.get_weights()[0].tobytes()
    training.optimizer.swap_weights()
    assert training.model.get_weights()[0].tobytes() != before
    training.optimizer.swap_weights()
    assert training.model.get_weights()[0].tobytes() == before
    training.model.set_weights([training.weight])


def test_a_checkpoint_with_both_gives_the_averages(training, tmp_path):
    import tensorflow as tf
    import tf_keras

    from pipelines.averaging import take_averages
    from pipelines.weights.files import open_weights

    prefix = tf.train.Checkpoint(model=training.model, optimizer=training.optimizer).write(str(tmp_path / "ckpt-5"))
    fresh = tf_keras.models.clone_model(training.model)
    fresh.build((None, 2))
    assert take_averages(fresh, prefix)
    assert fresh.get_weights()[0] == pytest.approx(training.average, rel=1e-5)
    file = open_weights(tmp_path / "ckpt-5")
    (key,) = (key for key in file.shapes if key.startswith("model/") and "OPTIMIZER_SLOT" not in key)
    assert file.read(key) == pytest.approx(training.average, rel=1e-5)


def test_a_checkpoint_without_averages_leaves_the_model_as_it_is(training, tmp_path):
    import tensorflow as tf

    from pipelines.averaging import take_averages

    prefix = tf.train.Checkpoint(model=training.model).write(str(tmp_path / "best_ckpt-1"))
    before = training.model.get_weights()[0]
    assert not take_averages(training.model, prefix)
    assert (training.model.get_weights()[0] == before).all()
