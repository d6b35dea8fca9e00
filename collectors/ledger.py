"""The ledger of a dataset root: every query, page, post and URL ever seen, and what became of it.

One process writes (see `collectors.ledger_lock`), any number read. All writing goes through `Ledger.transaction`, so a
killed process leaves the state before or after a step, never between.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collectors.errors import InputError
from collectors.ledger_schema import LEDGER_PATH, connect
from collectors.refusals import POLICY_CODES, Refusal
from collectors.tumblr_posts import Candidate, Post

_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of Tumblr, and the class its pictures are for.

    Attributes:
        tag: The tag, without ``#``; empty for every post of ``blog``.
        blog: Short name, host name or ``t:`` uuid; empty for all of Tumblr.
        since: Take posts from this Unix second on; 0 for no bound.
        until: Take posts before this Unix second; 0 for no bound.
    """

    class_name: str
    tag: str
    blog: str = ""
    since: int = 0
    until: int = 0

    @property
    def title(self) -> str:
        """Name the query in a few words, for people."""
        name = f"#{self.tag}" if self.tag else "all posts"
        return f"{name} of {self.blog}" if self.blog else name


@dataclass(slots=True)
class Walk:
    """How far a pass through the pages of a query has come; see the table ``walks``."""

    id: int
    query_id: int
    state: str
    is_head: bool
    before: int | None
    floor: int
    newest: int = 0
    pages: int = 0
    empty_pages: int = 0
    idle_pages: int = 0
    posts: int = 0
    back_dated: int = 0
    note: str = ""


Admit = Callable[[Post, Candidate], Refusal | None]


