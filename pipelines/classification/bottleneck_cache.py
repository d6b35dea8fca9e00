"""What a frozen network made of each picture, kept on disk: computed once, whatever is trained on top of it.

A cache is a folder of segments. A segment is one ``.npz`` with the SHA-256 of some pictures and their vectors, and is
either whole or absent; a killed run loses the segment it was filling. A segment that is damaged is dropped, and what it
held is computed again.
"""

import hashlib
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collectors.errors import InputError
from collectors.files import atomic_writer, write_atomically

Vectors = NDArray[np.float32]
_KEYS, _VECTORS = "sha256", "vectors"
_KEY_BYTES = 32
_ABOUT = "about.json"
# Beyond so many segments, opening them is what takes the time.
_MANY = 8
_READING_ERRORS = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, NotImplementedError)


class BottleneckCache:
    """The vectors of pictures for one network with one set of weights.

    Several processes may fill one cache: each writes segments of its own.

    Args:
        root: Folder of caches; made when something is written. The vectors of another network, other weights or
            another preprocessing lie in another folder in it.
        about: Everything a vector depends on but the picture; JSON values.
        width: Length of a vector.
        notice: Told of what was damaged, in sentences.
    """

    def __init__(
        self, root: Path, about: Mapping[str, Any], width: int, *, notice: Callable[[str], None] = lambda _: None
    ) -> None:
        self._about = json.dumps({**about, "width": width}, indent=2, sort_keys=True) + "\n"
        name = str(about.get("network", "network")).replace("/", "_")
        self.folder = root / f"{name}-{hashlib.sha256(self._about.encode()).hexdigest()[:12]}"
        self._width = width
        self._rows: dict[bytes, Vectors] = {}
        self._waiting: dict[bytes, Vectors] = {}
        for path in self._segments():
            self._read(path, notice)

    def __len__(self) -> int:
        """How many pictures are in it, those that are not on disk yet among them."""
        return len(self._rows)

    def __contains__(self, key: bytes) -> bool:
        """Tell whether the vector of a picture, by the SHA-256 of its bytes, is there."""
        return key in self._rows

    def rows(self, keys: Sequence[bytes]) -> Vectors:
        """Return the vectors of pictures, float32 ``(n, width)``, in the order asked for.

        Raises:
            KeyError: One is not there.
        """
        if not keys:
            return np.zeros((0, self._width), np.float32)
        return np.stack([self._rows[key] for key in keys])

    def add(self, keys: Sequence[bytes], vectors: Vectors) -> None:
        """Take in vectors, float32 ``(n, width)``, one a key; `flush` puts them on disk."""
        for key, vector in zip(keys, vectors, strict=True):
            self._rows[key] = self._waiting[key] = vector

    @property
    def num_waiting(self) -> int:
        """How many vectors are not on disk yet."""
        return len(self._waiting)

    def flush(self) -> None:
        """Write what came since the last time, as one segment; nothing when nothing came.

        Raises:
            InputError: The disk refuses it. The vectors stay in memory.
        """
        if not self._waiting:
            return
        write_atomically(self.folder / _ABOUT, self._about)
        self._write(self._waiting)
        self._waiting = {}

    def compact(self) -> None:
        """Put many segments into one; a few are left as they are.

        Raises:
            InputError: The disk refuses it. The segments are as they were.
        """
        self.flush()
        old = list(self._segments())
        if len(old) <= _MANY:
            return
        kept = self._write(self._rows)
        for path in old:
            if path != kept:
                path.unlink(missing_ok=True)

    def _write(self, rows: Mapping[bytes, Vectors]) -> Path:
        # Sorted, so that the same pictures give the same file whoever computes them.
        keys = sorted(rows)
        path = self.folder / f"{hashlib.sha256(b''.join(keys)).hexdigest()[:16]}.npz"
        arrays: dict[str, Any] = {
            _KEYS: np.frombuffer(b"".join(keys), np.uint8).reshape(-1, _KEY_BYTES),
            _VECTORS: np.stack([rows[key] for key in keys]).astype(np.float32),
        }
        with atomic_writer(path) as stream:
            np.savez(stream, **arrays)
        return path

    def _segments(self) -> list[Path]:
        return sorted(self.folder.glob("*.npz"))

    def _read(self, path: Path, notice: Callable[[str], None]) -> None:
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
                keys, vectors = archive[_KEYS], archive[_VECTORS]
            if keys.dtype != np.uint8 or keys.shape != (len(vectors), _KEY_BYTES):
                raise ValueError("its keys are no SHA-256")
            if vectors.dtype != np.float32 or vectors.shape[1:] != (self._width,) or not np.isfinite(vectors).all():
                raise ValueError("its vectors are not those of this network")
        except FileNotFoundError:
            return  # another process has just put it into a larger one
        except _READING_ERRORS as error:
            notice(f"{path} is damaged ({error}); what it held is computed again")
            _remove(path)
            return
        self._rows |= {key.tobytes(): vector for key, vector in zip(keys, vectors, strict=True)}


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"is damaged and cannot be removed ({error.strerror})", where=str(path)) from error
