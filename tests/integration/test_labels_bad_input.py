"""What folders of real people hold: names of every kind, links that lead nowhere, files far too large."""

import os
import time
import unicodedata
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from labeling.annotations import Annotation, Box, LabeledObject
from labeling.check_cache import CheckCache
from labeling.errors import DatasetError
from labeling.findings import Severity
from labeling.html_report import html_report
from labeling.sarif import sarif_text
from labeling.validate import CheckReport, check_dataset
from tests.unit.labeling.labeled_pictures import annotation, encoded, picture_bytes, varied_picture, write_pair

_NFC = unicodedata.normalize("NFC", "café")
_NFD = unicodedata.normalize("NFD", "café")


def _check(root: Path) -> CheckReport:
    """Check cold and warm, and write every form of report; all must agree."""
    cold = check_dataset(root, cache=CheckCache(root))
    assert check_dataset(root, cache=CheckCache(root)) == cold
    assert html_report(cold, root)
    assert sarif_text(cold, root, version="1")
    return cold


def _codes(report: CheckReport) -> list[str]:
    return sorted(finding.code for finding in report.findings if finding.severity is not Severity.INFO)


@pytest.mark.parametrize(
    "stem",
    [
        "with blank",
        " leading and trailing ",
        "two.dots",
        "a.xml",
        "ünïcödé",
        "猫",
        "🐈",
        "%41",
        "a'b\"c",
        "-rf",
        "a\nb",
        "#?&",
    ],
)
def test_names(stem: str, tmp_path: Path) -> None:
    write_pair(tmp_path, stem)
    report = _check(tmp_path)
    # XML cannot hold a line break at the end of a name as it is; LabelImg has no such name.
    assert _codes(report) == []
    assert len(report.images) == 1


def test_name_that_is_no_text(tmp_path: Path) -> None:
    stem = os.fsdecode(b"caf\xe9")
    write_pair(tmp_path, "x").rename(tmp_path / f"{stem}.xml")
    (tmp_path / "images/x.jpg").rename(tmp_path / f"images/{stem}.jpg")
    report = _check(tmp_path)
    assert (len(report.images), _codes(report)) == (1, ["L03"])


def test_twins_of_accents_are_two_pictures(tmp_path: Path) -> None:
    write_pair(tmp_path, _NFC, seed=1)
    write_pair(tmp_path, _NFD, seed=2)
    report = _check(tmp_path)
    assert (len(report.images), _codes(report)) == (2, [])
    (tmp_path / f"{_NFD}.xml").unlink()
    report = _check(tmp_path)
    assert (_codes(report), len(report.unlabeled)) == (["L02"], 1)


def test_twins_of_case_are_two_pictures(tmp_path: Path) -> None:
    write_pair(tmp_path, "a", seed=1)
    write_pair(tmp_path, "A", seed=2)
    assert _codes(_check(tmp_path)) == []
    (tmp_path / "images/A.jpg").unlink()
    report = _check(tmp_path)
    assert _codes(report) == ["L03", "L06", "L10", "L10"], "both XML claim the one picture that is left"
    assert len(report.refused) == 2


@pytest.mark.parametrize("name", ["a.xml.xml", "a.XML", "a.jpg.xml"])
def test_suffixes_of_the_xml(name: str, tmp_path: Path) -> None:
    xml = write_pair(tmp_path)
    xml.rename(xml.with_name(name))
    report = _check(tmp_path)
    assert len(report.images) + len(report.refused) == 1
    assert _codes(report) == {"a.xml.xml": ["X11"], "a.XML": [], "a.jpg.xml": ["L01", "L02"]}[name]


