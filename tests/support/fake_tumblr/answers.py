"""Posts of the world as the JSON that Tumblr's API sends, in each of its shapes."""

import hashlib
import time
from html import escape
from typing import Any

from tests.support.fake_tumblr.pictures import scaled
from tests.support.fake_tumblr.world import Picture, WorldPost

# Size classes as Tumblr has them, widest first.
CLASSES = ((2048, 3072), (1280, 1920), (640, 960), (500, 750), (250, 400))


def media_path(picture: Picture, width: int, height: int, *, is_square: bool = False) -> str:
    """The path of one rendition, in the old or the new shape."""
    if picture.is_external:
        return f"/elsewhere/{picture.number}.{picture.extension}"
    prefix = "/forbidden" if picture.lasting == "robots_forbidden" else ""
    if picture.old_shape:
        return f"{prefix}/{picture.media_key}_{'75sq' if is_square else width}.{picture.extension}"
    upload, name = picture.media_key.split(":")
    signature = hashlib.sha1(f"{picture.media_key}{width}{is_square}".encode()).hexdigest()
    size = "s75x75_c1" if is_square else f"s{width}x{height}"
    return f"{prefix}/{upload}/{name}/{size}/{signature}.{picture.extension}"


def renditions(base: str, picture: Picture) -> list[dict[str, Any]]:
    """All sizes of a picture, widest first, ending in the square crop."""
    found = []
    for width, height in CLASSES:
        size = scaled(picture.recipe, width, height)
        if width <= 1280 or max(picture.recipe.width, picture.recipe.height) > 1280:
            found.append({"url": base + media_path(picture, width, height), "width": size.width, "height": size.height})
    found.append({"url": base + media_path(picture, 75, 75, is_square=True), "width": 75, "height": 75})
    return found


def post_json(post: WorldPost, base: str) -> dict[str, Any]:
    """A post as the API sends it."""
    common: dict[str, Any] = {
        "object_type": "post",
        "blog_name": post.blog,
        "blog": {"name": post.blog, "uuid": f"t:{post.blog}", "url": f"https://{post.blog}.tumblr.com/"},
        "id": int(post.post_id),
        "id_string": post.post_id,
        "post_url": f"https://{post.blog}.tumblr.com/post/{post.post_id}",
        "timestamp": post.timestamp,
        "date": time.strftime("%Y-%m-%d %H:%M:%S GMT", time.gmtime(post.timestamp)),
        "tags": post.tags,
        "state": "published",
        "note_count": 3,
        "summary": "",
    }
    if post.featured:
        common |= {"featured_timestamp": post.featured, "featured_in_tag": post.tags[:1]}
    if post.nsfw is not None:
        common["classification"] = "sensitive" if post.nsfw else "clean"
    if post.is_opted_out:
        common["blog"]["allow_search_indexing"] = False
    shape = {"photo": _photo, "photoset": _photo, "npf": _npf, "html": _html, "trail": _trail, "text": _text}
    return common | shape[post.form](post, base)


def _photo(post: WorldPost, base: str) -> dict[str, Any]:
    photos = []
    for picture in post.pictures:
        sizes = renditions(base, picture)
        photos.append({"caption": "", "original_size": sizes[0], "alt_sizes": sizes, "alt_text": picture.alt_text})
    layout = {"photoset_layout": str(len(photos))} if len(photos) > 1 else {}
    return {"type": "photo", "photos": photos, "caption": "<p>a caption</p>", "trail": [], **layout}


def _blocks(post: WorldPost, base: str) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = [{"type": "text", "text": "words"}]
    for picture in post.pictures:
        media = []
        for size in renditions(base, picture):
            item = {**size, "type": "image/png", "media_key": picture.media_key}  # the declared type can lie
            if "75x75" in size["url"] or "75sq" in size["url"]:
                item["cropped"] = True
            if post.unknown_size:
                item |= {"width": 540, "height": 405, "original_dimensions_missing": True}
            media.append(item)
        blocks.append({"type": "image", "media": media, "alt_text": picture.alt_text})
    return blocks


def _npf(post: WorldPost, base: str) -> dict[str, Any]:
    return {
        "type": "blocks",
        "original_type": "photo",
        "is_blocks_post_format": True,
        "content": _blocks(post, base),
        "layout": [],
        "trail": [],
    }


def _trail(post: WorldPost, base: str) -> dict[str, Any]:
    item: dict[str, Any] = {"content": _blocks(post, base), "layout": []}
    if post.broken_trail:
        item["broken_blog_name"] = post.root_blog
    else:
        item |= {"blog": {"name": post.root_blog}, "post": {"id": post.post_id[:-1] + "7"}}
    return {"type": "blocks", "is_blocks_post_format": True, "content": [], "layout": [], "trail": [item]}


def _html(post: WorldPost, base: str) -> dict[str, Any]:
    figures = []
    for picture in post.pictures:
        sizes = renditions(base, picture)
        original = sizes[0]
        middle = next((size for size in sizes if "s640x" in size["url"]), original)
        srcset = ", ".join(f"{size['url']} {size['width']}w" for size in reversed(sizes))
        figures.append(
            f'<figure data-orig-width="{original["width"]}" data-orig-height="{original["height"]}">'
            f'<img src="{middle["url"]}" alt="{escape(picture.alt_text)}" data-orig-width="{original["width"]}" '
            f'data-orig-height="{original["height"]}" srcset="{srcset}" sizes="(max-width: 1280px) 100vw"/></figure>'
        )
    body = "<p>words</p>" + "".join(figures)
    # What the API repeats in the trail has no srcset.
    short = "".join(part.split(" srcset=")[0] + "/></figure>" if " srcset=" in part else part for part in figures)
    return {
        "type": "text",
        "is_blocks_post_format": True,
        "format": "html",
        "title": "",
        "body": body,
        "trail": [{"blog": {"name": post.blog}, "post": {"id": post.post_id}, "content": f"<p>words</p>{short}"}],
    }


def _text(post: WorldPost, base: str) -> dict[str, Any]:
    return {"type": "text", "body": "<p>only words</p>", "trail": []}
