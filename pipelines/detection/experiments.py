"""The detectors that are registered with TFM's experiment factory."""

from collections.abc import Callable
from typing import Any

from official.core import config_definitions as tfm
from official.core import exp_factory
from official.modeling import optimization

from pipelines.detection import task as _task  # noqa: F401 - registers the task
from pipelines.detection.ssd_config import SSDTask
from pipelines.trainer_config import TrainerConfig

_V2 = {"backbone": {"model_id": "MobileNetV2"}}
_LITE = {"head": {"kernel_size": 3, "separable_layers": True, "separable_predictors": True}}
_PYRAMID = {
    "input_size": [320, 320],
    "anchors": {"generator": "multiscale", "aspect_ratios": [1.0, 2.0, 0.5]},
    "head": {"class_prediction_bias_init": -4.6, "init_stddev": 0.01},
    "fpn": {"enabled": True},
}
_FOCAL = {
    "classification": "focal",
    "normalize_by_code_size": True,
    "background_as_zeros": True,
    "miner": {"enabled": False},
}
_FPNLITE = {
    **_PYRAMID,
    **_V2,
    "fpn": {
        "enabled": True,
        "depth": 128,
        "separable": True,
        "predictor_depth": 128,
        "predictor_separable": True,
        "shared_tower": True,
    },
}
_V3_LOSSES = {**_FOCAL, "focal_alpha": 0.75}


def _ssdlite_v3(model_id: str) -> dict[str, Any]:
    return {
        "input_size": [320, 320],
        "backbone": {"model_id": model_id, "init_stddev": 0.03},
        "head": {**_LITE["head"], "class_prediction_bias_init": -4.6},
    }


# Name -> what differs from SSD MobileNet v1: the model, and the losses.
_DETECTORS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "ssd_mobilenet_v1": ({}, {}),
    "ssd_mobilenet_v2": (_V2, {"miner": {"min_negatives_per_image": 3}}),
    "ssdlite_mobilenet_v1": (_LITE, {"miner": {"min_negatives_per_image": 3}}),
    "ssdlite_mobilenet_v2": ({**_V2, **_LITE}, {"miner": {"min_negatives_per_image": 3}}),
    "ssdlite_mobilenet_v3_large": (_ssdlite_v3("MobileNetV3Large"), _V3_LOSSES),
    "ssdlite_mobilenet_v3_small": (_ssdlite_v3("MobileNetV3Small"), _V3_LOSSES),
    "ssd_mobilenet_v1_fpn": (_PYRAMID, _FOCAL),
    "ssd_mobilenet_v2_fpnlite": (_FPNLITE, _FOCAL),
}
# TFM's own network and its focal loss, on the recipe of the others.
_DETECTORS["retinanet_mobile"] = (
    {"network": "retinanet_mobile", "input_size": [384, 384]},
    {**_FOCAL, "focal_gamma": 1.5},
)
NAMES = tuple(_DETECTORS)
# What an optimizer begins with where a config names it: RMSProp as in the OD API, weight decay for kernels alone.
_OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"momentum": 0.9, "global_clipnorm": 10.0},
    "rmsprop": {"rho": 0.9, "momentum": 0.9, "epsilon": 1.0, "global_clipnorm": 10.0},
    "adam": {"global_clipnorm": 10.0},
    "adamw": {
        "weight_decay_rate": 0.0001,
        "exclude_from_weight_decay": ["gamma", "beta", "bias"],
        "gradient_clip_norm": 10.0,
    },
}


def _factory(name: str, model: dict[str, Any], losses: dict[str, Any]) -> Callable[[], tfm.ExperimentConfig]:
    def build() -> tfm.ExperimentConfig:
        config = _short_fine_tuning()
        config.task.model.override(model, is_strict=True)
        config.task.losses.override(losses, is_strict=True)
        return config

    build.__name__ = name
    build.__doc__ = f"{name}, fine-tuned for 1,500 steps of 8 pictures."
    return build


def _short_fine_tuning() -> tfm.ExperimentConfig:
    """SSD MobileNet v1, 300x300, fine-tuned for 1,500 steps of 8 pictures: SGD, cosine with warm-up.

    ``decay_steps`` 0 lets the cosine end with the run.
    """
    config = tfm.ExperimentConfig(task=SSDTask(), trainer=TrainerConfig())
    config.runtime.distribution_strategy = "off"
    config.trainer.override(
        {
            "train_steps": 1500,
            "steps_per_loop": 10,
            "summary_interval": 10,
            "checkpoint_interval": 250,
            "validation_interval": 250,
            "max_to_keep": 2,
            "recovery_max_trials": 0,
            "best_checkpoint_export_subdir": "checkpoints/best",
            "best_checkpoint_eval_metric": "AP50",
            "best_checkpoint_metric_comp": "higher",
        },
        is_strict=True,
    )
    config.trainer.optimizer_config = optimization.OptimizationConfig(
        {
            "optimizer": {"type": "sgd", **_OPTIMIZERS},
            "learning_rate": {"type": "cosine", "cosine": {"initial_learning_rate": 0.02, "decay_steps": 0}},
            "warmup": {"type": "linear", "linear": {"warmup_learning_rate": 0.0, "warmup_steps": 50}},
        }
    )
    return config


for _name, (_model, _losses) in _DETECTORS.items():
    exp_factory.register_config_factory(_name)(_factory(_name, _model, _losses))
