from hypothesis import given
from hypothesis import strategies as st

from collectors.tumblr_html import images_in_html, parse_srcset


def test_all_offers_of_an_image_are_read() -> None:
    html = (
        '<p>x<figure><img src="https://m/a_640.jpg" alt=" two &amp; three " data-orig-width="1182" '
        'data-orig-height="750" srcset="https://m/a_75.jpg 75w, https://m/a_1280.jpg 1182w"/></figure>'
    )
    (image,) = images_in_html(html)
    assert image.sources == [("https://m/a_640.jpg", 0), ("https://m/a_75.jpg", 75), ("https://m/a_1280.jpg", 1182)]
    assert (image.alt_text, image.original_width, image.original_height) == ("two & three", 1182, 750)


def test_an_image_without_any_url_is_none() -> None:
    assert images_in_html('<img alt="x"><img src="">') == []


def test_commas_inside_a_path_do_not_end_a_candidate() -> None:
    found = parse_srcset("https://m/s2048x3072_c0,0,9,9/a.jpg 100w, https://m/b.jpg, https://m/c.jpg 2x")
    assert found == [("https://m/s2048x3072_c0,0,9,9/a.jpg", 100), ("https://m/b.jpg", 0), ("https://m/c.jpg", 0)]


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    for image in images_in_html(text):
        assert image.sources
    for url, width in parse_srcset(text):
        assert url
        assert width >= 0


@given(
    st.lists(
        st.tuples(st.from_regex(r"https://m/[a-z,]{1,9}\.jpg", fullmatch=True), st.integers(1, 99_999)), max_size=6
    )
)
def test_a_written_srcset_reads_back(offers: list[tuple[str, int]]) -> None:
    assert parse_srcset(", ".join(f"{url} {width}w" for url, width in offers)) == offers
