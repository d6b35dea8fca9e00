"""Which posts a collected picture came from, as the ledger of the data root has it; read only."""

import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from collectors.ledger_schema import LEDGER_PATH

_POSTS = """
SELECT media.sha256, posts.post_id, sightings.root_post_id
FROM media JOIN sightings ON sightings.media = media.id JOIN posts ON posts.id = sightings.post
WHERE media.sha256 IS NOT NULL
"""


_BLOGS = """
SELECT media.sha256, posts.blog, sightings.root_blog
FROM media JOIN sightings ON sightings.media = media.id JOIN posts ON posts.id = sightings.post
WHERE media.sha256 IS NOT NULL
"""


_URLS = """
SELECT media.sha256, posts.post_url
FROM media JOIN sightings ON sightings.media = media.id JOIN posts ON posts.id = sightings.post
WHERE media.sha256 IS NOT NULL
"""


_FORGOTTEN = "SELECT value FROM tombstones WHERE kind = 'sha256'"


def posts_by_picture(root: Path) -> Mapping[str, frozenset[str]]:
    """Map the SHA-256 of each collected picture to its posts: those it was seen in, and those they were reblogged from.

    Nothing where the root has no ledger, or one that cannot be read: the collector is the one to complain of that.
    """
    return _by_picture(root, _POSTS)


def blogs_by_picture(root: Path) -> Mapping[str, frozenset[str]]:
    """Map the SHA-256 of each collected picture to its blogs: those that showed it, and those it was reblogged from."""
    return _by_picture(root, _BLOGS)


def post_urls_by_picture(root: Path) -> Mapping[str, frozenset[str]]:
    """Map the SHA-256 of each collected picture to the URLs of the posts that showed it."""
    return _by_picture(root, _URLS)


def forgotten_pictures(root: Path) -> frozenset[str]:
    """SHA-256 of every picture that was forgotten (`collectors.forgetting`) and must not come back."""
    return frozenset(str(row[0]) for row in _rows(root, _FORGOTTEN))


def _by_picture(root: Path, question: str) -> Mapping[str, frozenset[str]]:
    origins: dict[str, set[str]] = defaultdict(set)
    for sha256, *names in _rows(root, question):
        origins[str(sha256)].update(str(name) for name in names if name)
    return {sha256: frozenset(found) for sha256, found in origins.items()}


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
