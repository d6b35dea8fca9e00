"""Small labelled data sets for the tests of records: real JPEG and PNG files with XML of LabelImg's kind."""

import io
import random
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from labeling.annotations import Annotation, Box, LabeledObject
from labeling.voc import write_annotation

WIDTH, HEIGHT = 40, 30


def picture_bytes(seed: str, *, kind: str = "JPEG", size: tuple[int, int] = (WIDTH, HEIGHT)) -> bytes:
    """An image of random blocks: another seed gives another picture."""
    chance = random.Random(seed)
    blocks = Image.new("RGB", (8, 6))
    blocks.putdata([tuple(chance.randbytes(3)) for _ in range(48)])
    stream = io.BytesIO()
    blocks.resize(size, Image.Resampling.NEAREST).save(stream, kind)
    return stream.getvalue()


def add_picture(
    data_root: Path,
    class_name: str,
    split: str,
    stem: str,
    *,
    boxes: Sequence[tuple[float, float, float, float]] = ((4, 5, 24, 25),),
    labels: Sequence[str] = (),
    kind: str = "JPEG",
    content: bytes | None = None,
) -> tuple[Path, Path]:
    """Write one labelled picture and return the paths of its XML and of its picture; labels default to the class."""
    folder = data_root / class_name / split
    image_path = folder / "images" / f"{stem}.{'jpg' if kind == 'JPEG' else kind.lower()}"
    image_path.parent.mkdir(parents=True, exist_ok=True)
    image_path.write_bytes(content or picture_bytes(f"{class_name}/{split}/{stem}", kind=kind))
    names = labels or [class_name] * len(boxes)
    objects = tuple(LabeledObject(name, Box(*box)) for name, box in zip(names, boxes, strict=True))
    xml_path = folder / f"{stem}.xml"
    write_annotation(Annotation(image_path.name, WIDTH, HEIGHT, objects=objects), xml_path)
    return xml_path, image_path


def make_data(
    data_root: Path, *, classes: Sequence[str] = ("cat", "dog"), training: int = 3, verification: int = 2
) -> Path:
    """Write a whole data root of a few pictures a class and split."""
    for class_name in classes:
        for split, count in (("training", training), ("verification", verification)):
            for index in range(count):
                add_picture(data_root, class_name, split, f"{class_name}_{split}_{index:02d}")
    return data_root
