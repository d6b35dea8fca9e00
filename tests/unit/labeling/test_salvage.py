from hypothesis import given
from hypothesis import strategies as st

from labeling.annotations import Annotation, Box, LabeledObject
from labeling.salvage import salvage
from labeling.voc import format_annotation
from labeling.voc_reader import MAX_BYTES

_OBJECTS = tuple(LabeledObject(f"cat {index}", Box(index, 2, 30 + index, 40)) for index in range(5))
_CONTENT = format_annotation(Annotation("a.jpg", 64, 48, objects=_OBJECTS))


@given(st.integers(0, len(_CONTENT)))
def test_whole_objects_before_the_break_and_no_other(cut: int) -> None:
    content = _CONTENT[:cut]
    assert salvage(content) == _OBJECTS[: content.count(b"</object>")]


def test_object_whose_box_was_cut_is_left_out() -> None:
    content = _CONTENT[: _CONTENT.rindex(b"<ymax>") + 7]
    assert salvage(content) == _OBJECTS[:4]


def test_nothing_of_what_is_refused_for_its_own_sake() -> None:
    assert salvage(b"") == ()
    assert salvage(b"hello") == ()
    assert salvage(b"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>" + _CONTENT) == ()
    assert salvage(b"<other>" + _CONTENT[13:]) == ()
    assert salvage(_CONTENT.replace(b"<annotation>", b"<annotation xmlns='urn:x'>")) == ()
    assert salvage(_CONTENT + b" " * MAX_BYTES) == ()


@given(st.binary(max_size=300))
def test_no_bytes_raise(content: bytes) -> None:
    assert isinstance(salvage(content), tuple)
    assert isinstance(salvage(b"<annotation><object>" + content), tuple)
