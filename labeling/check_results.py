"""Whole results of checks, so that a check of a data set in which nothing changed does not even look at each pair.

Up to eight files, ``.tagbox/check-results/<number>.json``: one for each way of asking (label map, class folders), which
share them by a hash. Each is good for one question only, which names everything that a check depends on: the options,
the code of the checks, and what the file system says of every file (`labeling.dataset_survey`). A file that is damaged
or answers another question is forgotten. Nothing is kept of a data set that changed a moment ago, or during the check.
"""

import contextlib
import functools
import gc
import hashlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL

from collectors import image_identity, ledger_schema
from labeling.check_cache import CheckCache, is_settled, write_if_possible
from labeling.dataset_survey import Survey, survey
from labeling.findings import Finding, Severity
from labeling.label_map import LabelMap
from labeling.stored_facts import annotation_from_json, annotation_to_json

if TYPE_CHECKING:
    from labeling.validate import CheckReport

RESULTS_PATH = Path(".tagbox") / "check-results"

_NUM_SLOTS = 8
# Refusals that the next check may not repeat though no file changed: the disk failed, or another program had the file.
_PASSING_CODES = frozenset({"X12", "I11"})


@dataclass(frozen=True, slots=True)
class Question:
    """Everything that the result of a check depends on; equal questions have equal answers.

    Attributes:
        options: Hex SHA-256 of the options and of who asks.
        digest: Hex SHA-256 of that, of the code and of the files.
        folders: See `Survey`: two equal questions, one before and one after a check, had nothing come between them.
        is_settled: Whether the files are old enough for their times to tell of any later change.
    """

    options: str
    digest: str
    folders: str
    is_settled: bool


def question_of(
    root: Path, class_names: Sequence[str] | None, label_map: LabelMap | None, label_map_path: Path | None
) -> Question | None:
    """Put a check into a question; the arguments are those of `labeling.validate.check_dataset`.

    Returns:
        The question, or ``None`` where it cannot be told what the result depends on.
    """
    found = survey(root)
    if found is None:
        return None
    try:
        own_map = None if label_map_path is None else hashlib.sha256(label_map_path.read_bytes()).hexdigest()
    except OSError:
        return None
    # The root as it is spelt stands in every finding; where it leads decides what lies outside of it.
    asked = [
        str(root),
        os.path.realpath(root),
        os.geteuid() if sys.platform != "win32" else 0,
        None if class_names is None else sorted(set(class_names)),
        None if label_map is None else [label_map.items, label_map.display_names],
        None if label_map_path is None else str(label_map_path),
    ]
    options = hashlib.sha256(json.dumps(asked).encode()).hexdigest()
    return _question(options, own_map, found)


def recall_report(cache: CheckCache, question: Question) -> "CheckReport | None":
    """Return the answer that an earlier check gave to this question, or ``None``."""
    try:
        with _path(cache, question).open("rb") as stream:
            if stream.readline(1000) != _first_line(question):
                return None
            digest, body = stream.readline(1000), stream.read()
    except OSError:
        return None
    if digest != _second_line(body):
        return None
    with _no_collection():
        report = report_from_json(json.loads(body))
    cache.num_recalled += len(report.images) + len(report.refused)
    return report


def keep_report(cache: CheckCache, question: Question, report: "CheckReport") -> bool:
    """Keep the answer to a question for the next check; returns whether it was kept.

    It is not when the files changed too lately, when a file could not be read (which may pass without any change), or
    when the disk refuses.
    """
    if cache.is_read_only or not question.is_settled or any(one.code in _PASSING_CODES for one in report.findings):
        return False
    body = json.dumps(report_to_json(report), separators=(",", ":")).encode()
    return write_if_possible(_path(cache, question), _first_line(question) + _second_line(body) + body)


def report_to_json(report: "CheckReport") -> list[Any]:
    """Return the report as JSON values; `report_from_json` of them is equal."""
    images = [
        [
            one.class_name,
            one.split,
            str(one.xml_path),
            str(one.image_path),
            annotation_to_json(one.annotation),
            one.width,
            one.height,
            one.format,
            one.mode,
            one.sha256,
            one.xml_sha256,
        ]
        for one in report.images
    ]
    findings = [
        [
            one.code,
            one.severity,
            str(one.path),
            one.line,
            one.object_index,
            one.message,
            one.got,
            one.wanted,
            one.action,
        ]
        for one in report.findings
    ]
    refused = [
        [
            str(one.path),
            one.code,
            one.reason,
            [str(path) for path in one.image_paths],
            one.class_name,
            one.split,
            None if one.annotation is None else annotation_to_json(one.annotation),
        ]
        for one in report.refused
    ]
    return [images, findings, refused, [str(path) for path in report.unlabeled], list(report.class_names)]


def report_from_json(values: list[Any]) -> "CheckReport":
    """Undo `report_to_json`.

    Raises:
        TypeError: The values are something else.
        ValueError: There are too many of them, or too few.
    """
    from labeling.validate import CheckedImage, CheckReport, Refused

    images, findings, refused, unlabeled, class_names = values
    path_of = _Paths().path_of
    return CheckReport(
        images=tuple(
            [
                CheckedImage(
                    class_name, split, path_of(xml_path), path_of(image_path), annotation_from_json(said), *others
                )
                for class_name, split, xml_path, image_path, said, *others in images
            ]
        ),
        findings=tuple(
            [Finding(code, Severity(severity), path_of(path), *others) for code, severity, path, *others in findings]
        ),
        refused=tuple(
            [
                Refused(
                    path_of(path),
                    code,
                    reason,
                    tuple([path_of(image_path) for image_path in image_paths]),
                    class_name,
                    split,
                    None if said is None else annotation_from_json(said),
                )
                for path, code, reason, image_paths, class_name, split, said in refused
            ]
        ),
        unlabeled=tuple([path_of(path) for path in unlabeled]),
        class_names=tuple(class_names),
    )


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Keep Python from looking for garbage among objects that are all made to stay: a third of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class _Paths:
    """Makes paths of strings. Taking a whole path apart costs three times as much as adding a name to its folder."""

    def __init__(self) -> None:
        self._folders: dict[str, Path] = {}

    def path_of(self, text: str) -> Path:
        folder, _, name = text.rpartition(os.sep)
        if not folder:
            return Path(text)
        known = self._folders.get(folder)
        if known is None:
            known = self._folders[folder] = Path(folder)
        return known / name


def _question(options: str, own_map: str | None, found: Survey) -> Question:
    parts = "\n".join([_version(), options, own_map or "", found.digest])
    digest = hashlib.sha256(parts.encode()).hexdigest()
    return Question(options, digest, found.folders, is_settled(found.newest_ns, found.taken_ns))


def _path(cache: CheckCache, question: Question) -> Path:
    return cache.root / RESULTS_PATH / f"{int(question.options[:8], 16) % _NUM_SLOTS}.json"


def _first_line(question: Question) -> bytes:
    return f"tagbox check result {question.digest}\n".encode()


def _second_line(body: bytes) -> bytes:
    return f"{hashlib.sha256(body).hexdigest()}\n".encode()


@functools.cache
def _version() -> str:
    """Digest of all code that judges, and of what it stands on."""
    digest = hashlib.sha256(" ".join([PIL.__version__, np.__version__, sys.version]).encode())
    here = Path(__file__).parent
    ours = [*here.glob("*.py"), *(here / "checks").glob("*.py")]
    for path in (Path(image_identity.__file__), Path(ledger_schema.__file__), *sorted(ours)):
        digest.update(path.read_bytes())
    return digest.hexdigest()
