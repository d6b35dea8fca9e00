"""The report of a detector: its figures, where it fails, and pictures of it at work."""

from pipelines import run_kinds
from pipelines.plots import save_chart, save_confusion
from pipelines.report.blocks import Block, ChartBlock, Gallery, KeyFigure, Paragraph, Row, Section
from pipelines.report.charts import Chart
from pipelines.report.data import data_section
from pipelines.report.detector_charts import (
    calibration_chart,
    class_table,
    confusion_table,
    precision_recall_chart,
    size_table,
    threshold_chart,
)
from pipelines.report.detector_findings import findings_of
from pipelines.report.mistakes import error_chart, error_section, mistake_sections
from pipelines.report.pictures import first_batch_of, samples_of, sheet_of, that_fit
from pipelines.report.report_kind import ReportKind
from pipelines.report.run_files import RunFiles

_SAMPLES = 12
_SAMPLE_BYTES = 1_500_000


def key_figures(files: RunFiles) -> list[KeyFigure]:
    """Return AP50, AP and the best F1; the first two with their intervals."""
    return [
        KeyFigure("AP at IoU 0.5", files.measured("AP50")),
        KeyFigure("AP, IoU 0.50 to 0.95", files.measured("AP")),
        KeyFigure("best F1 at IoU 0.5", files.results.get("F1")),
    ]


def sections_of(files: RunFiles) -> list[Section]:
    """Return the parts of the page that only a detector has, and write their charts into ``plots/``."""
    data = data_section(files, counted="boxes", sheet=sheet_of(files), batch=first_batch_of(files))
    if not files.results:
        return [data]
    return [
        data,
        _precision(files),
        _classes(files),
        _confusion(files),
        _errors(files),
        *mistake_sections(files),
        _pictures(files),
    ]


def _drawn(files: RunFiles, chart: Chart | None, name: str, caption: str) -> list[Block]:
    if chart is None:
        return []
    save_chart(chart, files.run.path / "plots" / f"{name}.png")
    return [ChartBlock(chart, caption)]


def _precision(files: RunFiles) -> Section:
    results = files.results
    blocks = _drawn(
        files, precision_recall_chart(results), "precision_recall",
        "AP50 is the area below a line. A line that falls early has wrong detections with high scores; one that ends "
        "early misses boxes whatever the threshold.",
    )  # fmt: skip
    blocks += _drawn(
        files, threshold_chart(results), "thresholds",
        "Where F1 is best, tagbox predict puts its threshold. Higher: fewer wrong boxes, more misses.",
    )  # fmt: skip
    error = (results.get("calibration") or {}).get("ECE")
    mean_distance = "" if error is None else f" Mean distance (ECE): {error:.3f}."
    blocks += _drawn(
        files, calibration_chart(results), "calibration",
        "On the broken line, scores mean what they say: of detections with 0.8, eight in ten are right. Below it the "
        "detector is too sure. Scores that fewer than five detections have are left out."
        f"{mean_distance}",
    )  # fmt: skip
    return Section("Precision, recall and the threshold", [Row(blocks)] if blocks else [])


def _classes(files: RunFiles) -> Section:
    blocks: list[Block] = [class_table(files.results)]
    if sizes := size_table(files.results):
        blocks.append(sizes)
    return Section("Each class", blocks)


def _confusion(files: RunFiles) -> Section:
    table = confusion_table(files.results)
    if table is None:
        return Section("Confusion", [])
    save_confusion(table, files.run.path / "plots" / "confusion.png")
    return Section("What is taken for what", [table])


def _errors(files: RunFiles) -> Section:
    if chart := error_chart(files.results):
        save_chart(chart, files.run.path / "plots" / "errors.png")
    return error_section(files)


def _pictures(files: RunFiles) -> Section:
    pictures, why_none = samples_of(files, limit=_SAMPLES)
    threshold = files.results.get("best_threshold")
    blocks: list[Block] = [
        Paragraph(
            why_none
            or f"Truth (left) and detections (right) with scores from {0.5 if threshold is None else threshold:.2f} on."
        )
    ]
    if pictures:
        blocks.append(Gallery(that_fit(pictures, _SAMPLE_BYTES)))
    return Section("Verification pictures", blocks)


DETECTOR = ReportKind(
    kind=run_kinds.DETECTOR,
    words="An SSD MobileNet detector",
    curves=(("AP50", "AP50"), ("AP", "AP (0.50 to 0.95)")),
    figures=key_figures,
    findings=findings_of,
    sections=sections_of,
)
