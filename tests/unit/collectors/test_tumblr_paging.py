"""Walks over lists of posts, served as Tumblr serves them: ``before`` is a strict less-than on whole seconds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.ledger import Walk
from collectors.tumblr_paging import Gap, advance
from collectors.tumblr_posts import Post

_SIZE = 20


def _post(number: int, order: int, shown: int | None = None) -> Post:
    shown = order if shown is None else shown
    return Post(str(number), "b", "", "", shown, shown, "", (), "photo", None, False, ())


def _serve(posts: list[tuple[int, Post]], before: int | None, size: int) -> list[Post]:
    """``posts`` are (second the server pages by, post), newest first."""
    return [post for order, post in posts if before is None or order < before][:size]


def _walk(
    posts: list[tuple[int, Post]], *, size: int = _SIZE, short_every: int = 0
) -> tuple[set[str], list[Gap], Walk]:
    walk, seen, gaps = Walk(1, 1, "open", False, None, 0), set(), []
    for call in range(10_000):
        if walk.state != "open":
            return seen, gaps, walk
        is_short = short_every and call % short_every == short_every - 1
        page = _serve(posts, walk.before, max(1, size // 6) if is_short else size)
        num_new = len({post.post_id for post in page} - seen)
        seen |= {post.post_id for post in page}
        gap = advance(walk, page, num_new, page_size=size)
        gaps += [gap] if gap else []
    raise AssertionError("the walk does not end")


def _steady(seconds: list[int]) -> list[tuple[int, Post]]:
    return [(second, _post(number, second)) for number, second in enumerate(sorted(seconds, reverse=True))]


@settings(deadline=None)
@given(st.lists(st.integers(1_000, 1_060), max_size=90), st.sampled_from([0, 2, 3]))
def test_no_post_is_lost_where_the_server_can_show_it(seconds: list[int], short_every: int) -> None:
    posts = _steady(seconds)
    seen, gaps, _ = _walk(posts, short_every=short_every)
    crowded = {second for second in seconds if seconds.count(second) > _SIZE}
    reachable = {post.post_id for second, post in posts if second not in crowded}
    assert reachable <= seen
    assert {gap.second for gap in gaps} >= crowded
    if not any(seconds.count(second) >= _SIZE for second in seconds):
        assert gaps == []


def test_a_second_with_more_posts_than_a_page_is_a_recorded_gap() -> None:
    seen, gaps, _ = _walk(_steady([500] * 30 + [400, 300]))
    assert len(seen) == 22
    assert [(gap.kind, gap.second) for gap in gaps] == [("same_second", 500)]


def test_a_back_dated_post_at_the_end_of_a_page_does_not_skip_years() -> None:
    posts = [(10_000_000 - 60 * number, 10_000_000 - 60 * number) for number in range(100)]
    for place in range(17, 23):
        listed = [
            (order, _post(number, order, 2_000 if number == place else shown))
            for number, (order, shown) in enumerate(posts)
        ]
        seen, gaps, walk = _walk(listed)
        assert len(seen) == 100, place
        assert gaps == []
        assert walk.back_dated == 1


def test_a_sparse_tag_with_years_between_posts_is_walked_to_its_end() -> None:
    seen, _, _ = _walk(_steady([1_700_000_000 - 40_000_000 * number for number in range(40)]))
    assert len(seen) == 40


def test_posts_ordered_by_featured_time() -> None:
    listed = [(5_000 - 10 * number, _post(number, 5_000 - 10 * number)) for number in range(60)]
    assert len(_walk(listed)[0]) == 60


def test_a_server_that_ignores_before_ends_with_a_gap() -> None:
    walk, page = Walk(1, 1, "open", False, None, 0), [_post(number, 900 - number) for number in range(20)]
    seen: set[str] = set()
    gaps = []
    for _ in range(100):
        if walk.state != "open":
            break
        num_new = len({post.post_id for post in page} - seen)
        seen |= {post.post_id for post in page}
        gap = advance(walk, page, num_new, page_size=20)
        gaps += [gap] if gap else []
    assert walk.state == "done"
    assert gaps[-1].kind == "repeated_page"


def test_two_empty_pages_end_a_walk_and_one_does_not() -> None:
    walk = Walk(1, 1, "open", False, None, 0)
    advance(walk, [], 0, page_size=20)
    assert walk.state == "open"
    advance(walk, [_post(1, 100)], 1, page_size=20)
    advance(walk, [], 0, page_size=20)
    assert walk.state == "open"
    advance(walk, [], 0, page_size=20)
    assert walk.state == "done"


@pytest.mark.parametrize(("num_new", "state"), [(0, "done"), (1, "open")])
def test_a_head_walk_ends_on_known_ground(num_new: int, state: str) -> None:
    walk = Walk(1, 1, "open", True, None, 5_000)
    advance(walk, [_post(1, 4_000), _post(2, 3_900)], num_new, page_size=20)
    assert walk.state == state


def test_a_page_before_the_wanted_dates_ends_a_walk() -> None:
    walk = Walk(1, 1, "open", False, None, 0)
    advance(walk, [_post(1, 4_000), _post(2, 3_900)], 2, page_size=20, since=4_001)
    assert walk.state == "done"
