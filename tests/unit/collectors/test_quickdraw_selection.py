from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.errors import ConfigError, InputError
from collectors.quickdraw_bitmaps import BitmapTable, read_header
from collectors.quickdraw_flagged import FlaggedDrawings, read_flagged
from collectors.quickdraw_selection import Selection, plan_stretches, select_bitmaps, select_drawings
from tests.support.quickdraw_files import binary, drawings_of, ndjson, npy_bytes, raw_ndjson


class _Bytes:
    """A file in memory that counts what is read."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.where = "memory"
        self.size = len(content)
        self.reads: list[tuple[int, int]] = []

    def read(self, start: int, stop: int) -> bytes:
        self.reads.append((start, min(stop, self.size)))
        return self.content[start:stop]

    @property
    def num_read(self) -> int:
        return sum(stop - start for start, stop in self.reads)


DRAWINGS = drawings_of("cat", 900)
FORMS = {"binary": binary(DRAWINGS), "simplified": ndjson(DRAWINGS), "raw": raw_ndjson(DRAWINGS)}


def _take(form: str, **options):
    left_out: Counter[str] = Counter()
    source = _Bytes(FORMS[form])
    found = list(
        select_drawings(source, form, "cat", Selection(**options), lambda code: left_out.update([code]), pytest.fail)
    )
    return found, left_out, source


@given(st.integers(0, 10**6), st.integers(1, 20_000), st.sampled_from(["first", "spread"]), st.booleans())
def test_stretches_cover_the_file_in_order_and_ask_for_the_limit(total, limit, sample, is_rows):
    plan = plan_stretches(total, Selection(limit=limit, sample=sample), is_rows=is_rows)
    assert plan[0][0] == 0
    assert plan[-1][1] == total
    assert all(before[1] == after[0] for before, after in pairwise(plan))
    assert sum(quota for _, _, quota in plan) == (min(limit, total) if is_rows else limit)
    assert len(plan) == 1 or sample == "spread"


@settings(max_examples=30)
@given(st.integers(1, 700), st.integers(1, 800), st.sets(st.integers(0, 699), max_size=40))
def test_bitmaps_are_taken_as_asked(count, limit, flagged):
    rows = np.arange(count, dtype=np.uint32)[:, None] * np.ones(784, np.uint32)
    content = npy_bytes(rows.astype(np.uint8))
    source, left_out = _Bytes(content), Counter()
    table = read_header(content[:4096], "x")
    blocks = list(
        select_bitmaps(source, table, Selection(limit=limit), frozenset(flagged), lambda code: left_out.update([code]))
    )
    taken = [row for block in blocks for row in block.rows]
    assert taken == sorted(set(taken))
    assert not set(taken) & flagged
    available = count - len({row for row in flagged if row < count})
    # Blocks are made up for by later ones only, so the last can come out short.
    assert min(limit, available) - len(flagged) <= len(taken) <= limit
    for block in blocks:
        assert (block.pictures == (np.array(block.rows) % 256)[:, None, None]).all()
    assert source.num_read <= (limit + len(flagged)) * 784


def test_spread_bitmaps_come_from_all_over_and_cost_what_they_weigh():
    source = _Bytes(bytes(784 * 20_000))
    blocks = list(select_bitmaps(source, BitmapTable(0, 20_000), Selection(limit=2000), frozenset(), pytest.fail))
    rows = [row for block in blocks for row in block.rows]
    assert len(rows) == 2000
    assert source.num_read == 2000 * 784
    assert np.histogram(rows, bins=16, range=(0, 20_000))[0].tolist() == [125] * 16


@pytest.mark.parametrize("form", FORMS)
def test_all_takes_every_drawing_once(form):
    found, _, _ = _take(form, limit=None, sample="all")
    assert [drawing.key_id for _, drawing in found] == [drawing.key_id for drawing in DRAWINGS]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("limit", [1, 63, 64, 130, 500, 899, 900, 5000])
def test_spread_takes_the_limit_without_repeating(form, limit):
    found, _, _ = _take(form, limit=limit)
    keys = [drawing.key_id for _, drawing in found]
    assert len(keys) == len(set(keys)) == min(limit, 900)
    assert set(keys) <= {drawing.key_id for drawing in DRAWINGS}
    if limit <= 500:
        assert [place for place, _ in found] == sorted(place for place, _ in found)


@pytest.mark.parametrize("form", FORMS)
def test_first_reads_hardly_more_than_it_takes(form):
    found, _, source = _take(form, limit=200, sample="first")
    assert [drawing.key_id for _, drawing in found] == [drawing.key_id for drawing in DRAWINGS[:200]]
    needed = len({"binary": binary, "simplified": ndjson, "raw": raw_ndjson}[form](DRAWINGS[:200]))
    assert source.num_read < needed * 1.25 + 4096


@pytest.mark.parametrize("form", FORMS)
def test_filters_leave_out_count_and_make_up(form):
    found, left_out, _ = _take(form, limit=150, recognized_only=True, countries=frozenset({"US", "VE"}))
    assert len(found) == 150
    assert all(drawing.recognized and drawing.countrycode in {"US", "VE"} for _, drawing in found)
    assert set(left_out) == {"unrecognized", "other-country"}
    everything, left_out, _ = _take(form, limit=5000, recognized_only=True, countries=frozenset({"US"}))
    expected = {d.key_id for d in DRAWINGS if d.recognized and d.countrycode == "US"}
    assert {drawing.key_id for _, drawing in everything} == expected
    assert len(everything) + left_out.total() == 900


def test_flagged_drawings_are_left_out():
    flagged = FlaggedDrawings(frozenset(drawing.key_id for drawing in DRAWINGS[:5]))
    found, left_out, _ = _take("binary", limit=50, sample="first", flagged=flagged)
    assert found[0][1].key_id == DRAWINGS[5].key_id
    assert left_out == {"flagged": 5}


def test_a_filter_that_leaves_nothing_reads_the_file_once():
    found, left_out, source = _take("simplified", limit=100, countries=frozenset({"XX"}))
    assert not found
    assert left_out == {"other-country": 900}
    assert source.num_read < 2 * source.size + (1 << 20)


@pytest.mark.parametrize(
    "options",
    [
        {"sample": "some"},
        {"limit": 0},
        {"limit": None},
        {"sample": "all"},
        {"countries": frozenset({"usa"})},
        {"countries": frozenset({"us"})},
    ],
)
def test_impossible_selections_are_refused(options):
    with pytest.raises(ConfigError):
        Selection(**options)


def test_lists_of_flagged_drawings(tmp_path: Path):
    path = tmp_path / "bad.csv"
    path.write_text("category,index\n# scribbles\n5201136883597312\ncat,17\nThe eiffel tower\t3\n\ncat,4\n")
    found = read_flagged(path)
    assert found.key_ids == {"5201136883597312"}
    assert found.rows == {"cat": {17, 4}, "The Eiffel Tower": {3}}
    path.write_text("cat,17\nwhat is this\n")
    with pytest.raises(ConfigError, match=r"bad\.csv:2: neither a key_id"):
        read_flagged(path)
    path.write_text("catt,17\n")
    with pytest.raises(ConfigError, match=r"bad\.csv:1: QuickDraw has no category 'catt'.*Did you mean 'cat'"):
        read_flagged(path)
    with pytest.raises(InputError, match="cannot read the list"):
        read_flagged(tmp_path / "absent.txt")
