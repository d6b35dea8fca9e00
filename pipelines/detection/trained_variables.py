"""Which variables of a detector are trained, and at which share of the learning rate."""

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Any

import tensorflow as tf
import tf_keras

from collectors.errors import ConfigError
from pipelines.weights.slim_names import detector_variables

# Parts of a batch norm that no optimizer touches; they go with its gamma and beta.
STATISTICS = ("moving_mean", "moving_variance")
_NEAR = 3

Factors = list[tuple[Any, float]]


def variable_names(model: tf_keras.Model) -> dict[str, Any]:
    """Map the name of every variable to the variable, in the order of layers.

    Names are those of TF1 OD API checkpoints, such as ``FeatureExtractor/MobilenetV1/Conv2d_0/weights`` and
    ``BoxPredictor_0/ClassPredictor/biases``; variables that the OD API has not, such as a classifier's
    ``logits/kernel``, keep the names that Keras gave.
    """
    names = detector_variables(model) if any(layer.name == "backbone" for layer in model.layers) else {}
    named = {id(variable) for variable in names.values()}
    return names | {weight.name.partition(":")[0]: weight for weight in model.weights if id(weight) not in named}


def matching(names: Iterable[str], pattern: str, key: str) -> list[str]:
    """Return the names that a regular expression is found in, statistics of batch norms left out.

    Args:
        names: Names of variables.
        pattern: Found anywhere in a name; ``^`` and ``$`` stand for its begin and end.
        key: The key of the config that says so, for the message.

    Raises:
        ConfigError: It is no regular expression, or found in no name.
    """
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise ConfigError(f"`{pattern}` is no regular expression: {error}", where=key) from error
    possible = [name for name in names if not name.endswith(STATISTICS)]
    if found := [name for name in possible if wanted.search(name)]:
        return found
    plain = re.sub(r"[\\^$.*+?()\[\]{}|]+", "", pattern)
    near = sorted(possible, key=lambda name: -difflib.SequenceMatcher(None, plain, name).ratio())[:_NEAR]
    raise ConfigError(
        f"`{pattern}` is found in the name of no variable",
        where=key,
        fix=f"Nearest: {', '.join(near)}. All: tagbox config variables CONFIG.",
    )


def freeze(model: tf_keras.Model, patterns: Sequence[str]) -> None:
    """Keep variables as they were loaded: those that a pattern is found in; see `matching`.

    A batch norm whose gamma and beta are both frozen also keeps its statistics, and normalises with them.

    Raises:
        ConfigError: A pattern fits nothing, or nothing is left to train.
    """
    names = variable_names(model)
    frozen = {id(names[name]) for pattern in patterns for name in matching(names, pattern, "task.freeze")}
    for layer in model._flatten_layers(include_self=False, recursive=True):
        own = [weight for weight in layer._trainable_weights if weight.trainable]
        if own and all(id(weight) in frozen for weight in own):
            layer.trainable = False
    model.frozen_alone = frozen
    if patterns and not trained(model):
        raise ConfigError("nothing is left to train", where="task.freeze", fix="Freeze less.")


def trained(model: tf_keras.Model) -> list[Any]:
    """Return the variables that are trained."""
    frozen = getattr(model, "frozen_alone", ())
    return [variable for variable in model.trainable_variables if id(variable) not in frozen]


def factors(model: tf_keras.Model, rules: Sequence[Any], key: str) -> Factors:
    """Return the variables that a rule speaks of, each with its factor; of several rules the last counts.

    Args:
        model: Whose variables.
        rules: Each with a ``pattern`` (see `matching`) and a ``multiplier``.
        key: The key of the config that holds them.

    Raises:
        ConfigError: A pattern fits nothing.
    """
    names = variable_names(model)
    by_name = {name: rule.multiplier for rule in rules for name in matching(names, rule.pattern, key)}
    return [(names[name], factor) for name, factor in by_name.items()]


def scale_gradients(gradients: Sequence[Any], variables: Sequence[Any], wanted: Factors) -> list[Any]:
    """Multiply gradients by the factors of their variables."""
    by_id = {id(variable): factor for variable, factor in wanted}
    return [
        gradient if gradient is None or id(variable) not in by_id else gradient * by_id[id(variable)]
        for gradient, variable in zip(gradients, variables, strict=True)
    ]


def scale_steps(optimizer: Any, wanted: Factors) -> None:
    """Let an optimizer move some variables by a share of its step, as if their learning rate were that share.

    What it keeps (momentum, mean squares), what it clips and what it saves is as without. Weight decay of its own is a
    part of the step, but for Keras' newer optimizers (``..._experimental``), which decay at the full rate. Each replica
    of a distribution strategy does it where its variable is updated.

    Args:
        optimizer: Any of TFM's; moving averages and loss scaling around it stay around it.
        wanted: Variables and factors.
    """
    if not wanted:
        return
    while (wrapped := getattr(optimizer, "inner_optimizer", None) or vars(optimizer).get("_optimizer")) is not None:
        optimizer = wrapped
    by_key = {_key_of(variable): factor for variable, factor in wanted}
    is_legacy = hasattr(optimizer, "_resource_apply_dense")
    whole_step = optimizer._resource_apply_dense if is_legacy else optimizer.update_step

    # Keras looks at the name of the third argument, and leaves it out for newer optimizers.
    def share_of_step(grad: Any, var: Any, apply_state: Any = None) -> Any:
        before, factor = var.read_value(), by_key.get(_key_of(var), 1.0)
        step = whole_step(grad, var, apply_state) if is_legacy else whole_step(grad, var)
        if factor == 1.0:
            return step
        with tf.control_dependencies([step] if is_legacy else []):
            return var.assign(before + factor * (var.read_value() - before), read_value=False)

    setattr(optimizer, "_resource_apply_dense" if is_legacy else "update_step", share_of_step)


def _key_of(variable: Any) -> Any:
    """Return what a variable and its copies on the devices of a strategy have in common."""
    container = getattr(variable, "_distributed_container", lambda: None)()
    return (variable if container is None else container)._unique_id
