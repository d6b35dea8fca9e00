"""Converts whole sets of labels between our layout and COCO, YOLO, CreateML and the Pascal VOC devkit."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PureWindowsPath

from collectors.errors import ConfigError, InputError
from collectors.files import sha256_of_file, write_atomically
from collectors.progress import Progress, no_progress
from labeling.convert_coco import export_coco, read_coco
from labeling.convert_createml import export_createml, read_createml
from labeling.convert_devkit import export_devkit, read_devkit
from labeling.convert_yolo import export_yolo, losses_of_yolo, read_yolo
from labeling.dataset import find_dataset
from labeling.interchange import (
    UNREAD_ELEMENTS,
    Exchange,
    ExchangedPicture,
    NotExchanged,
    Outputs,
    PictureFinder,
    losses_of_flags,
)
from labeling.label_map import LabelMap
from labeling.validate import check_dataset
from labeling.voc import format_annotation

OURS = "tagbox"
FORMATS = (OURS, "coco", "yolo", "createml", "voc-devkit")

_READERS: Mapping[str, Callable[[Path], Exchange]] = {
    "coco": read_coco,
    "yolo": read_yolo,
    "createml": read_createml,
    "voc-devkit": read_devkit,
}


@dataclass(frozen=True, slots=True)
class Conversion:
    """A set that was read and laid out anew; nothing is written yet.

    Attributes:
        pictures: What was taken, sorted by split and name.
        outputs: Every file of the new set.
        refused: What could not be taken, with the reason.
        unlabelled: Pictures of the source that no label file speaks of.
        losses: What the new format cannot hold, a noun and how often; empty when nothing is lost.
        num_waiting: XML files in our ``unlabeled/`` folders, which are in no split yet and are not taken.
    """

    pictures: tuple[ExchangedPicture, ...]
    outputs: Outputs
    refused: tuple[NotExchanged, ...]
    unlabelled: tuple[Path, ...]
    losses: Mapping[str, int]
    num_waiting: int = 0

    @property
    def num_boxes(self) -> int:
        """Boxes in all pictures."""
        return sum(len(picture.annotation.objects) for picture in self.pictures)


def plan_conversion(
    source: Path,
    *,
    source_format: str,
    target_format: str,
    label_map: LabelMap | None = None,
    class_name: str = "",
    progress: Progress = no_progress,
) -> Conversion:
    """Read a set and lay it out in another format.

    Args:
        source: Folder of the set, or its one label file.
        source_format: One of `FORMATS`; ``tagbox`` stands for our class folders and for any folder of LabelImg XML.
        target_format: One of `FORMATS`.
        label_map: Order and numbers of the labels; labels that it lacks come after its own, sorted.
        class_name: Class folder for ``tagbox``; may be left out when there is only one label.
        progress: Called after each pair read.

    Raises:
        ConfigError: No class folder can be named.
        InputError: The set cannot be read.
    """
    exchange = _read_ours(source, progress) if source_format == OURS else _READERS[source_format](source)
    exchange.pictures.sort(key=lambda picture: (picture.split, picture.name))
    pictures = _with_unique_names(_each_once(exchange))
    known = label_map or LabelMap()
    if label_map is None and exchange.labels and source_format != OURS:
        known = LabelMap(tuple(enumerate(exchange.labels, start=1)))
    known = known.extended_with(one.name for picture in pictures for one in picture.annotation.objects)
    losses = dict(exchange.losses)
    if target_format == OURS:
        outputs = _export_ours(pictures, _class_folder(class_name, known))
    elif target_format == "coco":
        outputs = export_coco(pictures, known.items)
    elif target_format == "voc-devkit":
        outputs = export_devkit(pictures)
    elif target_format == "yolo":
        outputs = export_yolo(pictures, known.names)
        losses |= losses_of_flags(pictures, keeps_verified=False) | losses_of_yolo(pictures)
    else:
        outputs = export_createml(pictures)
        losses |= losses_of_flags(pictures, keeps_verified=True)
    unlabelled = tuple(exchange.unlabelled) if source_format == OURS else _unlabelled(source, exchange)
    num_waiting = sum(one.num_waiting for one in find_dataset(source).class_folders) if source_format == OURS else 0
    return Conversion(tuple(pictures), outputs, tuple(exchange.refused), unlabelled, losses, num_waiting)


def write_conversion(conversion: Conversion, out: Path, progress: Progress = no_progress) -> int:
    """Write the files of a conversion; those that are there with the same bytes stay.

    Returns:
        The number of files written.

    Raises:
        InputError: A file is there with other bytes (nothing is written then), or the disk refuses.
    """
    missing = {}
    for name, content in conversion.outputs.items():
        path = out / name
        if not path.exists():
            missing[path] = content
        elif not _is_same(path, content):
            raise InputError("it is there with other content", where=str(path), fix="Choose an empty folder.")
    for number, (path, content) in enumerate(missing.items(), start=1):
        try:
            write_atomically(path, content if isinstance(content, bytes) else content.read_bytes())
        except OSError as error:
            raise InputError(f"cannot read: {error.strerror or error}", where=str(content)) from error
        progress(number, len(missing))
    return len(missing)


def _read_ours(source: Path, progress: Progress) -> Exchange:
    report = check_dataset(source, progress=progress)
    exchange = Exchange()
    for image in report.images:
        annotation = replace(image.annotation, width=image.width, height=image.height)
        exchange.pictures.append(ExchangedPicture(image.image_path.name, image.split, annotation, image.image_path))
    exchange.unlabelled += report.unlabeled
    for one in report.refused:
        exchange.refuse(one.path, f"{one.code}: {one.reason}")
    for finding in report.findings:
        if finding.code == "X09":
            exchange.lose(UNREAD_ELEMENTS)
    return exchange


def _each_once(exchange: Exchange) -> list[ExchangedPicture]:
    """Refuse a picture that several label files speak of, all but the first time."""
    first: dict[Path, ExchangedPicture] = {}
    for picture in exchange.pictures:
        earlier = first.setdefault(picture.source.resolve(), picture)
        if earlier is not picture:
            place = picture.split or "the set"
            exchange.refuse(picture.source, f"several label files speak of it; that of {place} is left out")
    return list(first.values())


def _with_unique_names(pictures: Sequence[ExchangedPicture]) -> list[ExchangedPicture]:
    """Give pictures whose stem is taken (in another class folder) a number behind it."""
    taken: set[str] = set()
    named = []
    for picture in pictures:
        stem, suffix, number = picture.stem, Path(picture.name).suffix, 1
        while stem.casefold() in taken:
            number += 1
            stem = f"{picture.stem}_{number}"
        taken.add(stem.casefold())
        named.append(picture if stem == picture.stem else replace(picture, name=stem + suffix))
    return named


def _export_ours(pictures: Sequence[ExchangedPicture], class_name: str) -> Outputs:
    """Our layout; pictures without a split wait in ``unlabeled/`` for ``tagbox labels split``."""
    outputs: Outputs = {}
    for picture in pictures:
        folder = f"{class_name}/{picture.split or 'unlabeled'}"
        annotation = replace(picture.annotation, folder="images", filename=picture.name, path=None)
        outputs[f"{folder}/{picture.stem}.xml"] = format_annotation(annotation)
        outputs[f"{folder}/images/{picture.name}"] = picture.source
    return outputs


def _class_folder(class_name: str, label_map: LabelMap) -> str:
    if not class_name and len(label_map) != 1:
        names = ", ".join(label_map.names[:5]) or "none"
        raise ConfigError(f"which class folder? The labels are: {names}", fix="Name it with --class.")
    chosen = class_name or label_map.names[0]
    if chosen in ("", ".", "..") or PureWindowsPath(chosen).name != chosen:
        raise ConfigError(f"{chosen!r} cannot be the name of a folder", fix="Name the class folder with --class.")
    return chosen


def _unlabelled(source: Path, exchange: Exchange) -> tuple[Path, ...]:
    if source.is_file():
        return ()
    spoken_of = {picture.source.resolve() for picture in exchange.pictures}
    spoken_of |= {one.picture.resolve() for one in exchange.refused if one.picture is not None}
    return tuple(path for path in PictureFinder(source).all() if path.resolve() not in spoken_of)


def _is_same(path: Path, content: bytes | Path) -> bool:
    try:
        return (
            path.read_bytes() == content
            if isinstance(content, bytes)
            else sha256_of_file(path) == sha256_of_file(content)
        )
    except OSError:
        return False
