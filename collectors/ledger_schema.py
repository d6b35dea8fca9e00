"""The tables of the ledger, `.tagbox/ledger.sqlite`, and how a file of them is opened.

Counts that people ask for stand in `counters`, kept by triggers, so that a status of a million rows reads a few.
"""

import sqlite3
from pathlib import Path

from collectors.errors import InputError

SCHEMA_VERSION = 1
LEDGER_PATH = Path(".tagbox") / "ledger.sqlite"

# A media row's life: seen, queued, fetched, then refused or kept; labelled and recorded follow kept when the labeling
# and record folders have taken it over.
_TABLES = """
CREATE TABLE queries (
    id INTEGER PRIMARY KEY,
    class_name TEXT NOT NULL,
    tag TEXT NOT NULL,             -- empty: every post of the blog
    blog TEXT NOT NULL,            -- empty: all of Tumblr
    since INTEGER NOT NULL,        -- posts from this Unix second on; 0: no bound
    until INTEGER NOT NULL,        -- posts before this Unix second; 0: no bound
    UNIQUE (class_name, tag, blog, since, until)
);
CREATE TABLE walks (               -- one pass through the pages of a query, newest first
    id INTEGER PRIMARY KEY,
    query_id INTEGER NOT NULL REFERENCES queries (id),
    state TEXT NOT NULL,           -- open | done | unavailable
    is_head INTEGER NOT NULL,      -- looks for what is newer than the walks before it
    before INTEGER,                -- where the next page starts; NULL: now
    floor INTEGER NOT NULL,        -- stop below this second; 0: never
    newest INTEGER NOT NULL DEFAULT 0,
    pages INTEGER NOT NULL DEFAULT 0,
    empty_pages INTEGER NOT NULL DEFAULT 0,
    idle_pages INTEGER NOT NULL DEFAULT 0,
    posts INTEGER NOT NULL DEFAULT 0,
    back_dated INTEGER NOT NULL DEFAULT 0,
    note TEXT NOT NULL DEFAULT ''
);
CREATE TABLE gaps (                -- where posts may have been missed
    id INTEGER PRIMARY KEY,
    walk_id INTEGER NOT NULL REFERENCES walks (id),
    kind TEXT NOT NULL,
    second INTEGER NOT NULL,
    note TEXT NOT NULL,
    UNIQUE (walk_id, kind, second)
);
CREATE TABLE posts (
    id INTEGER PRIMARY KEY,
    post_id TEXT NOT NULL UNIQUE,  -- 64-bit, kept as text
    blog TEXT NOT NULL,
    blog_uuid TEXT NOT NULL,
    post_url TEXT NOT NULL,
    timestamp INTEGER NOT NULL,
    date TEXT NOT NULL,
    tags TEXT NOT NULL,            -- JSON list, as the API gave them
    kind TEXT NOT NULL,
    nsfw INTEGER,                  -- 1, 0, NULL unknown
    is_opted_out INTEGER NOT NULL,
    num_pictures INTEGER NOT NULL,
    query_id INTEGER NOT NULL REFERENCES queries (id),
    seen_at INTEGER NOT NULL
);
CREATE INDEX posts_blog ON posts (blog);
CREATE TABLE post_queries (        -- every query that found the post
    post INTEGER NOT NULL REFERENCES posts (id),
    query_id INTEGER NOT NULL REFERENCES queries (id),
    PRIMARY KEY (post, query_id)
) WITHOUT ROWID;
CREATE TABLE media (
    id INTEGER PRIMARY KEY,
    media_key TEXT NOT NULL UNIQUE,
    url TEXT NOT NULL,
    declared_width INTEGER NOT NULL,
    declared_height INTEGER NOT NULL,
    class_name TEXT NOT NULL,
    query_id INTEGER NOT NULL REFERENCES queries (id),
    walk_id INTEGER NOT NULL REFERENCES walks (id),
    turn INTEGER NOT NULL DEFAULT 0,     -- pictures are fetched and judged in this order, see next_turn
    state TEXT NOT NULL,
    code TEXT NOT NULL DEFAULT '',       -- why refused, stable
    reason TEXT NOT NULL DEFAULT '',     -- why refused, for people
    is_retryable INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    http_status INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,    -- received for it, all attempts
    etag TEXT NOT NULL DEFAULT '',
    fetched_at INTEGER NOT NULL DEFAULT 0,
    sha256 TEXT,                         -- of the file as it lies on disk
    pixel_sha256 TEXT,                   -- of the decoded pixels, see image_identity
    phash INTEGER,                       -- 64 bits, stored signed
    mirror_phash INTEGER,                -- the same of the left-right mirror image
    width INTEGER NOT NULL DEFAULT 0,
    height INTEGER NOT NULL DEFAULT 0,
    extension TEXT NOT NULL DEFAULT '',
    metrics TEXT NOT NULL DEFAULT '',    -- JSON, see image_quality
    path TEXT NOT NULL DEFAULT '',       -- where the file lies or is about to lie, below the dataset root
    source_path TEXT NOT NULL DEFAULT '', -- where it comes from while it is staged, placing or removing
    file_state TEXT NOT NULL DEFAULT '', -- '' none | staged | placing | placed | removing
    duplicate_of INTEGER REFERENCES media (id)
);
CREATE INDEX media_turn ON media (turn);
CREATE INDEX media_waiting ON media (turn) WHERE state IN ('seen', 'queued', 'fetched');
CREATE INDEX media_class_waiting ON media (class_name, turn) WHERE state = 'seen';
CREATE INDEX media_walk_waiting ON media (walk_id, turn) WHERE state = 'seen';
CREATE INDEX media_moving ON media (id) WHERE file_state IN ('staged', 'placing', 'removing');
CREATE INDEX media_retryable ON media (turn) WHERE state = 'refused' AND is_retryable = 1;
CREATE INDEX media_sha256 ON media (sha256) WHERE sha256 IS NOT NULL;
CREATE INDEX media_pixels ON media (pixel_sha256) WHERE pixel_sha256 IS NOT NULL;
CREATE INDEX media_path ON media (path) WHERE path != '';
CREATE INDEX media_duplicate ON media (duplicate_of) WHERE duplicate_of IS NOT NULL;
CREATE INDEX media_labelled ON media (id) WHERE state IN ('labelled', 'recorded');
CREATE INDEX media_kept ON media (id) WHERE state IN ('kept', 'labelled', 'recorded');
CREATE TABLE sightings (           -- one picture in one post
    media INTEGER NOT NULL REFERENCES media (id),
    post INTEGER NOT NULL REFERENCES posts (id),
    position INTEGER NOT NULL,
    url TEXT NOT NULL,
    alt_text TEXT NOT NULL,
    root_blog TEXT NOT NULL,
    root_post_id TEXT NOT NULL,
    PRIMARY KEY (media, post)
) WITHOUT ROWID;
CREATE INDEX sightings_post ON sightings (post);
CREATE INDEX sightings_root ON sightings (root_blog);
CREATE TABLE tombstones (          -- what was forgotten and must not come back
    kind TEXT NOT NULL,            -- post | blog | media_key | sha256 | pixel_sha256 | phash
    value TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (kind, value)
) WITHOUT ROWID;
CREATE TABLE api_calls (           -- the last day's, so that a new process knows what is spent
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL
);
CREATE TABLE spending (            -- totals of the dataset
    name TEXT PRIMARY KEY,
    amount INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE settings (            -- what a command of the dataset is to remember, JSON
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE counters (
    query_id INTEGER NOT NULL,
    class_name TEXT NOT NULL,
    state TEXT NOT NULL,
    code TEXT NOT NULL,
    is_retryable INTEGER NOT NULL,
    num INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (query_id, class_name, state, code, is_retryable)
) WITHOUT ROWID;
"""

