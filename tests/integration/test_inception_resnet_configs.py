"""Every row of the Inception-ResNet tables: its config builds the network that the page says, and trains."""

import math
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from official.core import task_factory, train_utils

from pipelines.config_files import packaged_configs
from pipelines.experiment import load_experiment
from pipelines.preflight import prepare
from records.stroke_style import StrokeStyle
from tests.support.docs_pages import page, table_rows
from tests.unit.records.drawing_files import build, strokes, write_ndjson

pytestmark = pytest.mark.tf

CONFIGS = [path.stem for path in packaged_configs() if path.stem.startswith("inception_resnet_")]
ROWS = {
    cells[0].strip("`"): cells[1:]
    for cells in table_rows(page("docs/how-to/train-inception-resnet.md").text)
    if cells[0].startswith("`inception_resnet_")
}


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Drawings of 85 by 85 pixels from strokes, by the number of categories; two for training in each."""
    root = tmp_path_factory.mktemp("drawings")
    for number in range(53):
        write_ndjson(root / "src", f"category {number:02d}", strokes(f"category {number:02d}", 3))
    for count in (20, 53):
        labels = tuple(f"category {number:02d}" for number in range(count))
        build(root / "src", root / str(count), 2, 1, side=85, style=StrokeStyle(5, 0.5), labels=labels)
    return root


def _train_eagerly(trainer, steps):
    """Train with the functions of the loop as they stand: to trace them costs more than all these steps."""
    tf.config.run_functions_eagerly(True)
    try:
        return trainer.train(tf.constant(steps))
    finally:
        tf.config.run_functions_eagerly(False)


def _multiply_adds(model):
    layers = [layer for layer in model.layers if isinstance(layer, tf_keras.layers.Conv2D | tf_keras.layers.Dense)]
    return sum(math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1]) for layer in layers)


def test_the_page_has_every_config_and_no_other():
    assert sorted(ROWS) == CONFIGS
    assert len(CONFIGS) == 17


@pytest.mark.parametrize("name", CONFIGS)
def test_a_row_is_built_as_the_page_says_and_trains_two_steps(name, records):
    categories, widths, depths, _, parameters, multiply_adds, *_ = ROWS[name]
    experiment = load_experiment(Path(name), ["task.train_data.global_batch_size=2"])
    preflight = prepare(experiment, records / categories)
    params = experiment.params
    network = params.task.model.network.chosen()
    assert widths == ", ".join(map(str, network.widths))
    assert depths == ", ".join(map(str, network.depths))
    # 12 epochs of 2,000 drawings a category, 100 a step.
    assert params.trainer.train_steps == 12 * 20 * int(categories) == 12 * params.trainer.validation_interval

    task = task_factory.get_task(params.task)
    task.class_names = dict(preflight.label_map.items)
    trainer = train_utils.create_trainer(params, task, train=True, evaluate=False)
    model = trainer.model
    assert model.input_shape == (None, 85, 85, 1)
    assert model.output_shape == (None, int(categories))
    assert f"{model.count_params():,}" == parameters
    assert f"{_multiply_adds(model) / 1e9:.2f}" == multiply_adds

    first, last = model.layers[1].kernel, model.get_layer("logits").kernel
    before = first.numpy(), last.numpy()
    logs = _train_eagerly(trainer, 2)
    assert int(trainer.global_step) == 2
    assert all(np.isfinite(float(value)) for value in logs.values())
    assert float(logs["training_loss"]) > 0
    assert not np.array_equal(before[0], first)
    assert not np.array_equal(before[1], last)
    tf_keras.backend.clear_session()
