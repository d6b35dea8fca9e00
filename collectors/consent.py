"""Signals by which people say that their pictures are not to be collected: robots.txt, X-Robots-Tag, blog settings."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from urllib.parse import urlsplit
from urllib.robotparser import RobotFileParser

from collectors.refusals import Refusal
from collectors.tumblr_posts import Candidate, Post

ROBOTS_NAME = "tagbox"
_FORBIDDING_TAGS = ("noai", "noimageai", "noindex", "noimageindex", "none")

FetchText = Callable[[str], tuple[int, str]]
"""URL -> (HTTP status, text); status 0 when the host cannot be reached."""


@dataclass(frozen=True, slots=True)
class ConsentPolicy:
    """Which signals count. The defaults honour all of them and leave out what is marked as not safe for work.

    Attributes:
        honour_robots: Obey robots.txt of the host a picture lies on.
        honour_robots_tag: Obey ``X-Robots-Tag``: noai, noimageai, noindex, noimageindex, none.
        honour_opt_out: Leave out blogs that ask not to be indexed or shared.
        nsfw: ``skip`` what is marked, ``keep`` everything, or take ``only`` what is marked.
        nsfw_unknown: ``keep`` or ``skip`` what is not marked either way, which is most of what the API sends.
        take_external: Take pictures that do not lie with Tumblr.
    """

    honour_robots: bool = True
    honour_robots_tag: bool = True
    honour_opt_out: bool = True
    nsfw: str = "skip"
    nsfw_unknown: str = "keep"
    take_external: bool = False


def judge_post(post: Post, candidate: Candidate, policy: ConsentPolicy, *, since: int, until: int) -> Refusal | None:
    """Say why a picture is not to be fetched, from what the post tells; ``None`` when it may be.

    Args:
        post: The post.
        candidate: One of its pictures.
        policy: Which signals count.
        since: First Unix second wanted, 0 for no bound.
        until: First Unix second no longer wanted, 0 for no bound.
    """
    if (since and post.timestamp < since) or (until and post.timestamp >= until):
        return Refusal("outside_dates", f"posted {post.date or post.timestamp}, outside the dates asked for")
    if post.is_opted_out and policy.honour_opt_out:
        return Refusal("blog_opt_out", f"the blog {post.blog} asks not to be indexed or shared")
    if candidate.is_external and not policy.take_external:
        return Refusal("external_host", "the picture does not lie with Tumblr (--external takes it)")
    if candidate.is_cropped:
        return Refusal("only_cropped", "only crops of the picture are offered")
    if post.nsfw is None:
        if policy.nsfw_unknown == "skip" and policy.nsfw != "keep":
            return Refusal("nsfw_unknown", "the post does not say whether it is safe for work")
        return None
    if (policy.nsfw == "skip" and post.nsfw) or (policy.nsfw == "only" and not post.nsfw):
        return Refusal("nsfw", "the post is " + ("marked as not safe for work" if post.nsfw else "safe for work"))
    return None


def judge_robots_tag(values: list[str]) -> Refusal | None:
    """Read ``X-Robots-Tag`` headers; a rule for another named robot does not concern us.

    Example:
        >>> judge_robots_tag(["googlebot: noindex", "noai"]).code
        'x_robots_tag'
    """
    for value in values:
        agent = ""
        for part in value.lower().split(","):
            rule = part.strip()
            if ":" in rule and not rule.startswith("unavailable_after"):
                agent, _, rule = (piece.strip() for piece in rule.partition(":"))
            if rule in _FORBIDDING_TAGS and agent in ("", "*", ROBOTS_NAME):
                return Refusal("x_robots_tag", f"the server forbids it: X-Robots-Tag: {value.strip()[:80]}")
    return None


class RobotsGuard:
    """robots.txt of every host, fetched once a run, in memory.

    Following RFC 9309: a 4xx means no rules, an unreachable file means that nothing may be fetched for now.
    """

    def __init__(self, fetch: FetchText) -> None:
        self._fetch = fetch
        self._rules: dict[str, RobotFileParser | None] = {}
        self._lock = Lock()

    def judge(self, url: str) -> Refusal | None:
        """Say why a URL may not be fetched, or ``None``."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        with self._lock:  # hosts are few, so one at a time is quick enough
            if self._rules.get(origin) is None:
                self._rules[origin] = self._load(origin)
            rules = self._rules[origin]
        if rules is None:
            return Refusal("robots_unreachable", f"{origin}/robots.txt cannot be read", is_retryable=True)
        if not rules.can_fetch(ROBOTS_NAME, url):
            return Refusal("robots_txt", f"{origin}/robots.txt forbids it")
        return None

    def _load(self, origin: str) -> RobotFileParser | None:
        status, text = self._fetch(f"{origin}/robots.txt")
        if status == 0 or status >= 500 or status == 429:
            return None
        rules = RobotFileParser()
        rules.parse(text.splitlines() if 200 <= status < 300 else [])
        return rules
