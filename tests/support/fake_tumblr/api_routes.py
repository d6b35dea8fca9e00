"""The API routes of the local Tumblr: paging, quotas, refusals."""

import json
import random
import time
from collections import deque
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from tests.support.fake_tumblr.answers import post_json
from tests.support.fake_tumblr.faults import API, Faults
from tests.support.fake_tumblr.world import World

_BURST_BODY = b'{"meta":{"status":429,"msg":"Limit"},"response":{"error":"Rate Limit Exceeded"}}'


@dataclass
class ApiSettings:
    """What the API of the local Tumblr grants.

    Attributes:
        key: The only key it accepts; empty accepts every one.
        per_minute: Calls a minute of one address before the burst 429.
        per_hour: Calls an hour of a key.
        per_day: Calls a day of a key.
        hour_s: Length of that "hour", so that tests need not wait for one.
        sends_quota: Quota headers are sent.
        max_tagged: Largest page of ``/v2/tagged``.
        max_blog: Largest page of a blog.
        repeats_first_page: ``before`` is ignored.
        answers: A fixed (status, body) for every call, for tests of error shapes.
    """

    key: str = ""
    per_minute: int = 100_000
    per_hour: int = 100_000
    per_day: int = 500_000
    hour_s: float = 3_600.0
    day_s: float = 86_400.0
    sends_quota: bool = True
    max_tagged: int = 20
    max_blog: int = 50
    repeats_first_page: bool = False
    answers: tuple[int, bytes] | None = None
    blogs: dict[str, str] = field(default_factory=dict)  # name -> gone | private | dashboard_only


