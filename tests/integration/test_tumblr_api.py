"""The API client against a real server: every shape of failure, limits, and a key that never shows."""

import json
import logging
import time
from collections.abc import Iterator

import pytest

from collectors.errors import ConfigError, CredentialsError, RemoteError
from collectors.http_client import api_session, user_agent
from collectors.rate_limits import CallWindow, QuotaSpentError, RateScheduler
from collectors.tumblr_api import BlogUnavailableError, TumblrApi
from tests.support.collecting import KEY, scheduler
from tests.support.fake_tumblr import FakeTumblr, Faults, World, WorldSettings
from tests.support.fake_tumblr.api_routes import ApiSettings


@pytest.fixture
def fake() -> Iterator[FakeTumblr]:
    world = World(WorldSettings(posts=60), Faults())
    with FakeTumblr(world, api=ApiSettings(key=KEY)) as server:
        yield server


def _api(fake: FakeTumblr, pace: RateScheduler | None = None, *, key: str = KEY) -> TumblrApi:
    return TumblrApi(key, api_session(user_agent("t@example.org")), pace or scheduler(), host=fake.url, back_off_s=0.01)


def test_a_tag_page_is_a_list_and_npf_is_asked_for(fake: FakeTumblr) -> None:
    posts = _api(fake).tagged("pose")
    assert len(posts) == 20
    (request,) = fake.journal
    assert "npf=true" in request.query
    assert request.headers["user-agent"] == user_agent("t@example.org")
    assert "referer" not in request.headers
    older = _api(fake).tagged("pose", before=posts[-1]["timestamp"])
    assert {post["id_string"] for post in older}.isdisjoint({post["id_string"] for post in posts})


def test_a_blog_page_is_larger_and_its_name_may_take_any_form(fake: FakeTumblr) -> None:
    blog = fake.world.posts[0].blog
    pages = [_api(fake).blog_posts(name, tag="pose") for name in (blog, f"{blog}.tumblr.com", f"t:{blog}")]
    assert pages[0] == pages[1] == pages[2] != []
    assert {post["blog_name"] for post in pages[0]} == {blog}
    assert fake.journal[2].path == f"/v2/blog/t:{blog}/posts"
    assert all("limit=50" in request.query for request in fake.journal)


@pytest.mark.parametrize(
    ("state", "code"),
    [("gone", "blog_not_found"), ("private", "blog_forbidden"), ("dashboard_only", "blog_dashboard_only")],
)
def test_a_blog_that_cannot_be_read_is_named(fake: FakeTumblr, state: str, code: str) -> None:
    fake.api_settings.blogs["shy"] = state
    with pytest.raises(BlogUnavailableError) as caught:
        _api(fake).blog_posts("shy")
    assert caught.value.code == code
    assert "shy" in str(caught.value)


def test_a_refused_key_does_not_stand_in_the_message(fake: FakeTumblr) -> None:
    with pytest.raises(CredentialsError, match="refused the API key") as caught:
        _api(fake, key="another-secret").tagged("pose")
    assert "another-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b'{"meta":{"status":500,"msg":"x"},"response":[]}'),
        (503, b"<html>over capacity</html>"),
        (200, b"not json"),
        (200, b"[1, 2]"),
        (200, b'{"response": []}'),
        (200, b'{"meta": "odd"}'),
        (200, b'{"meta":{"status":503,"msg":"inside"},"response":[]}'),
    ],
)
def test_what_cannot_be_used_is_asked_for_again_then_given_up(fake: FakeTumblr, status: int, body: bytes) -> None:
    fake.api_settings.answers = (status, body)
    with pytest.raises(RemoteError, match="no usable answer in 6 attempts") as caught:
        _api(fake).tagged("pose")
    assert len(fake.journal) == 6
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("payload", [[], {}, "some words", None, {"posts": "odd"}, [1, "x", None]])
def test_odd_payloads_are_empty_pages(fake: FakeTumblr, payload: object) -> None:
    fake.api_settings.answers = (200, json.dumps({"meta": {"status": 200}, "response": payload}).encode())
    assert _api(fake).tagged("pose") == []
    assert _api(fake).blog_posts("b") == []


