"""Where each field of a text proto stands."""

import re
from collections.abc import Iterator
from typing import NamedTuple

_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)|(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|(?P<word>[\w.+\-/]+)|(?P<mark>.)""",
    re.VERBOSE,
)
_NAME = re.compile(r"[A-Za-z_]\w*$")
_OPENING, _CLOSING = ("{", "<", "["), ("}", ">", "]")


class FieldLine(NamedTuple):
    """A field in a text proto.

    Attributes:
        path: Dotted names, such as ``model.ssd.num_classes``.
        line: Counted from 1; that of the name.
    """

    path: str
    line: int


class _Token(NamedTuple):
    text: str
    line: int


def field_lines(text: str) -> dict[str, list[int]]:
    """Return the lines at which each field stands, by dotted path, in the order of the text.

    The text must have been parsed already: what is no field is passed over.
    """
    lines: dict[str, list[int]] = {}
    for path, line in _walk(list(_tokens(text))):
        lines.setdefault(path, []).append(line)
    return lines


def _tokens(text: str) -> Iterator[_Token]:
    line = 1
    for match in _TOKEN.finditer(text):
        if match.lastgroup != "space":
            yield _Token(match.group(), line)
        line += match.group().count("\n")


def _walk(tokens: list[_Token]) -> Iterator[FieldLine]:
    scopes: list[str] = []
    for index, token in enumerate(tokens):
        following = tokens[index + 1].text if index + 1 < len(tokens) else ""
        before = tokens[index - 1].text if index else ""
        if token.text in _CLOSING and scopes:
            scopes.pop()
        elif token.text in _OPENING:
            # `name {`, `name: {` or `name: [`; within a list, a message has no name of its own.
            named = before if before != ":" else tokens[index - 2].text if index > 1 else ""
            scopes.append(named if _NAME.match(named) else "")
        elif _NAME.match(token.text) and (following in (":", *_OPENING)) and before != ":":
            yield FieldLine(".".join([*filter(None, scopes), token.text]), token.line)
