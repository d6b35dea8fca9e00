import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.errors import InputError
from collectors.quickdraw_binary import find_record, format_record, iter_binary, read_binary
from collectors.quickdraw_formats import Drawing, RefusedRecord, read_simplified
from tests.support.quickdraw_files import binary, drawings_of

strokes = st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255)), min_size=1, max_size=8).map(
    lambda points: np.array(points, np.int16)
)
drawings = st.builds(
    Drawing,
    word=st.just("cat"),
    key_id=st.integers(0, 2**64 - 1).map(str),
    strokes=st.lists(strokes, min_size=1, max_size=4).map(tuple),
    countrycode=st.text("ABCXYZ", min_size=2, max_size=2) | st.just(""),
    timestamp=st.integers(0, 2**31).map(lambda s: str(np.datetime64(s, "s")).replace("T", " ") + " UTC"),
    recognized=st.booleans(),
)


def _read(content: bytes, **options):
    refused: list[RefusedRecord] = []
    found = list(iter_binary(io.BytesIO(content).read, "cat", refused.append, **options))
    return found, refused


@given(st.lists(drawings, max_size=5))
def test_what_is_written_is_read_back(originals):
    found, refused = _read(b"".join(map(format_record, originals)))
    assert [drawing for _, drawing in found] == originals
    assert not refused


@given(st.lists(drawings, min_size=1, max_size=4), st.data())
def test_a_cut_anywhere_is_noticed_within_a_record(originals, data):
    content = b"".join(map(format_record, originals))
    ends = np.cumsum([len(format_record(drawing)) for drawing in originals]).tolist()
    cut = data.draw(st.integers(0, len(content)))
    found, refused = _read(content[:cut])
    whole = sum(end <= cut for end in ends)
    assert [drawing for _, drawing in found] == originals[:whole]
    if cut in (0, *ends):
        assert not refused
    else:
        assert [item.code for item in refused] == ["cut-record"]
        assert refused[0].offset + refused[0].length == cut


@given(st.binary(max_size=400))
def test_every_byte_is_a_drawing_or_refused(content):
    found, refused = _read(content)
    drawn = sum(17 + sum(2 + 2 * len(stroke) for stroke in drawing.strokes) for _, drawing in found)
    assert drawn + sum(item.length for item in refused) == len(content)


def test_damage_in_the_middle_costs_only_what_it_hits():
    originals = drawings_of("cat", 400)
    content = bytearray(binary(originals))
    content[7000:7060] = b"\xff" * 60
    found, refused = _read(bytes(content))
    assert {item.code for item in refused} == {"not-a-record"}
    assert sum(item.length for item in refused) < 700
    kept = {drawing.key_id for _, drawing in found}
    assert len(kept & {drawing.key_id for drawing in originals}) >= 395


@pytest.mark.parametrize("seed", range(5))
def test_reading_can_begin_anywhere(seed):
    originals = drawings_of("cat", 300, seed=seed)
    content = binary(originals)
    starts = np.cumsum([0] + [len(format_record(drawing)) for drawing in originals]).tolist()
    for offset in np.random.default_rng(seed).integers(0, len(content), 20).tolist():
        found, refused = _read(content[offset:], offset=offset, synchronise=True)
        expected = [start for start in starts[:-1] if start >= offset]
        assert [place for place, _ in found] == expected
        assert not refused


def test_a_record_without_strokes_or_points_is_refused_and_reading_goes_on():
    one, two = drawings_of("cat", 2)
    empty = format_record(one)[:15] + b"\0\0"
    pointless = format_record(one)[:15] + b"\x01\0" + b"\0\0"
    found, refused = _read(empty + format_record(one) + pointless + format_record(two))
    assert [drawing.key_id for _, drawing in found] == [one.key_id, two.key_id]
    second = 17 + len(format_record(one))
    assert [(item.offset, item.code) for item in refused] == [(0, "bad-strokes"), (second, "bad-strokes")]


def test_damaged_counts_do_not_fill_the_memory():
    giant = format_record(drawings_of("cat", 1)[0])[:15] + b"\xff\xff" + b"\xff\xff" + bytes(200)
    found, refused = _read(giant + bytes(131_000) * 40)
    assert {item.code for item in refused} <= {"not-a-record", "bad-strokes", "cut-record"}
    assert sum(item.length for item in refused) + sum(17 for _ in found) >= len(giant)


def test_nothing_is_found_in_text():
    assert find_record(b"The quick brown fox jumps over the lazy dog. " * 50, 0, at_end=True) is None


def test_files(tmp_path: Path):
    path = tmp_path / "cat.bin"
    path.write_bytes(b"")
    assert list(read_binary(path, "cat", pytest.fail)) == []
    originals = drawings_of("cat", 3)
    path.write_bytes(binary(originals))
    assert [d.key_id for d in read_binary(path, "cat", pytest.fail)] == [d.key_id for d in originals]
    with pytest.raises(InputError, match="cannot read the drawings"):
        list(read_binary(tmp_path / "dog.bin", "dog", pytest.fail))


@pytest.mark.parametrize(
    "changes", [{"countrycode": "USA"}, {"timestamp": "yesterday"}, {"timestamp": "1950-01-01 00:00:00 UTC"}]
)
def test_what_does_not_fit_is_refused(changes):
    drawing = drawings_of("cat", 1)[0]
    fields = {name: getattr(drawing, name) for name in ("word", "key_id", "strokes", "countrycode", "timestamp")}
    with pytest.raises(ValueError, match=r"country|time data|does not fit"):
        format_record(Drawing(**{**fields, **changes}))


def test_real_drawings_survive_the_binary_form(shared_data: Path):
    for name in ("cat", "The Mona Lisa", "snowflake"):
        path = shared_data / "quickdraw" / "simplified_25x344" / f"{name}.ndjson"
        originals = list(read_simplified(path, pytest.fail))
        found, refused = _read(b"".join(map(format_record, originals)))
        assert not refused
        for (_, mine), theirs in zip(found, originals, strict=True):
            assert all(map(np.array_equal, mine.strokes, theirs.strokes))
            assert (mine.key_id, mine.countrycode, mine.recognized) == (
                theirs.key_id,
                theirs.countrycode,
                theirs.recognized,
            )
            assert mine.timestamp[:19] == theirs.timestamp[:19]
