"""Where the next page starts, so that no post is lost between two pages.

Tumblr pages by second (``before`` is a strict less-than) while posts share seconds, are back-dated, or are featured at
another time than they were posted. So each page starts one second above the last post of the one before, posts are told
apart by id, and where the server gives no way to be sure, a possible gap is written down.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from collectors.ledger import Walk
from collectors.tumblr_posts import Post

EMPTY_PAGES_TO_END = 2
IDLE_PAGES_TO_LEAVE = 2
_MAX_IDLE_PAGES = 8
_TAIL = 3
_JUMP_S = 3_600


@dataclass(frozen=True, slots=True)
class Gap:
    """Posts may have been missed around a Unix second."""

    kind: str
    second: int
    note: str


def advance(walk: Walk, page: Sequence[Post], num_new: int, *, page_size: int, since: int = 0) -> Gap | None:
    """Move a walk past a page it was given; changes ``walk`` and says what may have been missed.

    Args:
        walk: The walk, ``before`` as it was asked with.
        page: The posts of the page, as ordered by the server.
        num_new: How many of them no earlier page had shown.
        page_size: Posts the server gives on a full page.
        since: The first Unix second wanted; a page wholly before it ends the walk. 0 for no bound.
    """
    walk.pages += 1
    if not page:
        walk.empty_pages += 1
        if walk.empty_pages >= EMPTY_PAGES_TO_END:
            walk.state = "done"
        return None
    walk.empty_pages = 0
    walk.posts += num_new
    walk.newest = max(walk.newest, *(post.order_timestamp for post in page))
    walk.back_dated += _num_back_dated(page)
    if walk.floor and num_new == 0 and all(post.order_timestamp < walk.floor for post in page):
        walk.state = "done"  # everything from here on was walked before
        return None
    if since and all(post.order_timestamp < since for post in page):
        walk.state = "done"
        return None
    return _step(walk, page, num_new, page_size)


def _step(walk: Walk, page: Sequence[Post], num_new: int, page_size: int) -> Gap | None:
    target = _position(page, walk.before) + 1
    if walk.before is None or target < walk.before:
        walk.before = target
        walk.idle_pages = 0
        return None
    if num_new:
        # The page did not get us further down, but it showed something: ask once more from the same place.
        return None
    # Only posts we know, and no way down but to leave this second. One such page can be a short one, two are an answer.
    walk.idle_pages += 1
    if walk.idle_pages < IDLE_PAGES_TO_LEAVE:
        return None
    second = walk.before - 1
    below = [post.order_timestamp for post in page if post.order_timestamp < walk.before]
    if not below and walk.idle_pages >= _MAX_IDLE_PAGES:
        walk.state = "done"
        return Gap("repeated_page", second, "the server repeats a page instead of going back in time")
    walk.before = second
    if below:
        walk.idle_pages = 0
    in_second = sum(stamp == second for stamp in below)
    if in_second >= page_size:
        return Gap("same_second", second, f"{in_second} or more posts share this second; a page holds no more")
    return None


def _position(page: Sequence[Post], before: int | None) -> int:
    """The second down to which this page surely reaches.

    It is the last post's, unless that lies far below the others (a back-dated post at the end of a page): then the
    highest of the last three is safe, for what it repeats is known by id.
    """
    stamps = [post.order_timestamp for post in page]
    last = stamps[-1]
    others = stamps[:-1]
    if len(others) >= 2:
        drop = min(others[-_TAIL:]) - last
        span = max(others) - sorted(others)[len(others) // 2]
        if drop > max(_JUMP_S, 8 * span):
            safe = max(stamps[-_TAIL:])
            if before is None or safe + 1 < before:
                return safe
    if before is not None and last + 1 > before:  # out of order upwards
        below = [stamp for stamp in stamps if stamp < before]
        return min(below, default=last)
    return last


def _num_back_dated(page: Sequence[Post]) -> int:
    """Posts that stand above a younger one."""
    count = 0
    youngest_below = 0
    for post in reversed(page):
        if youngest_below and post.order_timestamp < youngest_below:
            count += 1
        youngest_below = max(youngest_below, post.order_timestamp)
    return count
