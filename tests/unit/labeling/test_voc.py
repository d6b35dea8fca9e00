import contextlib
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.annotations import Annotation, Box, LabeledObject
from labeling.codes import CODES
from labeling.errors import AnnotationError
from labeling.voc import format_annotation, format_edge, parse_annotation, read_annotation, write_annotation
from labeling.voc_reader import MAX_BYTES, examine

# Every character that XML 1.0 allows; a carriage return survives only because the writer escapes it.
_TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("\t\n\r&<>\"'  "), max_size=20).filter(
    lambda text: not any(letter in text for letter in "\ufffe\uffff")
)
_EDGE = st.floats(allow_nan=False) | st.integers(-5000, 5000).map(float)
_SIZE = st.integers(-10, 100_000)
_OBJECT = st.builds(
    LabeledObject,
    name=_TEXT,
    box=st.builds(Box, _EDGE, _EDGE, _EDGE, _EDGE),
    pose=_TEXT,
    truncated=st.booleans(),
    difficult=st.booleans(),
)
_ANNOTATION = st.builds(
    Annotation,
    filename=_TEXT,
    width=_SIZE,
    height=_SIZE,
    depth=_SIZE,
    folder=_TEXT,
    path=st.none() | _TEXT,
    database=_TEXT,
    segmented=st.booleans(),
    verified=st.booleans(),
    objects=st.lists(_OBJECT, max_size=4).map(tuple),
)
_SOUND = format_annotation(
    Annotation("a.jpg", 64, 48, path="/x/a.jpg", objects=(LabeledObject("owl", Box(1, 2, 30, 40)),))
)


@pytest.fixture(scope="module")
def labelimg_file(repository: Path) -> Path:
    return repository / "tests" / "data" / "voc" / "labelimg_1_8_6.xml"


def test_reads_every_field_of_a_labelimg_file(labelimg_file: Path) -> None:
    assert read_annotation(labelimg_file) == Annotation(
        filename="café & té.jpg",
        width=640,
        height=480,
        depth=3,
        folder="images",
        path="/home/someone/images/café & té.jpg",
        verified=True,
        objects=(
            LabeledObject("cup", Box(1, 20, 300, 400), truncated=True),
            LabeledObject("spoon", Box(310, 25, 400, 90), difficult=True),
        ),
    )


def test_knows_the_lines_of_the_file(labelimg_file: Path) -> None:
    annotation = read_annotation(labelimg_file)
    assert (annotation.filename_line, annotation.size_line) == (3, 8)
    assert [labeled.line for labeled in annotation.objects] == [14, 26]


def test_writes_the_bytes_of_labelimg(labelimg_file: Path) -> None:
    assert format_annotation(read_annotation(labelimg_file)) == labelimg_file.read_bytes()


def test_file_without_objects_is_a_negative_picture() -> None:
    content = format_annotation(Annotation("a.jpg", 64, 48, verified=True))
    assert content.endswith(b"<segmented>0</segmented>\n</annotation>\n")
    assert parse_annotation(content).objects == ()
    assert parse_annotation(content).verified


@given(_ANNOTATION)
def test_what_is_written_reads_back_the_same(annotation: Annotation) -> None:
    content = format_annotation(annotation)
    assert parse_annotation(content) == annotation
    assert format_annotation(parse_annotation(content)) == content


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_edges_keep_every_digit(edge: float) -> None:
    assert float(format_edge(edge)) == edge


@pytest.mark.parametrize(("edge", "text"), [(81.0, "81"), (0.5, "0.5"), (-3.0, "-3"), (float("inf"), "inf")])
def test_whole_edges_are_written_without_a_point(edge: float, text: str) -> None:
    assert format_edge(edge) == text


def test_two_blanks_stay_two_blanks_where_labelimg_would_write_a_tab() -> None:
    annotation = Annotation("dog  2.jpg", 64, 48)
    assert b"<filename>dog  2.jpg</filename>" in format_annotation(annotation)
    assert parse_annotation(format_annotation(annotation)) == annotation


