"""Figures of a tag classifier: average precision, thresholds, F1; and which tags a picture is given."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipelines.classification.tag_answers import TagAnswers, judge_tag, tag_figures, thresholds_of
from pipelines.classification.tag_evidence import write_tag_answers
from pipelines.classification.tag_intervals import tag_intervals
from pipelines.run_kinds import CLASSIFIER, TAGGER, kind_of

NAMES = ("red", "round", "shown nowhere")
# Scores by hand; the last tag is on no picture.
TRUTH = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0]], bool)
SCORES = np.array([[0.9, 0.8, 0.1], [0.4, 0.3, 0.2], [0.6, 0.8, 0.6], [0.1, 0.9, 0.1]], np.float32)


def _answers(truth=TRUTH, scores=SCORES):
    count = len(truth)
    return TagAnswers(np.arange(count), truth, np.zeros(count, bool), scores, np.ones(count, np.float32))


def test_figures_by_hand():
    figures = tag_figures(_answers(), NAMES)
    red, round_, nowhere = (figures["per_class"][name] for name in NAMES)
    # Red: right at rank 1 and 3. Round: wrong at rank 1, then two of one score, which count together.
    assert red["AP"] == pytest.approx((1 + 2 / 3) / 2)
    assert round_["AP"] == pytest.approx(2 / 3)
    assert (red["F1"], red["precision"], red["recall"]) == pytest.approx((0.8, 2 / 3, 1))
    assert red["threshold"] == pytest.approx((0.4 + 0.1) / 2)
    assert round_["threshold"] == pytest.approx((0.8 + 0.3) / 2)
    assert nowhere == {"AP": None, "F1": None, "threshold": 0.5, "precision": 0, "recall": None, "num_truth": 0,
                       "AP_by_chance": None}  # fmt: skip
    assert (red["AP_by_chance"], figures["mAP_by_chance"]) == (0.5, 0.5)
    assert figures["mAP"] == pytest.approx((5 / 6 + 2 / 3) / 2)
    assert figures["micro_F1"] == pytest.approx(2 * 4 / (6 + 4))
    assert figures["macro_F1"] == pytest.approx(0.8)
    # The likeliest: red, red, round, round.
    assert figures["top1"] == 0.75
    assert figures["intervals"]["top1"][0] <= 0.75 <= figures["intervals"]["top1"][1]


def test_intervals_lie_around_the_figures():
    chance = np.random.default_rng(3)
    truth = chance.uniform(size=(60, 3)) < [0.5, 0.3, 0.0]
    answers = _answers(truth, (0.3 * truth + chance.uniform(size=truth.shape)).astype(np.float32))
    figures, intervals = tag_figures(answers, NAMES), tag_intervals(answers, NAMES)
    assert list(intervals["per_class"]) == ["red", "round"]
    pairs = [(figures["mAP"], intervals["mAP"])]
    pairs += [(figures["per_class"][name]["AP"], row["AP"]) for name, row in intervals["per_class"].items()]
    for value, (low, high) in pairs:
        assert 0 < low < value < high < 1
    assert tag_intervals(TagAnswers(), NAMES)["mAP"] is None


def test_random_scores_reach_what_is_called_chance():
    chance = np.random.default_rng(4)
    truth = chance.uniform(size=(4000, 3)) < [0.5, 0.2, 0.1]
    figures = tag_figures(_answers(truth, chance.uniform(size=truth.shape).astype(np.float32)), NAMES)
    assert figures["mAP"] == pytest.approx(figures["mAP_by_chance"], abs=0.02)


def test_without_a_picture_nothing_is_defined():
    figures = tag_figures(TagAnswers(), NAMES)
    assert [figures[name] for name in ("mAP", "top1", "micro_F1", "macro_F1", "num_images")] == [None] * 4 + [0]
    assert list(figures["per_class"]) == list(NAMES)


@given(st.data(), st.integers(1, 30))
def test_threshold_and_average_precision_are_those_of_trying_every_score(data, count):
    truth = data.draw(arrays.arrays(np.bool_, count))
    # Few scores, so that many are equal.
    scores = data.draw(arrays.arrays(np.float32, count, elements=st.sampled_from([0.1, 0.25, 0.5, 0.75, 0.875])))
    found = judge_tag(truth, scores)
    total = int(truth.sum())
    if not total:
        assert found.AP is None
        return
    average, last, best = 0.0, 0.0, 0.0
    for level in sorted(set(scores.tolist()), reverse=True):
        given_ = scores >= level
        right = int((given_ & truth).sum())
        average += (right / total - last) * right / int(given_.sum())
        last = right / total
        best = max(best, 2 * right / (int(given_.sum()) + total))
    assert pytest.approx(average) == found.AP
    assert found.as_dict()["F1"] == pytest.approx(best)
    # The threshold itself leads to the stated counts.
    given_ = scores >= found.threshold
    assert (int(given_.sum()), int((given_ & truth).sum())) == (found.found, found.right)


def test_the_file_has_what_a_picture_has_and_what_it_is_given(tmp_path):
    answers = _answers()
    thresholds = thresholds_of(tag_figures(answers, NAMES), NAMES)
    write_tag_answers(tmp_path, answers, ["a", "b", "c", "d"], NAMES, thresholds)
    rows = (tmp_path / "tag_predictions.csv").read_text().splitlines()
    assert rows[:3] == ["picture,tag,truth,found,score", "a,red,1,1,0.9", "a,round,1,1,0.8"]
    assert [row for row in rows if row.startswith("d,")] == ["d,round,0,1,0.9"]


def test_thresholds_without_an_evaluation_are_a_half():
    assert thresholds_of(None, NAMES).tolist() == [0.5] * 3
    assert thresholds_of({"per_class": {"round": {"threshold": 0.2}}}, NAMES).tolist() == [0.5, 0.2, 0.5]


def test_a_tag_classifier_is_a_kind_of_its_own():
    assert kind_of("mobilenet_tag_classifier") is TAGGER
    assert kind_of("mobilenet_classifier") is CLASSIFIER
