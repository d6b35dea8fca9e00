"""Which of the fetched pictures are kept: the quality gate, then duplicates. The same answer for the same order.

Pictures are judged strictly in the order in which they were first seen, whatever order they arrive in, so a killed and
restarted run ends with the same set as one that was left alone.
"""

import os
import re
import sqlite3

from collectors.image_identity import NEAR_DUPLICATE_RADIUS, NearDuplicateIndex, to_unsigned
from collectors.image_quality import QualityMetrics, QualityThresholds, judge
from collectors.ledger import Ledger
from collectors.media_table import REFUSED, MediaTable
from collectors.refusals import Refusal

_UNSAFE = re.compile(r"[^0-9A-Za-z._-]+")


class Selector:
    """Judges fetched pictures one by one.

    Args:
        ledger: Open for writing.
        thresholds: Of the quality gate.
        radius: Bits in which the hashes of near duplicates may differ.
    """

    def __init__(self, ledger: Ledger, thresholds: QualityThresholds, *, radius: int = NEAR_DUPLICATE_RADIUS) -> None:
        self._ledger = ledger
        self._media = MediaTable(ledger)
        self._thresholds = thresholds
        self._index = NearDuplicateIndex(radius)
        self._forgotten: dict[str, set[str]] = {
            "media_key": set(),
            "sha256": set(),
            "pixel_sha256": set(),
            "phash": set(),
        }
        for stone in ledger.connection.execute("SELECT kind, value FROM tombstones"):
            self._forgotten.setdefault(stone["kind"], set()).add(stone["value"])
        self._forgotten_phashes = [int(value, 16) for value in self._forgotten["phash"]]
        self._named: set[str] = set()
        for row in self._media.kept_rows():
            if row["phash"] is not None:
                self._index.add(row["id"], to_unsigned(row["phash"]))

    def decide(self, row: sqlite3.Row) -> bool:
        """Keep or refuse a fetched picture, and perhaps refuse smaller copies kept before. Call in a transaction.

        Args:
            row: From `MediaTable.rows_to_judge`.

        Returns:
            Whether the picture is kept.
        """
        media_id = int(row["id"])
        if refusal := self._judge_memory(row):
            self._media.refuse(media_id, refusal)
            return False
        if refusal := judge(QualityMetrics.from_json(row["metrics"]), self._thresholds):
            self._media.refuse(media_id, refusal, keep_file_at=refused_path(row))
            return False
        near = self._index.find(to_unsigned(row["phash"]), to_unsigned(row["mirror_phash"]))
        rivals = [self._media.row(rival) for rival, _, _ in near]
        # A picture somebody has labelled stays, however large its copy.
        best = max(rivals, key=lambda rival: (rival["state"] != "kept", _num_pixels(rival), -rival["id"]), default=None)
        if best is not None and (best["state"] != "kept" or _num_pixels(best) >= _num_pixels(row)):
            self._media.refuse(media_id, _copy_of(row, best), duplicate_of=best["id"])
            return False
        for rival in rivals:
            self._media.refuse(rival["id"], _copy_of(rival, row), duplicate_of=media_id)
            self._index.remove(rival["id"])
        self._media.keep(media_id, self._path_for(row))
        self._index.add(media_id, to_unsigned(row["phash"]))
        return True

    def drop(self, media_id: int) -> None:
        """Take a picture that is no longer kept out of the comparison."""
        self._index.remove(media_id)

    def _judge_memory(self, row: sqlite3.Row) -> Refusal | None:
        for kind in ("media_key", "sha256", "pixel_sha256"):
            if row[kind] in self._forgotten[kind]:
                return Refusal("forgotten", f"removed on request ({kind})")
        for value in self._forgotten_phashes:
            for phash in (row["phash"], row["mirror_phash"]):
                if (value ^ to_unsigned(phash)).bit_count() <= self._index.radius:
                    return Refusal("forgotten", "a near duplicate of a picture removed on request")
        return None

    def _path_for(self, row: sqlite3.Row) -> str:
        """Name the file after the post that showed it first: ``tumblr-<post id>-<place in the post>``."""
        # Plain strings: a Path for every step took a tenth of a session's own time.
        stem = _UNSAFE.sub("_", f"tumblr-{row['first_shown'] or 'media-' + str(row['id'])}")
        start = f"{row['class_name']}/unlabeled/images/{stem}"
        path = f"{start}.{row['extension']}"
        number = 1
        while path in self._named or os.path.exists(f"{self._ledger.root}/{path}"):  # noqa: PTH110
            number += 1
            path = f"{start}-{number}.{row['extension']}"
        self._named.add(path)
        return path


def refused_path(row: sqlite3.Row) -> str:
    """Where the file of a picture waits that did not pass the gate, for other thresholds may let it pass."""
    return (REFUSED / f"{row['id']}.{row['extension']}").as_posix()


def _num_pixels(row: sqlite3.Row) -> int:
    return int(row["width"]) * int(row["height"])


def _copy_of(row: sqlite3.Row, other: sqlite3.Row) -> Refusal:
    is_exact = row["pixel_sha256"] == other["pixel_sha256"]
    words = "the same pixels as" if is_exact else "looks like"
    return Refusal(
        "duplicate" if is_exact else "near_duplicate",
        f"{words} picture {other['id']} ({other['width']}x{other['height']}), which is kept",
    )
