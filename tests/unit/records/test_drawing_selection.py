"""Which drawings go where: exact numbers, nothing in both splits, and nothing that ever changes sides."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.errors import ConfigError
from records.drawing_selection import SplitSizes, choose_splits, first_of_each, mix, order_of, shared_hashes

_HASHES = st.lists(st.integers(0, 2**64 - 1), unique=True, min_size=1, max_size=60)


def _numbers(values):
    return np.array(values, np.uint64)


@given(_HASHES, st.data())
def test_sizes_are_exact_and_the_splits_disjoint(values, data):
    train = data.draw(st.integers(0, len(values)))
    evaluation = data.draw(st.integers(0 if train else 1, len(values) - train)) if train < len(values) else 0
    training, verification = choose_splits(_numbers(values), SplitSizes(train, evaluation))
    assert (len(training), len(verification)) == (train, evaluation)
    assert not set(training.tolist()) & set(verification.tolist())


@given(_HASHES, _HASHES, st.integers(1, 20), st.integers(1, 20), st.randoms())
def test_no_drawing_changes_sides_when_others_are_added(values, more, train, evaluation, chance):
    if len(values) < train + evaluation:
        return
    sizes = SplitSizes(train, evaluation)
    before = _names(values, sizes)
    together = list({*values, *more})
    chance.shuffle(together)
    after = _names(together, sizes)
    assert not before[0] & after[1]
    assert not before[1] & after[0]


@given(_HASHES, _HASHES, st.floats(0, 1), st.text(max_size=5))
def test_by_share_every_drawing_keeps_its_split(values, more, share, salt):
    sizes = SplitSizes(eval_share=share, salt=salt)
    before = _names(values, sizes)
    after = _names(list({*values, *more}), sizes)
    assert before[0] | before[1] == set(values)
    assert before[0] <= after[0]
    assert before[1] <= after[1]


def test_the_share_is_kept_and_the_order_knows_nothing_of_the_split():
    hashes = np.random.default_rng(5).integers(0, 2**64, 20_000, np.uint64, endpoint=False)
    training, verification = choose_splits(hashes, SplitSizes(eval_share=0.2))
    assert 0.18 < len(verification) / len(hashes) < 0.22
    training, _ = choose_splits(hashes, SplitSizes(1000, 1000))
    # The highest ranks were taken; in the shuffled order they stand from the beginning to the end.
    place = order_of(hashes[training], "tagbox").astype(np.float64) / 2**64
    assert 0.45 < place.mean() < 0.55
    assert place.min() < 0.01
    assert place.max() > 0.99


@given(st.lists(st.integers(0, 2**64 - 1), unique=True), st.text())
def test_mixing_keeps_numbers_apart_and_follows_the_salt(values, salt):
    mixed = mix(_numbers(values), salt)
    assert len(set(mixed.tolist())) == len(values)
    assert mixed.tolist() == mix(_numbers(values), salt).tolist()
    if len(values) > 1:
        assert mixed.tolist() != mix(_numbers(values), salt + "x").tolist()


@given(st.lists(st.lists(st.integers(0, 30), unique=True), max_size=5))
def test_shared_hashes_are_those_of_several_classes(classes):
    expected = sorted({one for some in classes for one in some if sum(one in other for other in classes) > 1})
    assert shared_hashes([_numbers(one) for one in classes]).tolist() == expected


def test_shared_hashes_do_not_depend_on_how_many_fit_into_memory(monkeypatch):
    chance = np.random.default_rng(2)
    both = chance.integers(0, 2**64, 7, np.uint64)
    classes = [np.concatenate([chance.integers(0, 2**64, 100, np.uint64), both]) for _ in range(3)]
    at_once = shared_hashes(classes).tolist()
    monkeypatch.setattr("records.drawing_selection._MOST_AT_ONCE", 10)
    assert shared_hashes(classes).tolist() == at_once == sorted(both.tolist())


def test_first_of_each_keeps_the_order():
    assert first_of_each(_numbers([7, 3, 7, 9, 3])).tolist() == [0, 1, 3]
    assert first_of_each(_numbers([])).tolist() == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"train_size": 5}, "go together"),
        ({"eval_size": 5}, "go together"),
        ({"train_size": 0, "eval_size": 0}, "no drawing"),
        ({"eval_share": 1.5}, "from 0 to 1"),
    ],
)
def test_impossible_sizes_are_refused(options, words):
    with pytest.raises(ConfigError, match=words):
        SplitSizes(**options)


def _names(values, sizes):
    hashes = _numbers(values)
    return tuple({values[index] for index in indices.tolist()} for indices in choose_splits(hashes, sizes))
