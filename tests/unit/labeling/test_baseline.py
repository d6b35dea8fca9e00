import json
from collections import Counter
from pathlib import Path

import pytest

from collectors.errors import ConfigError, InputError
from labeling.baseline import key_of, read_baseline, without_accepted, write_baseline
from labeling.validate import check_dataset
from tests.unit.labeling.labeled_pictures import annotation, picture_bytes, write_class, write_pair


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    training = write_class(root) / "training"
    write_pair(training, "a", xml=annotation((40, 6, 5, 30), (40, 6, 5, 30), filename="a.jpg"), seed=9)
    content = picture_bytes(seed=8)
    write_pair(training, "b", image=content)
    write_pair(training, "c", image=content)
    return root


def test_accepted_findings_are_left_out_and_the_rest_is_not(root: Path, tmp_path: Path) -> None:
    report = check_dataset(root)
    assert write_baseline(report, root, tmp_path / "base.json") == len(report.findings) > 2
    accepted = read_baseline(tmp_path / "base.json")
    assert accepted == Counter(key_of(finding, root) for finding in report.findings)
    clean, num_accepted, num_gone = without_accepted(report, root, accepted)
    assert (clean.findings, num_accepted, num_gone) == ((), len(report.findings), 0)
    assert clean.refused == report.refused
    write_pair(root / "cat" / "training", "d", xml=b"<", seed=30)
    again, _, _ = without_accepted(check_dataset(root), root, accepted)
    assert [finding.code for finding in again.findings] == ["X01"]


def test_a_line_may_change_but_not_what_was_found(root: Path, tmp_path: Path) -> None:
    write_baseline(check_dataset(root), root, tmp_path / "base.json")
    accepted = read_baseline(tmp_path / "base.json")
    xml = root / "cat/training/a.xml"
    xml.write_bytes(b"\n\n" + xml.read_bytes())
    moved, _, num_gone = without_accepted(check_dataset(root), root, accepted)
    assert (moved.findings, num_gone) == ((), 0)
    xml.write_bytes(xml.read_bytes().replace(b">40<", b">41<", 1))
    changed, _, num_gone = without_accepted(check_dataset(root), root, accepted)
    assert [(finding.code, finding.object_index) for finding in changed.findings] == [("B02", 1)]
    assert num_gone > 0


def test_it_holds_where_the_data_lies_elsewhere(root: Path, tmp_path: Path) -> None:
    write_baseline(check_dataset(root), root, tmp_path / "base.json")
    assert str(tmp_path) not in (tmp_path / "base.json").read_text()
    moved = tmp_path / "moved"
    root.rename(moved)
    report, _, _ = without_accepted(check_dataset(moved), moved, read_baseline(tmp_path / "base.json"))
    assert report.findings == ()


def test_one_acceptance_does_not_cover_two(root: Path, tmp_path: Path) -> None:
    report = check_dataset(root)
    accepted = Counter([key_of(report.findings[0], root)])
    assert len(without_accepted(report, root, accepted)[0].findings) == len(report.findings) - 1


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"version": 9}', '{"version": 1}', '{"version": 1, "findings": [{"code": "B02"}]}', "\xff"],
)
def test_what_is_no_baseline_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "base.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match="not a baseline"):
        read_baseline(tmp_path / "base.json")
    with pytest.raises(InputError, match="cannot read the baseline"):
        read_baseline(tmp_path / "none.json")


def test_nothing_to_accept_is_a_baseline_too(tmp_path: Path) -> None:
    write_class(tmp_path / "data")
    assert write_baseline(check_dataset(tmp_path / "data"), tmp_path / "data", tmp_path / "base.json") == 0
    assert json.loads((tmp_path / "base.json").read_text())["findings"] == []
    assert read_baseline(tmp_path / "base.json") == Counter()
