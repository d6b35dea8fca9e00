"""Telling a TFRecord from what is often found in its place, by the first bytes.

A record fetched from elsewhere is not seldom something else: the pointer that Git LFS leaves, an error page of a
server, an archive. Whoever reads it as a TFRecord learns only that a checksum is wrong.
"""

HEAD_BYTES = 512
_SHORTEST_TEXT = 16
_GIT_LFS = b"version https://git-lfs.github.com/spec/"
_STARTS = (
    (b"PK\x03\x04", "a zip archive; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive; unpack it first"),
    (b"BZh", "a bzip2 file; unpack it first"),
    (b"\xfd7zXZ\x00", "an xz file; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file; unpack it first"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"GIF8", "a GIF picture"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"PAR1", "a Parquet file"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"%PDF", "a PDF"),
)


def other_kind(head: bytes) -> str | None:
    """Say what a file is that does not begin as a TFRecord does.

    Args:
        head: Its first `HEAD_BYTES` bytes, or all of it when it has fewer. The caller knows that they are no frame.

    Returns:
        What it is and, where something can be done, what to do; ``None`` when nothing is known of it: it may be a
        damaged TFRecord.
    """
    if head.startswith(_GIT_LFS):
        return "a pointer of Git LFS in place of the file; fetch the file with: git lfs pull"
    for start, words in _STARTS:
        if head.startswith(start):
            return words
    return _kind_of_text(head)


def _kind_of_text(head: bytes) -> str | None:
    if len(head) < _SHORTEST_TEXT:  # a few bytes of anything may look like text
        return None
    try:
        # The last character may be cut.
        text = head.decode("utf-8-sig", "strict" if len(head) < HEAD_BYTES else "ignore").strip()
    except UnicodeDecodeError:
        return None
    if len(text) < len(head) / 2 or any(not (char.isprintable() or char.isspace()) for char in text):
        return None
    start = text[:100].lower()
    if start.startswith(("<!doctype html", "<html")):
        return "a web page, perhaps the error page of a server; fetch the file again"
    if start.startswith("<"):
        return "an XML file"
    return "a JSON file" if start.startswith(("{", "[")) else "a text file"
