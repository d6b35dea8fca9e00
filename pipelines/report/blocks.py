"""What a page is made of, as data: sections of text, tables, charts and pictures, without a word of HTML.

Another kind of run says what it has with these; `pipelines.report.page` makes the page of them. All text is plain text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pipelines.report.charts import Chart


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure with its interval; ``None`` where it is not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None


Cell = str | int | float | Measured | None
"""What stands in a table: a float is shown with three decimals, ``None`` as a dash."""


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """A figure that is shown large, above all else."""

    label: str
    value: Cell


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A few sentences; ``soft`` ones explain."""

    text: str
    soft: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that the person should look at: what was seen, and what to do about it."""

    seen: str
    do: str = ""
    tone: Literal["good", "bad", "plain"] = "bad"


@dataclass(frozen=True, slots=True)
class Findings:
    """A list of findings, the most important first."""

    items: Sequence[Finding]


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and what belongs to them."""

    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Commands:
    """Commands to copy, each with what it does."""

    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Column:
    """Head of a column; numeric ones are aligned right. ``tip`` says what it means."""

    title: str
    numeric: bool = True
    tip: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table that a reader can sort by any column; the first cell of a row names it."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""


@dataclass(frozen=True, slots=True)
class HeatTable:
    """Counts of rows against columns, the darker the larger the share of the row."""

    row_title: str
    column_title: str
    row_names: Sequence[str]
    column_names: Sequence[str]
    counts: Sequence[Sequence[int]]
    caption: str = ""


@dataclass(frozen=True, slots=True)
class ChartBlock:
    """A chart with what it tells."""

    chart: Chart
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture inside the page.

    Attributes:
        content: Bytes of a JPEG or a PNG.
        alternative: What is on it, for those who do not see it.
        caption: Stands below; paths as ``path``.
        path: A file that belongs to it, as the XML to open in LabelImg; empty for none.
    """

    content: bytes
    alternative: str
    caption: str = ""
    path: str = ""

    @property
    def size_on_page(self) -> int:
        """Bytes of the page that it takes, without its words."""
        return 4 * -(-len(self.content) // 3)


@dataclass(frozen=True, slots=True)
class Gallery:
    """Pictures side by side, as many as fit; ``width_px`` is about that of one."""

    pictures: Sequence[Picture]
    width_px: int = 460


@dataclass(frozen=True, slots=True)
class Row:
    """Blocks side by side where there is room."""

    blocks: Sequence["Block"]


@dataclass(frozen=True, slots=True)
class Folded:
    """Blocks that are shown when asked for."""

    title: str
    blocks: Sequence["Block"]


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading inside a section."""

    text: str


_Words = Paragraph | Heading | Findings | Facts | Commands
Block = _Words | Table | HeatTable | ChartBlock | Picture | Gallery | Row | Folded
"""Whatever can stand in a section."""


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a page; a section without blocks is left out."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Page:
    """A whole page."""

    title: str
    subtitle: str
    figures: Sequence[KeyFigure]
    sections: Sequence[Section]
