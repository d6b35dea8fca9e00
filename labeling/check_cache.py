"""What earlier checks found out about files that did not change since, so that nothing is decoded twice.

One file below the data root, ``.tagbox/check-cache.json`` (whole results are kept beside it: `labeling.check_results`).
Knowledge is filed by the SHA-256 of a file's content; the
content is not even read again while size, inode and both times of the file are those seen before. A cache that is
damaged, of another version of the checks, or written by two processes at once is at worst forgotten: it never changes
what a check says.
"""

import contextlib
import functools
import hashlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import PIL

from collectors import image_identity
from collectors.errors import InputError
from collectors.files import write_atomically
from labeling.dataset import LabelFile
from labeling.image_probe import ImageFacts, ImageProblem
from labeling.stored_facts import StoredFactsError, facts_from_json, facts_to_json, image_from_json

if TYPE_CHECKING:
    from labeling.pair_reading import PairFacts

CACHE_PATH = Path(".tagbox") / "check-cache.json"

# A file changed within the resolution of the clock of its file system (FAT: two seconds) keeps its times.
_SETTLED_NS = 2_000_000_000
_MODULES = (
    "annotations", "check_cache", "image_probe", "near_duplicates", "pair_reading", "salvage", "stored_facts",
    "voc_reader",
)  # fmt: skip


def is_settled(newest_ns: int, now_ns: int) -> bool:
    """Tell whether another change would show: times this old cannot be those of a change that is still to come.

    Args:
        newest_ns: The newest of the times of the files in question, in nanoseconds since 1970.
        now_ns: The time before anything was read of them.
    """
    return now_ns - newest_ns >= _SETTLED_NS


@dataclass(frozen=True, slots=True)
class Signature:
    """What the file system says of a file; a change of the content changes it."""

    size: int
    inode: int
    modified_ns: int
    changed_ns: int

    @classmethod
    def of(cls, status: os.stat_result, now_ns: int) -> "Signature | None":
        """Return the signature, or ``None`` for a file changed so lately that its times could stay as they are."""
        if not is_settled(max(status.st_mtime_ns, status.st_ctime_ns), now_ns):
            return None
        return cls(status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns)

    def fits(self, path: str) -> bool:
        """Tell whether the file is still the one seen."""
        try:
            status = os.stat(path)  # noqa: PTH116 - twice as fast as Path.stat
        except OSError:
            return False
        return (status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns) == (
            self.size,
            self.inode,
            self.modified_ns,
            self.changed_ns,
        )


