"""A run that ends on time: the plan is kept in the run folder, and made anew where the machine keeps another pace."""

import dataclasses
import json
import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from collectors.errors import ConfigError
from collectors.files import write_atomically
from pipelines.checkpoint_files import checkpoints_in
from pipelines.experiment import Experiment
from pipelines.run_directory import RunDirectory
from pipelines.time_plan import FINISH_S, Configured, MeasuredTimes, TimePlan, plan_time, steps_in

_FILE = "time_budget.json"
_STEPS = "trainer.train_steps"
_RATE = "trainer.optimizer_config.learning_rate"
_WARMUP = "trainer.optimizer_config.warmup"
_INTERVAL = "trainer.validation_interval"
# How far off the plan may be, and how often it is looked at, as shares of the budget.
_TOLERANCE, _PAUSE = 0.02, 0.05
# Over which share of the budget the pace is taken, before and after the end is near.
_RECENT, _NEWEST, _END = 0.1, 0.02, 0.15


class TimeBudget:
    """The clock of a run with a budget.

    Args:
        plan: What the run begins with.
        run: Its folder.
        used_s: What earlier sessions used.
        clock: Seconds that this session has used.
    """

    def __init__(self, plan: TimePlan, run: RunDirectory, *, used_s: float, clock: Callable[[], float]) -> None:
        self.plan = plan
        self._run, self._used_before, self._clock = run, used_s, clock
        self._warmup: tf.Variable | None = None
        self._schedules: list[tuple[tf.Variable, float]] = []
        self._loops: list[tuple[int, float]] = []
        self._evaluation_s: float | None = None
        self._is_traced = False
        self._last: tuple[int, float] | None = None
        self._reviewed_s = self.used_s

    @property
    def used_s(self) -> float:
        """Seconds used by all sessions."""
        return self._used_before + self._clock()

    def begin(self, optimizer: Any, *, validation_interval: int) -> None:
        """Take hold of the learning rate's schedule, which is built by now.

        Args:
            optimizer: Of the run.
            validation_interval: Steps between two evaluations, as the run has settled it.
        """
        self.plan = dataclasses.replace(self.plan, validation_interval=validation_interval)
        schedule = optimizer.learning_rate
        if self.plan.warmup_steps and hasattr(schedule, "_warmup_steps"):
            self._warmup = tf.Variable(float(self.plan.warmup_steps), trainable=False, name="warmup_steps")
            schedule._warmup_steps = self._warmup
        schedule = getattr(schedule, "_after_warmup_lr_sched", schedule)
        if self.plan.decay_steps and hasattr(schedule, "decay_steps"):
            # The traced step reads the variable: another end of the schedule needs no other trace.
            end = tf.Variable(float(self.plan.decay_steps), trainable=False, name="decay_steps")
            schedule.decay_steps = end
            self._schedules.append((end, self.plan.decay_steps / self.plan.train_steps))
        self.write()

    def after_loop(self, step: int, *, evaluates: bool) -> str:
        """Look at the clock after a loop of steps, and plan anew where the plan is off.

        Args:
            step: Where the run stands.
            evaluates: Whether this process evaluates.

        Returns:
            What changed, in a sentence; empty when the plan holds. ``plan`` is the new one then.
        """
        now = self.used_s
        if self._last and step > self._last[0]:
            self._loops.append((step - self._last[0], now - self._last[1]))
        self._last = (step, now)
        total_s = 60.0 * self.plan.minutes
        if not self._loops or now - self._reviewed_s < min(_PAUSE * total_s, max(0.0, total_s - now) / 4):
            return ""
        self._reviewed_s = now
        left_s = total_s - now - FINISH_S
        # Near the end what counts is how fast it is now.
        step_s = self._pace((_NEWEST if left_s < _END * total_s else _RECENT) * total_s)
        slowness = step_s / self.plan.measured.step_s
        if evaluates and not self._is_traced:
            left_s -= slowness * self.plan.measured.evaluation_start_s
        interval = self.plan.validation_interval
        # Evaluations stand at multiples of the interval, wherever the run is.
        to_next = interval - step % interval
        evaluation_s = 0.0
        if evaluates:
            evaluation_s = self._evaluation_s or slowness * self.plan.measured.evaluation_s
        if step % interval == 0:
            left_s -= evaluation_s  # it is evaluated right now
        fitting = int((left_s - evaluation_s) / step_s)
        if fitting > to_next:
            first_s = to_next * step_s + evaluation_s
            fitting = to_next + steps_in(left_s - first_s, step_s=step_s, evaluation_s=evaluation_s, interval=interval)
        total = step + max(0, fitting)
        if (over := total % interval) < interval / 8 and total - over >= step:
            total -= over  # a few steps more are not worth an evaluation of their own
        if abs(total - self.plan.train_steps) * step_s <= _TOLERANCE * total_s:
            self.write()
            return ""
        before, self.plan = self.plan, self._with_total(total)
        for variable, share in self._schedules:
            variable.assign(max(1.0, share * total))
        if self._warmup is not None and step < self.plan.warmup_steps:
            warmup = max(1, round(before.warmup_steps * total / before.train_steps))
            self._warmup.assign(float(warmup))
            self.plan = dataclasses.replace(self.plan, warmup_steps=warmup)
        self.write()
        turned = "slower" if total < before.train_steps else "faster"
        return (
            f"the machine is {turned} than it was ({step_s:.2g} s a step): {total} steps in all instead of "
            f"{before.train_steps} end in time"
        )

    def _pace(self, window_s: float) -> float:
        """Return the seconds of a step over the newest loops that together took so long."""
        steps, seconds = 0, 0.0
        for loop_steps, loop_s in reversed(self._loops):
            steps, seconds = steps + loop_steps, seconds + loop_s
            if seconds >= window_s:
                break
        return max(seconds / steps, 1e-6)

    def after_evaluation(self, seconds: float) -> None:
        """Take the time of an evaluation, which is no training time; the first of a session is traced as well."""
        if self._is_traced:
            self._evaluation_s = seconds
        self._is_traced = True
        self._last = (self._last[0], self.used_s) if self._last else None

    def write(self) -> None:
        """Keep the plan and the time used in the run folder."""
        content = {"used_s": round(self.used_s, 1), "plan": dataclasses.asdict(self.plan)}
        write_atomically(self._run.path / _FILE, json.dumps(content, indent=2) + "\n")

    def _with_total(self, total: int) -> TimePlan:
        share = self.plan.decay_steps / self.plan.train_steps
        return dataclasses.replace(
            self.plan, train_steps=total, decay_steps=max(1, round(share * total)) if share else 0
        )


