"""What an image file really is, found by decoding all of it once.

Opening a picture reads only its header, and Pillow's ``verify`` does not see a cut-off JPEG; the loader of the trainer
does, in the middle of the night. So every picture is decoded to the last row here. A JPEG is decoded at a fraction of
its size: every coefficient of it is read all the same, and that is where damage shows; only the arithmetic that turns
coefficients into pixels, which cannot fail, is done for fewer of them.
"""

import hashlib
import io
import zlib
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from PIL import Image

from labeling.near_duplicates import SAMPLED_PX, Look, look_of

_ORIENTATION_TAG = 0x0112
_PNG_START = b"\x89PNG\r\n\x1a\n"
_NO_END = "PNG without its last chunk"
# What stands at the start of a text file that was saved under a picture's name: error pages, API answers, LFS pointers.
_TEXT_STARTS = (b"<!doctype", b"<html", b"<head", b"<?xml", b"<svg", b"{", b"[", b"version https://git-lfs", b"<error")


class ImageProblem(StrEnum):
    """Why a picture cannot be used, whatever its labels say."""

    NONE = ""
    UNREADABLE = "unreadable"
    TEXT = "text"
    UNDECODABLE = "undecodable"
    TRUNCATED = "truncated"
    TOO_LARGE = "too large"


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What a file is, from its bytes alone.

    Attributes:
        num_bytes: Size of the file.
        sha256: Hex digest of its bytes; empty when it could not be read.
        format: ``jpeg``, ``png``, ``bmp``, ``gif``, ``webp``, ``tiff``..., lower case, from the content; empty when
            it is none. A multi-picture JPEG of a phone (MPO) is ``jpeg``.
        mode: Pillow's mode of the stored pixels, such as ``RGB``, ``L``, ``P``, ``CMYK``.
        width: Columns as stored; EXIF orientation is not applied, because TensorFlow does not apply it either.
        height: Rows as stored.
        orientation: EXIF orientation, 1 (upright) to 8; 5 to 8 swap width and height.
        problem: Why it cannot be used, or ``NONE``.
        detail: The decoder's own words, or the start of the text found.
        foreign_to_tensorflow: Why TensorFlow cannot load it although it decodes here, a noun such as ``palette BMP``;
            empty when it can.
        num_frames: More than 1 for an animation (GIF, WebP, APNG) or a TIFF of several pages.
        num_trailing: Bytes after the end of the picture.
        look: What it looks like, to compare with others; ``None`` when it was not asked for or there is nothing to see.
    """

    num_bytes: int
    sha256: str
    format: str = ""
    mode: str = ""
    width: int = 0
    height: int = 0
    orientation: int = 1
    problem: ImageProblem = ImageProblem.NONE
    detail: str = ""
    foreign_to_tensorflow: str = ""
    num_frames: int = 1
    num_trailing: int = 0
    look: Look | None = None


def probe_image(path: Path) -> ImageFacts:
    """Read and fully decode one image file; never raises for anything the file may hold."""
    try:
        content = path.read_bytes()
    except OSError as error:
        return unreadable(error)
    return probe_bytes(content)


def unreadable(error: OSError) -> ImageFacts:
    """What is known of a file that the system does not let us read."""
    return ImageFacts(0, "", problem=ImageProblem.UNREADABLE, detail=error.strerror or str(error))


def probe_bytes(content: bytes, *, digest: str = "", with_look: bool = False) -> ImageFacts:
    """Decode the bytes of one image; see `probe_image`.

    Pillow warns of pictures above 89 megapixels; run it inside ``warnings.catch_warnings`` where that matters.

    Args:
        content: The whole file.
        digest: Hex SHA-256 of ``content`` where the caller has it.
        with_look: Describe what it looks like, too.
    """
    digest = digest or hashlib.sha256(content).hexdigest()
    size = len(content)
    if not content:
        return ImageFacts(0, digest, problem=ImageProblem.UNDECODABLE, detail="0 bytes")
    start = content[:256].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith(_TEXT_STARTS):
        words = " ".join(content[:60].decode("utf-8", errors="replace").split())
        return ImageFacts(size, digest, problem=ImageProblem.TEXT, detail=words)
    facts = ImageFacts(size, digest)
    try:
        with Image.open(io.BytesIO(content)) as image:
            name = (image.format or "").lower()
            orientation = _orientation_of(image)
            # Of a TIFF Pillow tells the turned size, for it turns the pixels itself while it decodes.
            is_swapped = name == "tiff" and orientation >= 5
            facts = replace(
                facts,
                format="jpeg" if name == "mpo" else name,
                mode=image.mode,
                width=image.height if is_swapped else image.width,
                height=image.width if is_swapped else image.height,
                orientation=orientation,
            )
            if name in ("jpeg", "mpo"):
                image.draft(None, (SAMPLED_PX, SAMPLED_PX))
            image.load()
            look = look_of(image) if with_look else None
            num_frames = _num_frames(image, name)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        return replace(facts, problem=ImageProblem.TOO_LARGE, detail=str(error).partition(",")[0])
    except Exception as error:  # noqa: BLE001 - Pillow's readers raise nearly anything on damaged bytes
        problem = ImageProblem.TRUNCATED if _is_cut_off(content, error) else ImageProblem.UNDECODABLE
        detail = " ".join(str(error).split())[:160] or type(error).__name__
        if "cannot identify image file" in detail:
            detail = _damaged_chunk(content) or "no image format known here"
        return replace(facts, problem=problem, detail=detail)
    if fault := _damaged_chunk(content):
        problem = ImageProblem.TRUNCATED if fault == _NO_END else ImageProblem.UNDECODABLE
        return replace(facts, problem=problem, detail=fault)
    return replace(
        facts,
        foreign_to_tensorflow=_foreign(facts, content),
        num_frames=num_frames,
        num_trailing=0 if name == "mpo" else _num_trailing(facts.format, content),
        look=look,
    )


def _num_frames(image: Image.Image, name: str) -> int:
    if name in ("jpeg", "mpo", "bmp"):  # an MPO's other pictures are no animation
        return 1
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception:  # noqa: BLE001 - the first frame decoded; damaged ones after it are none
        return 1


def _num_trailing(kind: str, content: bytes) -> int:
    if kind == "jpeg":
        return len(content) - content.rfind(b"\xff\xd9") - 2
    if kind == "png":
        return len(content) - content.rfind(b"IEND") - 8
    return 0


def _orientation_of(image: Image.Image) -> int:
    try:
        value = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # noqa: BLE001 - damaged EXIF is no orientation; the pixels still count
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _is_cut_off(content: bytes, error: Exception) -> bool:
    if "truncated" in str(error).lower():
        return True
    if content.startswith(b"\xff\xd8\xff"):
        return b"\xff\xd9" not in content[-64:]
    return content.startswith(_PNG_START) and b"IEND" not in content[-64:]


def _damaged_chunk(content: bytes) -> str:
    """Name the first PNG chunk of a wrong checksum, or ""; in the pixels Pillow overlooks it, TensorFlow does not."""
    position = len(_PNG_START)
    if not content.startswith(_PNG_START):
        return ""
    while position + 12 <= len(content):
        length = int.from_bytes(content[position : position + 4], "big")
        kind = content[position + 4 : position + 8]
        end = position + 8 + length
        if zlib.crc32(content[position + 4 : end]) != int.from_bytes(content[end : end + 4], "big"):
            return f"wrong checksum in PNG chunk {kind.decode('latin-1')!r}"
        if kind == b"IEND":
            return ""
        position = end + 4
    return _NO_END


def _foreign(facts: ImageFacts, content: bytes) -> str:
    if facts.format not in ("jpeg", "png", "bmp"):
        return facts.format.upper()
    if facts.format != "bmp":
        return ""
    # TensorFlow reads the palette indices of a BMP as grey levels and says nothing; other depths it refuses.
    bits, compression = int.from_bytes(content[28:30], "little"), int.from_bytes(content[30:34], "little")
    if facts.mode == "P":
        return "palette BMP"
    if bits not in (8, 24, 32):
        return f"{bits}-bit BMP"
    return "" if compression in (0, 3) else "compressed BMP"
