"""The TFM task of training and evaluating an SSD detector."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import tensorflow as tf
import tf_keras
from official.core import task_factory

from collectors.files import write_atomically
from labeling.label_map import LabelMap
from pipelines import checkpoints
from pipelines import metrics as detection_metrics
from pipelines.anchor_share import coverage_of
from pipelines.data_summary import summarize_data
from pipelines.detection import input_pipeline, losses, record_survey, replicas, ssd_model, trained_variables
from pipelines.detection.ssd_config import SSDData, SSDTask
from pipelines.detection_analysis import analyse_detections
from pipelines.detection_record import DetectionRecord, coco_dataset, require_finite_scores
from pipelines.plain_graph import as_written
from pipelines.run_directory import RunDirectory
from pipelines.run_kinds import DETECTOR, RunKind
from pipelines.run_task import BoardPictures, RunTask, step_outputs_by_replica
from pipelines.training_batch import write_training_batch
from pipelines.weights.accounting import write_accounting
from pipelines.weights.file_classes import class_names_of


@task_factory.register_task_cls(SSDTask)
class SSDDetectionTask(RunTask):
    """Trains on records, evaluates with COCO's metrics.

    Training data begin at ``first_step``: set before the inputs are built, a run goes on with the batches it would have
    had. ``total_steps``, set as early, lets mosaics and the like end before the run does. After an evaluation,
    ``evaluation`` holds the figures of `pipelines.metrics.evaluate_detections` and ``record`` the truth and detections
    they were computed from.
    """

    kind: ClassVar[RunKind] = DETECTOR
    check_surveys = staticmethod(record_survey.check_surveys)

    def __init__(self, params: SSDTask, logging_dir: str | None = None, name: str | None = None) -> None:
        super().__init__(params, logging_dir, name)
        self.imported: checkpoints.ImportedWeights | None = None
        self.record = DetectionRecord()
        self._anchors: Any = None
        self._gradient_factors: trained_variables.Factors = []

    @classmethod
    def num_outputs(cls, label_map: LabelMap) -> int:
        """Return the highest id: a class keeps its output when another one is given up."""
        return label_map.max_id

    @classmethod
    def survey(cls, paths: Sequence[Path]) -> record_survey.RecordSurvey:
        """Read the boxes and the heads of the pictures."""
        return record_survey.survey_records(paths)

    def before_training(self, run: RunDirectory, model: tf_keras.Model, preflight: Any) -> list[str]:
        """Compare the boxes with the anchors."""
        fit = coverage_of(preflight.training, model.anchors, self.task_config.model.input_size)
        run.write_data(summarize_data(preflight, fit))
        return [fit.summary()] if fit.num_boxes else []

    def trained_variables(self, model: tf_keras.Model) -> list[Any]:
        """Return the variables that no pattern freezes."""
        return trained_variables.trained(model)

    def scaled_gradients(self, gradients: list[Any], variables: list[Any]) -> list[Any]:
        """Multiply those that ``gradient_multipliers`` speak of."""
        return trained_variables.scale_gradients(gradients, variables, self._gradient_factors)

    def draw_batch(self, dataset: Any, strategy: Any, output: Path) -> None:
        """See `pipelines.training_batch.write_training_batch`."""
        write_training_batch(dataset, strategy, self.class_names, output)

    def board_pictures(self, paths: Sequence[Path]) -> BoardPictures:
        """Return what draws truth and detections side by side."""
        from pipelines.detection.board_pictures import SideBySide  # through prediction it comes back to this module

        return SideBySide(paths, self)

    @as_written
    def build_model(self) -> tf_keras.Model:
        """Build the network of ``params.model``; ``num_classes`` must be known by now."""
        model = ssd_model.build_ssd_model(self.task_config.model, num_classes=self.task_config.model.num_classes)
        self._anchors = tf.constant(model.anchors)
        config = self.task_config
        trained_variables.freeze(model, config.freeze)
        self.step_factors = trained_variables.factors(
            model, config.learning_rate_multipliers, "task.learning_rate_multipliers"
        )
        self._gradient_factors = trained_variables.factors(
            model, config.gradient_multipliers, "task.gradient_multipliers"
        )
        if tf.distribute.get_strategy().num_replicas_in_sync > 1:
            replicas.share_batch_statistics(model)
        return model

    def create_optimizer(self, *arguments: Any, **more: Any) -> Any:
        """Build the optimizer for the model that was built last."""
        optimizer = super().create_optimizer(*arguments, **more)
        trained_variables.scale_steps(optimizer, self.step_factors)
        return optimizer

    def initialize(self, model: tf_keras.Model) -> None:
        """Load ``init_checkpoint`` into a fresh model, when there is one."""
        config = self.task_config
        if config.init_checkpoint:
            path = Path(config.init_checkpoint)
            self.imported = checkpoints.load_weights(
                model,
                path,
                kind=config.init_checkpoint_type,
                class_names=self.class_names,
                file_class_names=class_names_of(path, config.init_label_map),
            )
            if self.logging_dir:
                write_accounting(Path(self.logging_dir), self.imported)

    def build_inputs(self, params: SSDData, input_context: tf.distribute.InputContext | None = None) -> tf.data.Dataset:
        """Build the batches of one split; see `pipelines.detection.input_pipeline.build_dataset`."""
        return input_pipeline.build_dataset(
            params,
            self.task_config.model.input_size,
            input_context,
            first_example=self.first_step * params.global_batch_size if params.is_training else 0,
            closing_example=self._closing_example(params),
        )

    def _closing_example(self, params: SSDData) -> int | None:
        if self.total_steps is None:
            return None
        return round(self.total_steps * (1.0 - params.augmentation.close_last)) * params.global_batch_size

    def loss_parts(
        self, model: tf_keras.Model, outputs: dict[str, Any], labels: dict[str, Any], *, training: bool
    ) -> list[Any]:
        """Return the losses of classes and boxes, and the weight decay."""
        config = self.task_config
        terms = losses.ssd_loss(
            outputs,
            labels["boxes"],
            labels["classes"],
            self._anchors,
            config.losses,
            num_classes=config.model.num_classes,
        )
        decay = config.losses.l2_weight_decay * ssd_model.l2_loss(model)
        return [terms.classification, terms.localization, decay]

    def found_in(self, outputs: dict[str, Any], labels: dict[str, Any]) -> dict[str, Any]:
        """Return the detections of a batch; see `pipelines.detection.ssd_model.detect`."""
        return ssd_model.detect(outputs, self._anchors, self.task_config.model.detections)

    def aggregate_logs(self, state: Any, step_outputs: dict[str, Any]) -> Any:
        """Move the truth and the detections of one step into the record."""
        if state is None:
            self.record = DetectionRecord()
        for labels, found in step_outputs_by_replica(step_outputs["labels"], step_outputs["found"]):
            for row in range(len(labels["source_id"])):
                count = int(found["num_detections"][row])
                self.record.add_image(
                    int(labels["source_id"][row]),
                    width=int(labels["width"][row]),
                    height=int(labels["height"][row]),
                    boxes=labels["boxes"][row],
                    classes=labels["classes"][row],
                    is_crowd=labels["is_crowd"][row],
                    areas=labels["areas"][row],
                    difficult=labels["difficult"][row],
                    origin={name: _plain(labels[name][row]) for name in input_pipeline.ORIGIN if name in labels},
                    detected_boxes=found["detection_boxes"][row][:count],
                    detected_classes=found["detection_classes"][row][:count],
                    scores=found["detection_scores"][row][:count],
                )
        return True

    def reduce_aggregated_logs(self, aggregated_logs: Any, global_step: Any = None) -> dict[str, Any]:
        """Compute the figures of the whole verification set; undefined ones are left out of the summaries."""
        self.evaluation = detection_metrics.evaluate_detections(self.record, self.class_names)
        return {"AP50": 0.0} | detection_metrics.flat_figures(self.evaluation)

    def require_sound(self) -> None:
        """Check that the scores of the newest evaluation are numbers."""
        require_finite_scores(self.record)

    def results(self) -> dict[str, Any]:
        """Return the figures, and what `pipelines.detection_analysis` adds to them."""
        return {**self.evaluation, **analyse_detections(self.record, self.class_names)}

    def write_evidence(self, run: RunDirectory) -> None:
        """Write ``ground_truth.json`` and ``detections.json``, in COCO's forms."""
        truth = coco_dataset(self.record, self.class_names)
        write_atomically(run.path / "ground_truth.json", json.dumps(truth))
        write_atomically(run.path / "detections.json", json.dumps(self.record.detections))


def _plain(value: Any) -> str | int:
    """Return what TensorFlow says in bytes or in a number of its own."""
    return value.decode(errors="replace") if isinstance(value, bytes) else int(value)
