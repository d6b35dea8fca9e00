"""A pipeline.config becomes the experiment it describes, and nothing is taken that was not there."""

import re

import pytest

from collectors.errors import ConfigError
from pipelines.experiment import dump_experiment, leaves_of, load_experiment

pytestmark = pytest.mark.tf

# The experiment of each of the OD API's samples, or the reason why it has none.
SAMPLES = {
    "raccoon_ssd_mobilenet_v1_pets": "ssd_mobilenet_v1",
    "ssd_mobilenet_v1_0.75_depth_300x300_coco14_sync": "ssd_mobilenet_v1",
    "ssd_mobilenet_v1_0.75_depth_quantized_300x300_coco14_sync": "quantisation",
    "ssd_mobilenet_v1_0.75_depth_quantized_300x300_pets_sync": "quantisation",
    "ssd_mobilenet_v1_300x300_coco14_sync": "ssd_mobilenet_v1",
    "ssd_mobilenet_v1_coco": "ssd_mobilenet_v1",
    "ssd_mobilenet_v1_focal_loss_pets": "ssd_mobilenet_v1",
    "ssd_mobilenet_v1_focal_loss_pets_inference": "ssd_mobilenet_v1",
    "ssd_mobilenet_v1_fpn_shared_box_predictor_640x640_coco14_sync": "ssd_mobilenet_v1_fpn",
    "ssd_mobilenet_v1_pets": "ssd_mobilenet_v1",
    "ssd_mobilenet_v1_ppn_shared_box_predictor_300x300_coco14_sync": "pooling pyramid",
    "ssd_mobilenet_v1_quantized_300x300_coco14_sync": "quantisation",
    "ssd_mobilenet_v2_coco": "ssd_mobilenet_v2",
    "ssd_mobilenet_v2_fpnlite_quantized_shared_box_predictor_256x256_depthmultiplier_75_coco14_sync": "quantisation",
    "ssd_mobilenet_v2_fullyconv_coco": "ssd_mobilenet_v2",
    "ssd_mobilenet_v2_oid_v4": "ssd_mobilenet_v2",
    "ssd_mobilenet_v2_pets_keras": "ssd_mobilenet_v2",
    "ssd_mobilenet_v2_quantized_300x300_coco": "quantisation",
    "ssdlite_mobilenet_v1_coco": "ssdlite_mobilenet_v1",
    "ssdlite_mobilenet_v2_coco": "ssdlite_mobilenet_v2",
    "ssdlite_mobilenet_v3_large_320x320_coco": "ssdlite_mobilenet_v3_large",
    "ssdlite_mobilenet_v3_small_320x320_coco": "ssdlite_mobilenet_v3_small",
}


@pytest.fixture
def sample(shared_data):
    """The path of one of the OD API's samples."""
    return lambda name: shared_data / "configs" / f"{name}.config"


@pytest.fixture
def edited(sample, tmp_path):
    """Load a sample with some text replaced."""

    def load_edited(name, *replacements, overrides=()):
        text = sample(name).read_text()
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "pipeline.config"
        path.write_text(text)
        return load_experiment(path, overrides)

    return load_edited


@pytest.mark.parametrize("name", SAMPLES)
def test_each_sample_becomes_an_experiment_or_says_why_not(sample, tmp_path, name):
    if " " in SAMPLES[name] or SAMPLES[name] == "quantisation":
        with pytest.raises(ConfigError, match=SAMPLES[name]) as refusal:
            load_experiment(sample(name))
        assert re.search(r"\.config:\d+: ", str(refusal.value))
        return
    experiment = load_experiment(sample(name))
    assert experiment.name == SAMPLES[name]
    from_scratch = {"task.init_checkpoint"} if "_v3_" in name else set()
    assert set(experiment.unconfigured) == {
        "task.init_checkpoint", "task.train_data.input_path", "task.validation_data.input_path", "task.label_map",
    } - from_scratch  # fmt: skip
    # The way that `tagbox config import` goes.
    path = tmp_path / "imported.yaml"
    path.write_text(dump_experiment(experiment))
    assert load_experiment(path).params.as_dict() == experiment.params.as_dict()


