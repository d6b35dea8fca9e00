"""Which part of a training is broken, told from what was seen while it should have learnt a few pictures by heart."""

import math
from dataclasses import dataclass

GOAL = 0.9
_FALLEN = 0.5
_ANCHOR_SHARE = 0.5
_EXPLODED = 30.0


@dataclass(frozen=True, slots=True)
class SeenRecords:
    """What stands in the records of the pictures.

    Attributes:
        num_pictures: Pictures that were tried.
        num_boxes: Their boxes, crowds left out.
        num_flat: Boxes without an area.
        num_outside: Boxes that reach far out of the picture: pixels where fractions should stand.
        contradiction: Two pictures that are the same file with other labels, by name; empty when there are none.
        anchor_share: Share of the boxes that an anchor matches by itself, in ``[0, 1]``; ``None`` without boxes.
        smallest: Width and height of the smallest box that none matches, in pixels of the network's input.
    """

    num_pictures: int
    num_boxes: int
    num_flat: int = 0
    num_outside: int = 0
    contradiction: tuple[str, str] | None = None
    anchor_share: float | None = None
    smallest: tuple[float, float] | None = None

    @property
    def are_usable(self) -> bool:
        """Tell whether there is anything to learn in them."""
        return self.num_boxes > self.num_flat


@dataclass(frozen=True, slots=True)
class SeenTraining:
    """What happened in the steps. Losses are means over the first and the last loop of steps.

    Attributes:
        steps: Steps that were done.
        learning_rate: The rate, the same all the time.
        num_variables: Weights (tensors) that training changes.
        num_moved: Those that are not what they were.
        first_loss: The whole, with regularization.
        last_loss: The same.
        first_classification: Part of it.
        last_classification: The same.
        first_localization: Part of it.
        last_localization: The same.
        is_out_of_time: Whether the clock ended it.
    """

    steps: int
    learning_rate: float
    num_variables: int
    num_moved: int
    first_loss: float = math.nan
    last_loss: float = math.nan
    first_classification: float = math.nan
    last_classification: float = math.nan
    first_localization: float = math.nan
    last_localization: float = math.nan
    is_out_of_time: bool = False


@dataclass(frozen=True, slots=True)
class SeenEvaluation:
    """The last evaluation on the same pictures.

    Attributes:
        ap50: ``None`` where it is not defined.
        classless_ap50: The same when every class counts as one.
        num_detections: In all pictures.
        score_threshold: What detections must score.
        training_loss: Of the network in training.
        evaluation_loss: Of the network in evaluation.
    """

    ap50: float | None
    classless_ap50: float | None
    num_detections: int
    score_threshold: float
    training_loss: float
    evaluation_loss: float


@dataclass(frozen=True, slots=True)
class Finding:
    """One part of the training.

    Attributes:
        part: ``records``, ``anchors``, ``weights``, ``rate``, ``classification``, ``localization``, ``evaluation`` or
            ``time``.
        is_sound: Whether nothing is wrong with it.
        sentence: What was seen, and where something is wrong what to do.
    """

    part: str
    is_sound: bool
    sentence: str


def diagnose(
    records: SeenRecords, training: SeenTraining | None, evaluation: SeenEvaluation | None
) -> tuple[Finding, ...]:
    """Judge each part, in the order in which one needs the other: the first that is broken is the one to mend.

    Args:
        records: What was tried.
        training: ``None`` when there was nothing to train on.
        evaluation: ``None`` when training did not get so far.
    """
    findings = [_records(records)]
    if records.are_usable:
        findings.append(_anchors(records))
    if training is None:
        return tuple(findings)
    findings.append(_weights(training))
    if not training.num_moved:
        return tuple(findings)
    findings.append(_rate(training))
    fits = evaluation is not None and (evaluation.ap50 or 0.0) >= GOAL
    if not findings[-1].is_sound and not fits:
        return tuple(findings)
    findings.append(_loss("classification", training.first_classification, training.last_classification, fits))
    findings.append(_loss("localization", training.first_localization, training.last_localization, fits))
    if evaluation is not None:
        findings.append(_evaluation(evaluation, learnt=all(one.is_sound for one in findings[-2:])))
    if training.is_out_of_time and not fits:
        sentence = f"the clock ended it after {training.steps} steps; a smaller batch or input_size does more of them"
        findings.append(Finding("time", False, sentence))
    return tuple(findings)


