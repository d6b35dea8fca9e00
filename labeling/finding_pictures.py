"""Pictures to a finding: the one it is about, small, with its boxes drawn and the box in question in red."""

import hashlib
import io
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from collectors.files import write_atomically
from labeling.annotations import LabeledObject
from labeling.drawing import DrawnBox, draw_boxes
from labeling.findings import Finding, Severity
from labeling.validate import CheckReport

_GUILTY = (213, 0, 0)
_OTHER = (0, 145, 234)
_QUALITY = 80


@dataclass(frozen=True, slots=True)
class DrawablePair:
    """A pair that findings are about, as far as it can be drawn.

    Attributes:
        xml_path: The annotation file; for a picture without one, the picture.
        image_path: The picture.
        objects: Its objects as they stand in the file, in the frame of ``size``; none when the XML cannot be read.
        size: Width and height that the boxes were drawn in; zeros where ``<size>`` does not tell.
    """

    xml_path: Path
    image_path: Path
    objects: tuple[LabeledObject, ...] = ()
    size: tuple[int, int] = (0, 0)


def drawable_pairs(report: CheckReport) -> Mapping[Path, DrawablePair]:
    """Map XML files and pictures to the pair to draw; files without a picture stand in it not."""
    found: dict[Path, DrawablePair] = {path: DrawablePair(path, path) for path in report.unlabeled}
    for image in report.images:
        annotation = image.annotation
        size = (annotation.width, annotation.height)
        pair = DrawablePair(image.xml_path, image.image_path, annotation.objects, size)
        found[image.xml_path] = found[image.image_path] = pair
    for one in report.refused:
        if len(one.image_paths) == 1:
            pair = DrawablePair(one.path, one.image_paths[0])
            if one.annotation is not None:
                size = (one.annotation.width, one.annotation.height)
                pair = DrawablePair(one.path, one.image_paths[0], one.annotation.objects, size)
            found[one.path] = found[one.image_paths[0]] = pair
    return found


def grouped(report: CheckReport) -> dict[Path, list[Finding]]:
    """Return the findings by the pair (its XML), or by file or folder where there is no pair, in the report's order."""
    pairs = drawable_pairs(report)
    groups: dict[Path, list[Finding]] = defaultdict(list)
    for finding in report.findings:
        pair = pairs.get(finding.path)
        groups[finding.path if pair is None else pair.xml_path].append(finding)
    return dict(groups)


def is_visible(finding: Finding) -> bool:
    """Whether a drawing shows something of a finding: an info is worth one when it is about a box."""
    return finding.severity is not Severity.INFO or finding.code.startswith("B")


def finding_picture(pair: DrawablePair, findings: Sequence[Finding], *, side_px: int = 320) -> bytes | None:
    """Draw a pair and encode it as JPEG; ``None`` when the picture does not decode at all.

    Args:
        pair: The pair.
        findings: What was found about it; the boxes they name are red and carry their number, the others are blue.
        side_px: Longest side of the drawing, in pixels.
    """
    # What is broken in an object (X06, X07) keeps it out of the list, and counts it in the file.
    guilty = {one.object_index for one in findings if one.code not in ("X06", "X07") and is_visible(one)} - {None}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(pair.image_path) as stored:
                width, height = stored.size
                stored.draft("RGB", (side_px, side_px))
                small = stored.convert("RGB")
    except Exception:  # noqa: BLE001 - Pillow's readers raise nearly anything on damaged bytes; the finding says why
        return None
    small.thumbnail((side_px, side_px))
    # Boxes stay in the frame of <size>; where that is wrong, the drawing shows what the trainer would see.
    frame = pair.size if min(pair.size) > 0 else (width, height)
    scale = small.width / frame[0], small.height / frame[1]
    boxes = []
    for number, labeled in enumerate(pair.objects, start=1):
        is_guilty = number in guilty
        text = f"{number} {labeled.name}" if is_guilty or not guilty else ""
        try:
            boxes.append((is_guilty, DrawnBox(labeled.box.scaled(*scale), text, _GUILTY if is_guilty else _OTHER)))
        except OverflowError:  # an edge of 1e999
            continue
    drawable = [box for _, box in sorted(boxes, key=lambda one: one[0]) if _is_finite(box)]
    stream = io.BytesIO()
    draw_boxes(small, drawable).save(stream, "JPEG", quality=_QUALITY)
    return stream.getvalue()


def write_pictures(report: CheckReport, folder: Path) -> dict[Path, Path]:
    """Write a drawing for each pair where one shows something; returns where it is, by the XML's path.

    The name is the stem and a few letters that tell pairs of one stem apart; the same data gives the same names.

    Raises:
        InputError: The disk refuses.
    """
    pairs = drawable_pairs(report)
    written = {}
    for key, findings in grouped(report).items():
        if key not in pairs or not any(is_visible(finding) for finding in findings):
            continue
        content = finding_picture(pairs[key], findings)
        if content is not None:
            tag = hashlib.sha256(bytes(key)).hexdigest()[:6]
            path = folder / f"{key.stem}-{tag}.jpg"
            write_atomically(path, content)
            written[key] = path
    return written


def _is_finite(drawn: DrawnBox) -> bool:
    edges = (drawn.box.xmin, drawn.box.ymin, drawn.box.xmax, drawn.box.ymax)
    return all(abs(edge) < 1e9 for edge in edges)
