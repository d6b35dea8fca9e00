"""The reader behind `labeling.voc`: takes a Pascal VOC file apart and names every place where it is not one."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from lxml import etree

from labeling.annotations import Annotation, Box, LabeledObject

MAX_BYTES = 1 << 20
"""A larger file is refused unread: an annotation of a thousand objects has 300 kB."""

_NUMBER = re.compile(r"\s*[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,4})?\s*", re.ASCII)
_NOT_FINITE = re.compile(r"\s*[-+]?(?:nan|inf|infinity)\s*", re.ASCII | re.IGNORECASE)
_LARGEST_SIZE = 10**9
_FLAGS = {
    "1": True,
    "true": True,
    "yes": True,
    "0": False,
    "false": False,
    "no": False,
    "": False,
    "unspecified": False,
}
_KNOWN = {
    "annotation": {"folder", "filename", "path", "source", "size", "segmented", "object"},
    "source": {"database", "annotation", "image", "flickrid"},
    "size": {"width", "height", "depth"},
    "object": {"name", "pose", "truncated", "difficult", "bndbox"},
    "bndbox": {"xmin", "ymin", "xmax", "ymax"},
}


@dataclass(frozen=True, slots=True)
class Problem:
    """A place where a file is not an annotation.

    Attributes:
        code: Stable code, ``X01`` to ``X12``.
        line: Line in the file, from 1, or ``None``.
        object_index: Which object, from 1, or ``None``.
        got: What stands there, short.
        wanted: What should stand there, short.
    """

    code: str
    line: int | None
    object_index: int | None
    got: str
    wanted: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading one file gave.

    Attributes:
        annotation: The annotation; ``None`` when the file could not be taken apart. Objects that are broken
            themselves are left out and stand in ``problems``.
        problems: Every place where the file is not an annotation, in the order of the file.
        unknown_elements: Names of elements that LabelImg does not write, sorted; they are not read.
    """

    annotation: Annotation | None
    problems: tuple[Problem, ...] = ()
    unknown_elements: tuple[str, ...] = ()


def examine(content: bytes) -> Reading:
    """Read the bytes of one annotation file and list everything wrong with it; never raises.

    No entity is resolved, no DTD, file or address is opened, whatever the bytes ask for.
    """
    try:
        root = _root_of(content)
    except _RefusedError as refused:
        return Reading(None, (refused.problem,))
    reader = _Reader()
    annotation = reader.annotation(root)
    return Reading(annotation, tuple(reader.problems), tuple(sorted(reader.unknown)))


def annotation_of(root: etree._Element) -> Annotation:
    """Return what an ``<annotation>`` element says, without a word about what is wrong in it."""
    return _Reader().annotation(root)


class _RefusedError(Exception):
    """The file as a whole cannot be taken apart."""

    def __init__(self, code: str, line: int | None, got: str, wanted: str) -> None:
        super().__init__(got)
        self.problem = Problem(code, line, None, got, wanted)


def safe_parser(*, recover: bool = False) -> etree.XMLParser:
    """Return a parser that opens no file or address and expands nothing; ``recover`` reads on past what is broken.

    One is made for each call: an lxml parser must not be shared between threads.
    """
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        recover=recover,
        remove_comments=True,
        remove_pis=True,
    )


def _root_of(content: bytes) -> etree._Element:
    if len(content) > MAX_BYTES:
        raise _RefusedError("X05", None, f"more than {MAX_BYTES} bytes", "at most 1 MiB")
    if not content.strip():
        raise _RefusedError("X10", None, "an empty file" if not content else "nothing but blanks", "an annotation")
    parser = safe_parser()
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        # An undeclared entity or a hostile DTD fails in the parser already; say what it really is.
        if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
            raise _doctype_refused(content) from error
        line = error.lineno or None
        if _is_wrongly_encoded(content):
            raise _RefusedError("X04", line, "bytes that are not UTF-8", "UTF-8 text") from error
        raise _RefusedError("X01", line, _one_line(error.msg), "well-formed XML") from error
    except (ValueError, LookupError) as error:
        raise _RefusedError("X01", None, _one_line(str(error)), "well-formed XML") from error
    # With entities off, `<name>&x;</name>` would read as an empty name: any DOCTYPE refuses the file.
    document = root.getroottree().docinfo
    if document.internalDTD is not None or document.externalDTD is not None or b"<!DOCTYPE" in content:
        raise _doctype_refused(content)
    if root.tag != "annotation":
        namespaced = isinstance(root.tag, str) and root.tag.startswith("{")
        got = f"root <{_one_line(str(root.tag))}>" + (" in a namespace" if namespaced else "")
        raise _RefusedError("X03", _line_of(root), got, "root <annotation> without a namespace")
    return root


def _doctype_refused(content: bytes) -> _RefusedError:
    before = content.partition(b"<!")[0]
    return _RefusedError("X02", before.count(b"\n") + 1, "a DOCTYPE or entity declaration", "plain XML without one")


def _is_wrongly_encoded(content: bytes) -> bool:
    head = content[:200].lower()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or (b"encoding" in head and b"utf-8" not in head):
        return False
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return True
    return False