@pytest.mark.parametrize("letter", ["\0", "\x1b", "\ufffe", "\ud800"])
def test_refuses_to_write_what_xml_cannot_hold(letter: str, tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=rf"U\+{ord(letter):04X}"):
        write_annotation(Annotation(f"a{letter}.jpg", 64, 48), tmp_path / "a.xml")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        pytest.param(b"", "X10", None, id="empty"),
        pytest.param(b" \n\t\n", "X10", None, id="blank"),
        pytest.param(b"no xml", "X01", 1, id="no xml"),
        pytest.param(_SOUND[:-20], "X01", 25, id="cut off"),
        pytest.param(_SOUND.replace(b"</object>", b"</objekt>"), "X01", 25, id="wrong end tag"),
        pytest.param(b"<annotation>\n\n<folder>\x00</folder></annotation>", "X01", 3, id="zero byte"),
        pytest.param(_SOUND.replace(b"owl", b"caf\xe9"), "X04", 15, id="latin-1"),
        pytest.param(b"<svg/>", "X03", 1, id="another root"),
        pytest.param(b'<annotation xmlns="urn:x"/>', "X03", 1, id="namespace"),
        pytest.param(b"<annotation>" + b" " * MAX_BYTES + b"</annotation>", "X05", None, id="too large"),
        pytest.param(b"<annotation>" + b"<a>" * 5000, "X01", 1, id="deeper than the parser goes"),
        pytest.param(_SOUND.replace(b"<name>owl</name>", b""), "X06", 14, id="no name"),
        pytest.param(_SOUND.replace(b"<xmin>1</xmin>", b""), "X06", 19, id="no xmin"),
        pytest.param(_SOUND.replace(b"<xmin>1", b"<xmin>1</xmin>\n<xmin>1"), "X06", 21, id="xmin twice"),
        pytest.param(_SOUND.replace(b"<xmin>1", b"<xmin>one"), "X07", 20, id="a word"),
        pytest.param(_SOUND.replace(b"<xmin>1", b"<xmin>1_0"), "X07", 20, id="a number for Python only"),
        pytest.param(_SOUND.replace(b"<xmin>1", b"<xmin>"), "X07", 20, id="nothing"),
        pytest.param(_SOUND.replace(b"<width>64", b"<width>64.5"), "X07", 9, id="half a pixel of width"),
        pytest.param(_SOUND.replace(b"<width>64", b"<width>" + b"9" * 5000), "X07", 9, id="endless width"),
        pytest.param(_SOUND.replace(b"<difficult>0", b"<difficult>maybe"), "X07", 18, id="no flag"),
        pytest.param(_SOUND.replace(b"owl", b"o<b>w</b>l"), "X06", 15, id="elements inside a text"),
    ],
)
def test_names_what_is_wrong_and_the_line(content: bytes, code: str, line: int | None) -> None:
    with pytest.raises(AnnotationError) as caught:
        parse_annotation(content, where="a.xml")
    assert (caught.value.code, caught.value.line) == (code, line)
    assert str(caught.value).startswith("a.xml" if line is None else f"a.xml:{line}: ")


