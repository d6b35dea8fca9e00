"""Changes the text of single elements of an XML file and leaves every other byte as it is.

Whoever keeps labels in git wants to see one changed line where one number was wrong, so nothing is parsed and written
out again: the place of each element in the bytes is found, and only those bytes are replaced.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

# What XML 1.0 cannot hold at all, escaped or not; lone surrogates stand for bytes of a file name that are no text.
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DECLARED = re.compile(rb"""^<\?xml[^>]*\bencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")


@dataclass(slots=True)
class Element:
    """Where one element stands in the bytes of a file.

    Attributes:
        tag: Its name.
        start: Offset of its ``<``.
        open_end: Offset after its opening tag; equal to ``end`` when it has the form ``<tag/>``.
        close_start: Offset of ``</``; equal to ``end`` when it has the form ``<tag/>``.
        end: Offset after its last ``>``.
        line: Line of its opening tag, from 1.
        children: Elements inside, in the order of the file.
        has_markup: Whether anything but characters stands inside (an element, a comment, CDATA).
    """

    tag: str
    start: int
    line: int
    open_end: int = -1
    close_start: int = -1
    end: int = -1
    children: list["Element"] = field(default_factory=list)
    has_markup: bool = False

    def find(self, path: str) -> "Element | None":
        """Return the first element of a path such as ``size/width``, or ``None``."""
        element: Element | None = self
        for tag in path.split("/"):
            element = next((child for child in element.children if child.tag == tag), None) if element else None
        return element

    def find_all(self, tag: str) -> list["Element"]:
        """Return the children of this name, in the order of the file."""
        return [child for child in self.children if child.tag == tag]


class NotEditableError(Exception):
    """The bytes cannot be changed in place; the message says why, a clause."""


