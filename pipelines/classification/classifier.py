"""A trained classifier, ready for pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from collectors.errors import InputError
from pipelines.classification import images
from pipelines.classification.answers import require_finite
from pipelines.classification.task import ClassificationTask
from pipelines.evaluate import open_run, restore
from pipelines.plain_graph import as_written
from pipelines.run_directory import RunDirectory


@dataclass(frozen=True, slots=True)
class Answer:
    """One class that a picture may be of: its id in the label map, its name, its probability in ``[0, 1]``."""

    class_id: int
    name: str
    score: float


class Classifier(Protocol):
    """Anything that tells what a picture is.

    Attributes:
        class_names: Name of each class id, in the order of the outputs.
        input_shape: Height, width and channels (1 is grey) of the network's input.
    """

    class_names: Mapping[int, str]
    input_shape: tuple[int, int, int]

    def scores(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probability of each class, ``(n, classes)``, of pictures of one size, uint8 ``(n, h, w, c)``."""


class RunClassifier:
    """A trained run, loaded once.

    Args:
        run: The run folder.
        checkpoint: ``best``, ``last``, or the prefix of a checkpoint.

    Attributes:
        class_names: Name of each class id, in the order of the outputs.
        input_shape: Height, width and channels of the network's input.
        experiment: The run's experiment.
        model: The network with the weights of the checkpoint.
        step: Step of the checkpoint.
        probabilities: Makes scores of the network's logits, float32 ``(b, classes)``.

    Raises:
        InputError: The run is no classifier's, or has no usable checkpoint.
    """

    def __init__(self, run: RunDirectory, *, checkpoint: str = "best") -> None:
        self.experiment, task, self.model = open_run(run)
        if not isinstance(task, ClassificationTask):
            raise InputError("is the run of a detector", where=str(run.path), fix="Give the run of a classifier.")
        self.step = restore(self.model, run, checkpoint)
        self.class_names: Mapping[int, str] = dict(task.class_names)
        self.input_shape: tuple[int, int, int] = task.task_config.model.input_shape

        self.probabilities = task.probabilities

        @as_written
        def scores(batch: Any) -> Any:
            return task.probabilities(tf.cast(self.model(batch, training=False), tf.float32))

        self._scores = tf.function(scores, input_signature=[tf.TensorSpec([None, *self.input_shape], tf.float32)])

    def scores(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probability of each class, ``(n, classes)``, of pictures of one size, uint8 ``(n, h, w, c)``."""
        batch = images.network_input(tf.constant(pixels), self.input_shape)
        found: NDArray[np.float32] = self._scores(batch).numpy()
        return found


def best_answers(scores: NDArray[np.float32], class_names: Mapping[int, str], top: int) -> list[tuple[Answer, ...]]:
    """Return the likeliest classes of each picture, best first; equal ones in the order of the outputs.

    Args:
        scores: Probabilities ``(n, classes)``.
        class_names: Name of each class id, in the order of the outputs.
        top: How many at most.

    Raises:
        InputError: A score is not a finite number.
    """
    require_finite(scores, "predict")
    classes: Sequence[tuple[int, str]] = list(class_names.items())
    order = np.argsort(-scores, axis=1, kind="stable")[:, :top]
    return [
        tuple(Answer(classes[output][0], classes[output][1], float(row[output])) for output in outputs)
        for row, outputs in zip(scores, order.tolist(), strict=True)
    ]
