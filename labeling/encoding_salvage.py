"""Finds out in which encoding an XML file without a declaration was saved, where something on disk proves it."""

import re
from collections.abc import Sequence

from labeling.voc_reader import examine

# In this order: encodings that refuse most foreign bytes come before those that take anything.
_ENCODINGS = ("gb18030", "cp932", "euc_kr", "big5", "cp1252", "cp1251", "latin-1")
_TEXTS = re.compile(r"<(?:filename|name)>([^<]*)</(?:filename|name)>")


def salvage_encoding(content: bytes, file_names: Sequence[str], labels: Sequence[str]) -> tuple[bytes, str] | None:
    """Return the file as UTF-8 and the encoding it was in, or ``None`` when none is proven.

    An encoding is proven when the non-ASCII text of ``<filename>`` or of a label, read in it, is the picture's name
    on disk or a label of the label map, and no text that is neither appears.

    Args:
        content: Bytes that are not UTF-8.
        file_names: Names of the picture.
        labels: Labels that are known.
    """
    known = {*file_names, *labels}
    for encoding in _ENCODINGS:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        foreign = [found for found in _TEXTS.findall(text) if not found.isascii()]
        if foreign and all(found in known for found in foreign):
            salvaged = text.encode()
            if not any(problem.code == "X04" for problem in examine(salvaged).problems):
                return salvaged, encoding
    return None