def test_a_request_that_tumblr_calls_wrong(fake: FakeTumblr) -> None:
    fake.api_settings.answers = (400, b'{"meta":{"status":400},"response":[],"errors":[{"title":"Bad Request"}]}')
    with pytest.raises(ConfigError, match="400, Bad Request"):
        _api(fake).tagged("pose")


def test_passing_failures_are_survived() -> None:
    rates = {"api_500": 0.1, "api_503_html": 0.1, "api_not_json": 0.1, "api_no_meta": 0.1, "api_drop": 0.1}
    with FakeTumblr(World(WorldSettings(posts=40), Faults(**rates, api_burst_429=0.1))) as fake:
        api = _api(fake)
        assert all(len(api.tagged("pose")) == 20 for _ in range(25))
        statuses = {request.status for request in fake.journal}
    assert {0, 200, 429, 500, 503} <= statuses


def test_a_server_that_is_not_there() -> None:
    fake = FakeTumblr().start()
    fake.stop()
    with pytest.raises(RemoteError, match="no usable answer") as caught:
        _api(fake).tagged("pose")
    assert KEY not in str(caught.value)


def test_one_connection_serves_many_calls(fake: FakeTumblr) -> None:
    api = _api(fake)
    for _ in range(5):
        api.tagged("pose")
    assert len({request.connection for request in fake.journal}) == 1


def test_the_pace_is_kept_as_the_server_sees_it(fake: FakeTumblr) -> None:
    pace = RateScheduler([CallWindow(4, 0.5), CallWindow(9, 2.0)])
    api = _api(fake, pace)
    for _ in range(14):
        api.tagged("pose")
    times = [request.at for request in fake.journal]
    for window in pace.windows:
        assert all(sum(start <= at < start + window.seconds for at in times) <= window.calls for start in times), window


def test_burst_and_quota_are_told_apart() -> None:
    world = World(WorldSettings(posts=40), Faults())
    with FakeTumblr(world, api=ApiSettings(per_hour=3, hour_s=2.0)) as fake:
        told: list[str] = []
        pace = RateScheduler([CallWindow(1000, 60)], burst_wait_s=0.05, on_wait=lambda _, reason: told.append(reason))
        api = _api(fake, pace)
        started = time.monotonic()
        for _ in range(4):
            api.tagged("pose")
        assert time.monotonic() - started >= 2.0  # waited for the reset, not for the burst pause
        assert pace.bursts == 0
        assert [request.status for request in fake.journal] == [200] * 4  # the header warned before any refusal
    with FakeTumblr(world, api=ApiSettings(per_minute=2)) as fake:
        pace = RateScheduler([CallWindow(1000, 60)], burst_wait_s=0.02)
        api = _api(fake, pace)
        api.tagged("pose")
        api.tagged("pose")
        with pytest.raises(RemoteError):
            api.tagged("pose")
        assert pace.bursts >= 5


def test_a_quota_that_takes_hours_ends_the_run() -> None:
    world = World(WorldSettings(posts=40), Faults())
    with FakeTumblr(world, api=ApiSettings(per_day=2)) as fake:
        api = _api(fake)
        api.tagged("pose")
        api.tagged("pose")
        with pytest.raises(QuotaSpentError, match="run the same command again"):
            api.tagged("pose")
        assert len(fake.journal) == 2


def test_the_key_is_in_no_log(fake: FakeTumblr, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        _api(fake).tagged("pose")
        fake.api_settings.answers = (500, b"")
        with pytest.raises(RemoteError):
            _api(fake).tagged("pose")
    assert any("api_key=***" in message for message in caplog.messages)
    assert KEY not in caplog.text
