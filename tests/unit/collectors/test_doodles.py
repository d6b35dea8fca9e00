from pathlib import Path

import numpy as np
import pytest

from collectors.doodles import doodle_categories, draw_doodle
from collectors.errors import ConfigError
from collectors.quickdraw_formats import format_simplified, parse_simplified


def test_there_are_enough_categories_in_alphabetical_order():
    assert len(doodle_categories()) >= 8
    assert list(doodle_categories()) == sorted(doodle_categories())


@pytest.mark.parametrize("category", doodle_categories())
def test_every_doodle_fits_the_simplified_schema(category):
    for index in range(12):
        drawing = draw_doodle(category, index, seed=3)
        assert parse_simplified(format_simplified(drawing)) == drawing
        points = np.concatenate(drawing.strokes)
        # As in Google's own files, simplification may take an outermost point of a curve.
        assert points.min(axis=0).max() <= 4
        assert points.max() >= 251
        assert points.max(axis=0).min() > 80, "a doodle is no line"


@pytest.mark.parametrize("category", doodle_categories())
def test_no_two_drawings_are_alike(category):
    drawings = [draw_doodle(category, index, seed=3) for index in range(20)]
    assert len({drawing.key_id for drawing in drawings}) == 20
    assert len({format_simplified(drawing).split(b'"drawing"')[1] for drawing in drawings}) == 20
    assert len({len(drawing.strokes) for drawing in drawings}) > 1 or category == "star"


def test_a_drawing_does_not_depend_on_what_else_is_drawn():
    alone = draw_doodle("fish", 5, seed=1)
    for index in range(5):
        draw_doodle("fish", index, seed=1)
        draw_doodle("cat", index, seed=1)
    assert draw_doodle("fish", 5, seed=1) == alone


def test_the_seed_changes_the_drawing_and_its_key():
    first, second = draw_doodle("fish", 0, seed=1), draw_doodle("fish", 0, seed=2)
    assert first.key_id != second.key_id
    assert first.strokes[0].tolist() != second.strokes[0].tolist()


def test_keys_differ_between_categories():
    keys = {draw_doodle(category, index, seed=1).key_id for category in doodle_categories() for index in range(5)}
    assert len(keys) == 5 * len(doodle_categories())


def test_an_unknown_category_is_refused_with_those_there_are():
    with pytest.raises(ConfigError, match=r"'dragon'.*cat, cup, fish"):
        draw_doodle("dragon", 0, seed=1)


def test_the_categories_are_quickdraws(shared_data: Path):
    known = {path.stem for path in (shared_data / "quickdraw" / "simplified_25x344").glob("*.ndjson")}
    assert set(doodle_categories()) <= known
