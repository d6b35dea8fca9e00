"""report.html of a run: one file, no request leaves it."""

from collections.abc import Sequence
from pathlib import Path

from collectors.files import write_atomically
from pipelines.plots import save_charts
from pipelines.report.blocks import Findings, KeyFigure, Page, Section
from pipelines.report.classifier import CLASSIFIER
from pipelines.report.detector import DETECTOR
from pipelines.report.page import render_page
from pipelines.report.provenance import provenance_section
from pipelines.report.report_kind import ReportKind
from pipelines.report.run_files import RunFiles, read_run
from pipelines.report.tagger import TAGGER
from pipelines.report.training import loss_chart, score_chart, time_section, training_section
from pipelines.run_directory import RunDirectory

KINDS: Sequence[ReportKind] = (CLASSIFIER, TAGGER, DETECTOR)
"""Whose reports there are; the first one that takes a run for its own makes its report."""


def write_report(run: RunDirectory) -> Path:
    """Draw what a run folder says into ``report.html``, and its pictures into ``plots/`` and ``samples/``.

    No model is loaded: pictures show what the last evaluation stored.

    Args:
        run: A run; what it does not have yet is left out of the page.

    Returns:
        The path of the page.

    Raises:
        InputError: It is not the folder of a run, a file in it cannot be read, or the page cannot be written.
    """
    files = read_run(run)
    path = run.path / "report.html"
    write_atomically(path, render_page(page_of(files)))
    return path


def page_of(files: RunFiles) -> Page:
    """Return the page of a run, and draw its pictures."""
    kind = kind_of(files)
    (files.run.path / "plots").mkdir(parents=True, exist_ok=True)
    if files.rows:
        save_charts(
            [loss_chart(files.rows), score_chart(files.rows, kind.curves)], files.run.path / "plots" / "training.png"
        )
    findings = kind.findings(files)
    sections = [
        Section("What to look at first", [Findings(findings)] if findings else []),
        training_section(files, kind.curves),
        *kind.sections(files),
        time_section(files),
        provenance_section(files),
    ]
    return Page(
        title=files.name,
        subtitle=f"{kind.words}, trained by tagbox. A click on the head of a column sorts a table by it.",
        figures=kind.figures(files) or [KeyFigure("not evaluated", None)],
        sections=sections,
    )


def kind_of(files: RunFiles) -> ReportKind:
    """Return what kind of run this is: a detector where nothing says otherwise."""
    return next((kind for kind in KINDS if kind.is_kind(files)), DETECTOR)