class _Parts(NamedTuple):
    """An element and its children by tag, each list in the order of the file."""

    parent: etree._Element
    children: dict[str, list[etree._Element]]


@dataclass(slots=True)
class _Reader:
    """Turns an element tree into an annotation and notes what is wrong on the way."""

    problems: list[Problem] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)
    _object: int | None = None

    def annotation(self, root: etree._Element) -> Annotation:
        parts = self._parts(root, "annotation")
        filename = self._only(parts, "filename")
        path = self._only(parts, "path")
        source = self._only(parts, "source")
        size = self._only(parts, "size")
        segmented = self._only(parts, "segmented")
        folder = self._only(parts, "folder")
        sides = None if size is None else self._parts(size)
        width, height, depth = (self._size_part(sides, tag) for tag in ("width", "height", "depth"))
        database = None if source is None else self._only(self._parts(source), "database")
        return Annotation(
            filename=self._text_or(filename, ""),
            width=width or 0,
            height=height or 0,
            depth=3 if depth is None else depth,
            folder=self._text_or(folder, ""),
            path=None if path is None else self._text(path),
            database=self._text_or(database, "Unknown"),
            segmented=self._flag(segmented),
            verified=root.get("verified") == "yes",
            objects=tuple(self._objects(parts.children.get("object", ()))),
            filename_line=None if filename is None else _line_of(filename),
            size_line=None if size is None else _line_of(size),
        )

    def _objects(self, elements: Iterable[etree._Element]) -> Iterator[LabeledObject]:
        for index, element in enumerate(elements, start=1):
            self._object = index
            parts = self._parts(element, "object")
            name = self._only(parts, "name", required=True)
            box = self._box(parts)
            pose = self._only(parts, "pose")
            truncated = self._flag(self._only(parts, "truncated"))
            difficult = self._flag(self._only(parts, "difficult"))
            if name is not None and box is not None:
                yield LabeledObject(
                    name=self._text(name),
                    box=box,
                    pose=self._text_or(pose, "Unspecified"),
                    truncated=truncated,
                    difficult=difficult,
                    line=_line_of(element),
                )
        self._object = None

    def _box(self, parts: _Parts) -> Box | None:
        bndbox = self._only(parts, "bndbox", required=True)
        if bndbox is None:
            return None
        sides = self._parts(bndbox, "bndbox")
        edges = [self._edge(sides, tag) for tag in ("xmin", "ymin", "xmax", "ymax")]
        sound = [edge for edge in edges if edge is not None]
        return Box(*sound) if len(sound) == 4 else None

    def _edge(self, sides: _Parts, tag: str) -> float | None:
        element = self._only(sides, tag, required=True)
        if element is None:
            return None
        text = self._text(element)
        if _NUMBER.fullmatch(text) or _NOT_FINITE.fullmatch(text):
            return float(text)
        self._note("X07", element, f"<{tag}> holds {_one_line(text)!r}", "a number")
        return None

    def _size_part(self, sides: _Parts | None, tag: str) -> int | None:
        element = None if sides is None else self._only(sides, tag)
        text = "" if element is None else self._text(element)
        if element is None or not text.strip():
            return None
        number = float(text) if _NUMBER.fullmatch(text) else None
        if number is None or not number.is_integer() or abs(number) > _LARGEST_SIZE:
            self._note("X07", element, f"<{tag}> holds {_one_line(text)!r}", "a whole number")
            return None
        return int(number)

    def _flag(self, element: etree._Element | None) -> bool:
        if element is None:
            return False
        text = self._text(element).strip().lower()
        if text not in _FLAGS:
            self._note("X07", element, f"<{element.tag}> holds {_one_line(text)!r}", "0 or 1")
        return _FLAGS.get(text, False)

    def _parts(self, parent: etree._Element, tag: str = "") -> _Parts:
        """Sort the children by tag; with the parent's tag given, note those that do not belong there."""
        children: dict[str, list[etree._Element]] = {}
        for child in parent:
            children.setdefault(str(child.tag), []).append(child)
        if tag:
            self.unknown.update(children.keys() - _KNOWN[tag])
        return _Parts(parent, children)

    def _only(self, parts: _Parts, tag: str, *, required: bool = False) -> etree._Element | None:
        found = parts.children.get(tag)
        if found is None:
            if required:
                self._note("X06", parts.parent, f"<{parts.parent.tag}> without <{tag}>", "it once")
            return None
        if len(found) > 1:
            self._note("X06", found[1], f"<{tag}> {len(found)} times in <{parts.parent.tag}>", "it once")
        return found[0]

    def _text(self, element: etree._Element) -> str:
        if len(element):
            self._note("X06", element, f"elements inside <{element.tag}>", "text only")
        return element.text or ""

    def _text_or(self, element: etree._Element | None, default: str) -> str:
        return default if element is None else self._text(element)

    def _note(self, code: str, element: etree._Element, got: str, wanted: str) -> None:
        self.problems.append(Problem(code, _line_of(element), self._object, got, wanted))


def _line_of(element: etree._Element) -> int | None:
    line: object = element.sourceline  # the stubs have its type wrong
    return line if isinstance(line, int) else None


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 120 else line[:117] + "..."
