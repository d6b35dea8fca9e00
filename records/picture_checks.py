"""Is a file a picture that can go into a classification record, and what has to be done to it first?"""

import io
import warnings

from PIL import Image, ImageOps

from labeling.image_probe import ImageFacts, ImageProblem, probe_bytes

_JPEG_QUALITY = 95
_WORDS = {
    ImageProblem.UNREADABLE: ("unreadable", "it cannot be read"),
    ImageProblem.TEXT: ("not-a-picture", "it is text, not a picture"),
    ImageProblem.UNDECODABLE: ("undecodable", "it does not decode"),
    ImageProblem.TRUNCATED: ("truncated", "it is cut off"),
    ImageProblem.TOO_LARGE: ("too-large", "it has more pixels than is safe to unpack"),
}


BAD_NAME = ("bad-name", "its name is not valid Unicode, so no manifest can hold it")
"""Code and reason for a picture whose name cannot be written."""


def printable(name: str) -> str:
    """Return a name as it can be written anywhere; what is not valid Unicode is escaped."""
    return name.encode(errors="backslashreplace").decode()


def examine_picture(content: bytes, *, with_look: bool = False) -> ImageFacts:
    """Decode a picture to its end and say what it is; see `labeling.image_probe.probe_bytes`."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return probe_bytes(content, with_look=with_look)


def refusal_of(facts: ImageFacts) -> tuple[str, str] | None:
    """Return the code and the reason why a picture stays out, ``None`` when it can go in.

    Codes: ``unreadable``, ``not-a-picture``, ``undecodable``, ``truncated``, ``too-large``, ``animated``.
    """
    if facts.problem is not ImageProblem.NONE:
        code, words = _WORDS[facts.problem]
        return code, f"{words}: {facts.detail}" if facts.detail else words
    if facts.num_frames > 1:
        return "animated", f"it has {facts.num_frames} frames, and nobody knows which of them shows the label"
    return None


def why_transcode(facts: ImageFacts) -> str:
    """Say why a picture cannot go in byte for byte; empty when it can: an upright JPEG, grey or RGB."""
    if facts.format != "jpeg":
        return f"{facts.format} to JPEG"
    if facts.mode not in ("L", "RGB"):
        return f"{facts.mode} to RGB"
    return f"turned upright (EXIF orientation {facts.orientation})" if facts.orientation != 1 else ""


def to_jpeg(content: bytes, *, max_side: int | None = None) -> bytes:
    """Return a picture as an upright JPEG, grey or RGB, quality 95 without chroma subsampling.

    What is transparent is laid on white. The longer side is shrunk to ``max_side`` pixels where it is longer.
    """
    stream = io.BytesIO()
    image = upright(content)
    if max_side is not None and max(image.size) > max_side:
        image.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    image.save(stream, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return stream.getvalue()


def upright(content: bytes) -> Image.Image:
    """Decode a picture: turned as its EXIF says, laid on white where transparent, mode ``L`` or ``RGB``."""
    with Image.open(io.BytesIO(content)) as opened:
        opened.load()
        image = ImageOps.exif_transpose(opened)
    if image.has_transparency_data:
        pixels = image.convert("RGBA")
        ground = Image.new("RGBA", pixels.size, (255, 255, 255, 255))
        image = Image.alpha_composite(ground, pixels)
        return image.convert("L") if opened.mode in ("LA", "La") else image.convert("RGB")
    if image.mode.startswith("I"):  # 16 bits a pixel; convert() would cut at 255 instead of scaling
        return image.point(lambda level: level / 256).convert("L")
    return image.convert("L") if image.mode in ("1", "L") else image.convert("RGB")
