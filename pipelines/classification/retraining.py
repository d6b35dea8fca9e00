"""The task of retraining a published network: its base stays as it is, and what it makes of a picture is kept.

As long as the base is frozen and training pictures are not varied, the head learns from bottlenecks, thousands of
pictures a second. Otherwise this is `pipelines.classification.task.ClassificationTask`.
"""

import dataclasses
import itertools
import time
from collections.abc import Generator, Iterator
from dataclasses import field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from official.core import task_factory
from official.modeling import hyperparams

from collectors.errors import ConfigError
from pipelines.classification.bottleneck_batches import bottleneck_batches
from pipelines.classification.bottlenecks import Bottlenecks, Reading, open_cache, read_bottlenecks
from pipelines.classification.model_config import ClassifierData, ClassifierTask
from pipelines.classification.networks.mobilenet import Mobilenet, head_of
from pipelines.classification.record_form import record_form
from pipelines.classification.task import ClassificationTask
from pipelines.run_directory import RunDirectory

FOLDER = "bottlenecks"
_TELL_EVERY_S = 5.0
_MADE_UP_AT_MOST = 4096


@dataclasses.dataclass
class BottleneckCaching(hyperparams.Config):
    """Whether and where bottlenecks are kept.

    Attributes:
        keep: Learn from kept bottlenecks where that is possible; ``false`` looks at every picture again.
        folder: Where they are; empty is ``bottlenecks`` beside the training records.
    """

    keep: bool = True
    folder: str = ""


@dataclasses.dataclass
class RetrainerTask(ClassifierTask):
    """One published network to retrain.

    Attributes:
        init_checkpoint: Weights of the base, or a run of the same network; its outputs are taken over by class name.
        bottlenecks: What is kept of a frozen base.
    """

    bottlenecks: BottleneckCaching = field(default_factory=BottleneckCaching)


