"""The TFM task of training and evaluating a classifier."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import tensorflow as tf
import tf_keras
from official.core import task_factory

from collectors.errors import ConfigError
from labeling.label_map import LabelMap
from pipelines.classification import answers as answering
from pipelines.classification import evidence, input_pipeline, record_survey, start_weights
from pipelines.classification.class_names import ClassNames
from pipelines.classification.model_config import ClassifierData, ClassifierTask
from pipelines.classification.mosaic import cross_section, draw_mosaic
from pipelines.classification.random_states import draw_from_states, keep_random_states
from pipelines.classification.record_form import require_strokes
from pipelines.detection import replicas
from pipelines.plain_graph import as_written
from pipelines.record_paths import expand
from pipelines.run_directory import RunDirectory
from pipelines.run_kinds import CLASSIFIER, RunKind
from pipelines.run_task import BoardPictures, RunTask, step_outputs_by_replica


@task_factory.register_task_cls(ClassifierTask)
class ClassificationTask(RunTask):
    """Trains on classification records; evaluates with top-1 and top-5 accuracy.

    After an evaluation, ``answers`` holds what the figures were computed from.

    Attributes:
        has_several_labels: Whether a picture may have more than one.
    """

    kind: ClassVar[RunKind] = CLASSIFIER
    check_surveys = staticmethod(record_survey.check_surveys)
    has_several_labels: ClassVar[bool] = False

    def __init__(self, params: ClassifierTask, logging_dir: str | None = None, name: str | None = None) -> None:
        super().__init__(params, logging_dir, name)
        self.answers = answering.Answers()
        self._parts: list[answering.Answers] = []

    @classmethod
    def num_outputs(cls, label_map: LabelMap) -> int:
        """Return the number of classes; an id that was given up has no output."""
        return len(label_map)

    @classmethod
    def survey(cls, paths: Sequence[Path]) -> record_survey.RecordSurvey:
        """Count the classes."""
        return record_survey.survey_records(paths, several_labels=cls.has_several_labels)

    @classmethod
    def check_records(
        cls, config: ClassifierTask, label_map: LabelMap, training: Any, verification: Any, *, trains: bool
    ) -> list[str]:
        """Ask for strokes where they are left out at random; see the base class."""
        if trains:
            require_strokes(training.form, training.paths, config.train_data.augmentation.stroke_dropout)
        return super().check_records(config, label_map, training, verification, trains=trains)

    def before_training(self, run: RunDirectory, model: tf_keras.Model, preflight: Any) -> Iterable[str]:
        """Write the counts of the classes."""
        run.write_data(
            {
                "training": preflight.training.summary(preflight.label_map),
                "verification": preflight.verification.summary(preflight.label_map),
            }
        )
        return []

    def draw_batch(self, dataset: Any, strategy: Any, output: Path) -> None:
        """Draw training pictures with their classes, varied as they are."""
        images, labels = next(iter(dataset))
        local = strategy.experimental_local_results
        batches = zip(local(images), local(labels["classes"]), strict=True)
        pictures = [pair for batch in batches for pair in zip(*(part.numpy() for part in batch), strict=True)]
        evidence.write_batch([(picture, self.lines_of(truth)) for picture, truth in pictures], output)

    def lines_of(self, truth: Any) -> tuple[str, ...]:
        """Return what stands below a picture: the name of its class, of an entry of ``labels["classes"]``."""
        return ((*self.names, "?")[int(truth)],)

    def probabilities(self, logits: Any) -> Any:
        """Return the probability of each class, of float32 ``(b, num_classes)``."""
        return tf.nn.softmax(logits)

    def board_pictures(self, paths: Sequence[Path]) -> BoardPictures | None:
        """Return what draws verification pictures with their best answers."""
        return evidence.BoardMosaic(
            lambda: draw_mosaic(evidence.tiles_of(paths, self.answers, cross_section(len(self.answers)), self.names)),
            "what each was taken for; mistakes in red, with the truth",
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Class names in the order of the outputs, that of ids in the label map."""
        return tuple(self.class_names.values())

    @as_written
    def build_model(self) -> tf_keras.Model:
        """Build the network of ``params.model``; ``num_classes`` must be known by now.

        Raises:
            ConfigError: The input is too small for the network, or there are more or fewer classes than names.
        """
        config = self.task_config.model
        if self.class_names and len(self.class_names) != config.num_classes:
            raise ConfigError(
                f"num_classes is {config.num_classes}, the label map has {len(self.class_names)} classes",
                where="task.model.num_classes",
                fix="Set it to 0 to take it from the label map.",
            )
        draw_from_states()
        try:
            model = config.network.chosen().build(config.input_shape, config.num_classes)
        except ValueError as error:
            raise ConfigError(
                str(error), where=f"task.model.network.{config.network.type}", fix="Choose a larger input_size."
            ) from error
        keep_random_states(model)
        model.class_names = ClassNames(self.names)
        if tf.distribute.get_strategy().num_replicas_in_sync > 1:
            replicas.share_batch_statistics(model)
        return model

    def initialize(self, model: tf_keras.Model) -> None:
        """Start from ``init_checkpoint``, when there is one: outputs are taken over by class name."""
        if self.task_config.init_checkpoint:
            start_weights.load(model, self.task_config, logging_dir=self.logging_dir)

    def build_inputs(
        self, params: ClassifierData, input_context: tf.distribute.InputContext | None = None
    ) -> tf.data.Dataset:
        """Build the batches of one split; see `pipelines.classification.input_pipeline.build_dataset`."""
        first_example = self.first_step * params.global_batch_size if params.is_training else 0
        return input_pipeline.build_dataset(
            params,
            self.task_config.model.input_shape,
            self.class_names,
            input_context,
            first_example=first_example,
            truth_of_tags=self.truth_of_tags(),
        )

    def truth_of_tags(self) -> Callable[[Any, Any], Any] | None:
        """Return what makes the truth of the labels of a picture that may have several; ``None``: it has one."""
        return None

    def outputs_of(self, model: tf_keras.Model, inputs: Any, *, training: bool) -> Any:
        """Return the logits, float32 ``(b, num_classes)``."""
        return tf.cast(model(inputs, training=training), tf.float32)

    def loss_parts(self, model: tf_keras.Model, outputs: Any, labels: dict[str, Any], *, training: bool) -> list[Any]:
        """Return the mean loss of the answers, and what the regularisers add."""
        config = self.task_config.losses
        decay = tf.add_n([*map(tf.cast, model.losses, [tf.float32] * len(model.losses)), tf.constant(0.0)])
        if config.l2_weight_decay:
            kernels = [weight for weight in model.trainable_variables if "kernel" in weight.name]
            decay += config.l2_weight_decay * tf.add_n([tf.nn.l2_loss(kernel) for kernel in kernels])
        return [self._mean_loss(outputs, labels["classes"], training=training), decay]

    def accuracies_of(self, outputs: Any, labels: dict[str, Any]) -> list[Any]:
        """Return the share of pictures whose best answer is right."""
        return [tf.reduce_mean(tf.cast(self._is_right(outputs, labels["classes"]), tf.float32))]

    def found_in(self, outputs: Any, labels: dict[str, Any]) -> dict[str, Any]:
        """Return the best answers to each picture, their probabilities and its loss."""
        scores, best = tf.math.top_k(self.probabilities(outputs), k=min(answering.TOP, outputs.shape[-1]))
        return {"outputs": best, "scores": scores, "losses": cross_entropies(outputs, labels["classes"], 0.0)}

    def aggregate_logs(self, state: Any, step_outputs: dict[str, Any]) -> Any:
        """Keep the answers of one step."""
        if state is None:
            self._parts = []
        for labels, found in step_outputs_by_replica(step_outputs["labels"], step_outputs["found"]):
            self._parts.append(
                answering.Answers(
                    labels["places"], labels["classes"], found["outputs"], found["scores"], found["losses"]
                )
            )
        return True

    def reduce_aggregated_logs(self, aggregated_logs: Any, global_step: Any = None) -> dict[str, Any]:
        """Compute the figures of the whole verification set; undefined ones are left out of the summaries."""
        self.answers, self._parts = answering.Answers.joined(self._parts), []
        self.evaluation = answering.figures_of(self.answers, self.names)
        return {"top1": 0.0} | answering.flat_figures(self.evaluation)

    def require_sound(self) -> None:
        """Check that the scores of the newest evaluation are numbers."""
        answering.require_finite(self.answers.scores, str(self.logging_dir or ""))

    def results(self) -> dict[str, Any]:
        """Return the figures and the mean loss; where the network lacks classes, ``unknown_classes`` names them."""
        known = self.answers.truth >= 0
        loss = float(self.answers.losses[known].mean()) if known.any() else None
        results = {**self.evaluation, "loss": loss}
        if not known.all():
            paths = expand(self.task_config.validation_data.input_path)
            results["unknown_classes"] = record_survey.classes_besides(paths, self.class_names)
        return results

    def write_evidence(self, run: RunDirectory) -> None:
        """Write ``predictions.csv`` and ``confusion.json``."""
        evidence.write(self.answers, self.names, self.task_config.validation_data, run)

    def _is_right(self, logits: Any, classes: Any) -> Any:
        """Return whether the best answer to each picture is right, ``(b,)``."""
        return tf.equal(tf.argmax(logits, axis=-1, output_type=tf.int32), classes)

    def _mean_loss(self, logits: Any, classes: Any, *, training: bool) -> Any:
        """Return the mean cross entropy of the pictures of known classes."""
        each = cross_entropies(logits, classes, self.task_config.losses.label_smoothing)
        return tf.math.divide_no_nan(tf.reduce_sum(each), tf.reduce_sum(tf.cast(classes >= 0, tf.float32)))


def cross_entropies(logits: Any, classes: Any, label_smoothing: float) -> Any:
    """Return the cross entropy of each picture, float32 ``(b,)``; 0 where the class is -1, none of the network's.

    Args:
        logits: float32 ``(b, num_classes)``.
        classes: int32 ``(b,)``.
        label_smoothing: Share of the truth that is spread over all classes evenly.
    """
    known = classes >= 0
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(classes, 0), logits)
    if label_smoothing:
        spread = -tf.reduce_mean(tf.nn.log_softmax(logits), axis=-1)
        each = (1.0 - label_smoothing) * each + label_smoothing * spread
    return tf.where(known, each, 0.0)
