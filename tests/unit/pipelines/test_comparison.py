"""Which run is better: intervals, and a test that finds a difference that is there and none that is not."""

import json

import numpy as np
import pytest

from collectors.errors import ConfigError, InputError
from pipelines.comparison import compare
from pipelines.detection_record import DetectionRecord, coco_dataset
from pipelines.metrics import evaluate_detections
from pipelines.run_directory import RunDirectory

NAMES = {1: "cat", 2: "dog"}


def evaluated_run(folder, *, hit_share, noise_seed, num_images=30, first_image=1, names=None):
    """Write what an evaluation leaves of a detector that finds this share of the boxes, and some that are not there."""
    names = names or NAMES
    truth, chance = np.random.default_rng(7), np.random.default_rng(noise_seed)
    record = DetectionRecord()
    for image_id in range(first_image, first_image + num_images):
        corner, side = truth.uniform(0, 0.5, (2, 2)), truth.uniform(0.2, 0.4, (2, 2))
        boxes = np.concatenate([corner, corner + side], axis=1)
        keep = chance.uniform(size=2) < hit_share
        wrong = np.asarray([[0.0, 0.0, 0.05, 0.05]])
        record.add_image(
            image_id, width=200, height=160, boxes=boxes, classes=np.asarray([1, 2]), is_crowd=np.zeros(2),
            areas=np.full(2, 2000.0), detected_boxes=np.concatenate([boxes[keep], wrong]),
            detected_classes=np.concatenate([np.asarray([1, 2])[keep], [1]]),
            scores=chance.uniform(0, 1, int(keep.sum()) + 1),
        )  # fmt: skip
    run = RunDirectory(folder)
    folder.mkdir(parents=True)
    run.config_path.write_text("experiment: ssd_mobilenet_v1\n")
    (folder / "ground_truth.json").write_text(json.dumps(coco_dataset(record, names)))
    (folder / "detections.json").write_text(json.dumps(record.detections))
    figures = evaluate_detections(record, names)
    run.write_results({**figures, "step": 100, "checkpoint": "best"})
    for step in (50, 100):
        run.append_row({"step": step, "loss": f"{10 / step:.3f}", "AP": "", "AP50": ""})
        run.append_row({"step": step, "loss": "", "AP": f"{figures['AP']:.5f}", "AP50": f"{figures['AP50']:.5f}"})
    return run


def test_the_figures_are_those_of_the_evaluation_with_an_interval_around(tmp_path):
    run = evaluated_run(tmp_path / "a", hit_share=0.6, noise_seed=1)
    (only,) = compare([run], resamples=300)
    results = run.read_results()
    for name in ("AP", "AP50"):
        interval = getattr(only, name)
        assert interval.value == pytest.approx(results[name], abs=1e-9)
        assert 0 <= interval.low < interval.value < interval.high <= 1
    assert only.AP50.high - only.AP50.low > 0.05  # thirty pictures are few
    assert (only.name, only.step, only.num_images, only.difference) == ("a", 100, 30, None)


def test_more_pictures_give_a_narrower_interval(tmp_path):
    few, many = (
        evaluated_run(tmp_path / str(count), hit_share=0.6, noise_seed=1, num_images=count) for count in (20, 200)
    )
    narrow, wide = (compare([run], resamples=200)[0].AP50 for run in (many, few))
    assert narrow.high - narrow.low < 0.6 * (wide.high - wide.low)


def test_a_clear_difference_is_found_and_chance_is_not(tmp_path):
    base = evaluated_run(tmp_path / "base", hit_share=0.5, noise_seed=1)
    better = evaluated_run(tmp_path / "better", hit_share=0.95, noise_seed=2)
    alike = evaluated_run(tmp_path / "alike", hit_share=0.5, noise_seed=3)
    first, second, third = compare([base, better, alike], resamples=400)
    assert first.difference is None
    assert second.difference.AP50.value == pytest.approx(second.AP50.value - first.AP50.value)
    assert second.difference.AP50.low > 0
    assert second.difference.p_ap50 < 0.01
    assert second.difference.p_ap < 0.01
    assert third.difference.AP50.low < 0 < third.difference.AP50.high
    assert third.difference.p_ap50 > 0.05


