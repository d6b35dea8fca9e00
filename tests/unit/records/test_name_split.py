"""The split of a picture by the hash of its name."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.name_split import is_verification, percentage_of_name

_NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def test_the_split_of_real_names_is_that_of_retrain_py():
    for name in ("out/cat/1.jpg", "./out/cat/1.jpg", "flower_photos/roses/12240303_80d87f77a3_n.jpg"):
        number = int(hashlib.sha1(name.encode()).hexdigest(), 16)
        assert percentage_of_name(name) == (number % 134217728) * (100.0 / 134217727)
    # sha1("abc") is a published test vector; its last 27 bits are 0x4d0d89d, of 0x7ffffff.
    assert percentage_of_name("abc") == pytest.approx(0x4D0D89D / 0x7FFFFFF * 100)


@given(_NAMES, st.floats(0, 100))
def test_a_larger_share_only_adds_names(name, percentage):
    assert 0 <= percentage_of_name(name) <= 100
    assert not is_verification(name, 0)
    assert is_verification(name, percentage) <= is_verification(name, percentage + 1)


@given(_NAMES, st.text(max_size=10), st.text(max_size=10))
def test_what_follows_nohash_does_not_count(name, one, another):
    assert percentage_of_name(f"{name}_nohash_{one}") == percentage_of_name(f"{name}_nohash_{another}")


def test_the_shares_come_out():
    found = [percentage_of_name(f"cat/{number}.jpg") for number in range(4000)]
    assert 0.08 < sum(one < 10 for one in found) / len(found) < 0.12
