"""The report of a tag classifier: its figures and each tag."""

from collections.abc import Mapping
from typing import Any

from pipelines import run_kinds
from pipelines.report.blocks import Column, Finding, KeyFigure, Section, Table
from pipelines.report.class_findings import rarely_judged, weakest
from pipelines.report.classifier import first_batch
from pipelines.report.data import data_section
from pipelines.report.report_kind import ReportKind
from pipelines.report.run_files import RunFiles

_FEW_PICTURES = 20


def key_figures(files: RunFiles) -> list[KeyFigure]:
    """Return mAP, F1 and the share of pictures whose likeliest tag is right, with its interval."""
    results = files.results
    return [
        KeyFigure("mAP over the tags", results["mAP"]),
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
    findings += rarely_judged(
        {name: row["num_truth"] for name, row in judged.items()},
        _FEW_PICTURES,
        "tags are on",
        "Their own figures and thresholds are rough.",
    )
    return findings


def sections_of(files: RunFiles) -> list[Section]:
    """Return the parts of the page that only a tag classifier has."""
    data = data_section(files, counted="pictures", batch=first_batch(files))
    return [data, Section("Each tag", [_tag_table(files.results)])] if files.results else [data]


def _tag_table(results: Mapping[str, Any]) -> Table:
    columns = [
        Column("tag", numeric=False),
        Column("AP", tip="average precision"),
        Column("F1", tip="at the threshold"),
        Column("threshold", tip="from this probability on the tag is given: where F1 is best on these pictures"),
        Column("precision", tip="share of what is given the tag that has it"),
        Column("recall", tip="share of what has the tag that is given it"),
        Column("pictures", tip="of verification that have the tag"),
    ]
    names = ("AP", "F1", "threshold", "precision", "recall", "num_truth")
    return Table(columns, [[tag, *(row[name] for name in names)] for tag, row in results["per_class"].items()])


TAGGER = ReportKind(
    kind=run_kinds.TAGGER,
    words="A tag classifier",
    curves=(("mAP", "mAP"), ("top1", "likeliest tag right"), ("training_top1", "the same in training")),
    figures=key_figures,
    findings=findings_of,
    sections=sections_of,
)
