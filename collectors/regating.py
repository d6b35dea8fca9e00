"""New thresholds for pictures that are already here: nothing is downloaded, everything can be taken back."""

from dataclasses import dataclass, field

from collectors.image_quality import QUALITY_CODES, QualityMetrics, QualityThresholds, judge
from collectors.ledger import Ledger
from collectors.media_table import MediaTable
from collectors.selection import Selector, refused_path


@dataclass(slots=True)
class RegateReport:
    """What new thresholds change.

    Attributes:
        refused: Code -> pictures that were kept and no longer pass.
        kept: Pictures that were refused and now are kept.
        still_refused: Pictures that were refused by the gate and stay out, by the gate or as copies.
        requeued: Copies of pictures that no longer pass; they may pass, but must be fetched again.
        unchanged: Pictures kept before and after.
    """

    refused: dict[str, int] = field(default_factory=dict)
    kept: int = 0
    still_refused: int = 0
    requeued: int = 0
    unchanged: int = 0


def regate(ledger: Ledger, thresholds: QualityThresholds, *, dry_run: bool = False) -> RegateReport:
    """Judge every measured picture again. Labelled pictures stay, whatever they measure.

    Args:
        ledger: Open for writing; the caller holds the lock of the root.
        thresholds: The gate from now on; remembered for later runs.
        dry_run: Change nothing. Copies are not told apart then, so ``kept`` is an upper bound.

    Raises:
        InputError: A file cannot be moved.
    """
    report = RegateReport()
    media = MediaTable(ledger)
    kept = ledger.connection.execute(
        "SELECT * FROM media WHERE state = 'kept' AND metrics != '' ORDER BY id"
    ).fetchall()
    marks = ",".join("?" * len(QUALITY_CODES))
    out = ledger.connection.execute(
        f"SELECT * FROM media WHERE state = 'refused' AND code IN ({marks}) AND path != '' ORDER BY id",  # noqa: S608
        QUALITY_CODES,
    ).fetchall()
    failing = [
        (row, refusal) for row in kept if (refusal := judge(QualityMetrics.from_json(row["metrics"]), thresholds))
    ]
    report.unchanged = len(kept) - len(failing)
    for _, refusal in failing:
        report.refused[refusal.code] = report.refused.get(refusal.code, 0) + 1
    if dry_run:
        report.kept = sum(judge(QualityMetrics.from_json(row["metrics"]), thresholds) is None for row in out)
        report.still_refused = len(out) - report.kept
        return report
    with ledger.transaction():
        for row, refusal in failing:
            media.refuse(row["id"], refusal, keep_file_at=refused_path(row))
            report.requeued += media.requeue_copies(row["id"])
        selector = Selector(ledger, thresholds)
        for row in out:
            if selector.decide(media.rows_to_judge([row["id"]])[row["id"]]):
                report.kept += 1
            else:
                report.still_refused += 1
    media.settle_files()
    return report
