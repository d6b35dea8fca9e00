"""Seven sets that people labelled in LabelImg, as they lie on GitHub."""

from collections import Counter
from pathlib import Path

import pytest

from labeling.findings import Severity
from labeling.label_map import LabelMap
from labeling.placing import Outcome, place_labels, read_names
from labeling.validate import CheckReport, check_dataset
from labeling.voc import format_annotation, read_annotation

# XML that LabelImg 1.8.6 would not write so, with the reason. Sets not named here are identical to the last byte.
_NOT_BYTE_IDENTICAL = {
    # An older LabelImg wrote verified="no"; 1.8.6 leaves the attribute out.
    "raccoon": {"raccoon-37.xml"},
}


@pytest.fixture(scope="module")
def voc(shared_data: Path) -> Path:
    return shared_data / "voc"


def _codes(report: CheckReport) -> Counter[str]:
    return Counter(finding.code for finding in report.findings)


@pytest.mark.parametrize(
    ("name", "num_files"),
    [("raccoon", 200), ("capybara", 200), ("animals_test", 301), ("buoy", 448), ("microcontroller", 149)],
)
def test_files_of_labelimg_are_written_back_byte_for_byte(name: str, num_files: int, voc: Path) -> None:
    paths = sorted((voc / name).rglob("*.xml"))
    differing = {path.name for path in paths if format_annotation(read_annotation(path)) != path.read_bytes()}
    assert len(paths) == num_files
    assert differing == _NOT_BYTE_IDENTICAL.get(name, set())


@pytest.mark.parametrize("name", ["raccoon", "blood_noext", "pizza"])
def test_files_of_other_writers_keep_their_content(name: str, voc: Path) -> None:
    """Blanks for tabs, verified="no", missing elements: written anew in LabelImg's form, they say the same."""
    for path in sorted((voc / name).rglob("*.xml")):
        annotation = read_annotation(path)
        path_anew = format_annotation(annotation)
        assert format_annotation(read_annotation(path)) == path_anew
        assert annotation.objects


@pytest.mark.parametrize(
    ("name", "images", "boxes", "codes"),
    [
        ("raccoon", 200, 217, {"D12": 4, "I07": 3, "L04": 200, "B11": 1, "B14": 2, "D05": 1, "D06": 1}),
        ("capybara", 200, 334, {"L04": 200, "B15": 2, "D05": 1}),
        ("pizza", 200, 221, {"X09": 200, "I07": 8, "B13": 43, "B14": 2, "D05": 1}),
        ("microcontroller", 149, 177, {"L04": 149, "D05": 1}),
        (
            "animals_test", 301, 352,
            {"L04": 301, "I07": 3, "L02": 1, "D12": 1, "B11": 5, "B15": 3, "C07": 10, "D05": 1},
        ),
        (
            "buoy", 447, 876,
            {"L04": 448, "S01": 1, "I03": 1, "I07": 1, "D12": 60, "D04": 4, "B07": 10, "D05": 1},
        ),
        ("blood_noext", 20, 240, {"L04": 20, "L03": 20}),
    ],
)  # fmt: skip
def test_findings_are_those_known_by_hand(name: str, images: int, boxes: int, codes: dict[str, int], voc: Path) -> None:
    report = check_dataset(voc / name)
    assert _codes(report) == codes
    assert len(report.images) == images
    assert sum(len(image.annotation.objects) for image in report.images) == boxes
    assert len(report.images) + len(report.refused) == len(list((voc / name).rglob("*.xml")))


@pytest.mark.parametrize("name", ["raccoon", "capybara"])
def test_nothing_above_info_but_real_duplicates(name: str, voc: Path) -> None:
    above = {finding.code for finding in check_dataset(voc / name).findings if finding.severity is not Severity.INFO}
    assert above <= {"D12"}


def test_the_faults_of_the_buoys_are_where_they_are(voc: Path) -> None:
    found = {
        finding.code: finding for finding in check_dataset(voc / "buoy").findings if finding.code in ("S01", "I03")
    }
    assert found["S01"].where == f"{voc}/buoy/annotations/xmls/31.xml:8"
    assert (found["S01"].got, found["S01"].wanted) == ("0x0", "225x225")
    assert found["I03"].path == voc / "buoy" / "images" / "31.jpg"


def test_labels_of_many_classes_against_a_map(voc: Path) -> None:
    labels = {
        labeled.name for image in check_dataset(voc / "animals_test").images for labeled in image.annotation.objects
    }
    assert len(labels) == 25
    whole = LabelMap.from_names(labels)
    assert check_dataset(voc / "animals_test", label_map=whole).refused == ()
    without = LabelMap.from_names(labels - {"zebra"})
    refused = check_dataset(voc / "animals_test", label_map=without).refused
    assert {one.code for one in refused} == {"C01"}


def test_published_split_of_the_raccoons(voc: Path, tmp_path: Path) -> None:
    source = voc / "raccoon"
    names = {
        "training": read_names(source / "train_labels.csv"),
        "verification": read_names(source / "test_labels.csv"),
    }
    report = place_labels(source, tmp_path / "data", class_name="raccoon", names=names)
    assert report.unnamed == ()
    assert [report.count(split, Outcome.COPIED) for split in names] == [160, 40]
    checked = check_dataset(tmp_path / "data", label_map=LabelMap.from_names(["raccoon"]))
    assert Counter(image.split for image in checked.images) == {"training": 160, "verification": 40}
    assert checked.count(Severity.ERROR) == 0
    assert _codes(checked)["D12"] == 4, "the duplicates all lie within training"
