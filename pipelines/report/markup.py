"""Text made safe for a page."""

import html
import re

_NO_LETTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def escaped(text: str) -> str:
    """Return text that means itself between tags and in attributes; what no page may hold becomes U+FFFD."""
    return html.escape(_NO_LETTERS.sub("\ufffd", text), quote=True)
