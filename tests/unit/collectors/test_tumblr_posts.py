import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.media_urls import parse_media_url
from collectors.tumblr_posts import Rendition, SizeLimit, best_rendition, parse_post

_KEY = "7708167a3d7b19846a887700887a9f7e/0f531a11508c61cb-07"


def _url(size: str, key: str = _KEY) -> str:
    return f"https://64.media.tumblr.com/{key}/{size}/{'a' * 40}.jpg"


def _post(**fields: Any) -> dict[str, Any]:
    return {"id": 802850807956602881, "id_string": "802850807956602881", "blog_name": "me", "timestamp": 5, **fields}


# Picture uploads of each captured answer, counted by hand; avatars, headers and video posters are none.
_LIVE = {
    "audio_error.json": 1, "blog_likes.json": 11, "content_or_string_enum.json": 0, "invalid_id.json": 0,
    "invalid_type_map_bug.json": 0, "missing_type_field.json": 1, "npf.json": 2, "npf_post.json": 2,
    "posts_npf.json": 7, "tagged.json": 28,
}  # fmt: skip


def _live_posts(path: Path) -> list[dict[str, Any]]:
    document, _ = json.JSONDecoder().raw_decode(path.read_text(encoding="utf-8").strip())
    answer = document.get("response", document)
    if isinstance(answer, list):
        return answer
    posts: list[dict[str, Any]] = answer.get("posts") or answer.get("liked_posts") or [answer]
    return posts


@pytest.mark.parametrize(("name", "num"), sorted(_LIVE.items()))
def test_every_picture_of_a_captured_answer_is_found_once(shared_data: Path, name: str, num: int) -> None:
    posts = [parse_post(post) for post in _live_posts(shared_data / "tumblr" / "live_responses" / name)]
    assert all(post is not None for post in posts)
    found = [candidate for post in posts if post is not None for candidate in post.candidates]
    assert len(found) == num
    assert len({candidate.media_key for candidate in found}) == num
    assert not any(candidate.is_cropped or candidate.is_external for candidate in found)


@pytest.mark.parametrize("name", sorted(_LIVE))
def test_no_upload_in_the_text_of_a_captured_post_is_missed(shared_data: Path, name: str) -> None:
    """Every <img> and image block that a plain search finds is among the candidates, at its largest size."""
    for raw in _live_posts(shared_data / "tumblr" / "live_responses" / name):
        post = parse_post(raw)
        assert post is not None
        best = {candidate.media_key: parse_media_url(candidate.url).class_width for candidate in post.candidates}
        body = re.findall(r"<img[^>]*>", raw.get("body", ""))  # not the posters of videos
        shown = {"body": body, "answer": raw.get("answer", ""), "photos": raw.get("photos", [])}
        blocks = [raw, *raw.get("trail", [])]
        images = [
            media
            for holder in blocks
            for block in (holder.get("content") if isinstance(holder.get("content"), list) else [])
            if block.get("type") == "image"
            for media in block["media"]
        ]
        text = json.dumps([shown, [media["url"] for media in images]])
        for word in text.replace("\\", " ").replace('"', " ").split():
            url = parse_media_url(word)
            if url.is_tumblr and not url.is_cropped and url.class_width <= 1280:
                assert best[url.media_key] >= url.class_width, word


def test_the_id_keeps_all_its_digits() -> None:
    post = parse_post(_post(id=802850807956602900))
    assert post is not None
    assert post.post_id == "802850807956602881"


def test_a_legacy_photo_takes_the_larger_of_original_and_alternatives() -> None:
    sizes = [
        {"url": _url("s640x960"), "width": 640, "height": 480},
        {"url": _url("s75x75_c1"), "width": 75, "height": 75},
    ]
    photo = {
        "original_size": sizes[0],
        "alt_sizes": [{"url": _url("s1280x1920"), "width": 1280, "height": 960}, *sizes],
    }
    post = parse_post(_post(type="photo", photos=[photo]))
    assert post is not None
    (candidate,) = post.candidates
    assert (candidate.url, candidate.width, candidate.height) == (_url("s1280x1920"), 1280, 960)


