"""Where the pictures of an evaluation come from: their pixels, and the folder that their paths begin at."""

import io
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from PIL import Image, ImageOps

from records.example_values import first_bytes, first_text
from records.reading import read_features

_LOOKED_FOR = 3


class Pictures(Protocol):
    """What can show pictures of an evaluation."""

    def show(self, image_ids: Collection[int]) -> Iterator[tuple[int, Image.Image]]:
        """Yield those of these pictures that are there and can be decoded, in RGB and in the frame of their boxes."""


class RecordPictures:
    """Pictures in records.

    Args:
        images: Each with ``id`` and ``place``, its place in the records, counted through all files from 0.
        paths: The record files, in the order in which they were evaluated.
    """

    def __init__(self, images: Iterable[Mapping[str, Any]], paths: Sequence[Path]) -> None:
        self._images = {image["place"]: image for image in images if "place" in image}
        self._paths = list(paths)

    def show(self, image_ids: Collection[int]) -> Iterator[tuple[int, Image.Image]]:
        """Go through the records once; pictures of other names than those evaluated are passed over."""
        examples = (features for path in self._paths for features in read_features(path))
        for place, features in enumerate(examples if image_ids else ()):
            image = self._images.get(place)
            if image is None or image["id"] not in image_ids:
                continue
            encoded, name = first_bytes(features, "image/encoded"), first_text(features, "image/filename")
            is_same = Path(image.get("file_name", "")).name == Path(name).name
            if is_same and (picture := _decoded(io.BytesIO(encoded))) is not None:
                yield image["id"], picture


class FilePictures:
    """Pictures in files.

    Args:
        images: With ``id``, ``width``, ``height`` and ``file_name``.
        folders: Where a ``file_name`` may begin; the first that has it counts.
    """

    def __init__(self, images: Iterable[Mapping[str, Any]], folders: Sequence[Path]) -> None:
        self._images, self._folders = list(images), [Path(), *folders]

    def show(self, image_ids: Collection[int]) -> Iterator[tuple[int, Image.Image]]:
        """Open the files one after the other. A picture is turned as EXIF says where its boxes are so."""
        for image in self._images:
            if image["id"] not in image_ids or not image.get("file_name"):
                continue
            path = existing(str(image["file_name"]), self._folders)
            picture = path and _decoded(path, (image.get("width") or 0, image.get("height") or 0))
            if picture:
                yield image["id"], picture


def existing(name: str, folders: Sequence[Path]) -> Path | None:
    """Return the file of this name below the first folder that has it."""
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def find_data_root(images: Iterable[Mapping[str, Any]], beside: Sequence[Path]) -> Path | None:
    """Return the folder that the XML paths of records begin at; ``None`` where none of the usual ones has them.

    Args:
        images: With ``xml``, a path relative to the data root.
        beside: The record files, or others: their folders, ``data`` in those, and the same one above are looked at,
            after the working directory and ``data`` in it.
    """
    names = [image["xml"] for image in images if image.get("xml")][:_LOOKED_FOR]
    folders = [Path(), *(folder for path in beside for folder in (path.parent, path.parent / ".."))]
    roots = [root for folder in folders for root in (folder / "data", folder)]
    return next((root for root in roots if names and all((root / name).is_file() for name in names)), None)


def _decoded(source: Any, size: tuple[int, int] = (0, 0)) -> Image.Image | None:
    """Decode a picture; turned as EXIF says where that makes it ``size`` and the stored pixels are not."""
    try:
        with Image.open(source) as opened:
            picture = ImageOps.exif_transpose(opened) if size != (0, 0) else opened
            if size not in ((0, 0), picture.size) and opened.size == size:
                picture = opened
            return picture.convert("RGB")
    except Exception:  # noqa: BLE001 - Pillow's readers raise nearly anything on damaged bytes
        return None
