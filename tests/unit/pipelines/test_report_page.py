"""Pages: whole in themselves, and safe whatever a class is called."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.report import blocks
from pipelines.report.charts import BarChart, Bars, LineChart, Mark, Series
from pipelines.report.page import render_page
from pipelines.report.style import STYLE

_VOID = ("meta", "link", "img", "br")
_JPEG = b"\xff\xd8\xff picture"


class _Reader(HTMLParser):
    """Collects what a browser would ask for, the text, and whether every element is closed."""

    def __init__(self):
        super().__init__()
        self.addresses, self.open, self.text, self.tags, self.attributes = [], [], "", [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "action", "data", "srcset")]
        self.attributes += [value for _, value in attrs]
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def read(page):
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def everything(text, number=0.25, count=3):
    """A page with every block there is, and ``text`` wherever text can stand."""
    lines = LineChart(
        text, text, text, [Series(text, [0, 1, 2], [number, None, 1.0], markers=True), Series(text, [], [])],
        marks=[Mark(1.0, text)], diagonal=True,
    )  # fmt: skip
    standing = BarChart(text, text, text, [text, "b"], [Bars(text, [1, 2]), Bars("other", [0, count])])
    lying = BarChart(text, text, text, [text, "b"], [Bars(text, [1, 2]), Bars("other", [0, 1])], False, horizontal=True)
    columns = [blocks.Column(text, numeric=False, tip=text), blocks.Column(text)]
    cells = [None, number, count, blocks.Measured(number, 0.1, 0.9), blocks.Measured(None), text]
    picture = blocks.Picture(_JPEG, text, text, text)
    every = [
        blocks.Paragraph(text, soft=True),
        blocks.Heading(text),
        blocks.Findings([blocks.Finding(text, text)]),
        blocks.Facts([(text, text)]),
        blocks.Commands([(text, text)]),
        blocks.Table(columns, [[text, cell] for cell in cells], text),
        blocks.HeatTable(text, text, [text, "b"], [text, "b"], [[1, 0], [0, 0]], text),
        picture,
        blocks.Gallery([picture, picture]),
        blocks.Row([blocks.ChartBlock(lines, text), blocks.ChartBlock(standing), blocks.ChartBlock(lying)]),
        blocks.Folded(text, [blocks.Paragraph(text)]),
    ]
    sections = [blocks.Section(text, every), blocks.Section(text, every[:1]), blocks.Section("left out", [])]
    return blocks.Page(text, text, [blocks.KeyFigure(text, number)], sections)


def test_every_block_is_on_the_page_and_nothing_leaves_it():
    page = render_page(everything("some words"))
    reader = read(page)
    assert {"h1", "h2", "h3", "table", "svg", "img", "details", "dl", "pre", "figcaption", "nav"} <= set(reader.tags)
    assert "left out" not in reader.text
    assert all(address.startswith(("data:", "#")) for address in reader.addresses)
    assert not re.search(r"https?:|@import|url\([^#]", page)
    assert base64.b64encode(_JPEG).decode() in page
    for words in ("0.250", "0.100 to 0.900", "–", "some words"):
        assert words in reader.text


def test_links_lead_to_sections_with_names_of_their_own():
    reader = read(render_page(everything("the same")))
    links = [address[1:] for address in reader.addresses if address.startswith("#")]
    assert len(links) == len(set(links)) == 2
    assert all(reader.attributes.count(link) >= 1 for link in links)


def test_only_the_script_of_the_page_may_run():
    page = render_page(everything("x"))
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in page


EVIL = [
    '<script>alert("x")</script>',
    '"><img src=http://a onerror=b>',
    "</style>",
    "&amp;",
    "' onload='x",
    "]]>",
    "\x00",
]


_PLAIN_TAGS = read(render_page(everything("word"))).tags


@settings(max_examples=40)
@given(st.text(min_size=1, max_size=20) | st.sampled_from(EVIL))
def test_text_is_text_and_never_markup(text):
    reader = read(render_page(everything(text)))
    assert reader.tags == _PLAIN_TAGS
    assert all(address.startswith(("data:", "#")) for address in reader.addresses)
    # What no page may hold is replaced; everything else can be read.
    shown = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]", "\ufffd", text)
    assert reader.text.count(shown) >= 10


@pytest.mark.parametrize("number", [0.0, 1e-9, 5e8, -3.0, float("nan"), float("inf")])
def test_any_figures_can_be_drawn(number):
    page = render_page(everything("x", number, 10**7))
    drawn = "".join(re.findall(r"<svg.*?</svg>", page))
    assert not re.search(r'(?:d|x|y|cx|cy|width|height)="[^"]*(nan|inf)', drawn)


def _brightness(color):
    parts = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_can_be_told_from_the_paper(scheme):
    """WCAG's contrast: 4.5 for words, 3 for lines."""
    light, dark = STYLE.split("@media screen")[:2]
    colors = dict(re.findall(r"--([a-z0-9]+):(#[0-9a-f]{3,6})\b", light if scheme == "light" else dark))
    colors = {
        name: color if len(color) == 7 else "#" + "".join(2 * part for part in color[1:])
        for name, color in colors.items()
    }
    for paper in ("paper", "back"):
        for name, color in colors.items():
            low, high = sorted([_brightness(color), _brightness(colors[paper])])
            contrast = (high + 0.05) / (low + 0.05)
            least = 4.5 if name in ("ink", "soft", "mark", "bad", "link") else 3 if re.match(r"c\d", name) else 1
            assert contrast >= least, (name, paper, contrast)