@task_factory.register_task_cls(RetrainerTask)
class RetrainingTask(ClassificationTask):
    """Trains the head on bottlenecks where it can, see the module; evaluates along the way on bottlenecks too.

    An evaluation alone, which never asks for training data, looks at the pictures.
    """

    def __init__(self, params: RetrainerTask, logging_dir: str | None = None, name: str | None = None) -> None:
        super().__init__(params, logging_dir, name)
        self._learns_from_bottlenecks = False
        self._bottlenecks: dict[bool, Bottlenecks] = {}
        self._width = 0
        self._num_made_up: dict[bool, int] | None = None

    def build_model(self) -> tf_keras.Model:
        """Build the network; see `ClassificationTask.build_model`."""
        model = super().build_model()
        if isinstance(self.task_config.model.network.chosen(), Mobilenet):
            self._width = int(model.get_layer("bottleneck").output_shape[-1])
        return model

    def build_inputs(
        self, params: ClassifierData, input_context: tf.distribute.InputContext | None = None
    ) -> tf.data.Dataset:
        """Build the batches of one split: of bottlenecks where they are what is learned from."""
        if params.is_training:
            self._learns_from_bottlenecks = self._can_learn_from_bottlenecks(params, input_context)
        if not self._learns_from_bottlenecks:
            return super().build_inputs(params, input_context)
        first_example = self.first_step * params.global_batch_size if params.is_training else 0
        return self._batches(params, first_example)

    def _batches(self, params: ClassifierData, first_example: int, **truth: Any) -> tf.data.Dataset:
        return bottleneck_batches(
            lambda: self._examples(is_training=params.is_training),
            params,
            self.class_names,
            self._width,
            first_example=first_example,
            **truth,
        )

    def _examples(self, *, is_training: bool) -> Bottlenecks:
        if self._num_made_up is None:
            return self._bottlenecks[is_training]
        count = min(max(self._num_made_up[is_training], 1), _MADE_UP_AT_MOST)
        ids = itertools.islice(itertools.cycle(self.class_names), count)
        return Bottlenecks(np.zeros((count, self._width), np.float32), tuple((one,) for one in ids), ((),) * count, 0)

    def before_measuring(self, preflight: Any) -> None:
        """Make bottlenecks up: steps on them take as long as on true ones; see the base class."""
        self._learns_from_bottlenecks = self._can_learn_from_bottlenecks(self.task_config.train_data, None)
        self._num_made_up = {True: preflight.training.num_examples, False: preflight.verification.num_examples}

    def draw_batch(self, dataset: Any, strategy: Any, output: Path) -> None:
        """Draw training pictures; where bottlenecks are learned from, pictures that they are of."""
        if self._learns_from_bottlenecks:
            dataset = super().build_inputs(self.task_config.train_data)
        super().draw_batch(dataset, strategy, output)

    def before_training(self, run: RunDirectory, model: Any, preflight: Any) -> Iterator[str]:
        """Compute the bottlenecks that are not kept yet, and say how far it is; see the base class."""
        yield from super().before_training(run, model, preflight)
        network = self.task_config.model.network.chosen()
        if not isinstance(network, Mobilenet):
            return
        if network.freeze and not self.task_config.init_checkpoint and not self.first_step:
            raise ConfigError(
                "the base is frozen and has random weights: there is nothing to learn from",
                where="task.init_checkpoint",
                fix="Give weights (--init imagenet, or a file), or set task.model.network.mobilenet.freeze=false and "
                "train_statistics=true to train all of it.",
            )
        if not self._learns_from_bottlenecks:
            return
        data = {True: self.task_config.train_data, False: self.task_config.validation_data}
        for is_training, split in data.items():
            paths = [Path(path) for path in split.input_path]
            if not paths:
                continue
            damaged: list[str] = []
            root = self._folder()
            form = record_form(paths, several_labels=self.has_several_labels)
            cache = open_cache(root, model, network.architecture, form, notice=damaged.append)
            yield from damaged
            name = "training" if is_training else "verification"
            reading = read_bottlenecks(paths, cache, model, several_labels=self.has_several_labels)
            found = yield from _told(reading, name)
            self._bottlenecks[is_training] = found
            yield (
                f"{len(found.labels)} {name} bottlenecks, {found.num_computed} computed, the others from {cache.folder}"
            )

    def _folder(self) -> Path:
        if self.task_config.bottlenecks.folder:
            return Path(self.task_config.bottlenecks.folder)
        return Path(self.task_config.train_data.input_path[0]).parent / FOLDER

    def _can_learn_from_bottlenecks(
        self, params: ClassifierData, input_context: tf.distribute.InputContext | None
    ) -> bool:
        network = self.task_config.model.network.chosen()
        if not isinstance(network, Mobilenet):
            return False
        is_alone = input_context is None or input_context.num_replicas_in_sync == 1
        # The size of a cutout alone varies nothing.
        varies = any(value for name, value in params.augmentation.as_dict().items() if name != "cutout_size")
        return self.task_config.bottlenecks.keep and network.freeze and not varies and is_alone

    def outputs_of(self, model: tf_keras.Model, inputs: Any, *, training: bool) -> Any:
        """Return the logits of pictures, or of bottlenecks ``(b, width)``."""
        if inputs.shape.rank == 2:
            return tf.cast(head_of(model)(inputs, training=training), tf.float32)
        return super().outputs_of(model, inputs, training=training)


def _told(reading: Generator[Reading, None, Bottlenecks], name: str) -> Generator[str, None, Bottlenecks]:
    """Say every few seconds how far the reading is; returns what it returns."""
    begun = last = time.monotonic()
    while True:
        try:
            where = next(reading)
        except StopIteration as end:
            found: Bottlenecks = end.value
            return found
        now = time.monotonic()
        if now - last >= _TELL_EVERY_S:
            last = now
            done = f"{where.num_read} pictures read, {where.num_computed} computed"
            yield f"{name} bottlenecks: {done}, {where.num_computed / (now - begun):.0f} a second"
