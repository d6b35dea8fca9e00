"""The media host of the local Tumblr: pictures, their renditions, and everything that can be wrong with them."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from threading import Lock

from tests.support.fake_tumblr.answers import CLASSES
from tests.support.fake_tumblr.faults import Faults
from tests.support.fake_tumblr.pictures import picture_bytes, scaled
from tests.support.fake_tumblr.world import Picture, World

ROBOTS = "User-agent: GPTBot\nDisallow: /\n\nUser-agent: *\nDisallow: /forbidden/\n"
_XML = b'<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'
_HTML = b"<!DOCTYPE html><html><head><title>picture</title></head><body>the viewer page</body></html>"
_TYPES = {"jpg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp"}


@dataclass
class MediaAnswer:
    """What to send, and how badly.

    Attributes:
        cut_after: Close the connection after this many bytes of the body; -1 sends all.
        is_reset: Close it with a reset instead.
        bytes_per_s: Drip; 0 sends at once.
        claimed_length: ``Content-Length`` when it is not the body's; -1 for the true one.
    """

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int = -1
    is_reset: bool = False
    bytes_per_s: float = 0.0
    claimed_length: int = -1


class MediaRoutes:
    """Answers media requests; counts them by URL so that passing faults pass."""

    def __init__(self, world: World, faults: Faults) -> None:
        self.world = world
        self.faults = faults
        self._seen: Counter[str] = Counter()
        self._lock = Lock()

    def answer(self, path: str, headers: dict[str, str]) -> MediaAnswer:
        if path == "/robots.txt":
            return MediaAnswer(200, ROBOTS.encode(), {"Content-Type": "text/plain"})
        if headers.get("referer"):
            return MediaAnswer(403, _XML, {"Content-Type": "application/xml"})
        if "text/html" in headers.get("accept", ""):
            return MediaAnswer(200, _HTML, {"Content-Type": "text/html"})
        is_redirected = path.startswith("/moved/")
        path = path.removeprefix("/moved")
        picture, width, height = self._find(path.removeprefix("/forbidden"))
        if picture is None:
            return MediaAnswer(403, _XML, {"Content-Type": "application/xml"})
        if picture.harmless == "redirect" and not is_redirected:
            return MediaAnswer(302, b"", {"Location": "/moved" + path})
        with self._lock:
            self._seen[path] += 1
            is_passing = bool(picture.passing) and self._seen[path] <= self.faults.passing_times
        return self._picture_answer(picture, width, height, picture.passing if is_passing else "", headers)

    def _find(self, path: str) -> tuple[Picture | None, int, int]:
        parts = path.split("/")
        if len(parts) == 5:
            size = parts[3].removeprefix("s").split("_")[0]
            width, _, height = size.partition("x")
            if not (width.isdigit() and height.isdigit()):
                return None, 0, 0
            return self.world.pictures.get(f"{parts[1]}:{parts[2]}"), int(width), int(height)
        key, _, tail = parts[-1].rpartition("_")
        width_text = tail.split(".")[0].removesuffix("sq")
        width = int(width_text) if width_text.isdigit() else 0
        height = dict(CLASSES).get(width, width)
        return self.world.pictures.get(key), width, height

    def _picture_answer(
        self, picture: Picture, width: int, height: int, passing: str, headers: dict[str, str]
    ) -> MediaAnswer:
        lasting = picture.lasting
        if lasting in ("gone_403", "gone_404", "xml_200"):
            status = {"gone_403": 403, "gone_404": 404, "xml_200": 200}[lasting]
            return MediaAnswer(status, _XML, {"Content-Type": "application/xml"})
        if lasting == "constant_500" or passing in ("busy_503", "busy_429"):
            status = {"busy_503": 503, "busy_429": 429}.get(passing, 500)
            return MediaAnswer(status, b"try later", {"Content-Type": "text/plain"})
        if lasting == "html_200":
            return MediaAnswer(200, _HTML, {"Content-Type": "image/jpeg"})
        if lasting == "zero_bytes":
            return MediaAnswer(200, b"", {"Content-Type": "image/jpeg"})
        recipe = scaled(picture.recipe, width, height) if width and picture.recipe.form != "bomb" else picture.recipe
        body = picture_bytes(recipe)
        kind = _TYPES.get(picture.extension, "image/jpeg")
        answer = MediaAnswer(200, body, {"Content-Type": kind, "ETag": f'"{hashlib.md5(body).hexdigest()}"'})
        if lasting == "truncated_image":
            answer.body = body[: len(body) * 6 // 10]
        elif lasting == "oversized":
            answer.claimed_length, answer.cut_after = 900_000_000, len(body)
        elif lasting == "noai_header":
            answer.headers["X-Robots-Tag"] = "noai, noimageai"
        if picture.harmless == "wrong_content_type":
            answer.headers["Content-Type"] = "text/plain"
        self._cut_to_range(answer, picture, headers.get("range", ""))
        if passing in ("cut_short", "reset"):
            answer.cut_after, answer.is_reset = len(answer.body) // 2, passing == "reset"
        elif passing == "drip":
            answer.bytes_per_s = self.faults.drip_bytes_per_s
        return answer

    def _cut_to_range(self, answer: MediaAnswer, picture: Picture, wanted: str) -> None:
        start_text = wanted.removeprefix("bytes=").removesuffix("-")
        if not start_text.isdigit() or picture.harmless == "no_range":
            return
        start, size = int(start_text), len(answer.body)
        if start >= size:
            answer.status, answer.body = 416, b""
            answer.headers["Content-Range"] = f"bytes */{size}"
            return
        answer.status, answer.body = 206, answer.body[start:]
        answer.headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
