"""What is trained, and at which rate: patterns over names, frozen statistics, shares of an optimizer's step."""

import types
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from official.modeling import optimization

from collectors.errors import ConfigError
from pipelines.detection import ssd_model, trained_variables
from pipelines.detection.ssd_config import SSDTask, VariableMultiplier
from pipelines.detection.task import SSDDetectionTask
from pipelines.experiment import dump_experiment, load_experiment
from pipelines.variable_table import described_variables

pytestmark = pytest.mark.tf

OPTIMIZERS = {
    "sgd": {"momentum": 0.9, "nesterov": True},
    "rmsprop": {"momentum": 0.9, "rho": 0.9, "epsilon": 1e-3},
    "adam": {},
    "adamw": {"weight_decay_rate": 0.1, "exclude_from_weight_decay": []},
    "sgd_experimental": {"momentum": 0.9},
    "adam_experimental": {},
}
NAMES = [
    "FeatureExtractor/MobilenetV1/Conv2d_0/weights",
    "FeatureExtractor/MobilenetV1/Conv2d_0/BatchNorm/gamma",
    "FeatureExtractor/MobilenetV1/Conv2d_0/BatchNorm/moving_mean",
    "BoxPredictor_0/ClassPredictor/biases",
]


def test_a_pattern_is_found_anywhere_in_a_name():
    assert trained_variables.matching(NAMES, "MobilenetV1", "key") == NAMES[:2]
    assert trained_variables.matching(NAMES, "^Box.*biases$", "key") == NAMES[3:]
    assert trained_variables.matching(NAMES, "^(?!.*(?:BoxPredictor))", "key") == NAMES[:2]


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("MobilenetV2/Conv2d_0", "Nearest: FeatureExtractor/MobilenetV1/Conv2d_0/weights"),
        ("moving_mean", "is found in the name of no variable"),  # statistics follow gamma and beta
        ("Conv2d_[0", "is no regular expression"),
    ],
)
def test_a_pattern_that_fits_nothing_is_refused_with_the_nearest_names(pattern, words):
    with pytest.raises(ConfigError, match=r"key") as refusal:
        trained_variables.matching(NAMES, pattern, "task.freeze key")
    assert words in str(refusal.value)


# --- shares of a step -------------------------------------------------------------------------------------------------


def _optimizer(kind, rate, **more):
    settings = {
        "optimizer": {"type": kind, kind: OPTIMIZERS[kind]},
        "learning_rate": {"type": "constant", "constant": {"learning_rate": rate}},
        "warmup": {"type": None},
    } | more
    factory = optimization.OptimizerFactory(optimization.OptimizationConfig(settings))
    return factory.build_optimizer(factory.build_learning_rate())


def _moved(optimizer, variables, steps=4):
    gradients = [tf.constant([1.0, -2.0, 0.5]) * (one + 1) for one in range(len(variables))]

    @tf.function
    def step():
        optimizer.apply_gradients(list(zip(gradients, variables, strict=True)))

    if hasattr(optimizer, "build"):
        optimizer.build(variables)
    for _ in range(steps):
        step()
    return [variable.numpy() for variable in variables]


def _variables():
    return [tf.Variable([0.5, -1.0, 2.0], name=f"kernel_{index}") for index in range(2)]


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_a_share_of_the_step_is_a_share_of_the_learning_rate(kind):
    variables = _variables()
    optimizer = _optimizer(kind, 0.1)
    trained_variables.scale_steps(optimizer, [(variables[1], 0.25)])
    whole, share = _moved(optimizer, variables)
    expected_whole, _ = _moved(_optimizer(kind, 0.1), _variables())
    _, expected_share = _moved(_optimizer(kind, 0.025), _variables())
    assert whole == pytest.approx(expected_whole, abs=1e-6)
    assert share == pytest.approx(expected_share, abs=1e-6)
    assert np.abs(share - [0.5, -1.0, 2.0]).max() > 1e-4


