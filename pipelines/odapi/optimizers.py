"""The optimizer and the learning rate of a pipeline.config, in the words of Model Garden."""

from collections.abc import Iterator
from typing import Any

from collectors.errors import ConfigError
from pipelines.odapi.decimals import as_written
from pipelines.odapi.pipeline_config import PipelineConfig

_OURS = "trainer.optimizer_config"
_AT = "train_config.optimizer"


def optimizer_settings(config: PipelineConfig) -> Iterator[tuple[str, str, Any]]:
    """Yield the path of each field, the key it decides and the value.

    Args:
        config: The config.

    Raises:
        ConfigError: There is no optimizer or no learning rate.
    """
    training = config.message.train_config
    name = training.optimizer.WhichOneof("optimizer")
    if name is None:
        raise ConfigError(
            "there is no optimizer", where=config.where(_AT), fix="Give train_config one, such as momentum_optimizer."
        )
    theirs = getattr(training.optimizer, name)
    kind = {"rms_prop_optimizer": "rmsprop", "momentum_optimizer": "sgd", "adam_optimizer": "adam"}[name]
    settings: dict[str, Any] = {"clipnorm": training.gradient_clipping_by_norm or None, "global_clipnorm": None}
    if kind == "rmsprop":
        settings |= {"rho": theirs.decay, "momentum": theirs.momentum_optimizer_value, "epsilon": theirs.epsilon}
    elif kind == "sgd":
        settings |= {"momentum": theirs.momentum_optimizer_value}
    else:
        settings |= {"epsilon": theirs.epsilon}
    at = f"{_AT}.{name}"
    yield at, f"{_OURS}.optimizer.type", kind
    for key, value in settings.items():
        yield at, f"{_OURS}.optimizer.{kind}.{key}", _rounded(value)
    if training.optimizer.use_moving_average and config.message.eval_config.use_moving_averages:
        decay = _rounded(training.optimizer.moving_average_decay)
        yield f"{_AT}.moving_average_decay", f"{_OURS}.ema.average_decay", decay
    yield from _rate_settings(config, theirs.learning_rate, f"{at}.learning_rate")


def _rate_settings(config: PipelineConfig, rate: Any, at: str) -> Iterator[tuple[str, str, Any]]:
    name = rate.WhichOneof("learning_rate")
    if name is None:
        raise ConfigError(
            "there is no learning rate",
            where=config.where(at),
            fix="Give the optimizer one, such as exponential_decay_learning_rate.",
        )
    theirs, at = getattr(rate, name), f"{at}.{name}"
    warmup: tuple[float, int] | None = None
    settings: dict[str, Any]
    if name == "constant_learning_rate":
        kind, settings = "constant", {"learning_rate": theirs.learning_rate}
    elif name == "exponential_decay_learning_rate":
        kind = "exponential"
        settings = {
            "initial_learning_rate": theirs.initial_learning_rate,
            "decay_steps": theirs.decay_steps,
            "decay_rate": theirs.decay_factor,
            "staircase": theirs.staircase,
        }
        if theirs.burnin_steps:
            warmup = (theirs.burnin_learning_rate or theirs.initial_learning_rate, theirs.burnin_steps)
    elif name == "manual_step_learning_rate":
        kind = "stepwise"
        settings = {
            "boundaries": [entry.step for entry in theirs.schedule],
            "values": [_rounded(theirs.initial_learning_rate), *(_rounded(e.learning_rate) for e in theirs.schedule)],
        }
    else:
        # The cosine counts from the end of warm-up and plateau, as the OD API's does.
        kind, held = "cosine", theirs.warmup_steps + theirs.hold_base_rate_steps
        settings = {
            "initial_learning_rate": theirs.learning_rate_base,
            "decay_steps": max(theirs.total_steps - held, 1),
            "offset": held,
        }
        if theirs.warmup_steps:
            warmup = (theirs.warmup_learning_rate, theirs.warmup_steps)
    yield at, f"{_OURS}.learning_rate.type", kind
    for key, value in settings.items():
        yield f"{at}.{key}", f"{_OURS}.learning_rate.{kind}.{key}", _rounded(value)
    yield at, f"{_OURS}.warmup.type", "linear" if warmup else None
    if warmup:
        yield at, f"{_OURS}.warmup.linear.warmup_learning_rate", _rounded(warmup[0])
        yield at, f"{_OURS}.warmup.linear.warmup_steps", warmup[1]


def _rounded(value: Any) -> Any:
    return as_written(value) if isinstance(value, float) else value
