"""The detectors that are registered with TFM's experiment factory."""

from official.core import config_definitions as tfm
from official.core import exp_factory
from official.modeling import optimization

from pipelines.detection import task as _task  # noqa: F401 - registers the task
from pipelines.detection.ssd_config import SSDTask

NAMES = ("ssd_mobilenet_v1",)


@exp_factory.register_config_factory("ssd_mobilenet_v1")
def ssd_mobilenet_v1() -> tfm.ExperimentConfig:
    """SSD MobileNet v1, 300x300, fine-tuned for 1,500 steps of 8 pictures: SGD, cosine with warm-up.

    ``decay_steps`` 0 lets the cosine end with the run.
    """
    steps = 1500
    config = tfm.ExperimentConfig(task=SSDTask())
    config.runtime.distribution_strategy = "off"
    config.trainer.override(
        {
            "train_steps": steps,
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
            "optimizer": {"type": "sgd", "sgd": {"momentum": 0.9, "global_clipnorm": 10.0}},
            "learning_rate": {"type": "cosine", "cosine": {"initial_learning_rate": 0.02, "decay_steps": 0}},
            "warmup": {"type": "linear", "linear": {"warmup_learning_rate": 0.0, "warmup_steps": 50}},
        }
    )
    return config