def test_clipping_comes_before_and_the_moving_average_after():
    variables = _variables()
    clipped = {"type": "sgd", "sgd": {"momentum": 0.0, "global_clipnorm": 0.01}}
    optimizer = _optimizer("sgd", 0.1, optimizer=clipped, ema={"average_decay": 0.5, "dynamic_decay": False})
    trained_variables.scale_steps(optimizer, [(variables[1], 0.5)])
    optimizer.shadow_copy(types.SimpleNamespace(trainable_variables=variables))
    before = [variable.numpy() for variable in variables]
    after = _moved(optimizer, variables, steps=1)
    steps = np.stack(after) - np.stack(before)
    # The gradients are (1, 2) times the same: their steps would have the whole clipped length between them.
    assert np.linalg.norm(steps * [[1.0], [2.0]]) == pytest.approx(0.1 * 0.01, rel=1e-3)
    assert steps[1] == pytest.approx(steps[0], rel=1e-2)
    averages = [optimizer.get_slot(variable, "average").numpy() for variable in variables]
    # It begins at zero, and takes half of what the variables are after the whole update.
    assert np.stack(averages) == pytest.approx(0.5 * np.stack(after), abs=1e-6)


def test_every_replica_moves_its_variable_by_the_share():
    strategy = tf.distribute.MirroredStrategy(["cpu:0"])
    with strategy.scope():
        variables = _variables()
        optimizer = _optimizer("sgd", 0.1)
        trained_variables.scale_steps(optimizer, [(variables[1], 0.5)])
        gradient = tf.constant([1.0, 1.0, 1.0])

        @tf.function
        def step():
            strategy.run(lambda: optimizer.apply_gradients([(gradient, one) for one in variables]))

        step()
    whole, share = (variable.numpy() - [0.5, -1.0, 2.0] for variable in variables)
    assert whole.max() < -0.05
    assert share == pytest.approx(0.5 * whole, abs=1e-6)


# --- a detector -------------------------------------------------------------------------------------------------------

_FIRST = r"MobilenetV1/Conv2d_[0-3](_|/)"


@pytest.fixture(scope="module")
def trained_task():
    """A small detector after one step on noise, its parameters, and its weights before."""
    params = SSDTask()
    params.model.override(
        {"num_classes": 2, "input_size": [64, 64], "backbone": {"depth_multiplier": 0.25}, "head": {"num_layers": 3}}
    )
    params.freeze = [_FIRST, "BoxPredictor_0/ClassPredictor/weights"]
    params.learning_rate_multipliers = [
        VariableMultiplier(pattern="BoxPredictor", multiplier=0.5),
        VariableMultiplier(pattern="biases$", multiplier=0.0),
    ]
    params.gradient_multipliers = [VariableMultiplier(pattern="Conv2d_13_pointwise/", multiplier=0.0)]
    task = SSDDetectionTask(params)
    model = task.build_model()
    settings = {
        "optimizer": {"type": "sgd", "sgd": {"momentum": 0.9}},
        "learning_rate": {"type": "constant", "constant": {"learning_rate": 0.01}},
    }
    optimizer = task.create_optimizer(optimization.OptimizationConfig(settings))
    names = trained_variables.variable_names(model)
    before = {name: variable.numpy() for name, variable in names.items()}
    images = tf.random.stateless_uniform([2, 64, 64, 3], [1, 2], -1, 1)
    labels = {"boxes": tf.constant([[[0.1, 0.1, 0.9, 0.9]]] * 2), "classes": tf.constant([[1], [2]])}
    tf.function(task.train_step)((images, labels), model, optimizer)
    return task, model, before, {name: variable.numpy() for name, variable in names.items()}


def test_frozen_variables_and_the_statistics_beside_them_stay(trained_task):
    _, _, before, after = trained_task
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    still = set(before) - changed
    first = {name for name in before if any(f"/Conv2d_{n}{end}" in name for n in range(4) for end in "_/")}
    assert len(first) == 5 * 7
    assert first <= still
    assert "FeatureExtractor/MobilenetV1/Conv2d_4_depthwise/BatchNorm/moving_mean" in changed
    # Frozen alone: its layer goes on with its bias, which a multiplier of 0 holds.
    assert {"BoxPredictor_0/ClassPredictor/weights", "BoxPredictor_0/ClassPredictor/biases"} <= still
    assert "BoxPredictor_0/BoxEncodingPredictor/weights" in changed