_COUNT = """
    INSERT INTO counters VALUES ({row}.query_id, {row}.class_name, {row}.state, {row}.code, {row}.is_retryable,
                                 {sign}1, {sign}{row}.bytes)
    ON CONFLICT DO UPDATE SET num = num + excluded.num, bytes = bytes + excluded.bytes;
"""
_TRIGGERS = f"""
CREATE TRIGGER media_added AFTER INSERT ON media BEGIN {_COUNT.format(row="new", sign="")} END;
CREATE TRIGGER media_removed AFTER DELETE ON media BEGIN {_COUNT.format(row="old", sign="-")} END;
CREATE TRIGGER media_changed AFTER UPDATE OF state, code, bytes, is_retryable, class_name, query_id ON media BEGIN
{_COUNT.format(row="old", sign="-")} {_COUNT.format(row="new", sign="")} END;
"""


def connect(path: Path, *, create: bool) -> sqlite3.Connection:
    """Open the ledger file and check its version.

    Args:
        path: The SQLite file.
        create: Make the file and its tables when missing.

    Raises:
        InputError: The file is missing (without ``create``), is no ledger, is damaged, or a newer tagbox wrote it.
    """
    if not create and not path.is_file():
        raise InputError(
            "there is no ledger here", where=str(path), fix="Collect something first: tagbox collect --help"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=30, isolation_level=None)
        connection.row_factory = sqlite3.Row
        _set_up(connection, path)
    except (sqlite3.Error, OSError) as error:
        raise InputError(
            f"the ledger cannot be opened: {error}",
            where=str(path),
            fix="Put back a copy of the file, or move it away to start a new ledger.",
        ) from error
    return connection


def _set_up(connection: sqlite3.Connection, path: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        connection.close()
        raise InputError(
            f"a newer tagbox wrote this ledger (version {version}, this one reads {SCHEMA_VERSION})",
            where=str(path),
            fix="Update tagbox; nothing was changed.",
        )
    connection.execute("PRAGMA journal_mode = WAL")
    # A killed process loses nothing with NORMAL; a power cut can lose the last moments, which are then done again.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    if version == 0:
        has_tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if has_tables:
            raise sqlite3.DatabaseError("the file is an SQLite database, but no ledger of tagbox")
        # executescript commits on its own, so the whole schema stands in one explicit transaction.
        connection.executescript(
            f"BEGIN IMMEDIATE; {_TABLES} {_TRIGGERS} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        )
