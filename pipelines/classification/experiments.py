"""The classifiers that are registered with TFM's experiment factory: one for each network."""

from collections.abc import Callable

from official.core import config_definitions as tfm
from official.core import exp_factory
from official.modeling import optimization

from pipelines.classification import task as _task  # noqa: F401 - registers the task
from pipelines.classification.model_config import ClassifierTask, Network
from pipelines.classification.retraining import RetrainerTask
from pipelines.run_kinds import CLASSIFIER_SUFFIX
from pipelines.trainer_config import TrainerConfig

# Networks that are not trained from nothing but from published weights.
_TASKS: dict[str, type[ClassifierTask]] = {"mobilenet": RetrainerTask}
NAMES = tuple(f"{network}{CLASSIFIER_SUFFIX}" for network in Network.types())


def _factory(network: str) -> Callable[[], tfm.ExperimentConfig]:
    def build() -> tfm.ExperimentConfig:
        config = _from_nothing(_TASKS.get(network, ClassifierTask)())
        config.task.model.network.type = network
        return config

    build.__name__ = f"{network}{CLASSIFIER_SUFFIX}"
    build.__doc__ = f"A classifier with the network {network}, trained from nothing."
    return build


def _from_nothing(task: ClassifierTask) -> tfm.ExperimentConfig:
    """2,000 steps of 128 drawings with Adam; the rate falls to 0 along a cosine that ends with the run."""
    config = tfm.ExperimentConfig(task=task, trainer=TrainerConfig())
    config.runtime.distribution_strategy = "off"
    config.trainer.override(
        {
            "train_steps": 2000,
            "steps_per_loop": 50,
            "summary_interval": 50,
            "checkpoint_interval": 250,
            "validation_interval": 250,
            "max_to_keep": 2,
            "recovery_max_trials": 0,
            "best_checkpoint_export_subdir": "checkpoints/best",
            "best_checkpoint_eval_metric": "top1",
            "best_checkpoint_metric_comp": "higher",
        },
        is_strict=True,
    )
    config.trainer.optimizer_config = optimization.OptimizationConfig(
        {
            "optimizer": {"type": "adam"},
            "learning_rate": {"type": "cosine", "cosine": {"initial_learning_rate": 0.001, "decay_steps": 0}},
        }
    )
    return config


for _network in Network.types():
    exp_factory.register_config_factory(f"{_network}{CLASSIFIER_SUFFIX}")(_factory(_network))