def new_budget(
    experiment: Experiment,
    run: RunDirectory,
    minutes: float,
    *,
    measure: Callable[[], MeasuredTimes],
    clock: Callable[[], float],
) -> TimeBudget:
    """Measure the machine, plan the run, and set the experiment's steps and schedule accordingly.

    Args:
        experiment: Checked and completed by `pipelines.preflight.prepare`; changed in place.
        run: The folder, of a run that has no checkpoint yet.
        minutes: The budget.
        measure: Measures; see `pipelines.time_measurement.measure_times`.
        clock: Seconds since the command was started.

    Raises:
        ConfigError: The budget is too short, or the command line also gives steps.
    """
    refuse_contradiction(experiment, minutes)
    plan = plan_time(minutes, measure(), _configured(experiment), elapsed_s=clock())
    _apply(experiment, plan)
    return TimeBudget(plan, run, used_s=0.0, clock=clock)


def kept_budget(
    experiment: Experiment, run: RunDirectory, minutes: float | None, *, clock: Callable[[], float]
) -> TimeBudget | None:
    """Return the budget of a run that is gone on with, and set the experiment accordingly.

    Args:
        experiment: Changed in place.
        run: The folder.
        minutes: What the command line says now; ``None`` keeps what was said.
        clock: Seconds since the command was started.

    Returns:
        The budget; ``None`` for a run without one, without a checkpoint, or whose steps the command line gives.

    Raises:
        ConfigError: The command line gives another budget, or steps beside it.
    """
    path = run.path / _FILE
    if not checkpoints_in(run.last_checkpoints):
        return None
    if not path.is_file():
        if minutes is not None:
            raise ConfigError(
                "this run was begun without --minutes",
                where=str(run.path),
                fix="Leave --minutes out, or choose another folder with --run.",
            )
        return None
    if minutes is None and experiment.origins.get(_STEPS) == "--set":
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    plan = TimePlan(**{**content["plan"], "measured": MeasuredTimes(**content["plan"]["measured"])})
    if minutes is not None and minutes != plan.minutes:
        raise ConfigError(
            f"this run was planned for {plan.minutes:g} minutes",
            where=str(run.path),
            fix=f"Go on with --minutes {plan.minutes:g}, train longer with --set {_STEPS}=N, or take another folder.",
        )
    refuse_contradiction(experiment, plan.minutes)
    _apply(experiment, plan)
    return TimeBudget(plan, run, used_s=float(content["used_s"]), clock=clock)


def refuse_contradiction(experiment: Experiment, minutes: float) -> None:
    """Refuse steps on the command line beside a budget, and a budget that is no time.

    Raises:
        ConfigError: One of them.
    """
    if not math.isfinite(minutes) or minutes <= 0:
        raise ConfigError(f"{minutes:g} is no time", where="--minutes", fix="Give minutes, such as --minutes 15.")
    for key in (_STEPS, f"{_RATE}.cosine.decay_steps", f"{_RATE}.polynomial.decay_steps"):
        if experiment.origins.get(key) == "--set":
            raise ConfigError(
                f"--minutes {minutes:g} decides `{key}`, which --set decides as well",
                where="--minutes",
                fix="Leave one of the two out.",
            )


def _configured(experiment: Experiment) -> Configured:
    trainer = experiment.params.trainer
    rate, warmup = trainer.optimizer_config.learning_rate, trainer.optimizer_config.warmup
    return Configured(
        train_steps=trainer.train_steps,
        decay_steps=rate.get().decay_steps if rate.type in ("cosine", "polynomial") else 0,
        warmup_steps=warmup.get().warmup_steps if warmup.type else 0,
        steps_per_loop=trainer.steps_per_loop,
        validation_interval=trainer.validation_interval if experiment.origins.get(_INTERVAL) == "--set" else 0,
    )


def _apply(experiment: Experiment, plan: TimePlan) -> None:
    origin = f"--minutes {plan.minutes:g}"
    optimizer = experiment.params.trainer.optimizer_config
    values = {_STEPS: plan.train_steps, _INTERVAL: plan.validation_interval}
    values["trainer.steps_per_loop"] = plan.steps_per_loop
    if plan.decay_steps:
        values[f"{_RATE}.{optimizer.learning_rate.type}.decay_steps"] = plan.decay_steps
    if plan.warmup_steps:
        values[f"{_WARMUP}.{optimizer.warmup.type}.warmup_steps"] = plan.warmup_steps
    for key, value in values.items():
        experiment.set(key, value, origin)
