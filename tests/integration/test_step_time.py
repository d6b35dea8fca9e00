"""What the input costs a training step: the share of waiting, and the step with and without its pipeline."""

import time

import pytest

from pipelines.experiment import dump_experiment, load_experiment
from pipelines.preflight import prepare
from tests.support.tiny_classifier import build_drawings, write_bitmaps, write_tiny_classifier
from tests.support.tiny_training import make_records, write_tiny_config

pytestmark = pytest.mark.tf

_BATCH_SECONDS = 0.03


def _trainer(batches):
    """Return a trainer of one layer, on batches that someone else makes."""
    import tensorflow as tf
    import tf_keras
    from official.core import base_task, config_definitions

    from pipelines.input_wait import WaitingTrainer

    class OneLayer(base_task.Task):
        def build_inputs(self, params, input_context=None):
            raise NotImplementedError

        def train_step(self, inputs, model, optimizer, metrics=None):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(model(inputs, training=True) ** 2)
            optimizer.apply_gradients(
                zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
            )
            return {self.loss: loss}

    config = config_definitions.ExperimentConfig(task=config_definitions.TaskConfig())
    layers = [tf_keras.layers.Dense(4, input_shape=(8,))]
    return WaitingTrainer(
        config,
        OneLayer(config.task),
        model=tf_keras.Sequential(layers),
        optimizer=tf_keras.optimizers.SGD(0.1),
        evaluate=False,
        train_dataset=batches,
    )


def _slow(batches):
    """Make each batch of a dataset take its time, one after the other."""
    import tensorflow as tf

    def late(batch):
        late_batch = tf.numpy_function(lambda one: time.sleep(_BATCH_SECONDS) or one, [batch], tf.float32)
        return tf.ensure_shape(late_batch, [2, 8])

    return batches.map(late)


@pytest.mark.parametrize("mirrored", [False, True])
def test_waiting_for_batches_is_seen(mirrored):
    import tensorflow as tf

    from pipelines.input_wait import INPUT_WAIT_SHARE

    strategy = tf.distribute.MirroredStrategy(["CPU:0"]) if mirrored else tf.distribute.get_strategy()
    shares = {}
    with strategy.scope():
        batches = tf.data.Dataset.from_tensors(tf.ones([2, 8])).repeat()
        for name, dataset in (("quick", batches), ("slow", _slow(batches))):
            trainer = _trainer(strategy.experimental_distribute_dataset(dataset))
            trainer.train(tf.constant(2))
            begun = time.perf_counter()
            logs = trainer.train(tf.constant(10))
            elapsed = time.perf_counter() - begun
            shares[name] = logs[INPUT_WAIT_SHARE]
            assert {"training_loss", "learning_rate"} <= set(logs)
            assert int(trainer.global_step.numpy()) == 12
            if name == "slow":
                # Ten batches of which one or two were made ahead.
                assert 7 * _BATCH_SECONDS / elapsed <= shares[name] <= 1
    assert shares["quick"] < shares["slow"]


def test_a_step_is_measured_and_nothing_changes(tmp_path):
    import tf_keras

    from pipelines.step_time import measure_step_time

    experiment = load_experiment(write_tiny_config(tmp_path), ["runtime.mixed_precision_dtype=bfloat16"])
    preflight = prepare(experiment, make_records(tmp_path))
    before, files = dump_experiment(experiment), sorted(tmp_path.rglob("*"))
    begun = time.perf_counter()
    measured = measure_step_time(experiment, preflight, steps=10)
    elapsed = time.perf_counter() - begun
    assert 0 < 10 * measured.step_seconds < elapsed
    assert 0 < 10 * measured.step_seconds_without_input < elapsed
    assert 0 <= measured.input_wait_share <= 1
    assert measured.batch_size == 4
    assert measured.images_per_second == 4 / measured.step_seconds
    assert dump_experiment(experiment) == before
    assert tf_keras.mixed_precision.global_policy().name == "float32"
    assert sorted(tmp_path.rglob("*")) == files


def test_a_step_of_a_classifier_is_measured(tmp_path):
    from pipelines.step_time import measure_step_time

    records = build_drawings(write_bitmaps(tmp_path / "drawings"), tmp_path / "records")
    experiment = load_experiment(write_tiny_classifier(tmp_path))
    measured = measure_step_time(experiment, prepare(experiment, records), steps=5)
    assert 0 < measured.step_seconds < 1
    assert 0 < measured.step_seconds_without_input < 1
