"""Fetches media files: politely to each host, resumably, and never longer than a deadline.

urllib3 is used directly (requests costs twice the time for each small file). What came of a file lies in its
``.part``, written every megabyte and when the transfer ends, well or badly, so that a broken one goes on with a Range
request, also in a later process.
"""

import random
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from threading import BoundedSemaphore, Event, Lock
from typing import Any, BinaryIO

import urllib3
from urllib3.util import Retry, Timeout

from collectors.consent import ConsentPolicy, RobotsGuard, judge_robots_tag
from collectors.errors import InputError
from collectors.media_urls import host_group
from collectors.refusals import Refusal

_CHUNK_BYTES = 1 << 16
# A small file is written once: every call of the operating system lets other threads in, and then waits for them.
_WRITE_BYTES = 1 << 20
_RETRIED_STATUS = (408, 425, 429, 500, 502, 503, 504)
_MAX_REDIRECTS = 3
_ROBOTS_BYTES = 512_000


@dataclass(frozen=True, slots=True)
class DownloadSettings:
    """How to fetch.

    Attributes:
        per_host: Transfers at a time from one host; all media hosts of Tumblr count as one.
        attempts: Tries of one file before it is put on the list for later.
        back_off_s: Pause after a failed try, doubling, with jitter.
        read_timeout_s: Longest silence of a server.
        deadline_s: Longest time for one file, all tries together; a dripping server cannot hold up the rest.
        max_bytes: Stop reading beyond this many bytes.
        proxy: URL of an HTTP proxy, or empty.
    """

    per_host: int = 6
    attempts: int = 4
    back_off_s: float = 1.0
    read_timeout_s: float = 20.0
    deadline_s: float = 90.0
    max_bytes: int = 30_000_000
    proxy: str = ""


@dataclass(slots=True)
class Download:
    """What came of fetching one file.

    Attributes:
        content: The bytes, or ``None`` when refused.
        status: Last HTTP status, 0 when the host was not reached.
        attempts: Tries made.
        num_bytes: Received over the wire, all tries.
        was_resumed: The content was put together from two transfers.
        refusal: Why there is no content.
    """

    content: bytes | None = None
    status: int = 0
    attempts: int = 0
    num_bytes: int = 0
    etag: str = ""
    was_resumed: bool = False
    refusal: Refusal | None = None


@dataclass(slots=True)
class _Host:
    """Politeness towards one host."""

    slots: BoundedSemaphore
    paused_until: float = 0.0
    lock: Lock = field(default_factory=Lock)