def test_html_and_trail_together_give_one_picture_with_the_best_size_and_the_first_author() -> None:
    body = f'<img src="{_url("s640x960")}" srcset="{_url("s640x960")} 640w, {_url("s1280x1920")} 1182w">'
    trail = [
        {"blog": {"name": "maker"}, "post": {"id": "77"}, "content": f'<img src="{_url("s500x750")}" alt="a cat">'}
    ]
    post = parse_post(_post(type="text", body=body, trail=trail))
    assert post is not None
    (candidate,) = post.candidates
    assert candidate.url == _url("s1280x1920")
    assert (candidate.root_blog, candidate.root_post_id, candidate.alt_text) == ("maker", "77", "a cat")


def test_npf_content_is_the_rebloggers_and_trail_is_the_makers() -> None:
    def block(key: str) -> dict[str, Any]:
        return {"type": "image", "media": [{"url": _url("s1280x1920", key), "width": 9, "height": 9}], "alt_text": "t"}

    first, second = "1" * 32 + "/" + "2" * 16 + "-00", "3" * 32 + "/" + "4" * 16 + "-00"
    trail = [{"broken_blog_name": "gone", "content": [block(first)]}]
    post = parse_post(_post(type="blocks", content=[{"type": "text"}, block(second)], trail=trail))
    assert post is not None
    assert [candidate.root_blog for candidate in post.candidates] == ["gone", "me"]
    assert [candidate.position for candidate in post.candidates] == [1, 2]


def test_placeholder_sizes_count_as_unknown() -> None:
    media = [{"url": _url("s1280x1920"), "width": 540, "height": 405, "original_dimensions_missing": True}]
    post = parse_post(_post(content=[{"type": "image", "media": media}]))
    assert post is not None
    assert (post.candidates[0].width, post.candidates[0].height) == (0, 0)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"classification": "clean"}, False),
        ({"classification": "sensitive"}, True),
        ({"blog": {"is_nsfw": True}, "classification": "clean"}, True),
        ({"is_nsfw": False}, False),
        ({"community_labels": {"has_community_label": True}}, True),
    ],
)
def test_nsfw_is_yes_no_or_unknown(fields: dict[str, Any], expected: bool | None) -> None:
    post = parse_post(_post(**fields))
    assert post is not None
    assert post.nsfw is expected


def test_opt_out_is_read_from_the_blog() -> None:
    for blog in ({"allow_search_indexing": False}, {"isHiddenFromBlogNetwork": True}):
        post = parse_post(_post(blog=blog))
        assert post is not None
        assert post.is_opted_out


def test_a_url_that_is_none_is_no_picture() -> None:
    body = (
        '<img src="http://[x/a.jpg"><img src="data:image/png;base64,AA"><img src="/a.jpg"><img src="https://b.c/a.jpg">'
    )
    post = parse_post(_post(body=body, content=[{"type": "image", "media": {"url": "https://"}}]))
    assert post is not None
    assert [candidate.url for candidate in post.candidates] == ["https://b.c/a.jpg"]
    assert post.candidates[0].is_external


def test_an_advertisement_is_no_post() -> None:
    assert parse_post({"object_type": "client_side_ad_waterfall", "id": 1}) is None
    assert parse_post({"type": "photo"}) is None


@pytest.mark.parametrize(
    ("offers", "limit", "expected"),
    [
        (["s2048x3072", "s1280x1920", "s640x960"], SizeLimit(), "s1280x1920"),
        (["s2048x3072", "s1280x1920"], SizeLimit(2048, 3072), "s2048x3072"),
        (["s2048x3072"], SizeLimit(), "s2048x3072"),
        (["s75x75_c1"], SizeLimit(), None),
        ([], SizeLimit(), None),
    ],
)
def test_the_largest_uncropped_rendition_within_the_limit(
    offers: list[str], limit: SizeLimit, expected: str | None
) -> None:
    chosen = best_rendition([Rendition(_url(size), 0, 0) for size in offers], limit)
    assert (chosen and chosen.url) == (expected and _url(expected))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {"id": st.integers(1)},
        optional=dict.fromkeys(("body", "photos", "content", "trail", "blog", "tags", "timestamp", "caption"), _JSON),
    )
)
def test_no_answer_however_odd_breaks_the_parser(raw: dict[str, Any]) -> None:
    post = parse_post(raw)
    assert post is not None
    assert post.post_id == str(raw["id"])
