"""Pictures in the ledger: how each moves from state to state, and its file from place to place.

A file operation and a row never change at one moment, so the row changes first: it says where the file comes from
(``source_path``) and where it goes (``path``), and `settle_files` does what it says, now or after a crash. Doing it
twice is harmless.
"""

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from collectors.errors import InputError
from collectors.image_files import ImageFacts
from collectors.image_identity import to_signed
from collectors.ledger import Ledger
from collectors.refusals import Refusal

INCOMING = Path(".tagbox") / "incoming"
REFUSED = Path(".tagbox") / "refused"

# A picture tried again keeps the code of its refusal until it arrives, so that it can go back to where it was.
_BACK = "UPDATE media SET state = CASE WHEN code = '' THEN 'seen' ELSE 'refused' END"

_JUDGED = """
    SELECT media.*, (
        SELECT posts.post_id || '-' || sightings.position FROM sightings JOIN posts ON posts.id = sightings.post
        WHERE sightings.media = media.id ORDER BY posts.id LIMIT 1
    ) AS first_shown FROM media
"""


@dataclass(frozen=True, slots=True)
class MediaJob:
    """A picture to fetch: its row, its URL, and its place in the line."""

    media_id: int
    url: str
    turn: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """What the network did for a picture, and what came of it.

    Attributes:
        facts: What was decoded and measured, ``None`` when the picture was refused.
        staged: Where its file lies, below the root; empty without facts.
    """

    media_id: int
    status: int
    attempts: int
    num_bytes: int
    etag: str
    facts: ImageFacts | None = None
    staged: str = ""


