"""Downloaded bytes -> a picture that every later step can read, or the reason why not.

The type is told by content, never by name or header. Every picture is decoded in full once, because a file cut in half
still opens. What TensorFlow and LabelImg do not read (WebP, still GIF, AVIF, BMP, TIFF, CMYK) becomes PNG or JPEG.
"""

import hashlib
import io
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from collectors.errors import TagboxError
from collectors.image_identity import perceptual_hashes, pixel_sha256
from collectors.image_quality import QualityMetrics, measure
from collectors.refusals import Refusal

_JPEG_QUALITY = 95
_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "AVIF", "BMP", "TIFF", "MPO")
_SNIFFED_BYTES = 1024


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What a picture may be.

    Attributes:
        max_bytes: Largest download, bytes.
        max_pixels: Largest width times height; a small file can unpack into gigabytes.
        first_frame: Take the first frame of an animation instead of refusing it.
    """

    max_bytes: int = 30_000_000
    max_pixels: int = 60_000_000
    first_frame: bool = False


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """A picture that can be kept.

    Attributes:
        content: The file to store, either the downloaded bytes or a conversion.
        extension: ``jpg`` or ``png``, fitting the content.
        sha256: Of ``content``.
        pixel_sha256: Of the decoded pixels as downloaded, see `collectors.image_identity`.
        phash: Perceptual hash.
        mirror_phash: Perceptual hash of the mirror image.
        metrics: What the quality gate looks at; holds width and height.
    """

    content: bytes
    extension: str
    sha256: str
    pixel_sha256: str
    phash: int
    mirror_phash: int
    metrics: QualityMetrics


class ImageRefusedError(TagboxError):
    """The bytes are no picture we can use; `refusal` says why."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.refusal = Refusal(code, reason)


def examine(content: bytes, limits: ImageLimits) -> ImageFacts:
    """Decode, convert where needed, hash and measure downloaded bytes.

    Raises:
        ImageRefusedError: With one of the codes empty_body, html_page, xml_error, not_an_image, too_many_bytes,
            too_many_pixels, animated, truncated, undecodable.
    """
    _refuse_other_content(content, limits)
    with _open(content) as image:
        if image.format not in _FORMATS:
            raise ImageRefusedError("not_an_image", f"the content is {image.format}, which is not collected")
        if image.width * image.height > limits.max_pixels:
            raise ImageRefusedError(
                "too_many_pixels", f"{image.width}x{image.height} is more than {limits.max_pixels:,} pixels"
            )
        # An MPO is a JPEG with a second view of the same scene, not an animation.
        num_frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
        if num_frames > 1 and not limits.first_frame:
            raise ImageRefusedError(
                "animated", f"an animation of {num_frames} frames (--animated first-frame takes one)"
            )
        _load(image)
        stored, extension = _as_jpeg_or_png(image, content, is_still=num_frames == 1)
        rgb = _flattened(image)
    gray = rgb.convert("L")
    phash, mirror_phash = perceptual_hashes(gray)
    return ImageFacts(
        content=stored,
        extension=extension,
        sha256=hashlib.sha256(stored).hexdigest(),
        pixel_sha256=pixel_sha256(rgb, gray),
        phash=phash,
        mirror_phash=mirror_phash,
        metrics=measure(rgb, gray),
    )


def _refuse_other_content(content: bytes, limits: ImageLimits) -> None:
    if not content:
        raise ImageRefusedError("empty_body", "the server sent no bytes")
    if len(content) > limits.max_bytes:
        raise ImageRefusedError("too_many_bytes", f"more than {limits.max_bytes:,} bytes")
    head = content[:_SNIFFED_BYTES].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<!doctype html", b"<html")) or (head.startswith(b"<") and b"<html" in head):
        raise ImageRefusedError("html_page", "the server sent a web page instead of the picture")
    if head.startswith(b"<svg") or b"<svg" in head[:512]:
        raise ImageRefusedError("not_an_image", "a vector drawing (SVG), which is not collected")
    if head.startswith((b"<?xml", b"<error")):
        raise ImageRefusedError("xml_error", "the server sent an XML error instead of the picture")


def _open(content: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(content), formats=None)
    except UnidentifiedImageError as error:
        raise ImageRefusedError("not_an_image", "the content is no picture of a known type") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageRefusedError("too_many_pixels", "the picture claims more pixels than is safe to unpack") from error
    except (OSError, SyntaxError, ValueError, TypeError, EOFError, ArithmeticError, MemoryError, IndexError) as error:
        raise ImageRefusedError("undecodable", f"the picture cannot be opened: {_words(error)}") from error


def _load(image: Image.Image) -> None:
    try:
        image.load()
    except OSError as error:
        code = "truncated" if "truncated" in str(error) or "broken data" in str(error) else "undecodable"
        raise ImageRefusedError(code, f"the picture does not decode to its end: {_words(error)}") from error
    except (SyntaxError, ValueError, TypeError, EOFError, ArithmeticError, IndexError) as error:
        raise ImageRefusedError("undecodable", f"the picture does not decode: {_words(error)}") from error


def _as_jpeg_or_png(image: Image.Image, content: bytes, *, is_still: bool) -> tuple[bytes, str]:
    if is_still and image.format in ("JPEG", "MPO") and image.mode in ("L", "RGB"):
        return content, "jpg"
    if is_still and image.format == "PNG":
        return content, "png"
    is_lossy = image.format in ("JPEG", "MPO", "AVIF") or (image.format == "WEBP" and b"VP8L" not in content[:64])
    stored = io.BytesIO()
    if is_lossy and not image.has_transparency_data:
        image.convert("RGB").save(stored, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
        return stored.getvalue(), "jpg"
    mode = "RGBA" if image.has_transparency_data else "L" if image.mode in ("1", "L") else "RGB"
    image.convert(mode).save(stored, "PNG")
    return stored.getvalue(), "png"


def _flattened(image: Image.Image) -> Image.Image:
    """Lay a transparent picture on white, as a page shows it."""
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")
    pixels = image.convert("RGBA")
    ground = Image.new("RGBA", pixels.size, (255, 255, 255, 255))
    return Image.alpha_composite(ground, pixels).convert("RGB")


def _words(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
