"""The page of a report: whole in itself, and safe whatever a class is called."""

import re
from html.parser import HTMLParser

import pytest

from pipelines.report import ReportSection, render_page

pytestmark = pytest.mark.tf

RESULTS = {
    "AP": 0.5, "AP50": 0.75, "F1": None, "num_images": 12, "step": 300, "checkpoint": "best",
    "per_class": {"cat": {"AP": 0.5, "AP50": 0.75, "num_truth": 4}, "dog": {"AP": None, "AP50": None, "num_truth": 0}},
}  # fmt: skip


class _Tags(HTMLParser):
    """Collects what a browser would ask for, and whether every element is closed."""

    def __init__(self):
        super().__init__()
        self.addresses, self.open, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        self.addresses += [value for name, value in attrs if name in ("src", "href", "action", "data", "srcset")]
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def _read(page):
    tags = _Tags()
    tags.feed(page)
    tags.close()
    assert tags.open == []
    return tags


def test_figures_and_sections_are_on_the_page():
    tags = _read(render_page("my run", RESULTS, [ReportSection("Classes", "<p>hello</p>")]))
    for words in ("my run", "0.750", "0.500", "12", "300", "Classes", "hello", "–"):
        assert words in tags.text


def test_nothing_leaves_the_page():
    page = render_page("run", RESULTS, [])
    assert all(address.startswith("data:") for address in _read(page).addresses)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", page)


def test_names_are_text_and_never_markup():
    from pipelines import report

    evil = '<script>alert("x")</script>&amp;'
    results = RESULTS | {"checkpoint": evil, "per_class": {evil: RESULTS["per_class"]["cat"]}}
    page = render_page(evil, results, [ReportSection(evil, report._class_table(results))])
    tags = _read(page)
    assert "<script" not in page
    assert tags.text.count(evil) >= 4


def test_no_pictures_is_said():
    from pipelines import report

    assert "no verification picture" in report._sample_grid([])
