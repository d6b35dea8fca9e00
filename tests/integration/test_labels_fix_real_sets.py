"""``labels fix`` on seven sets that people labelled in LabelImg: little changes, and all of it goes back."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from labeling.pair_repair import RepairOptions
from labeling.repair_log import RepairLog
from labeling.repairs import apply_repairs, diff_lines, plan_repairs
from labeling.validate import check_dataset

_REPAIRABLE = {"L03", "L04", "S01", "I03", "S05"}


def _files(root: Path) -> dict[str, bytes]:
    paths = (path for path in sorted(root.rglob("*")) if ".tagbox" not in path.parts and path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("raccoon", {"L04": 200}),
        ("capybara", {"L04": 200}),
        ("pizza", {}),
        ("microcontroller", {"L04": 149}),
        ("animals_test", {"L04": 301}),
        ("buoy", {"I03": 1, "L04": 448, "S01": 1}),
        ("blood_noext", {"L03": 20, "L04": 20}),
    ],
)
def test_mended_and_undone(name: str, counts: dict[str, int], shared_data: Path, tmp_path: Path) -> None:
    root = tmp_path / name
    shutil.copytree(shared_data / "voc" / name, root)
    before, boxes = _files(root), _boxes(root)
    plan = plan_repairs(root, RepairOptions())
    assert plan.counts() == counts
    result = apply_repairs(plan)
    assert result.left == ()
    changed = sum(
        line.startswith("+") - line.startswith("+++") for one in plan.repairs for line in diff_lines(one, root)
    )
    lines = Counter(one.code for one in plan.mended)
    assert changed <= lines["L03"] + lines["L04"] * 2 + lines["S01"] * 2 + lines["I03"]
    report = check_dataset(root)
    assert not {finding.code for finding in report.findings} & _REPAIRABLE
    assert _boxes(root) >= boxes, "no box is lost, and pictures that were refused come back"
    assert plan_repairs(root, RepairOptions()).repairs == ()
    if result.repair is not None:
        RepairLog(root).undo(result.repair.id)
    assert _files(root) == before


def _boxes(root: Path) -> int:
    return sum(len(image.annotation.objects) for image in check_dataset(root).images)
