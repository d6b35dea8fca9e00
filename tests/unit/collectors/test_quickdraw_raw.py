import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.errors import InputError
from collectors.quickdraw_formats import LineError, RefusedLine
from collectors.quickdraw_raw import RawDrawing, format_raw, parse_raw, read_raw, simplify

GOOD = {"word": "cat", "key_id": "7", "drawing": [[[0.5, 255.25], [3, 4], [0, 90]]]}


def _line(**changes):
    return json.dumps({**GOOD, **changes}).encode()


number = st.integers(-(10**6), 10**6) | st.floats(-1e6, 1e6, allow_nan=False)
strokes = st.lists(st.tuples(number, number, st.integers(0, 20_000)), min_size=1, max_size=6).map(
    lambda points: np.array(points, float)
)
drawings = st.builds(
    RawDrawing,
    word=st.text(min_size=1, max_size=9).filter(lambda text: text.strip()),
    key_id=st.integers(0, 2**64 - 1).map(str),
    strokes=st.lists(strokes, min_size=1, max_size=4).map(tuple),
    countrycode=st.text(max_size=3),
    timestamp=st.text(max_size=9),
    recognized=st.booleans(),
)


@given(drawings)
def test_what_is_written_is_read_back(drawing):
    line = format_raw(drawing)
    assert line.count(b"\n") == 1
    back = parse_raw(line)
    assert back == drawing
    assert all(map(np.array_equal, back.strokes, drawing.strokes))


@given(drawings)
def test_simplifying_keeps_what_is_known(drawing):
    simple = simplify(drawing)
    assert (simple.word, simple.key_id, simple.recognized) == (drawing.word, drawing.key_id, drawing.recognized)
    assert len(simple.strokes) == len(drawing.strokes)


@given(st.binary(max_size=60) | st.recursive(st.none() | st.floats() | st.text(), st.lists, max_leaves=9).map(
    lambda value: _line(drawing=value)
))  # fmt: skip
def test_nothing_crashes_the_reader(line):
    problem = None
    try:
        parse_raw(line)
    except LineError as error:
        problem = error
    assert problem is None or (problem.code and problem.reason)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        pytest.param(b"{", "not-json", id="cut off"),
        pytest.param(b"[]", "not-an-object", id="a list"),
        pytest.param(_line(drawing=[]), "bad-strokes", id="no strokes"),
        pytest.param(_line(drawing=[[[1], [2]]]), "bad-strokes", id="simplified, without times"),
        pytest.param(_line(drawing=[[[], [], []]]), "bad-strokes", id="no points"),
        pytest.param(_line(drawing=[[[1], [2], []]]), "bad-strokes", id="a time is missing"),
        pytest.param(_line(drawing=[[[1e300], [2], [0]]]), "bad-strokes", id="far away"),
        pytest.param(b'{"word":"a","key_id":"1","drawing":[[[NaN],[0],[0]]]}', "bad-strokes", id="NaN"),
        pytest.param(_line(drawing=[[[True], [2], [0]]]), "bad-strokes", id="true is no coordinate"),
        pytest.param(_line(word=None), "bad-word", id="no word"),
    ],
)
def test_a_broken_line_has_a_code(line, code):
    with pytest.raises(LineError) as caught:
        parse_raw(line)
    assert caught.value.code == code


def test_reading_names_broken_lines_and_goes_on(tmp_path: Path):
    path = tmp_path / "cat.ndjson"
    path.write_bytes(b"\n".join([_line(), b"", b"{", _line(key_id="8")]))
    refused: list[RefusedLine] = []
    assert [drawing.key_id for drawing in read_raw(path, refused.append)] == ["7", "8"]
    assert [(line.line, line.code) for line in refused] == [(3, "not-json")]
    with pytest.raises(InputError, match="cannot read the drawings"):
        list(read_raw(tmp_path / "absent.ndjson", pytest.fail))


def test_real_files_come_back_byte_for_byte(shared_data: Path):
    files = sorted((shared_data / "quickdraw" / "raw").glob("*.ndjson"))
    assert len(files) == 10
    for path in files:
        found = list(read_raw(path, pytest.fail))
        assert b"".join(map(format_raw, found)).rstrip(b"\n") == path.read_bytes().rstrip(b"\n")
