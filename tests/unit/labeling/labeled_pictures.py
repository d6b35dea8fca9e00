"""Small labelled pictures made on the spot, sound ones and ones with a defect that a test puts in."""

import io
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from labeling.annotations import Annotation, Box, LabeledObject
from labeling.voc import format_annotation

WIDTH, HEIGHT = 64, 48
EXIF_ORIENTATION = 0x0112


def picture_bytes(
    kind: str = "JPEG",
    *,
    seed: int = 0,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    mode: str = "RGB",
    orientation: int = 1,
) -> bytes:
    """Encode a picture whose pixels depend on ``seed``."""
    image = Image.new("RGB", size, (seed * 37 % 256, seed * 91 % 256, 120))
    ImageDraw.Draw(image).ellipse((5, 5, max(5, size[0] - 9), max(5, size[1] - 9)), fill=(255, seed % 256, 0))
    stream = io.BytesIO()
    options: dict[str, Any] = {}
    if orientation != 1:
        exif = Image.Exif()
        exif[EXIF_ORIENTATION] = orientation
        options["exif"] = exif
    image.convert(mode).save(stream, kind, **options)
    return stream.getvalue()


def varied_picture(seed: int, size: tuple[int, int] = (WIDTH, HEIGHT), *, mirrored: bool = False) -> Image.Image:
    """Make a picture of coarse random fields: no two seeds look alike."""
    fields = Image.frombytes("RGB", (8, 6), random.Random(seed).randbytes(8 * 6 * 3))
    picture = fields.resize(size, Image.Resampling.BILINEAR)
    return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else picture


def encoded(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    """Encode a picture."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def annotation(
    *boxes: tuple[float, float, float, float],
    name: str = "cat",
    filename: str = "a.jpg",
    size: tuple[int, int] = (WIDTH, HEIGHT),
    depth: int = 3,
) -> Annotation:
    """Make an annotation of these boxes, all of one label."""
    objects = tuple(LabeledObject(name, Box(*box)) for box in boxes)
    return Annotation(filename=filename, width=size[0], height=size[1], depth=depth, objects=objects)


def write_pair(
    folder: Path,
    stem: str = "a",
    *,
    xml: bytes | Annotation | None = None,
    image: bytes | None = None,
    suffix: str = ".jpg",
    seed: int = 0,
    beside: bool = False,
    change: Callable[[bytes], bytes] = lambda content: content,
) -> Path:
    """Write one XML file and its picture into ``images/`` (or beside it); returns the path of the XML."""
    images = folder if beside else folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    if xml is None:
        xml = annotation((5, 6, 40, 30), filename=stem + suffix)
    content = format_annotation(xml) if isinstance(xml, Annotation) else xml
    xml_path = folder / f"{stem}.xml"
    xml_path.write_bytes(change(content))
    (images / f"{stem}{suffix}").write_bytes(picture_bytes(seed=seed) if image is None else image)
    return xml_path


def write_class(
    root: Path, name: str = "cat", *, training: int = 2, verification: int = 1, first_seed: int = 0
) -> Path:
    """Write a class folder with sound pairs, every picture different; returns the class folder."""
    seed = first_seed
    for split, count in (("training", training), ("verification", verification)):
        (root / name / split / "images").mkdir(parents=True, exist_ok=True)
        for index in range(count):
            stem = f"{name}_{split}_{index}"
            xml = annotation((5, 6, 40, 30), name=name, filename=f"{stem}.jpg")
            write_pair(root / name / split, stem, xml=xml, seed=seed)
            seed += 1
    return root / name
