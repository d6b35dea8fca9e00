from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.errors import ConfigError
from collectors.quickdraw_categories import CATEGORIES, find_category, suggest_categories


def test_there_are_345_names():
    assert len(CATEGORIES) == len(set(CATEGORIES)) == 345
    assert sum(" " in name for name in CATEGORIES) == 51
    assert [name for name in CATEGORIES if name != name.lower()] == [
        "The Eiffel Tower",
        "The Great Wall of China",
        "The Mona Lisa",
    ]


def test_the_published_files_carry_these_names(shared_data: Path):
    files = {path.stem for path in (shared_data / "quickdraw" / "simplified_25x344").glob("*.ndjson")}
    assert files <= set(CATEGORIES)
    assert len(set(CATEGORIES) - files) == 1


@given(st.sampled_from(CATEGORIES), st.sampled_from([" ", "_", "-", "  "]), st.booleans())
def test_writing_does_not_matter(name, gap, upper):
    written = name.replace(" ", gap).replace("-", gap)
    assert find_category(written.upper() if upper else written) == name


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("eiffel tower", "The Eiffel Tower"),
        ("Mona Lisa", "The Mona Lisa"),
        ("teddybear", "teddy-bear"),
        ("tshirt", "t-shirt"),
        (" cat ", "cat"),
    ],
)
def test_an_article_or_a_gap_does_not_matter(word, meant):
    assert find_category(word) == meant


@pytest.mark.parametrize(
    ("typo", "meant"),
    [
        ("giraff", "giraffe"),
        ("kat", "cat"),
        ("elefant", "elephant"),
        ("kangooro", "kangaroo"),
        ("airplan", "airplane"),
        ("plane", "airplane"),
        ("tv", "television"),
        ("watches", "wristwatch"),
        ("boats", "sailboat"),
        ("fire engine", "fire hydrant"),
        ("the tower", "The Eiffel Tower"),
    ],
)
def test_a_typo_is_answered_with_what_is_near(typo, meant):
    assert meant in suggest_categories(typo)
    with pytest.raises(ConfigError, match=f"no category '{typo}'.*Did you mean.*{meant}"):
        find_category(typo)


@pytest.mark.parametrize("word", ["", "  ", "%%%", "qqqqqqqqqqqq", "../cat.npy/..", "x" * 5000])
def test_nonsense_is_refused_without_a_guess(word):
    with pytest.raises(ConfigError, match="no category") as caught:
        find_category(word)
    assert "--list-categories" in caught.value.fix


@given(st.text(max_size=30))
def test_any_text_is_a_category_or_a_clear_refusal(text):
    with suppress(ConfigError):
        assert find_category(text) in CATEGORIES
    assert set(suggest_categories(text)) <= set(CATEGORIES)
