"""Nothing that can stand in a file makes the reader crash, hang or open another file; `make bench` tries 100,000."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from labeling.codes import CODES
from labeling.salvage import salvage
from labeling.validate import check_dataset
from labeling.voc_reader import Reading, examine
from tests.support.xml_mutations import OpenWitness, hostile_documents, mutated_documents
from tests.unit.labeling.labeled_pictures import write_pair


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    path = tmp_path / "canary.txt"
    path.write_text("a secret")
    return path


@pytest.fixture
def witness(canary: Path) -> Iterator[OpenWitness]:
    if not sys.platform.startswith("linux"):
        pytest.skip("inotify is Linux's")
    witness = OpenWitness(canary)
    canary.read_text()
    assert witness.num_events() >= 1, "it sees an opening"
    yield witness
    witness.close()


def _read(document: bytes) -> Reading:
    started = time.process_time()  # the clock on the wall also counts what other programs take
    reading = examine(document)
    salvage(document)
    assert time.process_time() - started < 1
    assert (reading.annotation is None) <= bool(reading.problems)
    assert all(problem.code in CODES for problem in reading.problems)
    return reading


def test_hostile_documents(canary: Path, witness: OpenWitness) -> None:
    for document in hostile_documents(canary):
        reading = _read(document)
        assert "a secret" not in repr(reading)
        if b"<!DOCTYPE" in document:
            assert [problem.code for problem in reading.problems] == ["X02"], document[:200]
    assert witness.num_events() == 0


def test_mutated_documents(canary: Path, witness: OpenWitness) -> None:
    for document in mutated_documents(3000, 1, canary):
        assert "a secret" not in repr(_read(document))
    assert witness.num_events() == 0


def test_a_folder_of_hostile_documents_is_one_report(canary: Path, witness: OpenWitness, tmp_path: Path) -> None:
    documents = hostile_documents(canary)
    for index, document in enumerate(documents):
        write_pair(tmp_path / "data", f"a{index:03d}", xml=document, seed=index)
    report = check_dataset(tmp_path / "data")
    assert len(report.images) + len(report.refused) == len(documents)
    assert witness.num_events() == 0
