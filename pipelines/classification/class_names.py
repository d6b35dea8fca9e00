"""The names of a network's outputs: kept in its checkpoints, and what the labels of records are held against."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from collectors.errors import InputError

ATTRIBUTE = "class_names"
_KEY = f"model/{ATTRIBUTE}/.ATTRIBUTES/py_state"


class ClassNames(tf.train.experimental.PythonState):
    """What each output of a network means; an attribute of the model, so that checkpoints carry it.

    A checkpoint whose outputs mean something else is not loaded: numbers alone would fit, and every answer be wrong.

    Args:
        names: Class names, in the order of the outputs.
    """

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names = tuple(names)

    def serialize(self) -> bytes:
        """Return the names for a checkpoint."""
        return json.dumps(self.names, ensure_ascii=False).encode()

    def deserialize(self, string_value: bytes) -> None:
        """Compare the names in a checkpoint with those of the network.

        Raises:
            InputError: They differ.
        """
        stored = tuple(json.loads(string_value))
        if stored != self.names:
            raise InputError(
                f"the outputs of this checkpoint are {_differing(stored, self.names)} in the label map",
                where="class names in the checkpoint",
                fix="Give it the label map that it was trained with; to train on with other classes, begin a new run "
                "with --init, which takes outputs over by name.",
            )


def _differing(stored: Sequence[str], names: Sequence[str]) -> str:
    if sorted(stored) != sorted(names):
        return f"{len(stored)} classes ({', '.join(stored[:5])}...), and {len(names)} ({', '.join(names[:5])}...) stand"
    place = next(place for place, (one, other) in enumerate(zip(stored, names, strict=True)) if one != other)
    return f"in another order: output {place} is `{stored[place]}`, and `{names[place]}`"


def output_finder(class_names: Mapping[int, str]) -> Callable[[int, str], int]:
    """Return what finds the output that the id and name of a label mean: by its name, by its id where it has no name.

    It gives -1 for a class that the network does not have. For tensors there is
    `pipelines.classification.input_pipeline.OutputOfLabel`.

    Args:
        class_names: Name of each class id, in the order of the outputs.
    """
    by_id = {class_id: place for place, class_id in enumerate(class_names)}
    by_name = {name: place for place, name in enumerate(class_names.values())}
    return lambda class_id, name: by_name.get(name, -1) if name else by_id.get(class_id, -1)


def names_in_checkpoint(prefix: str) -> tuple[str, ...] | None:
    """Return the names that a checkpoint carries, in the order of the outputs; ``None`` when it carries none."""
    reader: Any = tf.train.load_checkpoint(prefix)
    if not reader.has_tensor(_KEY):
        return None
    return tuple(json.loads(reader.get_tensor(_KEY)))