def test_the_values_of_the_pets_config(sample):
    experiment = load_experiment(sample("ssd_mobilenet_v1_pets"))
    values = dict(leaves_of(experiment.params.as_dict()))
    expected = {
        "task.model.num_classes": 37,
        "task.model.input_size": [300, 300],
        "task.model.backbone.model_id": "MobileNetV1",
        "task.model.batch_norm.momentum": 0.9997,
        "task.model.batch_norm.freeze": False,
        "task.model.anchors.aspect_ratios": [1.0, 2.0, 0.5, 3.0, 0.3333],
        "task.model.anchors.reduce_boxes_in_lowest_layer": True,
        "task.model.head.num_layers": 6,
        "task.model.head.min_depth": 16,
        "task.model.head.kernel_size": 1,
        "task.model.head.init_stddev": 0.03,
        "task.model.detections.iou_threshold": 0.6,
        "task.model.detections.score_threshold": 1e-8,
        "task.losses.classification": "sigmoid",
        "task.losses.miner.enabled": True,
        "task.losses.miner.iou_threshold": 0.99,
        "task.losses.miner.max_negatives_per_positive": 3.0,
        "task.losses.l2_weight_decay": 4e-5,
        "task.losses.normalize_by_code_size": False,
        "task.train_data.global_batch_size": 24,
        "task.validation_data.max_examples": 1100,
        "task.validation_data.sample_1_of_n": 1,
        "task.train_data.augmentation.flip": 0.5,
        "task.train_data.augmentation.ssd_crop": True,
        "task.train_data.augmentation.color": 0.0,
        "trainer.train_steps": 200_000,
        "trainer.optimizer_config.optimizer.type": "rmsprop",
        "trainer.optimizer_config.optimizer.rmsprop.rho": 0.9,
        "trainer.optimizer_config.optimizer.rmsprop.momentum": 0.9,
        "trainer.optimizer_config.optimizer.rmsprop.epsilon": 1.0,
        "trainer.optimizer_config.learning_rate.type": "exponential",
        "trainer.optimizer_config.learning_rate.exponential.initial_learning_rate": 0.004,
        "trainer.optimizer_config.learning_rate.exponential.decay_steps": 800_720,
        "trainer.optimizer_config.learning_rate.exponential.decay_rate": 0.95,
        "trainer.optimizer_config.learning_rate.exponential.staircase": True,
        "trainer.optimizer_config.warmup.type": None,
    }
    assert {key: values[key] for key in expected} == expected
    assert experiment.origins["task.model.num_classes"] == "ssd_mobilenet_v1_pets.config:9"


def test_the_values_of_a_pyramid_with_the_focal_loss(sample):
    name = "ssd_mobilenet_v1_fpn_shared_box_predictor_640x640_coco14_sync"
    values = dict(leaves_of(load_experiment(sample(name)).params.as_dict()))
    expected = {
        "task.model.input_size": [640, 640],
        "task.model.fpn.enabled": True,
        "task.model.fpn.min_level": 3,
        "task.model.fpn.max_level": 7,
        "task.model.fpn.predictor_depth": 256,
        "task.model.fpn.predictor_layers": 4,
        "task.model.anchors.generator": "multiscale",
        "task.model.anchors.anchor_scale": 4.0,
        "task.model.head.class_prediction_bias_init": -4.6,
        "task.losses.classification": "focal",
        "task.losses.focal_alpha": 0.25,
        "task.losses.miner.enabled": False,
        "task.losses.normalize_by_code_size": True,
        "task.train_data.augmentation.crop.enabled": True,
        "task.train_data.augmentation.crop.min_aspect_ratio": 0.75,
        "task.train_data.augmentation.crop.max_aspect_ratio": 3.0,
        "task.train_data.augmentation.crop.min_object_covered": 0.0,
        "trainer.optimizer_config.optimizer.type": "sgd",
        "trainer.optimizer_config.learning_rate.type": "cosine",
        "trainer.optimizer_config.learning_rate.cosine.initial_learning_rate": 0.04,
        "trainer.optimizer_config.warmup.linear.warmup_learning_rate": 0.013333,
        "trainer.optimizer_config.warmup.linear.warmup_steps": 2000,
    }
    assert {key: values[key] for key in expected} == expected


