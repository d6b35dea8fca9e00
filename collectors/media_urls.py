"""The two shapes of Tumblr media URLs: which picture one names, how large it is, whether it is cropped.

Old: ``https://40.media.tumblr.com/[32 hex/]tumblr_<key>o<n>_1280.jpg``.
New (since July 2019): ``https://64.media.tumblr.com/<32 hex>/<16 hex>-<2 hex>/s1280x1920/<40 hex>.jpg``; the last part
is signed for each size, so a size cannot be written into a URL, only chosen among those offered.
"""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

_NEW_SHAPE = re.compile(
    r"/(?P<upload>[0-9a-f]{32})/(?P<picture>[0-9a-f]{16}-[0-9a-f]{2})/s(?P<width>\d+)x(?P<height>\d+)(?P<suffix>[^/]*)/"
)
_OLD_SHAPE = re.compile(r"/(?P<key>tumblr_(?!video|audio)[0-9A-Za-z_]+?)_(?P<width>\d{2,4}|raw)(?P<square>sq)?\.\w+$")
_RAW_PX = 99_999


@dataclass(frozen=True, slots=True)
class MediaUrl:
    """What a media URL says about its picture.

    Attributes:
        media_key: The same for every size of one upload: ``<32 hex>:<16 hex>-<2 hex>``, ``tumblr_…o1``, or, for a
            picture that does not lie with Tumblr, the URL without query and fragment.
        class_width: Widest the rendition can be, px; 0 when the URL does not say.
        class_height: Tallest the rendition can be, px; 0 when the URL does not say.
        is_cropped: The rendition shows a part of the picture (the ``_c1`` squares and header crops).
        is_tumblr: The URL has one of Tumblr's two shapes.
    """

    media_key: str
    class_width: int
    class_height: int
    is_cropped: bool
    is_tumblr: bool


def parse_media_url(url: str) -> MediaUrl:
    """Read a media URL; any string is accepted, an unknown shape is its own key."""
    try:
        parts = urlsplit(url)
    except ValueError:  # such as an unbalanced bracket
        return MediaUrl(url, 0, 0, False, False)
    if match := _NEW_SHAPE.search(parts.path):
        # u = "unscaled" avatars, _c1 = square, _c0,0,9,9 = header crop, _f1 = first frame of a GIF
        is_cropped = "_c" in match["suffix"]
        return MediaUrl(
            f"{match['upload']}:{match['picture']}", int(match["width"]), int(match["height"]), is_cropped, True
        )
    if match := _OLD_SHAPE.search(parts.path):
        width = _RAW_PX if match["width"] == "raw" else int(match["width"])
        # The old sizes bound the width only, except that 1280 stood for 1280x1920.
        return MediaUrl(match["key"], width, width * 3 // 2, bool(match["square"]), True)
    return MediaUrl(urlunsplit((parts.scheme, parts.netloc.lower(), parts.path, "", "")), 0, 0, False, False)


def host_group(url: str) -> str:
    """Return the name under which politeness counts: all ``NN.media.tumblr.com`` are one host.

    Example:
        >>> host_group("https://64.media.tumblr.com/a/b.jpg")
        'media.tumblr.com'
    """
    host = urlsplit(url).netloc.lower()
    return "media.tumblr.com" if host.endswith(".media.tumblr.com") else host
