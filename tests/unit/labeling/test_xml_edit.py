import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.annotations import Annotation, Box, LabeledObject
from labeling.voc import format_annotation, parse_annotation
from labeling.xml_edit import NotEditableError, XmlEditor, leaf

_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="￾￿"), max_size=20)
_FILE = format_annotation(Annotation("a.jpg", 64, 48, objects=(LabeledObject("cat", Box(1, 2, 3, 4)),)))


def test_nothing_changes_without_edits() -> None:
    assert XmlEditor(_FILE).result() == _FILE


def test_one_number_is_one_line_of_a_diff() -> None:
    editor = XmlEditor(_FILE)
    width = editor.root.find("size/width")
    assert width is not None
    assert (width.line, editor.text_of(width)) == (8, b"64")
    editor.set_text(width, "640")
    assert editor.result() == _FILE.replace(b"<width>64<", b"<width>640<")


@given(name=_TEXT, label=_TEXT)
def test_any_text_is_read_back_and_the_rest_stays(name: str, label: str) -> None:
    editor = XmlEditor(_FILE)
    (labeled,) = editor.root.find_all("object")
    for element, text in ((editor.root.find("filename"), name), (labeled.find("name"), label)):
        assert element is not None
        editor.set_text(element, text)
    changed = editor.result()
    assert format_annotation(parse_annotation(changed)) == format_annotation(
        Annotation(name, 64, 48, objects=(LabeledObject(label, Box(1, 2, 3, 4)),))
    )
    assert len(changed.split(b"\n")) == len(_FILE.split(b"\n"))


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
@pytest.mark.parametrize("indent", [b"\t", b"    ", b""])
def test_style_is_kept_when_elements_come_and_go(newline: bytes, indent: bytes) -> None:
    content = newline.join(
        [
            b"<annotation>",
            indent + b"<filename>a.jpg</filename>",
            indent + b"<segmented>0</segmented>",
            b"</annotation>",
        ]
    )
    editor = XmlEditor(content)
    filename = editor.root.find("filename")
    segmented = editor.root.find("segmented")
    assert filename is not None
    assert segmented is not None
    editor.insert_after(filename, ["<size>", "\t" + leaf("width", "3"), "</size>"])
    editor.insert_first(editor.root, [leaf("folder", "a&b")])
    editor.remove(segmented)
    assert editor.result().split(newline) == [
        b"<annotation>",
        indent + b"<folder>a&amp;b</folder>",
        indent + b"<filename>a.jpg</filename>",
        indent + b"<size>",
        2 * indent + b"<width>3</width>",
        indent + b"</size>",
        b"</annotation>",
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"<annotation><path/></annotation>", b"<annotation><path>x</path></annotation>"),
        (b'<annotation><path a=">" /></annotation>', b"<annotation><path>x</path></annotation>"),
        (b"<annotation><path></path></annotation>", b"<annotation><path>x</path></annotation>"),
        (b"<annotation><path a='>'>y</path ></annotation>", b"<annotation><path a='>'>x</path ></annotation>"),
        (b"<annotation><!-- <path> --><path>y</path></annotation>",
         b"<annotation><!-- <path> --><path>x</path></annotation>"),
        (codecs.BOM_UTF8 + b"<annotation><path>y</path></annotation>",
         codecs.BOM_UTF8 + b"<annotation><path>x</path></annotation>"),
        (codecs.BOM_UTF16_LE + "<annotation><path>y</path></annotation>".encode("utf-16-le"),
         codecs.BOM_UTF16_LE + "<annotation><path>x</path></annotation>".encode("utf-16-le")),
    ],
)  # fmt: skip
def test_shapes_of_elements(content: bytes, expected: bytes) -> None:
    editor = XmlEditor(content)
    path = editor.root.find("path")
    assert path is not None
    editor.set_text(path, "x")
    assert editor.result() == expected


def test_declared_encoding_is_kept() -> None:
    content = '<?xml version="1.0" encoding="iso-8859-1"?><annotation><path>é</path><filename/></annotation>'
    editor = XmlEditor(content.encode("latin-1"))
    filename = editor.root.find("filename")
    assert filename is not None
    editor.set_text(filename, "é猫")
    assert b"<path>\xe9</path><filename>\xe9&#29483;</filename>" in editor.result()


@pytest.mark.parametrize("inside", [b"y<!--c-->", b"<b/>", b"<![CDATA[y]]>"])
def test_what_would_be_lost_is_not_touched(inside: bytes) -> None:
    editor = XmlEditor(b"<annotation><path>" + inside + b"</path></annotation>")
    path = editor.root.find("path")
    assert path is not None
    with pytest.raises(NotEditableError, match="more than text"):
        editor.set_text(path, "x")


def test_what_xml_cannot_hold_is_refused() -> None:
    editor = XmlEditor(_FILE)
    filename = editor.root.find("filename")
    assert filename is not None
    for text in ("\0", "\ud800"):
        with pytest.raises(NotEditableError, match="cannot hold"):
            editor.set_text(filename, text)


@given(st.binary(max_size=60))
def test_any_bytes_are_refused_or_edited_but_never_crash(content: bytes) -> None:
    try:
        assert XmlEditor(content).result() == content
    except NotEditableError:
        return
