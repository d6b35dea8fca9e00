"""Curves of a run: whatever stands in results.csv, a picture comes out."""

import pytest
from PIL import Image

from collectors.errors import InputError
from pipelines.plots import curve_of, plot_comparison, plot_training

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
    plot_training(rows, tmp_path / "plots" / "training.png")
    with Image.open(tmp_path / "plots" / "training.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > 2 * picture.height > 400


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        plot_training(ROWS, tmp_path / "file" / "training.png")


@pytest.mark.parametrize("count", [1, 2, 9])
def test_curves_of_several_runs_share_one_picture(tmp_path, count):
    runs = {f"run {number}": [ROWS, [], [*ROWS, {"step": "30", "loss": "nan"}]][number % 3] for number in range(count)}
    plot_comparison(runs, tmp_path / "comparison.png")
    with Image.open(tmp_path / "comparison.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > 3 * picture.height > 600
        colors = {color for _, color in picture.convert("RGB").getcolors(1 << 20)}
    assert (0, 114, 178) in colors  # the first run's
    assert ((213, 94, 0) in colors) == (count > 1)  # the second has no rows, and a place in the legend
