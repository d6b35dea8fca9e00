r"""The text form of a label map: as much of protobuf's text format as ``StringIntLabelMap`` needs.

    item { name: 'cat' id: 1 display_name: "House\ncat" }

Parsed by hand because the message class lives in TensorFlow's object detection API, which is not needed for anything
else, and because people must be told the line.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labeling.errors import LabelMapError

_TOKEN = re.compile(
    r"""(?P<space>[\s]+|\#[^\n]*)
      | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      | (?P<number>[-+]?\d+)(?![\w.])
      | (?P<word>[A-Za-z_][\w.]*|[-+]?[\d.][\w.+-]*)
      | (?P<mark>[{}<>:,;\[\]-])""",
    re.VERBOSE | re.ASCII,
)
_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|[xX]([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_SIMPLE = {
    b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v",
    b"\\": b"\\", b"'": b"'", b'"': b'"', b"?": b"?",
}  # fmt: skip
_CLOSING = {"{": "}", "<": ">"}
_MAX_DEPTH = 50


@dataclass(frozen=True, slots=True)
class Item:
    """One ``item`` block as it stands in the file; ``None`` where a field is absent. ``line`` is where it opens."""

    class_id: int | None
    name: str | None
    display_name: str | None
    line: int


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int


def quote(text: str) -> str:
    """Return ``text`` as a double-quoted string of the text format; letters beyond ASCII stay as they are."""
    pieces = []
    for character in text:
        if character in '"\\':
            pieces.append("\\" + character)
        elif character == "\n":
            pieces.append("\\n")
        elif ord(character) < 32 or ord(character) == 127:
            pieces.append(f"\\{ord(character):03o}")
        else:
            pieces.append(character)
    return '"' + "".join(pieces) + '"'


def parse_items(text: str, path: Path) -> list[Item]:
    """Read every ``item`` of the text, in order; unknown fields are skipped.

    Args:
        text: The file's text.
        path: Named in errors.

    Raises:
        LabelMapError: The text does not follow the format; the message has file and line.
    """
    return _Parser(text, path).items()


class _Parser:
    """A recursive-descent parser over the tokens of one file."""

    def __init__(self, text: str, path: Path) -> None:
        self._path = path
        self._tokens = list(self._tokenize(text))
        self._next = 0

    def items(self) -> list[Item]:
        found = []
        while self._peek().kind != "end":
            token = self._take()
            if token.kind != "word" or token.text != "item":
                raise self._error(f"expected `item`, got {_shown(token)}", token)
            self._skip_mark(":")
            found.append(self._item(token.line))
            self._skip_separator()
        return found

    def _item(self, line: int) -> Item:
        closing = self._open_block()
        fields: dict[str, int | str] = {}
        while not self._is_mark(closing):
            token = self._take()
            if token.kind != "word":
                raise self._error(f"expected a field such as `id:` or `{closing}`, got {_shown(token)}", token)
            self._skip_mark(":")
            if token.text in ("id", "name", "display_name"):
                if token.text in fields:
                    raise self._error(f"`{token.text}` is there twice in one item", token)
                fields[token.text] = self._integer() if token.text == "id" else self._string(token.text)
            else:
                self._skip_value(0)
            self._skip_separator()
        self._take()
        class_id, name, display_name = fields.get("id"), fields.get("name"), fields.get("display_name")
        return Item(
            class_id if isinstance(class_id, int) else None,
            name if isinstance(name, str) else None,
            display_name if isinstance(display_name, str) else None,
            line,
        )

    def _integer(self) -> int:
        token = self._take()
        if token.kind != "number" or len(token.text) > 12:
            raise self._error(f"id must be a whole number, got {_shown(token)}", token)
        return int(token.text)

    def _string(self, field: str) -> str:
        token = self._take()
        if token.kind != "string":
            raise self._error(f"{field} must be a text in quotes, got {_shown(token)}", token)
        raw = self._unescape(token)
        while self._peek().kind == "string":  # adjacent literals are one text
            raw += self._unescape(self._take())
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            raise self._error(f"{field} is not UTF-8 once its escapes are resolved", token) from error

    def _unescape(self, token: _Token) -> bytes:
        def resolve(match: re.Match[bytes]) -> bytes:
            octal, hexadecimal, short, long, simple = match.groups()
            if octal:
                return bytes([int(octal, 8) & 0xFF])
            if hexadecimal:
                return bytes([int(hexadecimal, 16)])
            if short or long:
                point = int(short or long, 16)
                if point > 0x10FFFF or 0xD800 <= point <= 0xDFFF:
                    raise self._error(f"\\u{point:x} is not a character", token)
                return chr(point).encode()
            if simple in _SIMPLE:
                return _SIMPLE[simple]
            raise self._error(f"unknown escape \\{simple.decode(errors='replace')}", token)

        return _ESCAPE.sub(resolve, token.text[1:-1].encode())

    def _skip_value(self, depth: int) -> None:
        """Step over the value of a field that means nothing here: a scalar, a list or a nested block."""
        if depth > _MAX_DEPTH:
            raise self._error("blocks are nested too deeply", self._peek())
        token = self._take()
        if token.kind == "string":
            while self._peek().kind == "string":
                self._take()
        elif token.kind == "mark" and token.text in _CLOSING:
            while not self._is_mark(_CLOSING[token.text]):
                name = self._take()
                if name.kind not in ("word", "mark") or name.text in ("}", ">"):
                    raise self._error(f"expected a field, got {_shown(name)}", name)
                self._skip_mark(":")
                self._skip_value(depth + 1)
                self._skip_separator()
            self._take()
        elif token.kind == "mark" and token.text == "[":
            while not self._is_mark("]"):
                self._skip_value(depth + 1)
                self._skip_mark(",")
            self._take()
        elif token.kind not in ("number", "word"):
            raise self._error(f"expected a value, got {_shown(token)}", token)

    def _open_block(self) -> str:
        token = self._take()
        if token.kind != "mark" or token.text not in _CLOSING:
            raise self._error(f"expected `{{` after item, got {_shown(token)}", token)
        return _CLOSING[token.text]

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._tokens[self._next]
        if token.kind != "end":
            self._next += 1
        return token

    def _is_mark(self, text: str) -> bool:
        token = self._peek()
        if token.kind == "end":
            raise self._error(f"the file ends where `{text}` was expected", token)
        return token.kind == "mark" and token.text == text

    def _skip_mark(self, text: str) -> None:
        if self._peek().kind == "mark" and self._peek().text == text:
            self._next += 1

    def _skip_separator(self) -> None:
        self._skip_mark(",")
        self._skip_mark(";")

    def _tokenize(self, text: str) -> Iterator[_Token]:
        position, line = 0, 1
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise self._error(
                    f"unexpected {text[position : position + 20].splitlines()[0]!r}", _Token("", "", line)
                )
            if match.lastgroup != "space":
                yield _Token(match.lastgroup or "", match.group(), line)
            line += match.group().count("\n")
            position = match.end()
        yield _Token("end", "", line)

    def _error(self, what: str, token: _Token) -> LabelMapError:
        return LabelMapError(what, where=f"{self._path}:{token.line}", fix="An item reads: item { id: 1  name: 'cat' }")


def _shown(token: _Token) -> str:
    return "the end of the file" if token.kind == "end" else repr(token.text[:40])
