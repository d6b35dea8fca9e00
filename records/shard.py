"""Writing one shard: the only step of a build that touches pictures, and a pure function of its plan.

It runs in a process of its own as well as in this one; it needs the data root and a plan, and nothing else.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collectors.errors import InputError
from collectors.files import atomic_writer
from collectors.progress import Progress, no_progress
from records.detection_encoding import encode_detection
from records.errors import DamagedRecordError, PictureChangedError
from records.features import ExampleSource
from records.plan import ShardPlan
from records.tfrecord import Writable, read_frames, write_frames

_GATHERED_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ShardSummary:
    """What a written shard is: its name, how many examples and bytes it has, and the hex SHA-256 of its bytes.

    ``fingerprint`` is that of the plan it was written from; empty when nobody knows.
    """

    file: str
    num_examples: int
    num_bytes: int
    sha256: str
    fingerprint: str = ""


class HashingStream:
    """Passes bytes through to or from a file and keeps their SHA-256 and number."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self.num_bytes = 0

    @property
    def sha256(self) -> str:
        """Hex SHA-256 of the bytes so far."""
        return self._digest.hexdigest()

    def write(self, data: bytes) -> int:
        """Write all of ``data``."""
        self._stream.write(data)
        return self._count(data)

    def read(self, size: int = -1) -> bytes:
        """Read up to ``size`` bytes."""
        data: bytes = self._stream.read(size)
        self._count(data)
        return data

    def _count(self, data: bytes) -> int:
        self._digest.update(data)
        self.num_bytes += len(data)
        return len(data)


class _Gathering:
    """Passes bytes on in large pieces: with small ones, threads spend their time handing Python's lock around."""

    def __init__(self, stream: HashingStream) -> None:
        self._stream = stream
        self._pieces: list[bytes] = []
        self._num_bytes = 0

    def write(self, data: bytes) -> int:
        """Take all of ``data``."""
        self._pieces.append(data)
        self._num_bytes += len(data)
        if self._num_bytes >= _GATHERED_BYTES:
            self.flush()
        return len(data)

    def flush(self) -> None:
        """Pass on what is left."""
        self._stream.write(b"".join(self._pieces))
        self._pieces.clear()
        self._num_bytes = 0


def write_shard(shard: ShardPlan, *, data_root: Path, path: Path, progress: Progress = no_progress) -> ShardSummary:
    """Write the examples of a shard into ``path``, whole or not at all.

    Args:
        shard: What to write.
        data_root: Where its pictures lie.
        path: The file to make.
        progress: Told after every example.

    Raises:
        PictureChangedError: A picture is not the one of the plan.
        InputError: A picture cannot be read, or the disk refuses the file.
    """

    def read(image_path: str) -> bytes:
        # Open and read without a second call for the size: pictures are many and small.
        with open(os.path.join(data_root, image_path), "rb", buffering=0) as stream:  # noqa: PTH118, PTH123
            content: bytes = stream.readall()
        return content

    with atomic_writer(path) as stream:
        return stream_shard(shard, stream, read, where=str(data_root), progress=progress)


def stream_shard(
    shard: ShardPlan,
    stream: Writable,
    read: Callable[[str], bytes],
    *,
    where: str,
    progress: Progress = no_progress,
) -> ShardSummary:
    """Write the examples of a shard into an open file, wherever that is and wherever the pictures are.

    Args:
        shard: What to write.
        stream: Takes the bytes.
        read: Gives the bytes of a picture by its path below the data root; raises ``OSError`` when it cannot.
        where: The data root, for messages.
        progress: Told after every example.

    Raises:
        PictureChangedError: A picture is not the one of the plan.
        InputError: A picture cannot be read.
        OSError: The stream refuses the bytes.
    """
    hashing = HashingStream(stream)
    gathering = _Gathering(hashing)
    count = write_frames(gathering, _payloads(shard, read, where, progress))
    gathering.flush()
    return ShardSummary(shard.file, count, hashing.num_bytes, hashing.sha256, shard.fingerprint)


def summarize_shard(path: Path, *, file: str, fingerprint: str = "") -> ShardSummary | None:
    """Read a whole shard and say what it is, or ``None`` when it is missing, unreadable or damaged."""
    try:
        with path.open("rb") as stream:
            hashing = HashingStream(stream)
            count = sum(1 for _ in read_frames(hashing, path=str(path)))
    except (OSError, InputError, DamagedRecordError):
        return None
    return ShardSummary(file, count, hashing.num_bytes, hashing.sha256, fingerprint)


def _payloads(shard: ShardPlan, read: Callable[[str], bytes], where: str, progress: Progress) -> Iterator[list[bytes]]:
    for done, source in enumerate(shard.examples, start=1):
        yield encode_detection(source, read_picture(source, read, where))
        progress(done, len(shard.examples))


def read_picture(source: ExampleSource, read: Callable[[str], bytes], where: str) -> bytes:
    """Read the picture of an example, and convert it where its recipe says so.

    Args:
        source: The example.
        read: Gives the bytes of a picture by its path relative to the data root.
        where: The data root, for messages.

    Raises:
        PictureChangedError: It is not the one of the plan.
        InputError: It cannot be read.
    """
    path = f"{where.rstrip('/')}/{source.image_path}"
    try:
        encoded = read(source.image_path)
    except OSError as error:
        raise InputError(
            f"cannot read the picture: {error.strerror or error}",
            where=path,
            fix="It was there when the build began; let nothing write into the data folder, then run it again.",
        ) from error
    if hashlib.sha256(encoded).hexdigest() != source.image_sha256:
        raise PictureChangedError(path)
    if not source.transcoding:
        return encoded
    from records.picture_conversion import convert  # Pillow and NumPy, which few builds need

    return convert(encoded, source.transcoding)
