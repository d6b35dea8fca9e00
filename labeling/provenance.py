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
    path = root / LEDGER_PATH
    if not path.is_file():
        return {}
    origins: dict[str, set[str]] = defaultdict(set)
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5)
        try:
            for sha256, path, *names in connection.execute(question):
                for key in filter(None, (str(sha256), _name_of(PurePosixPath(path)))):
                    origins[key].update(str(name) for name in names if name)
        finally:
            connection.close()
    except sqlite3.Error:
        return {}
    return {key: frozenset(found) for key, found in origins.items()}


def _name_of(path: PurePosixPath) -> str:
    return f"{path.parts[0]}/{path.stem}" if len(path.parts) > 1 else ""