def test_the_values_of_ssdlite_mobilenet_v3(sample, edited):
    name = "ssdlite_mobilenet_v3_small_320x320_coco"
    values = dict(leaves_of(load_experiment(sample(name)).params.as_dict()))
    expected = {
        "task.model.num_classes": 90,
        "task.model.input_size": [320, 320],
        "task.model.backbone.model_id": "MobileNetV3Small",
        "task.model.backbone.init_stddev": 0.03,
        "task.model.batch_norm.momentum": 0.97,
        "task.model.fpn.enabled": False,
        "task.model.head.num_layers": 6,
        "task.model.head.min_depth": 16,
        "task.model.head.kernel_size": 3,
        "task.model.head.separable_layers": True,
        "task.model.head.separable_predictors": True,
        "task.model.head.class_prediction_bias_init": -4.6,
        "task.losses.classification": "focal",
        "task.losses.focal_alpha": 0.75,
        "task.losses.miner.enabled": False,
        "task.losses.normalize_by_code_size": True,
        "task.losses.background_as_zeros": True,
        "task.train_data.global_batch_size": 512,
        "trainer.train_steps": 800_000,
        "trainer.optimizer_config.learning_rate.cosine.initial_learning_rate": 0.4,
    }
    assert {key: values[key] for key in expected} == expected
    overridden = ("override_base_feature_extractor_hyperparams: true", "use_depthwise: true")
    plain = edited(name, *((line, line.replace("true", "false")) for line in overridden)).params.task.model
    assert plain.backbone.init_stddev == 0.09  # slim's own
    assert (plain.head.separable_layers, plain.head.separable_predictors) == (False, False)


def test_the_learning_rate_is_that_of_the_od_api(sample):
    import math

    from official.modeling import optimization

    experiment = load_experiment(sample("ssd_mobilenet_v1_fpn_shared_box_predictor_640x640_coco14_sync"))
    rate = optimization.OptimizerFactory(experiment.params.trainer.optimizer_config).build_learning_rate()
    base, warm, steps, total = 0.04, 0.013333, 2000, 25_000
    for step in (0, 500, 1999, 2000, 10_000, 24_999, 30_000):
        if step < steps:
            expected = warm + step * (base - warm) / steps
        else:
            share = min((step - steps) / (total - steps), 1.0)
            expected = 0.5 * base * (1 + math.cos(math.pi * share))
        assert float(rate(step)) == pytest.approx(expected, abs=1e-6), step


def test_paths_are_those_a_person_wrote(edited, tmp_path):
    experiment = edited(
        "ssd_mobilenet_v1_pets",
        (
            'input_path: "PATH_TO_BE_CONFIGURED/pet_faces_train.record-?????-of-00010"',
            'input_path: ["a.record", "/b.record, c.record;d.record"]',
        ),
        ("PATH_TO_BE_CONFIGURED/pet_faces_val.record-?????-of-00010", "sub/val.record"),
        ("PATH_TO_BE_CONFIGURED/pet_label_map.pbtxt", "../map.pbtxt"),
        ("PATH_TO_BE_CONFIGURED/model.ckpt", "/weights/model.ckpt"),
    )  # fmt: skip
    task = experiment.params.task
    assert task.train_data.input_path == [
        f"{tmp_path}/a.record", "/b.record", f"{tmp_path}/c.record", f"{tmp_path}/d.record",
    ]  # fmt: skip
    assert task.validation_data.input_path == [f"{tmp_path}/sub/val.record"]
    assert task.label_map == f"{tmp_path}/../map.pbtxt"
    assert (task.init_checkpoint, task.init_checkpoint_type) == ("/weights/model.ckpt", "detector")
    assert not experiment.unconfigured


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        ("from_detection_checkpoint: true", "feature_extractor"),
        ("from_detection_checkpoint: true\n  load_all_detection_checkpoint_vars: true", "detector"),
        ("from_detection_checkpoint: false", "backbone"),
        ('fine_tune_checkpoint_type: "classification"', "backbone"),
        ('fine_tune_checkpoint_type: "detection"', "feature_extractor"),
        ('fine_tune_checkpoint_type: "full"', "detector"),
    ],
)
def test_as_much_of_a_checkpoint_is_taken_as_the_od_api_takes(edited, lines, kind):
    old = "from_detection_checkpoint: true\n  load_all_detection_checkpoint_vars: true"
    experiment = edited("ssd_mobilenet_v1_pets", (old, lines), ("PATH_TO_BE_CONFIGURED/model.ckpt", "model.ckpt"))
    assert experiment.params.task.init_checkpoint_type == kind


