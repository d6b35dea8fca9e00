"""Pictures in the HTML of a post's body, caption or trail."""

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass(slots=True)
class HtmlImage:
    """One ``<img>``: every URL offered for it, with the width where it is told.

    Attributes:
        sources: ``(url, width)`` in document order, ``src`` first; width 0 when unknown.
        original_width: ``data-orig-width``, px, 0 when absent.
        original_height: ``data-orig-height``, px, 0 when absent.
        alt_text: The ``alt`` attribute, empty when absent.
    """

    sources: list[tuple[str, int]] = field(default_factory=list)
    original_width: int = 0
    original_height: int = 0
    alt_text: str = ""


def images_in_html(html: str) -> list[HtmlImage]:
    """Find the pictures of an HTML fragment, in document order; broken HTML gives what can be read."""
    collector = _ImageCollector()
    collector.feed(html)
    collector.close()
    return collector.images


def parse_srcset(srcset: str) -> list[tuple[str, int]]:
    """Split a ``srcset`` into ``(url, width)``; a candidate without a ``w`` descriptor has width 0.

    A comma ends a candidate only where white space or the end follows, for header crops carry commas in their path.
    """
    found: list[tuple[str, int]] = []
    words = srcset.split()
    index = 0
    while index < len(words):
        url = words[index]
        index += 1
        if url.endswith(","):  # no descriptor
            found.append((url.rstrip(","), 0))
            continue
        width = 0
        if index < len(words):
            descriptor = words[index]
            index += 1
            width = (
                _whole_number(descriptor.rstrip(",").removesuffix("w")) if descriptor.rstrip(",").endswith("w") else 0
            )
        found.append((url, width))
    return [(url, width) for url, width in found if url]


class _ImageCollector(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.images: list[HtmlImage] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "img":
            return
        values = {name: value or "" for name, value in attrs}
        image = HtmlImage(
            original_width=_whole_number(values.get("data-orig-width", "")),
            original_height=_whole_number(values.get("data-orig-height", "")),
            alt_text=values.get("alt", "").strip(),
        )
        if source := (values.get("data-orig-src") or values.get("src", "")).strip():
            image.sources.append((source, 0))
        image.sources += parse_srcset(values.get("srcset", ""))
        if image.sources:
            self.images.append(image)


def _whole_number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
