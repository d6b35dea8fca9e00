"""Findings that somebody looked at and accepted, so that a check speaks of new ones only.

A baseline is a JSON file for the repository of the data: one entry for each accepted finding, sorted, so that its
history shows who accepted what. A finding is the same one while its code, its file (below the data root), the number of
its object and what was found there are the same; the line may change. It accepts a finding, not a file: whether a
picture is refused does not change.
"""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from collectors.errors import ConfigError, InputError
from collectors.files import write_atomically
from labeling.findings import Finding
from labeling.validate import CheckReport

_VERSION = 1

Key = tuple[str, str, int, str]
"""Code, path below the root, number of the object or 0, what was found."""


def key_of(finding: Finding, root: Path) -> Key:
    """Return what makes a finding the same one in a later check, also where the data root lies elsewhere by then."""
    prefix = "" if str(root) == "." else f"{root}/"
    path = str(finding.path).removeprefix(prefix) if finding.path != root else "."
    return finding.code, path, finding.object_index or 0, finding.got.replace(prefix, "") if prefix else finding.got


def write_baseline(report: CheckReport, root: Path, path: Path) -> int:
    """Accept every finding of a report, whole or not at all; returns how many.

    Raises:
        InputError: The disk refuses.
    """
    counts = Counter(key_of(finding, root) for finding in report.findings)
    entries = [
        {"code": code, "path": where, "object": index or None, "got": got} | ({"count": count} if count > 1 else {})
        for (code, where, index, got), count in sorted(counts.items())
    ]
    # One entry a line, so that a diff of two baselines reads as a list of findings.
    lines = ",\n".join("    " + json.dumps(entry) for entry in entries)
    write_atomically(path, f'{{\n  "version": {_VERSION},\n  "findings": [\n{lines}\n  ]\n}}\n')
    return len(report.findings)


def read_baseline(path: Path) -> Counter[Key]:
    """Return how often each finding is accepted.

    Raises:
        InputError: The file cannot be read.
        ConfigError: It is no baseline.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"cannot read the baseline: {error.strerror or error}",
            where=str(path),
            fix=f"Write one with: tagbox labels check DIR --write-baseline {path}",
        ) from error
    except UnicodeDecodeError as error:
        raise _broken(path, "it is not UTF-8 text") from error
    try:
        document = json.loads(text)
    except ValueError as error:
        raise _broken(path, str(error)) from error
    if not isinstance(document, dict) or document.get("version") != _VERSION:
        raise _broken(path, f"it is not of version {_VERSION}")
    counts: Counter[Key] = Counter()
    try:
        for entry in document["findings"]:
            counts[_key_in(entry)] += int(entry.get("count", 1))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _broken(path, f"an entry is not one: {error}") from error
    return counts


def without_accepted(report: CheckReport, root: Path, accepted: Counter[Key]) -> tuple[CheckReport, int, int]:
    """Take the accepted findings out of a report; which pictures are refused stays as it was.

    Returns:
        The report, how many findings were taken out, and how many accepted ones are there no more.
    """
    left = Counter(accepted)
    kept = []
    for finding in report.findings:
        key = key_of(finding, root)
        if left[key] > 0:
            left[key] -= 1
        else:
            kept.append(finding)
    return replace(report, findings=tuple(kept)), len(report.findings) - len(kept), sum(left.values())


def _key_in(entry: dict[str, Any]) -> Key:
    return str(entry["code"]), str(entry["path"]), int(entry["object"] or 0), str(entry["got"])


def _broken(path: Path, why: str) -> ConfigError:
    return ConfigError(
        f"not a baseline: {why}",
        where=str(path),
        fix="Write it anew with: tagbox labels check DIR --write-baseline FILE",
    )
