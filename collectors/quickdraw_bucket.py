"""Parts of files out of QuickDraw's bucket, and no byte more.

A part is asked for with ``Range`` and believed only when the server answers 206 and its ``Content-Range`` names that
part. Some servers ignore ``Range`` and send the whole file (200): then reading stops after the bytes that are needed,
which works as long as a file is read from its beginning on and is refused for any other part.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import NoReturn
from urllib.parse import quote

import requests
import urllib3

from collectors.errors import RemoteError
from collectors.http_client import api_session
from collectors.quickdraw_content import SUFFIXES, ForeignContentError, check_content
from collectors.quickdraw_partial import PartialFile

BASE_URL = "https://storage.googleapis.com/quickdraw_dataset"
HEAD_BYTES = 4096
_CHUNK_BYTES = 1 << 16
_SAVE_EVERY_BYTES, _SAVE_EVERY_S = 1 << 20, 2.0
_RETRIED_STATUS = (408, 425, 429, 500, 502, 503, 504)
_LONGEST_PAUSE_S = 60.0
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_BROKEN = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)


class CollectingStoppedError(Exception):
    """The person asked to stop; what was fetched is kept."""


class RangeIgnoredError(RemoteError):
    """The server answered with the whole file where a part was asked for."""


class RemoteFileChangedError(RemoteError):
    """The file on the server is no longer the one whose parts are here; those were dropped."""


@dataclass(frozen=True, slots=True)
class BucketSettings:
    """How to talk to the bucket.

    Attributes:
        base_url: Where the folders ``full`` and ``sketchrnn`` are.
        attempts: Tries in a row without a single new byte before giving up.
        back_off_s: First pause after a failure; it doubles.
        timeout_s: Longest silence of the server.
        proxy: URL of an HTTP proxy, or empty.
    """

    base_url: str = BASE_URL
    attempts: int = 5
    back_off_s: float = 1.0
    timeout_s: float = 30.0
    proxy: str = ""


@dataclass(slots=True)
class Bucket:
    """A connection to the bucket, for any number of threads.

    Attributes:
        agent: The User-Agent.
        stop: When set, transfers end with `CollectingStoppedError`.
    """

    agent: str
    settings: BucketSettings = field(default_factory=BucketSettings)
    stop: Event = field(default_factory=Event)
    session: requests.Session = field(init=False)

    def __post_init__(self) -> None:
        """Open the session."""
        self.session = api_session(self.agent, proxy=self.settings.proxy)
        self.session.headers.update({"Accept": "*/*", "Accept-Encoding": "identity"})

    def close(self) -> None:
        """Close the connections."""
        self.session.close()

    def url_of(self, category: str, format_name: str) -> str:
        """Return where a category's file of a format lies; blanks in names are encoded."""
        folder = "sketchrnn" if format_name == "sketchrnn" else f"full/{format_name}"
        return f"{self.settings.base_url.rstrip('/')}/{folder}/{quote(category + SUFFIXES[format_name])}"


