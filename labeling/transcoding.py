"""Stills in formats that the trainer cannot load, as PNG or JPEG."""

import io

from PIL import Image, ImageOps

_JPEG_QUALITY = 97
_ORIENTATION_TAG = 0x0112
_BACK = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""What takes the turn of an EXIF orientation back."""

_PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")


class NotTranscodableError(Exception):
    """The picture cannot be turned into a still; the message says why, a clause."""


def suffix_for(content: bytes) -> str:
    """Return the suffix that the picture gets from `transcode`: ``.jpg`` for what lost detail already, else ``.png``.

    Raises:
        NotTranscodableError: It has several frames, so nobody knows which one was labelled.
    """
    with Image.open(io.BytesIO(content)) as image:
        if getattr(image, "n_frames", 1) > 1:
            raise NotTranscodableError(f"it has {getattr(image, 'n_frames', 1)} frames; which one was labelled?")
        is_lossy = image.format in ("AVIF", "HEIF") or (image.format == "WEBP" and content[12:16] == b"VP8 ")
    return ".jpg" if is_lossy else ".png"


def transcode(content: bytes, *, turn: bool) -> bytes:
    """Return the picture as PNG, pixel for pixel, or as JPEG of quality 97 where `suffix_for` says so.

    Args:
        content: A still that decodes.
        turn: Turn the pixels as the EXIF orientation says; else they stay as stored. The new file has no orientation.

    Raises:
        NotTranscodableError: It has several frames, or pixels of a kind that PNG cannot hold.
    """
    suffix = suffix_for(content)
    with Image.open(io.BytesIO(content)) as opened:
        image = _turned(opened) if turn else _as_stored(opened)
        stream = io.BytesIO()
        options = {"icc_profile": image.info["icc_profile"]} if image.info.get("icc_profile") else {}
        if suffix == ".jpg":
            image.convert("RGB").save(stream, "JPEG", quality=_JPEG_QUALITY, subsampling=0, **options)
        else:
            if image.mode not in _PNG_MODES and image.mode != "CMYK":
                raise NotTranscodableError(f"PNG has no pixels of mode {image.mode}")
            if image.mode == "CMYK":
                image, options = image.convert("RGB"), {}
            image.save(stream, "PNG", exif=b"", **options)
    return stream.getvalue()


def _turned(image: Image.Image) -> Image.Image:
    if image.format == "TIFF":  # Pillow turns it while it decodes
        image.load()
        return image
    return ImageOps.exif_transpose(image)


def _as_stored(image: Image.Image) -> Image.Image:
    if image.format != "TIFF":
        return image
    back = _BACK.get(image.getexif().get(_ORIENTATION_TAG, 1))
    image.load()
    return image if back is None else image.transpose(back)
