"""What finds objects in a picture: a run, loaded once, or anything else that answers in the same form."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from pipelines.detection import input_pipeline
from pipelines.detection.ssd_config import SSDModel
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
    """Anything that finds objects in pictures.

    Attributes:
        metadata: Classes, input size, where it comes from.
        at_once: How many threads may be in ``detect_prepared`` at a time.
    """

    metadata: ModelMetadata
    at_once: int

    def prepare(self, image: Any) -> Any:
        """Do what can be done to one picture, uint8 ``(h, w, 3)``, before it waits for its batch; any thread may."""

    def detect_prepared(self, prepared: Sequence[Any]) -> list[Found]:
        """Find objects in pictures that went through `prepare`, in their order."""

    def detect(self, image: Any) -> Found:
        """Find objects in one picture, uint8 ``(h, w, 3)``."""


def found_of(outputs: dict[str, Any], row: int = 0, *, first_id: int = 0) -> Found:
    """Return the detections of one picture of a batch.

    Args:
        outputs: The four outputs by name.
        row: Place of the picture.
        first_id: What is added to the class numbers to make them ids from 1.
    """
    boxes, classes, scores, number = (np.asarray(outputs[name])[row] for name in OUTPUTS)
    boxes = np.clip(boxes, 0.0, 1.0)
    rows = np.arange(len(scores)) < int(number)
    # A box beyond the picture has nothing left of it.
    rows &= (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    return Found(boxes[rows], classes[rows].astype(np.int64) + first_id, scores[rows])


class NetworkDetector:
    """A network in memory with what stands before and behind it.

    Args:
        model: The network.
        config: What it was built from.
        metadata: Classes, input size, where it comes from.

    Attributes:
        metadata: As given.
        model: As given.
        config: As given.
        pixels: The functions from pixels to detections.
        at_once: Two: the suppression of one batch, which uses one core, goes on beside the convolutions of the next.
    """

    at_once = 2

    def __init__(self, model: Any, config: SSDModel, metadata: ModelMetadata) -> None:
        self.metadata = metadata
        self.model = model
        self.config = config
        self.pixels = PixelDetector(model, config)

    def prepare(self, image: Any) -> Any:
        """Resize and scale a picture, uint8 ``(h, w, 3)``."""
        pixels = tf.constant(np.asarray(image, np.uint8))
        return input_pipeline.network_input(pixels, self.metadata.height, self.metadata.width)

    def detect_prepared(self, prepared: Sequence[Any]) -> list[Found]:
        """Find objects in a batch."""
        outputs = {name: value.numpy() for name, value in self.pixels.detect_prepared(tf.stack(prepared)).items()}
        return [found_of(outputs, row) for row in range(len(prepared))]

    def detect(self, image: Any) -> Found:
        """Find objects in one picture, uint8 ``(h, w, 3)``."""
        return found_of(self.pixels.detect(tf.constant(np.asarray(image, np.uint8))[None]))


class RunDetector(NetworkDetector):
    """A trained run, loaded once.

    Args:
        run: The run folder.
        checkpoint: ``best``, ``last``, or the prefix of a checkpoint.

    Attributes:
        experiment: The run's experiment.

    Raises:
        InputError: The run has no usable checkpoint.
    """

    def __init__(self, run: RunDirectory, *, checkpoint: str = "best") -> None:
        self.experiment, task, model = open_run(run)
        step = restore(model, run, checkpoint)
        config = self.experiment.params.task.model
        height, width = config.input_size
        metadata = ModelMetadata(
            class_names=dict(task.class_names),
            height=height,
            width=width,
            best_threshold=(run.read_results() or {}).get("best_threshold"),
            experiment=self.experiment.name,
            run=run.path.resolve().name,
            step=step,
        )
        super().__init__(model, config, metadata)
