"""Edits that several repairs make to the bytes of an annotation file."""

from labeling.annotations import Annotation, Box
from labeling.voc import format_edge
from labeling.xml_edit import Element, NotEditableError, XmlEditor, leaf

_KNOWN_IN_OBJECT = {"name", "pose", "truncated", "difficult", "bndbox"}


def write_size(
    editor: XmlEditor, annotation: Annotation, size: tuple[int, int], *, depth: int, fix_depth: bool
) -> None:
    """Make ``<size>`` say width and height, and depth when asked; only numbers that differ are touched.

    Raises:
        NotEditableError: There is no place for a new ``<size>``, or something stands in the way.
    """
    element = editor.root.find("size")
    wanted = {"width": size[0], "height": size[1], "depth": depth}
    if element is None:
        lines = ["<size>", *("\t" + leaf(tag, str(number)) for tag, number in wanted.items()), "</size>"]
        anchor = next(filter(None, map(editor.root.find, ("source", "path", "filename", "folder"))), None)
        if anchor is not None:
            editor.insert_after(anchor, lines)
        elif editor.root.children:
            editor.insert_first(editor.root, lines)
        else:
            raise NotEditableError("there is nothing in the file that <size> could follow")
        return
    if not element.children:
        if element.has_markup:
            raise NotEditableError("<size> holds something else than numbers")
        editor.set_source(element, "".join(leaf(tag, str(number)) for tag, number in wanted.items()))
        return
    for tag, number in wanted.items():
        child = element.find(tag)
        if child is None and tag != "depth":
            editor.insert_after(element.children[-1], [leaf(tag, str(number))])
        elif child is not None and (tag != "depth" or fix_depth) and getattr(annotation, tag) != number:
            editor.set_text(child, str(number))


def write_filename(editor: XmlEditor, name: str) -> None:
    """Make ``<filename>`` say ``name``; it is added when missing."""
    filename, folder = editor.root.find("filename"), editor.root.find("folder")
    if filename is not None:
        editor.set_text(filename, name)
    elif folder is not None:
        editor.insert_after(folder, [leaf("filename", name)])
    elif editor.root.children:
        editor.insert_first(editor.root, [leaf("filename", name)])


def write_box(editor: XmlEditor, element: Element, old: Box, new: Box) -> None:
    """Write the edges of a box that changed; a value that stood in the box before keeps its spelling."""
    bndbox = only_child(element, "bndbox")
    edges = {tag: only_child(bndbox, tag) for tag in ("xmin", "ymin", "xmax", "ymax")}
    spelt = {getattr(old, tag): editor.text_of(edge) for tag, edge in reversed(edges.items())}
    for tag, edge in edges.items():
        value = getattr(new, tag)
        if value == getattr(old, tag):
            continue
        if value in spelt:
            editor.set_raw(edge, spelt[value])
        else:
            editor.set_text(edge, format_edge(value))


def write_flag(editor: XmlEditor, element: Element, tag: str, value: bool) -> None:
    """Write ``0`` or ``1`` into an element of an object; it is added before the box when missing."""
    child = element.find(tag)
    if child is not None:
        editor.set_text(child, str(int(value)))
    else:
        before = [one for one in element.children if one.tag in ("name", "pose")]
        editor.insert_after(before[-1], [leaf(tag, str(int(value)))])


def extras_of(editor: XmlEditor, element: Element) -> bytes:
    """Return what an object holds beyond LabelImg's elements, blanks left out."""
    strange = [child for child in element.children if child.tag not in _KNOWN_IN_OBJECT]
    return b"".join(b"".join(editor.content[child.start : child.end].split()) for child in strange)


def only_child(element: Element, tag: str) -> Element:
    """Return the child of this name, which the reader has seen."""
    child = element.find(tag)
    if child is None:
        raise NotEditableError(f"<{element.tag}> in line {element.line} has no <{tag}> of its own")
    return child
