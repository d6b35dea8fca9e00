"""The clock of a run with a budget: its steps and its schedule follow the pace of the machine."""

import json
from types import SimpleNamespace

import pytest

from collectors.errors import ConfigError
from pipelines.run_directory import RunDirectory
from pipelines.time_plan import FINISH_S, MeasuredTimes, TimePlan

pytestmark = pytest.mark.tf

MEASURED = MeasuredTimes(step_s=1.0, evaluation_s=10.0, start_s=20.0, evaluation_start_s=5.0)
PLAN = TimePlan(10.0, 500, 500, 25, 100, 5, MEASURED)


class Machine:
    """A run of a budget on a machine whose pace a test decides; time stands still between the calls."""

    def __init__(self, run, plan=PLAN, used_s=0.0):
        from official.modeling.optimization import lr_schedule

        from pipelines.time_budget import TimeBudget

        self.now, self.step, self.said = 45.0, 0, []
        self.budget = TimeBudget(plan, run, used_s=used_s, clock=lambda: self.now)
        cosine = lr_schedule.CosineDecayWithOffset(initial_learning_rate=0.02, decay_steps=plan.decay_steps)
        self.schedule = lr_schedule.LinearWarmup(cosine, plan.warmup_steps, 0.0)
        self.budget.begin(SimpleNamespace(learning_rate=self.schedule), validation_interval=plan.validation_interval)

    def run(self, step_s, *, until=10**9, evaluation_s=10.0):
        """Train and evaluate as `pipelines.train` does; return the rate at the end."""
        while self.step < min(self.budget.plan.train_steps, until):
            due = (self.step // 100 + 1) * 100
            while self.step < min(due, self.budget.plan.train_steps, until):
                count = min(5, due - self.step, self.budget.plan.train_steps - self.step)
                self.step += count
                self.now += count * step_s
                if change := self.budget.after_loop(self.step, evaluates=True):
                    self.said.append(change)
            self.now += evaluation_s
            self.budget.after_evaluation(evaluation_s)
        return float(self.schedule(self.step))


@pytest.fixture
def run(tmp_path):
    return RunDirectory(tmp_path / "run")


def test_a_machine_that_keeps_its_pace_keeps_the_plan(run):
    machine = Machine(run)
    assert machine.run(1.0) == pytest.approx(0.0, abs=1e-6)
    assert (machine.step, machine.said) == (500, [])


@pytest.mark.parametrize("step_s", [0.5, 1.5, 2.0, 4.0])
def test_a_run_ends_on_time_at_the_end_of_its_schedule_at_another_pace(run, step_s):
    machine = Machine(run)
    machine.run(1.0, until=100)
    rate = machine.run(step_s)
    assert machine.now + FINISH_S == pytest.approx(600, rel=0.05)
    assert rate == pytest.approx(0.0, abs=2e-4)
    assert machine.said
    assert ("faster" if step_s < 1 else "slower") in machine.said[0]


def test_a_machine_far_slower_than_measured_has_a_warm_up_that_fits_its_steps(run):
    machine = Machine(run)
    machine.run(10.0, until=10)
    plan = machine.budget.plan
    assert plan.train_steps < 60
    assert plan.warmup_steps == pytest.approx(plan.train_steps * 25 / 500, abs=1)
    assert float(machine.schedule(plan.warmup_steps)) == pytest.approx(0.02, rel=0.05)
    assert machine.run(10.0) == pytest.approx(0.0, abs=2e-4)


def test_a_machine_that_turns_slow_near_the_end_still_ends_on_time(run):
    machine = Machine(run)
    machine.run(1.0, until=450)
    machine.run(5.0)
    assert machine.now <= 600 * 1.05


def test_slow_evaluations_count_as_well(run):
    machine = Machine(run)
    machine.run(1.0, evaluation_s=40.0)
    assert machine.now + FINISH_S <= 600 * 1.05


def test_a_run_that_is_gone_on_with_has_the_rest_of_its_minutes(run):
    machine = Machine(run)
    machine.run(1.0, until=200)
    kept = json.loads((run.path / "time_budget.json").read_text())
    assert kept["plan"]["train_steps"] == 500
    # The new session needs its 45 seconds again before the first step.
    again = Machine(run, PLAN, used_s=machine.now)
    again.step = 200
    again.run(1.0)
    assert machine.now + again.now + FINISH_S == pytest.approx(600, rel=0.05)


# --- what is kept, and what contradicts it --------------------------------------------------------------------------


def _experiment(tmp_path, *overrides):
    from pipelines.experiment import load_experiment

    path = tmp_path / "bare.yaml"
    path.write_text("experiment: ssd_mobilenet_v1\n", encoding="utf-8")
    return load_experiment(path, ["trainer.optimizer_config.learning_rate.cosine.decay_steps=1500", *overrides])


def test_a_new_run_gets_its_plan_and_an_old_one_keeps_it(run, tmp_path):
    from pipelines.time_budget import kept_budget, new_budget

    experiment = _experiment(tmp_path)
    experiment.origins.clear()
    assert kept_budget(experiment, run, 10.0, clock=lambda: 0.0) is None
    budget = new_budget(experiment, run, 10.0, measure=lambda: MEASURED, clock=lambda: 30.0)
    trainer = experiment.params.trainer
    assert trainer.train_steps == budget.plan.train_steps == 480  # 600 - 30 - 25 - 5 - 6 * 10 seconds
    assert trainer.optimizer_config.learning_rate.cosine.decay_steps == 480
    assert trainer.validation_interval == 80
    assert experiment.origins["trainer.train_steps"] == "--minutes 10"
    budget.write()
    run.last_checkpoints.mkdir(parents=True)
    (run.last_checkpoints / "ckpt-80.index").touch()
    for minutes in (None, 10.0):
        again = _experiment(tmp_path)
        again.origins.clear()
        kept = kept_budget(again, run, minutes, clock=lambda: 0.0)
        assert again.params.trainer.train_steps == 480
        assert kept.plan == budget.plan
        assert kept.used_s == pytest.approx(30.0)
    with pytest.raises(ConfigError, match=r"planned for 10 minutes.*Go on with --minutes 10"):
        kept_budget(_experiment(tmp_path), run, 20.0, clock=lambda: 0.0)
    # Longer than planned, on purpose.
    assert kept_budget(_experiment(tmp_path, "trainer.train_steps=900"), run, None, clock=lambda: 0.0) is None
    (run.path / "time_budget.json").unlink()
    with pytest.raises(ConfigError, match="begun without --minutes"):
        kept_budget(_experiment(tmp_path), run, 10.0, clock=lambda: 0.0)


@pytest.mark.parametrize(
    ("minutes", "overrides", "words"),
    [
        (10.0, ["trainer.train_steps=500"], "--minutes 10 decides `trainer.train_steps`, which --set decides as well"),
        (float("nan"), [], "nan is no time"),
        (float("inf"), [], "inf is no time"),
        (0.0, [], "0 is no time"),
        (-3.0, [], "-3 is no time"),
    ],
)
def test_contradictions_are_refused_before_anything_is_measured(tmp_path, run, minutes, overrides, words):
    from pipelines.time_budget import new_budget

    experiment = _experiment(tmp_path, *overrides)
    experiment.origins.pop("trainer.optimizer_config.learning_rate.cosine.decay_steps")
    with pytest.raises(ConfigError, match=words):
        new_budget(experiment, run, minutes, measure=lambda: pytest.fail("measured"), clock=lambda: 0.0)
