"""What is particular to the report of one kind of run: a detector's, a classifier's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipelines.report.blocks import Finding, KeyFigure, Section
from pipelines.report.run_files import RunFiles
from pipelines.run_kinds import RunKind


@dataclass(frozen=True, slots=True)
class ReportKind:
    """The parts of a report that only this kind of run has; `pipelines.report.run_report` has the others.

    Attributes:
        kind: What it is of.
        words: What was trained, as ``An SSD MobileNet detector``.
        curves: Columns of ``results.csv`` that evaluations fill, each with its name, the headline first.
        figures: The figures of an evaluation to show above all else.
        findings: What the results of an evaluation say to do next, the most important first.
        sections: Its own parts of the page, between the training curves and how it was made. They write what they
            draw into ``plots/`` and ``samples/`` as well.
    """

    kind: RunKind
    words: str
    curves: Sequence[tuple[str, str]]
    figures: Callable[[RunFiles], list[KeyFigure]]
    findings: Callable[[RunFiles], list[Finding]]
    sections: Callable[[RunFiles], list[Section]]
