"""Taking a post, a blog or a picture out of a dataset, for good.

The order matters when the process is killed: first the tombstones, then the files, last the rows, so that the same
command finishes the job.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from collectors.dataset_tracking import manifest_images
from collectors.errors import ConfigError, InputError
from collectors.files import sha256_of_file
from collectors.image_identity import to_unsigned
from collectors.ledger import Ledger
from collectors.media_urls import parse_media_url
from collectors.quickdraw_ledger import outputs_with

_HASH = re.compile(r"[0-9a-f]{64}")
_POST_IN_URL = re.compile(r"/(?:post/)?(\d{6,20})(?:/|$|\?)")
_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")


@dataclass(slots=True)
class ForgetReport:
    """What was forgotten.

    Attributes:
        kind: post, blog, hash or media_key.
        files: Removed files, below the dataset root, sorted.
        records: Record files that still hold a removed picture and must be rebuilt, sorted.
    """

    kind: str
    value: str
    pictures: int = 0
    posts: int = 0
    files: list[str] = field(default_factory=list)
    records: list[str] = field(default_factory=list)


def read_target(text: str) -> tuple[str, str]:
    """Tell what a person names: ``(kind, value)`` with kind post, blog, hash or media_key.

    Example:
        >>> read_target("https://somebody.tumblr.com/post/802850807956602881/title")
        ('post', '802850807956602881')
        >>> read_target("somebody.tumblr.com")
        ('blog', 'somebody')
    """
    word = text.strip()
    if _HASH.fullmatch(word.lower()):
        return "hash", word.lower()
    if word.isdigit() and len(word) >= 6:
        return "post", word
    if (url := parse_media_url(word)).is_tumblr:
        return "media_key", url.media_key
    if re.fullmatch(r"[0-9a-f]{32}:[0-9a-f]{16}-[0-9a-f]{2}", word):
        return "media_key", word
    if "://" in word and (match := _POST_IN_URL.search(word)):
        return "post", match[1]
    name = re.sub(r"^https?://", "", word).strip("/").removeprefix("www.tumblr.com/").removeprefix("blog/view/")
    return "blog", name.split("/")[0].removesuffix(".tumblr.com").removeprefix("@")


def forget(ledger: Ledger, target: str, *, records_dirs: Iterable[Path], dry_run: bool = False) -> ForgetReport:
    """Remove a post, a blog or a picture with all its copies, and see to it that it never comes back.

    Files go everywhere below the dataset root: the picture, its XML, and other files with the same content. What is
    not in the ledger gets its tombstone all the same.

    Args:
        ledger: Open for writing; the caller holds the lock of the root.
        target: A post id or URL, the name of a blog, the SHA-256 of a file or of its pixels, or a media URL.
        records_dirs: Folders with a records manifest to look through.
        dry_run: Change nothing, only report.

    Raises:
        ConfigError: It is the number of a drawing of QuickDraw's: nobody forgets those one by one.
        InputError: A file cannot be removed, or a manifest cannot be read.
    """
    kind, value = read_target(target)
    report = ForgetReport(kind, value)
    posts = _posts_of(ledger, kind, value)
    if kind == "post" and not posts and (outputs := outputs_with(ledger, value)):
        raise ConfigError(
            f"is no post but a drawing in {', '.join(outputs)}",
            where=value,
            fix="Write its number into a file and collect again with --skip-flagged FILE: all is made without it.",
        )
    media = _with_copies(ledger, _media_of(ledger, kind, value, posts))
    report.posts, report.pictures = len(posts), len(media)
    rows = [row for media_id in media if (row := _row(ledger, media_id)) is not None]
    hashes = {str(row["sha256"]) for row in rows if row["sha256"]} | ({value} if kind == "hash" else set())
    files = _files_of(ledger.root, rows, hashes)
    report.files = sorted(path.relative_to(ledger.root).as_posix() for path in files)
    report.records = sorted(
        {
            (folder / record).as_posix()
            for folder in records_dirs
            for image, sha256, record in manifest_images(folder)
            if sha256 in hashes or image in report.files
        }
    )
    if dry_run:
        return report
    _raise_tombstones(ledger, kind, value, posts, rows)
    for path in files:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise InputError(
                f"cannot remove the file: {error.strerror or error}",
                where=str(path),
                fix="Remove it by hand, then run the same command again.",
            ) from error
    _strike_out(ledger, posts, media)
    return report


def _posts_of(ledger: Ledger, kind: str, value: str) -> list[int]:
    if kind == "post":
        found = ledger.connection.execute("SELECT id FROM posts WHERE post_id = ?", (value,))
    elif kind == "blog":
        found = ledger.connection.execute(
            "SELECT id FROM posts WHERE blog = ? OR blog_uuid = ? UNION SELECT post FROM sightings WHERE root_blog = ?",
            (value, value, value),
        )
    else:
        return []
    return sorted(int(row[0]) for row in found)


def _media_of(ledger: Ledger, kind: str, value: str, posts: Sequence[int]) -> set[int]:
    db = ledger.connection
    if kind == "media_key":
        return {row[0] for row in db.execute("SELECT id FROM media WHERE media_key = ?", (value,))}
    if kind == "hash":
        found = db.execute("SELECT id FROM media WHERE sha256 = ? OR pixel_sha256 = ?", (value, value))
        return {row[0] for row in found}
    media: set[int] = set()
    for post in posts:
        media.update(row[0] for row in db.execute("SELECT media FROM sightings WHERE post = ?", (post,)))
    return media


def _with_copies(ledger: Ledger, media: set[int]) -> list[int]:
    """Add what the pictures are copies of, and all copies of that."""
    group, fresh = set(media), set(media)
    while fresh:
        found: set[int] = set()
        for media_id in fresh:
            rows = ledger.connection.execute(
                "SELECT id FROM media WHERE duplicate_of = ? UNION "
                "SELECT duplicate_of FROM media WHERE id = ? AND duplicate_of IS NOT NULL",
                (media_id, media_id),
            )
            found.update(int(row[0]) for row in rows)
        fresh = found - group
        group |= found
    return sorted(group)


def _row(ledger: Ledger, media_id: int) -> "dict[str, object] | None":
    row = ledger.connection.execute("SELECT * FROM media WHERE id = ?", (media_id,)).fetchone()
    return dict(row) if row is not None else None


def _files_of(root: Path, rows: Sequence["dict[str, object]"], hashes: set[str]) -> list[Path]:
    """Every file below the root that is one of the pictures, its XML, or has the same content."""
    own = {root / str(row[name]) for row in rows for name in ("path", "source_path") if row[name]}
    stems = {path.stem for path in own if path.parent.name not in ("incoming", "refused")}
    sizes = {path.stat().st_size for path in own if path.is_file()}
    files = {path for path in own if path.is_file()}
    for path in root.rglob("*"):
        if path.suffix.lower() not in (*_IMAGE_SUFFIXES, ".xml") or not path.is_file():
            continue
        is_same = path.suffix.lower() != ".xml" and (not own or path.stat().st_size in sizes)
        if path.stem in stems or (is_same and hashes and sha256_of_file(path) in hashes):
            files.add(path)
            labels = path.with_suffix(".xml")
            files.update(place for place in (labels, path.parent.parent / labels.name) if place.is_file())
    return sorted(files)


def _raise_tombstones(
    ledger: Ledger, kind: str, value: str, posts: Sequence[int], rows: Sequence["dict[str, object]"]
) -> None:
    stones = {("blog" if kind == "blog" else "post" if kind == "post" else "sha256" if kind == "hash" else kind, value)}
    if kind == "hash":
        stones.add(("pixel_sha256", value))
    with ledger.transaction() as db:
        for post in posts:
            row = db.execute("SELECT post_id, blog, blog_uuid FROM posts WHERE id = ?", (post,)).fetchone()
            if kind == "post" or row["blog"] == value or row["blog_uuid"] == value:
                stones.add(("post", row["post_id"]))
            if kind == "blog" and row["blog"] == value and row["blog_uuid"]:
                stones.add(("blog", row["blog_uuid"]))  # survives a renaming
        for row in rows:
            stones.add(("media_key", str(row["media_key"])))
            stones.update((name, str(row[name])) for name in ("sha256", "pixel_sha256") if row[name])
            if isinstance(row["phash"], int):
                stones.add(("phash", f"{to_unsigned(row['phash']):016x}"))
        db.executemany("INSERT INTO tombstones VALUES (?, ?, unixepoch()) ON CONFLICT DO NOTHING", sorted(stones))


def _strike_out(ledger: Ledger, posts: Sequence[int], media: Sequence[int]) -> None:
    with ledger.transaction() as db:
        for media_id in media:
            db.execute("UPDATE media SET duplicate_of = NULL WHERE duplicate_of = ?", (media_id,))
        for media_id in media:
            db.execute("DELETE FROM sightings WHERE media = ?", (media_id,))
            db.execute("DELETE FROM media WHERE id = ?", (media_id,))
        for post in posts:
            db.execute("DELETE FROM sightings WHERE post = ?", (post,))
            db.execute("DELETE FROM post_queries WHERE post = ?", (post,))
            db.execute("DELETE FROM posts WHERE id = ?", (post,))
