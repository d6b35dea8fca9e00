"""Everything that can go wrong, as rates from 0 to 1; all off by default."""

import hashlib
from dataclasses import dataclass, fields

# What a picture's server does for ever, and the refusal a collector should end with.
LASTING_MEDIA = {
    "gone_403": "http_403",
    "gone_404": "http_404",
    "constant_500": "http_500",
    "html_200": "html_page",
    "xml_200": "xml_error",
    "zero_bytes": "empty_body",
    "truncated_image": "truncated",
    "oversized": "too_many_bytes",
    "pixel_bomb": "too_many_pixels",
    "animated": "animated",
    "noai_header": "x_robots_tag",
    "robots_forbidden": "robots_txt",
}
# What it does once or twice, then no more.
PASSING_MEDIA = ("busy_503", "busy_429", "cut_short", "reset", "drip")
# What makes no difference to the outcome.
HARMLESS_MEDIA = ("wrong_extension", "wrong_content_type", "redirect", "no_range", "gif_still", "webp_still")
API = ("api_burst_429", "api_500", "api_503_html", "api_not_json", "api_no_meta", "api_drop", "api_empty", "api_short")
POSTS = (
    "text_only", "nsfw", "opted_out", "back_dated", "featured", "same_second", "reblogged", "external", "late_tag",
    "broken_trail", "unknown_size",
)  # fmt: skip
PICTURES = ("tiny", "extreme", "blank", "dark", "blurry", "screenshot", "same_bytes", "smaller_copy", "mirrored")


@dataclass
class Faults:
    """How often each thing happens; see the tuples of this module for the groups.

    Attributes:
        drip_bytes_per_s: Speed of a dripping answer.
        passing_times: How many times a passing fault of one picture happens before it stops.
    """

    gone_403: float = 0.0
    gone_404: float = 0.0
    constant_500: float = 0.0
    html_200: float = 0.0
    xml_200: float = 0.0
    zero_bytes: float = 0.0
    truncated_image: float = 0.0
    oversized: float = 0.0
    pixel_bomb: float = 0.0
    animated: float = 0.0
    noai_header: float = 0.0
    robots_forbidden: float = 0.0
    busy_503: float = 0.0
    busy_429: float = 0.0
    cut_short: float = 0.0
    reset: float = 0.0
    drip: float = 0.0
    wrong_extension: float = 0.0
    wrong_content_type: float = 0.0
    redirect: float = 0.0
    no_range: float = 0.0
    gif_still: float = 0.0
    webp_still: float = 0.0
    api_burst_429: float = 0.0
    api_500: float = 0.0
    api_503_html: float = 0.0
    api_not_json: float = 0.0
    api_no_meta: float = 0.0
    api_drop: float = 0.0
    api_empty: float = 0.0
    api_short: float = 0.0
    text_only: float = 0.0
    nsfw: float = 0.0
    opted_out: float = 0.0
    back_dated: float = 0.0
    featured: float = 0.0
    same_second: float = 0.0
    reblogged: float = 0.0
    external: float = 0.0
    late_tag: float = 0.0
    broken_trail: float = 0.0
    unknown_size: float = 0.0
    tiny: float = 0.0
    extreme: float = 0.0
    blank: float = 0.0
    dark: float = 0.0
    blurry: float = 0.0
    screenshot: float = 0.0
    same_bytes: float = 0.0
    smaller_copy: float = 0.0
    mirrored: float = 0.0
    drip_bytes_per_s: float = 40_000.0
    passing_times: int = 1

    @classmethod
    def everything(cls, rate: float) -> "Faults":
        """Switch every fault on at one rate."""
        return cls(
            **{field.name: rate for field in fields(cls) if field.type is float and field.name != "drip_bytes_per_s"}
        )


def chance(*key: object) -> float:
    """A number in [0, 1) that depends on the key only, so that the same world fails in the same places."""
    digest = hashlib.blake2b("|".join(map(str, key)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def pick(names: tuple[str, ...] | dict[str, str], faults: Faults, *key: object) -> str:
    """Choose at most one of several faults, each with its own rate; ``""`` for none."""
    value = chance(*key)
    for name in names:
        rate = getattr(faults, name)
        if value < rate:
            return name
        value -= rate
    return ""
