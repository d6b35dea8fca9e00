"""SSDLite on MobileNet v3: maps, anchors and size as published, its numbers by a plain reading, a step of training."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from collectors.errors import ConfigError
from pipelines.checkpoints import load_weights
from pipelines.detection import ssd_model
from pipelines.detection.ssd_config import SSDBackbone, SSDHead, SSDModel
from pipelines.detection.task import SSDDetectionTask
from pipelines.experiment import load_experiment
from pipelines.weights.checking import check_weights
from pipelines.weights.plain_network import PlainNetwork
from pipelines.weights.slim_names import detector_variables
from pipelines.weights.zoo import find_zoo_weights
from tests.unit.pipelines import weights_factory as factory

pytestmark = pytest.mark.tf

KINDS = ("large", "small")
# Slim's endpoints, the channels of the two maps, and the millions of parameters that config and paper give.
PUBLISHED = {
    "large": (("layer_14/expansion_output", "layer_17"), (672, 480), 3.22),
    "small": (("layer_10/expansion_output", "layer_13"), (288, 288), 1.77),
}


def _tiny(kind):
    head = SSDHead(num_layers=3, min_depth=8, kernel_size=3, separable_layers=True, separable_predictors=True)
    backbone = SSDBackbone(model_id=f"MobileNetV3{kind.capitalize()}", depth_multiplier=0.35)
    return SSDModel(input_size=[64, 96], backbone=backbone, head=head)


@pytest.fixture(scope="module")
def tiny():
    """A small detector a kind, with its values by slim's names."""
    models = {kind: ssd_model.build_ssd_model(_tiny(kind), num_classes=2) for kind in KINDS}
    values = {kind: factory.random_values(model, 4) for kind, model in models.items()}
    for kind, model in models.items():
        for name, variable in detector_variables(model).items():
            variable.assign(values[kind][name])
    return {kind: (models[kind], values[kind]) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_maps_anchors_and_size_are_the_published_ones(kind):
    config = load_experiment(Path(f"ssdlite_mobilenet_v3_{kind}")).params.task.model
    model = ssd_model.build_ssd_model(config, num_classes=90)
    endpoints, channels, millions = PUBLISHED[kind]
    backbone = model.get_layer("backbone")
    assert [backbone.output[name].shape.as_list() for name in endpoints] == [
        [None, 20, 20, channels[0]], [None, 10, 10, channels[1]],
    ]  # fmt: skip
    inputs = [model.get_layer(f"class_{index}_predictor_depthwise").input.shape.as_list()[1:] for index in range(6)]
    assert inputs[:2] == [[20, 20, channels[0]], [10, 10, channels[1]]]
    assert inputs[2:] == [[5, 5, 512], [3, 3, 256], [2, 2, 256], [1, 1, 128]]
    assert len(model.anchors) == 20 * 20 * 3 + 6 * (10 * 10 + 5 * 5 + 3 * 3 + 2 * 2 + 1) == 2034
    assert model.output["class_logits"].shape.as_list() == [None, 2034, 91]
    # Published figures count kernels and biases, batch norm not at all.
    counted = sum(variable.shape.num_elements() for name, variable in detector_variables(model).items()
                  if "/BatchNorm/" not in name)  # fmt: skip
    assert round(counted / 1e6, 2) == millions
    assert model.get_layer("class_0_predictor").bias.numpy() == pytest.approx(np.full(3 * 91, -4.6))


@pytest.mark.parametrize("kind", KINDS)
def test_the_numbers_are_those_of_a_plain_reading_with_hard_swish_and_squeeze_and_excitation(kind, tiny):
    model, values = tiny[kind]
    assert len(values) == len(model.variables)
    gates = [name for name in values if name.endswith("squeeze_excite/Conv_1/biases")]
    assert len(gates) == {"large": 8, "small": 9}[kind]
    network = PlainNetwork(values, values.__getitem__)
    pictures = tf.random.stateless_uniform([1, 64, 96, 3], [1, 2], -1, 1)
    found, expected = model.get_layer("backbone")(pictures, training=False), network.features(pictures)
    for name, net in found.items():
        scale = max(1.0, float(np.abs(expected[name]).max()))
        assert np.abs(net - expected[name]).max() < 1e-4 * scale, name
    found, expected = model(pictures, training=False), network.predictions(pictures)
    for name, net in found.items():
        scale = max(1.0, float(np.abs(expected[name]).max()))
        assert np.abs(net - expected[name]).max() < 1e-4 * scale, name


def test_a_checkpoint_under_slims_names_is_recognised_and_compared(tiny, tmp_path):
    _, values = tiny["small"]
    path = factory.save_tf1(values, tmp_path / "model.ckpt")
    config = _tiny("small").as_dict()
    overrides = tuple(f"task.model.{key}={config[key]}" for key in ("input_size", "head"))
    report = check_weights(path, overrides=overrides)
    assert (report.config, report.depth_multiplier) == ("ssdlite_mobilenet_v3_small", 0.35)
    assert (len(report.imported.loaded), report.certificate.is_exact) == (len(values), True)


def test_a_step_trains_and_a_run_hands_on_all_its_weights(tmp_path):
    experiment = load_experiment(
        Path("ssdlite_mobilenet_v3_small"),
        [
            "task.model.input_size=[64, 64]", "task.model.num_classes=2", "task.model.backbone.depth_multiplier=0.35",
            "task.model.head.num_layers=3", "trainer.optimizer_config.learning_rate.cosine.decay_steps=100",
        ],
    )  # fmt: skip
    task = SSDDetectionTask(experiment.params.task)
    model = task.build_model()
    labels = {"boxes": tf.constant([[[0.1, 0.2, 0.8, 0.9]]] * 2), "classes": tf.constant([[2], [1]])}
    pictures = tf.random.stateless_uniform([2, 64, 64, 3], [1, 2], -1, 1)
    optimizer = task.create_optimizer(experiment.params.trainer.optimizer_config, experiment.params.runtime)
    names = detector_variables(model)
    before = {name: variable.numpy() for name, variable in names.items()}
    # The first step is at the foot of the warm-up, with a rate of 0.
    for _ in range(2):
        assert np.isfinite(float(task.train_step((pictures, labels), model, optimizer)[task.loss]))
    moved = {name for name, variable in names.items() if not np.array_equal(variable.numpy(), before[name])}
    gates = {name for name in names if name.endswith("squeeze_excite/Conv_1/weights")}
    assert len(gates) == 9
    ends = {"FeatureExtractor/MobilenetV3/Conv/weights", "BoxPredictor_0/ClassPredictor/weights"}
    assert gates | ends <= moved

    path = tf.train.Checkpoint(model=model).save(str(tmp_path / "ckpt"))
    other = ssd_model.build_ssd_model(experiment.params.task.model, num_classes=2)
    imported = load_weights(other, Path(path))
    assert set(imported.loaded) == set(names)
    for name, variable in detector_variables(other).items():
        assert np.array_equal(variable.numpy(), names[name].numpy()), name


def test_imagenet_weights_are_refused_because_the_classifier_is_wider():
    with pytest.raises(ConfigError, match=r"no ImageNet weights for MobileNetV3Large: .*Leave out --init"):
        find_zoo_weights("imagenet", model_id="MobileNetV3Large")