def test_an_override_fills_what_was_not_configured(edited):
    experiment = edited("ssd_mobilenet_v1_pets", overrides=("task.label_map=map.pbtxt",))
    assert "task.label_map" not in experiment.unconfigured
    assert experiment.unconfigured["task.init_checkpoint"].endswith("pipeline.config:156")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("type: 'ssd_mobilenet_v1'", "type: 'ssd_inception_v2'", "`ssd_inception_v2` is not known. Known:"),
        ("ssd_anchor_generator", "grid_anchor_generator", "`grid_anchor_generator`"),
        ("y_scale: 10.0", "y_scale: 5.0", "Write y_scale: 10."),
        ("num_classes: 37", "num_classes: -2", "must be 0 or more"),
        ("batch_size: 24", "batch_size: 0", "must be 1 or more"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_is_refused(edited, old, new, words):
    replacements = [(old, new)]
    if new.startswith("grid"):
        replacements += [("num_layers: 6\n", ""), ("min_scale: 0.2\n", ""), ("max_scale: 0.95\n", "")]
    with pytest.raises(ConfigError) as refusal:
        edited("ssd_mobilenet_v1_pets", *replacements)
    assert words in str(refusal.value)


def test_what_is_trained_is_what_the_config_says(edited):
    at = "num_steps: 200000"
    lines = """freeze_variables: "FeatureExtractor/MobilenetV1/Conv2d_[0-5]_"
  freeze_variables: ".*biases"
  bias_grad_multiplier: 2.0"""
    task = edited("ssd_mobilenet_v1_pets", (at, f"{at}\n  {lines}")).params.task
    assert task.freeze == ["FeatureExtractor/MobilenetV1/Conv2d_[0-5]_", ".*biases"]
    assert [rule.as_dict() for rule in task.gradient_multipliers] == [{"pattern": "/biases", "multiplier": 2.0}]
    only = 'update_trainable_variables: "BoxPredictor"\n  update_trainable_variables: "^FeatureExtractor/.*Conv2d_13"'
    (pattern,) = edited("ssd_mobilenet_v1_pets", (at, f"{at}\n  {only}")).params.task.freeze
    names = ["BoxPredictor_0/ClassPredictor/biases", "FeatureExtractor/MobilenetV1/Conv2d_13_pointwise/weights",
             "FeatureExtractor/MobilenetV1/Conv2d_1_pointwise/weights"]  # fmt: skip
    assert [bool(re.search(pattern, name)) for name in names] == [False, False, True]


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("random_vertical_flip { probability: 0.3 }", {"flip_vertical": 0.3}),
        ("random_rotation90 {}", {"rotate": 0.5}),
        ("random_rgb_to_gray {}", {"gray": 0.1}),
        ("rgb_to_gray {}", {"gray": 1.0}),
        ("random_pad_image {}", {"zoom_out": 1.0, "zoom_out_max": 2.0}),
        ("random_adjust_brightness {}", {"jitter.brightness": 0.2, "color": 0.0}),
        ("random_adjust_contrast { min_delta: 0.5 }", {"jitter.contrast": [0.5, 1.25]}),
        ("random_adjust_saturation {}", {"jitter.saturation": [0.8, 1.25]}),
        ("random_adjust_hue {}", {"jitter.hue": 0.02}),
        ("random_distort_color {}", {"jitter.hue": 0.2, "jitter.contrast": [0.5, 1.5]}),
    ],
)
def test_a_step_of_augmentation_has_its_equal(edited, step, expected):
    task = edited("ssd_mobilenet_v1_pets", ("random_horizontal_flip {\n    }", step)).params.task
    values = dict(leaves_of(task.train_data.augmentation.as_dict()))
    assert {key: values[key] for key in expected} == expected
    assert values["flip"] == 0.0
    assert values["ssd_crop"]


def test_crops_with_cases_of_their_own(edited):
    operations = """ssd_random_crop {
      operations { min_object_covered: 0.4 min_aspect_ratio: 0.8 max_aspect_ratio: 1.2 min_area: 0.2 max_area: 0.9
                   overlap_thresh: 0.6 random_coef: 0.15 }
      operations { min_object_covered: 1.0 overlap_thresh: 1.0 }
    }"""
    cases = edited("ssd_mobilenet_v1_pets", ("ssd_random_crop {\n    }", operations)).params.task
    first, second = (case.as_dict() for case in cases.train_data.augmentation.ssd_crop_cases)
    assert first == {
        "enabled": True, "probability": 0.85, "min_object_covered": 0.4, "min_aspect_ratio": 0.8,
        "max_aspect_ratio": 1.2, "min_area": 0.2, "max_area": 0.9, "min_overlap": 0.6,
    }  # fmt: skip
    assert (second["probability"], second["min_area"], second["max_aspect_ratio"]) == (1.0, 0.1, 2.0)


@pytest.mark.parametrize("step", ["random_black_patches {}", "ssd_random_crop_pad {}", "random_image_scale {}"])
def test_a_step_without_an_equal_is_refused_at_its_line(edited, step):
    with pytest.raises(ConfigError, match=r"pipeline\.config:\d+: .*cannot be honoured"):
        edited("ssd_mobilenet_v1_pets", ("random_horizontal_flip {\n    }", step))
