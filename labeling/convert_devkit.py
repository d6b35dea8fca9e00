"""The layout of the Pascal VOC devkit: ``Annotations/``, ``JPEGImages/``, ``ImageSets/Main/{train,val}.txt``.

Its boxes are inclusive pixels counted from 1, so the first column and row are one more than our edges and the last ones
are equal.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from collectors.errors import InputError
from labeling.annotations import Annotation, Box
from labeling.errors import AnnotationError
from labeling.interchange import UNREAD_ELEMENTS, Exchange, ExchangedPicture, Outputs, PictureFinder, edge
from labeling.voc import format_annotation, read_annotation
from labeling.voc_reader import examine

_LISTS = {"train": "training", "val": "verification", "test": "verification"}


def export_devkit(pictures: Sequence[ExchangedPicture]) -> Outputs:
    """Return the files of a devkit set; stems are unique."""
    outputs: Outputs = {}
    stems: dict[str, list[str]] = {"train": [], "val": [], "trainval": []}
    for picture in pictures:
        annotation = replace(to_devkit(picture.annotation), folder="JPEGImages", filename=picture.name, path=None)
        outputs[f"Annotations/{picture.stem}.xml"] = format_annotation(annotation)
        outputs[f"JPEGImages/{picture.name}"] = picture.source
        stems["val" if picture.split == "verification" else "train"].append(picture.stem)
        stems["trainval"].append(picture.stem)
    for name, chosen in stems.items():
        outputs[f"ImageSets/Main/{name}.txt"] = "".join(f"{stem}\n" for stem in sorted(chosen)).encode()
    return outputs


def read_devkit(root: Path) -> Exchange:
    """Read a devkit set; the lists say the splits, pictures in none of them have none.

    Raises:
        InputError: There is no ``Annotations`` folder.
    """
    folder = root / "Annotations"
    if not folder.is_dir():
        raise InputError("no folder Annotations here", where=str(root), fix="Give the folder VOC2007 or the like.")
    splits: dict[str, str] = {}
    for name, split in reversed(_LISTS.items()):
        path = root / "ImageSets" / "Main" / f"{name}.txt"
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
            splits[line.strip()] = split
    finder, exchange = PictureFinder(root), Exchange()
    for xml_path in sorted(folder.glob("*.xml")):
        source = finder.of_stem(xml_path.stem, near=[root / "JPEGImages", folder])
        try:
            annotation = from_devkit(read_annotation(xml_path))
        except AnnotationError as error:
            exchange.refuse(xml_path, error.what, source)
            continue
        if examine(xml_path.read_bytes()).unknown_elements not in ((), ("owner",)):
            exchange.lose(UNREAD_ELEMENTS)
        if source is None:
            exchange.refuse(xml_path, "its picture is not there, or there are several of that name")
            continue
        exchange.pictures.append(ExchangedPicture(source.name, splits.get(xml_path.stem, ""), annotation, source))
        names = dict.fromkeys(one.name for one in annotation.objects)
        exchange.labels += [name for name in names if name not in exchange.labels]
    return exchange


def to_devkit(annotation: Annotation) -> Annotation:
    """Return the annotation with boxes as inclusive pixels from 1."""
    return _shifted(annotation, 1)


def from_devkit(annotation: Annotation) -> Annotation:
    """Undo `to_devkit`."""
    return _shifted(annotation, -1)


def _shifted(annotation: Annotation, step: int) -> Annotation:
    objects = tuple(
        replace(one, box=Box(edge(one.box.xmin + step), edge(one.box.ymin + step), one.box.xmax, one.box.ymax))
        for one in annotation.objects
    )
    return replace(annotation, objects=objects)
