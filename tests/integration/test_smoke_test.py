"""The smoke test on a small detector: it learns, and where one part is broken that part is named."""

import dataclasses

import pytest

from labeling.voc import read_annotation, write_annotation
from pipelines.experiment import load_experiment
from pipelines.preflight import prepare
from records.build import build_records
from tests.support.command import tagbox_here
from tests.support.tiny_training import make_records, make_shapes, write_tiny_config

pytestmark = pytest.mark.tf

RATE = "trainer.optimizer_config.learning_rate.cosine.initial_learning_rate"


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """Records of eight pictures and the config of a small detector."""
    root = tmp_path_factory.mktemp("smoke")
    return make_records(root), write_tiny_config(root)


def _smoke(config, records, *overrides, steps=15):
    from pipelines.smoke_test import smoke_test

    experiment = load_experiment(config, overrides)
    return smoke_test(experiment, prepare(experiment, records), seconds=600, most_steps=steps)


def test_a_sound_detector_learns_eight_pictures_by_heart_and_leaves_nothing_behind(shapes, tmp_path, monkeypatch):
    import pipelines.smoke_test

    monkeypatch.setattr(pipelines.smoke_test, "SECONDS", 600.0)  # the machine may be busy
    records, config = shapes
    run = tmp_path / "run"
    answer = tagbox_here("train", config, "--records", records, "--run", run, "--smoke")
    assert answer.code == 0, answer.err
    assert "it learns: AP50 " in answer.err
    assert [line.split()[0] for line in answer.out.splitlines()[1:] if line.strip()] == [
        "records", "anchors", "weights", "rate", "classification", "localization", "evaluation",
    ]  # fmt: skip
    assert not run.exists()


def test_nothing_moves_at_a_rate_of_zero(shapes, tmp_path):
    records, config = shapes
    words = ("--records", records, "--run", tmp_path / "run", "--smoke", "--set", f"{RATE}=0")
    answer = tagbox_here("train", config, *words)
    assert answer.code == 1
    assert "it does not learn (15 steps in" in answer.err
    assert "weights: no weight moves in 15 steps: the learning rate is 0" in answer.err


def test_a_rate_that_is_too_high_is_named(shapes):
    records, config = shapes
    found = _smoke(config, records, f"{RATE}=1e9", "trainer.optimizer_config.optimizer.sgd.global_clipnorm=null")
    assert not found.fits
    assert found.broken.part == "rate"


def test_labels_that_contradict_each_other_and_tiny_boxes_are_named(tmp_path):
    config = write_tiny_config(tmp_path)
    data = make_shapes(tmp_path / "data")
    for path in sorted(data.glob("*/training/*.xml")):
        annotation = read_annotation(path)
        (one,) = annotation.objects
        box = dataclasses.replace(one.box, xmax=one.box.xmin + 3, ymax=one.box.ymin + 3)
        write_annotation(dataclasses.replace(annotation, objects=(dataclasses.replace(one, box=box),)), path)
    # The same picture once as a disc, once as a square.
    picture = (data / "disc" / "training" / "images" / "disc_training_0.jpg").read_bytes()
    (data / "square" / "training" / "images" / "square_training_0.jpg").write_bytes(picture)
    build_records(data, tmp_path / "records", jobs=1)
    found = _smoke(config, tmp_path / "records")
    findings = {finding.part: finding for finding in found.findings}
    assert found.broken.part == "records"
    assert "disc_training_0.jpg and square_training_0.jpg are the same picture with different labels" in (
        findings["records"].sentence
    )
    assert not findings["anchors"].is_sound
    assert "0 % of the boxes have an anchor" in findings["anchors"].sentence


def test_records_without_a_single_box_are_not_trained_on(tmp_path):
    from tests.support.tiny_training import add_shape

    for number in range(2):
        add_shape(tmp_path / "data", "disc", "training", f"empty_{number}", seed=number, labeled=False)
    add_shape(tmp_path / "data", "disc", "verification", "full", seed=9)
    build_records(tmp_path / "data", tmp_path / "records", jobs=1)
    found = _smoke(write_tiny_config(tmp_path), tmp_path / "records")
    assert (found.fits, found.steps) == (False, 0)
    assert found.broken.part == "records"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--smoke", "--minutes", "3"], "--smoke trains no run; leave --minutes out"),
        (["--smoke", "--board"], "--smoke trains no run; leave --board out"),
        (["--minutes", "3", "--workers", "a:1,b:2", "--task", "0"], "--minutes plans for this machine alone"),
    ],
)
def test_options_that_exclude_each_other(shapes, words, said):
    records, config = shapes
    answer = tagbox_here("train", config, "--records", records, *words)
    assert answer.code == 2
    assert said in answer.err
