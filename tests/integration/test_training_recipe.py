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