class RemoteFile:
    """Random access to one file of the bucket; what was read once is on disk and not fetched again.

    Args:
        bucket: The connection.
        category: Name of the category.
        format_name: One of `collectors.quickdraw_content.FORMATS`.
        cache_dir: Where the parts are kept, in ``<format>/<category>``.
        on_bytes: Told how many bytes came over the wire.

    Raises:
        RemoteError: The server fails, refuses, or has no such file.
        ForeignContentError: What came is something else than the file.
        InputError: The disk refuses.
    """

    def __init__(
        self,
        bucket: Bucket,
        category: str,
        format_name: str,
        cache_dir: Path,
        *,
        on_bytes: Callable[[int], None] | None = None,
    ) -> None:
        self.where = bucket.url_of(category, format_name)
        self.num_received = 0
        self._bucket = bucket
        self._format = format_name
        self._on_bytes = on_bytes
        self._whole: requests.Response | None = None  # An answer to which the server sends the whole file.
        self._whole_position = 0
        self._unsaved = 0  # Bytes that a kill would cost: flushing each small part would take longer than fetching it.
        self._saved_at = time.monotonic()
        self._partial = PartialFile(cache_dir / format_name / (category + SUFFIXES[format_name]), self.where)

    def __enter__(self) -> "RemoteFile":
        self._partial.__enter__()
        try:
            self._open()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close_whole()
        try:
            self._save()
        finally:
            self._partial.__exit__(kind, error, traceback)

    @property
    def size(self) -> int:
        """Size of the whole file in bytes."""
        return self._partial.size

    @property
    def version(self) -> str:
        """What tells this version of the file from another."""
        return f"{self._partial.etag} {self.size}"

    @property
    def path(self) -> Path:
        """Where the parts lie."""
        return self._partial.path

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes from ``start`` up to ``stop`` or the end of the file, fetching those that are not here."""
        stop = min(stop, self.size)
        if start >= stop:
            return b""
        for gap in self._partial.missing(start, stop):
            self._fetch(*gap)
        return self._partial.read(start, stop)

    def _open(self) -> None:
        if self._partial.size < 0 or self._partial.missing(0, min(HEAD_BYTES, self._partial.size)):
            self._fetch(0, HEAD_BYTES)
        try:
            check_content(self._partial.read(0, min(HEAD_BYTES, self.size)), self._format, self.where)
        except ForeignContentError:
            self._partial.forget()
            raise

    def _fetch(self, start: int, stop: int) -> None:
        """Fetch a stretch, through as many connections as it takes."""
        settings = self._bucket.settings
        failures = 0
        while start < stop:
            received, problem, pause = self._attempt(start, stop)
            if received:
                failures = 0
                start += received
            if self._partial.size >= 0:
                stop = min(stop, self._partial.size)
            if start >= stop:
                return
            failures += 1
            if failures >= settings.attempts:
                raise RemoteError(
                    f"{problem or 'the transfer broke off'}, {failures} times in a row",
                    where=self.where,
                    fix="Run the same command again later; what was fetched is kept.",
                )
            pause = max(pause, settings.back_off_s * 2 ** (failures - 1))
            if self._bucket.stop.wait(min(pause, _LONGEST_PAUSE_S)):
                raise CollectingStoppedError

    def _attempt(self, start: int, stop: int) -> tuple[int, str, float]:
        """Ask once.

        Returns:
            How many bytes came, what went wrong (empty: nothing), how long the server asks to wait in seconds.
        """
        if self._whole is not None and self._whole_position == start:
            return self._receive(self._whole, start, stop)
        self._close_whole()
        headers = {"Range": f"bytes={start}-{stop - 1}"}
        try:
            response = self._bucket.session.get(
                self.where, headers=headers, stream=True, timeout=self._bucket.settings.timeout_s
            )
        except _BROKEN as error:
            return 0, f"cannot reach the server: {' '.join(str(error).split())[:160]}", 0.0
        try:
            if response.status_code in _RETRIED_STATUS:
                return 0, f"the server answered {response.status_code}", _retry_after(response)
            stop = self._judge(response, start, stop)
            if response.status_code == 200:
                self._whole, self._whole_position = response, start
                if not self._skip(response, start):
                    return 0, "the transfer broke off", 0.0
            return self._receive(response, start, stop)
        finally:
            if response is not self._whole:
                response.close()

    def _skip(self, response: requests.Response, length: int) -> bool:
        """Read what is here already out of an answer that holds the whole file; tells whether that worked."""
        try:
            while length:
                chunk = response.raw.read1(min(_CHUNK_BYTES, length))
                self._count(len(chunk))
                length -= len(chunk)
                if not chunk:
                    return False
        except _BROKEN:
            return False
        return True

    def _count(self, num_bytes: int) -> None:
        self.num_received += num_bytes
        if self._on_bytes is not None:
            self._on_bytes(num_bytes)

    def _save(self) -> None:
        if self._unsaved:
            self._partial.save()
        self._unsaved, self._saved_at = 0, time.monotonic()

    def _close_whole(self) -> None:
        if self._whole is not None:
            self._whole.close()
            self._whole = None

    def _judge(self, response: requests.Response, start: int, stop: int) -> int:
        """Check the head of an answer; returns where the part ends that may be read."""
        status, url = response.status_code, self.where
        if status == 416:
            if self._partial.size < 0:
                raise RemoteError("the file is empty", where=url, fix="Check --base-url.")
            self._drop_changed()
        if status not in (200, 206):
            reason = {403: "the server does not allow it", 404: "there is no such file"}.get(status, "no file")
            raise RemoteError(
                f"{reason} (HTTP {status})", where=url, fix="Check the name of the category and --base-url."
            )
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise RemoteError("the server compresses the file, so parts of it cannot be had", where=url)
        if status == 206:
            parts = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
            if parts is None or int(parts[1]) != start or int(parts[2]) < start:
                told = response.headers.get("Content-Range", "none")
                raise RemoteError(f"the server sent another part than asked (Content-Range: {told})", where=url)
            self._accept_version(response, int(parts[3]))
            return min(stop, int(parts[2]) + 1)
        length = response.headers.get("Content-Length", "")
        if self._partial.missing(0, start):
            raise RangeIgnoredError(
                "the server ignores Range and would send the whole file, so only its beginning can be had",
                where=url,
                fix="Use --sample first, or --sample all to fetch everything.",
            )
        if not length.isdigit():
            raise RemoteError("the server neither sends parts nor says how long the file is", where=url)
        self._accept_version(response, int(length))
        return min(stop, int(length))

    def _accept_version(self, response: requests.Response, size: int) -> None:
        partial, etag = self._partial, response.headers.get("ETag", "")
        if partial.size >= 0 and (partial.size, partial.etag) != (size, etag):
            self._drop_changed()
        partial.size, partial.etag = size, etag

    def _drop_changed(self) -> NoReturn:
        self._partial.forget()
        raise RemoteFileChangedError(
            "the file on the server has changed; what was here of the old one was dropped",
            where=self.where,
            fix="Run the same command again.",
        )

    def _receive(self, response: requests.Response, start: int, stop: int) -> tuple[int, str, float]:
        position = start
        problem = ""
        try:
            while position < stop:
                if self._bucket.stop.is_set():
                    raise CollectingStoppedError
                try:
                    chunk = response.raw.read1(min(_CHUNK_BYTES, stop - position))
                except _BROKEN as error:
                    problem = f"the transfer broke off: {' '.join(str(error).split())[:160]}"
                    break
                if not chunk:
                    break
                self._partial.write(position, chunk)
                position += len(chunk)
                self._count(len(chunk))
                self._unsaved += len(chunk)
                if self._unsaved >= _SAVE_EVERY_BYTES or time.monotonic() - self._saved_at > _SAVE_EVERY_S:
                    self._save()
        finally:
            if response is self._whole:
                self._whole_position = position
                if position < stop:
                    self._close_whole()
        if not problem and response is not self._whole and response.raw.length_remaining == 0:
            response.raw.drain_conn()  # Everything was read: the connection can serve the next part.
        return position - start, problem, 0.0


def _retry_after(response: requests.Response) -> float:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdigit() else 0.0
