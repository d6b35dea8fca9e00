"""Whole sessions against the local Tumblr, which knows what a careful collector ends with."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from collectors.consent import ConsentPolicy
from collectors.errors import RemoteError
from collectors.image_files import ImageLimits
from collectors.ledger import Query, open_ledger
from collectors.ledger_reports import ledger_status
from collectors.rate_limits import CallWindow, RateScheduler
from collectors.tumblr_posts import SizeLimit
from tests.support.collecting import collect_here, differences, kept_files, options, outcomes
from tests.support.fake_tumblr import FakeTumblr, Faults, World, WorldSettings
from tests.support.fake_tumblr.api_routes import ApiSettings
from tests.support.fake_tumblr.pictures import picture_bytes

_IMAGES = Path("pose") / "unlabeled" / "images"


def _images(data: Path) -> list[Path]:
    return sorted((data / _IMAGES).iterdir())


def test_a_clean_tag_becomes_a_folder(tmp_path: Path) -> None:
    with FakeTumblr(World(WorldSettings(posts=45), Faults())) as fake:
        report = collect_here(tmp_path, fake.url)
        truth = fake.world.truth()
    assert set(truth.values()) == {"kept"}
    assert outcomes(tmp_path) == truth
    assert (report.ended_by, report.new_posts, report.num_gaps, report.refused) == ("exhausted", 45, 0, {})
    assert report.tally.kept == report.kept_in_class == len(truth) == len(_images(tmp_path))
    stored = Counter(path.read_bytes() for path in _images(tmp_path))
    assert stored == Counter(picture_bytes(picture.recipe) for picture in fake.world.pictures.values())
    assert all(path.name.startswith("tumblr-") for path in _images(tmp_path))


@pytest.mark.parametrize("seed", [1, 2])
def test_with_every_fault_at_once_the_truth_is_kept_exactly(tmp_path: Path, seed: int) -> None:
    with FakeTumblr(World(WorldSettings(posts=220, seed=seed), Faults.everything(0.02))) as fake:
        report = collect_here(tmp_path, fake.url)
        truth = fake.world.truth()
        journal = fake.journal
    assert outcomes(tmp_path) == truth
    assert report.num_gaps == 0
    assert len(_images(tmp_path)) == list(truth.values()).count("kept")
    for path in _images(tmp_path):
        with Image.open(path) as image:
            image.load()
            assert {"JPEG": ".jpg", "PNG": ".png"}[str(image.format)] == path.suffix
    assert not any((tmp_path / ".tagbox" / "incoming").iterdir())
    # What is refused before fetching is never asked for, and nothing is asked for in vain.
    paths = Counter(request.path for request in journal if not request.is_api)
    assert not any(path.startswith(("/forbidden", "/elsewhere")) for path in paths)
    assert paths["/robots.txt"] == 1
    assert max(paths.values()) <= 4


def test_politeness_as_the_server_sees_it(tmp_path: Path) -> None:
    with FakeTumblr(World(WorldSettings(posts=60), Faults.everything(0.02))) as fake:
        pace = RateScheduler([CallWindow(6, 1.0)], burst_wait_s=0.1)
        collect_here(tmp_path, fake.url, pace=pace)
        calls = [request.at for request in fake.api_requests]
        assert all(sum(start <= at < start + 1.0 for at in calls) <= 6 for start in calls)
        agents = {request.headers["user-agent"] for request in fake.journal}
        assert len(agents) == 1
        assert agents.pop().endswith("tests@example.org)")
        assert not any("referer" in request.headers for request in fake.journal)
        assert {request.headers["accept"] for request in fake.media_requests} == {"image/*"}
        assert max(request.at_once for request in fake.media_requests) <= 6


def test_a_limit_keeps_exactly_so_many_and_fetches_no_more_than_needed(tmp_path: Path) -> None:
    with FakeTumblr(World(WorldSettings(posts=400), Faults())) as fake:
        report = collect_here(tmp_path, fake.url, wanted=options(limit=37))
        assert (report.ended_by, report.kept_in_class, len(_images(tmp_path))) == ("limit", 37, 37)
        assert len(fake.media_requests) == 37
        assert len(fake.api_requests) == 2
        # The same again: nothing new was posted, and there are enough.
        report = collect_here(tmp_path, fake.url, wanted=options(limit=37))
        assert (report.tally.kept, report.kept_in_class, report.new_posts) == (0, 37, 0)
        assert len(fake.media_requests) == 37
        # A larger limit goes on where the first stopped.
        report = collect_here(tmp_path, fake.url, wanted=options(limit=60))
        assert (report.tally.kept, report.kept_in_class) == (23, 60)
        assert len({request.path for request in fake.media_requests}) == len(fake.media_requests) == 60


def test_another_class_leaves_the_waiting_pictures_of_the_first_alone(tmp_path: Path) -> None:
    with FakeTumblr(World(WorldSettings(posts=60), Faults())) as fake:
        collect_here(tmp_path, fake.url, wanted=options(limit=20))
        first = kept_files(tmp_path)
        report = collect_here(tmp_path, fake.url, Query("sunset", "a tag that nobody used"), wanted=options(limit=20))
        assert (report.tally.kept, report.kept_in_class, report.ended_by) == (0, 0, "exhausted")
        assert kept_files(tmp_path) == first
        assert len(fake.media_requests) == 20
        collect_here(tmp_path, fake.url)
        assert outcomes(tmp_path) == fake.world.truth()


def test_a_second_run_brings_only_what_is_new(tmp_path: Path) -> None:
    with FakeTumblr(World(WorldSettings(posts=130), Faults())) as fake:
        collect_here(tmp_path, fake.url)
        before = kept_files(tmp_path)
        calls, media = len(fake.api_requests), len(fake.media_requests)
        added = fake.world.add_posts(11, seed=77)
        report = collect_here(tmp_path, fake.url)
        assert report.new_posts == 11
        assert report.tally.kept == sum(len(post.pictures) for post in added)
        assert len(fake.media_requests) - media == report.tally.kept
        assert len(fake.api_requests) - calls <= 3  # stops on known ground
        assert before.items() <= kept_files(tmp_path).items()
        assert outcomes(tmp_path) == fake.world.truth()


def test_after_a_limit_news_come_first_and_the_past_is_not_forgotten(tmp_path: Path) -> None:
    with FakeTumblr(World(WorldSettings(posts=130), Faults())) as fake:
        collect_here(tmp_path, fake.url, wanted=options(limit=20))
        fake.world.add_posts(30, seed=78)
        report = collect_here(tmp_path, fake.url, wanted=options(limit=20))
        assert report.tally.kept == 20  # of the news, as many as the limit
        collect_here(tmp_path, fake.url)
        collect_here(tmp_path, fake.url)
        assert outcomes(tmp_path) == fake.world.truth()


def test_crowded_seconds_are_recorded_as_gaps_and_the_rest_is_found(tmp_path: Path) -> None:
    settings = WorldSettings(posts=150, same_second_group=30, pictures_per_post=1.0)
    with FakeTumblr(World(settings, Faults(same_second=0.02))) as fake:
        crowded = {second for second, num in Counter(post.order for post in fake.world.posts).items() if num > 20}
        assert crowded
        report = collect_here(tmp_path, fake.url)
        assert report.num_gaps == len(crowded)
        ledger = open_ledger(tmp_path, create=False)
        status = ledger_status(ledger)
        ledger.close()
        assert {second for _, _, second, _ in status.gaps} == crowded
        lost = set(fake.world.truth()) - set(outcomes(tmp_path))
        assert lost == {
            picture.media_key for post in fake.world.posts if post.order in crowded for picture in post.pictures
        } - set(outcomes(tmp_path))


def test_a_server_that_repeats_its_first_page_is_left(tmp_path: Path) -> None:
    world = World(WorldSettings(posts=50), Faults())
    with FakeTumblr(world, api=ApiSettings(repeats_first_page=True)) as fake:
        report = collect_here(tmp_path, fake.url)
        assert (report.new_posts, report.num_gaps) == (20, 1)
        assert len(fake.api_requests) < 20


def test_two_tags_share_one_class_one_ledger_and_the_work(tmp_path: Path) -> None:
    with FakeTumblr(World(WorldSettings(posts=70), Faults())) as fake:
        report = collect_here(tmp_path, fake.url, Query("pose", "tag 3"), Query("pose", "pose"))
        assert report.kept_in_class == len(fake.world.pictures)
        assert len(fake.media_requests) == len(fake.world.pictures)
        ledger = open_ledger(tmp_path, create=False)
        first, second = ledger_status(ledger).queries
        ledger.close()
        assert first.kept + second.kept == report.kept_in_class
        assert first.kept > 0
        assert second.kept > 0


def test_a_tag_within_blogs_and_one_of_them_gone(tmp_path: Path) -> None:
    with FakeTumblr(World(WorldSettings(posts=120, num_blogs=3), Faults())) as fake:
        fake.api_settings.blogs["blog-1"] = "dashboard_only"
        queries = [Query("pose", "pose", f"blog-{number}") for number in (0, 1, 2)]
        report = collect_here(tmp_path, fake.url, *queries)
        assert list(report.unavailable) == ["#pose of blog-1"]
        expected = {p.media_key for post in fake.world.posts if post.blog != "blog-1" for p in post.pictures}
        assert set(outcomes(tmp_path)) == expected
        fake.api_settings.blogs.clear()  # it comes back
        collect_here(tmp_path, fake.url, *queries)
        assert set(outcomes(tmp_path)) == set(fake.world.pictures)


def test_dates_bound_what_is_taken_and_how_far_is_read(tmp_path: Path) -> None:
    with FakeTumblr(World(WorldSettings(posts=200), Faults())) as fake:
        posts = fake.world.posts
        query = Query("pose", "pose", "", posts[99].timestamp, posts[59].timestamp)
        collect_here(tmp_path, fake.url, query)
        found = outcomes(tmp_path)
        kept = {key for key, code in found.items() if code == "kept"}
        assert kept == {picture.media_key for post in posts[60:100] for picture in post.pictures}
        assert set(found.values()) <= {"kept", "outside_dates"}
        assert len(fake.api_requests) <= 5


def test_budgets_stop_a_run_and_the_next_goes_on(tmp_path: Path) -> None:
    with FakeTumblr(World(WorldSettings(posts=100), Faults())) as fake:
        report = collect_here(tmp_path, fake.url, wanted=options(budget_calls=2))
        assert (report.ended_by, len(fake.api_requests), report.new_posts) == ("budget", 2, 39)
        report = collect_here(tmp_path, fake.url, wanted=options(max_posts=15))
        assert report.ended_by == "max_posts"
        assert 15 <= report.new_posts < 35
        collect_here(tmp_path, fake.url)
        assert outcomes(tmp_path) == fake.world.truth()


def test_options_change_what_is_taken(tmp_path: Path) -> None:
    faults = Faults(nsfw=0.3, opted_out=0.2, animated=0.3)
    with FakeTumblr(World(WorldSettings(posts=60), faults)) as fake:
        collect_here(tmp_path / "a", fake.url)
        strict = Counter(outcomes(tmp_path / "a").values())
        assert min(strict[code] for code in ("nsfw", "blog_opt_out", "animated", "kept")) > 0
        policy = ConsentPolicy(nsfw="keep", honour_opt_out=False)
        wanted = options(policy=policy, image_limits=ImageLimits(first_frame=True), size_limit=SizeLimit(640, 960))
        collect_here(tmp_path / "b", fake.url, wanted=wanted)
        assert set(outcomes(tmp_path / "b").values()) == {"kept"}


def test_looser_options_take_what_was_refused_before(tmp_path: Path) -> None:
    with FakeTumblr(World(WorldSettings(posts=30), Faults(nsfw=0.4))) as fake:
        collect_here(tmp_path, fake.url)
        assert Counter(outcomes(tmp_path).values())["nsfw"] > 0
        other = Query("pose", "pose", "", 1)  # another window of dates, so the posts are read again
        collect_here(tmp_path, fake.url, other, wanted=options(policy=ConsentPolicy(nsfw="keep")))
        assert set(outcomes(tmp_path).values()) == {"kept"}


def test_media_that_all_fail_end_the_run_and_wait_for_a_retry(tmp_path: Path) -> None:
    with FakeTumblr(World(WorldSettings(posts=80), Faults(constant_500=1.0))) as fake:
        quick = options()
        wanted = replace(quick, download=replace(quick.download, attempts=1))
        with pytest.raises(RemoteError, match="could not be fetched"):
            collect_here(tmp_path, fake.url, wanted=wanted)
        counts = Counter(outcomes(tmp_path).values())
        assert counts["http_500"] >= 25
        assert counts["queued"] == 0


def test_what_is_kept_does_not_depend_on_the_number_of_threads(tmp_path: Path) -> None:
    with FakeTumblr(World(WorldSettings(posts=90), Faults.everything(0.02))) as fake:
        for threads in (1, 9):
            collect_here(tmp_path / str(threads), fake.url, wanted=options(limit=60, num_threads=threads))
        assert differences(tmp_path / "1", tmp_path / "9") == []
