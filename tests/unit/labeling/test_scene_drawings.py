from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.doodles import draw_doodle
from collectors.errors import InputError
from collectors.quickdraw_formats import Drawing, format_simplified, write_simplified
from labeling.scene_drawings import is_for_verification, load_drawings, pool_drawings

FISH = [draw_doodle("fish", index, seed=1) for index in range(60)]
DOT = Drawing("fish", "1", (np.array([[0, 0], [0, 0]], np.int16),))


@given(st.integers(0, 2**64 - 1), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_only_adds_drawings(key, first, second):
    low, high = sorted((first, second))
    assert is_for_verification(str(key), low) <= is_for_verification(str(key), high)


def test_the_share_is_about_what_was_asked_for():
    chosen = sum(is_for_verification(str(key), 0.2) for key in range(5000))
    assert 900 < chosen < 1100


def test_no_drawing_is_in_both_splits_and_every_one_in_one():
    pool = pool_drawings({"fish": FISH}, 0.3, ["training", "verification"])
    training = {drawing.key_id for drawing in pool.drawings["training"]["fish"]}
    verification = {drawing.key_id for drawing in pool.drawings["verification"]["fish"]}
    assert not training & verification
    assert training | verification == {drawing.key_id for drawing in FISH}


def test_the_order_of_the_drawings_does_not_matter():
    assert pool_drawings({"fish": FISH}, 0.3, ["training"]) == pool_drawings({"fish": FISH[::-1]}, 0.3, ["training"])


def test_refused_drawings_are_counted():
    pool = pool_drawings({"fish": [*FISH, DOT, FISH[3], replace(FISH[3], word="x")]}, 0.3, ["training", "verification"])
    assert pool.refused == {"fish": {"duplicate": 2, "no-extent": 1}}
    used = sum(len(by_category["fish"]) for by_category in pool.drawings.values())
    assert used + 3 == len(FISH) + 3


def test_a_split_without_drawings_is_refused_unless_it_is_not_needed():
    lone = [next(drawing for drawing in FISH if not is_for_verification(drawing.key_id, 0.2))]
    assert pool_drawings({"fish": lone}, 0.2, ["training"]).drawings["training"]["fish"] == lone
    with pytest.raises(InputError, match="'fish' falls to verification"):
        pool_drawings({"fish": lone}, 0.2, ["training", "verification"])


def test_files_and_folders_are_read_in_the_order_of_names(tmp_path: Path):
    write_simplified(tmp_path / "b.ndjson", FISH[3:5])
    write_simplified(tmp_path / "a.ndjson", FISH[:2])
    write_simplified(tmp_path / "single" / "c.ndjson", [replace(FISH[7], word="shark")])
    loaded = load_drawings([tmp_path, tmp_path / "single" / "c.ndjson"])
    assert loaded.by_category == {"fish": [*FISH[:2], *FISH[3:5]], "shark": [replace(FISH[7], word="shark")]}
    assert loaded.refused == ()


def test_every_line_is_accounted_for(tmp_path: Path):
    lines = [format_simplified(drawing) for drawing in FISH[:6]]
    lines += [format_simplified(replace(FISH[6], recognized=False)), b"broken\n"]
    (tmp_path / "fish.ndjson").write_bytes(b"".join(lines))
    loaded = load_drawings([tmp_path / "fish.ndjson"], recognized_only=True, limit=4)
    assert len(loaded.by_category["fish"]) == 4
    assert loaded.left_out == {"over-limit": 2, "unrecognized": 1}
    assert [(path.name, line.line) for path, line in loaded.refused] == [("fish.ndjson", 8)]
    assert 4 + sum(loaded.left_out.values()) + len(loaded.refused) == len(lines)


def test_no_drawings_left_says_why(tmp_path: Path):
    with pytest.raises(InputError, match=r"no \.ndjson file"):
        load_drawings([tmp_path])
    (tmp_path / "bad.ndjson").write_text("{}\n")
    with pytest.raises(InputError, match=r"1 lines refused, the first bad\.ndjson:1: `drawing` has no strokes"):
        load_drawings([tmp_path])
    write_simplified(tmp_path / "bad.ndjson", [replace(FISH[0], recognized=False)])
    with pytest.raises(InputError, match="filters took 1"):
        load_drawings([tmp_path], recognized_only=True)