def test_links_that_lead_nowhere_or_round(tmp_path: Path) -> None:
    write_pair(tmp_path, "sound")
    write_pair(tmp_path, "a", seed=2)
    (tmp_path / "images/a.jpg").unlink()
    (tmp_path / "images/a.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "round.xml").symlink_to("round.xml")
    (tmp_path / "below").mkdir()
    (tmp_path / "below/up").symlink_to("..")
    report = _check(tmp_path)
    assert _codes(report) == ["I11", "L01", "X12"]
    assert [image.xml_path.name for image in report.images] == ["sound.xml"]


@pytest.fixture
def as_nobody(tmp_path: Path) -> Iterator[None]:
    """Root may read everything: it becomes somebody else for a while (who may pass through its temporary folders)."""
    if os.geteuid() != 0:
        yield
        return
    opened = {path: path.stat().st_mode for path in tmp_path.parents if path.stat().st_uid == 0}
    for path, mode in opened.items():
        path.chmod(mode | 0o011)
    os.chown(tmp_path, 65534, -1)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        for path, mode in opened.items():
            path.chmod(mode)


@pytest.mark.usefixtures("as_nobody")
def test_folder_that_cannot_be_listed(tmp_path: Path) -> None:
    write_pair(tmp_path / "data")
    (tmp_path / "data/images").chmod(0)
    try:
        with pytest.raises(DatasetError, match="cannot list the folder: Permission denied"):
            check_dataset(tmp_path / "data")
    finally:
        (tmp_path / "data/images").chmod(0o700)


@pytest.mark.usefixtures("as_nobody")
def test_files_that_cannot_be_read_are_findings(tmp_path: Path) -> None:
    for index, name in enumerate(("sound", "xml", "image")):
        write_pair(tmp_path, name, seed=index)
    (tmp_path / "xml.xml").chmod(0)
    (tmp_path / "images/image.jpg").chmod(0)
    report = _check(tmp_path)
    assert [(one.path.stem, one.code) for one in report.refused] == [("image", "I11"), ("xml", "X12")]
    assert [image.xml_path.stem for image in report.images] == ["sound"]


def test_ten_thousand_objects(tmp_path: Path) -> None:
    one = b"<object><name>c</name><bndbox><xmin>%d</xmin><ymin>2</ymin><xmax>40</xmax><ymax>30</ymax></bndbox></object>"
    small = b"<annotation>" + b"".join(one % (index % 30) for index in range(10_000)) + b"</annotation>"
    write_pair(tmp_path, "dense", xml=small, seed=1)
    objects = tuple(LabeledObject("cat", Box(index % 30, 2, 40, 30)) for index in range(10_000))
    write_pair(tmp_path, "labelimg", xml=Annotation("labelimg.jpg", 64, 48, objects=objects), seed=2)
    most = tuple(LabeledObject("cat", Box(index % 50, index // 100, 51, 48)) for index in range(3_000))
    write_pair(tmp_path, "most", xml=Annotation("most.jpg", 64, 48, objects=most), seed=3)
    started = time.monotonic()
    report = check_dataset(tmp_path, jobs=1)
    assert time.monotonic() - started < 10
    assert {one.path.stem: one.code for one in report.refused} == {"dense": "X05", "labelimg": "X05"}
    assert [image.xml_path.stem for image in report.images] == ["most"]


@pytest.mark.slow
def test_picture_of_a_hundred_megapixels(tmp_path: Path) -> None:
    Image.new("L", (10_000, 10_000)).save(tmp_path / "big.png")
    xml = annotation((500, 600, 4000, 3000), filename="a.png", size=(10_000, 10_000), depth=1)
    write_pair(tmp_path, xml=xml, image=(tmp_path / "big.png").read_bytes(), suffix=".png")
    (tmp_path / "big.png").unlink()
    report = _check(tmp_path)
    assert _codes(report) == ["I08"]
    assert len(report.images) == 1


def test_header_that_promises_too_much_costs_no_memory(tmp_path: Path) -> None:
    png = encoded(varied_picture(1), "PNG")
    header = b"IHDR" + (100_000).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0"
    bomb = png[:8] + b"\0\0\0\r" + header + zlib.crc32(header).to_bytes(4, "big") + png[33:]
    write_pair(tmp_path, image=bomb, suffix=".png", xml=annotation((5, 6, 40, 30), filename="a.png"))
    report = _check(tmp_path)
    assert [one.code for one in report.refused] == ["I08"]


def test_folder_where_a_picture_should_be(tmp_path: Path) -> None:
    write_pair(tmp_path)
    (tmp_path / "images/a.jpg").unlink()
    (tmp_path / "images/a.jpg").mkdir()
    (tmp_path / "b.xml").mkdir()
    report = _check(tmp_path)
    assert [one.code for one in report.refused] == ["L01"]


def test_suffix_in_capitals(tmp_path: Path) -> None:
    write_pair(tmp_path, suffix=".JPG", image=picture_bytes(seed=3), xml=annotation((5, 6, 40, 30), filename="a.JPG"))
    assert _codes(_check(tmp_path)) == []
