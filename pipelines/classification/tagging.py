"""The task of training and evaluating a tag classifier: a picture has any number of tags, each is a yes or no.

Pictures, networks and kept bottlenecks are those of `pipelines.classification.retraining`.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
from official.core import task_factory
from PIL import Image

from pipelines.classification.answers import require_finite
from pipelines.classification.evidence import BoardMosaic, picture_names
from pipelines.classification.model_config import ClassifierData, ClassifierLosses
from pipelines.classification.mosaic import cross_section
from pipelines.classification.retraining import RetrainerTask, RetrainingTask
from pipelines.classification.tag_answers import TagAnswers, flat_tag_figures, tag_figures, thresholds_of
from pipelines.classification.tag_evidence import write_tag_answers
from pipelines.classification.tag_intervals import tag_intervals
from pipelines.classification.tag_mosaic import draw_tag_mosaic, judged_tiles
from pipelines.classification.tag_records import TagsOfLabels, check_tag_surveys, tags_of_bottlenecks
from pipelines.run_directory import RunDirectory
from pipelines.run_kinds import TAGGER, RunKind
from pipelines.run_task import BoardPictures, step_outputs_by_replica

_MOST_WEIGHT = 100.0


@dataclasses.dataclass
class TagLosses(ClassifierLosses):
    """The loss: binary cross entropy, the mean over pictures and tags.

    Attributes:
        label_smoothing: Share of the truth that is spread over yes and no, 0 to below 1.
        balance: A training picture that has a tag weighs ``(pictures without it / pictures with it) ** balance`` in the
            loss of that tag, at least 1 and at most 100: 0 leaves all alike, 1 evens out rare tags. Makes the
            probabilities of rare tags larger than their frequency; the thresholds follow.
    """

    balance: float = 0.0

    def impossible(self) -> tuple[str, str] | None:
        """Name a key that nothing can be trained with, and say what it must be."""
        return super().impossible() or (None if 0 <= self.balance <= 1 else ("balance", "must be between 0 and 1"))


@dataclasses.dataclass
class TaggerTask(RetrainerTask):
    """One tag classifier to train.

    Attributes:
        losses: Of the tags.
    """

    losses: TagLosses = field(default_factory=TagLosses)


@task_factory.register_task_cls(TaggerTask)
class TaggingTask(RetrainingTask):
    """Trains on records of one label a picture or several; evaluates with mAP over the tags.

    ``labels["classes"]`` is float32 ``(b, tags + 1)``, see `pipelines.classification.tag_records.TagsOfLabels`. After
    an evaluation, ``tag_answers`` holds what the figures were computed from.
    """

    kind: ClassVar[RunKind] = TAGGER
    check_surveys = staticmethod(check_tag_surveys)
    has_several_labels: ClassVar[bool] = True

    def __init__(self, params: TaggerTask, logging_dir: str | None = None, name: str | None = None) -> None:
        super().__init__(params, logging_dir, name)
        self.tag_answers = TagAnswers()
        self._tag_parts: list[TagAnswers] = []
        self._weights: Any = 1.0

    def before_training(self, run: RunDirectory, model: Any, preflight: Any) -> Iterator[str]:
        """Weigh the tags by their counts; see the base class."""
        survey, power = preflight.training, self.task_config.losses.balance
        counts = np.array([survey.count(preflight.label_map, name) for name in self.names], np.float64)
        ratios = np.where(counts > 0, (survey.num_examples - counts) / np.maximum(counts, 1), 1.0)
        self._weights = np.clip(ratios**power, 1.0, _MOST_WEIGHT).astype(np.float32) if power else 1.0
        yield from super().before_training(run, model, preflight)

    def lines_of(self, truth: Any) -> tuple[str, ...]:
        """Return the tags of a picture."""
        tags = tuple(name for name, has in zip((*self.names, "?"), truth.tolist(), strict=True) if has)
        return tags or ("no tag",)

    def probabilities(self, logits: Any) -> Any:
        """Return the probability of each tag; they do not add up to 1."""
        return tf.sigmoid(logits)

    def board_pictures(self, paths: Sequence[Path]) -> BoardPictures | None:
        """Return what draws verification pictures with their tags, those missed and those given wrongly."""
        return BoardMosaic(
            lambda: self._draw(paths), "red: given and wrong; brown: missed; at each tag's best threshold"
        )

    def _draw(self, paths: Sequence[Path]) -> Image.Image | None:
        answers = self.tag_answers
        rows = cross_section(len(answers))
        places = {int(answers.places[row]): row for row in rows}
        thresholds = thresholds_of(self.evaluation, self.names)
        tiles = judged_tiles(paths, places, answers.truth, answers.scores, self.names, thresholds)
        return draw_tag_mosaic([tiles[row] for row in rows if row in tiles])

    def truth_of_tags(self) -> TagsOfLabels:
        """Return what makes the truth of the labels of a picture."""
        return TagsOfLabels(self.class_names)

    def _batches(self, params: ClassifierData, first_example: int, **truth: Any) -> tf.data.Dataset:
        spec = tf.TensorSpec([None, len(self.class_names) + 1], tf.float32)
        return super()._batches(params, first_example, truth_of=tags_of_bottlenecks, truth_spec=spec)

    def found_in(self, outputs: Any, labels: dict[str, Any]) -> dict[str, Any]:
        """Return the probability of each tag of each picture, and its loss."""
        losses = self._each_loss(outputs, labels["classes"], 1.0)
        return {"scores": self.probabilities(outputs), "losses": losses}

    def aggregate_logs(self, state: Any, step_outputs: dict[str, Any]) -> Any:
        """Keep the answers of one step."""
        if state is None:
            self._tag_parts = []
        for labels, found in step_outputs_by_replica(step_outputs["labels"], step_outputs["found"]):
            truth = labels["classes"] > 0
            self._tag_parts.append(
                TagAnswers(labels["places"], truth[:, :-1], truth[:, -1], found["scores"], found["losses"])
            )
        return True

    def reduce_aggregated_logs(self, aggregated_logs: Any, global_step: Any = None) -> dict[str, Any]:
        """Compute the figures of the whole verification set; undefined ones are left out of the summaries."""
        self.tag_answers, self._tag_parts = TagAnswers.joined(self._tag_parts), []
        self.evaluation = tag_figures(self.tag_answers, self.names)
        return {"mAP": 0.0} | flat_tag_figures(self.evaluation)

    def require_sound(self) -> None:
        """Check that the scores of the newest evaluation are numbers."""
        require_finite(self.tag_answers.scores, str(self.logging_dir or ""))

    def results(self) -> dict[str, Any]:
        """Return the figures with their intervals, and the mean loss."""
        losses = self.tag_answers.losses
        intervals = self.evaluation["intervals"] | tag_intervals(self.tag_answers, self.names)
        loss = float(losses.mean()) if len(losses) else None
        return {**self.evaluation, "intervals": intervals, "loss": loss}

    def write_evidence(self, run: RunDirectory) -> None:
        """Write ``tag_predictions.csv`` and ``tag_scores.npz``."""
        names = list(picture_names(self.task_config.validation_data))
        thresholds = thresholds_of(self.evaluation, self.names)
        write_tag_answers(run.path, self.tag_answers, names, self.names, thresholds)

    def _is_right(self, logits: Any, classes: Any) -> Any:
        best = tf.argmax(logits, axis=-1, output_type=tf.int32)
        return tf.gather(classes, best, axis=1, batch_dims=1) > 0

    def _mean_loss(self, logits: Any, classes: Any, *, training: bool) -> Any:
        return tf.reduce_mean(self._each_loss(logits, classes, self._weights if training else 1.0))

    def _each_loss(self, logits: Any, classes: Any, weights: Any) -> Any:
        """Return the mean over the tags of each picture, ``(b,)``."""
        smoothing = self.task_config.losses.label_smoothing
        truth = classes[:, :-1] * (1.0 - smoothing) + 0.5 * smoothing
        return tf.reduce_mean(tf.nn.weighted_cross_entropy_with_logits(truth, logits, weights), axis=-1)
