"""Where a detector fails: what each kind of mistake costs, the worst of them as pictures, and labels to doubt."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.report.blocks import (
    Block,
    Cell,
    ChartBlock,
    Column,
    Folded,
    Gallery,
    Heading,
    Paragraph,
    Picture,
    Row,
    Section,
    Table,
)
from pipelines.report.charts import BarChart, Bars
from pipelines.report.pictures import small_jpeg, that_fit
from pipelines.report.run_files import RunFiles

KIND_WORDS = {
    "missed": "missed",
    "background": "where nothing is",
    "mislocalised": "beside its box",
    "confused": "another class",
    "confused_mislocalised": "another class, and beside it",
    "duplicate": "a second time",
    "loose": "right, but fits loosely",
}
"""The kinds of `pipelines.error_kinds.ErrorKind`, and ``loose``, as a reader sees them."""

_FOLDER, _INDEX = "mistakes", "mistakes/mistakes.json"
_WIDTH_PX = 280
_MISTAKE_BYTES, _SUSPECT_BYTES = 1_500_000, 500_000
_SUSPECTS_LISTED = 50
_OPEN_CLASSES = 3


def error_chart(results: Mapping[str, Any]) -> BarChart | None:
    """Return the AP50 that each kind of mistake costs; ``None`` where nothing is known of it."""
    kinds = (results.get("errors") or {}).get("kinds") or {}
    lost = {words: kinds[kind]["lost_AP50"] for kind, words in KIND_WORDS.items() if kind in kinds}
    if not lost or None in lost.values():
        return None
    order = sorted(lost, key=lambda words: -lost[words])
    bars = [Bars("", [max(0.0, lost[words]) for words in order], color=1)]
    return BarChart("What each kind of mistake costs", "kind", "AP50 lost to it", order, bars, horizontal=True)


def error_table(results: Mapping[str, Any]) -> Table | None:
    """Return cost and number of each kind of mistake; ``None`` where nothing is known of them."""
    errors = results.get("errors") or {}
    kinds = errors.get("kinds") or {}
    if not kinds:
        return None
    words = {
        **{kind: name for kind, name in KIND_WORDS.items() if kind in kinds},
        "false_positives": "all wrong detections",
        "false_negatives": "all boxes that are not found",
    }
    columns = [
        Column("mistake", numeric=False),
        Column("AP50 lost", tip="what AP50 would gain if just these were mended"),
        Column("number", tip=f"of detections with scores from {errors.get('min_score', 0):.2f} on"),
    ]
    rows: list[list[Cell]] = [
        [name, kinds[kind]["lost_AP50"], kinds[kind]["count_at_min_score"]]
        for kind, name in words.items()
        if kind in kinds
    ]
    return Table(columns, rows)


def error_section(files: RunFiles) -> Section:
    """Return what goes wrong and what it costs."""
    chart, table = error_chart(files.results), error_table(files.results)
    blocks: list[Block] = []
    if chart:
        caption = (
            "The AP50 that mending just this kind would bring, as TIDE counts it. Kinds overlap, so these do not add "
            "up. Begin with the longest."
        )
        blocks.append(Row([ChartBlock(chart, caption), *([table] if table else [])]))
    elif table:
        blocks.append(table)
    return Section("What goes wrong", blocks)


def mistake_sections(files: RunFiles) -> list[Section]:
    """Return the album of mistakes and the suspected labels, from ``mistakes/`` of the run folder."""
    index = files.json(_INDEX)
    if not isinstance(index, dict):
        return []
    folder = files.run.path / _FOLDER
    return [_album(index.get("mistakes") or [], folder), _suspects(index.get("suspects") or [], folder)]


def _album(mistakes: Sequence[Mapping[str, Any]], folder: Path) -> Section:
    drawn = [one for one in mistakes if one.get("picture")]
    shown, room = {}, _MISTAKE_BYTES
    for one in _worst_of_each_first(drawn):
        picture = _picture(one, folder, str(one["words"]))
        if picture is None:
            continue
        room -= picture.size_on_page
        if room < 0:
            break
        shown[id(one)] = picture
    by_class: dict[str, list[Picture]] = {}
    for one in drawn:
        if id(one) in shown:
            by_class.setdefault(str(one["class"]), []).append(shown[id(one)])
    if not by_class:
        return Section("Mistakes", [_as_table(mistakes)] if mistakes else [])
    counts = Counter(str(one["class"]) for one in mistakes)
    more = f" {len(mistakes) - len(shown)} more are in {folder}." if len(shown) < len(mistakes) else ""
    blocks: list[Block] = [
        Paragraph(
            "The worst of each class and kind: labels in green, detections in red. Below each picture stands the XML "
            f"to open in LabelImg.{more}"
        )
    ]
    for name, some in by_class.items():
        title = f"{name}: {len(some)} of {counts[name]}"
        gallery = Gallery(some, _WIDTH_PX)
        blocks += [Heading(title), gallery] if len(by_class) <= _OPEN_CLASSES else [Folded(title, [gallery])]
    return Section("Mistakes", blocks)


def _as_table(mistakes: Sequence[Mapping[str, Any]]) -> Block:
    """List what cannot be shown, because the records are not where they were."""
    columns = [Column(title, numeric=False) for title in ("class", "what", "XML")]
    rows = [(str(one["class"]), str(one["words"]), _where(one)) for one in mistakes]
    return Folded(
        f"{len(rows)} mistakes, without pictures: the records are not where they were", [Table(columns, rows)]
    )


def _suspects(suspects: Sequence[Mapping[str, Any]], folder: Path) -> Section:
    if not suspects:
        return Section("Labels to doubt", [])
    pictures = (_picture(one, folder, f"{one['reason']}. {one['fix']}") for one in suspects if one.get("picture"))
    shown = that_fit(filter(None, pictures), _SUSPECT_BYTES)
    columns = [
        Column("suspicion", tip="0 to 1"),
        Column("class", numeric=False),
        Column("why", numeric=False),
        Column("what to do", numeric=False),
        Column("XML", numeric=False),
    ]
    rows: list[list[Cell]] = [
        [float(one["score"]), str(one["class"]), str(one["reason"]), str(one["fix"]), _where(one)]
        for one in suspects[:_SUSPECTS_LISTED]
    ]
    listed = f"{len(rows)} of {len(suspects)}" if len(rows) < len(suspects) else f"All {len(rows)}"
    return Section(
        "Labels to doubt",
        [
            Paragraph(
                "Where the detector is sure and the label says otherwise, one of the two is wrong. Look at the most "
                "suspicious first; mend the XML in LabelImg, build the records again, and evaluate again."
            ),
            *([Gallery(shown, _WIDTH_PX)] if shown else []),
            Folded(f"{listed} as a table", [Table(columns, rows)]),
        ],
    )


def _worst_of_each_first(mistakes: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Put the worst of every class and kind before the second worst of any."""
    ranks = Counter[tuple[str, str]]()
    ranked = []
    for one in mistakes:
        key = (str(one["class"]), str(one["kind"]))
        ranked.append((ranks[key], one))
        ranks[key] += 1
    return [one for _, one in sorted(ranked, key=lambda pair: pair[0])]


def _picture(case: Mapping[str, Any], folder: Path, words: str) -> Picture | None:
    """Return a case as it goes into the page, smaller than in the folder; ``None`` where its picture is gone."""
    content = small_jpeg(folder / str(case["picture"]), _WIDTH_PX)
    return None if content is None else Picture(content, words, words, _where(case))


def _where(case: Mapping[str, Any]) -> str:
    return str(case.get("xml") or case.get("image") or "")
