"""Curves of a run: whatever stands in results.csv, a picture comes out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from collectors.errors import InputError
from pipelines.plots import save_chart, save_charts, save_confusion
from pipelines.report.blocks import HeatTable
from pipelines.report.charts import BarChart, Bars, LineChart, Series, axis_range, round_ticks, short_number, thinned
from pipelines.report.comparison_charts import comparison_charts
from pipelines.report.training import (
    curve_of,
    in_words,
    loss_chart,
    rate_chart,
    score_chart,
    speed_chart,
    training_seconds,
)

SCORES = (("AP50", "AP50"), ("AP", "AP (0.50 to 0.95)"))
ROWS = [
    {"step": "10", "loss": "9.5", "classification_loss": "8", "localization_loss": "1", "AP50": "", "AP": ""},
    {"step": "20", "loss": "4.5", "classification_loss": "4", "localization_loss": "0.4", "AP50": "", "AP": ""},
    {"step": "20", "loss": "", "classification_loss": "", "localization_loss": "", "AP50": "0.5", "AP": "0.25"},
]


def test_a_curve_leaves_out_the_empty_cells():
    assert curve_of(ROWS, "loss") == ([10, 20], [9.5, 4.5])
    assert curve_of(ROWS, "AP50") == ([20], [0.5])
    assert curve_of(ROWS, "nothing") == ([], [])
    assert curve_of([], "loss") == ([], [])


def test_the_charts_hold_the_rows():
    losses = loss_chart([*ROWS, {"step": "20", "loss": "", "validation_loss": "6"}])
    assert [(one.name, one.x, one.y) for one in losses.series] == [
        ("training, total", [10, 20], [9.5, 4.5]),
        ("classification", [10, 20], [8, 4]),
        ("localisation", [10, 20], [1, 0.4]),
        ("verification, total", [20], [6]),
    ]
    scores = score_chart(ROWS, SCORES, best_step=20)
    assert [(one.x, one.y) for one in scores.series] == [([20], [0.5]), ([20], [0.25])]
    assert [mark.x for mark in scores.marks] == [20]
    assert score_chart([], SCORES, best_step=20).marks == []


def test_many_points_are_averaged():
    x, y = thinned(list(range(1000)), [float(value % 2) for value in range(1000)], most=100)
    assert (len(x), set(y)) == (100, {0.5})
    assert thinned([1, 2], [3.0, 4.0], most=2) == ([1, 2], [3.0, 4.0])
    assert thinned([], []) == ([], [])


def test_training_time_is_that_of_the_steps_of_every_session():
    def rows(*loops):
        return [{"step": str(step), "steps_per_second": f"{rate:.3f}"} for step, rate in loops]

    assert training_seconds(rows((10, 0), (20, 2.0), (30, 2.5))) == pytest.approx(20 / 2.5)
    # Taken up again at 30: its rate begins anew.
    assert training_seconds(rows((10, 0), (20, 2.0), (30, 2.5), (40, 0), (60, 4.0))) == pytest.approx(8 + 5)
    assert training_seconds(rows((10, 0))) is None
    assert training_seconds([]) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.42, "0.4 s"), (48, "48 s"), (600, "10 min"), (12_000, "3 h 20 min"), (7_140, "1 h 59 min")],
)
def test_durations(seconds, words):
    assert in_words(seconds) == words


@given(st.floats(-1e12, 1e12), st.floats(1e-9, 1e12))
def test_ticks_are_round_and_inside(low, length):
    low, high = axis_range([low, low + length])
    ticks = round_ticks(low, high)
    margin = (high - low) * 1e-6
    assert all(low - margin <= tick <= high + margin for tick in ticks)
    assert len(ticks) <= 12
    assert len(ticks) >= 2 or high - low < abs(low) * 1e-12


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "0"), (0.25, "0.25"), (1500, "1500"), (20000, "20k"), (3e6, "3M"), (0.0004, "0.0004"), (-0.5, "-0.5")],
)
def test_numbers_of_an_axis(value, words):
    assert short_number(value) == words


@pytest.mark.parametrize(
    "rows",
    [
        ROWS,
        [],
        ROWS[:1],
        [*ROWS, {"step": "30", "loss": "nan"}],
        [{"step": "10", "loss": "nan"}],
        [{"step": "10", "loss": "inf"}, {"step": "20", "loss": "1"}],
        [{"step": "10", "loss": "0"}],
    ],
    ids=["usual", "none", "one", "ends in nan", "only nan", "inf", "zero"],
)
def test_any_rows_give_a_picture(tmp_path, rows):
    save_charts([loss_chart(rows), score_chart(rows, SCORES)], tmp_path / "plots" / "training.png")
    with Image.open(tmp_path / "plots" / "training.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > 2 * picture.height > 400


def test_names_of_any_script_and_charts_of_nothing(tmp_path):
    names = ["浣熊", "ракун", "$x$", "_hidden", "راكون"]
    counts = [[0] * 5 for _ in names]
    save_confusion(HeatTable("truth", "detected", names, names, counts), tmp_path / "confusion.png")
    bars = [Bars("浣熊", [1, 2, 3, 4, 0]), Bars("_b", [0, 0, 0, 0, 0])]
    charts = [
        BarChart("$t$", "x", "y", names, bars),
        BarChart("lying", "x", "y", names, bars, stacked=False, horizontal=True),
        LineChart("_", "x", "y", [Series(name, [0, 1], [None, None]) for name in names], diagonal=True),
        rate_chart([]),
        speed_chart([]),
    ]
    save_charts(charts, tmp_path / "charts.png")
    with Image.open(tmp_path / "charts.png") as picture:
        assert picture.width > 4 * picture.height


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        save_chart(loss_chart(ROWS), tmp_path / "file" / "training.png")


@pytest.mark.parametrize("count", [1, 2, 9])
def test_curves_of_several_runs_share_one_picture(tmp_path, count):
    runs = {f"run {number}": [ROWS, [], [*ROWS, {"step": "30", "loss": "nan"}]][number % 3] for number in range(count)}
    save_charts(comparison_charts(runs), tmp_path / "comparison.png")
    with Image.open(tmp_path / "comparison.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > 3 * picture.height > 600
        colors = {color for _, color in picture.convert("RGB").getcolors(1 << 20)}
    assert (0, 114, 178) in colors  # the first run's
    assert ((213, 94, 0) in colors) == (count > 1)  # the second has no rows, and a place in the legend