class CheckCache:
    """The cache of one data root; see the module's text. Reading from several threads is safe.

    Args:
        root: The data root; the file lies in its ``.tagbox/``.
        read_only: Answer from the file and never write it.

    Attributes:
        root: The data root.
        is_read_only: Whether nothing is to be written.
        num_recalled: Pairs that were answered without opening a file.
        num_read: Pairs that had to be read, whether or not their picture was known by content.
    """

    def __init__(self, root: Path, *, read_only: bool = False) -> None:
        self._prefix = os.path.join(root, "")  # noqa: PTH118
        self.root = root
        self.is_read_only = read_only
        self._path = root / CACHE_PATH
        self._kept: dict[str, list[Any]] = {}
        self._by_content: dict[str, Any] | None = None
        self._is_changed = False
        self.num_recalled = 0
        self.num_read = 0

    @functools.cached_property
    def _rows(self) -> dict[str, Any]:
        """What is in the file; read when first asked for, for a check whose whole result is known never asks."""
        return _load(self._path)

    def recall(self, label: LabelFile, with_look: bool) -> "PairFacts | None":
        """Return what is known of a pair whose files are as they were, or ``None``.

        Args:
            label: The pair.
            with_look: Knowledge without the picture's look is not enough.
        """
        key = self._key(label.xml_path)
        row = self._rows.get(key)
        if row is None:
            return None
        try:
            image_key, xml_signature, image_signature, has_look, stored = row
            if has_look < with_look or len(label.image_paths) > 1:
                return None
            image_path = label.image_paths[0] if label.image_paths else None
            if image_key != (None if image_path is None else self._key(image_path)):
                return None
            if xml_signature is None or not Signature(*xml_signature).fits(str(label.xml_path)):
                return None
            if image_path is not None and (
                image_signature is None or not Signature(*image_signature).fits(str(image_path))
            ):
                return None
            facts = facts_from_json(stored)
        except (StoredFactsError, TypeError, ValueError):
            return None
        self._kept[key] = row
        self.num_recalled += 1
        return facts

    def picture(self, digest: str, with_look: bool) -> ImageFacts | None:
        """Return what is known of a picture of this content, wherever it lay, or ``None``."""
        if self._by_content is None:
            self._by_content = {row[4][2][1]: (row[3], row[4][2]) for row in self._rows.values() if row[4][2]}
        has_look, stored = self._by_content.get(digest, (False, None))
        if stored is None or has_look < with_look:
            return None
        try:
            return image_from_json(stored)
        except (StoredFactsError, TypeError, ValueError):
            return None

    def remember(
        self, label: LabelFile, facts: "PairFacts", xml: Signature | None, image: Signature | None, with_look: bool
    ) -> None:
        """Keep what was found out about a pair; what could not be read, or is ambiguous, is not kept."""
        self.num_read += 1
        unread = not facts.xml_sha256 or (facts.image is not None and facts.image.problem is ImageProblem.UNREADABLE)
        if unread or len(label.image_paths) > 1:
            return
        image_key = self._key(label.image_paths[0]) if label.image_paths else None
        signatures = [_as_list(xml), _as_list(image)]
        self._kept[self._key(label.xml_path)] = [image_key, *signatures, with_look, facts_to_json(facts)]
        self._is_changed = True

    def save(self) -> bool:
        """Write the cache if anything changed; returns whether it is up to date (a disk that refuses is no error).

        Rows of files that were not asked for now but are still there (another class folder) stay.
        """
        if self.is_read_only:
            return not self._is_changed
        others = {key: row for key, row in self._rows.items() if key not in self._kept and self._is_there(key)}
        if not self._is_changed and len(others) + len(self._kept) == len(self._rows):
            return True
        body = json.dumps({**others, **self._kept}, separators=(",", ":")).encode()
        return write_if_possible(self._path, _head(body) + body)

    def _key(self, path: Path) -> str:
        text = str(path)
        # The pictures of a plain folder may lie beside it.
        return text[len(self._prefix) :] if text.startswith(self._prefix) else os.path.relpath(path, self.root)

    def _is_there(self, key: str) -> bool:
        return os.path.lexists(os.path.join(self.root, key))  # noqa: PTH118


def write_if_possible(path: Path, content: bytes) -> bool:
    """Put ``content`` into a file of the cache, whole or not at all; returns whether the disk took it."""
    # A name of its own for each process: two that finish together must not write into one temporary file.
    own = path.with_name(f"{path.name}.{os.getpid()}-{time.monotonic_ns()}")
    try:
        write_atomically(own, content)
        own.replace(path)
    except (InputError, OSError):
        with contextlib.suppress(OSError):
            own.unlink(missing_ok=True)
        return False
    return True


def _as_list(signature: Signature | None) -> list[int] | None:
    if signature is None:
        return None
    return [signature.size, signature.inode, signature.modified_ns, signature.changed_ns]


def _load(path: Path) -> dict[str, Any]:
    try:
        content = path.read_bytes()
    except OSError:
        return {}
    head, _, body = content.partition(b"\n")
    if head + b"\n" != _head(body):
        return {}
    rows = json.loads(body)
    return rows if isinstance(rows, dict) else {}


def _head(body: bytes) -> bytes:
    return f"tagbox check cache {_version()} {hashlib.sha256(body).hexdigest()}\n".encode()


@functools.cache
def _version() -> str:
    """Digest of the code that finds the facts out: what an older one found is not asked for."""
    digest = hashlib.sha256(PIL.__version__.encode())
    for path in (Path(image_identity.__file__), *(Path(__file__).with_name(f"{name}.py") for name in _MODULES)):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
