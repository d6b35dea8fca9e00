import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.quickdraw_formats import RefusedRecord, parse_simplified
from collectors.quickdraw_lines import iter_ndjson
from tests.support.quickdraw_files import drawings_of, ndjson


def _read(content: bytes, **options):
    refused: list[RefusedRecord] = []
    found = list(iter_ndjson(io.BytesIO(content).read, parse_simplified, refused.append, **options))
    return found, refused


def test_a_broken_line_is_named_and_skipped():
    one, two = drawings_of("cat", 2)
    content = ndjson([one]) + b'{"word": \n\n' + ndjson([two])
    found, refused = _read(content)
    assert [drawing for _, drawing in found] == [one, two]
    assert [(item.code, item.offset) for item in refused] == [("not-json", len(ndjson([one])))]
    assert refused[0].reason.startswith("line 2: ")


def test_the_last_line_needs_no_newline():
    content = ndjson(drawings_of("cat", 3)).rstrip(b"\n")
    assert len(_read(content)[0]) == 3


@given(st.integers(0, 3000))
def test_beginning_in_the_middle_loses_only_the_line_it_hits(offset):
    originals = drawings_of("cat", 12)
    content = ndjson(originals)
    offset = min(offset, len(content))
    found, refused = _read(content[offset:], offset=offset, synchronise=True)
    assert not refused
    assert [drawing for _, drawing in found] == [
        drawing for number, drawing in enumerate(originals) if len(ndjson(originals[:number])) > offset
    ]
    for place, drawing in found:
        assert content[place:].startswith(ndjson([drawing]))


def test_a_file_without_newlines_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("collectors.quickdraw_lines._MOST_BYTES", 1 << 18)
    found, refused = _read(b"x" * (1 << 20) + b"\n" + ndjson(drawings_of("cat", 1)))
    assert len(found) == 1
    assert [item.code for item in refused] == ["not-json"]


def test_nothing_gives_nothing():
    assert _read(b"") == ([], [])
    assert _read(b"\n \n") == ([], [])
