"""The README and the pages of docs/, taken apart: commands, links, pictures, options, tables."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\S*)[ \t]*\n(?P<text>.*?)^(?P=indent)```[ \t]*$", re.M | re.S)
_LINK = re.compile(r"(?<!!)\[(?:[^\[\]]|\[[^\]]*\])*\]\((?P<target>[^()\s]+)\)")
_PICTURE = re.compile(r"!\[(?P<alternative>[^\]]*)\]\((?P<target>[^()\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(?P<text>.+?) *$", re.M)
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9_-]*")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language (empty when none is named), its text, and the line of the page it begins at."""

    language: str
    text: str
    line: int


@dataclass(frozen=True)
class DocPage:
    """One Markdown file of the repository."""

    path: Path

    @property
    def name(self) -> str:
        """Path below the repository, with forward slashes."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def text(self) -> str:
        """The whole file."""
        return self.path.read_text(encoding="utf-8")

    @property
    def blocks(self) -> list[Block]:
        """Fenced blocks in order, indentation of the fence taken off."""
        return [
            Block(
                found["language"],
                re.sub(rf"^{found['indent']}", "", found["text"], flags=re.M),
                self.text.count("\n", 0, found.start("text")) + 1,
            )
            for found in _FENCE.finditer(self.text)
        ]

    @property
    def prose(self) -> str:
        """The text without the fenced blocks."""
        return _FENCE.sub("", self.text)

    @property
    def links(self) -> list[str]:
        """Targets of links, pictures not among them."""
        return [found["target"] for found in _LINK.finditer(self.prose)]

    @property
    def pictures(self) -> list[tuple[str, str]]:
        """Target and alternative text of every picture."""
        return [(found["target"], found["alternative"]) for found in _PICTURE.finditer(self.prose)]

    @property
    def anchors(self) -> set[str]:
        """What a link may name behind ``#``: headings, as GitHub spells them."""
        return {_anchor(found["text"]) for found in _HEADING.finditer(self.prose)}

    @property
    def options(self) -> set[str]:
        """Every ``--option`` that the page mentions anywhere."""
        return set(_OPTION.findall(self.text))

    @property
    def commands(self) -> list[str]:
        """Command lines of the ``sh`` blocks in order; continued lines joined, comments and blank lines left out."""
        return [line for block in self.blocks if block.language == "sh" for line in _command_lines(block.text)]


def doc_pages() -> list[DocPage]:
    """Return the README, the other pages of the root that give commands, and every page of docs/."""
    roots = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
    return [DocPage(path) for path in [*roots, *sorted((ROOT / "docs").rglob("*.md"))]]


def page(name: str) -> DocPage:
    """Return the page at a path below the repository."""
    return DocPage(ROOT / name)


def table_rows(text: str) -> Iterator[list[str]]:
    """Yield the cells of every row of every table, heads and rules left out."""
    lines = text.splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("|") and not _is_rule(line) and not _is_rule(following):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def _is_rule(line: str) -> bool:
    return bool(re.fullmatch(r"\|[\s:|-]+\|", line))


def _command_lines(text: str) -> Iterator[str]:
    for line in text.replace("\\\n", " ").splitlines():
        # A comment begins at a number sign that stands free; the colours in quotes do not.
        command = re.sub(r"(^|\s)#\s.*$", "", line).strip()
        if command:
            yield " ".join(command.split())


def _anchor(heading: str) -> str:
    words = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