class Ledger:
    """The open ledger of one dataset root.

    Args:
        root: The dataset root.
        connection: From `open_ledger`.
    """

    def __init__(self, root: Path, connection: sqlite3.Connection) -> None:
        self.root = root
        self.connection = connection

    def close(self) -> None:
        """Close the file. Closing twice is harmless."""
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; nests (an inner one belongs to the outer).

        Raises:
            InputError: The disk refuses the change (full, read-only); nothing of it remains.
        """
        if self.connection.in_transaction:
            yield self.connection
            return
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            yield self.connection
            self.connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            self._roll_back()
            raise InputError(
                f"cannot write the ledger: {error}",
                where=str(self.root / LEDGER_PATH),
                fix="Free some space, then run the same command again; nothing is lost.",
            ) from error
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")

    def query_id(self, query: Query) -> int:
        """Return the row of a query, made when new."""
        values = (query.class_name, query.tag, query.blog, query.since, query.until)
        with self.transaction() as db:
            db.execute(
                "INSERT INTO queries (class_name, tag, blog, since, until) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT DO NOTHING",
                values,
            )
            row = db.execute(
                "SELECT id FROM queries WHERE class_name = ? AND tag = ? AND blog = ? AND since = ? AND until = ?",
                values,
            ).fetchone()
        return int(row["id"])

    def walks(self, query_id: int, *, state: str | None = None) -> list[Walk]:
        """List the walks of a query, oldest first."""
        rows = self.connection.execute(
            "SELECT * FROM walks WHERE query_id = ? AND (? IS NULL OR state = ?) ORDER BY id", (query_id, state, state)
        )
        return [Walk(**{**dict(row), "is_head": bool(row["is_head"])}) for row in rows]

    def start_walk(self, query_id: int, *, before: int | None, floor: int, is_head: bool) -> Walk:
        """Begin a pass through the pages of a query."""
        with self.transaction() as db:
            cursor = db.execute(
                "INSERT INTO walks (query_id, state, is_head, before, floor) VALUES (?, 'open', ?, ?, ?)",
                (query_id, is_head, before, floor),
            )
        return Walk(int(cursor.lastrowid or 0), query_id, "open", is_head, before, floor)

    def save_walk(self, walk: Walk) -> None:
        """Write the progress of a walk; call it in the transaction that stores the page."""
        with self.transaction() as db:
            db.execute(
                "UPDATE walks SET state = ?, before = ?, newest = ?, pages = ?, empty_pages = ?, idle_pages = ?, "
                "posts = ?, back_dated = ?, note = ? WHERE id = ?",
                (
                    walk.state, walk.before, walk.newest, walk.pages, walk.empty_pages, walk.idle_pages,
                    walk.posts, walk.back_dated, walk.note, walk.id,
                ),
            )  # fmt: skip

    def add_gap(self, walk_id: int, kind: str, second: int, note: str) -> None:
        """Record that posts may have been missed around a second."""
        with self.transaction() as db:
            db.execute(
                "INSERT INTO gaps (walk_id, kind, second, note) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (walk_id, kind, second, note),
            )

    def known_post_ids(self, post_ids: Sequence[str]) -> set[str]:
        """Return those of the ids that stand in the ledger, or were forgotten on request."""
        marks = ",".join("?" * len(post_ids))
        rows = self.connection.execute(f"SELECT post_id FROM posts WHERE post_id IN ({marks})", list(post_ids))  # noqa: S608
        known = {row[0] for row in rows}
        return known | {post_id for post_id in post_ids if self.is_forgotten("post", post_id)}

    def is_forgotten(self, kind: str, value: str) -> bool:
        """Tell whether a tombstone stands for this post, blog, media key or hash."""
        found = self.connection.execute("SELECT 1 FROM tombstones WHERE kind = ? AND value = ?", (kind, value))
        return found.fetchone() is not None

    def add_posts(self, walk: Walk, class_name: str, posts: Sequence[Post], admit: Admit) -> int:
        """Store the posts of a page and the pictures they offer.

        A picture seen for the first time becomes ``seen``, or ``refused`` with what ``admit`` says. One seen before
        gets another sighting; a larger rendition replaces the URL as long as nothing was fetched.

        Returns:
            The number of posts that were new to the ledger.
        """
        num_new = 0
        with self.transaction() as db:
            for post in posts:
                if self._is_forgotten_post(post):
                    continue
                row_id, is_new = self._store_post(db, walk.query_id, post)
                num_new += is_new
                for candidate in post.candidates:
                    if not self.is_forgotten("media_key", candidate.media_key):
                        self._store_candidate(db, walk, class_name, row_id, candidate, admit(post, candidate), post)
        return num_new

    def _is_forgotten_post(self, post: Post) -> bool:
        names = {post.blog, post.blog_uuid, *(candidate.root_blog for candidate in post.candidates)} - {""}
        return self.is_forgotten("post", post.post_id) or any(self.is_forgotten("blog", name) for name in names)

    def _store_post(self, db: sqlite3.Connection, query_id: int, post: Post) -> tuple[int, bool]:
        row = db.execute("SELECT id, tags FROM posts WHERE post_id = ?", (post.post_id,)).fetchone()
        is_new = row is None
        tags = json.dumps(post.tags, ensure_ascii=False)
        if row is None:
            nsfw = None if post.nsfw is None else int(post.nsfw)
            cursor = db.execute(
                "INSERT INTO posts (post_id, blog, blog_uuid, post_url, timestamp, date, tags, kind, nsfw, "
                "is_opted_out, num_pictures, query_id, seen_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    post.post_id, post.blog, post.blog_uuid, post.post_url, post.timestamp, post.date, tags, post.kind,
                    nsfw, post.is_opted_out, len(post.candidates), query_id, int(time.time()),
                ),
            )  # fmt: skip
            row_id = int(cursor.lastrowid or 0)
        else:
            row_id = int(row["id"])
            if row["tags"] != tags:
                db.execute("UPDATE posts SET tags = ? WHERE id = ?", (tags, row_id))
        db.execute("INSERT INTO post_queries VALUES (?, ?) ON CONFLICT DO NOTHING", (row_id, query_id))
        return row_id, is_new

    def _store_candidate(
        self,
        db: sqlite3.Connection,
        walk: Walk,
        class_name: str,
        post_row: int,
        candidate: Candidate,
        refusal: Refusal | None,
        post: Post,
    ) -> None:
        row = db.execute(
            "SELECT id, state, code, declared_width, declared_height FROM media WHERE media_key = ?",
            (candidate.media_key,),
        ).fetchone()
        if row is None:
            cursor = db.execute(
                "INSERT INTO media (media_key, url, declared_width, declared_height, class_name, query_id, walk_id, "
                "turn, state, code, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    candidate.media_key, candidate.url, candidate.width, candidate.height, class_name, walk.query_id,
                    walk.id, self.next_turn(), "refused" if refusal else "seen", refusal.code if refusal else "",
                    refusal.reason if refusal else "",
                ),
            )  # fmt: skip
            media = int(cursor.lastrowid or 0)
        else:
            media = int(row["id"])
            is_larger = candidate.width * candidate.height > row["declared_width"] * row["declared_height"]
            is_admitted_now = row["state"] == "refused" and row["code"] in POLICY_CODES and refusal is None
            if is_admitted_now:  # to the end of the line, for its old place may have been passed
                db.execute("UPDATE media SET turn = ? WHERE id = ?", (self.next_turn(), media))
            if is_admitted_now or (row["state"] == "seen" and is_larger):
                db.execute(
                    "UPDATE media SET state = 'seen', code = '', reason = '', url = ?, declared_width = ?, "
                    "declared_height = ? WHERE id = ?",
                    (candidate.url, candidate.width, candidate.height, media),
                )
        db.execute(
            "INSERT INTO sightings VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (
                media, post_row, candidate.position, candidate.url, candidate.alt_text,
                candidate.root_blog if candidate.root_blog != post.blog else "",
                candidate.root_post_id if candidate.root_post_id != post.post_id else "",
            ),
        )  # fmt: skip

    def next_turn(self) -> int:
        """Return the place at the end of the line in which pictures are fetched and judged."""
        found = self.connection.execute("SELECT coalesce(max(turn), 0) + 1 FROM media").fetchone()
        return int(found[0])

    def spend(self, name: str, amount: int) -> None:
        """Add to a running total of the dataset: ``api_calls``, ``media_requests``, ``media_bytes``."""
        with self.transaction() as db:
            db.execute(
                "INSERT INTO spending VALUES (?, ?) ON CONFLICT DO UPDATE SET amount = amount + excluded.amount",
                (name, amount),
            )

    def setting(self, name: str) -> Any:
        """Return a remembered value, or ``None``."""
        row = self.connection.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row["value"])

    def remember(self, name: str, value: Any) -> None:
        """Remember a JSON value under a name."""
        with self.transaction() as db:
            db.execute(
                "INSERT INTO settings VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
                (name, json.dumps(value, sort_keys=True)),
            )

    def recent_calls(self, now: float) -> list[float]:
        """Return the Unix times of the API calls of the last day, oldest first; older ones are dropped."""
        with self.transaction() as db:
            db.execute("DELETE FROM api_calls WHERE at < ?", (now - _DAY_S,))
            return [float(row[0]) for row in db.execute("SELECT at FROM api_calls ORDER BY at")]


def record_call(path: Path, at: float) -> None:
    """Write down an API call before it is made, from any thread, so that a killed process does not forget it."""
    connection = sqlite3.connect(path, timeout=30)
    try:
        with connection:
            connection.execute("INSERT INTO api_calls (at) VALUES (?)", (at,))
            connection.execute(
                "INSERT INTO spending VALUES ('api_calls', 1) ON CONFLICT DO UPDATE SET amount = amount + 1"
            )
    finally:
        connection.close()


def open_ledger(root: Path, *, create: bool = True) -> Ledger:
    """Open the ledger of a dataset root.

    Raises:
        InputError: There is none (without ``create``), it is damaged, or a newer tagbox wrote it.
    """
    return Ledger(root, connect(root / LEDGER_PATH, create=create))
