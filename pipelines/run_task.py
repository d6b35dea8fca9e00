"""What the training loop, the evaluations and the run folder ask of a task, whatever it trains."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import tensorflow as tf
import tf_keras
from official.core import base_task, task_factory

from labeling.label_map import LabelMap
from pipelines.plain_graph import as_written
from pipelines.run_directory import RunDirectory
from pipelines.run_kinds import RunKind


class RecordSurvey(Protocol):
    """What stands in a set of records."""

    paths: list[Path]
    num_examples: int


class BoardPictures(Protocol):
    """The same few verification pictures at every evaluation, for TensorBoard."""

    def write(self, summaries: Any) -> None:
        """Write them as the newest evaluation sees them, with a `pipelines.board_summaries.BoardSummaries`."""


class RunTask(base_task.Task):
    """A TFM task that leaves a run folder.

    Set before its inputs are built: ``class_names``, and ``first_step``, from where training goes on with the batches
    it would have had. After an evaluation, ``evaluation`` holds its figures.

    Attributes:
        kind: What it trains.
        check_surveys: What `check_records` asks, with the path of the label map and the size of the network's input.
        class_names: Name of each class id.
        first_step: The step that training begins after.
        total_steps: The last step, where that is known.
        step_factors: Variables of the model that was built last, each with the share of the learning rate that it is
            trained at; others are trained at the whole.
        evaluation: Figures of the newest evaluation, at least those of ``kind.figures``; ``None`` is not defined.
    """

    kind: ClassVar[RunKind]
    check_surveys: ClassVar[Callable[..., list[str]]]

    def __init__(self, params: Any, logging_dir: str | None = None, name: str | None = None) -> None:
        super().__init__(params, logging_dir, name)
        self.class_names: Mapping[int, str] = {}
        self.first_step = 0
        self.total_steps: int | None = None
        self.step_factors: list[tuple[Any, float]] = []
        self.evaluation: dict[str, Any] = {}

    @classmethod
    def num_outputs(cls, label_map: LabelMap) -> int:
        """Return the ``num_classes`` that a label map asks for."""
        raise NotImplementedError

    @classmethod
    def survey(cls, paths: Sequence[Path]) -> RecordSurvey:
        """Look at records before they are trained on.

        Raises:
            InputError: A record is damaged, or none of this task's.
        """
        raise NotImplementedError

    @classmethod
    def check_records(
        cls, config: Any, label_map: LabelMap, training: Any, verification: Any, *, trains: bool
    ) -> list[str]:
        """Hold surveys of records against label map and config, and return remarks for the person.

        Args:
            config: That of the task; ``label_map`` is the path of the label map.
            label_map: What stands in it.
            training: The survey of the training records; of no file where there is no training.
            verification: That of the verification records; of no file where there are none.
            trains: Whether there is training, or an evaluation alone.

        Raises:
            ConfigError: They contradict each other.
        """
        return cls.check_surveys(
            training,
            verification,
            label_map,
            label_map_path=Path(config.label_map),
            input_size=config.model.input_size,
            trains=trains,
        )

    def before_training(self, run: RunDirectory, model: Any, preflight: Any) -> Iterable[str]:
        """Write ``data.json`` of the records, and give remarks on how the built network suits them.

        Args:
            run: Where to write.
            model: The network, with the weights that it starts or goes on with.
            preflight: A `pipelines.preflight.Preflight`.

        Returns:
            The remarks; where they come with the work, a person can stop it between two of them.
        """
        raise NotImplementedError

    def before_measuring(self, preflight: Any) -> None:
        """Get ready for steps and evaluations that are only timed: what `before_training` would compute is made up.

        Args:
            preflight: A `pipelines.preflight.Preflight`.
        """

    def draw_batch(self, dataset: Any, strategy: Any, output: Path) -> None:
        """Draw the first batch of the training data, as the network gets it, into a JPEG.

        Args:
            dataset: The batches; who reads them at the same time is not disturbed.
            strategy: Over whose devices they are spread.
            output: The file.
        """
        raise NotImplementedError

    def trained_variables(self, model: Any) -> list[Any]:
        """Return the variables that the optimizer changes."""
        return list(model.trainable_variables)

    def scaled_gradients(self, gradients: list[Any], variables: list[Any]) -> list[Any]:
        """Return the gradients of these variables as the optimizer is to get them."""
        return gradients

    def outputs_of(self, model: Any, inputs: Any, *, training: bool) -> Any:
        """Return what the network makes of a batch."""
        return model(inputs, training=training)

    def loss_parts(self, model: Any, outputs: Any, labels: Any, *, training: bool) -> list[Any]:
        """Return the parts of the loss, one of each name in ``kind.losses``; the loss is their sum."""
        raise NotImplementedError

    def accuracies_of(self, outputs: Any, labels: Any) -> list[Any]:
        """Return what else training measures in a batch, one of each name in ``kind.accuracies``."""
        return []

    def found_in(self, outputs: Any, labels: Any) -> dict[str, Any]:
        """Return what evaluation keeps of a batch beside its labels."""
        raise NotImplementedError

    def build_metrics(self, training: bool = True) -> list[Any]:
        """Return the running means of the parts of the loss, and while training of the accuracies."""
        names = (*self.kind.losses, *(self.kind.accuracies if training else ()))
        return [tf_keras.metrics.Mean(name, dtype=tf.float32) for name in names]

    @as_written
    def train_step(
        self, inputs: tuple[Any, Any], model: Any, optimizer: Any, metrics: list[Any] | None = None
    ) -> dict[str, Any]:
        """Run one step on the batch of one replica."""
        images, labels = inputs
        num_replicas = tf.distribute.get_strategy().num_replicas_in_sync
        with tf.GradientTape() as tape:
            outputs = self.outputs_of(model, images, training=True)
            parts = self.loss_parts(model, outputs, labels, training=True)
            total = tf.add_n(parts)
            # Gradients of the replicas are summed, so each gets its share of the loss.
            scaled = total / num_replicas
            if isinstance(optimizer, tf_keras.mixed_precision.LossScaleOptimizer):
                scaled = optimizer.get_scaled_loss(scaled)
        variables = self.trained_variables(model)
        gradients = tape.gradient(scaled, variables)
        if isinstance(optimizer, tf_keras.mixed_precision.LossScaleOptimizer):
            gradients = optimizer.get_unscaled_gradients(gradients)
        gradients = self.scaled_gradients(gradients, variables)
        optimizer.apply_gradients(list(zip(gradients, variables, strict=True)))
        _update(metrics, [*parts, *self.accuracies_of(outputs, labels)])
        return {self.loss: total}

    @as_written
    def validation_step(self, inputs: tuple[Any, Any], model: Any, metrics: list[Any] | None = None) -> dict[str, Any]:
        """Answer one batch; the truth and what was found travel along to `aggregate_logs`."""
        images, labels = inputs
        outputs = self.outputs_of(model, images, training=False)
        parts = self.loss_parts(model, outputs, labels, training=False)
        _update(metrics, parts)
        return {self.loss: tf.add_n(parts), "labels": labels, "found": self.found_in(outputs, labels)}

    def board_pictures(self, paths: Sequence[Path]) -> BoardPictures | None:
        """Return what draws verification pictures for TensorBoard, from records in the order of evaluation."""
        return None

    def require_sound(self) -> None:
        """Check that the newest evaluation is one.

        Raises:
            InputError: The network gives something that is not a finite number.
        """

    def results(self) -> dict[str, Any]:
        """Return what stands in ``results.json`` of the newest evaluation, but for step and checkpoint."""
        raise NotImplementedError

    def write_evidence(self, run: RunDirectory) -> None:
        """Write what the figures of the newest evaluation were computed from into the run folder."""
        raise NotImplementedError


def _update(metrics: list[Any] | None, values: list[Any]) -> None:
    if metrics:
        for metric, value in zip(metrics, values, strict=True):
            metric.update_state(value)


def step_outputs_by_replica(*trees: dict[str, Any]) -> list[tuple[dict[str, Any], ...]]:
    """Split what the trainer collected (of each value a tensor for each replica) into a tree of arrays for each."""
    first = next(iter(trees[0].values()))
    if not isinstance(first, tuple):
        return [tuple({key: value.numpy() for key, value in tree.items()} for tree in trees)]
    return [
        tuple({key: value[replica].numpy() for key, value in tree.items()} for tree in trees)
        for replica in range(len(first))
    ]


def make_task(config: Any, label_map: LabelMap, logging_dir: Path | None = None) -> RunTask:
    """Return the task of a config, which knows the classes by name.

    Args:
        config: That of a registered task.
        label_map: The classes.
        logging_dir: Where the run is written, of the task that trains or evaluates it.
    """
    task: RunTask = task_factory.get_task(config, logging_dir=logging_dir and str(logging_dir))
    task.class_names = dict(label_map.items)
    return task
