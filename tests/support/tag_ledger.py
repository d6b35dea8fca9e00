"""The ledger of a data root in which pictures have tags, as collecting from Tumblr leaves it."""

from pathlib import Path

from collectors.ledger import open_ledger


def write_tag_ledger(root: Path, *tagged: tuple[str, str]) -> None:
    """Write the posts of some pictures, each given by its SHA-256 and its tags as JSON."""
    ledger = open_ledger(root, create=True)
    with ledger.transaction() as db:
        db.execute("INSERT INTO queries VALUES (1, 'cat', 'cat', '', 0, 0)")
        db.execute("INSERT INTO walks (id, query_id, state, is_head, floor) VALUES (1, 1, 'done', 1, 0)")
        for number, (sha256, tags) in enumerate(tagged, start=1):
            db.execute(
                "INSERT INTO posts VALUES (?, ?, 'blog', 'u', 'https://x/7', 1, 'd', ?, 'text', 0, 0, 1, 1, 1)",
                (number, str(6 + number), tags),
            )
            db.execute(
                "INSERT INTO media (id, media_key, url, declared_width, declared_height, class_name, query_id, "
                "walk_id, state, sha256) VALUES (?, ?, 'https://x/k', 1, 1, 'cat', 1, 1, 'kept', ?)",
                (number, f"k{number}", sha256),
            )
            db.execute("INSERT INTO sightings VALUES (?, ?, 0, 'https://x/k', '', '', '')", (number, number))
    ledger.close()