def test_a_gradient_times_0_moves_nothing(trained_task):
    _, _, before, after = trained_task
    name = "FeatureExtractor/MobilenetV1/Conv2d_13_pointwise/weights"
    assert np.array_equal(before[name], after[name])


def test_frozen_kernels_are_no_part_of_the_weight_decay(trained_task):
    _, model, _, after = trained_task
    first = {name for name in after if any(f"/Conv2d_{n}{end}" in name for n in range(4) for end in "_/")}
    kernels = [
        value
        for name, value in after.items()
        if name.endswith("weights") and name not in first and name != "BoxPredictor_0/ClassPredictor/weights"
    ]
    expected = sum(float(np.sum(np.square(kernel))) / 2 for kernel in kernels)
    assert float(ssd_model.l2_loss(model)) == pytest.approx(expected, rel=1e-5)


def test_everything_frozen_is_refused(trained_task):
    task, *_ = trained_task
    params = task.task_config.replace(freeze=["/"])
    with pytest.raises(ConfigError, match="nothing is left to train"):
        SSDDetectionTask(params).build_model()


def test_the_table_of_variables_says_what_is_trained(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(
        "experiment: ssd_mobilenet_v1\ntask:\n  model:\n    input_size: [64, 64]\n    head: {num_layers: 3}\n"
        f"  freeze: ['{_FIRST}']\n  learning_rate_multipliers:\n    - {{pattern: ^BoxPredictor, multiplier: 0.1}}\n"
    )
    experiment = load_experiment(path)
    rows = {row.name: row for row in described_variables(experiment)}
    assert rows["FeatureExtractor/MobilenetV1/Conv2d_0/weights"].trained == "frozen"
    assert rows["FeatureExtractor/MobilenetV1/Conv2d_4_depthwise/BatchNorm/moving_mean"].trained == "statistics"
    assert rows["FeatureExtractor/MobilenetV1/Conv2d_13_pointwise/weights"][1:] == (
        (1, 1, 1024, 1024),
        1 << 20,
        1,
        "yes",
    )
    assert rows["BoxPredictor_0/ClassPredictor/biases"][1:] == ((6,), 6, 0.1, "x 0.1")
    # What was written is read back.
    path.write_text(dump_experiment(experiment))
    assert load_experiment(path).params.as_dict() == experiment.params.as_dict()


@pytest.mark.parametrize(
    ("override", "words"),
    [
        (
            "task.learning_rate_multipliers=[{pattern: a, factor: 2}]",
            "list of groups with the keys pattern, multiplier",
        ),
        ("task.learning_rate_multipliers=[{multiplier: 2}]", "must give each a pattern"),
        ("task.gradient_multipliers=[{pattern: a, multiplier: -1}]", "must give each a pattern"),
        ("task.freeze=['']", "empty pattern"),
        ("task.freeze=[3]", "list of texts"),
    ],
)
def test_what_is_no_rule_is_refused(tmp_path, override, words):
    path = tmp_path / "config.yaml"
    path.write_text("experiment: ssd_mobilenet_v1\n")
    with pytest.raises(ConfigError) as refusal:
        load_experiment(path, [override])
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cnn", {"conv_1/kernel": "yes", "logits/kernel": "yes"}),
        (
            "image_retrainer",
            {"FeatureExtractor/MobilenetV1/Conv2d_0/weights": "frozen", "logits/kernel": "yes", "logits/bias": "yes"},
        ),
    ],
)
def test_the_table_of_variables_of_a_classifier_is_whole(name, expected):
    rows = {row.name: row.trained for row in described_variables(load_experiment(Path(name)))}
    assert expected.items() <= rows.items()
