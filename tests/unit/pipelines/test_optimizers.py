"""The optimizers that a config can name, built as a run builds them, on one layer with a batch norm."""

import numpy as np
import pytest

pytestmark = pytest.mark.tf

TYPE, RATE = "trainer.optimizer_config.optimizer.type", "trainer.optimizer_config.learning_rate.cosine"
NO_WARMUP = "trainer.optimizer_config.warmup.type=null"
WARMUP = "trainer.optimizer_config.warmup.linear.warmup_steps"


def _experiment(tmp_path, *overrides):
    from pipelines.experiment import load_experiment

    path = tmp_path / "bare.yaml"
    path.write_text("experiment: ssd_mobilenet_v1\n", encoding="utf-8")
    return load_experiment(path, [f"{RATE}.decay_steps=100", *overrides])


@pytest.fixture
def build(tmp_path):
    """Return a function from overrides to the optimizer of a run and a small model."""
    import tf_keras
    from official.core import task_factory

    from pipelines.averaging import AveragingTrainer  # noqa: F401 - what a run imports

    def make(*overrides):
        experiment = _experiment(tmp_path, *overrides)
        model = tf_keras.Sequential([tf_keras.layers.Dense(4), tf_keras.layers.BatchNormalization()])
        model.build((None, 3))
        task = task_factory.get_task(experiment.params.task)
        return task.create_optimizer(experiment.params.trainer.optimizer_config), model

    return make


def _apply(optimizer, model, gradient):
    import tensorflow as tf

    optimizer.apply_gradients([(tf.fill(weight.shape, gradient), weight) for weight in model.trainable_variables])


@pytest.mark.parametrize("kind", ["sgd", "rmsprop", "adam", "adamw"])
def test_each_warms_up_and_follows_the_cosine(build, kind):
    optimizer, model = build(f"{TYPE}={kind}", f"{RATE}.initial_learning_rate=0.01", f"{WARMUP}=10")
    rates = [float(optimizer.learning_rate(step)) for step in (0, 5, 10, 55, 100)]
    peak = 0.005 * (1 + np.cos(np.pi * 0.1))
    assert rates == pytest.approx([0.0, peak / 2, peak, 0.005 * (1 + np.cos(np.pi * 0.55)), 0.0], abs=1e-6)
    before = [weight.numpy() for weight in model.trainable_variables]
    for _ in range(2):  # the first step is at a rate of 0
        _apply(optimizer, model, 1.0)
    moved = [new.numpy() - old for old, new in zip(before, model.trainable_variables, strict=True)]
    assert all((step < 0).all() for step in moved)


@pytest.mark.parametrize("kind", ["sgd", "rmsprop", "adam", "adamw"])
def test_each_clips_the_gradient_as_a_whole(build, kind):
    """A hundred times the gradient, all of it above the limit of 10, makes no other step."""
    steps = []
    for gradient in (1e3, 1e5):
        optimizer, model = build(f"{TYPE}={kind}", f"{RATE}.initial_learning_rate=0.001", NO_WARMUP)
        before = [weight.numpy() for weight in model.trainable_variables]
        _apply(optimizer, model, gradient)
        steps.append(np.concatenate([
            (new.numpy() - old).ravel() for old, new in zip(before, model.trainable_variables, strict=True)
        ]))  # fmt: skip
    assert steps[0] == pytest.approx(steps[1], rel=1e-3)
    if kind == "sgd":
        assert np.linalg.norm(steps[0]) == pytest.approx(0.001 * 10.0, rel=1e-3)


def test_weight_decay_of_adamw_spares_batch_norm_and_biases(build):
    optimizer, model = build(
        f"{TYPE}=adamw", f"{RATE}.initial_learning_rate=0.1", NO_WARMUP,
        "trainer.optimizer_config.optimizer.adamw.weight_decay_rate=0.5",
    )  # fmt: skip
    for weight in model.trainable_variables:
        weight.assign(np.ones(weight.shape))
    _apply(optimizer, model, 0.0)
    values = {weight.name.rpartition("/")[2]: weight.numpy() for weight in model.trainable_variables}
    assert values["kernel:0"] == pytest.approx(1 - 0.1 * 0.5)
    for name in ("bias:0", "gamma:0", "beta:0"):
        assert (values[name] == 1).all()


def test_a_rate_of_another_optimizer_is_remarked_on(tmp_path):
    from pipelines.optimizer_rates import rate_remark

    assert rate_remark(_experiment(tmp_path)) == ""
    assert rate_remark(_experiment(tmp_path, f"{TYPE}=adamw", f"{RATE}.initial_learning_rate=0.0005")) == ""
    assert rate_remark(_experiment(tmp_path, f"{TYPE}=rmsprop", f"{RATE}.initial_learning_rate=0.004")) == ""
    assert "0.02 is unusual for adamw, for which 0.0002 to 0.001 is" in rate_remark(
        _experiment(tmp_path, f"{TYPE}=adamw")
    )
    assert "unusual for sgd" in rate_remark(_experiment(tmp_path, f"{RATE}.initial_learning_rate=0.0001"))


def test_a_whole_number_is_a_rate(build):
    optimizer, _ = build(f"{RATE}.initial_learning_rate=1")
    assert float(optimizer.learning_rate(100)) == pytest.approx(0.0)
