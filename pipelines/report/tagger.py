"""The report of a tag classifier: its figures, each tag, and its surest mistakes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from collectors.errors import InputError
from pipelines import run_kinds
from pipelines.classification.mosaic import MOST_TILES, cross_section
from pipelines.classification.tag_answers import thresholds_of
from pipelines.classification.tag_evidence import read_tag_scores
from pipelines.classification.tag_mosaic import draw_tag_mosaic, judged_tiles
from pipelines.report.blocks import Column, Finding, KeyFigure, Measured, Paragraph, Section, Table
from pipelines.report.class_findings import rarely_judged, weakest
from pipelines.report.classifier import first_batch, mosaic_section
from pipelines.report.data import data_section
from pipelines.report.report_kind import ReportKind
from pipelines.report.run_files import RunFiles

_FEW_PICTURES = 20
_NAMED = 5
_LIMITS = (
    "AP is 1 where all pictures with the tag are scored above all others; random scores reach the share of pictures "
    "that have it. The truth is what people wrote under their posts: a tag that is missing counts as a mistake of the "
    "network, and so does a tag that was meant for another picture of the post."
)


def key_figures(files: RunFiles) -> list[KeyFigure]:
    """Return mAP, F1 and the share of pictures whose likeliest tag is right, with its interval."""
    results = files.results
    return [
        KeyFigure("mAP over the tags", files.measured("mAP")),
        KeyFigure("of random scores", results.get("mAP_by_chance")),
        KeyFigure("F1 of all answers", results["micro_F1"]),
        KeyFigure("mean F1 of the tags", results["macro_F1"]),
        KeyFigure("likeliest tag is right", files.measured("top1")),
    ]


def findings_of(files: RunFiles) -> list[Finding]:
    """Return what the results say to do next."""
    results, findings = files.results, []
    if num_unknown := results["num_unknown"]:
        findings.append(
            Finding(
                f"{num_unknown} verification pictures have tags that the network does not have.",
                "Those tags are left out; train with them to have them judged.",
            )
        )
    judged = {name: row for name, row in results["per_class"].items() if row["num_truth"]}
    findings += weakest(
        {name: row["AP"] for name, row in judged.items()},
        results["mAP"],
        "The tags that are told worst",
        "Do people agree on them?",
        unit="AP ",
    )
    ends = _intervals_of(results)
    if unsure := [name for name, row in judged.items() if _is_chance(row, ends.get(name))]:
        named = ", ".join(
            f"{name} (AP {judged[name]['AP']:.2f}, random scores {judged[name]['AP_by_chance']:.2f})"
            for name in unsure[:_NAMED]
        )
        more = f" and {len(unsure) - _NAMED} more" if len(unsure) > _NAMED else ""
        findings.append(
            Finding(
                f"Nothing says that these tags are told at all: {named}{more}.",
                "Random scores lie within their intervals. More pictures would show it, or the pictures do not: a "
                "mood, a fandom or a name is often not to be seen.",
            )
        )
    if always := [name for name, row in judged.items() if row["num_truth"] == results["num_images"]]:
        findings.append(
            Finding(
                f"On every verification picture: {', '.join(always[:_NAMED])}.",
                "Such a tag has an AP of 1 and says nothing; it lifts the mAP and the share of likeliest tags.",
            )
        )
    findings += rarely_judged(
        {name: row["num_truth"] for name, row in judged.items()},
        _FEW_PICTURES,
        "tags are on",
        "Their own figures and thresholds are rough.",
    )
    return findings


def _intervals_of(results: Mapping[str, Any]) -> dict[str, Sequence[float] | None]:
    """Return the interval of the AP of each tag that has one; older results have none."""
    stored = (results.get("intervals") or {}).get("per_class") or {}
    return {tag: (figures or {}).get("AP") for tag, figures in stored.items()}


def _is_chance(row: Mapping[str, Any], ends: Sequence[float] | None) -> bool:
    """Tell whether random scores lie within the interval of a tag's AP, of a tag that some pictures lack."""
    by_chance = row.get("AP_by_chance")
    return ends is not None and by_chance is not None and by_chance < 1 and ends[0] <= by_chance


def sections_of(files: RunFiles) -> list[Section]:
    """Return the parts of the page that only a tag classifier has."""
    data = data_section(files, counted="pictures", batch=first_batch(files))
    return (
        [data, Section("Each tag", [_tag_table(files.results), Paragraph(_LIMITS, soft=True)]), *_pictures(files)]
        if files.results
        else [data]
    )


def _pictures(files: RunFiles) -> list[Section]:
    """Draw the surest mistakes and a cross section of the verification set into ``samples/``."""
    paths = files.records("task.validation_data.input_path")
    try:
        stored = read_tag_scores(files.run.path)
    except InputError as error:
        return [Section("Verification pictures", [Paragraph(f"Without pictures: {error}")])]
    if not paths:
        words = "The verification records are not where they were."
        return [Section("Verification pictures", [Paragraph(words)])]
    thresholds = thresholds_of(files.results, stored.tags)
    wrong = (stored.scores >= thresholds) != stored.truth
    # How sure the network was of its worst mistake in each picture.
    sureness = np.where(wrong, np.abs(stored.truth - stored.scores), 0.0).max(axis=1, initial=0.0)
    surest = [row for row in np.argsort(-sureness, kind="stable").tolist() if sureness[row] > 0]
    spread = cross_section(len(wrong))
    places = {int(stored.places[row]): row for row in (*surest[:MOST_TILES], *spread)}
    tiles = judged_tiles(paths, places, stored.truth, stored.scores, stored.tags, thresholds)
    how = "red: given and wrong, brown: had and missed, green: right, each with its probability"
    return [
        mosaic_section(
            files, "Mistakes", "mistakes.jpg",
            draw_tag_mosaic([tiles[row] for row in surest[:MOST_TILES] if row in tiles]),
            f"{min(len(surest), MOST_TILES)} of {len(surest)} pictures with a mistake, the surest first; {how}. Where "
            "a tag looks right, the person who posted the picture may have left it out.",
        ),
        mosaic_section(
            files, "Verification pictures", "pictures.jpg",
            draw_tag_mosaic([tiles[row] for row in spread if row in tiles]),
            f"A cross section in the order of the records; {how}.",
        ),
    ]  # fmt: skip


def _tag_table(results: Mapping[str, Any]) -> Table:
    columns = [
        Column("tag", numeric=False),
        Column("AP", tip="average precision, with its 95 % interval"),
        Column("by chance", tip="AP of random scores: the share of pictures that have it"),
        Column("F1", tip="at the threshold"),
        Column("threshold", tip="from this probability on the tag is given: where F1 is best on these pictures"),
        Column("precision", tip="share of what is given the tag that has it"),
        Column("recall", tip="share of what has the tag that is given it"),
        Column("pictures", tip="of verification that have the tag"),
    ]
    names = ("AP_by_chance", "F1", "threshold", "precision", "recall", "num_truth")
    ends = _intervals_of(results)
    rows = []
    for tag, row in results["per_class"].items():
        reached = Measured(row["AP"], *(ends.get(tag) or ()))
        rows.append([tag, reached, *(row.get(name) for name in names)])
    return Table(columns, rows)


TAGGER = ReportKind(
    kind=run_kinds.TAGGER,
    words="A tag classifier",
    curves=(("mAP", "mAP"), ("top1", "likeliest tag right"), ("training_top1", "the same in training")),
    figures=key_figures,
    findings=findings_of,
    sections=sections_of,
)
