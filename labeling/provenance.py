"""Which posts a collected picture came from, as the ledger of the data root has it; read only."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from collectors.ledger_schema import LEDGER_PATH

# A copy that was refused was seen in posts of its own: they are posts of the picture that was kept.
_SEEN = """
FROM media AS kept
JOIN media ON media.id = kept.id OR media.duplicate_of = kept.id
JOIN sightings ON sightings.media = media.id
JOIN posts ON posts.id = sightings.post
WHERE kept.sha256 IS NOT NULL AND kept.duplicate_of IS NULL
"""
_POSTS = f"SELECT kept.sha256, kept.path, posts.post_id, sightings.root_post_id {_SEEN}"
_TAGS = f"SELECT kept.sha256, kept.path, posts.tags {_SEEN}"
_BLOGS = f"SELECT kept.sha256, kept.path, posts.blog, sightings.root_blog {_SEEN}"
_URLS = f"SELECT kept.sha256, kept.path, posts.post_url {_SEEN}"
_FORGOTTEN = "SELECT value FROM tombstones WHERE kind = 'sha256'"


def posts_by_picture(root: Path) -> Mapping[str, frozenset[str]]:
    """Map each collected picture to its posts: those it was seen in, and those they were reblogged from.

    A picture stands under the SHA-256 of its bytes and under ``<class>/<stem>``: the bytes change when its pixels are
    turned for good or written in another format, the name when a person renames it.

    Nothing where the root has no ledger, or one that cannot be read: the collector is the one to complain of that.
    """
    return _by_picture(root, _POSTS)


def blogs_by_picture(root: Path) -> Mapping[str, frozenset[str]]:
    """Map each collected picture to its blogs: those that showed it, and those it was reblogged from."""
    return _by_picture(root, _BLOGS)


def post_urls_by_picture(root: Path) -> Mapping[str, frozenset[str]]:
    """Map each collected picture to the URLs of the posts that showed it; see `posts_by_picture` for the keys."""
    return _by_picture(root, _URLS)


def forgotten_pictures(root: Path) -> frozenset[str]:
    """SHA-256 of every picture that was forgotten (`collectors.forgetting`) and must not come back."""
    return frozenset(str(row[0]) for row in _rows(root, _FORGOTTEN))


def origins_of(origins: Mapping[str, frozenset[str]], sha256: str, class_name: str, stem: str) -> frozenset[str]:
    """Return the posts or blogs of one picture from the mapping of `posts_by_picture` or `blogs_by_picture`."""
    return origins.get(sha256, frozenset()) | origins.get(f"{class_name}/{stem}", frozenset())


def tags_by_picture(root: Path) -> Mapping[str, frozenset[str]]:
    """Map each collected picture to the tags of all posts it was seen in, as written; keys as in `posts_by_picture`."""
    tags: dict[str, set[str]] = defaultdict(set)
    for key, lists in _by_picture(root, _TAGS).items():
        for text in lists:
            try:
                tags[key].update(str(tag) for tag in json.loads(text))
            except (ValueError, TypeError):
                continue
    return {key: frozenset(found) for key, found in tags.items()}


def _by_picture(root: Path, question: str) -> Mapping[str, frozenset[str]]:
    origins: dict[str, set[str]] = defaultdict(set)
    for sha256, path, *names in _rows(root, question):
        for key in filter(None, (str(sha256), _name_of(PurePosixPath(str(path))))):
            origins[key].update(str(name) for name in names if name)
    return {key: frozenset(found) for key, found in origins.items()}


def _rows(root: Path, question: str) -> list[tuple[object, ...]]:
    path = root / LEDGER_PATH
    if not path.is_file():
        return []
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5)
        try:
            return connection.execute(question).fetchall()
        finally:
            connection.close()
    except sqlite3.Error:
        return []


def _name_of(path: PurePosixPath) -> str:
    return f"{path.parts[0]}/{path.stem}" if len(path.parts) > 1 else ""
