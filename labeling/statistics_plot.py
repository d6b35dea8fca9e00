"""A picture of what a data set holds: sizes, shapes, places and numbers of its boxes, training beside verification."""

import io
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from collectors.errors import ConfigError
from collectors.files import write_atomically
from labeling.errors import DatasetError
from labeling.validate import CheckedImage

_COLOURS = {"training": "#3b6ea5", "verification": "#d9822b", "": "#3b6ea5"}
_SUFFIXES = (".png", ".pdf", ".svg")
_MODEL_SIDE_PX = 300
_FEWEST_ROWS = 5


def plot_statistics(images: Sequence[CheckedImage]) -> Figure:
    """Draw boxes a picture, side, aspect, place of the centres, and boxes a label.

    Args:
        images: Pictures that can be used.

    Raises:
        DatasetError: There is no picture at all.
    """
    if not images:
        raise DatasetError("there is nothing to draw: no picture can be used", fix="See: tagbox labels check")
    figure = Figure(figsize=(13, 7.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 3).ravel()
    splits = sorted({image.split for image in images})
    by_split = {split: [image for image in images if image.split == split] for split in splits}
    num_boxes = sum(len(image.annotation.objects) for image in images)
    figure.suptitle(f"{len(images)} pictures, {num_boxes} boxes")
    _draw_numbers(axes[0], by_split)
    _draw_sides(axes[1], by_split)
    _draw_aspects(axes[2], by_split)
    _draw_places(axes[3], images)
    _draw_labels(axes[4], by_split)
    _draw_pictures(axes[5], by_split)
    return figure


def save_plot(figure: Figure, path: Path) -> None:
    """Write the drawing as PNG, PDF or SVG, by the suffix; the same figure gives the same bytes.

    Raises:
        ConfigError: Another suffix.
        InputError: The disk refuses.
    """
    kind = plot_format(path)
    stream = io.BytesIO()
    stamp = {"png": {"Software": None}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}[kind]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # it is drawn as an empty square
        figure.savefig(stream, format=kind, dpi=120, metadata=stamp)
    write_atomically(path, stream.getvalue())


def plot_format(path: Path) -> str:
    """Return ``png``, ``pdf`` or ``svg``.

    Raises:
        ConfigError: The path has another suffix.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise ConfigError(f"cannot draw {path.name!r}", fix=f"Choose one of {', '.join(_SUFFIXES)}.")
    return path.suffix.lower()[1:]


Splits = dict[str, list[CheckedImage]]


def _draw_numbers(axes: Axes, by_split: Splits) -> None:
    counts = {split: [len(image.annotation.objects) for image in images] for split, images in by_split.items()}
    most = max(max(values) for values in counts.values())
    bins = np.arange(-0.5, min(most, 20) + 1.5)
    _histogram(axes, {split: np.minimum(values, 20) for split, values in counts.items()}, bins)
    axes.set(title="boxes a picture (0: negative)", xlabel="boxes" + (", 20 and more together" if most > 20 else ""))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _draw_sides(axes: Axes, by_split: Splits) -> None:
    sides = {
        split: np.array([
            _MODEL_SIDE_PX * max(one.box.width * one.box.height / (image.width * image.height), 0) ** 0.5
            for image in images for one in image.annotation.objects
        ])
        for split, images in by_split.items()
    }  # fmt: skip
    _histogram(axes, sides, np.linspace(0, _MODEL_SIDE_PX, 31))
    axes.set(title="size", xlabel=f"side of a square of that area, pixels of {_MODEL_SIDE_PX}")


def _draw_aspects(axes: Axes, by_split: Splits) -> None:
    aspects = {}
    for split, images in by_split.items():
        ratios = [one.box.width / one.box.height for image in images for one in image.annotation.objects]
        aspects[split] = np.clip(np.log2(ratios), -4, 4)
    _histogram(axes, aspects, np.linspace(-4, 4, 33))
    axes.set(title="aspect", xlabel="width / height")
    axes.set_xticks([-4, -2, 0, 2, 4], ["1:16", "1:4", "1:1", "4:1", "16:1"])


def _draw_places(axes: Axes, images: Sequence[CheckedImage]) -> None:
    cover = np.zeros((40, 40))
    for image in images:
        for one in image.annotation.objects:
            left, right = (int(np.clip(edge / image.width * 40, 0, 40)) for edge in (one.box.xmin, one.box.xmax))
            top, bottom = (int(np.clip(edge / image.height * 40, 0, 40)) for edge in (one.box.ymin, one.box.ymax))
            cover[top : max(bottom, top + 1), left : max(right, left + 1)] += 1
    axes.imshow(cover, cmap="viridis", extent=(0, 1, 1, 0), aspect="auto")
    axes.set(title="where the boxes lie", xlabel="share of the width", ylabel="share of the height")


def _draw_labels(axes: Axes, by_split: Splits) -> None:
    names = [one.name for images in by_split.values() for image in images for one in image.annotation.objects]
    shown = sorted(set(names), key=lambda name: (-names.count(name), name))[:15]
    left = np.zeros(len(shown))
    for split, images in by_split.items():
        drawn = [one.name for image in images for one in image.annotation.objects]
        counts = np.array([drawn.count(name) for name in shown], dtype=float)
        axes.barh(
            [name.replace("$", r"\$") for name in shown],
            counts,
            left=left,
            color=_COLOURS.get(split, "gray"),
            label=split,
        )
        left += counts
    # A single label is no wall of colour.
    axes.set_ylim(max(len(shown), _FEWEST_ROWS) - 0.5, -0.5)
    more = len(set(names)) - len(shown)
    axes.set(title="labels" + (f" ({more} more)" if more else ""), xlabel="boxes")


def _draw_pictures(axes: Axes, by_split: Splits) -> None:
    for split, images in by_split.items():
        sizes = np.array([(image.width, image.height) for image in images])
        axes.scatter(sizes[:, 0], sizes[:, 1], s=8, alpha=0.5, color=_COLOURS.get(split, "gray"), label=split or None)
    axes.set(title="pictures", xlabel="width, pixels", ylabel="height, pixels", xlim=(0, None), ylim=(0, None))
    if any(by_split):
        axes.legend()


def _histogram(
    axes: Axes, values: dict[str, "np.ndarray[tuple[int, ...], np.dtype[np.float64]]"], bins: object
) -> None:
    """Draw shares, not counts: the splits differ in size."""
    for split, some in values.items():
        if len(some):
            weights = np.full(len(some), 1 / len(some))
            axes.hist(some, bins=bins, weights=weights, alpha=0.6, color=_COLOURS.get(split, "gray"))  # type: ignore[arg-type]
    axes.set_ylabel("share")
