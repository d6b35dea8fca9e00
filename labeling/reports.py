"""A check report in forms for people's eyes and for other programs."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from labeling.codes import CODES
from labeling.findings import Severity
from labeling.validate import CheckReport


def select(
    report: CheckReport, *, only: frozenset[str] = frozenset(), ignore: frozenset[str] = frozenset()
) -> CheckReport:
    """Return the report with fewer findings; which pictures are usable or refused stays as it was.

    Args:
        report: The whole report.
        only: Keep findings of these codes; empty keeps all.
        ignore: Drop findings of these codes.
    """
    kept = tuple(one for one in report.findings if (not only or one.code in only) and one.code not in ignore)
    return replace(report, findings=kept)


def summary_of(report: CheckReport, root: Path) -> dict[str, Any]:
    """Count what went in and what came of it: ``xml`` = ``usable`` + ``refused``, and the pictures likewise."""
    refused = Counter(one.code for one in report.refused)
    refused_images = len({path for one in report.refused for path in one.image_paths})
    return {
        "root": str(root),
        "xml": {
            "in": len(report.images) + len(report.refused),
            "usable": len(report.images),
            "refused": len(report.refused),
            "refused_by_code": {code: refused[code] for code in CODES if code in refused},
        },
        "pictures": {
            "in": len(report.images) + refused_images + len(report.unlabeled),
            "usable": len(report.images),
            "refused": refused_images,
            "without_xml": len(report.unlabeled),
        },
        "boxes": sum(len(image.annotation.objects) for image in report.images),
        "negatives": sum(not image.annotation.objects for image in report.images),
        "findings": {severity.value: report.count(severity) for severity in Severity},
        "findings_by_code": counts_by_code(report),
    }


def counts_by_code(report: CheckReport) -> dict[str, int]:
    """How many findings each code has, in the order of the codes; codes without findings are left out."""
    counts = Counter(finding.code for finding in report.findings)
    return {code: counts[code] for code in CODES if code in counts}


def json_lines(report: CheckReport, root: Path) -> Iterator[str]:
    """Yield one JSON object a line: each finding, each refused XML, and the summary last, told apart by ``kind``."""
    for finding in report.findings:
        yield _line({"kind": "finding"} | finding.as_json() | {"has_repair": CODES[finding.code].has_repair})
    for one in report.refused:
        images = [str(path) for path in one.image_paths]
        refused = {"kind": "refused", "path": str(one.path), "code": one.code, "reason": one.reason, "pictures": images}
        yield _line(refused)
    yield _line({"kind": "summary"} | summary_of(report, root))


def summary_lines(report: CheckReport, root: Path) -> Iterator[str]:
    """Yield the closing words of a text report: what went in, what is usable, what was refused by which code."""
    summary = summary_of(report, root)
    xml, pictures = summary["xml"], summary["pictures"]
    by_code = ", ".join(f"{code} {count}" for code, count in xml["refused_by_code"].items())
    yield f"{xml['in']} XML files = {xml['usable']} usable + {xml['refused']} refused" + (
        f" ({by_code})" if by_code else ""
    )
    yield (
        f"{pictures['in']} pictures = {pictures['usable']} usable + {pictures['refused']} refused"
        f" + {pictures['without_xml']} without XML"
    )
    yield f"{summary['boxes']} boxes in {xml['usable']} usable pictures; {summary['negatives']} of those have no object"


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)
