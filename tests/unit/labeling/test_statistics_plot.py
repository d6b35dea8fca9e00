from pathlib import Path

import pytest
from PIL import Image

from collectors.errors import ConfigError
from labeling.errors import DatasetError
from labeling.statistics_plot import plot_statistics, save_plot
from labeling.validate import check_dataset
from tests.unit.labeling.labeled_pictures import annotation, write_class, write_pair


def test_the_plot_shows_what_is_there(tmp_path: Path) -> None:
    write_class(tmp_path / "data", training=3, verification=2)
    write_pair(tmp_path / "data/cat/training", "negative", xml=annotation(filename="negative.jpg"), seed=20)
    figure = plot_statistics(check_dataset(tmp_path / "data").images)
    assert figure.get_suptitle() == "6 pictures, 5 boxes"
    numbers = figure.axes[0]
    heights = [patch.get_height() for patch in numbers.patches]
    assert heights == pytest.approx([0.25, 0.75, 0, 1])
    assert [label.get_text() for label in figure.axes[4].get_yticklabels()] == ["cat"]
    save_plot(figure, tmp_path / "plot.png")
    with Image.open(tmp_path / "plot.png") as image:
        assert image.size == (1560, 900)


def test_the_same_data_gives_the_same_bytes(tmp_path: Path) -> None:
    write_class(tmp_path / "data")
    for name in ("a.png", "b.png"):
        save_plot(plot_statistics(check_dataset(tmp_path / "data").images), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_labels_in_any_script(tmp_path: Path) -> None:
    """Letters that the font lacks give no warning, which is an error here, and dollars are no formula."""
    for number, name in enumerate(("猫", "собака", r"$\none{$")):
        write_pair(tmp_path, f"p{number}", xml=annotation((5, 6, 40, 30), name=name), seed=number)
    save_plot(plot_statistics(check_dataset(tmp_path).images), tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 10_000


def test_negatives_alone(tmp_path: Path) -> None:
    write_pair(tmp_path, xml=annotation())
    assert plot_statistics(check_dataset(tmp_path).images).get_suptitle() == "1 pictures, 0 boxes"


def test_what_cannot_be_drawn(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="nothing to draw"):
        plot_statistics([])
    write_pair(tmp_path)
    with pytest.raises(ConfigError, match="cannot draw"):
        save_plot(plot_statistics(check_dataset(tmp_path).images), tmp_path / "plot.txt")