def _records(seen: SeenRecords) -> Finding:
    what = f"{seen.num_boxes} boxes in {seen.num_pictures} pictures"
    mend = "tagbox labels check finds them; then build the records again"
    if not seen.num_boxes:
        return Finding(
            "records", False, f"no box in {seen.num_pictures} pictures: build the records of labelled pictures"
        )
    if seen.num_flat:
        return Finding("records", False, f"{seen.num_flat} of {what} have no area: {mend}")
    if seen.num_outside:
        return Finding("records", False, f"{seen.num_outside} of {what} are no fractions of the picture's size: {mend}")
    if seen.contradiction:
        first, second = seen.contradiction
        sentence = f"{first} and {second} are the same picture with different labels: no network can learn both"
        return Finding("records", False, sentence)
    return Finding("records", True, what)


def _anchors(seen: SeenRecords) -> Finding:
    share = seen.anchor_share or 0.0
    sentence = f"{100 * share:.0f} % of the boxes have an anchor with an IoU of 0.5 or more"
    if share >= _ANCHOR_SHARE:
        return Finding("anchors", True, sentence)
    if seen.smallest:
        sentence += f"; the smallest without is {seen.smallest[0]:.0f}x{seen.smallest[1]:.0f} pixels of the input"
    return Finding(
        "anchors",
        False,
        f"{sentence}: a larger task.model.input_size, a smaller task.model.anchors.min_scale or other aspect_ratios",
    )


def _weights(seen: SeenTraining) -> Finding:
    if not seen.num_variables:
        return Finding("weights", False, "nothing is trained: everything is frozen (task.model.backbone.freeze...)")
    if seen.num_moved:
        return Finding("weights", True, f"{seen.num_moved} of {seen.num_variables} weights move")
    if not seen.learning_rate:
        sentence = f"no weight moves in {seen.steps} steps: the learning rate is 0"
    else:
        sentence = f"no weight moves in {seen.steps} steps at a rate of {seen.learning_rate:g}: raise it or freeze less"
    return Finding("weights", False, sentence)


def _rate(seen: SeenTraining) -> Finding:
    last, first = seen.last_loss, seen.first_loss
    at = f"at a learning rate of {seen.learning_rate:g}"
    less = "take a tenth of it, a warm-up, or clip gradients (global_clipnorm)"
    if not math.isfinite(last):
        return Finding("rate", False, f"the loss is not a number after {seen.steps} steps {at}: {less}")
    if last > _EXPLODED * first:
        return Finding("rate", False, f"the loss explodes from {first:.4g} to {last:.4g} {at}: {less}")
    if last > first:
        return Finding("rate", False, f"the loss rises from {first:.4g} to {last:.4g} {at}: {less}")
    return Finding("rate", True, f"{seen.learning_rate:g}")


_LOSS_ADVICE = {
    "classification": "labels that contradict each other, a rate too low, or a predictor that is frozen",
    "localization": "boxes that do not belong to their pictures, a rate too low, or a predictor that is frozen",
}


def _loss(part: str, first: float, last: float, fits: bool) -> Finding:
    sentence = f"the loss goes from {first:.4g} to {last:.4g}"
    if fits or last <= _FALLEN * first:
        return Finding(part, True, sentence)
    return Finding(part, False, f"{sentence}, which is no learning by heart: {_LOSS_ADVICE[part]}")


def _evaluation(seen: SeenEvaluation, *, learnt: bool) -> Finding:
    ap50 = seen.ap50 or 0.0
    sentence = f"AP50 is {ap50:.3f} on the same pictures"
    if ap50 >= GOAL:
        return Finding("evaluation", True, sentence)
    if not seen.num_detections:
        threshold = f"nothing scores above task.model.detections.score_threshold ({seen.score_threshold:g})"
        return Finding("evaluation", False, f"{sentence}: {threshold}")
    if (seen.classless_ap50 or 0.0) >= min(GOAL, ap50 + 0.3):
        shifted = f"and {seen.classless_ap50:.3f} when all classes count as one"
        return Finding("evaluation", False, f"{sentence}, {shifted}: ids of the label map and of the records differ")
    if seen.evaluation_loss > 3.0 * seen.training_loss:
        lag = f"the loss is {seen.training_loss:.3g} in training and {seen.evaluation_loss:.3g} in evaluation"
        return Finding(
            "evaluation",
            False,
            f"{sentence}: {lag}: batch norm's statistics lag behind (task.model.batch_norm.momentum), or the weights "
            "were made with others (task.model.batch_norm.freeze)",
        )
    return Finding("evaluation", not learnt, f"{sentence}, though the losses are low" if learnt else sentence)
