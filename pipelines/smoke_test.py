"""The smoke test: a detector that is well set up learns a few pictures by heart within minutes; where not, why not."""

import copy
import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from collectors.errors import ConfigError
from pipelines.anchor_share import coverage_of
from pipelines.detection.record_survey import RecordSurvey
from pipelines.evaluate import Validation
from pipelines.experiment import Experiment
from pipelines.metrics import evaluate_detections
from pipelines.preflight import Preflight
from pipelines.run_task import make_task
from pipelines.smoke_diagnosis import GOAL, Finding, SeenEvaluation, SeenRecords, SeenTraining, diagnose
from records.example import decode_example
from records.reading import DetectionExample, detection_example
from records.tfrecord import read_tfrecord, write_frames

PICTURES = 8
SECONDS = 100.0
_LOOK_AT = 400
_LOOP = 5
_FIRST_EVALUATION, _EVALUATE_EVERY = 40, 20
_MOMENTUM = 0.97
_OUTSIDE = 0.5


@dataclass(frozen=True, slots=True)
class SmokeReport:
    """What a smoke test found.

    Attributes:
        fits: Whether the pictures were learnt: AP50 on them is at least 0.9.
        ap50: The last figure; ``None`` when it did not get so far.
        steps: Steps that were trained.
        seconds: What it took.
        findings: Every part that was looked at; the first that is not sound is the one to mend.
    """

    fits: bool
    ap50: float | None
    steps: int
    seconds: float
    findings: tuple[Finding, ...]

    @property
    def broken(self) -> Finding | None:
        """The first part that is broken; ``None`` when the pictures were learnt."""
        return None if self.fits else next((finding for finding in self.findings if not finding.is_sound), None)


def smoke_test(
    experiment: Experiment,
    preflight: Preflight,
    *,
    seconds: float | None = None,
    most_steps: int = 400,
    report: Callable[[int, float], None] = lambda _step, _loss: None,
) -> SmokeReport:
    """Train on eight pictures as they are, without augmentation, until they are known by heart or the time is over.

    The optimizer and the rate are the config's; the rate stays the same after a short warm-up. Nothing is written
    that stays.

    Args:
        experiment: Checked and completed by `pipelines.preflight.prepare`; it stays as it is.
        preflight: What that returned.
        seconds: After so long it ends, measured from the call on; `SECONDS` when not given.
        most_steps: After so many steps it ends.
        report: Told after every few steps: the step and the loss.

    Raises:
        ConfigError: The experiment is no detector's.
    """
    begun = time.monotonic()
    params = copy.deepcopy(experiment.params)
    if not hasattr(params.task.model, "anchors"):
        raise ConfigError(
            f"`{experiment.name}` is no detector", where="--smoke", fix="Only detectors have a smoke test."
        )
    with tempfile.TemporaryDirectory() as folder:
        chosen = _choose(preflight.training.paths)
        path = Path(folder) / "smoke_training.record"
        with path.open("wb") as stream:
            write_frames(stream, [payload for payload, _ in chosen])
        pictures = [example for _, example in chosen]
        _settle(params, path, len(pictures))
        task = make_task(params.task, preflight.label_map)
        model = task.build_model()
        records = _look_at(pictures, model.anchors, params.task.model.input_size)
        if not records.are_usable:
            return SmokeReport(False, None, 0, time.monotonic() - begun, diagnose(records, None, None))
        task.initialize(model)
        training, evaluation = _Attempt(task, model, params, begun + (seconds or SECONDS), most_steps, report).run()
        findings = diagnose(records, training, evaluation)
        ap50 = evaluation.ap50 if evaluation else None
        return SmokeReport((ap50 or 0.0) >= GOAL, ap50, training.steps, time.monotonic() - begun, findings)


def _choose(paths: list[Path]) -> list[tuple[bytes, DetectionExample]]:
    """Return the first pictures with boxes, those first that bring a class that was not there yet."""
    seen: list[tuple[bytes, DetectionExample]] = []
    for path in paths:
        for index, frame in enumerate(read_tfrecord(path)):
            if len(seen) == _LOOK_AT:
                break
            seen.append((frame.payload, detection_example(decode_example(frame.payload), path=path, index=index)))
    labeled = [pair for pair in seen if pair[1].num_boxes] or seen
    chosen: list[tuple[bytes, DetectionExample]] = []
    classes: set[int] = set()
    for pair in labeled:
        new = set(pair[1].labels.tolist()) - classes
        if new and len(chosen) < PICTURES:
            chosen.append(pair)
            classes |= new
    rest = [pair for pair in labeled if not any(pair is one for one in chosen)]
    return chosen + rest[: PICTURES - len(chosen)]


def _settle(params: Any, path: Path, num_pictures: int) -> None:
    """Take away what keeps a network from learning by heart, and what a run has beyond it."""
    task, optimizer = params.task, params.trainer.optimizer_config
    for data in (task.train_data, task.validation_data):
        data.input_path = [str(path)]
        data.global_batch_size = num_pictures
    task.train_data.augmentation = type(task.train_data.augmentation)(flip=0.0, ssd_crop=False)
    task.train_data.shuffle_buffer_size = num_pictures
    task.validation_data.max_examples, task.validation_data.sample_1_of_n = 0, 1
    task.model.batch_norm.momentum = min(task.model.batch_norm.momentum, _MOMENTUM)
    rate = _initial_rate(optimizer.learning_rate)
    optimizer.ema = None
    optimizer.learning_rate.override({"type": "constant", "constant": {"learning_rate": rate}})
    if optimizer.warmup.type == "linear":
        optimizer.warmup.linear.warmup_steps = min(optimizer.warmup.linear.warmup_steps, 2 * _LOOP)
    else:
        optimizer.warmup.type = None


