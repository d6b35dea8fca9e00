import pytest

from collectors.consent import ConsentPolicy, RobotsGuard, judge_post, judge_robots_tag
from collectors.tumblr_posts import Candidate, Post


def _post(**changes: object) -> Post:
    fields = {
        "post_id": "1", "blog": "b", "blog_uuid": "", "post_url": "", "timestamp": 1_000, "order_timestamp": 1_000,
        "date": "", "tags": (), "kind": "", "nsfw": None, "is_opted_out": False, "candidates": (), **changes,
    }  # fmt: skip
    return Post(**fields)  # type: ignore[arg-type]


def _candidate(**changes: object) -> Candidate:
    fields = {
        "media_key": "k", "url": "u", "width": 1, "height": 1, "position": 1, "alt_text": "", "root_blog": "",
        "root_post_id": "", "is_external": False, "is_cropped": False, **changes,
    }  # fmt: skip
    return Candidate(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("post", "candidate", "policy", "code"),
    [
        ({}, {}, {}, None),
        ({"nsfw": True}, {}, {}, "nsfw"),
        ({"nsfw": True}, {}, {"nsfw": "keep"}, None),
        ({"nsfw": False}, {}, {"nsfw": "only"}, "nsfw"),
        ({"nsfw": True}, {}, {"nsfw": "only"}, None),
        ({}, {}, {"nsfw_unknown": "skip"}, "nsfw_unknown"),
        ({}, {}, {"nsfw_unknown": "skip", "nsfw": "keep"}, None),
        ({"is_opted_out": True}, {}, {}, "blog_opt_out"),
        ({"is_opted_out": True}, {}, {"honour_opt_out": False}, None),
        ({}, {"is_external": True}, {}, "external_host"),
        ({}, {"is_external": True}, {"take_external": True}, None),
        ({}, {"is_cropped": True}, {}, "only_cropped"),
        ({"timestamp": 499}, {}, {}, "outside_dates"),
        ({"timestamp": 2_000}, {}, {}, "outside_dates"),
    ],
)
def test_the_post_decides(
    post: dict[str, object], candidate: dict[str, object], policy: dict[str, object], code: str | None
) -> None:
    rules = ConsentPolicy(**policy)  # type: ignore[arg-type]
    refusal = judge_post(_post(**post), _candidate(**candidate), rules, since=500, until=2_000)
    assert (refusal and refusal.code) == code


@pytest.mark.parametrize(
    ("values", "is_refused"),
    [
        ([], False),
        (["noai"], True),
        (["nofollow, noimageai"], True),
        (["NoIndex"], True),
        (["googlebot: noindex"], False),
        (["googlebot: noindex, noai"], False),
        (["tagbox: noai"], True),
        (["*: none"], True),
        (["all"], False),
        (["unavailable_after: 25 Jun 2030 15:00:00 PST"], False),
        (["nofollow", "noimageindex"], True),
    ],
)
def test_robots_tag(values: list[str], is_refused: bool) -> None:
    assert (judge_robots_tag(values) is not None) is is_refused


@pytest.mark.parametrize(
    ("status", "text", "code"),
    [
        (200, "User-agent: *\nDisallow: /private/", "robots_txt"),
        (200, "User-agent: tagbox\nDisallow: /", "robots_txt"),
        (200, "User-agent: GPTBot\nDisallow: /", None),
        (200, "", None),
        (404, "gone", None),
        (403, "<Error/>", None),
        (503, "", "robots_unreachable"),
        (0, "", "robots_unreachable"),
    ],
)
def test_robots_txt(status: int, text: str, code: str | None) -> None:
    asked = []

    def fetch(url: str) -> tuple[int, str]:
        asked.append(url)
        return status, text

    guard = RobotsGuard(fetch)
    for _ in range(3):
        refusal = guard.judge("https://m.example/private/a.jpg")
    assert (refusal and refusal.code) == code
    assert set(asked) == {"https://m.example/robots.txt"}
    if status not in (0, 503):
        assert len(asked) == 1
