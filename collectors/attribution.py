"""Who made the pictures of a dataset: ATTRIBUTION.md for people, ATTRIBUTION.csv for programs."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collectors.files import write_atomically
from collectors.ledger import Ledger

LICENCE_NOTE = "all rights reserved unless the post says otherwise; the licence was not checked"

_FIELDS = (
    "file", "class", "post_url", "blog", "root_blog", "root_post_id", "date", "tags", "alt_text", "query", "licence",
    "url", "media_key", "sha256", "fetched_at", "nsfw",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Credit:
    """One post that shows a kept picture; a picture merged from several has several."""

    file: str
    class_name: str
    post_url: str
    blog: str
    root_blog: str
    root_post_id: str
    date: str
    tags: tuple[str, ...]
    alt_text: str
    query: str
    url: str
    media_key: str
    sha256: str
    fetched_at: int
    nsfw: bool | None

    def row(self) -> list[str]:
        """Return the fields of the CSV, in its order."""
        nsfw = "unknown" if self.nsfw is None else "yes" if self.nsfw else "no"
        return [
            self.file, self.class_name, self.post_url, self.blog, self.root_blog, self.root_post_id, self.date,
            ", ".join(self.tags), self.alt_text, self.query, LICENCE_NOTE, self.url, self.media_key, self.sha256,
            str(self.fetched_at), nsfw,
        ]  # fmt: skip


def credits_of(ledger: Ledger) -> Iterator[Credit]:
    """Yield the credits of every kept picture, by file; those of its copies are merged onto it."""
    kept = ledger.connection.execute(
        "SELECT id, path, class_name, url, media_key, sha256, fetched_at FROM media "
        "WHERE state IN ('kept', 'labelled', 'recorded') ORDER BY path"
    )
    for media in kept:
        sightings = ledger.connection.execute(
            "SELECT posts.*, sightings.alt_text, sightings.root_blog, sightings.root_post_id, queries.tag, "
            "queries.blog AS query_blog FROM sightings JOIN posts ON posts.id = sightings.post "
            "JOIN queries ON queries.id = posts.query_id WHERE sightings.media IN "
            "(SELECT ? UNION SELECT id FROM media WHERE duplicate_of = ?) ORDER BY posts.id, sightings.position",
            (media["id"], media["id"]),
        )
        seen: set[int] = set()
        for post in sightings:
            if post["id"] in seen:
                continue
            seen.add(post["id"])
            query = f"#{post['tag']}" if post["tag"] else "all posts"
            yield Credit(
                file=media["path"],
                class_name=media["class_name"],
                post_url=post["post_url"],
                blog=post["blog"],
                root_blog=post["root_blog"] or post["blog"],
                root_post_id=post["root_post_id"] or post["post_id"],
                date=post["date"],
                tags=tuple(json.loads(post["tags"])),
                alt_text=post["alt_text"],
                query=f"{query} of {post['query_blog']}" if post["query_blog"] else query,
                url=media["url"],
                media_key=media["media_key"],
                sha256=media["sha256"],
                fetched_at=media["fetched_at"],
                nsfw=None if post["nsfw"] is None else bool(post["nsfw"]),
            )


def write_attribution(ledger: Ledger) -> tuple[list[Path], int]:
    """Write ATTRIBUTION.csv and ATTRIBUTION.md into the dataset root.

    Returns:
        The files, and the number of credits in them.

    Raises:
        InputError: The files cannot be written.
    """
    found = list(credits_of(ledger))
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(_FIELDS)
    writer.writerows(credit.row() for credit in found)
    paths = [ledger.root / "ATTRIBUTION.csv", ledger.root / "ATTRIBUTION.md"]
    write_atomically(paths[0], table.getvalue())
    write_atomically(paths[1], _markdown(found))
    return paths, len(found)


def _markdown(found: list[Credit]) -> str:
    files = {credit.file for credit in found}
    lines = [
        "# Attribution",
        "",
        f"{len(files)} pictures, collected with tagbox from public posts on Tumblr. The rights remain with "
        f"their authors: {LICENCE_NOTE}. Do not publish the pictures; to take one out, "
        "run `tagbox collect forget POST`.",
        "",
        "| file | post | blog | first posted by | date | description |",
        "|---|---|---|---|---|---|",
    ]
    for credit in found:
        cells = (
            credit.file, f"<{credit.post_url}>", credit.blog, credit.root_blog, credit.date[:10], credit.alt_text[:120],
        )  # fmt: skip
        lines.append("| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"
