import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from labeling.html_report import html_report
from labeling.validate import check_dataset
from tests.unit.labeling.defects import DEFECTS, Defect, build
from tests.unit.labeling.labeled_pictures import annotation, write_class, write_pair

_VOID = {"meta", "img", "input", "br", "link"}


class _Page(HTMLParser):
    """Checks that every tag is closed in order, and collects what the page would fetch or run."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "action")]
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("p",):
            assert self.open.pop() == tag
        else:
            self.open.remove("p")

    def handle_data(self, data: str) -> None:
        self.words += data


def _parsed(text: str) -> _Page:
    page = _Page()
    page.feed(text)
    page.close()
    assert page.open == []
    return page


@pytest.mark.parametrize("defect", DEFECTS[::4], ids=lambda defect: defect.id)
def test_page_is_whole_and_needs_nothing_else(defect: Defect, tmp_path: Path) -> None:
    build(defect, tmp_path)
    report = check_dataset(tmp_path, jobs=1)
    page = _parsed(html_report(report, tmp_path))
    assert "script" not in page.tags
    assert all(address.startswith("data:image/jpeg;base64,") for address in page.addresses)
    assert page.tags.count("li") == len(report.findings)
    assert all(finding.action in page.words for finding in report.findings)


def test_names_and_labels_cannot_become_markup(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    write_pair(tmp_path, "<img src=x onerror=y>", xml=annotation((40, 6, 5, 30), name=evil, filename='"><b>.jpg'))
    page = _parsed(html_report(check_dataset(tmp_path), tmp_path))
    assert {"script", "b"}.isdisjoint(page.tags)
    assert evil in page.words


def test_sound_data_gives_a_page_that_says_so(tmp_path: Path) -> None:
    write_class(tmp_path)
    text = html_report(check_dataset(tmp_path), tmp_path)
    assert "Nothing was found." in _parsed(text).words
    assert re.search(r"error</?[^>]*>|error \(0\)", text)


def test_paths_are_those_below_the_data_root(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for name in ("a", "b"):
        write_pair(root, name, seed=1, xml=annotation((5, 6, 40, 30), filename=f"{name}.jpg"))
    page = _parsed(html_report(check_dataset(root), root))
    assert "the same bytes as images/a.jpg" in page.words
    assert page.words.count(str(root)) == 2, "in the title and in the heading"
