"""A media host that sends prepared bytes and does nothing else, so that a bench measures its clients.

It speaks as much HTTP/1.1 as clients of media need: GET, connections kept open or closed as the client asks. One
thread, one loop, the whole answer ready before the first request; run it in a process of its own::

    python -m tests.support.prepared_media FOLDER

It prints its address, then serves ``FOLDER/<name>`` as ``/<name>`` until it is killed.
"""

import asyncio
import sys
from pathlib import Path

_TYPES = {".jpg": "image/jpeg", ".png": "image/png", ".gif": "image/gif", ".webp": "image/webp"}
_MISSING = b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n"


def prepared_answers(folder: Path) -> dict[bytes, bytes]:
    """Return path -> whole answer, head and body, for every file of a folder."""
    answers = {}
    for path in folder.iterdir():
        body = path.read_bytes()
        head = (
            f"HTTP/1.1 200 OK\r\nContent-Type: {_TYPES.get(path.suffix, 'application/octet-stream')}\r\n"
            f'ETag: "{path.stem}"\r\nContent-Length: {len(body)}\r\n\r\n'
        )
        answers[f"/{path.name}".encode()] = head.encode("latin-1") + body
    return answers


class _Connection(asyncio.Protocol):
    def __init__(self, answers: dict[bytes, bytes]) -> None:
        self._answers = answers
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            path = head.split(b" ", 2)[1]
            self._transport.write(self._answers.get(path, _MISSING))
            if b"connection: close" in head.lower():
                self._transport.close()


async def _serve(answers: dict[bytes, bytes]) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(answers), "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(prepared_answers(Path(sys.argv[1]))))
