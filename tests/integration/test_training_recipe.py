"""The parts of the recipe that change how a run is trained, judged and ended."""

import pytest

from collectors.errors import ConfigError
from pipelines.experiment import load_experiment
from pipelines.preflight import prepare
from pipelines.run_directory import RunDirectory
from pipelines.train import train
from pipelines.training_progress import InterruptedRunError

pytestmark = pytest.mark.tf


def _train(workshop, run, *overrides, stop_at=None, notices=None, **more):
    """Train as the command does; ``stop_at`` asks for a stop once that step is reached."""
    experiment = load_experiment(workshop.config, overrides)
    steps = [0]
    return train(
        experiment, prepare(experiment, workshop.records), RunDirectory(run), command=["tagbox", "train"],
        report=lambda where: steps.append(where.step), should_stop=lambda: stop_at is not None and steps[-1] >= stop_at,
        notice=([] if notices is None else notices).append, **more,
    )  # fmt: skip


def _column(run, name):
    return [float(row[name]) for row in RunDirectory(run).read_rows() if row[name]]


# --- averaged weights -----------------------------------------------------------------------------------------------

AVERAGED = "trainer.optimizer_config.ema.average_decay=0.8"


@pytest.fixture(scope="module")
def averaged(workshop, tmp_path_factory):
    """A run with averaged weights that was stopped after its first evaluation, and gone on with."""
    run = tmp_path_factory.mktemp("averaged") / "run"
    with pytest.raises(InterruptedRunError):
        _train(workshop, run, AVERAGED, stop_at=15)
    _train(workshop, run, AVERAGED)
    return run


def test_the_average_is_what_is_evaluated_and_what_every_checkpoint_gives(averaged):
    import tensorflow as tf

    from pipelines.evaluate import Validation, checkpoint_prefix, open_run, records_of, restore

    run = RunDirectory(averaged)
    experiment, task, model = open_run(run)
    data = experiment.params.task.validation_data
    data.input_path = [str(path) for path in records_of(run, data.input_path)]
    validation = Validation(task, model)
    at_last = _column(averaged, "validation_loss")[-1]
    assert restore(model, run, "last") == 20
    assert validation.run()["validation_loss"] == pytest.approx(at_last, rel=1e-4)
    # The weights themselves are others, and training goes on from them.
    tf.train.Checkpoint(model=model).read(checkpoint_prefix(run, "last")).expect_partial()
    assert validation.run()["validation_loss"] != pytest.approx(at_last, rel=1e-4)
    best = restore(model, run, "best")
    losses = dict(zip([10, 20], _column(averaged, "validation_loss"), strict=True))
    assert validation.run()["validation_loss"] == pytest.approx(losses[best], rel=1e-4)
    names = [name for name, _ in tf.train.list_variables(checkpoint_prefix(run, "best"))]
    assert not [name for name in names if name.startswith("optimizer")]
    assert not (averaged / "ema_checkpoints").exists()


def test_a_stopped_run_goes_on_with_the_averages_it_had(workshop, averaged, tmp_path):
    _train(workshop, tmp_path / "whole", AVERAGED)
    for name in ("loss", "validation_loss", "AP50"):
        assert _column(averaged, name) == pytest.approx(_column(tmp_path / "whole", name), rel=1e-4, abs=1e-5), name


def test_averaging_changes_what_is_evaluated_and_not_what_is_trained(workshop, averaged):
    for name in ("loss", "classification_loss", "learning_rate"):
        assert _column(averaged, name) == pytest.approx(_column(workshop.run, name), rel=1e-4, abs=1e-5)
    assert _column(averaged, "validation_loss") != pytest.approx(_column(workshop.run, "validation_loss"), rel=1e-4)


def test_a_run_with_averages_is_not_gone_on_with_without_them(workshop, averaged):
    with pytest.raises(ConfigError, match=r"holds a run with averaged weights .*another folder"):
        _train(workshop, averaged)