@pytest.mark.parametrize(
    "content",
    [
        b'<!DOCTYPE annotation [<!ENTITY x SYSTEM "file://SECRET">]>\n<annotation><filename>&x;</filename></annotation>',
        b'<!DOCTYPE annotation SYSTEM "file://SECRET"><annotation><filename>&x;</filename></annotation>',
        b'<!DOCTYPE annotation [<!ENTITY % p SYSTEM "file://SECRET"> %p;]><annotation/>',
        b'<!DOCTYPE a [<!ENTITY x "cat">]><annotation><object><name>&x;</name></object></annotation>',
        b'<!DOCTYPE a [<!ENTITY a "' + b"x" * 1000 + b'"><!ENTITY b "' + b"&a;" * 1000 + b'">]><annotation>'
        + b"&b;" * 1000 + b"</annotation>",
        b"<!DOCTYPE annotation><annotation><filename>a.jpg</filename></annotation>",
        b'<!DOCTYPE annotation SYSTEM "http://127.0.0.1:9/x.dtd"><annotation/>',
    ],
)  # fmt: skip
def test_no_document_type_gets_through(content: bytes, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("swordfish")
    reading = examine(content.replace(b"SECRET", str(secret).encode()))
    assert reading.annotation is None
    assert [(problem.code, problem.line) for problem in reading.problems] == [("X02", 1)]
    assert "swordfish" not in str(reading)


def test_doctype_in_another_encoding_does_not_get_through() -> None:
    content = '<!DOCTYPE a [<!ENTITY x "cat">]><annotation><filename>&x;</filename></annotation>'.encode("utf-16")
    assert examine(content).annotation is None


def test_undeclared_entity_is_not_an_empty_name() -> None:
    assert examine(_SOUND.replace(b"owl", b"&cat;")).problems[0].code == "X01"


def test_comments_and_instructions_leave_the_text_whole() -> None:
    content = _SOUND.replace(b"owl", b"o<!-- no -->w<?no?>l")
    assert parse_annotation(content).objects[0].name == "owl"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_encodings_that_mark_themselves_are_read(encoding: str) -> None:
    assert parse_annotation(_SOUND.decode().replace("owl", "猫").encode(encoding)).objects[0].name == "猫"


def test_declared_encoding_is_read() -> None:
    content = b"<?xml version='1.0' encoding='gbk'?>\n" + _SOUND.decode().replace("owl", "猫").encode("gbk")
    assert parse_annotation(content).objects[0].name == "猫"


def test_every_problem_of_a_file_is_listed_with_its_object() -> None:
    second = b"\t<object>\n\t\t<name>dog</name>\n\t</object>\n</annotation>"
    content = _SOUND.replace(b"<xmin>1", b"<xmin>x").replace(b"</annotation>", second)
    reading = examine(content)
    assert [(one.code, one.object_index) for one in reading.problems] == [("X07", 1), ("X06", 2)]
    assert reading.annotation is not None
    assert reading.annotation.objects == ()


def test_not_finite_edges_are_left_to_the_box_checks() -> None:
    annotation = parse_annotation(_SOUND.replace(b"<xmin>1", b"<xmin>NaN").replace(b"<xmax>30", b"<xmax>1e999"))
    assert str(annotation.objects[0].box) == "Box(xmin=nan, ymin=2.0, xmax=inf, ymax=40.0)"


def test_missing_size_reads_as_zero_and_unknown_elements_are_named() -> None:
    content = b"<annotation><filename>a.jpg</filename><owner>me</owner></annotation>"
    reading = examine(content)
    assert reading.annotation is not None
    assert (reading.annotation.width, reading.annotation.height, reading.annotation.size_line) == (0, 0, None)
    assert reading.unknown_elements == ("owner",)
    assert reading.problems == ()


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="No such file") as caught:
        read_annotation(tmp_path / "none.xml")
    assert caught.value.code == "X12"


@given(st.binary(max_size=300) | st.binary(max_size=100).map(lambda noise: b"<annotation>" + noise + b"</annotation>"))
def test_random_bytes_raise_nothing_but_the_own_error(content: bytes) -> None:
    _read_safely(content)


@settings(max_examples=300)
@given(st.data())
def test_mutated_files_raise_nothing_but_the_own_error(data: st.DataObject) -> None:
    content = bytearray(_SOUND)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content) - 1))
        size = data.draw(st.integers(0, 12))
        content[at : at + size] = data.draw(st.binary(max_size=12) | st.sampled_from(_FRAGMENTS))
        content = content or bytearray(b"<")
    _read_safely(bytes(content))


_FRAGMENTS = [
    b"<object>",
    b"</object>",
    b"<!--",
    b"-->",
    b"<![CDATA[",
    b"]]>",
    b"&#0;",
    b"&#xD800;",
    b"<!DOCTYPE a>",
    b"&a;",
]


def _read_safely(content: bytes) -> None:
    started = time.process_time()  # of this process alone: the machine may be busy
    with contextlib.suppress(AnnotationError):
        assert isinstance(parse_annotation(content), Annotation)
    assert all(problem.code in CODES for problem in examine(content).problems)
    assert time.process_time() - started < 2
