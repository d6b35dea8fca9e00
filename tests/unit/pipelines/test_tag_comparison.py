"""Tag classifiers side by side: their stored scores, intervals, and a test that is wrong as rarely as it says."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from collectors.errors import ConfigError, InputError
from pipelines.classification.tag_answers import TagAnswers, judge_tag, tag_figures, thresholds_of
from pipelines.classification.tag_comparison import compare_taggers
from pipelines.classification.tag_evidence import read_tag_scores, write_tag_answers
from pipelines.classification.tag_intervals import weighted_average_precision
from pipelines.report.comparison_page import write_comparison
from pipelines.run_directory import RunDirectory
from pipelines.run_kinds import TAGGER

TAGS = ("blue", "round", "tall")
_LEVELS = st.sampled_from([0.1, 0.25, 0.5, 0.75])


def evaluated_run(folder, *, skill, seed, count=80, names=TAGS, scale=1.0, first=0, truth=None):
    """Write what an evaluation leaves of a network whose scores rise by ``skill`` where a tag is there."""
    if truth is None:
        truth = np.random.default_rng(5).uniform(size=(count, len(names))) < 0.35
    noise = np.random.default_rng(seed).normal(size=truth.shape)
    scores = (scale / (1 + np.exp(1 - skill * truth - noise))).astype(np.float32)
    answers = TagAnswers(np.arange(count), truth, np.zeros(count, bool), scores, np.ones(count, np.float32))
    figures = tag_figures(answers, names)
    run = RunDirectory(folder)
    folder.mkdir(parents=True)
    run.config_path.write_text("experiment: cnn_tag_classifier\n")
    pictures = [f"p{number:03}.jpg" for number in range(first, first + count)]
    write_tag_answers(folder, answers, pictures, names, thresholds_of(figures, names))
    run.write_results({**figures, "loss": 0.1, "step": 100, "checkpoint": "best"})
    return run


def test_the_figures_are_those_of_the_evaluation_with_an_interval_around(tmp_path):
    run = evaluated_run(tmp_path / "a", skill=1.5, seed=1)
    (only,) = compare_taggers([run], resamples=300)
    results = run.read_results()
    for name in ("mAP", "micro_F1"):
        found = getattr(only, name)
        assert found.value == pytest.approx(results[name], abs=1e-9)
        assert 0 < found.low < found.value < found.high < 1
    assert (only.name, only.step, only.num_images, only.difference) == ("a", 100, 80, None)


@given(st.data(), st.integers(1, 25))
def test_a_picture_that_counts_twice_is_two_pictures(data, count):
    truth = data.draw(arrays.arrays(np.bool_, count))
    scores = data.draw(arrays.arrays(np.float64, count, elements=_LEVELS))
    weights = data.draw(arrays.arrays(np.int64, (3, count), elements=st.integers(0, 3)))
    for found, row in zip(weighted_average_precision(truth, scores, weights), weights, strict=True):
        wanted = judge_tag(np.repeat(truth, row), np.repeat(scores, row).astype(np.float32)).AP
        assert np.isnan(found) if wanted is None else found == pytest.approx(wanted)


def test_a_clear_difference_is_found_and_chance_is_not(tmp_path):
    base = evaluated_run(tmp_path / "base", skill=1.0, seed=1)
    better = evaluated_run(tmp_path / "better", skill=4.0, seed=2)
    alike = evaluated_run(tmp_path / "alike", skill=1.0, seed=3)
    first, second, third = compare_taggers([base, better, alike], resamples=400)
    assert first.difference is None
    assert second.difference.mAP.value == pytest.approx(second.mAP.value - first.mAP.value)
    assert second.difference.mAP.low > 0 < second.difference.micro_F1.low
    assert max(second.difference.p_map, second.difference.p_micro_f1) < 0.01
    assert third.difference.mAP.low < 0 < third.difference.mAP.high
    assert min(third.difference.p_map, third.difference.p_micro_f1) > 0.05


def test_smaller_probabilities_in_the_same_order_are_no_difference(tmp_path):
    runs = [evaluated_run(tmp_path / name, skill=1.0, seed=1, scale=scale) for name, scale in (("a", 1.0), ("b", 0.1))]
    difference = compare_taggers(runs, resamples=100)[1].difference
    assert (difference.mAP.value, difference.mAP.low, difference.mAP.high, difference.p_map) == (0, 0, 0, 1.0)
    assert (difference.micro_F1.value, difference.p_micro_f1) == (0, 1.0)


def test_the_test_is_wrong_as_rarely_as_it_says(tmp_path):
    """Of pairs of equally good runs about one in ten has a p-value of a tenth or less; scales of scores differ."""
    found = []
    for trial in range(60):
        truth = np.random.default_rng((9, trial)).uniform(size=(30, 3)) < 0.4
        runs = [
            evaluated_run(tmp_path / f"{trial}{name}", skill=1.0, seed=2 * trial + place, count=30, truth=truth,
                          scale=(1.0, 0.3)[place])
            for place, name in enumerate("ab")
        ]  # fmt: skip
        difference = compare_taggers(runs, resamples=100, seed=trial)[1].difference
        found.append((difference.p_map, difference.p_micro_f1))
    for values in np.array(found).T:
        assert (values <= 0.1).sum() <= 14  # with 6 expected, more than 14 has a chance of 1 in 1,000
        assert (values <= 0.5).sum() >= 15


def test_the_same_seed_gives_the_same_table(tmp_path):
    runs = [evaluated_run(tmp_path / name, skill=1.0, seed=place) for place, name in enumerate("ab")]
    assert compare_taggers(runs, resamples=100, seed=3) == compare_taggers(runs, resamples=100, seed=3)
    assert compare_taggers(runs, resamples=100, seed=3) != compare_taggers(runs, resamples=100, seed=4)


def test_runs_on_other_pictures_or_tags_are_not_tested_against_each_other(tmp_path):
    base = evaluated_run(tmp_path / "base", skill=1.0, seed=1)
    elsewhere = evaluated_run(tmp_path / "elsewhere", skill=1.0, seed=1, first=20)
    renamed = evaluated_run(tmp_path / "renamed", skill=1.0, seed=1, names=("blue", "round", "small"))
    # The order of outputs is no other question.
    turned = evaluated_run(tmp_path / "turned", skill=1.0, seed=1, names=TAGS[::-1],
                           truth=np.random.default_rng(5).uniform(size=(80, 3))[:, ::-1] < 0.35)  # fmt: skip
    _, other, also_other, same = compare_taggers([base, elsewhere, renamed, turned], resamples=100)
    assert other.not_comparable == "it was evaluated on other pictures (60 of 80 are also those of base)"
    assert also_other.not_comparable == "the tags to find are not those of base"
    assert (same.not_comparable, same.difference is None) == ("", False)


def test_without_a_tag_or_a_picture_nothing_is_defined(tmp_path):
    runs = [evaluated_run(tmp_path / name, skill=1.0, seed=1, count=4, truth=np.zeros((4, 3), bool)) for name in "ab"]
    found = compare_taggers(runs, resamples=100)[1]
    assert (found.mAP.value, found.micro_F1.value, found.difference.p_map) == (None, None, None)
    empty = evaluated_run(tmp_path / "empty", skill=1.0, seed=1, count=0, truth=np.zeros((0, 3), bool))
    assert compare_taggers([empty], resamples=100)[0].num_images == 0
    write_comparison(runs, compare_taggers(runs, resamples=100), tmp_path / "page.html", TAGGER)
    assert "cannot be tested against a: their mAP is not defined" in (tmp_path / "page.html").read_text()


def test_the_page_says_what_was_tested_and_json_takes_it(tmp_path):
    runs = [evaluated_run(tmp_path / name, skill=skill, seed=1) for name, skill in (("a", 1.0), ("b", 3.0))]
    compared = compare_taggers(runs, resamples=100)
    write_comparison(runs, compared, tmp_path / "page.html", TAGGER)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "exchanging the two runs&#x27; ranks of the pictures" in page or "ranks of the pictures" in page
    assert all(word in page for word in ("mAP of a", "micro_F1", "AP a", "AP b", "round"))
    assert json.loads(json.dumps(asdict(compared[1])))["difference"]["p_map"] < 0.05


def test_what_was_stored_is_read_and_the_bytes_are_the_same_again(tmp_path):
    run = evaluated_run(tmp_path / "a", skill=1.0, seed=1, count=7)
    again = evaluated_run(tmp_path / "b", skill=1.0, seed=1, count=7)
    assert (run.path / "tag_scores.npz").read_bytes() == (again.path / "tag_scores.npz").read_bytes()
    stored = read_tag_scores(run.path)
    assert (stored.pictures[0], stored.tags, stored.scores.dtype) == ("p000.jpg", TAGS, np.float32)
    for tag, truth in zip(TAGS, stored.truth.T, strict=True):
        assert truth.sum() == run.read_results()["per_class"][tag]["num_truth"]


@given(st.binary(max_size=200), st.integers(0, 5000))
def test_other_bytes_are_refused_in_words(tmp_path_factory, content, cut):
    run = evaluated_run(tmp_path_factory.mktemp("any") / "a", skill=1.0, seed=1, count=3)
    path = run.path / "tag_scores.npz"
    whole = path.read_bytes()
    for damaged in (content, whole[: cut % len(whole)]):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="is not what an evaluation of a tag classifier writes"):
            read_tag_scores(run.path)


def test_what_cannot_be_compared_is_said(tmp_path):
    run = evaluated_run(tmp_path / "a", skill=1.0, seed=1)
    with pytest.raises(ConfigError, match="a run stands twice"):
        compare_taggers([run, run])
    (run.path / "tag_scores.npz").unlink()
    with pytest.raises(InputError, match=r"was not evaluated.*tagbox eval"):
        compare_taggers([run])
