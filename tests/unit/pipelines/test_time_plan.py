"""How a time budget is filled with steps."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.errors import ConfigError
from pipelines.time_plan import FINISH_S, LEAST_STEPS, Configured, MeasuredTimes, in_minutes, plan_time, steps_in

CONFIGURED = Configured(train_steps=1500, decay_steps=1500, warmup_steps=50, steps_per_loop=10)
MEASURED = MeasuredTimes(step_s=0.5, evaluation_s=6.0, start_s=20.0, evaluation_start_s=10.0)


def _seconds(plan, elapsed_s):
    """What a plan takes on the machine it was made for."""
    at = plan.measured
    before = elapsed_s + at.start_s + at.evaluation_start_s + FINISH_S
    return before + plan.train_steps * at.step_s + plan.evaluations * at.evaluation_s


def test_fifteen_minutes_on_a_machine_of_two_cores():
    plan = plan_time(15, MEASURED, CONFIGURED, elapsed_s=40.0)
    assert plan.train_steps == 1530  # (900 - 75 - 10 * 6) / 0.5
    assert plan.decay_steps == plan.train_steps
    assert plan.warmup_steps == 51
    assert (plan.validation_interval, plan.evaluations) == (153, 10)
    assert plan.steps_per_loop == 10
    assert plan.summary(8) == (
        "15 minutes: 1530 steps of 8 pictures (0.5 s each), evaluated every 153 steps (6 s each time), "
        "warm-up of 51 steps, the rate at its end at step 1530"
    )


def test_evaluations_take_a_tenth_at_most():
    plan = plan_time(10, MeasuredTimes(0.5, 29.0, 20.0, 10.0), CONFIGURED, elapsed_s=0.0)
    assert plan.evaluations == 2


def test_a_validation_interval_of_the_command_line_stays():
    configured = Configured(1500, 1500, 50, 10, validation_interval=100)
    plan = plan_time(15, MEASURED, configured, elapsed_s=40.0)
    assert plan.validation_interval == 100
    assert _seconds(plan, 40.0) <= 900
    assert 900 - _seconds(plan, 40.0) < MEASURED.step_s + MEASURED.evaluation_s


def test_a_schedule_without_an_end_and_no_warm_up_stay_so():
    plan = plan_time(15, MEASURED, Configured(1500, 0, 0, 10), elapsed_s=0.0)
    assert (plan.decay_steps, plan.warmup_steps) == (0, 0)


def test_too_little_time_is_refused_with_the_least_that_is_enough():
    with pytest.raises(
        ConfigError, match=r"1 minutes are too short: 20 steps of 0\.5 s.*need 1\.4.*--minutes 1\.4"
    ) as caught:
        plan_time(1, MEASURED, CONFIGURED, elapsed_s=30.0)
    assert "an evaluation (6 s)" in str(caught.value)
    assert plan_time(1.4, MEASURED, CONFIGURED, elapsed_s=30.0).train_steps >= LEAST_STEPS


seconds = st.floats(0.01, 30.0)


@given(
    st.floats(0.1, 300.0), seconds, st.one_of(st.just(0.0), seconds), seconds, seconds, st.sampled_from([0, 50, 250])
)
def test_a_plan_fills_the_budget_and_never_exceeds_it(minutes, step_s, evaluation_s, start_s, elapsed_s, interval):
    measured = MeasuredTimes(step_s, evaluation_s, start_s, 2.0 if evaluation_s else 0.0)
    configured = Configured(1500, 1500, 50, 10, interval)
    try:
        plan = plan_time(minutes, measured, configured, elapsed_s=elapsed_s)
    except ConfigError:
        least = elapsed_s + start_s + measured.evaluation_start_s + FINISH_S + evaluation_s + LEAST_STEPS * step_s
        assert 60 * minutes < least
        return
    taken = _seconds(plan, elapsed_s)
    assert taken <= 60 * minutes + 1e-6
    # What is left over is less than a step and its evaluation, or than evaluations that rounding saved.
    assert 60 * minutes - taken < step_s + 10 * evaluation_s + 1e-6
    assert plan.train_steps >= 1
    assert plan.decay_steps == plan.train_steps
    assert 0 < plan.warmup_steps <= max(1, plan.train_steps // 10)
    assert 1 <= plan.steps_per_loop <= 10


@given(st.floats(0, 1e4), seconds, st.one_of(st.just(0.0), seconds), st.integers(1, 300))
def test_steps_fit_with_their_evaluations_and_one_more_would_not(left, step_s, evaluation_s, interval):
    steps = steps_in(left, step_s=step_s, evaluation_s=evaluation_s, interval=interval)

    def needed(count):
        return count * step_s + math.ceil(count / interval) * evaluation_s

    assert steps == 0 or needed(steps) <= left + 1e-6
    assert needed(steps + 1) > left - 1e-6


def test_minutes_are_rounded_up():
    assert in_minutes(84.0) == 1.4
    assert in_minutes(84.1) == 1.5