class XmlEditor:
    """Collects changes to the bytes of one well-formed XML file; `result` applies them.

    Args:
        content: The file. Check it first (`labeling.voc_reader.examine`): a DOCTYPE is not looked for here.

    Raises:
        NotEditableError: The parser cannot tell places in these bytes, or their encoding is not known.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self._encoding = _encoding_of(content)
        self._edits: list[tuple[int, int, bytes]] = []
        self.root: Element = _Tracker(content).root

    def text_of(self, element: Element) -> bytes:
        """Return the bytes between the tags of an element, as they stand."""
        return self.content[element.open_end : element.close_start]

    def set_text(self, element: Element, text: str) -> None:
        """Put ``text`` (not escaped yet) between the tags of an element.

        Raises:
            NotEditableError: There is more than characters inside, which would be lost.
        """
        if element.has_markup:
            raise NotEditableError(f"<{element.tag}> in line {element.line} holds more than text")
        if _ILLEGAL.search(text):
            raise NotEditableError(f"<{element.tag}> would hold a character that XML cannot hold")
        self.set_raw(element, self._encode(_escape(text)))

    def set_source(self, element: Element, source: str) -> None:
        """Put text that is XML already between the tags of an element, in the encoding of the file."""
        self.set_raw(element, self._encode(source))

    def set_raw(self, element: Element, raw: bytes) -> None:
        """Put bytes that are XML already, in the encoding of the file, between the tags of an element."""
        if element.open_end == element.end:
            name = self._encode(element.tag)
            tag = self._encode("<") + name + self._encode(">") + raw + self._encode("</") + name + self._encode(">")
            self._edits.append((element.start, element.end, tag))
        else:
            self._edits.append((element.open_end, element.close_start, raw))

    def remove(self, element: Element) -> None:
        """Take an element out, with the blanks before it."""
        self._edits.append((self._after_blanks(element.start), element.end, b""))

    def insert_after(self, element: Element, lines: list[str]) -> None:
        """Insert XML after an element, each line on its own line, indented like that element.

        ``lines`` may begin with tabs of their own; the tabs become what the file uses for one level.
        """
        blanks = self.content[self._after_blanks(element.start) : element.start]
        unit = self._indent_unit(blanks)
        block = b"".join(
            blanks + unit * (len(line) - len(line.lstrip("\t"))) + self._encode(line.lstrip("\t")) for line in lines
        )
        self._edits.append((element.end, element.end, block))

    def insert_first(self, parent: Element, lines: list[str]) -> None:
        """Insert XML before the first child of an element; there must be one. ``lines`` as for `insert_after`."""
        first = parent.children[0]
        blanks = self.content[self._after_blanks(first.start) : first.start]
        block = b"".join(blanks + self._encode(line) for line in lines)
        self._edits.append((parent.open_end, parent.open_end, block))

    def source_of(self, element: Element) -> str:
        """Return an element with its tags as it stands in the file, lines ending in LF, for `insert_copy_after`."""
        raw = self.content[element.start : element.end].decode(self._encoding, "replace")
        return raw.replace("\r\n", "\n").replace("\r", "\n")

    def insert_copy_after(self, element: Element, source: str) -> None:
        """Insert XML of another file after an element, on a line of its own, indented like it.

        Line ends and text encoding become those of this file; inner lines keep their indentation.
        """
        blanks = self.content[self._after_blanks(element.start) : element.start]
        ends = ("\r\n", "\r", "\n")
        end = next((one for one in ends if self._encode(one) in blanks), "\n")
        self._edits.append((element.end, element.end, blanks + self._encode(source.replace("\n", end))))

    @property
    def is_changed(self) -> bool:
        """Whether there is any change to make."""
        return bool(self._edits)

    def result(self) -> bytes:
        """Return the bytes with every change made; the content itself when there is none."""
        parts, position = [], 0
        for start, end, replacement in sorted(self._edits, key=lambda edit: (edit[0], edit[1])):
            assert start >= position, "two changes overlap"
            parts += [self.content[position:start], replacement]
            position = end
        return b"".join([*parts, self.content[position:]])

    def _after_blanks(self, position: int) -> int:
        """Where the run of blanks that ends here begins."""
        blanks = {self._encode(blank) for blank in " \t\r\n"}
        width = len(self._encode(" "))
        while position >= width and self.content[position - width : position] in blanks:
            position -= width
        return position

    def _indent_unit(self, blanks: bytes) -> bytes:
        """One level of indentation: a tab, or as many spaces as the children of the root have."""
        return self._encode("\t") if self._encode("\t") in blanks else blanks.rpartition(self._encode("\n"))[2]

    def _encode(self, text: str) -> bytes:
        return text.encode(self._encoding, "xmlcharrefreplace")


def can_hold(text: str) -> bool:
    """Whether XML can hold every character of a text, escaped or not."""
    return _ILLEGAL.search(text) is None


def leaf(tag: str, text: str) -> str:
    """Return an element that holds text, escaped, for `XmlEditor.insert_after`.

    Raises:
        NotEditableError: XML cannot hold the text.
    """
    if _ILLEGAL.search(text):
        raise NotEditableError(f"<{tag}> would hold a character that XML cannot hold")
    return f"<{tag}>{_escape(text)}</{tag}>"


def _encoding_of(content: bytes) -> str:
    if content.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le"
    if content.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be"
    declared = _DECLARED.match(content.removeprefix(codecs.BOM_UTF8))
    name = declared.group(1).decode() if declared else "utf-8"
    try:
        return codecs.lookup(name).name
    except LookupError as error:
        raise NotEditableError(f"the encoding {name} is not known") from error


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


class _Tracker:
    """Notes where every element begins and ends; expat tells the offset of each event."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._open: list[Element] = []
        self._root: Element | None = None
        self._waiting: list[tuple[Element, str]] = []  # an end that the next event will tell
        self._parser = parser = expat.ParserCreate()
        parser.buffer_text = False
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._inside
        parser.DefaultHandler = self._other
        try:
            parser.Parse(content, True)
        except (expat.ExpatError, ValueError, LookupError) as error:
            raise NotEditableError(f"it cannot be changed in place: {error}") from error
        self._settle(len(content))

    @property
    def root(self) -> Element:
        """The outermost element."""
        if self._root is None or any(element.end < element.close_start for element in _all_of(self._root)):
            raise NotEditableError("it cannot be changed in place: places of elements are unclear")
        return self._root

    def _settle(self, position: int) -> None:
        for element, what in self._waiting:
            setattr(element, what, position)
            if what == "end" and element.open_end < 0:
                element.open_end = element.close_start = position
        self._waiting.clear()

    def _start(self, tag: str, _: dict[str, str]) -> None:
        position = self._parser.CurrentByteIndex
        self._settle(position)
        element = Element(tag, position, self._parser.CurrentLineNumber)
        if self._open:
            self._open[-1].children.append(element)
            self._open[-1].has_markup = True
        elif self._root is None:
            self._root = element
        self._open.append(element)
        self._waiting.append((element, "open_end"))

    def _end(self, _: str) -> None:
        position = self._parser.CurrentByteIndex
        element = self._open.pop()
        if position == element.start:  # <tag/>: both events have the place of the one tag
            self._waiting = [(element, "end")]
            return
        self._settle(position)
        element.close_start = position
        self._waiting.append((element, "end"))

    def _inside(self, _: str) -> None:
        self._settle(self._parser.CurrentByteIndex)

    def _other(self, _: str) -> None:
        self._settle(self._parser.CurrentByteIndex)
        if self._open:
            self._open[-1].has_markup = True


def _all_of(element: Element) -> Iterator[Element]:
    yield element
    for child in element.children:
        yield from _all_of(child)
