"""What finds objects in a picture: a run, loaded once, or anything else that answers in the same form."""

from typing import Any, NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from pipelines.evaluate import open_run, restore
from pipelines.export.metadata import ModelMetadata
from pipelines.export.serving import OUTPUTS, PixelDetector
from pipelines.run_directory import RunDirectory


class Found(NamedTuple):
    """Detections in one picture, best first.

    Attributes:
        boxes: ``(n, 4)`` normalised ``ymin xmin ymax xmax`` in ``[0, 1]``.
        classes: ``(n,)`` ids from 1.
        scores: ``(n,)``.
    """

    boxes: Any
    classes: Any
    scores: Any


class Detector(Protocol):
    """Anything that finds objects in a picture."""

    metadata: ModelMetadata

    def detect(self, image: Any) -> Found:
        """Find objects in one picture, uint8 ``(h, w, 3)``."""


def found_of(outputs: dict[str, Any], *, first_id: int) -> Found:
    """Return the detections of the first picture of a batch.

    Args:
        outputs: The four outputs by name.
        first_id: What is added to the class numbers to make them ids from 1.
    """
    boxes, classes, scores, number = (np.asarray(outputs[name])[0] for name in OUTPUTS)
    boxes = np.clip(boxes, 0.0, 1.0)
    rows = np.arange(len(scores)) < int(number)
    # A box beyond the picture has nothing left of it.
    rows &= (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    return Found(boxes[rows], classes[rows].astype(np.int64) + first_id, scores[rows])


class RunDetector:
    """A trained run, loaded once.

    Args:
        run: The run folder.
        checkpoint: ``best``, ``last``, or the prefix of a checkpoint.

    Attributes:
        metadata: Classes, input size, where it comes from.
        experiment: The run's experiment.
        model: The network with the weights of the checkpoint.
        pixels: The network with what stands before and behind it.

    Raises:
        InputError: The run has no usable checkpoint.
    """

    def __init__(self, run: RunDirectory, *, checkpoint: str = "best") -> None:
        self.experiment, task, self.model = open_run(run)
        step = restore(self.model, run, checkpoint)
        config = self.experiment.params.task.model
        height, width = config.input_size
        self.metadata = ModelMetadata(
            class_names=dict(task.class_names),
            height=height,
            width=width,
            best_threshold=(run.read_results() or {}).get("best_threshold"),
            experiment=self.experiment.name,
            run=run.path.resolve().name,
            step=step,
        )
        self.pixels = PixelDetector(self.model, config)

    def detect(self, image: Any) -> Found:
        """Find objects in one picture, uint8 ``(h, w, 3)``."""
        return found_of(self.pixels.detect(tf.constant(np.asarray(image, np.uint8))[None]), first_id=0)
