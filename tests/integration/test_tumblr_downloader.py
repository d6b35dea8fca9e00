"""Fetching media from a real server that misbehaves."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from time import monotonic

import pytest

from collectors.consent import ConsentPolicy
from collectors.downloader import Downloader, DownloadSettings
from collectors.errors import InputError
from collectors.http_client import user_agent
from tests.support.fake_tumblr import FakeTumblr, Faults, World, WorldSettings
from tests.support.fake_tumblr.answers import media_path
from tests.support.fake_tumblr.pictures import picture_bytes
from tests.support.fake_tumblr.world import Picture

_SETTINGS = DownloadSettings(back_off_s=0.02, read_timeout_s=2.0, deadline_s=10.0)


@pytest.fixture
def fake() -> Iterator[FakeTumblr]:
    with FakeTumblr(World(WorldSettings(posts=12), Faults())) as server:
        yield server


def _one(fake: FakeTumblr, **changes: str) -> tuple[Picture, str]:
    """A picture that misbehaves as told, and its URL."""
    picture = next(picture for picture in fake.world.pictures.values() if not picture.old_shape)
    for name, value in changes.items():
        setattr(picture, name, value)
    return picture, fake.url + media_path(picture, 1280, 1920)


def _downloader(
    settings: DownloadSettings = _SETTINGS, policy: ConsentPolicy | None = None, stop: Event | None = None
) -> Downloader:
    return Downloader(user_agent("t@example.org"), settings, policy or ConsentPolicy(), stop or Event())


def test_a_file_comes_whole_and_we_behave(fake: FakeTumblr, tmp_path: Path) -> None:
    picture, url = _one(fake)
    result = _downloader().fetch(url, tmp_path / "1.part")
    body = picture_bytes(picture.recipe)
    assert result.content == body == (tmp_path / "1.part").read_bytes()
    assert (result.status, result.attempts, result.num_bytes, result.refusal) == (200, 1, len(body), None)
    assert result.etag.startswith('"')
    headers = fake.media_requests[0].headers
    assert headers["accept"] == "image/*"
    assert headers["user-agent"] == user_agent("t@example.org")
    assert "referer" not in headers
    assert fake.journal[0].path == "/robots.txt"


@pytest.mark.parametrize("passing", ["busy_503", "busy_429", "cut_short", "reset", "drip"])
@pytest.mark.parametrize("harmless", ["", "no_range", "redirect"])
def test_passing_trouble_is_survived(fake: FakeTumblr, tmp_path: Path, passing: str, harmless: str) -> None:
    picture, url = _one(fake, passing=passing, harmless=harmless)
    result = _downloader().fetch(url, tmp_path / "1.part")
    assert result.content == picture_bytes(picture.recipe)
    assert result.attempts == (1 if passing == "drip" else 2)


def test_a_broken_transfer_goes_on_where_it_broke(fake: FakeTumblr, tmp_path: Path) -> None:
    picture, url = _one(fake, passing="cut_short")
    result = _downloader().fetch(url, tmp_path / "1.part")
    size = len(picture_bytes(picture.recipe))
    assert fake.media_requests[1].headers["range"] == f"bytes={size // 2}-"
    assert result.num_bytes == size
    assert result.was_resumed


def test_a_part_of_an_earlier_process_is_used(fake: FakeTumblr, tmp_path: Path) -> None:
    picture, url = _one(fake)
    body = picture_bytes(picture.recipe)
    for size in (1, 1000, len(body) - 1, len(body)):
        (tmp_path / "1.part").write_bytes(body[:size])
        result = _downloader().fetch(url, tmp_path / "1.part")
        assert result.content == body
        assert result.num_bytes == len(body) - size


def test_a_part_that_is_too_long_is_thrown_away(fake: FakeTumblr, tmp_path: Path) -> None:
    picture, url = _one(fake)
    body = picture_bytes(picture.recipe)
    (tmp_path / "1.part").write_bytes(body + b"more")
    assert _downloader().fetch(url, tmp_path / "1.part").content == body


@pytest.mark.parametrize(
    ("lasting", "code", "is_retryable", "attempts"),
    [
        ("gone_403", "http_403", False, 1),
        ("gone_404", "http_404", False, 1),
        ("constant_500", "http_500", True, 4),
        ("oversized", "too_many_bytes", False, 1),
        ("noai_header", "x_robots_tag", False, 1),
        ("robots_forbidden", "robots_txt", False, 0),
    ],
)
def test_only_what_can_succeed_is_tried_again(
    fake: FakeTumblr, tmp_path: Path, lasting: str, code: str, is_retryable: bool, attempts: int
) -> None:
    _, url = _one(fake, lasting=lasting)
    result = _downloader().fetch(url, tmp_path / "1.part")
    assert result.refusal is not None
    assert (result.refusal.code, result.refusal.is_retryable, result.attempts) == (code, is_retryable, attempts)
    assert result.content is None
    assert not (tmp_path / "1.part").exists()


@pytest.mark.parametrize(("lasting", "policy"), [
    ("noai_header", ConsentPolicy(honour_robots_tag=False)), ("robots_forbidden", ConsentPolicy(honour_robots=False)),
])  # fmt: skip
def test_signals_can_be_overruled_on_purpose(
    fake: FakeTumblr, tmp_path: Path, lasting: str, policy: ConsentPolicy
) -> None:
    _, url = _one(fake, lasting=lasting)
    assert _downloader(policy=policy).fetch(url, tmp_path / "1.part").content


def test_a_straggler_is_left_behind_at_the_deadline(fake: FakeTumblr, tmp_path: Path) -> None:
    _, url = _one(fake, passing="drip")
    fake.world.faults.drip_bytes_per_s = 4_000
    started = monotonic()
    result = _downloader(replace(_SETTINGS, deadline_s=0.6)).fetch(url, tmp_path / "1.part")
    assert monotonic() - started < 3
    assert result.refusal is not None
    assert (result.refusal.code, result.refusal.is_retryable) == ("too_slow", True)
    assert (tmp_path / "1.part").stat().st_size > 0  # a retry goes on from here


def test_a_body_longer_than_allowed_is_cut_off(fake: FakeTumblr, tmp_path: Path) -> None:
    _, url = _one(fake)
    result = _downloader(replace(_SETTINGS, max_bytes=1_000)).fetch(url, tmp_path / "1.part")
    assert result.refusal is not None
    assert result.refusal.code == "too_many_bytes"


def test_a_host_that_is_not_there(tmp_path: Path) -> None:
    downloader = _downloader(policy=ConsentPolicy(honour_robots=False))
    result = downloader.fetch("http://127.0.0.1:1/a.jpg", tmp_path / "1.part")
    assert result.refusal is not None
    assert (result.refusal.code, result.refusal.is_retryable, result.attempts) == ("connection_failed", True, 4)
    assert _downloader().fetch("http://127.0.0.1:1/a.jpg", tmp_path / "1.part").refusal.code == "robots_unreachable"  # type: ignore[union-attr]


def test_a_folder_that_cannot_be_written_is_said_at_once(fake: FakeTumblr, tmp_path: Path) -> None:
    _, url = _one(fake)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="cannot write"):
        _downloader().fetch(url, tmp_path / "file" / "1.part")


def test_no_more_transfers_at_a_time_than_allowed(fake: FakeTumblr, tmp_path: Path) -> None:
    fake.world.faults.drip_bytes_per_s = 400_000
    pictures = list(fake.world.pictures.values())
    for picture in pictures:
        picture.passing = "drip"
    downloader = _downloader(replace(_SETTINGS, per_host=3))
    threads = [
        Thread(
            target=downloader.fetch,
            args=(fake.url + media_path(picture, 1280, 1920), tmp_path / f"{picture.number}.part"),
        )
        for picture in pictures
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fake.media_requests) == len(pictures) > 9
    assert max(request.at_once for request in fake.media_requests) == 3


def test_a_stop_ends_a_transfer(fake: FakeTumblr, tmp_path: Path) -> None:
    _, url = _one(fake, passing="drip")
    fake.world.faults.drip_bytes_per_s = 4_000
    stop = Event()
    results = []
    thread = Thread(target=lambda: results.append(_downloader(stop=stop).fetch(url, tmp_path / "1.part")))
    thread.start()
    stop.wait(0.3)
    stop.set()
    thread.join(3)
    assert results[0].refusal.code == "stopped"
