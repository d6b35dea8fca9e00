import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.errors import InputError
from collectors.quickdraw_formats import (
    Drawing,
    RefusedLine,
    format_simplified,
    parse_simplified,
    read_simplified,
    write_simplified,
)

GOOD = {"word": "cat", "key_id": "5201136883597312", "drawing": [[[0, 255], [3, 4]], [[7], [9]]]}


def _line(**changes):
    return json.dumps({**GOOD, **changes}).encode()


strokes = st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255)), min_size=1, max_size=8).map(
    lambda points: np.array(points, np.int16)
)
drawings = st.builds(
    Drawing,
    word=st.text(min_size=1, max_size=9).filter(lambda text: text.strip()),
    key_id=st.integers(0, 2**64 - 1).map(str),
    strokes=st.lists(strokes, min_size=1, max_size=4).map(tuple),
    countrycode=st.text(max_size=3),
    timestamp=st.text(max_size=9),
    recognized=st.booleans(),
)


@given(drawings)
def test_what_is_written_is_read_back(drawing):
    line = format_simplified(drawing)
    assert line.count(b"\n") == 1
    assert parse_simplified(line) == drawing


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys([*GOOD, "recognized", "countrycode"], json_values)))
def test_no_object_crashes_the_reader(value):
    _drawing_or_reason(json.dumps(value).encode())


@given(json_values)
def test_no_json_value_crashes_the_reader(value):
    _drawing_or_reason(json.dumps(value).encode())


@given(st.lists(json_values, max_size=3))
def test_no_shape_of_strokes_crashes_the_reader(value):
    _drawing_or_reason(_line(drawing=value))


@given(st.binary(max_size=40))
def test_no_bytes_crash_the_reader(line):
    _drawing_or_reason(line)


def _drawing_or_reason(line):
    problem = None
    try:
        drawing = parse_simplified(line)
    except ValueError as error:
        problem = error
    if problem is None:
        assert parse_simplified(format_simplified(drawing)) == drawing
    else:
        assert problem.code
        assert problem.reason


@pytest.mark.parametrize(
    ("line", "code"),
    [
        pytest.param(b'{"word": "cat"', "not-json", id="cut off"),
        pytest.param(b"\xff\xfe\x00", "not-json", id="not utf-8"),
        pytest.param(b"[" * 100_000, "not-json", id="nested beyond the stack"),
        pytest.param(b'{"key_id": ' + b"9" * 5000 + b"}", "not-json", id="number too long for Python"),
        pytest.param(b"<html>", "not-json", id="a page of a server"),
        pytest.param(b"[1]", "not-an-object", id="a list"),
        pytest.param(b"null", "not-an-object", id="null"),
        pytest.param(_line(word=""), "bad-word", id="empty word"),
        pytest.param(_line(word=7), "bad-word", id="word is a number"),
        pytest.param(_line(key_id=None), "bad-key-id", id="no key"),
        pytest.param(_line(key_id=True), "bad-key-id", id="key is true"),
        pytest.param(_line(key_id=str(2**64)), "bad-key-id", id="key of 65 bits"),
        pytest.param(_line(key_id="٣"), "bad-key-id", id="key of Arabic digits"),
        pytest.param(_line(recognized="yes"), "bad-metadata", id="recognized is text"),
        pytest.param(_line(countrycode=3), "bad-metadata", id="country is a number"),
        pytest.param(_line(drawing=[]), "bad-strokes", id="no strokes"),
        pytest.param(_line(drawing=[[[], []]]), "bad-strokes", id="stroke without points"),
        pytest.param(_line(drawing=[[[1, 2], [3]]]), "bad-strokes", id="x and y of different lengths"),
        pytest.param(_line(drawing=[[[1], [2], [3]]]), "bad-strokes", id="raw, with times"),
        pytest.param(_line(drawing=[[[256], [0]]]), "bad-strokes", id="beyond 255"),
        pytest.param(_line(drawing=[[[-1], [0]]]), "bad-strokes", id="negative"),
        pytest.param(_line(drawing=[[[1.5], [0]]]), "bad-strokes", id="fraction"),
        pytest.param(_line(drawing=[[[True], [0]]]), "bad-strokes", id="true is no coordinate"),
        pytest.param(b'{"word":"a","key_id":"1","drawing":[[[NaN],[0]]]}', "bad-strokes", id="NaN"),
    ],
)
def test_a_broken_line_has_a_code_and_a_reason(line, code):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the code below is the match
        parse_simplified(line)
    assert caught.value.code == code
    assert caught.value.reason


def test_metadata_may_be_absent_and_the_key_a_number():
    drawing = parse_simplified(_line(key_id=5201136883597312))
    assert drawing.key_id == "5201136883597312"
    assert (drawing.countrycode, drawing.timestamp, drawing.recognized) == ("", "", True)
    assert [stroke.tolist() for stroke in drawing.strokes] == [[[0, 3], [255, 4]], [[7, 9]]]


def test_reading_names_broken_lines_and_goes_on(tmp_path: Path):
    path = tmp_path / "cat.ndjson"
    path.write_bytes(b"\n".join([_line(), b"", b"{", _line(word="dog"), _line(drawing=3), b"  ", _line(key_id="7")]))
    refused: list[RefusedLine] = []
    words = [drawing.word for drawing in read_simplified(path, refused.append)]
    assert words == ["cat", "dog", "cat"]
    assert [(line.line, line.code) for line in refused] == [(3, "not-json"), (5, "bad-strokes")]


def test_an_empty_file_gives_nothing(tmp_path: Path):
    path = tmp_path / "none.ndjson"
    assert write_simplified(path, []) == 0
    assert path.read_bytes() == b""
    assert list(read_simplified(path, pytest.fail)) == []


@pytest.mark.parametrize("name", ["absent.ndjson", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name):
    with pytest.raises(InputError, match="cannot read the drawings"):
        list(read_simplified(tmp_path / name, pytest.fail))


def test_a_failed_write_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "cat.ndjson"
    write_simplified(path, [parse_simplified(_line())])
    before = path.read_bytes()

    def broken():
        yield parse_simplified(_line(word="dog"))
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_simplified(path, broken())
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["cat.ndjson"]


def test_drawings_are_equal_by_value():
    first, second = parse_simplified(_line()), parse_simplified(_line())
    assert first == second
    assert hash(first) == hash(second)
    assert first != parse_simplified(_line(drawing=[[[0, 255], [3, 5]], [[7], [9]]]))
    assert first != parse_simplified(_line(drawing=[[[0, 255], [3, 4]]]))
    assert first != "cat"


def test_real_files_come_back_byte_for_byte(shared_data: Path):
    files = sorted((shared_data / "quickdraw" / "simplified_25x344").glob("*.ndjson"))
    assert len(files) == 344
    for path in files[::15]:
        drawings = list(read_simplified(path, pytest.fail))
        assert len(drawings) == 25
        assert {drawing.word for drawing in drawings} == {path.stem}
        assert b"".join(map(format_simplified, drawings)).rstrip(b"\n") == path.read_bytes().rstrip(b"\n")