def test_equal_runs_differ_by_nothing(tmp_path):
    runs = [evaluated_run(tmp_path / name, hit_share=0.5, noise_seed=1) for name in ("a", "b")]
    difference = compare(runs, resamples=100)[1].difference
    assert (difference.AP.value, difference.AP.low, difference.AP.high) == (0, 0, 0)
    assert difference.p_ap == 1.0


def test_the_test_is_wrong_as_rarely_as_it_says(tmp_path):
    """Of pairs of equally good runs, about one in ten has a p-value of a tenth or less."""
    values = []
    for trial in range(40):
        runs = [
            evaluated_run(tmp_path / f"{trial}{name}", hit_share=0.5, noise_seed=2 * trial + place, num_images=15)
            for place, name in enumerate("ab")
        ]
        values.append(compare(runs, resamples=100, seed=trial)[1].difference.p_ap50)
    assert sum(value <= 0.1 for value in values) <= 10  # with 4 expected, more than 10 has a chance of 1 in 1,000
    assert sum(value <= 0.5 for value in values) >= 8


def test_the_same_seed_gives_the_same_table(tmp_path):
    runs = [evaluated_run(tmp_path / name, hit_share=0.5, noise_seed=place) for place, name in enumerate("ab")]
    assert compare(runs, resamples=100, seed=3) == compare(runs, resamples=100, seed=3)
    assert compare(runs, resamples=100, seed=3) != compare(runs, resamples=100, seed=4)


def test_runs_on_other_pictures_or_classes_are_not_tested_against_each_other(tmp_path):
    base = evaluated_run(tmp_path / "base", hit_share=0.5, noise_seed=1)
    elsewhere = evaluated_run(tmp_path / "elsewhere", hit_share=0.5, noise_seed=1, first_image=11)
    renamed = evaluated_run(tmp_path / "renamed", hit_share=0.5, noise_seed=1, names={1: "cat", 2: "fox"})
    _, other, also_other = compare([base, elsewhere, renamed], resamples=100)
    assert other.difference is None
    assert other.not_comparable == "it was evaluated on other pictures (20 of 30 are also those of base)"
    assert also_other.not_comparable == "the boxes or classes to find are not those of base"


def test_runs_of_one_name_are_told_apart_by_their_folders(tmp_path):
    runs = [evaluated_run(tmp_path / place / "run", hit_share=0.5, noise_seed=1) for place in ("old", "new")]
    assert [one.name for one in compare(runs, resamples=100)] == ["old/run", "new/run"]


def test_what_cannot_be_compared_is_said(tmp_path):
    run = evaluated_run(tmp_path / "a", hit_share=0.5, noise_seed=1)
    with pytest.raises(ConfigError, match="a run stands twice"):
        compare([run, run])
    with pytest.raises(ConfigError, match="nothing to compare"):
        compare([])
    with pytest.raises(InputError, match="is not the folder of a run"):
        compare([RunDirectory(tmp_path / "nowhere")])
    (run.path / "detections.json").unlink()
    with pytest.raises(InputError, match=r"was not evaluated.*tagbox eval"):
        compare([run])
    (run.path / "detections.json").write_text("{")
    with pytest.raises(InputError, match="cannot read"):
        compare([run])
    (run.path / "detections.json").write_text('[{"score": 1}]')
    with pytest.raises(InputError, match="is not what an evaluation writes"):
        compare([run])


def test_a_run_without_anything_to_find_has_no_figures(tmp_path):
    run = evaluated_run(tmp_path / "a", hit_share=0.5, noise_seed=1)
    truth = json.loads((run.path / "ground_truth.json").read_text())
    (run.path / "ground_truth.json").write_text(json.dumps({**truth, "annotations": []}))
    (only,) = compare([run], resamples=100)
    assert only.AP.value is None
    assert only.AP50.low is None
