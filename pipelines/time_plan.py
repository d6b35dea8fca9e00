"""The arithmetic of a time budget: how many steps fit, and how evaluations and rates are spread over them."""

import dataclasses
import math

from collectors.errors import ConfigError

LEAST_STEPS = 20
_EVALUATION_SHARE = 0.1
_MOST_EVALUATIONS = 10
# A loop of steps is the grain of the budget: it is not left in the middle.
_LOOP_SHARE = 0.01
# The report and the last checkpoint.
FINISH_S = 5.0


@dataclasses.dataclass(frozen=True, slots=True)
class MeasuredTimes:
    """What a machine needs, in seconds.

    Attributes:
        step_s: One training step, with its input.
        evaluation_s: One evaluation of the whole verification set; 0 where the process does not evaluate.
        start_s: What comes before the first step: building and tracing.
        evaluation_start_s: What the first evaluation needs beside that: tracing.
    """

    step_s: float
    evaluation_s: float
    start_s: float
    evaluation_start_s: float


@dataclasses.dataclass(frozen=True, slots=True)
class TimePlan:
    """How a run fills its minutes.

    Attributes:
        minutes: The budget, from the start of the command to its end.
        train_steps: Steps in all.
        decay_steps: Where the schedule of the learning rate ends; 0 for one that does not end.
        warmup_steps: Of its warm-up.
        validation_interval: Steps between two evaluations; there is one at the last step.
        steps_per_loop: Steps between two looks at the clock.
        measured: What it was planned from.
    """

    minutes: float
    train_steps: int
    decay_steps: int
    warmup_steps: int
    validation_interval: int
    steps_per_loop: int
    measured: MeasuredTimes

    @property
    def evaluations(self) -> int:
        """How often the run is evaluated, the last step included; 0 without evaluation."""
        return math.ceil(self.train_steps / self.validation_interval) if self.measured.evaluation_s else 0

    def summary(self, batch_size: int) -> str:
        """Return the plan in a line."""
        text = f"{self.minutes:g} minutes: {self.train_steps} steps of {batch_size} pictures"
        text += f" ({self.measured.step_s:.2g} s each)"
        if self.evaluations:
            text += f", evaluated every {self.validation_interval} steps ({self.measured.evaluation_s:.2g} s each time)"
        if self.warmup_steps:
            text += f", warm-up of {self.warmup_steps} steps"
        return text + (f", the rate at its end at step {self.decay_steps}" if self.decay_steps else "")


@dataclasses.dataclass(frozen=True, slots=True)
class Configured:
    """What the config says without a budget: the shares are kept.

    ``decay_steps`` is 0 for a schedule that does not end, ``validation_interval`` 0 where it is to be planned.
    """

    train_steps: int
    decay_steps: int
    warmup_steps: int
    steps_per_loop: int
    validation_interval: int = 0


def plan_time(minutes: float, measured: MeasuredTimes, configured: Configured, *, elapsed_s: float) -> TimePlan:
    """Fill a budget with steps.

    Args:
        minutes: The budget.
        measured: What the machine needs.
        configured: What the config says without a budget.
        elapsed_s: What is used up already.

    Raises:
        ConfigError: It is too short for `LEAST_STEPS` steps and an evaluation; the message has the least that is not.
    """
    total_s = 60.0 * minutes
    evaluates = measured.evaluation_s > 0
    before_s = elapsed_s + measured.start_s + measured.evaluation_start_s
    least_s = before_s + measured.evaluation_s + LEAST_STEPS * measured.step_s + FINISH_S
    if total_s < least_s:
        raise ConfigError(
            f"{minutes:g} minutes are too short: {LEAST_STEPS} steps of {measured.step_s:.2g} s, what comes before "
            f"them ({before_s:.0f} s)"
            + (f" and an evaluation ({measured.evaluation_s:.0f} s)" if evaluates else "")
            + f" need {in_minutes(least_s):g}",
            where="--minutes",
            fix=f"Give --minutes {in_minutes(least_s):g} or more; a smaller task.model.input_size or batch needs less.",
        )
    left_s = total_s - before_s - FINISH_S
    if configured.validation_interval and evaluates:
        interval = configured.validation_interval
        steps = max(1, steps_in(left_s, step_s=measured.step_s, evaluation_s=measured.evaluation_s, interval=interval))
    else:
        affordable = int(_EVALUATION_SHARE * total_s / measured.evaluation_s) if evaluates else 1
        evaluations = min(_MOST_EVALUATIONS, max(1, affordable))
        steps = int((left_s - evaluations * measured.evaluation_s) / measured.step_s)
        if steps < LEAST_STEPS:
            evaluations, steps = 1, int((left_s - measured.evaluation_s) / measured.step_s)
        interval = math.ceil(steps / evaluations)
    share = steps / configured.train_steps
    return TimePlan(
        minutes=minutes,
        train_steps=steps,
        decay_steps=max(1, round(configured.decay_steps * share)) if configured.decay_steps else 0,
        warmup_steps=max(1, min(round(configured.warmup_steps * share), steps // 10)) if configured.warmup_steps else 0,
        validation_interval=interval,
        steps_per_loop=max(1, min(configured.steps_per_loop, int(_LOOP_SHARE * total_s / measured.step_s))),
        measured=measured,
    )


def steps_in(seconds: float, *, step_s: float, evaluation_s: float, interval: int) -> int:
    """Return how many more steps fit with their evaluations, one of which ends them; at least 0."""
    # Each interval of steps is followed by an evaluation, and so is a last part of one.
    whole = max(0.0, seconds) // (interval * step_s + evaluation_s)
    rest = max(0.0, seconds) - whole * (interval * step_s + evaluation_s) - evaluation_s
    return int(whole) * interval + max(0, min(interval, int(rest / step_s)))


def in_minutes(seconds: float) -> float:
    """Return seconds as minutes, rounded up to a tenth."""
    return math.ceil(seconds / 6.0) / 10.0
