"""The TFRecord file format: frames of bytes, each guarded by checksums.

One frame is ``length (uint64 little endian), masked CRC-32C of the length, payload, masked CRC-32C of the payload``.
A file is frames end to end, with no head and no tail: 0 bytes are a valid file of no records to every other reader,
and a file cut exactly between two frames looks whole. Counts in a manifest are what finds those two.
"""

import gzip
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple, Protocol, cast

import google_crc32c

from collectors.errors import InputError
from records.errors import DamagedRecordError
from records.file_kinds import HEAD_BYTES, other_kind

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
_MASK_DELTA = 0xA282EAD8
_GZIP_MAGIC = b"\x1f\x8b"
_PIECE_BYTES = 1 << 26
# Larger pieces are written by themselves: copying them together costs more than another write.
_PASSED_ON_BYTES = 4096

FRAME_OVERHEAD_BYTES = _HEADER.size + _FOOTER.size


class Readable(Protocol):
    """Anything bytes can be read from."""

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes; none at the end."""
        ...


class Writable(Protocol):
    """Anything bytes can be written to."""

    def write(self, data: bytes, /) -> int:
        """Take all of ``data``."""
        ...


class Frame(NamedTuple):
    """One record of a file: the byte offset at which its frame begins, and its payload."""

    offset: int
    payload: bytes


def masked_crc32c(data: bytes) -> int:
    """Return the CRC-32C of ``data``, rotated and shifted as TFRecord files store it."""
    return _masked(google_crc32c.value(data))


def _masked(crc: int) -> int:
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


def write_frames(stream: Writable, payloads: Iterable[bytes | Sequence[bytes]]) -> int:
    """Write each payload, whole or in pieces, as one frame and return how many there were.

    Raises:
        OSError: The stream refuses the bytes.
    """
    count = 0
    for payload in payloads:
        pieces = (payload,) if isinstance(payload, bytes) else payload
        length = struct.pack("<Q", sum(map(len, pieces)))
        crc = 0
        small = [length, _FOOTER.pack(masked_crc32c(length))]
        for piece in pieces:
            crc = google_crc32c.extend(crc, piece)
            if len(piece) < _PASSED_ON_BYTES:
                small.append(piece)
                continue
            stream.write(b"".join(small))
            stream.write(piece)
            small.clear()
        small.append(_FOOTER.pack(_masked(crc)))
        stream.write(b"".join(small))
        count += 1
    return count


def read_frames(stream: Readable, *, path: str) -> Iterator[Frame]:
    """Read frame after frame, checking both checksums of each.

    Args:
        stream: An open, uncompressed TFRecord file, at its beginning. Only ``read`` is used, so a pipe will do.
        path: The name to put into errors.

    Yields:
        Every frame in file order; none from 0 bytes.

    Raises:
        DamagedRecordError: A checksum is wrong or the file ends inside a frame. Frames before it were yielded.
        InputError: The stream cannot be read.
    """
    offset = 0
    while header := _read_exactly(stream, _HEADER.size, path=path, offset=offset):
        if len(header) < _HEADER.size:
            raise DamagedRecordError("the file ends inside the head of a record", path=path, offset=offset)
        length, crc = _HEADER.unpack(header)
        if masked_crc32c(header[:8]) != crc:
            raise DamagedRecordError("the length of a record fails its checksum", path=path, offset=offset)
        payload = _read_exactly(stream, length, path=path, offset=offset)
        footer = _read_exactly(stream, _FOOTER.size, path=path, offset=offset)
        if len(payload) < length or len(footer) < _FOOTER.size:
            raise DamagedRecordError(f"the file ends inside a record of {length} bytes", path=path, offset=offset)
        if masked_crc32c(payload) != _FOOTER.unpack(footer)[0]:
            raise DamagedRecordError("the content of a record fails its checksum", path=path, offset=offset)
        yield Frame(offset, payload)
        offset += FRAME_OVERHEAD_BYTES + length


@contextmanager
def open_tfrecord(path: Path) -> Iterator[IO[bytes]]:
    """Open a TFRecord file for reading, unpacking it on the way when it is a gzip file (by content, not by name).

    Raises:
        InputError: There is no such file, it cannot be opened, or it is plainly something else.
    """
    try:
        stream = path.open("rb")
    except OSError as error:
        raise _cannot_read(str(path), error) from error
    with stream:
        try:
            head = stream.read(HEAD_BYTES)
        except OSError as error:
            raise _cannot_read(str(path), error) from error
        stream.seek(0)
        if kind := not_a_tfrecord(head):
            raise InputError(f"this is no TFRecord but {kind}", where=str(path))
        if is_gzip(head):
            with gzip.open(stream) as unpacked:
                yield cast(IO[bytes], unpacked)
        else:
            yield stream


def read_tfrecord(path: Path) -> Iterator[Frame]:
    """Read a TFRecord file, plain or gzip, frame by frame, checking the checksums.

    Raises:
        InputError: The file is missing or cannot be read.
        DamagedRecordError: See `read_frames`.
    """
    with open_tfrecord(path) as stream:
        yield from read_frames(stream, path=str(path))


def has_frame_at_start(head: bytes) -> bool:
    """Say whether bytes begin with the head of a frame: a length and its checksum. Any 12 bytes or more will do."""
    return len(head) >= _HEADER.size and masked_crc32c(head[:8]) == _HEADER.unpack_from(head)[1]


def not_a_tfrecord(head: bytes) -> str | None:
    """Say what a file is that is plainly no TFRecord; ``None`` when it may be one, whole, damaged or compressed.

    Args:
        head: Its first `records.file_kinds.HEAD_BYTES` bytes, or all of it when it has fewer.
    """
    return None if has_frame_at_start(head) or is_gzip(head) else other_kind(head)


def is_gzip(head: bytes) -> bool:
    """Tell a gzip file from a record whose length happens to begin with gzip's two bytes: only a record has the CRC."""
    return head.startswith(_GZIP_MAGIC) and not has_frame_at_start(head)


def _cannot_read(path: str, error: OSError) -> InputError:
    return InputError(f"cannot read the record: {error.strerror or error}", where=path)


def _read_exactly(stream: Readable, num_bytes: int, *, path: str, offset: int) -> bytes:
    """Read up to ``num_bytes``; fewer only at the end of the file.

    A length is believed piece by piece: a forged one with a right checksum must not ask for all memory at once.
    """
    pieces: list[bytes] = []
    missing = num_bytes
    try:
        while missing and (piece := stream.read(min(missing, _PIECE_BYTES))):
            pieces.append(piece)
            missing -= len(piece)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DamagedRecordError(f"the gzip stream is damaged: {error}", path=path, offset=offset) from error
    except OSError as error:
        raise _cannot_read(path, error) from error
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
