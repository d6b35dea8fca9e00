"""Is a file what its name says? Told from its first bytes, before anything is made of them."""

from collectors.errors import InputError
from collectors.quickdraw_binary import CutRecordError, parse_record
from collectors.quickdraw_formats import LineError

FORMATS = ("numpy_bitmap", "binary", "simplified", "raw", "sketchrnn")
SUFFIXES = {
    "numpy_bitmap": ".npy", "binary": ".bin", "simplified": ".ndjson", "raw": ".ndjson", "sketchrnn": ".npz"
}  # fmt: skip

_FOREIGN: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs", "a Git-LFS pointer, not the file it points to"),
    (b"<!doctype html", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"<?xml", "an XML message, probably of a server"),
    (b"<error", "an XML message, probably of a server"),
    (b"\x1f\x8b", "gzip-compressed"),
    (b"%pdf", "a PDF document"),
)


class ForeignContentError(InputError):
    """The file is something else than its name says."""


def check_content(head: bytes, format_name: str, where: str) -> None:
    """Refuse bytes that cannot be the beginning of a file of a format.

    Args:
        head: The first bytes of the file, a few hundred at least, or all of a shorter file.
        format_name: One of `FORMATS`.
        where: Name of the file or URL, for the message.

    Raises:
        ForeignContentError: The file is empty, or something else; the message says what.
    """
    if not head:
        raise ForeignContentError("the file is empty", where=where, fix="Download it again.")
    beginning = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    what = next((name for magic, name in _FOREIGN if beginning.startswith(magic)), "")
    if not what and not _begins_like(head, format_name):
        what = f"no file of the format {format_name} (it begins with {head[:12]!r})"
    if what:
        fix = "Fetch the real file: git lfs pull." if "LFS" in what else "Delete it and download it again."
        raise ForeignContentError(f"this is {what}", where=where, fix=fix)


def _begins_like(head: bytes, format_name: str) -> bool:
    if format_name == "numpy_bitmap":
        return head.startswith(b"\x93NUMPY")
    if format_name == "sketchrnn":
        return head.startswith(b"PK\x03\x04")
    if format_name == "binary":
        return _begins_with_record(head)
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")


def _begins_with_record(head: bytes) -> bool:
    try:
        parse_record(head, 0, "")
    except CutRecordError:
        return len(head) >= 17 and head[10] <= 1
    except LineError:
        return False
    return True
