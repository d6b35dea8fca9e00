"""A Tumblr post as the API sends it -> the facts we keep and the pictures it offers.

Posts come in three shapes that all carry pictures: legacy photo posts (``photos[]``), NPF posts (``content[]`` and
``trail[].content[]``), and NPF posts squeezed into legacy form (``type: "text"`` with ``<img srcset>`` in ``body``).
One answer of the API can mix them, so every post is read for all three.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from collectors.media_urls import MediaUrl, parse_media_url
from collectors.tumblr_html import images_in_html

_HTML_FIELDS = ("body", "caption", "answer", "question", "description", "text")


@dataclass(frozen=True, slots=True)
class SizeLimit:
    """The largest rendition to take, px. The default is Tumblr's own 1280x1920 class."""

    width: int = 1280
    height: int = 1920


@dataclass(frozen=True, slots=True)
class Rendition:
    """One size of a picture; width and height are 0 when the answer does not tell."""

    url: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A picture that a post offers.

    Attributes:
        media_key: Identity of the upload, see `collectors.media_urls`.
        url: The largest uncropped rendition within the limit.
        width: Declared width of that rendition, px, 0 when unknown; not to be trusted before decoding.
        height: Declared height, px, 0 when unknown.
        position: Place within the post, from 1.
        alt_text: What a person wrote about the picture, or empty.
        root_blog: The blog whose trail item shows the picture, the post's own blog when it is no reblog.
        root_post_id: The post of that trail item, empty when unknown (broken trail).
        is_external: The picture does not lie with Tumblr.
        is_cropped: Only crops of the picture are offered.
    """

    media_key: str
    url: str
    width: int
    height: int
    position: int
    alt_text: str
    root_blog: str
    root_post_id: str
    is_external: bool
    is_cropped: bool = False


@dataclass(frozen=True, slots=True)
class Post:
    """What the ledger keeps of a post.

    Attributes:
        post_id: Decimal digits as text: 64-bit ids do not survive JSON parsers that use doubles.
        timestamp: Publish time shown to people, Unix seconds; the user can set it freely (back-dating).
        order_timestamp: What paging goes by: ``featured_timestamp`` where present, else ``timestamp``.
        nsfw: True, False, or None when the answer does not say.
        is_opted_out: The blog asks not to be indexed or shared.
    """

    post_id: str
    blog: str
    blog_uuid: str
    post_url: str
    timestamp: int
    order_timestamp: int
    date: str
    tags: tuple[str, ...]
    kind: str
    nsfw: bool | None
    is_opted_out: bool
    candidates: tuple[Candidate, ...]


def parse_post(raw: Mapping[str, Any], limit: SizeLimit | None = None) -> Post | None:
    """Read one post.

    Args:
        raw: The post object of the API.
        limit: Largest rendition to choose; ``None`` takes 1280x1920.

    Returns:
        The post, or ``None`` for what is not a post (an advertisement of the dashboard, an object without an id).
    """
    post_id = str(raw.get("id_string") or raw.get("id") or "")
    if not post_id or raw.get("object_type", "post") != "post":
        return None
    blog = _mapping(raw.get("blog"))
    blog_name = str(raw.get("blog_name") or blog.get("name") or "")
    timestamp = _integer(raw.get("timestamp"))
    tags = raw.get("tags")
    return Post(
        post_id=post_id,
        blog=blog_name,
        blog_uuid=str(blog.get("uuid") or raw.get("tumblelog_uuid") or ""),
        post_url=str(raw.get("post_url") or ""),
        timestamp=timestamp,
        order_timestamp=_integer(raw.get("featured_timestamp")) or timestamp,
        date=str(raw.get("date") or ""),
        tags=tuple(str(tag) for tag in tags) if isinstance(tags, list) else (),
        kind=str(raw.get("original_type") or raw.get("type") or ""),
        nsfw=_nsfw_state(raw, blog),
        is_opted_out=_is_opted_out(blog),
        candidates=tuple(_candidates(raw, blog_name, post_id, limit or SizeLimit())),
    )


def best_rendition(renditions: Iterable[Rendition], limit: SizeLimit) -> Rendition | None:
    """Choose the largest uncropped rendition within the limit.

    When all are larger than the limit, the smallest of them is chosen; when all are cropped, or there is none,
    ``None``. The size class in the URL counts before the declared numbers, which can be placeholders.
    """
    uncropped = [(rendition, parse_media_url(rendition.url)) for rendition in renditions if rendition.url]
    uncropped = [(rendition, url) for rendition, url in uncropped if not url.is_cropped]
    if not uncropped:
        return None
    fitting = [pair for pair in uncropped if _fits(*pair, limit)]
    if fitting:
        return max(fitting, key=_extent)[0]
    return min(uncropped, key=_extent)[0]


def _fits(rendition: Rendition, url: MediaUrl, limit: SizeLimit) -> bool:
    width, height = (url.class_width, url.class_height) if url.class_width else (rendition.width, rendition.height)
    return width <= limit.width and height <= limit.height


def _extent(pair: tuple[Rendition, MediaUrl]) -> tuple[int, int, int]:
    rendition, url = pair
    return url.class_width, rendition.width, rendition.height


def _candidates(raw: Mapping[str, Any], blog: str, post_id: str, limit: SizeLimit) -> Iterator[Candidate]:
    """Yield each picture once, trail before top level so that a picture is credited to who added it.

    The same picture can stand in the trail and in the body, with different renditions: the offers are put together.
    """
    offers: dict[str, _Picture] = {}
    for renditions, alt_text, root_blog, root_post_id in _pictures(raw, blog, post_id):
        for rendition in renditions:
            key = parse_media_url(rendition.url).media_key
            if key in offers:
                known, known_alt, known_blog, known_post = offers[key]
                offers[key] = ([*known, rendition], known_alt or alt_text, known_blog, known_post)
            else:
                offers[key] = ([rendition], alt_text, root_blog, root_post_id)
    for position, (key, (renditions, alt_text, root_blog, root_post_id)) in enumerate(offers.items(), start=1):
        chosen = best_rendition(renditions, limit) or renditions[0]
        yield Candidate(
            media_key=key,
            url=chosen.url,
            width=chosen.width,
            height=chosen.height,
            position=position,
            alt_text="" if alt_text == "image" else alt_text,  # Tumblr's own filler
            root_blog=root_blog,
            root_post_id=root_post_id,
            is_external=not parse_media_url(chosen.url).is_tumblr,
            is_cropped=parse_media_url(chosen.url).is_cropped,
        )


_Picture = tuple[list[Rendition], str, str, str]


def _pictures(raw: Mapping[str, Any], blog: str, post_id: str) -> Iterator[_Picture]:
    trail = raw.get("trail")
    for item in trail if isinstance(trail, list) else []:
        if not isinstance(item, Mapping):
            continue
        # A broken item (deleted blog) names the blog only.
        root_blog = str(_mapping(item.get("blog")).get("name") or item.get("broken_blog_name") or "")
        root_post = str(_mapping(item.get("post")).get("id") or "")
        for renditions, alt_text in _content_pictures(item.get("content")):
            yield renditions, alt_text, root_blog, root_post
    root_blog = str(raw.get("reblogged_root_name") or blog)
    root_post = str(raw.get("reblogged_root_id") or post_id)
    photos = raw.get("photos")
    for photo in photos if isinstance(photos, list) else []:
        renditions = _photo_renditions(_mapping(photo))
        yield renditions, str(_mapping(photo).get("alt_text") or ""), root_blog, root_post
    for renditions, alt_text in _content_pictures(raw.get("content")):
        yield renditions, alt_text, blog, post_id
    for name in _HTML_FIELDS:
        for renditions, alt_text in _content_pictures(raw.get(name)):
            yield renditions, alt_text, root_blog, root_post


def _content_pictures(content: Any) -> Iterator[tuple[list[Rendition], str]]:
    """Pictures of NPF blocks (a list) or of HTML (a string); the API uses the same key for both."""
    if isinstance(content, str):
        for image in images_in_html(content):
            yield (
                [
                    Rendition(url, *_scaled(width, image.original_width, image.original_height))
                    for url, width in image.sources
                    if _is_web_url(url)
                ],
                image.alt_text,
            )
    elif isinstance(content, list):
        for block in content:
            if isinstance(block, Mapping) and block.get("type") == "image":
                yield _npf_renditions(block.get("media")), str(block.get("alt_text") or "")


def _npf_renditions(media: Any) -> list[Rendition]:
    items = media if isinstance(media, list) else [media]
    found = []
    for item in items:
        if not isinstance(item, Mapping) or not _is_web_url(item.get("url")) or item.get("cropped"):
            continue
        # 540x405 are placeholders then
        is_unknown = bool(item.get("original_dimensions_missing"))
        width, height = (0, 0) if is_unknown else (_integer(item.get("width")), _integer(item.get("height")))
        found.append(Rendition(item["url"], width, height))
    return found


def _photo_renditions(photo: Mapping[str, Any]) -> list[Rendition]:
    sizes = [photo.get("original_size")]
    alternatives = photo.get("alt_sizes")
    sizes += alternatives if isinstance(alternatives, list) else []
    return [
        Rendition(size["url"], _integer(size.get("width")), _integer(size.get("height")))
        for size in sizes
        if isinstance(size, Mapping)
        and _is_web_url(size.get("url"))
        # `alt_sizes` ends in a square crop that older URLs do not mark
        and not (_integer(size.get("width")) == _integer(size.get("height")) == 75)
    ]


def _scaled(width: int, original_width: int, original_height: int) -> tuple[int, int]:
    if not width or not original_width:
        return width, 0
    return width, round(original_height * width / original_width)


def _nsfw_state(raw: Mapping[str, Any], blog: Mapping[str, Any]) -> bool | None:
    """Fold the undocumented hints into yes, no or unknown: one yes is yes, silence is unknown."""
    hints: list[bool] = []
    for holder in (raw, blog):
        hints += [bool(holder[key]) for key in ("is_nsfw", "is_adult") if isinstance(holder.get(key), bool)]
    if isinstance(classification := raw.get("classification"), str):
        hints.append(classification not in ("clean", "safe"))
    labels = raw.get("community_labels")
    if isinstance(labels, Mapping) and isinstance(labels.get("has_community_label"), bool):
        hints.append(labels["has_community_label"])
    return any(hints) if hints else None


def _is_opted_out(blog: Mapping[str, Any]) -> bool:
    allowed = (blog.get("allow_search_indexing"), blog.get("allowSearchIndexing"))
    hidden = (blog.get("is_hidden_from_blog_network"), blog.get("isHiddenFromBlogNetwork"))
    return False in allowed or True in hidden


def _is_web_url(value: Any) -> bool:
    if not isinstance(value, str) or not value.startswith(("http://", "https://")):
        return False
    try:
        return bool(urlsplit(value).hostname)
    except ValueError:  # such as an unbalanced bracket
        return False


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _integer(value: Any) -> int:
    if isinstance(value, bool):
        return 0
    if isinstance(value, (int, float)):
        return int(value) if math.isfinite(value) and abs(value) < 2**63 else 0
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    return 0