def _initial_rate(learning_rate: Any) -> float:
    settings = learning_rate.get()
    if learning_rate.type == "stepwise":
        return float(max(settings.values))
    return float(getattr(settings, "initial_learning_rate", 0.0) or getattr(settings, "learning_rate", 0.0))


def _look_at(pictures: list[DetectionExample], anchors: Any, input_size: list[int]) -> SeenRecords:
    boxes = [example.boxes_norm[~example.is_crowd] for example in pictures]
    together = np.concatenate([np.empty((0, 4), np.float32), *boxes])
    flat = (together[:, 2:] <= together[:, :2]).any(axis=1)
    outside = ((together < -_OUTSIDE) | (together > 1.0 + _OUTSIDE)).any(axis=1)
    coverage = coverage_of(RecordSurvey([], edges=boxes), anchors, input_size)
    return SeenRecords(
        num_pictures=len(pictures),
        num_boxes=len(together),
        num_flat=int(flat.sum()),
        num_outside=int(outside.sum()),
        contradiction=_contradiction(pictures),
        anchor_share=coverage.share,
        smallest=coverage.smallest,
    )


def _contradiction(pictures: list[DetectionExample]) -> tuple[str, str] | None:
    known: dict[bytes, DetectionExample] = {}
    for example in pictures:
        twin = known.setdefault(example.encoded, example)
        if _truth(twin) != _truth(example):
            return tuple(one.filename or f"picture {one.index}" for one in (twin, example))  # type: ignore[return-value]
    return None


def _truth(example: DetectionExample) -> list[tuple[Any, ...]]:
    return sorted(
        (label, *box) for label, box in zip(example.labels.tolist(), example.boxes_norm.tolist(), strict=True)
    )


class _Attempt:
    """The steps and the evaluations."""

    def __init__(
        self,
        task: Any,
        model: Any,
        params: Any,
        deadline: float,
        most_steps: int,
        report: Callable[[int, float], None],
    ) -> None:
        self._task, self._model, self._report = task, model, report
        self._deadline, self._most_steps = deadline, most_steps
        optimizer = params.trainer.optimizer_config
        self._rate = optimizer.learning_rate.constant.learning_rate
        self._threshold = params.task.model.detections.score_threshold
        self._optimizer = task.create_optimizer(optimizer)
        self._metrics = task.build_metrics(training=True)
        self._batch = next(iter(task.build_inputs(params.task.train_data)))
        self._step = tf.function(
            lambda images, labels: task.train_step((images, labels), model, self._optimizer, self._metrics)
        )
        self._validation = Validation(task, model)

    def run(self) -> tuple[SeenTraining, SeenEvaluation | None]:
        """Train until AP50 is reached, the loss is lost, nothing moves, or the time is over."""
        variables = self._model.trainable_variables
        if not variables:
            return SeenTraining(0, self._rate, 0, 0), None
        before = [variable.numpy() for variable in variables]
        losses: list[dict[str, float]] = []
        evaluation: SeenEvaluation | None = None
        steps, loop_s = 0, 0.0
        while steps < self._most_steps and time.monotonic() + loop_s < self._deadline:
            begun = time.monotonic()
            losses.append(self._loop())
            steps += _LOOP
            loop_s = time.monotonic() - begun if len(losses) > 1 else 0.0
            self._report(steps, losses[-1]["loss"])
            is_lost = not math.isfinite(losses[-1]["loss"])
            # A warm-up begins at a rate of 0; after two loops it is over.
            if is_lost or (steps == 3 * _LOOP and not _num_moved(before, variables)):
                break
            if steps >= _FIRST_EVALUATION and (steps - _FIRST_EVALUATION) % _EVALUATE_EVERY == 0:
                evaluation = self._evaluate(losses[-1])
                if (evaluation.ap50 or 0.0) >= GOAL:
                    break
        moved = _num_moved(before, variables)
        if evaluation is None and moved and math.isfinite(losses[-1]["loss"]):
            evaluation = self._evaluate(losses[-1])
        first, last = losses[0], losses[-1]
        seen = SeenTraining(
            steps=steps,
            learning_rate=self._rate,
            num_variables=len(variables),
            num_moved=moved,
            first_loss=first["loss"],
            last_loss=last["loss"],
            first_classification=first["classification_loss"],
            last_classification=last["classification_loss"],
            first_localization=first["localization_loss"],
            last_localization=last["localization_loss"],
            is_out_of_time=steps < self._most_steps and moved > 0 and math.isfinite(last["loss"]),
        )
        return seen, evaluation

    def _loop(self) -> dict[str, float]:
        totals = [float(self._step(*self._batch)[self._task.loss]) for _ in range(_LOOP)]
        found = {metric.name: float(metric.result()) for metric in self._metrics}
        for metric in self._metrics:
            metric.reset_states()
        return {**found, "loss": sum(totals) / len(totals)}

    def _evaluate(self, losses: dict[str, float]) -> SeenEvaluation:
        figures = self._validation.run()
        record = copy.deepcopy(self._task.record)
        for row in (*record.annotations, *record.detections):
            row["category_id"] = 1
        return SeenEvaluation(
            ap50=self._task.evaluation["AP50"],
            classless_ap50=evaluate_detections(record, {1: "object"})["AP50"],
            num_detections=len(record.detections),
            score_threshold=self._threshold,
            training_loss=losses["loss"],
            evaluation_loss=figures["validation_loss"],
        )


def _num_moved(before: list[Any], variables: list[Any]) -> int:
    return sum(not np.array_equal(old, new.numpy()) for old, new in zip(before, variables, strict=True))
