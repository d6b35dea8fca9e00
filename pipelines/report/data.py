"""What a run was trained and evaluated on: counts, sizes against the anchors, and a sheet of training pictures."""

from collections.abc import Mapping
from typing import Any

from pipelines.report.blocks import Block, ChartBlock, Column, Folded, Paragraph, Picture, Row, Section, Table
from pipelines.report.charts import BarChart, Bars
from pipelines.report.run_files import RunFiles

_MOST_BARS = 30


def data_section(
    files: RunFiles, *, counted: str, sheet: Picture | None = None, batch: Picture | None = None
) -> Section:
    """Return the section on the data.

    Args:
        files: ``data.json`` is shown; where it is missing, as of older runs, only the sheet is.
        counted: What a class has a number of: ``boxes`` or ``pictures``.
        sheet: Training pictures with their truth.
        batch: What the network was given of them.
    """
    blocks: list[Block] = []
    training, verification = (files.data.get(split) or {} for split in ("training", "verification"))
    if training:
        blocks.append(Paragraph(f"{_split_words(training, 'training')}; {_split_words(verification, 'verification')}."))
        charts = []
        if len(training["classes"]) > 1:
            charts.append(ChartBlock(class_chart(training, verification, counted)))
        anchors = files.data.get("anchors")
        if anchors and anchors["num_boxes"]:
            charts.append(ChartBlock(size_chart(anchors), anchor_words(anchors)))
        blocks += [Row(charts)] if charts else []
        table = _class_counts(training, verification, counted)
        # Hundreds of categories would push all that follows out of sight.
        many = len(table.rows) > _MOST_BARS
        blocks.append(Folded(f"All {len(table.rows)} classes as a table", [table]) if many else table)
    elif sheet:
        blocks.append(Paragraph("The run folder has no data.json, which newer trainings write.", soft=True))
    if sheet:
        blocks.append(sheet)
    if batch:
        blocks.append(batch)
    return Section("Data", blocks)


def _split_words(split: Mapping[str, Any], name: str) -> str:
    words = f"{split.get('num_images', 0):,} {name} pictures"
    if "num_boxes" in split:
        words += f" with {split['num_boxes']:,} boxes"
    if sides := split.get("pictures"):
        (low_w, mid_w, high_w), (low_h, mid_h, high_h) = sides["width"], sides["height"]
        same = (low_w, low_h) == (high_w, high_h)
        words += f", {mid_w}x{mid_h} pixels" + ("" if same else f" as a rule ({low_w}x{low_h} to {high_w}x{high_h})")
    return words


def class_chart(training: Mapping[str, Any], verification: Mapping[str, Any], counted: str) -> BarChart:
    """Return how many of each class there are; of very many classes, the largest."""
    counts, others = training.get("classes", {}), verification.get("classes", {})
    names = sorted({**counts, **others}, key=lambda name: -counts.get(name, 0))
    shown = names[:_MOST_BARS]
    more = f" ({len(names) - len(shown)} more, none larger, are in the table)" if len(shown) < len(names) else ""
    return BarChart(
        f"Classes{more}",
        "class",
        counted,
        shown,
        [
            Bars("training", [counts.get(name, 0) for name in shown]),
            Bars("verification", [others.get(name, 0) for name in shown]),
        ],
        stacked=False,
        horizontal=True,
    )


def size_chart(anchors: Mapping[str, Any]) -> BarChart:
    """Return the sizes of the training boxes at the network's input, and which of them an anchor fits."""
    bins = anchors["sizes"]
    categories = [f"{one['low_px']:.0f}" for one in bins]
    return BarChart(
        "Sizes of the training boxes, and anchors",
        "root of the area from, pixels of the network's input",
        "boxes",
        categories,
        [
            Bars(f"an anchor fits (IoU {anchors['iou']} or more)", [one["num_matched"] for one in bins], color=2),
            Bars("none fits", [one["num_boxes"] - one["num_matched"] for one in bins], color=1),
        ],
    )


def anchor_words(anchors: Mapping[str, Any]) -> str:
    """Say how many boxes an anchor fits, and what sizes the anchors have."""
    share = 100 * anchors["num_matched"] / anchors["num_boxes"]
    height, width = anchors["input_size"]
    sides = anchors.get("anchor_sides_px") or [0]
    return (
        f"{share:.1f} % of {anchors['num_boxes']:,} boxes have an anchor that fits at {width}x{height}; anchors are "
        f"{sides[0]} to {sides[-1]} pixels large. Boxes that none fits are learned badly: a larger "
        "task.model.input_size, or anchors of their size and shape, help."
    )


def _class_counts(training: Mapping[str, Any], verification: Mapping[str, Any], counted: str) -> Table:
    counts, others = training.get("classes", {}), verification.get("classes", {})
    columns = [Column("class", numeric=False), Column(f"training {counted}"), Column(f"verification {counted}")]
    rows = [[name, counts.get(name, 0), others.get(name, 0)] for name in {**counts, **others}]
    return Table(columns, rows)
