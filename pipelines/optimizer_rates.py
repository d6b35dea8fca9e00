"""Learning rates that suit an optimizer."""

from pipelines.experiment import Experiment

_KEY = "trainer.optimizer_config"
# These divide by the size of the gradients: their rate is about the length of a step of each weight.
_ADAPTIVE = ("adam", "adamw", "adam_experimental", "adamw_experimental")
_HIGHEST_ADAPTIVE, _LOWEST_SGD = 0.005, 0.0005


def rate_remark(experiment: Experiment) -> str:
    """Return a sentence where a config has an optimizer with the rate of another one; empty where it does not."""
    optimizer = experiment.params.trainer.optimizer_config
    settings, kind = optimizer.learning_rate.get(), optimizer.optimizer.type
    rate = getattr(settings, "initial_learning_rate", None) or getattr(settings, "learning_rate", None)
    if not rate:
        return ""
    if kind in _ADAPTIVE and rate > _HIGHEST_ADAPTIVE:
        usual = "0.0002 to 0.001"
    elif kind.startswith("sgd") and rate < _LOWEST_SGD:
        usual = "0.005 to 0.05"
    else:
        return ""
    return f"a learning rate of {rate:g} is unusual for {kind}, for which {usual} is ({_KEY}.learning_rate)"
