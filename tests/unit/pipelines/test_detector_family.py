"""The members of the family: their sizes against published figures, their outputs, a step of training."""

import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from collectors.errors import ConfigError
from pipelines.config_files import packaged_configs
from pipelines.detection import ssd_model
from pipelines.detection.ssd_config import SSDModel
from pipelines.detection.task import SSDDetectionTask
from pipelines.experiment import load_experiment, registered_experiments
from tests.unit.pipelines.weights_factory import tiny_config

pytestmark = pytest.mark.tf


def _build(name, *overrides, num_classes=90):
    config = load_experiment(Path(name), overrides).params.task.model
    return ssd_model.build_ssd_model(config, num_classes=num_classes)


def _levels(model, layer):
    return [model.get_layer(layer.format(index)).output.shape[1] for index in range(5)]


def test_ssdlite_mobilenet_v2_has_the_published_size():
    model = _build("ssdlite_mobilenet_v2")
    assert ssd_model.folded_parameter_count(model) == 4_475_167  # 4.475 M in Intel's Open Model Zoo
    assert model.output["class_logits"].shape.as_list() == [None, 1917, 91]
    inputs = [model.get_layer(f"class_{index}_predictor_depthwise").input.shape.as_list()[1:] for index in range(6)]
    assert inputs == [[19, 19, 576], [10, 10, 1280], [5, 5, 512], [3, 3, 256], [2, 2, 256], [1, 1, 128]]


def test_ssd_mobilenet_v2_has_the_published_size_with_the_predictors_of_its_zoo():
    model = _build("ssd_mobilenet_v2", "task.model.head.kernel_size=3", "task.model.head.separable_layers=true")
    assert ssd_model.folded_parameter_count(model) == 16_818_207  # 16.818 M


def test_the_pyramid_of_v1_has_the_published_size():
    model = _build("ssd_mobilenet_v1_fpn_320")
    layers = [layer for layer in model.layers if "tower" in layer.name or layer.name.endswith("_predictor")]
    shared = sum(
        int(np.prod(weight.shape)) for layer in layers
        for weight in layer.weights if "kernel" in weight.name or "bias" in weight.name
    )  # fmt: skip
    # The Open Model Zoo counts 36.188 M: what the five levels share five times.
    assert round((ssd_model.folded_parameter_count(model) + 4 * shared) / 1e6, 2) == pytest.approx(36.19, abs=0.011)
    assert model.anchors.shape == (12804, 4)
    assert _levels(model, "box_{}_rows") == [9600, 2400, 600, 150, 54]


def test_fpnlite_at_two_sizes_has_the_same_weights_and_more_anchors():
    small, large = _build("ssd_mobilenet_v2_fpnlite_320"), _build("ssd_mobilenet_v2_fpnlite_640")
    assert small.count_params() == large.count_params() == 2_667_002
    assert (len(small.anchors), len(large.anchors)) == (12804, 51150)
    assert large.output["box_encodings"].shape[1] == 51150


@pytest.mark.parametrize("kind", ["v1", "v2", "lite", "fpnlite"])
@pytest.mark.parametrize("size", [[96, 64], [75, 90]])
def test_any_input_size(kind, size):
    config = tiny_config(kind)
    config.input_size = size
    model = ssd_model.build_ssd_model(config, num_classes=3)
    assert model.output["class_logits"].shape[1:] == (len(model.anchors), 4)
    assert model.output["box_encodings"].shape[1:] == (len(model.anchors), 4)


def test_what_goes_down_a_pyramid_is_a_choice():
    config = tiny_config("fpnlite")
    config.fpn.override({"min_level": 3, "descend_smoothed": False})
    model = ssd_model.build_ssd_model(config, num_classes=1)
    assert model.get_layer("fpn_3_enlarged").input is model.get_layer("fpn_4_sum").output
    config.fpn.descend_smoothed = True
    model = ssd_model.build_ssd_model(config, num_classes=1)
    assert model.get_layer("fpn_3_enlarged").input is model.get_layer("fpn_4_smoothing_relu6").output


def test_layers_of_2017_see_a_map_of_even_size():
    config = SSDModel(input_size=[75, 90])
    config.backbone.depth_multiplier = 0.25
    config.head.pad_layers_to_even = True
    model = ssd_model.build_ssd_model(config, num_classes=1)
    for layer in model.layers:
        if layer.name.endswith("_3x3_s2"):
            assert [side % 2 for side in layer.input.shape[1:3]] == [0, 0]


def test_model_gardens_retinanet_is_a_detector_like_the_others():
    experiment = load_experiment(Path("retinanet_mobile"), ["task.model.input_size=[128, 128]"])
    task_config = experiment.params.task
    task_config.model.num_classes = 2
    task = SSDDetectionTask(task_config)
    model = task.build_model()
    rows = sum((128 // 2**level) ** 2 for level in range(3, 8)) * 9
    assert model.anchors.shape == (rows, 4)
    centers = (model.anchors[:9, :2] + model.anchors[:9, 2:]) / 2 * 128
    assert centers == pytest.approx(np.full((9, 2), 4.0), abs=1e-3)
    labels = {"boxes": tf.constant([[[0.2, 0.2, 0.7, 0.8]]]), "classes": tf.constant([[2]])}
    loss = task.validation_step(
        (tf.zeros([1, 128, 128, 3]), labels), model
    )[task.loss]  # fmt: skip
    assert np.isfinite(float(loss))
    found = ssd_model.detect(
        model(tf.zeros([1, 128, 128, 3])), tf.constant(model.anchors), task_config.model.detections
    )
    assert set(found["detection_classes"].numpy().ravel()) <= {0.0, 1.0, 2.0}
    with pytest.raises(ConfigError, match=r"must be multiples of 128 for retinanet_mobile"):
        load_experiment(Path("retinanet_mobile"), ["task.model.input_size=[300, 300]"])


def test_every_experiment_has_a_config_with_its_command():
    named = {path.stem: path.read_text(encoding="utf-8") for path in packaged_configs()}
    for stem, text in named.items():
        if stem != "demo":
            head = text.partition("\nexperiment:")[0]
            assert f"tagbox train {stem} --run runs/" in head, stem
            assert re.search(r"\b(minutes?|hours|days)\b", head), stem
    # Every network can learn tags; one config shows how.
    tags = {name for name in registered_experiments() if name.endswith("_tag_classifier")}
    configured = {load_experiment(Path(stem)).name for stem in named}
    assert configured - tags == set(registered_experiments()) - tags
    assert configured & tags