def test_averages_need_an_optimizer_that_can_be_averaged(workshop):
    with pytest.raises(ConfigError, match=r"optimizer.type` is 'adamw_experimental'.*one of adagrad"):
        load_experiment(workshop.config, [AVERAGED, "trainer.optimizer_config.optimizer.type=adamw_experimental"])
    with pytest.raises(ConfigError, match=r"average_decay` is 1.*below 1"):
        load_experiment(workshop.config, ["trainer.optimizer_config.ema.average_decay=1.0"])


# --- an early end ---------------------------------------------------------------------------------------------------


def test_a_run_that_gets_no_better_ends_early_and_says_so(workshop, tmp_path):
    run, notices = RunDirectory(tmp_path / "run"), []
    # Nothing can get better by 100 within one evaluation.
    early = (
        "trainer.early_stopping.patience=1",
        "trainer.early_stopping.min_delta=100",
        "trainer.validation_interval=5",
    )
    _train(workshop, run.path, *early, notices=notices)
    status = run.read_status()
    assert (status["state"], status["step"], status["total_steps"]) == ("done", 10, 20)
    assert status["reason"].startswith("early stopping: AP50 has not been better than ")
    assert f"the run ends at step 10 of 20 ({status['reason']})" in notices
    assert (run.last_checkpoints / "ckpt-10.index").is_file()
    # Again: the rows of results.csv say the same, and nothing is trained.
    rows, notices = run.read_rows(), []
    _train(workshop, run.path, *early, notices=notices)
    assert run.read_rows() == rows
    assert f"the run ends at step 10 of 20 ({status['reason']})" in notices
    assert run.read_status()["reason"] == status["reason"]
    # Asked to, it goes on, and gets where the run that was never stopped got.
    _train(workshop, run.path, "trainer.early_stopping.patience=0")
    assert "reason" not in run.read_status()
    assert _column(run.path, "loss") == pytest.approx(_column(workshop.run, "loss"), rel=1e-4)


# --- a loss that explodes -------------------------------------------------------------------------------------------


def test_a_loss_that_explodes_ends_the_run_before_it_is_not_a_number(workshop, tmp_path):
    run = RunDirectory(tmp_path / "run")
    with pytest.raises(ConfigError, match=r"blew up: the loss is \d+.* at step \d+, and began at 1\d\.\d+; the checkp"):
        _train(
            workshop, run.path, "trainer.optimizer_config.learning_rate.cosine.initial_learning_rate=30",
            "trainer.optimizer_config.optimizer.sgd.global_clipnorm=null", "trainer.steps_per_loop=2",
            "trainer.checkpoint_interval=2", "trainer.recovery_max_trials=1",
        )  # fmt: skip
    # TFM went back to a checkpoint once: the rows of the first try are gone.
    steps = [int(row["step"]) for row in run.read_rows()]
    assert steps == sorted(set(steps))
    assert run.read_status()["state"] == "failed"


# --- a time budget --------------------------------------------------------------------------------------------------


def test_a_run_with_a_budget_ends_on_time_with_its_schedule_at_its_end(workshop, tmp_path):
    """On a machine that is twice as slow as it was measured; its clock is the number of steps."""
    from pipelines.time_budget import TimeBudget
    from pipelines.time_plan import MeasuredTimes, TimePlan

    run, steps, notices = RunDirectory(tmp_path / "run"), [0], []
    plan = TimePlan(1.0, 50, 50, 5, 25, 5, MeasuredTimes(1.0, 1.0, 0.0, 0.0))
    experiment = load_experiment(workshop.config, ["trainer.train_steps=50", "trainer.validation_interval=25"])
    preflight = prepare(experiment, workshop.records)
    train(
        experiment, preflight, run, command=[], report=lambda where: steps.append(where.step), notice=notices.append,
        budget=TimeBudget(plan, run, used_s=0.0, clock=lambda: 2.0 * steps[-1]),
    )  # fmt: skip
    status = run.read_status()
    assert (status["state"], status["step"], status["total_steps"]) == ("done", 25, 25)
    assert [int(row["step"]) for row in run.read_rows() if row["AP50"]] == [25]
    assert _column(run.path, "learning_rate")[-1] == pytest.approx(0.0, abs=1e-6)
    assert "the machine is slower than it was (2 s a step): 25 steps in all instead of 50 end in time" in notices
