"""Pascal VOC XML as LabelImg writes it: a reader that trusts nothing, and a writer that matches LabelImg byte for byte.

The reader takes one file at face value (no box is moved, no text is trimmed) and names every place where it is not an
annotation at all. Whether boxes make sense is for `labeling.checks` to say.
"""

import re
from pathlib import Path

from collectors.files import write_atomically
from labeling.annotations import Annotation
from labeling.errors import AnnotationError
from labeling.voc_reader import MAX_BYTES, examine

# What XML 1.0 cannot hold at all, escaped or not.
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read_annotation(path: Path) -> Annotation:
    """Read one annotation file.

    Raises:
        AnnotationError: The file cannot be read or is not an annotation; ``code`` and ``line`` say what and where.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise AnnotationError(f"cannot read: {error.strerror or error}", code="X12", where=str(path)) from error
    return parse_annotation(content, where=str(path))


def parse_annotation(content: bytes, *, where: str = "annotation") -> Annotation:
    """Read the bytes of one annotation file.

    Args:
        content: The whole file.
        where: Named in errors.

    Raises:
        AnnotationError: The bytes are not an annotation; ``code`` and ``line`` say what and where.
    """
    reading = examine(content)
    if reading.annotation is None or reading.problems:
        problem = reading.problems[0]
        raise AnnotationError(
            f"{problem.got}; wanted {problem.wanted}",
            code=problem.code,
            where=where if problem.line is None else f"{where}:{problem.line}",
            line=problem.line,
        )
    return reading.annotation


def format_annotation(annotation: Annotation) -> bytes:
    """Return the file that LabelImg 1.8.6 writes for this annotation: tabs, LF, no declaration, UTF-8.

    One deliberate difference: LabelImg turns two spaces inside a name into a tab (its indentation pass runs over the
    whole document); here they stay two spaces. Whole numbers are written without a point, other edges exactly.

    Raises:
        AnnotationError: A text holds a character that XML cannot hold, such as U+0000.
    """
    lines = ['<annotation verified="yes">' if annotation.verified else "<annotation>"]
    lines += [_leaf(1, "folder", annotation.folder), _leaf(1, "filename", annotation.filename)]
    if annotation.path is not None:
        lines.append(_leaf(1, "path", annotation.path))
    lines += ["\t<source>", _leaf(2, "database", annotation.database), "\t</source>", "\t<size>"]
    lines += [_leaf(2, tag, str(getattr(annotation, tag))) for tag in ("width", "height", "depth")]
    lines += ["\t</size>", _leaf(1, "segmented", str(int(annotation.segmented)))]
    for labeled in annotation.objects:
        lines += ["\t<object>", _leaf(2, "name", labeled.name), _leaf(2, "pose", labeled.pose)]
        lines.append(_leaf(2, "truncated", str(int(labeled.truncated))))
        lines.append(_leaf(2, "difficult", str(int(labeled.difficult))))
        lines.append("\t\t<bndbox>")
        lines += [_leaf(3, tag, format_edge(getattr(labeled.box, tag))) for tag in ("xmin", "ymin", "xmax", "ymax")]
        lines += ["\t\t</bndbox>", "\t</object>"]
    return ("\n".join(lines) + "\n</annotation>\n").encode()


def write_annotation(annotation: Annotation, path: Path) -> None:
    """Write an annotation file, whole or not at all; see `format_annotation`.

    Raises:
        AnnotationError: A text holds a character that XML cannot hold.
        InputError: The disk refuses.
    """
    write_atomically(path, format_annotation(annotation))


def format_edge(edge: float) -> str:
    """Return a box edge as text: whole numbers without a point, others with every digit that matters."""
    return str(int(edge)) if float(edge).is_integer() else repr(float(edge))


def _leaf(depth: int, tag: str, text: str) -> str:
    illegal = _ILLEGAL.search(text)
    if illegal:
        raise AnnotationError(
            f"<{tag}> would hold U+{ord(illegal.group()):04X}, which XML cannot",
            code="X07",
            fix="Rename the file or the label.",
        )
    indent = "\t" * depth
    if not text:
        return f"{indent}<{tag}/>"
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")
    return f"{indent}<{tag}>{escaped}</{tag}>"
