"""QuickDraw in the ledger of a dataset root: which files were read, what was taken, what was left out and why.

The tables stand beside those of the other collectors in ``.tagbox/ledger.sqlite``.
"""

import csv
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from collectors.errors import InputError
from collectors.files import write_atomically
from collectors.ledger import Ledger

LICENCE = "CC BY 4.0"
ATTRIBUTION_NAME = "ATTRIBUTION-quickdraw.md"

_TABLES = (
    """CREATE TABLE IF NOT EXISTS quickdraw_files (  -- one published file
        url TEXT PRIMARY KEY,
        category TEXT NOT NULL,
        format TEXT NOT NULL,
        version TEXT NOT NULL,          -- ETag and size, or size and time of a local file
        size INTEGER NOT NULL,
        bytes_fetched INTEGER NOT NULL, -- over the wire, all runs
        state TEXT NOT NULL,            -- fetched | refused
        code TEXT NOT NULL,             -- why refused: the kind of the error
        reason TEXT NOT NULL,
        at INTEGER NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS quickdraw_outputs (  -- what was made of a category
        folder TEXT NOT NULL,           -- below the output folder: jpeg, bitmap-npy...
        category TEXT NOT NULL,
        url TEXT NOT NULL,
        recipe TEXT NOT NULL,           -- digest of the file's version and every option
        options TEXT NOT NULL,          -- JSON
        num_drawings INTEGER NOT NULL,
        num_bytes INTEGER NOT NULL,
        left_out TEXT NOT NULL,         -- JSON: code -> drawings the filters passed over
        refused TEXT NOT NULL,          -- JSON: code -> records that are no drawing
        licence TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (folder, category)
    ) WITHOUT ROWID""",
)


@dataclass(frozen=True, slots=True)
class OutputRecord:
    """What the ledger knows of the output of a category."""

    recipe: str
    num_drawings: int
    num_bytes: int
    left_out: dict[str, int]
    refused: dict[str, int]


def prepare(ledger: Ledger) -> None:
    """Make the tables when they are missing."""
    with ledger.transaction() as db:
        for table in _TABLES:
            db.execute(table)


def known_outputs(ledger: Ledger, folder: str) -> dict[str, OutputRecord]:
    """Return what was made in a folder, by category."""
    rows = ledger.connection.execute("SELECT * FROM quickdraw_outputs WHERE folder = ?", (folder,))
    return {
        row["category"]: OutputRecord(
            row["recipe"],
            row["num_drawings"],
            row["num_bytes"],
            json.loads(row["left_out"]),
            json.loads(row["refused"]),
        )
        for row in rows
    }


def record_file(
    ledger: Ledger,
    *,
    url: str,
    category: str,
    format_name: str,
    version: str,
    size: int,
    bytes_fetched: int,
    code: str = "",
    reason: str = "",
) -> None:
    """Note a published file; bytes are added to those of earlier runs. A ``code`` says that it was refused."""
    with ledger.transaction() as db:
        db.execute(
            "INSERT INTO quickdraw_files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "version = excluded.version, size = excluded.size, state = excluded.state, code = excluded.code, "
            "reason = excluded.reason, at = excluded.at, bytes_fetched = bytes_fetched + excluded.bytes_fetched",
            (
                url, category, format_name, version, size, bytes_fetched, "refused" if code else "fetched", code,
                reason, int(time.time()),
            ),
        )  # fmt: skip
        if bytes_fetched:
            ledger.spend("media_bytes", bytes_fetched)


def record_output(
    ledger: Ledger, *, folder: str, category: str, url: str, options: Mapping[str, object], record: OutputRecord
) -> None:
    """Note what was made of a category; it replaces what was noted before."""
    with ledger.transaction() as db:
        db.execute(
            "INSERT OR REPLACE INTO quickdraw_outputs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                folder, category, url, record.recipe, json.dumps(options, sort_keys=True), record.num_drawings,
                record.num_bytes, json.dumps(record.left_out, sort_keys=True),
                json.dumps(record.refused, sort_keys=True), LICENCE, int(time.time()),
            ),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class OutputSummary:
    """One category as it lies on disk, and what it took: a line of a status."""

    folder: str
    category: str
    num_drawings: int
    num_left_out: int
    num_refused: int
    bytes_fetched: int
    size: int


def summary(ledger: Ledger) -> list[OutputSummary]:
    """Return what was made of QuickDraw's drawings here, by folder and category; nothing when nothing was."""
    if not _has_tables(ledger):
        return []
    rows = ledger.connection.execute(
        "SELECT outputs.*, files.bytes_fetched, files.size FROM quickdraw_outputs AS outputs "
        "LEFT JOIN quickdraw_files AS files ON files.url = outputs.url ORDER BY outputs.folder, outputs.category"
    )
    return [
        OutputSummary(
            row["folder"],
            row["category"],
            row["num_drawings"],
            sum(json.loads(row["left_out"]).values()),
            sum(json.loads(row["refused"]).values()),
            row["bytes_fetched"] or 0,
            row["size"] or 0,
        )
        for row in rows
    ]


def outputs_with(ledger: Ledger, key_id: str) -> list[str]:
    """Return which outputs hold a drawing, such as ``jpeg/cat``: those whose index has its ``key_id``."""
    found = []
    for one in summary(ledger):
        index_path = ledger.root / one.folder / f"{one.category}.csv"
        try:
            with index_path.open(newline="", encoding="utf-8") as stream:
                if any(row.get("key_id") == key_id for row in csv.DictReader(stream)):
                    found.append(f"{one.folder}/{one.category}")
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise InputError(
                f"cannot read: {error}", where=str(index_path), fix="Collect the category again."
            ) from error
    return found


def _has_tables(ledger: Ledger) -> bool:
    found = ledger.connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'quickdraw_outputs'")
    return found.fetchone() is not None


def write_attribution(ledger: Ledger) -> Path:
    """Write the attribution that the licence of the drawings asks for into the root of the ledger.

    Returns:
        The file.

    Raises:
        InputError: The disk refuses the file.
    """
    rows = ledger.connection.execute(
        "SELECT folder, category, num_drawings, url FROM quickdraw_outputs ORDER BY folder, category"
    ).fetchall()
    lines = [
        "# Attribution",
        "",
        "The drawings here are from the Quick, Draw! Dataset (https://github.com/googlecreativelab/quickdraw-dataset),",
        "made available by Google, Inc. under the Creative Commons Attribution 4.0 International license",
        "(https://creativecommons.org/licenses/by/4.0/). tagbox selected them and, where the folder is not ndjson,",
        "rendered or converted them. Keep this notice with copies of them.",
        "",
        "| folder | category | drawings | from |",
        "|---|---|---|---|",
        *(f"| {row['folder']} | {row['category']} | {row['num_drawings']} | <{row['url']}> |" for row in rows),
    ]
    path = ledger.root / ATTRIBUTION_NAME
    write_atomically(path, "\n".join(lines) + "\n")
    return path
