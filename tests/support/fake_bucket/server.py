"""The HTTP server of the local bucket, its switches, and the journal it keeps."""

import contextlib
import re
import socket
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any
from urllib.parse import unquote

_HTML = b"<!DOCTYPE html>\n<html><body>Please sign in to this network.</body></html>\n"
_LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:21a281839d3f2eef\nsize 96590448\n"


@dataclass(frozen=True)
class Request:
    """One line of the journal: what was asked, what was answered, how many bytes of body went out."""

    path: str
    range: str
    status: int
    num_sent: int
    user_agent: str


class FakeBucket:
    """A bucket. Use as a context manager.

    Args:
        files: Content by path, such as ``full/numpy_bitmap/cat.npy``.

    Attributes:
        ranges: Off: ``Range`` is ignored and the whole file is sent with 200, as Google does for compressed objects.
        cut_after: Connections are dropped after this many bytes of body.
        cuts: How many answers are cut; counts down.
        statuses: Statuses to answer before anything else, one a request.
        html, lfs: Every file is a page of a hotel, or a Git-LFS pointer.
        bytes_per_s: How fast bytes go out; 0 for at once.
        wrong_content_range: The part sent is named wrongly.
        gzip: Everything is sent with Content-Encoding: gzip.
        no_etag: No ETag is sent.
        on_request: Called before each answer, to change things between two requests.
    """

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        self.files = dict(files or {})
        self.ranges = True
        self.cut_after = -1
        self.cuts = 0
        self.statuses: list[int] = []
        self.html = self.lfs = False
        self.bytes_per_s = 0
        self.wrong_content_range = self.gzip = self.no_etag = False
        self.on_request: Callable[[int], None] = lambda number: None
        self.journal: list[Request] = []
        self.lock = Lock()
        self.num_requests = 0
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.fake = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/quickdraw_dataset"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def add_folder(self, format_name: str, folder: Path) -> None:
        """Serve the files of a folder as one of ``full/<format>``."""
        for path in sorted(folder.iterdir()):
            self.files[f"full/{format_name}/{path.name}"] = path.read_bytes()

    @property
    def num_sent(self) -> int:
        """Bytes of body of all answers."""
        return sum(request.num_sent for request in self.journal)

    def __enter__(self) -> "FakeBucket":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    fake: FakeBucket

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that stops reading is what we test, not an error."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        fake = self.server.fake
        with fake.lock:
            fake.num_requests += 1
            number = fake.num_requests
            forced = fake.statuses.pop(0) if fake.statuses else 0
        fake.on_request(number)
        name = unquote(self.path).removeprefix("/quickdraw_dataset/")
        content = fake.files.get(name)
        if forced:
            self._send(forced, {"Retry-After": "0"}, b"try later", "")
            return
        if content is None:
            message = b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>"
            self._send(404, {"Content-Type": "application/xml"}, message, "")
            return
        content = _HTML if fake.html else _LFS if fake.lfs else content
        headers = {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes"}
        if not fake.no_etag:
            headers["ETag"] = f'"{zlib.crc32(content):08x}"'
        if fake.gzip:
            headers["Content-Encoding"] = "gzip"
        asked = self.headers.get("Range", "")
        part = re.fullmatch(r"bytes=(\d+)-(\d*)", asked)
        if part is None or not fake.ranges:
            self._send(200, headers, content, asked)
            return
        start, stop = int(part[1]), min(int(part[2] or len(content)) + 1, len(content))
        if start >= len(content):
            self._send(416, {"Content-Range": f"bytes */{len(content)}"}, b"", asked)
            return
        shift = 7 if fake.wrong_content_range else 0
        headers["Content-Range"] = f"bytes {start + shift}-{stop - 1 + shift}/{len(content)}"
        self._send(206, headers, content[start:stop], asked)

    def _send(self, status: int, headers: dict[str, str], body: bytes, asked: str) -> None:
        fake = self.server.fake
        lines = [f"HTTP/1.1 {status} {self.responses.get(status, ('',))[0]}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += [f"Content-Length: {len(body)}", "", ""]
        is_cut = False
        with fake.lock:
            if fake.cuts > 0 and status in (200, 206) and 0 <= fake.cut_after < len(body):
                fake.cuts -= 1
                is_cut = True
        sent = 0
        with contextlib.suppress(OSError):
            self.connection.settimeout(20)
            self.wfile.write("\r\n".join(lines).encode("latin-1"))
            end = fake.cut_after if is_cut else len(body)
            step = max(1, fake.bytes_per_s // 50) if fake.bytes_per_s else 1 << 14
            while sent < end:
                sent += self.connection.send(body[sent : min(end, sent + step)])
                if fake.bytes_per_s:
                    time.sleep(0.02)
        with fake.lock:
            agent = self.headers.get("User-Agent", "")
            fake.journal.append(Request(unquote(self.path), asked, status, sent, agent))
        if is_cut:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: object) -> None:
        """The journal is the log."""
