"""The split of a picture by the hash of its name."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.name_split import is_verification, is_watched, percentage_of_name

_NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def test_the_split_of_real_names_is_that_of_retrain_py():
    for name in ("out/cat/1.jpg", "./out/cat/1.jpg", "flower_photos/roses/12240303_80d87f77a3_n.jpg"):
        number = int(hashlib.sha1(name.encode()).hexdigest(), 16)
        assert percentage_of_name(name) == (number % 134217728) * (100.0 / 134217727)
    # sha1("abc") is a published test vector; its last 27 bits are 0x4d0d89d, of 0x7ffffff.
    assert percentage_of_name("abc") == pytest.approx(0x4D0D89D / 0x7FFFFFF * 100)


@given(_NAMES)
def test_every_name_is_in_one_place_and_all_of_them_are_taken_at_100_percent(name):
    assert 0 <= percentage_of_name(name) <= 100
    places = [is_watched(name, 10), is_verification(name, 10, 20)]
    assert sum(places) <= 1
    assert is_watched(name, 30) == any(places)


@given(_NAMES, st.text(max_size=10), st.text(max_size=10))
def test_what_follows_nohash_does_not_count(name, one, another):
    assert percentage_of_name(f"{name}_nohash_{one}") == percentage_of_name(f"{name}_nohash_{another}")


def test_the_shares_come_out():
    found = [percentage_of_name(f"cat/{number}.jpg") for number in range(4000)]
    assert 0.08 < sum(one < 10 for one in found) / len(found) < 0.12
