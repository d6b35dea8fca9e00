"""What people and later steps did with collected pictures: labelled, moved, put into records, deleted.

The folders are the truth. A picture counts as labelled when an XML of its name lies in a folder of its class, and as
recorded when a records manifest names its content.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from collectors.errors import InputError
from collectors.ledger import Ledger
from collectors.media_table import MediaTable
from collectors.refusals import Refusal

_SPLITS = ("training", "verification")
_EXTENSIONS = ("jpg", "png")


def track_labels(ledger: Ledger) -> int:
    """Mark pictures that have an XML as labelled, follow those that were moved, and unmark those whose XML is gone.

    Returns:
        The number of pictures that are labelled, recorded ones included.
    """
    root = ledger.root
    labelled: set[int] = set()
    with ledger.transaction() as db:
        for folder in _label_folders(root):
            for xml in sorted(folder.glob("*.xml")):
                row = _row_of(ledger, folder, xml.stem)
                if row is None:
                    continue
                media_id, path = row
                labelled.add(media_id)
                db.execute(
                    "UPDATE media SET state = CASE state WHEN 'kept' THEN 'labelled' ELSE state END, path = ? "
                    "WHERE id = ? AND (path != ? OR state = 'kept')",
                    (path, media_id, path),
                )
        before = [row["id"] for row in db.execute("SELECT id FROM media WHERE state IN ('labelled', 'recorded')")]
        MediaTable(ledger).set_state([media_id for media_id in before if media_id not in labelled], "kept")
    return len(labelled)


def track_records(ledger: Ledger, records_dirs: Iterable[Path]) -> int:
    """Mark labelled pictures that a records manifest names as recorded, and unmark the others.

    Returns:
        The number of pictures that are in a record.
    """
    recorded: set[int] = set()
    with ledger.transaction() as db:
        for records_dir in records_dirs:
            for _, sha256, _ in manifest_images(records_dir):
                found = db.execute(
                    "SELECT id FROM media WHERE sha256 = ? AND state IN ('kept', 'labelled', 'recorded')", (sha256,)
                )
                recorded.update(row["id"] for row in found)
        before = {row["id"] for row in db.execute("SELECT id FROM media WHERE state = 'recorded'")}
        MediaTable(ledger).set_state(sorted(before - recorded), "labelled")
        MediaTable(ledger).set_state(sorted(recorded - before), "recorded")
    return len(recorded)


def find_removed(ledger: Ledger) -> int:
    """Note the kept pictures that somebody deleted by hand, so that they are not fetched again.

    A class folder that is missing as a whole is taken for a disk that is not there, and changes nothing.

    Returns:
        The number of pictures found to be gone.
    """
    names: dict[str, set[str]] = {}
    gone = []
    rows = ledger.connection.execute("SELECT id, path FROM media WHERE state = 'kept' AND file_state = 'placed'")
    for row in rows:
        path = Path(row["path"])
        folder = path.parent.as_posix()
        if folder not in names:
            names[folder] = (
                {entry.name for entry in (ledger.root / folder).iterdir()} if (ledger.root / folder).is_dir() else set()
            )
        if path.name not in names[folder] and (ledger.root / path.parts[0]).is_dir():
            gone.append((row["id"], path))
    media = MediaTable(ledger)
    moved = 0
    with ledger.transaction() as db:
        for media_id, path in gone:
            if found := _moved_to(ledger.root, path):
                db.execute("UPDATE media SET path = ? WHERE id = ?", (found, media_id))
                moved += 1
            else:
                media.refuse(media_id, Refusal("removed_by_hand", f"{path} was deleted by hand"))
    media.settle_files()
    return len(gone) - moved


def manifest_images(records_dir: Path) -> Iterator[tuple[str, str, str]]:
    """Yield ``(image path, image SHA-256, record file)`` of a records folder; nothing when it has no manifest.

    Raises:
        InputError: The manifest cannot be read.
    """
    path = records_dir / "manifest.json"
    if not path.is_file():
        return
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        for record in document["records"]:
            for example in record["examples"]:
                yield str(example["image"]), str(example["image_sha256"]), str(record["file"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"the records manifest cannot be read ({type(error).__name__}: {error})",
            where=str(path),
            fix="Build the records again, or name another folder with --records.",
        ) from error


def _label_folders(root: Path) -> Iterator[Path]:
    for class_dir in sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith(".")):
        for split in (*_SPLITS, "unlabeled"):
            for folder in (class_dir / split, class_dir / split / "images"):
                if folder.is_dir():
                    yield folder


def _row_of(ledger: Ledger, folder: Path, stem: str) -> tuple[int, str] | None:
    """Find the kept picture an XML belongs to, by where it lies or lay before it was moved; and where it lies now."""
    class_dir = folder.parent if folder.name in (*_SPLITS, "unlabeled") else folder.parent.parent
    class_path = class_dir.relative_to(ledger.root)
    places = [class_path / split / sub for split in (*_SPLITS, "unlabeled") for sub in ("images", ".")]
    candidates = [(place / f"{stem}.{extension}").as_posix() for place in places for extension in _EXTENSIONS]
    marks = ",".join("?" * len(candidates))
    row = ledger.connection.execute(
        f"SELECT id, path FROM media WHERE path IN ({marks}) AND state IN ('kept', 'labelled', 'recorded')",  # noqa: S608
        candidates,
    ).fetchone()
    if row is None:
        return None
    now = next((path for path in candidates if (ledger.root / path).is_file()), str(row["path"]))
    return int(row["id"]), now


def _moved_to(root: Path, path: Path) -> str:
    class_path = Path(path.parts[0])
    for split in _SPLITS:
        for place in (class_path / split / "images", class_path / split):
            if (root / place / path.name).is_file():
                return (place / path.name).as_posix()
    return ""