class ApiRoutes:
    """Answers API calls: ``(status, headers, body)``, or ``None`` to drop the connection."""

    def __init__(self, world: World, faults: Faults, settings: ApiSettings) -> None:
        self.world = world
        self.faults = faults
        self.settings = settings
        self._lock = Lock()
        self._random = random.Random(7)
        self._minute: deque[float] = deque()
        self._hour_start = self._day_start = float("-inf")  # they begin with the first call
        self._hour_calls = self._day_calls = 0
        self._fault_before = False

    def answer(self, path: str, query: dict[str, list[str]], base: str) -> tuple[int, dict[str, str], bytes] | None:
        with self._lock:
            refusal, headers = self._count_call()
            fault = "" if refusal else self._fault()
        if refusal:
            return refusal[0], headers, refusal[1]
        if self.settings.answers is not None:
            return self.settings.answers[0], headers, self.settings.answers[1]
        if fault == "api_drop":
            return None
        if fault in _FAULT_ANSWERS:
            status, kind, body = _FAULT_ANSWERS[fault]
            return status, headers | {"Content-Type": kind}, body
        key = query.get("api_key", [""])[0]
        if not key or (self.settings.key and key != self.settings.key):
            errors = [{"title": "Unauthorized", "code": 0, "detail": "Got an error. Try again."}]
            return 401, headers, _body(401, "Unauthorized", [], errors)
        status, content, errors = self._route(path, query, base, fault)
        return status, headers, _body(status, "OK" if status == 200 else "Error", content, errors)

    def _count_call(self) -> tuple[tuple[int, bytes] | None, dict[str, str]]:
        settings, now = self.settings, time.monotonic()
        if now - self._hour_start >= settings.hour_s:
            self._hour_start, self._hour_calls = now, 0
        if now - self._day_start >= settings.day_s:
            self._day_start, self._day_calls = now, 0
        while self._minute and self._minute[0] <= now - 60:
            self._minute.popleft()
        refusal = None
        if len(self._minute) >= settings.per_minute:
            refusal = (429, _BURST_BODY)
        else:
            self._minute.append(now)
            if self._hour_calls >= settings.per_hour or self._day_calls >= settings.per_day:
                errors = [{"title": "Limit Exceeded", "code": 0, "detail": "Jeepers, this is a limit."}]
                refusal = (429, _body(429, "Limit Exceeded", [], errors))
            else:
                self._hour_calls += 1
                self._day_calls += 1
        headers = {"Content-Type": "application/json; charset=utf-8"}
        if settings.sends_quota:
            for name, limit, used, start, length in (
                ("Perhour", settings.per_hour, self._hour_calls, self._hour_start, settings.hour_s),
                ("Perday", settings.per_day, self._day_calls, self._day_start, settings.day_s),
            ):
                headers[f"X-Ratelimit-{name}-Limit"] = str(limit)
                headers[f"X-Ratelimit-{name}-Remaining"] = str(max(0, limit - used))
                headers[f"X-Ratelimit-{name}-Reset"] = str(int(start + length - now) + 1)
        return refusal, headers

    def _fault(self) -> str:
        """At most one fault in two calls, so that none lasts longer than a careful client's patience."""
        value = self._random.random()
        if self._fault_before:
            self._fault_before = False
            return ""
        for name in API:
            rate = getattr(self.faults, name)
            if value < rate:
                self._fault_before = True
                return name
            value -= rate
        return ""

    def _route(
        self, path: str, query: dict[str, list[str]], base: str, fault: str
    ) -> tuple[int, Any, list[dict[str, Any]]]:
        tag = query.get("tag", [""])[0]
        if path == "/v2/tagged":
            if not tag:
                return 400, [], [{"title": "Bad Request", "code": 0, "detail": "tag"}]
            return 200, self._page(self.world.listed(tag), query, self.settings.max_tagged, base, fault), []
        parts = path.split("/")
        if len(parts) >= 5 and parts[1:3] == ["v2", "blog"] and parts[4] == "posts":
            name = parts[3].removesuffix(".tumblr.com").removeprefix("t:")
            state = self.settings.blogs.get(name, "")
            if state == "private":
                return 403, "You do not have permission to view this blog", []
            if state == "dashboard_only":
                return 404, [], [{"title": "Not Found", "code": 4012, "detail": "dashboard only"}]
            posts = self.world.listed(tag, blog=name)
            if state == "gone" or (not posts and not any(post.blog == name for post in self.world.posts)):
                return 404, [], [{"title": "Not Found", "code": 0, "detail": "gone"}]
            page = self._page(posts, query, self.settings.max_blog, base, fault)
            # The count is wrong on purpose, and the link skips posts of one second and lacks the key: as in life.
            links = {"next": {"href": f"/v2/blog/{name}/posts?before={page[-1]['timestamp']}"}} if page else {}
            return 200, {"blog": {"name": name}, "posts": page, "total_posts": 182_375, "_links": links}, []
        return 404, [], [{"title": "Not Found", "code": 0}]

    def _page(
        self, posts: list[Any], query: dict[str, list[str]], largest: int, base: str, fault: str
    ) -> list[dict[str, Any]]:
        if fault == "api_empty":
            return []
        before = query.get("before", [""])[0]
        if before.isdigit() and not self.settings.repeats_first_page:
            posts = [post for post in posts if post.order < int(before)]
        limit = query.get("limit", ["20"])[0]
        size = min(largest, int(limit) if limit.isdigit() and int(limit) else 20)
        if fault == "api_short":
            size = max(1, size // 6)
        return [post_json(post, base) for post in posts[:size]]


_FAULT_ANSWERS = {
    "api_burst_429": (429, "application/json", _BURST_BODY),
    "api_500": (500, "application/json", b'{"meta":{"status":500,"msg":"Server Error"},"response":[]}'),
    "api_503_html": (503, "text/html", b"<html><body>We are over capacity</body></html>"),
    "api_not_json": (200, "application/json", b'{"meta": {"status": 200, '),
    "api_no_meta": (200, "application/json", b'{"response": []}'),
}


def _body(status: int, message: str, content: Any, errors: list[dict[str, Any]]) -> bytes:
    answer: dict[str, Any] = {"meta": {"status": status, "msg": message}, "response": content}
    if errors:
        answer["errors"] = errors
    return json.dumps(answer).encode()
