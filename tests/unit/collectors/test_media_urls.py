import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.media_urls import host_group, parse_media_url

_NEW = "https://64.media.tumblr.com/7708167a3d7b19846a887700887a9f7e/0f531a11508c61cb-07/{}/bc08f9178d6421b5d33aef6379ad52a989af37a7.jpg"


@pytest.mark.parametrize(
    ("size", "width", "is_cropped"),
    [("s1280x1920", 1280, False), ("s75x75_c1", 75, True), ("s2048x3072_c0,0,99609,100000", 2048, True),
     ("s640x960_f1", 640, False)],
)  # fmt: skip
def test_all_sizes_of_an_upload_have_one_key(size: str, width: int, is_cropped: bool) -> None:
    url = parse_media_url(_NEW.format(size))
    assert url.media_key == "7708167a3d7b19846a887700887a9f7e:0f531a11508c61cb-07"
    assert (url.class_width, url.is_cropped, url.is_tumblr) == (width, is_cropped, True)


@pytest.mark.parametrize(
    ("url", "key", "width", "is_cropped"),
    [
        ("https://30.media.tumblr.com/tumblr_lo36wbWqqq1qanqwwo1_500.jpg", "tumblr_lo36wbWqqq1qanqwwo1", 500, False),
        ("https://30.media.tumblr.com/tumblr_lo36wbWqqq1qanqwwo1_75sq.jpg", "tumblr_lo36wbWqqq1qanqwwo1", 75, True),
        ("https://64.media.tumblr.com/1557886423d2dc0afe2ac0edb5b782cb/tumblr_nlag14Gk5F1rhe8jbo1_1280.png",
         "tumblr_nlag14Gk5F1rhe8jbo1", 1280, False),
        ("https://78.media.tumblr.com/tumblr_inline_abco1_540.gif", "tumblr_inline_abco1", 540, False),
    ],
)  # fmt: skip
def test_old_urls(url: str, key: str, width: int, is_cropped: bool) -> None:
    found = parse_media_url(url)
    assert (found.media_key, found.class_width, found.is_cropped, found.is_tumblr) == (key, width, is_cropped, True)


def test_a_foreign_picture_is_its_own_key_without_its_query() -> None:
    found = parse_media_url("https://Example.org/a/b.jpg?size=3#top")
    assert (found.media_key, found.is_tumblr, found.class_width) == ("https://example.org/a/b.jpg", False, 0)


def test_all_numbered_hosts_count_as_one() -> None:
    hosts = ("https://64.media.tumblr.com/x", "https://40.media.tumblr.com/y")
    assert {host_group(url) for url in hosts} == {"media.tumblr.com"}
    assert host_group("http://127.0.0.1:8000/x") == "127.0.0.1:8000"


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert parse_media_url(f"https://{text}/a.jpg").class_width >= 0
    assert not parse_media_url("https://[x/a.jpg").is_tumblr
