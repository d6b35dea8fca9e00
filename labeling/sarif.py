"""A check report as SARIF 2.1.0, the form in which editors and code hosts show findings beside their lines."""

import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from labeling.baseline import key_of
from labeling.codes import CODES
from labeling.findings import Finding, Severity
from labeling.validate import CheckReport

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_RULE_INDEX = {name: index for index, name in enumerate(CODES)}


def sarif_log(report: CheckReport, root: Path, *, version: str) -> dict[str, Any]:
    """Return the SARIF log of a report, one run with every code as a rule.

    Paths are those of the findings: relative to where the command ran when ``root`` was given so, as code hosts want
    it, else absolute ``file:`` addresses. The same report gives the same log.

    Args:
        report: What was found.
        root: The data root, for fingerprints that survive its move.
        version: Version of tagbox.
    """
    driver = {"name": "tagbox labels check", "version": version, "rules": [_rule(name) for name in CODES]}
    refused = {one.path for one in report.refused}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, root, refused) for finding in report.findings],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def sarif_text(report: CheckReport, root: Path, *, version: str) -> str:
    """Return `sarif_log` as JSON text."""
    return json.dumps(sarif_log(report, root, version=version), indent=1)


def _rule(name: str) -> dict[str, Any]:
    code = CODES[name]
    return {
        "id": name,
        "shortDescription": {"text": code.title},
        "help": {"text": code.action},
        "defaultConfiguration": {"level": _LEVELS[code.severity]},
        "properties": {"hasRepair": code.has_repair},
    }


def _result(finding: Finding, root: Path, refused: set[Path]) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": _uri(finding.path)}}
    if finding.line is not None:
        physical["region"] = {"startLine": finding.line}
    which = "" if finding.object_index is None else f"object {finding.object_index}: "
    key = json.dumps(key_of(finding, root))
    return {
        "ruleId": finding.code,
        "ruleIndex": _RULE_INDEX[finding.code],
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{which}{finding.message}. {finding.action}"},
        "locations": [{"physicalLocation": physical}],
        "partialFingerprints": {"finding/v1": hashlib.sha256(key.encode()).hexdigest()},
        "properties": {
            "object": finding.object_index,
            "got": finding.got,
            "wanted": finding.wanted,
            "refused": finding.path in refused,
        },
    }


def _uri(path: Path) -> str:
    # Names may hold bytes that are no text, spaces or per cent signs: all quoted as bytes.
    quoted = quote(bytes(path))
    return f"file://{quoted}" if path.is_absolute() else quoted
