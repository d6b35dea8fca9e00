"""What a classifier starts from: another run of its network, outputs taken over by class name, or published weights."""

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from collectors.errors import InputError
from pipelines.checkpoints import ImportedWeights
from pipelines.classification.class_names import names_in_checkpoint
from pipelines.classification.model_config import ClassifierTask
from pipelines.weights.accounting import write_accounting
from pipelines.weights.files import find_weights


def load(model: Any, config: ClassifierTask, *, logging_dir: str | None = None) -> ImportedWeights:
    """Load ``config.init_checkpoint`` into a fresh model; outputs of classes that it does not know stay fresh.

    Args:
        model: Built by the task, so that it has its class names.
        config: The network that model and checkpoint share.
        logging_dir: The run folder, where the accounting is kept.

    Raises:
        InputError: There is no checkpoint, it is not a classifier's, or it is that of another network; or it is a file
            of published weights that does not fit.
    """
    prefix = str(find_weights(Path(config.init_checkpoint)))
    names = _names_in(prefix)
    if names is None:
        published = config.model.network.chosen().load_published(model, Path(prefix))
        if published is not None:
            if logging_dir:
                write_accounting(Path(logging_dir), published)
            return published
        raise InputError(
            "carries no class names, so it is no checkpoint of a classifier",
            where=prefix,
            fix="Give the folder of a classifier's run, or leave --init out.",
        )
    other = config.model.network.chosen().build(config.model.input_shape, len(names))
    try:
        status = tf.train.Checkpoint(model=other).read(prefix)
        status.expect_partial().assert_existing_objects_matched()
    except (tf.errors.OpError, AssertionError, ValueError, LookupError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"is a checkpoint of another network than {config.model.network.type} as it is configured ({reason})",
            where=prefix,
            fix="Give the same task.model.network as that run has; see its config.yaml.",
        ) from error
    known = tuple(name for name in model.class_names.names if name in names)
    loaded = []
    for layer, stored in zip(model.layers[:-1], other.layers[:-1], strict=True):
        layer.set_weights(stored.get_weights())
        loaded += [weight.name for weight in layer.weights]
    head = model.layers[-1]
    head.set_weights(
        [
            _outputs_by_name(fresh, old, model.class_names.names, names)
            for fresh, old in zip(head.get_weights(), other.layers[-1].get_weights(), strict=True)
        ]
    )
    remapped = tuple(f"{weight.name} ({', '.join(known)})" for weight in head.weights) if known else ()
    missing = () if known else tuple(weight.name for weight in head.weights)
    imported = ImportedWeights(tuple(loaded), missing, remapped=remapped, format="tf2", path=prefix)
    if logging_dir:
        write_accounting(Path(logging_dir), imported)
    return imported


def _names_in(prefix: str) -> tuple[str, ...] | None:
    """Return the class names in a checkpoint; ``None`` where there are none, or it is a file of another kind."""
    if not Path(f"{prefix}.index").is_file():
        return None
    try:
        return names_in_checkpoint(prefix)
    except (tf.errors.OpError, ValueError) as error:
        raise InputError(f"cannot read the weights ({str(error).splitlines()[0]})", where=prefix) from error


def _outputs_by_name(fresh: Any, stored: Any, names: tuple[str, ...], stored_names: tuple[str, ...]) -> Any:
    """Return the fresh weights of the last layer (outputs last) with those of known classes in their places."""
    merged = np.array(fresh)
    for place, name in enumerate(names):
        if name in stored_names:
            merged[..., place] = stored[..., stored_names.index(name)]
    return merged
