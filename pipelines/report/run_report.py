"""report.html of a run: one file, no request leaves it."""

from collections.abc import Sequence
from pathlib import Path

from collectors.files import write_atomically
from pipelines.plots import save_charts
from pipelines.report.blocks import Finding, Findings, KeyFigure, Page, Section
from pipelines.report.classifier import CLASSIFIER
from pipelines.report.detector import DETECTOR
from pipelines.report.page import render_page
from pipelines.report.provenance import provenance_section
from pipelines.report.report_kind import ReportKind
from pipelines.report.run_files import RunFiles, read_run
from pipelines.report.tagger import TAGGER
from pipelines.report.training import loss_chart, score_chart, time_section, training_section
from pipelines.run_directory import RunDirectory
from pipelines.run_kinds import kind_of

_KINDS: Sequence[ReportKind] = (DETECTOR, CLASSIFIER, TAGGER)


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
    wanted = kind_of(str(files.value("experiment", "")))
    kind = next(one for one in _KINDS if one.kind is wanted)
    (files.run.path / "plots").mkdir(parents=True, exist_ok=True)
    if files.rows:
        save_charts(
            [loss_chart(files.rows), score_chart(files.rows, kind.curves)], files.run.path / "plots" / "training.png"
        )
    sections = [
        Section("What to look at first", [Findings(findings)] if (findings := _findings(files, kind)) else []),
        training_section(files, kind.curves),
        *kind.sections(files),
        time_section(files),
        provenance_section(files),
    ]
    return Page(
        title=files.name,
        subtitle=f"{kind.words}, trained by tagbox. A click on the head of a column sorts a table by it.",
        figures=_figures(files, kind),
        sections=sections,
    )


def _findings(files: RunFiles, kind: ReportKind) -> list[Finding]:
    if files.results:
        return kind.findings(files)
    words = f"Evaluate it: tagbox eval {files.run.path} (a run without verification records cannot be)."
    return [Finding("This run was not evaluated: there are no figures.", words)]


def _figures(files: RunFiles, kind: ReportKind) -> list[KeyFigure]:
    results = files.results
    if not results:
        return [KeyFigure("not evaluated", None)]
    return [
        *kind.figures(files),
        KeyFigure("verification pictures", results["num_images"]),
        KeyFigure(f"steps ({results.get('checkpoint', '')})", results.get("step")),
    ]
