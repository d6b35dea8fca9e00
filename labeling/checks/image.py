"""Checks of the picture itself."""

from collections.abc import Iterator

from labeling.checks.subject import Check, Subject
from labeling.findings import Finding, Severity
from labeling.image_probe import ImageFacts, ImageProblem

_SUFFIXES_OF = {
    "jpeg": {".jpg", ".jpeg", ".jpe", ".jfif"},
    "png": {".png"},
    "bmp": {".bmp"},
    "gif": {".gif"},
    "webp": {".webp"},
    "tiff": {".tif", ".tiff"},
    "avif": {".avif"},
}
_HUGE_PIXELS = 50_000_000
_TINY_PX = 32


def undecodable(subject: Subject) -> Iterator[Finding]:
    """I01: no decoder takes it."""
    if (image := _with(subject, ImageProblem.UNDECODABLE)) is not None:
        yield subject.about_image("I01", got=image.detail, wanted="a JPEG, PNG or BMP picture")


def cut_off(subject: Subject) -> Iterator[Finding]:
    """I02: it opens, but the last rows are missing."""
    if (image := _with(subject, ImageProblem.TRUNCATED)) is not None:
        yield subject.about_image("I02", got=image.detail, wanted="a whole picture")


def suffix_differs(subject: Subject) -> Iterator[Finding]:
    """I03: for example a PNG named ``.jpg``."""
    if subject.decoded is None or subject.image_path is None:
        return
    fitting = _SUFFIXES_OF.get(subject.decoded.format)
    if fitting is not None and subject.image_path.suffix.lower() not in fitting:
        got = f"{subject.decoded.format.upper()} content in {subject.image_path.name}"
        yield subject.about_image("I03", got=got, wanted=f"the suffix {sorted(fitting)[-1]}")


def format_not_loadable(subject: Subject) -> Iterator[Finding]:
    """I04: TensorFlow refuses it, misreads it (palette BMP), or adds a time axis that stops training (GIF, WebP)."""
    if subject.decoded is not None and subject.decoded.foreign_to_tensorflow:
        yield subject.about_image("I04", got=subject.decoded.foreign_to_tensorflow, wanted="JPEG, PNG or 24-bit BMP")


def orientation_ignored(subject: Subject) -> Iterator[Finding]:
    """I05: TensorFlow trains on the pixels as stored, so the boxes must have been drawn on those.

    Where turning swaps width and height, ``<size>`` proves the frame: that of the stored pixels is sound (a warning),
    that of the turned picture is S02. Where it does not (180 degrees, mirrored, square), nothing proves it and the
    boxes may lie on the wrong side: an error. A picture without boxes has nothing to lose.
    """
    image, annotation = subject.decoded, subject.annotation
    if image is None or annotation is None or image.orientation == 1:
        return
    turns = image.orientation >= 5
    size = (annotation.width, annotation.height)
    if turns and image.width != image.height and size != (image.width, image.height):
        return
    proven = turns and image.width != image.height
    if proven or not annotation.objects:
        severity = Severity.WARNING
        action = "Nothing to do for training, but LabelImg shows it turned: turn the pixels for good before labelling."
    else:
        severity, action = Severity.ERROR, None
    yield subject.about_image(
        "I05", got=f"orientation {image.orientation}", wanted="orientation 1", severity=severity, action=action
    )


def several_frames(subject: Subject) -> Iterator[Finding]:
    """I06: an animation or several pages; of an animated PNG the trainer takes the first frame, which is a warning."""
    if subject.decoded is not None and subject.decoded.num_frames > 1:
        loads = not subject.decoded.foreign_to_tensorflow
        yield subject.about_image(
            "I06",
            got=f"{subject.decoded.num_frames} frames",
            wanted="one",
            severity=Severity.WARNING if loads else None,
            action="Nothing to do if the first frame was labelled: training takes that one." if loads else None,
        )


def not_plain_rgb(subject: Subject) -> Iterator[Finding]:
    """I07: grey, palette, alpha or CMYK pixels, which the trainer converts."""
    if subject.decoded is not None and subject.decoded.mode != "RGB" and not subject.decoded.foreign_to_tensorflow:
        yield subject.about_image("I07", got=f"mode {subject.decoded.mode}", wanted="RGB")


def size_unusual(subject: Subject) -> Iterator[Finding]:
    """I08: the decoder gives up (error), one picture takes as long as a hundred, or it is a speck (warnings)."""
    if (image := _with(subject, ImageProblem.TOO_LARGE)) is not None:
        yield subject.about_image("I08", got=image.detail, wanted="less than 170 megapixels")
    elif (image := subject.decoded) is not None and image.width * image.height > _HUGE_PIXELS:
        yield subject.about_image(
            "I08",
            got=f"{image.width}x{image.height}",
            wanted=f"at most {_HUGE_PIXELS // 10**6} megapixels",
            severity=Severity.WARNING,
            action="Make it smaller before labelling: it slows the training down.",
        )
    elif image is not None and min(image.width, image.height) < _TINY_PX:
        yield subject.about_image(
            "I08",
            got=f"{image.width}x{image.height}",
            wanted=f"at least {_TINY_PX} pixels a side",
            severity=Severity.WARNING,
            action="Look whether it is a preview picture; the model sees it blown up to 300 pixels.",
        )


def trailing_bytes(subject: Subject) -> Iterator[Finding]:
    """I09: something is appended to the picture."""
    if subject.decoded is not None and subject.decoded.num_trailing > 0:
        yield subject.about_image("I09", got=f"{subject.decoded.num_trailing} bytes", wanted="none")


def text_instead(subject: Subject) -> Iterator[Finding]:
    """I10: an error page, an API answer or a Git-LFS pointer."""
    if (image := _with(subject, ImageProblem.TEXT)) is not None:
        yield subject.about_image("I10", got=repr(image.detail), wanted="a picture")


def unreadable(subject: Subject) -> Iterator[Finding]:
    """I11: the system refuses to read it."""
    if (image := _with(subject, ImageProblem.UNREADABLE)) is not None:
        yield subject.about_image("I11", got=image.detail, wanted="a readable file")


def _with(subject: Subject, problem: ImageProblem) -> ImageFacts | None:
    return subject.image if subject.image is not None and subject.image.problem is problem else None


CHECKS: tuple[Check, ...] = (
    undecodable,
    cut_off,
    suffix_differs,
    format_not_loadable,
    orientation_ignored,
    several_frames,
    not_plain_rgb,
    size_unusual,
    trailing_bytes,
    text_instead,
    unreadable,
)
