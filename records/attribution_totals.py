"""Who made the pictures of a set of records, in numbers: from the ledger of the data root, and from the manifest."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collectors.attribution import LICENCE_NOTE, credits_of
from collectors.errors import InputError
from collectors.ledger import Ledger
from collectors.ledger_schema import LEDGER_PATH
from collectors.quickdraw_ledger import LICENCE as DRAWINGS_LICENCE


@dataclass(frozen=True, slots=True)
class AttributionTotals:
    """Where the pictures of a set of records come from, in numbers.

    Attributes:
        num_pictures: Different pictures, by their bytes.
        num_credited: Those of them whose posts are known.
        num_posts: Posts that showed them.
        num_blogs: Blogs that first posted them.
        num_nsfw: Those that a post marks as not safe for work.
        num_drawings: QuickDraw drawings collected in the data root, whether or not a picture here was made of them.
        has_ledger: Whether the data root's ledger was there to ask.
    """

    num_pictures: int
    num_credited: int = 0
    num_posts: int = 0
    num_blogs: int = 0
    num_nsfw: int = 0
    num_drawings: int = 0
    has_ledger: bool = False

    @property
    def num_unknown(self) -> int:
        """Pictures of whose origin nothing is known."""
        return self.num_pictures - self.num_credited

    @property
    def licences(self) -> tuple[str, ...]:
        """What is known of the rights, a sentence or the name of a licence each; none when nothing is known."""
        posts = (LICENCE_NOTE,) if self.num_credited else ()
        return (*posts, DRAWINGS_LICENCE) if self.num_drawings else posts

    def as_json(self) -> dict[str, Any]:
        """The totals as a JSON object."""
        return {
            "pictures": self.num_pictures,
            "credited": self.num_credited,
            "unknown": self.num_unknown,
            "posts": self.num_posts,
            "blogs": self.num_blogs,
            "nsfw": self.num_nsfw,
            "drawings": self.num_drawings,
            "ledger": self.has_ledger,
        }


def attribution_totals(posts_by_sha256: Mapping[str, frozenset[str]], data_root: Path | None) -> AttributionTotals:
    """Count the credits of pictures.

    Args:
        posts_by_sha256: Every picture, by the hex SHA-256 of its file, with the URLs of its posts as the manifest has
            them; an empty set where it has none.
        data_root: The folder whose ledger knows more; ``None``, or one without a ledger, and only the manifest counts.

    Raises:
        InputError: The ledger cannot be read.
    """
    posts = {sha256: set(found) for sha256, found in posts_by_sha256.items()}
    path = None if data_root is None else data_root / LEDGER_PATH
    if data_root is None or path is None or not path.is_file():
        known = [found for found in posts.values() if found]
        return AttributionTotals(len(posts), num_credited=len(known), num_posts=len(set().union(*known)))
    blogs: set[str] = set()
    nsfw: set[str] = set()
    try:
        # Read only: a card changes nothing, and the data root may be somebody else's.
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
            connection.row_factory = sqlite3.Row
            for credit in credits_of(Ledger(data_root, connection)):
                if credit.sha256 in posts:
                    posts[credit.sha256].add(credit.post_url)
                    blogs.add(credit.root_blog)
                    if credit.nsfw:
                        nsfw.add(credit.sha256)
            drawings = _num_drawings(connection)
    except sqlite3.Error as error:
        raise InputError(
            f"the ledger cannot be read: {error}", where=str(path), fix="Make the card without it: --no-data."
        ) from error
    known = [found for found in posts.values() if found]
    return AttributionTotals(
        num_pictures=len(posts),
        num_credited=len(known),
        num_posts=len(set().union(*known)),
        num_blogs=len(blogs),
        num_nsfw=len(nsfw),
        num_drawings=drawings,
        has_ledger=True,
    )


def _num_drawings(connection: sqlite3.Connection) -> int:
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'quickdraw_outputs'").fetchone():
        return 0
    # The same drawings may stand there in several formats: the largest output of each category counts.
    found = connection.execute(
        "SELECT coalesce(sum(most), 0) FROM (SELECT max(num_drawings) AS most FROM quickdraw_outputs GROUP BY category)"
    )
    return int(found.fetchone()[0])
