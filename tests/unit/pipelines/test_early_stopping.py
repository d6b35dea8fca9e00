"""When a run ends early, told from the rows of results.csv alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.tf


def _rows(figures, *, every=10):
    rows = []
    for number, figure in enumerate(figures, start=1):
        rows.append({"step": str(number * every), "loss": "3.0", "AP50": "", "validation_loss": ""})
        shown = "" if figure is None else f"{figure:.5f}"
        rows.append({"step": str(number * every), "loss": "", "AP50": shown, "validation_loss": shown})
    return rows


def _reason(figures, *, metric="AP50", lower=False, **settings):
    from pipelines.early_stopping import EarlyStopping, reason_to_stop

    rows = _rows(figures)
    return reason_to_stop(
        rows, EarlyStopping(**settings), step=10 * len(figures), metric=metric, lower_is_better=lower
    )  # fmt: skip


def test_patience_counts_evaluations_without_a_better_figure():
    assert _reason([0.2, 0.5, 0.4], patience=2) == ""
    assert (
        _reason([0.2, 0.5, 0.4, 0.5], patience=2) == "AP50 has not been better than 0.5000 (step 20) in 2 evaluations"
    )
    assert _reason([0.2, 0.5, 0.4, 0.51], patience=2) == ""


def test_a_gain_that_is_too_small_is_none():
    assert "by more than 0.1 in 2" in _reason([0.50, 0.55, 0.59], patience=2, min_delta=0.1)
    assert _reason([0.50, 0.55, 0.61], patience=2, min_delta=0.1) == ""


def test_a_loss_is_better_when_it_is_lower():
    assert _reason([9.0, 8.0, 7.0], metric="validation_loss", lower=True, patience=1) == ""
    assert _reason([7.0, 8.0], metric="validation_loss", lower=True, patience=1)


def test_figures_that_are_not_defined_count_as_no_better_ones():
    assert _reason([None, None], patience=2) == "AP50 was not defined in 2 evaluations"
    assert _reason([0.3, None, None], patience=2)
    assert _reason([], patience=1) == ""


def test_nothing_ends_before_min_steps_or_without_patience():
    assert _reason([0.5, 0.4, 0.3], patience=2, min_steps=31) == ""
    assert _reason([0.5, 0.4, 0.3], patience=2, min_steps=30)
    assert _reason([0.5] * 50, patience=0) == ""


@given(st.lists(st.one_of(st.none(), st.integers(0, 10)), max_size=12), st.integers(1, 4))
def test_it_ends_exactly_when_the_newest_best_is_so_long_ago(figures, patience):
    best, place = -1, 0
    for number, figure in enumerate(figures, start=1):
        if figure is not None and figure > best:
            best, place = figure, number
    assert bool(_reason(figures, patience=patience)) == (len(figures) - place >= patience)
