"""The HTTP server of the local Tumblr, and the journal it keeps."""

import contextlib
import socket
import struct
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

from tests.support.fake_tumblr.api_routes import ApiRoutes, ApiSettings
from tests.support.fake_tumblr.faults import Faults
from tests.support.fake_tumblr.media_routes import MediaAnswer, MediaRoutes
from tests.support.fake_tumblr.world import World, WorldSettings


@dataclass(frozen=True)
class Request:
    """One line of the journal.

    Attributes:
        at: Unix time of arrival.
        headers: Names in lower case.
        status: Of the answer, 0 when the connection was dropped.
        at_once: Media answers under way when this one began, itself included; 0 for the API.
        connection: Port of the client, one for each connection.
    """

    at: float
    path: str
    query: str
    headers: dict[str, str]
    status: int
    at_once: int
    connection: int

    @property
    def is_api(self) -> bool:
        return self.path.startswith("/v2/")


class FakeTumblr:
    """A Tumblr on a loopback port. Use as a context manager, or `start` and `stop` it.

    Args:
        port: 0 takes a free one.
        world: What is on it; by default 200 posts without faults.
    """

    def __init__(self, world: World | None = None, *, port: int = 0, api: ApiSettings | None = None) -> None:
        self.world = world or World(WorldSettings(), Faults())
        self.api_settings = api or ApiSettings()
        self.api = ApiRoutes(self.world, self.world.faults, self.api_settings)
        self.media = MediaRoutes(self.world, self.world.faults)
        self.journal: list[Request] = []
        self.keeps_journal = True
        self.media_at_once = 0
        self.lock = Lock()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.fake = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread: Thread | None = None

    def start(self) -> "FakeTumblr":
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        if self._thread is not None:
            self._thread.join()

    def __enter__(self) -> "FakeTumblr":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def api_requests(self) -> list[Request]:
        return [request for request in self.journal if request.is_api]

    @property
    def media_requests(self) -> list[Request]:
        return [request for request in self.journal if not request.is_api and request.path != "/robots.txt"]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    fake: FakeTumblr

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is not worth a traceback."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        fake = self.server.fake
        arrived = time.time()
        parts = urllib.parse.urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        if not headers.get("user-agent"):
            self._send(403, {"Content-Type": "text/plain"}, b"a User-Agent is mandatory")
            return
        if parts.path.startswith("/v2/"):
            answer = fake.api.answer(parts.path, urllib.parse.parse_qs(parts.query), fake.url)
            self._note(arrived, parts, headers, answer[0] if answer else 0, 0)
            if answer is None:
                self._drop()
            else:
                self._send(answer[0], answer[1], answer[2])
            return
        with self._counted() as at_once:
            media = fake.media.answer(parts.path, headers)
            self._note(arrived, parts, headers, media.status, at_once)
            self._send_media(media)

    @contextlib.contextmanager
    def _counted(self) -> Iterator[int]:
        fake = self.server.fake
        with fake.lock:
            fake.media_at_once += 1
            at_once = fake.media_at_once
        try:
            yield at_once
        finally:
            with fake.lock:
                fake.media_at_once -= 1

    def _note(
        self, at: float, parts: urllib.parse.SplitResult, headers: dict[str, str], status: int, at_once: int
    ) -> None:
        if self.server.fake.keeps_journal:
            self.server.fake.journal.append(
                Request(at, parts.path, parts.query, headers, status, at_once, self.client_address[1])
            )

    def _send_media(self, media: MediaAnswer) -> None:
        body = media.body if media.cut_after < 0 else media.body[: media.cut_after]
        length = media.claimed_length if media.claimed_length >= 0 else len(media.body)
        if media.bytes_per_s:
            self._send(media.status, media.headers, b"", length=length)
            step = max(1, int(media.bytes_per_s / 20))
            for start in range(0, len(body), step):
                time.sleep(0.05)
                self._write(body[start : start + step])
        else:
            self._send(media.status, media.headers, body, length=length)
        if media.cut_after >= 0:
            if media.is_reset:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._drop()

    def _drop(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _send(self, status: int, headers: dict[str, str], body: bytes, *, length: int = -1) -> None:
        lines = [f"HTTP/1.1 {status} {self.responses.get(status, ('',))[0]}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += [f"Content-Length: {len(body) if length < 0 else length}", "", ""]
        self._write("\r\n".join(lines).encode("latin-1") + body)

    def _write(self, content: bytes) -> None:
        try:
            self.wfile.write(content)
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """The journal is the log."""
