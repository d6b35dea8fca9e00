import json
from pathlib import Path

import pytest

from labeling.codes import CODES, expand_codes
from labeling.label_map import LabelMap
from labeling.reports import counts_by_code, json_lines, select, summary_lines, summary_of
from labeling.validate import CheckReport, check_dataset
from tests.unit.labeling.labeled_pictures import annotation, write_class, write_pair


@pytest.fixture
def report(tmp_path: Path) -> CheckReport:
    folder = write_class(tmp_path, training=2, verification=1) / "training"
    write_pair(folder, "broken", xml=b"<", seed=20)
    write_pair(folder, "slip", xml=annotation((40, 6, 5, 30), filename="slip.jpg"), seed=21)
    write_pair(folder, "none", xml=annotation(filename="none.jpg"), seed=22)
    write_pair(folder, "orphan", seed=23).unlink()
    return check_dataset(tmp_path, label_map=LabelMap.from_names(["cat"]))


def test_summary_adds_up(report: CheckReport, tmp_path: Path) -> None:
    summary = summary_of(report, tmp_path)
    assert summary["xml"] == {"in": 6, "usable": 4, "refused": 2, "refused_by_code": {"X01": 1, "B02": 1}}
    assert summary["pictures"] == {"in": 7, "usable": 4, "refused": 2, "without_xml": 1}
    assert (summary["boxes"], summary["negatives"]) == (3, 1)
    assert summary["findings"] == {"error": 2, "warning": 1, "info": 0}
    assert list(summary_lines(report, tmp_path)) == [
        "6 XML files = 4 usable + 2 refused (X01 1, B02 1)",
        "7 pictures = 4 usable + 2 refused + 1 without XML",
        "3 boxes in 4 usable pictures; 1 of those have no object",
    ]


def test_json_lines(report: CheckReport, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in json_lines(report, tmp_path)]
    assert [line["kind"] for line in lines] == ["finding"] * 3 + ["refused"] * 2 + ["summary"]
    swapped = next(line for line in lines if line.get("code") == "B02")
    assert swapped == {
        "kind": "finding",
        "code": "B02",
        "severity": "error",
        "path": str(tmp_path / "cat/training/slip.xml"),
        "line": 13,
        "object": 1,
        "message": "the corners of a box are swapped: 'cat' (40, 6)-(5, 30); wanted xmin < xmax and ymin < ymax",
        "got": "'cat' (40, 6)-(5, 30)",
        "wanted": "xmin < xmax and ymin < ymax",
        "action": CODES["B02"].action,
        "has_repair": True,
    }


def test_selecting_codes_leaves_the_refusals(report: CheckReport) -> None:
    assert counts_by_code(report) == {"X01": 1, "L02": 1, "B02": 1}
    assert counts_by_code(select(report, only=expand_codes(["B", "x01"]))) == {"X01": 1, "B02": 1}
    assert counts_by_code(select(report, ignore=expand_codes(["L"]))) == {"X01": 1, "B02": 1}
    assert select(report, only=expand_codes(["C"])).refused == report.refused


def test_codes_are_expanded_or_refused_with_the_nearest() -> None:
    assert expand_codes(["b"]) == {code for code in CODES if code.startswith("B")}
    assert expand_codes([]) == frozenset()
    with pytest.raises(ValueError, match="no code 'BO3'; do you mean B"):
        expand_codes(["BO3"])
    with pytest.raises(ValueError, match="no code ''"):
        expand_codes([""])
