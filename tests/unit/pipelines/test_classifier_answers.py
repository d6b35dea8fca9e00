"""Figures of a classifier, the file of its answers, two of them side by side, pictures of mistakes."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from collectors.errors import ConfigError, InputError
from pipelines.classification.answers import Answers, confusion_counts, figures_of
from pipelines.classification.comparison import compare_classifiers
from pipelines.classification.mosaic import Tile, draw_mosaic
from pipelines.classification.predictions_file import StoredAnswer, read_answers, write_answers
from pipelines.run_directory import RunDirectory
from pipelines.run_kinds import CLASSIFIER, DETECTOR, kind_of

HEAD = "picture,truth,found1,score1\n"
NAMES = ["ant", "bee", "cat", "dog", "elk", "fox"]


def _answers(truth, outputs):
    truth = np.asarray(truth, np.int32)
    outputs = np.asarray(outputs, np.int32).reshape(len(truth), -1)
    scores = np.full(outputs.shape, 1 / 6, np.float32)
    return Answers(np.arange(len(truth)), truth, outputs, scores, np.zeros(len(truth), np.float32))


def test_figures_by_hand():
    found = figures_of(
        _answers(
            [0, 0, 1, 2, 2, -1],
            [[0, 1, 2, 3, 4], [1, 0, 2, 3, 4], [1, 0, 2, 3, 4], [0, 1, 3, 4, 5], [3, 2, 0, 1, 4], [0, 1, 2, 3, 4]],
        ),
        NAMES,
    )
    assert found["top1"] == pytest.approx(2 / 6)
    assert found["top5"] == pytest.approx(4 / 6)
    assert found["macro_top1"] == pytest.approx((1 / 2 + 1 + 0) / 3)  # of classes that have pictures
    assert found["per_class"]["ant"] == {"top1": 0.5, "precision": 0.5, "num_truth": 2}
    assert found["per_class"]["bee"] == {"top1": 1.0, "precision": 0.5, "num_truth": 1}
    assert found["per_class"]["cat"] == {"top1": 0.0, "precision": None, "num_truth": 2}
    assert found["per_class"]["fox"] == {"top1": None, "precision": None, "num_truth": 0}
    assert (found["num_images"], found["num_unknown"]) == (6, 1)
    low, high = found["intervals"]["top1"]
    assert 0 <= low < 2 / 6 < high <= 1


def test_without_pictures_nothing_is_defined():
    found = figures_of(Answers.joined([]), NAMES)
    assert found["top1"] is found["top5"] is found["macro_top1"] is found["intervals"]["top1"] is None
    assert (found["num_images"], found["num_unknown"]) == (0, 0)


@given(st.lists(st.tuples(st.integers(-1, 5), st.permutations(range(6))), min_size=1, max_size=40))
def test_figures_agree_with_counting(pairs):
    answers = _answers([truth for truth, _ in pairs], [order[:5] for _, order in pairs])
    found = figures_of(answers, NAMES)
    assert found["top1"] == pytest.approx(sum(truth == order[0] for truth, order in pairs) / len(pairs))
    assert found["top5"] == pytest.approx(sum(truth in order[:5] for truth, order in pairs) / len(pairs))
    counts = confusion_counts(answers, 6)
    assert counts.sum() == len(pairs) - found["num_unknown"]
    assert np.diag(counts).sum() == round(found["top1"] * len(pairs))


_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
_SCORES = st.floats(0, 1, width=32)


@given(st.lists(st.tuples(_TEXT, _TEXT, st.lists(st.tuples(_TEXT, _SCORES), min_size=1, max_size=5)), max_size=10))
def test_answers_come_back_from_their_file(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("run")
    written = [
        StoredAnswer(picture, truth, tuple(name for name, _ in found), tuple(score for _, score in found))
        for picture, truth, found in rows
    ]
    write_answers(folder, written)
    for ours, back in zip(written, read_answers(folder), strict=True):
        assert (back.picture, back.truth, back.found) == (ours.picture, ours.truth, ours.found)
        assert back.scores == pytest.approx(ours.scores, rel=1e-5, abs=1e-30)


@pytest.mark.parametrize("text", ["", "a,b\n", f"{HEAD}a,b,c\n", f"{HEAD}a,b,c,x\n"])
def test_a_file_that_is_something_else_is_named(tmp_path, text):
    (tmp_path / "predictions.csv").write_text(text)
    with pytest.raises(InputError, match=r"predictions\.csv: is not what an evaluation of a classifier writes"):
        read_answers(tmp_path)


def _run(folder, right, *, names="abcdefgh", count=400):
    """A run whose answers are right in a share of the pictures."""
    folder.mkdir()
    (folder / "config.yaml").write_text("experiment: cnn_classifier\n")
    chance = np.random.default_rng(3)
    hits = chance.random(count) < right
    rows = [
        StoredAnswer(f"{names}#{number}", "cat", ("cat", "dog") if hit else ("dog", "elk"), (0.9, 0.1))
        for number, hit in enumerate(hits)
    ]
    write_answers(folder, rows)
    RunDirectory(folder).write_results({"top1": float(hits.mean()), "step": 7})
    return RunDirectory(folder), float(hits.mean())


def test_a_better_run_is_better_by_more_than_chance_and_an_equal_one_is_not(tmp_path):
    (first, share), (better, more), (equal, _) = (
        _run(tmp_path / "a", 0.6), _run(tmp_path / "b", 0.75), _run(tmp_path / "c", 0.6)
    )  # fmt: skip
    found = compare_classifiers([first, better, equal])
    assert [one.name for one in found] == ["a", "b", "c"]
    assert found[0].top1.value == pytest.approx(share)
    assert found[0].difference is None
    assert found[1].difference.top1.value == pytest.approx(more - share)
    assert found[1].difference.top1.low > 0
    assert found[1].difference.p_top1 < 0.01
    assert found[2].difference.top1.value == 0
    assert found[2].difference.p_top1 == 1.0
    assert found == compare_classifiers([first, better, equal])


def test_p_is_that_of_the_sign_test(tmp_path):
    first, _ = _run(tmp_path / "a", 1.0, count=40)
    second, share = _run(tmp_path / "b", 0.8, count=40)
    lost = round((1 - share) * 40)
    exact = 2 / 2**lost  # all differing pictures are lost by the same run
    found = compare_classifiers([first, second], resamples=20_000)[1].difference.p_top1
    assert found == pytest.approx(exact, abs=4 * math.sqrt(exact / 20_000) + 1e-4)


def test_other_pictures_cannot_be_tested_and_a_run_stands_once(tmp_path):
    (first, _), (other, _) = _run(tmp_path / "a", 0.6), _run(tmp_path / "b", 0.6, names="other")
    assert "other pictures (0 of 400" in compare_classifiers([first, other])[1].not_comparable
    with pytest.raises(ConfigError, match="twice"):
        compare_classifiers([first, first])


def test_the_kind_of_a_run_follows_from_its_experiment():
    assert kind_of("cnn_classifier") is CLASSIFIER
    assert kind_of("ssd_mobilenet_v1") is DETECTOR


def test_a_mosaic_has_a_tile_for_each_picture_and_says_mistakes_in_red():
    image = Image.new("L", (28, 28), 255)
    tiles = [Tile(image, "cat", "cat", 0.9), Tile(image, "dog", "кот" * 40, 0.4), Tile(image, "a", "a", None)]
    mosaic = draw_mosaic(tiles, columns=2)
    assert mosaic is not None
    assert mosaic.size == (2 * 116 + 4, 2 * 146 + 4)
    pixels = np.asarray(mosaic)
    right, wrong = pixels[4, 40], pixels[4, 116 + 40]
    assert right[1] > right[0]
    assert wrong[0] > wrong[1]
    assert draw_mosaic([]) is None