class MediaTable:
    """Changes to the rows of ``media``; each method joins the transaction that is open."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._db = ledger.connection

    def recover(self) -> None:
        """Bring a ledger left by a killed process into order: nothing in flight, every file where its row says."""
        with self._ledger.transaction() as db:
            db.execute(f"{_BACK} WHERE id IN (SELECT id FROM media WHERE state = 'queued')")  # noqa: S608
        self.settle_files()
        incoming = self._ledger.root / INCOMING
        incoming.mkdir(parents=True, exist_ok=True)
        waiting = {
            row[0] for row in self._db.execute("SELECT id FROM media WHERE state IN ('seen', 'queued', 'fetched')")
        }
        staged = {row[0] for row in self._db.execute("SELECT source_path FROM media WHERE file_state = 'staged'")}
        for path in incoming.iterdir():
            is_part = path.suffix == ".part" and path.stem.isdigit() and int(path.stem) in waiting
            if not is_part and (INCOMING / path.name).as_posix() not in staged:
                path.unlink(missing_ok=True)
        for row in self._db.execute("SELECT id, source_path FROM media WHERE file_state = 'staged'").fetchall():
            if not (self._ledger.root / row["source_path"]).is_file():  # somebody removed it: fetch it again
                with self._ledger.transaction() as db:
                    db.execute(
                        "UPDATE media SET state = 'seen', file_state = '', source_path = '' WHERE id = ?", (row["id"],)
                    )

    def take(self, num: int, *, after: int, class_name: str, walk_id: int | None) -> list[MediaJob]:
        """Mark the next pictures as queued, in the order they were first seen.

        Args:
            num: How many at most.
            after: Only pictures whose turn comes after this one.
            class_name: Only pictures of this class.
            walk_id: Only pictures first seen in this walk; ``None`` for any.
        """
        rows = self._db.execute(
            "SELECT id, url, turn FROM media WHERE state = 'seen' AND class_name = ? AND turn > ? "
            "AND (? IS NULL OR walk_id = ?) ORDER BY turn LIMIT ?",
            (class_name, after, walk_id, walk_id, num),
        ).fetchall()
        if rows:
            with self._ledger.transaction() as db:
                db.executemany("UPDATE media SET state = 'queued' WHERE id = ?", [(row["id"],) for row in rows])
        return [MediaJob(row["id"], row["url"], row["turn"]) for row in rows]

    def take_retryable(self, num: int, *, after: int, codes: Sequence[str] = ()) -> list[MediaJob]:
        """Mark the next refused pictures that are worth another try as queued.

        Args:
            num: How many at most.
            after: Only pictures whose turn comes after this one.
            codes: Take the refusals with these codes instead, retryable or not.
        """
        marks = ",".join("?" * len(codes))
        condition = f"code IN ({marks})" if codes else "is_retryable = 1"
        wanted = f"state = 'refused' AND {condition} AND turn > ? ORDER BY turn LIMIT ?"
        rows = self._db.execute(f"SELECT id, url, turn FROM media WHERE {wanted}", [*codes, after, num]).fetchall()  # noqa: S608
        with self._ledger.transaction() as db:
            db.executemany("UPDATE media SET state = 'queued' WHERE id = ?", [(row["id"],) for row in rows])
        return [MediaJob(row["id"], row["url"], row["turn"]) for row in rows]

    def fetched_rows(self, *, class_name: str, walk_id: int | None) -> list[sqlite3.Row]:
        """Rows whose file is staged and that nobody has judged yet, in order: what a killed process left."""
        return self._db.execute(
            "SELECT * FROM media WHERE state = 'fetched' AND class_name = ? AND (? IS NULL OR walk_id = ?) "
            "ORDER BY turn",
            (class_name, walk_id, walk_id),
        ).fetchall()

    def put_back(self, media_ids: Iterable[int]) -> None:
        """Return queued pictures to ``seen``, or to ``refused`` when they were being tried again."""
        with self._ledger.transaction() as db:
            db.executemany(f"{_BACK} WHERE id = ? AND state = 'queued'", [(media_id,) for media_id in media_ids])

    def record_transfers(self, transfers: Sequence[Transfer]) -> None:
        """Note what the network did for some pictures; those with facts become ``fetched``.

        Few statements for many pictures: every statement lets the busy threads of the downloader in between.
        """
        now = int(time.time())
        with self._ledger.transaction() as db:
            db.executemany(
                "UPDATE media SET http_status = ?, attempts = attempts + ?, bytes = bytes + ?, etag = ?, "
                "fetched_at = ? WHERE id = ?",
                [(one.status, one.attempts, one.num_bytes, one.etag, now, one.media_id) for one in transfers
                 if one.facts is None],
            )  # fmt: skip
            db.executemany(
                "UPDATE media SET http_status = ?, attempts = attempts + ?, bytes = bytes + ?, etag = ?, "
                "fetched_at = ?, state = 'fetched', code = '', reason = '', is_retryable = 0, sha256 = ?, "
                "pixel_sha256 = ?, phash = ?, mirror_phash = ?, width = ?, height = ?, extension = ?, metrics = ?, "
                "file_state = 'staged', source_path = ? WHERE id = ?",
                [
                    (
                        one.status, one.attempts, one.num_bytes, one.etag, now, one.facts.sha256,
                        one.facts.pixel_sha256, to_signed(one.facts.phash), to_signed(one.facts.mirror_phash),
                        one.facts.metrics.width, one.facts.metrics.height, one.facts.extension,
                        one.facts.metrics.to_json(), one.staged, one.media_id,
                    )
                    for one in transfers if one.facts is not None
                ],
            )  # fmt: skip
            self._ledger.spend("media_requests", sum(one.attempts for one in transfers))
            self._ledger.spend("media_bytes", sum(one.num_bytes for one in transfers))

    def rows_to_judge(self, media_ids: Sequence[int]) -> dict[int, sqlite3.Row]:
        """Return rows by id, each with ``first_shown``: ``<post id>-<place in the post>`` of its first sighting."""
        marks = ",".join("?" * len(media_ids))
        rows = self._db.execute(f"{_JUDGED} WHERE media.id IN ({marks})", list(media_ids))
        return {int(row["id"]): row for row in rows}

    def row(self, media_id: int) -> sqlite3.Row:
        """Return a picture's row."""
        found: sqlite3.Row = self._db.execute("SELECT * FROM media WHERE id = ?", (media_id,)).fetchone()
        return found

    def refuse(
        self, media_id: int, refusal: Refusal, *, duplicate_of: int | None = None, keep_file_at: str = ""
    ) -> None:
        """Move a picture to ``refused``.

        Args:
            media_id: The row.
            refusal: Why.
            duplicate_of: The picture it is a copy of; copies of the refused one become copies of that.
            keep_file_at: Where to put the file, below the root; empty removes it.
        """
        with self._ledger.transaction() as db:
            row = self.row(media_id)
            source = row["source_path"] or row["path"]
            file_state = ("placing" if keep_file_at else "removing") if source else ""
            db.execute(
                "UPDATE media SET state = 'refused', code = ?, reason = ?, is_retryable = ?, duplicate_of = ?, "
                "path = ?, source_path = ?, file_state = ? WHERE id = ?",
                (
                    refusal.code, refusal.reason, refusal.is_retryable, duplicate_of,
                    keep_file_at if source else "", source, file_state, media_id,
                ),
            )  # fmt: skip
            if duplicate_of is not None:
                db.execute("UPDATE media SET duplicate_of = ? WHERE duplicate_of = ?", (duplicate_of, media_id))

    def keep(self, media_id: int, path: str) -> None:
        """Move a picture to ``kept``, its file to ``path`` below the root."""
        with self._ledger.transaction() as db:
            db.execute(
                "UPDATE media SET state = 'kept', code = '', reason = '', is_retryable = 0, duplicate_of = NULL, "
                "source_path = CASE WHEN source_path != '' THEN source_path ELSE path END, path = ?, "
                "file_state = 'placing' WHERE id = ?",
                (path, media_id),
            )

    def settle_files(self) -> None:
        """Do the file operations that rows call for, then note that they are done.

        Raises:
            InputError: A file cannot be moved.
        """
        rows = self._db.execute(
            "SELECT id, path, source_path, file_state FROM media "
            "WHERE file_state IN ('placing', 'removing') ORDER BY id"
        ).fetchall()
        if not rows:
            return
        # Plain strings: a Path for every step took a tenth of a session's own time.
        root = str(self._ledger.root)
        made: set[str] = set()
        for row in rows:
            source = f"{root}/{row['source_path']}"
            try:
                if row["file_state"] == "removing":
                    if row["source_path"]:
                        Path(source).unlink(missing_ok=True)
                elif row["source_path"] != row["path"]:
                    target = f"{root}/{row['path']}"
                    folder = target.rpartition("/")[0]
                    if folder not in made:
                        Path(folder).mkdir(parents=True, exist_ok=True)
                        made.add(folder)
                    with contextlib.suppress(FileNotFoundError):  # moved before a crash
                        os.replace(source, target)  # noqa: PTH105
            except OSError as error:
                raise InputError(
                    f"cannot move or remove the file: {error.strerror or error}",
                    where=source,
                    fix="Mend that, then run the same command again; nothing is lost.",
                ) from error
        with self._ledger.transaction() as db:
            db.executemany(
                "UPDATE media SET source_path = '', file_state = "
                "CASE file_state WHEN 'placing' THEN 'placed' ELSE '' END WHERE id = ?",
                [(row["id"],) for row in rows],
            )

    def kept_rows(self) -> Iterator[sqlite3.Row]:
        """Yield the rows of kept pictures in order, a few columns each."""
        yield from self._db.execute(
            "SELECT id, phash, width, height FROM media WHERE state IN ('kept', 'labelled', 'recorded') ORDER BY id"
        )

    def num_kept(self, class_name: str) -> int:
        """Count the kept pictures of a class, labelled and recorded ones included."""
        found = self._db.execute(
            "SELECT coalesce(sum(num), 0) FROM counters WHERE class_name = ? "
            "AND state IN ('kept', 'labelled', 'recorded')",
            (class_name,),
        )
        return int(found.fetchone()[0])

    def num_kept_of_walk(self, walk_id: int) -> int:
        """Count the kept pictures first seen in a walk."""
        found = self._db.execute(
            "SELECT count(*) FROM media WHERE walk_id = ? AND state IN ('kept', 'labelled', 'recorded')", (walk_id,)
        )
        return int(found.fetchone()[0])

    def requeue_copies(self, media_id: int) -> int:
        """Let the copies of a picture that is no longer kept stand for themselves: they wait to be fetched again."""
        with self._ledger.transaction() as db:
            copies = db.execute(
                "SELECT id FROM media WHERE duplicate_of = ? AND state = 'refused' ORDER BY turn", (media_id,)
            ).fetchall()
            for row in copies:
                db.execute(
                    "UPDATE media SET state = 'seen', code = '', reason = '', duplicate_of = NULL, file_state = '', "
                    "turn = ? WHERE id = ?",
                    (self._ledger.next_turn(), row["id"]),
                )
        return len(copies)

    def set_state(self, media_ids: Sequence[int], state: str) -> None:
        """Set the state of rows that need nothing else changed."""
        with self._ledger.transaction() as db:
            db.executemany("UPDATE media SET state = ? WHERE id = ?", [(state, media_id) for media_id in media_ids])