class Downloader:
    """Fetches files from any number of threads.

    Args:
        agent: The User-Agent.
        settings: How to fetch.
        policy: Whether robots.txt and X-Robots-Tag count.
        stop: When set, transfers end early with the retryable refusal ``stopped``.
    """

    def __init__(self, agent: str, settings: DownloadSettings, policy: ConsentPolicy, stop: Event) -> None:
        self.settings = settings
        self._policy = policy
        self._stop = stop
        self._hosts: dict[str, _Host] = defaultdict(lambda: _Host(BoundedSemaphore(settings.per_host)))
        self._hosts_lock = Lock()
        self._random = random.Random()
        # No Referer (Tumblr refuses foreign ones), no text/html (it would answer with a viewer page).
        self._headers = {"User-Agent": agent, "Accept": "image/*", "Accept-Encoding": "identity"}
        options: dict[str, Any] = {
            "headers": self._headers,
            "maxsize": settings.per_host,
            "timeout": Timeout(connect=10.0, read=settings.read_timeout_s),
            "retries": Retry(total=None, connect=0, read=0, status=0, other=0, redirect=_MAX_REDIRECTS),
        }
        self._pool: urllib3.PoolManager = (
            urllib3.ProxyManager(settings.proxy, **options) if settings.proxy else urllib3.PoolManager(**options)
        )
        self._robots = RobotsGuard(self._fetch_robots)

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def fetch(self, url: str, part_path: Path) -> Download:
        """Fetch a file, going on with ``part_path`` when that exists.

        Raises:
            InputError: The disk refuses the file.
        """
        result = Download()
        if self._policy.honour_robots and (refusal := self._robots.judge(url)):
            result.refusal = refusal
            return result
        deadline = time.monotonic() + self.settings.deadline_s
        with self._hosts_lock:
            host = self._hosts[host_group(url)]
        while True:
            self._wait_for(host)
            if self._stop.is_set():
                result.refusal = Refusal("stopped", "the collector was stopped", is_retryable=True)
                return result
            result.attempts += 1
            with host.slots:
                refusal = self._attempt(url, part_path, result, deadline)
            if refusal is None or not refusal.is_retryable:
                break
            pause = self.settings.back_off_s * 2 ** (result.attempts - 1) * self._random.uniform(0.75, 1.25)
            if result.status == 429:
                with host.lock:
                    host.paused_until = max(host.paused_until, time.monotonic() + pause)
            if result.attempts >= self.settings.attempts or time.monotonic() + pause > deadline:
                break
            self._stop.wait(pause)
        result.refusal = refusal
        if refusal is not None and not refusal.is_retryable:
            part_path.unlink(missing_ok=True)
        return result

    def _wait_for(self, host: _Host) -> None:
        while (left := host.paused_until - time.monotonic()) > 0 and not self._stop.is_set():
            self._stop.wait(left)

    def _attempt(self, url: str, part_path: Path, result: Download, deadline: float) -> Refusal | None:
        try:
            start = part_path.stat().st_size
        except OSError:
            start = 0
        headers = self._headers | ({"Range": f"bytes={start}-"} if start else {})
        try:
            response = self._pool.request("GET", url, headers=headers, preload_content=False, decode_content=False)
        except urllib3.exceptions.MaxRetryError as error:
            if isinstance(error.reason, urllib3.exceptions.ResponseError):
                return Refusal("too_many_redirects", f"more than {_MAX_REDIRECTS} redirects")
            return Refusal("connection_failed", f"cannot reach the host: {_words(error.reason)}", is_retryable=True)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            return Refusal("connection_failed", f"cannot reach the host: {_words(error)}", is_retryable=True)
        result.status = response.status
        is_whole = False
        try:
            refusal = self._judge_head(response, start)
            if refusal is not None:
                result.num_bytes += len(response.read(_CHUNK_BYTES))
                if response.status == 416:
                    part_path.unlink(missing_ok=True)
                return refusal
            if response.status == 416:  # everything was there already
                result.content = part_path.read_bytes()
            else:
                refusal = self._receive(response, part_path, start if response.status == 206 else 0, result, deadline)
            result.was_resumed = start > 0 and response.status in (206, 416)
            result.etag = response.headers.get("ETag", "")
            is_whole = refusal is None
            return refusal
        finally:
            if is_whole:
                response.drain_conn()
                response.release_conn()
            else:
                response.close()

    def _judge_head(self, response: urllib3.BaseHTTPResponse, start: int) -> Refusal | None:
        status = response.status
        if self._policy.honour_robots_tag:
            refusal = judge_robots_tag(response.headers.getlist("X-Robots-Tag"))
            if refusal is not None:
                return refusal
        if status == 416:
            if response.headers.get("Content-Range", "") == f"bytes */{start}":
                return None
            return Refusal("range_refused", "the rest of the file cannot be had; starting over", is_retryable=True)
        if status == 206 and not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            return Refusal("range_refused", "the server sent another part than asked", is_retryable=True)
        if status in (200, 206):
            length = response.headers.get("Content-Length", "")
            if length.isdigit() and int(length) > self.settings.max_bytes:
                return Refusal("too_many_bytes", f"{int(length):,} bytes, more than {self.settings.max_bytes:,}")
            return None
        return Refusal(
            f"http_{status}", _STATUS_WORDS.get(status, f"the server answered {status}"), status in _RETRIED_STATUS
        )

    def _receive(
        self, response: urllib3.BaseHTTPResponse, part_path: Path, start: int, result: Download, deadline: float
    ) -> Refusal | None:
        content = bytearray()
        try:
            if start:
                content += part_path.read_bytes()
            with part_path.open("ab" if start else "wb", buffering=_CHUNK_BYTES) as stream:
                refusal = self._read_into(content, stream, response, result, deadline)
        except OSError as error:
            raise InputError(
                f"cannot write: {error.strerror or error}",
                where=str(part_path),
                fix="Free some space, then run the same command again; nothing is lost.",
            ) from error
        if refusal is None:
            result.content = bytes(content)
        return refusal

    def _read_into(
        self,
        content: bytearray,
        stream: BinaryIO,
        response: urllib3.BaseHTTPResponse,
        result: Download,
        deadline: float,
    ) -> Refusal | None:
        """Read to the end of the response, into memory and into the file."""
        written = len(content)
        try:
            while True:
                try:
                    chunk = response.read1(_CHUNK_BYTES)
                except (urllib3.exceptions.HTTPError, OSError) as error:
                    return Refusal("transfer_broken", f"the transfer broke off: {_words(error)}", is_retryable=True)
                if not chunk:
                    return None
                content += chunk
                result.num_bytes += len(chunk)
                if len(content) - written >= _WRITE_BYTES:
                    stream.write(content[written:])
                    written = len(content)
                if len(content) > self.settings.max_bytes:
                    return Refusal("too_many_bytes", f"more than {self.settings.max_bytes:,} bytes")
                if time.monotonic() > deadline:
                    return Refusal(
                        "too_slow",
                        f"not finished within {self.settings.deadline_s:g} s ({len(content):,} bytes came)",
                        is_retryable=True,
                    )
                if self._stop.is_set():
                    return Refusal("stopped", "the collector was stopped", is_retryable=True)
        finally:
            stream.write(content[written:])

    def _fetch_robots(self, url: str) -> tuple[int, str]:
        for attempt in range(self.settings.attempts):
            try:
                response = self._pool.request(
                    "GET", url, headers=self._headers | {"Accept": "text/plain, */*"}, preload_content=False
                )
                text = response.read(_ROBOTS_BYTES).decode("utf-8", "replace")
                response.close()
            except (urllib3.exceptions.HTTPError, OSError):
                status, text = 0, ""
            else:
                status = response.status
            if status and status < 500 and status != 429:
                break
            self._stop.wait(self.settings.back_off_s * 2**attempt)
        return status, text


_STATUS_WORDS = {
    401: "the server wants a login (401)",
    403: "the picture is deleted or protected (403)",
    404: "the picture is gone (404)",
    410: "the picture is gone (410)",
    429: "the media server says: too many requests (429)",
    500: "the server failed (500)",
    503: "the server is overloaded (503)",
}


def _words(error: BaseException | None) -> str:
    return " ".join(str(error).split())[:160]
