from pathlib import Path

import pytest

from labeling.codes import CODES
from labeling.findings import Severity
from labeling.label_map import LabelMap
from labeling.validate import CheckReport, check_dataset
from tests.unit.labeling.defects import DEFECTS, Defect, build
from tests.unit.labeling.labeled_pictures import annotation, picture_bytes, write_class, write_pair

_LABEL_MAP = LabelMap.from_names(["cat", "dog", "café"])


def _check(root: Path) -> CheckReport:
    own_map = root / "label_map.pbtxt"
    return check_dataset(root, label_map=_LABEL_MAP, label_map_path=own_map if own_map.is_file() else None, jobs=1)


def test_sound_data_has_no_findings(tmp_path: Path) -> None:
    write_class(tmp_path, "cat", training=3, verification=2)
    write_class(tmp_path, "dog", first_seed=10)
    report = _check(tmp_path)
    assert report.findings == ()
    assert report.refused == ()
    assert len(report.images) == 8


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.id)
def test_each_defect_is_found_where_it_is(defect: Defect, tmp_path: Path) -> None:
    build(defect, tmp_path)
    report = _check(tmp_path)
    found = {finding.code for finding in report.findings}
    assert found == {defect.code, *defect.also}
    finding = next(one for one in report.findings if one.code == defect.code)
    assert (str(finding.path.relative_to(tmp_path)), finding.line) == (defect.path, defect.line)
    assert [one for one in report.refused if one.path.stem in ("a", "café")] == list(report.refused)
    assert bool(report.refused) is defect.refuses
    if defect.refuses:
        assert finding.severity is Severity.ERROR
        assert not {image.xml_path for image in report.images} & {one.path for one in report.refused}


def test_every_code_has_a_defect() -> None:
    assert {defect.code for defect in DEFECTS} == set(CODES)


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.id)
def test_every_finding_says_what_and_what_to_do(defect: Defect, tmp_path: Path) -> None:
    build(defect, tmp_path)
    for finding in _check(tmp_path).findings:
        assert finding.got
        assert finding.wanted
        assert finding.message == f"{CODES[finding.code].title}: {finding.got}; wanted {finding.wanted}"
        assert finding.action.endswith(".")
        assert "\n" not in finding.message + finding.action


def test_refusal_names_the_most_basic_error(tmp_path: Path) -> None:
    write_class(tmp_path)
    xml = annotation((40, 6, 5, 30), name="tiger", size=(0, 0))
    write_pair(tmp_path / "cat" / "training", xml=xml, image=b"<html>")
    report = _check(tmp_path)
    assert [one.code for one in report.refused] == ["I10"]
    assert {finding.code for finding in report.findings} == {"I10", "S01", "B02", "C01"}


def test_nearest_label_is_named(tmp_path: Path) -> None:
    write_class(tmp_path)
    write_pair(tmp_path / "cat" / "training", xml=annotation((5, 6, 40, 30), name="catt"), seed=9)
    (finding,) = _check(tmp_path).findings
    assert (finding.code, finding.got, finding.wanted, finding.object_index) == ("C01", "'catt'", "'cat' perhaps", 1)


def test_without_label_map_every_label_is_allowed(tmp_path: Path) -> None:
    write_pair(tmp_path, xml=annotation((5, 6, 40, 30), name="tiger"))
    assert check_dataset(tmp_path).findings == ()


def test_empty_label_map_allows_no_label(tmp_path: Path) -> None:
    write_pair(tmp_path)
    (finding,) = check_dataset(tmp_path, label_map=LabelMap()).findings
    assert (finding.code, finding.wanted) == ("C01", "one of none: it is empty")


def test_negative_picture_is_usable_whatever_its_exif(tmp_path: Path) -> None:
    write_pair(tmp_path, xml=annotation(), image=picture_bytes(orientation=3))
    report = check_dataset(tmp_path)
    assert [(finding.code, finding.severity) for finding in report.findings] == [("I05", Severity.WARNING)]
    assert [image.annotation.objects for image in report.images] == [()]


def test_wrong_size_is_not_repeated_for_every_box(tmp_path: Path) -> None:
    """Boxes in the frame of ``<size>`` are not reported as out of bounds of a smaller picture."""
    xml = annotation((50, 60, 600, 400), size=(640, 480))
    write_pair(tmp_path, xml=xml, image=picture_bytes(size=(64, 48)))
    assert [finding.code for finding in check_dataset(tmp_path).findings] == ["S03"]


def test_box_over_the_whole_picture_is_sound(tmp_path: Path) -> None:
    write_pair(tmp_path, xml=annotation((0, 0, 64, 48)))
    assert {finding.severity for finding in check_dataset(tmp_path).findings} == {Severity.INFO}


def test_same_picture_in_two_classes_and_splits_is_a_leak(tmp_path: Path) -> None:
    write_class(tmp_path, "cat")
    write_class(tmp_path, "dog", first_seed=10)
    content = picture_bytes(seed=99)
    write_pair(tmp_path / "cat" / "training", image=content)
    write_pair(
        tmp_path / "dog" / "verification",
        "b",
        xml=annotation((2, 2, 9, 9), name="dog", filename="b.jpg"),
        image=content,
    )
    (finding,) = _check(tmp_path).findings
    assert finding.code == "D01"
    assert finding.path == tmp_path / "dog" / "verification" / "images" / "b.jpg"
    assert str(tmp_path / "cat" / "training" / "images" / "a.jpg") in finding.message
