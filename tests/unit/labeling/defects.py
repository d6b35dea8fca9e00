"""Data sets with one defect each, at least one for every code; the checks must find that code and no other fault.

A data set is a sound class folder ``cat`` (two training pairs, one verification pair) into which the defect is put.
"""

import unicodedata
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from labeling.annotations import Annotation, Box, LabeledObject
from labeling.voc import format_annotation
from tests.unit.labeling.labeled_pictures import HEIGHT, WIDTH, annotation, picture_bytes, write_class, write_pair

_SEED = 77
_PICTURE = "cat/training/images/a.jpg"
_BOX = (5.0, 6.0, 40.0, 30.0)


@dataclass(frozen=True)
class Defect:
    """One defect.

    Attributes:
        code: The code that must be found.
        name: Which variety of it.
        build: Puts it into a data root that holds the sound class folder.
        path: The file that the finding is about, below the data root.
        line: The line that must be named.
        refuses: Whether the pair is refused.
        also: Other codes that the same defect must raise.
    """

    code: str
    name: str
    build: Callable[[Path], object]
    path: str = "cat/training/a.xml"
    line: int | None = None
    refuses: bool = True
    also: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"{self.code} {self.name}"


def _folder(root: Path, split: str = "training") -> Path:
    return root / "cat" / split


def _xml(content: bytes) -> Callable[[Path], object]:
    return lambda root: write_pair(_folder(root), xml=content, seed=_SEED)


def _changed(old: bytes, new: bytes) -> Callable[[Path], object]:
    def change(content: bytes) -> bytes:
        assert old in content, (old, content)
        return content.replace(old, new, 1)

    return lambda root: write_pair(_folder(root), change=change, seed=_SEED)


def _image(
    content: bytes, suffix: str = ".jpg", *, size: tuple[int, int] = (WIDTH, HEIGHT)
) -> Callable[[Path], object]:
    xml = annotation(_BOX, filename="a" + suffix, size=size)
    return lambda root: write_pair(_folder(root), xml=xml, image=content, suffix=suffix)


def _boxes(*boxes: tuple[float, float, float, float]) -> Callable[[Path], object]:
    return lambda root: write_pair(_folder(root), xml=annotation(*boxes), seed=_SEED)


def _labels(*names: str) -> Callable[[Path], object]:
    # A box of its own for each label, lest they be duplicates.
    objects = tuple(LabeledObject(name, Box(5, 6, 40 + index, 30)) for index, name in enumerate(names))
    return lambda root: write_pair(_folder(root), xml=Annotation("a.jpg", WIDTH, HEIGHT, objects=objects), seed=_SEED)


def _unreadable_xml(root: Path) -> None:
    write_pair(_folder(root), seed=_SEED)
    _folder(root).joinpath("a.xml").unlink()
    _folder(root).joinpath("a.xml").symlink_to("nowhere.xml")


def _unreadable_image(root: Path) -> None:
    write_pair(_folder(root), seed=_SEED)
    _folder(root).joinpath("images/a.jpg").unlink()
    _folder(root).joinpath("images/a.jpg").symlink_to("nowhere.jpg")


def _renamed(old: str, new: str) -> Callable[[Path], object]:
    def build(root: Path) -> None:
        write_pair(_folder(root), seed=_SEED)
        _folder(root).joinpath(old).rename(_folder(root) / new)

    return build


def _no_image(root: Path) -> None:
    write_pair(_folder(root), seed=_SEED)
    (_folder(root) / "images" / "a.jpg").unlink()


def _no_xml(root: Path) -> None:
    write_pair(_folder(root), seed=_SEED).unlink()


def _two_images(root: Path) -> None:
    write_pair(_folder(root), seed=_SEED)
    (_folder(root) / "images" / "a.png").write_bytes(picture_bytes("PNG", seed=_SEED))


def _two_xml(root: Path) -> None:
    write_pair(_folder(root), seed=_SEED)
    (_folder(root) / "images" / "a.xml").write_bytes(format_annotation(annotation((1, 2, 30, 40))))


def _waiting(root: Path) -> None:
    write_pair(_folder(root, "unlabeled"), seed=_SEED)


def _twins_of_accents(root: Path) -> None:
    write_pair(_folder(root), "café", seed=_SEED)
    old = _folder(root) / "images" / "café.jpg"
    old.rename(old.with_name(unicodedata.normalize("NFD", "café") + ".jpg"))


def _same_picture(split: str, boxes: int) -> Callable[[Path], object]:
    def build(root: Path) -> None:
        write_pair(_folder(root), "a", seed=_SEED)
        second = annotation(*[_BOX, (1, 2, 20, 20)][:boxes], filename="b.jpg")
        write_pair(_folder(root, split), "b", xml=second, seed=_SEED)

    return build


def _without_split(split: str) -> Callable[[Path], object]:
    def build(root: Path) -> None:
        for path in _folder(root, split).rglob("*.*"):
            path.unlink()

    return build


def _jpeg_of(size: tuple[int, int], **options: int) -> bytes:
    return picture_bytes(seed=_SEED, size=size, **options)


_SOUND = format_annotation(annotation(_BOX))
_JPEG = picture_bytes(seed=_SEED)
_PNG = picture_bytes("PNG", seed=_SEED)
_BAD_PNG = _PNG[:80] + bytes([_PNG[80] ^ 1]) + _PNG[81:]
_HEADER = b"IHDR" + (30_000).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0"
_BOMB = b"\x89PNG\r\n\x1a\n\0\0\0\r" + _HEADER + zlib.crc32(_HEADER).to_bytes(4, "big") + _PNG[33:]

DEFECTS = [
    Defect("X01", "cut off", _xml(_SOUND[:-30]), line=23),
    Defect("X01", "no xml", _xml(b"hello"), line=1),
    Defect("X02", "entity", _xml(b'<!DOCTYPE a [<!ENTITY x "cat">]>\n' + _SOUND.replace(b"cat<", b"&x;<")), line=1),
    Defect("X03", "svg", _xml(b"<svg/>"), line=1),
    Defect("X03", "namespace", _xml(b'<annotation xmlns="urn:voc"/>'), line=1),
    Defect("X04", "latin-1", _xml(_SOUND.replace(b"cat<", b"caf\xe9<")), line=14),
    Defect("X05", "large", _xml(b"<annotation>" + b"<object/>" * 120_000 + b"</annotation>")),
    Defect("X06", "no bndbox", _xml(_SOUND.replace(b"bndbox>", b"box>")), line=13, also=("X09",)),
    Defect("X06", "two names", _changed(b"<name>cat</name>", b"<name>cat</name><name>dog</name>"), line=14),
    Defect("X07", "word", _changed(b"<xmin>5", b"<xmin>five"), line=19),
    Defect("X07", "width", _changed(b"<width>64", b"<width>wide"), line=8, also=("S01",)),
    Defect("X09", "polygon", _changed(b"<bndbox>", b"<polygon/><bndbox>"), refuses=False),
    Defect("X10", "empty", _xml(b"")),
    Defect("X11", "double suffix", _renamed("a.xml", "a.xml.xml"), "cat/training/a.xml.xml", refuses=False),
    Defect("X12", "dead link", _unreadable_xml),
    Defect("L01", "no picture", _no_image),
    Defect("L02", "no xml", _no_xml, _PICTURE, refuses=False),
    Defect("L03", "another name", _changed(b"a.jpg", b"b.jpg"), line=3, refuses=False),
    Defect("L03", "no suffix", _changed(b"a.jpg", b"a"), line=3, refuses=False),
    Defect("L04", "windows path", _changed(b"<source>", b"<path>C:\\x\\a.jpg</path><source>"), refuses=False),
    Defect("L05", "jpg and png", _two_images),
    Defect("L06", "case", _renamed("images/a.jpg", "images/A.JPG"), refuses=False, also=("L03",)),
    Defect("L06", "accents", _twins_of_accents, "cat/training/café.xml", refuses=False, also=("L03",)),
    Defect("L09", "beside the splits", lambda root: write_pair(root / "cat", seed=_SEED), "cat/a.xml", refuses=False),
    Defect("L10", "two xml", _two_xml),
    Defect("L11", "unlabeled", _waiting, "cat/unlabeled", refuses=False),
    Defect("I01", "noise", _image(b"noise" * 50), _PICTURE),
    Defect("I01", "0 bytes", _image(b""), _PICTURE),
    Defect("I01", "png checksum", _image(_BAD_PNG, ".png"), "cat/training/images/a.png"),
    Defect("I02", "half", _image(_JPEG[: len(_JPEG) // 2]), _PICTURE),
    Defect("I02", "last two bytes", _image(_JPEG[:-2]), _PICTURE),
    Defect("I02", "png", _image(_PNG[:-30], ".png"), "cat/training/images/a.png"),
    Defect("I03", "png named jpg", _image(_PNG), _PICTURE, refuses=False),
    Defect("I04", "gif", _image(picture_bytes("GIF"), ".gif"), "cat/training/images/a.gif"),
    Defect("I04", "webp named jpg", _image(picture_bytes("WEBP")), _PICTURE, also=("I03",)),
    Defect("I04", "tiff", _image(picture_bytes("TIFF"), ".tif"), "cat/training/images/a.tif"),
    Defect("I04", "palette bmp", _image(picture_bytes("BMP", mode="P"), ".bmp"), "cat/training/images/a.bmp"),
    Defect("I05", "upside down", _image(_jpeg_of((WIDTH, HEIGHT), orientation=3)), _PICTURE),
    Defect("I05", "square", _image(_jpeg_of((64, 64), orientation=6), size=(64, 64)), _PICTURE),
    Defect("I05", "proven", _image(_jpeg_of((WIDTH, HEIGHT), orientation=6)), _PICTURE, refuses=False),
    Defect("I07", "grey", _image(picture_bytes(mode="L")), _PICTURE, refuses=False, also=("S05",)),
    Defect("I08", "900 megapixels", _image(_BOMB, ".png"), "cat/training/images/a.png"),
    Defect("I10", "html", _image(b"<!DOCTYPE html>\n<html>404</html>"), _PICTURE),
    Defect("I10", "json", _image(b'{"error": "not found"}'), _PICTURE),
    Defect("I10", "lfs", _image(b"version https://git-lfs.github.com/spec/v1\n"), _PICTURE),
    Defect("I11", "dead link", _unreadable_image, _PICTURE),
    Defect("S01", "zero", _changed(b"<width>64", b"<width>0"), line=7),
    Defect("S01", "no size", _xml(b"<annotation><filename>a.jpg</filename></annotation>")),
    Defect("S01", "negative", _changed(b"<height>48", b"<height>-48"), line=7),
    Defect("S02", "exif", _image(_jpeg_of((HEIGHT, WIDTH), orientation=6)), line=7),
    Defect("S02", "swapped", _image(_jpeg_of((HEIGHT, WIDTH))), line=7),
    Defect("S03", "half", _image(_jpeg_of((WIDTH // 2, HEIGHT // 2))), line=7),
    Defect("S04", "another", _image(_jpeg_of((90, 50))), line=7),
    Defect("S05", "depth 1", _changed(b"<depth>3", b"<depth>1"), line=7, refuses=False),
    Defect("B01", "nan", _changed(b"<xmin>5", b"<xmin>nan"), line=13),
    Defect("B01", "inf", _changed(b"<xmax>40", b"<xmax>1e999"), line=13),
    Defect("B02", "x", _boxes((40, 6, 5, 30)), line=13),
    Defect("B02", "y", _boxes((5, 30, 40, 6)), line=13),
    Defect("B03", "no width", _boxes((5, 6, 5, 30)), line=13),
    Defect("B03", "no height", _boxes((5, 6, 40, 6)), line=13),
    Defect("B04", "2 px right", _boxes((5, 6, 66, 30)), line=13, refuses=False),
    Defect("B04", "1 px left", _boxes((-1, 6, 40, 30)), line=13, refuses=False),
    Defect("B05", "3 px below", _boxes((5, 6, 40, 51)), line=13),
    Defect("B05", "left", _boxes((-10, 6, 40, 30)), line=13),
    Defect("B06", "right of it", _boxes((64, 6, 66, 30)), line=13),
    Defect("B06", "left of it", _boxes((-2, 6, 0, 30)), line=13),
    Defect("B07", "sliver", _boxes((5, 6, 5.5, 30)), line=13, refuses=False),
    Defect("B08", "twice", _boxes(_BOX, _BOX), line=25, refuses=False),
    Defect(
        "B10", "cat and dog",
        _xml(_SOUND.replace(b"</annotation>", _SOUND[_SOUND.index(b"\t<object>") :].replace(b"cat<", b"dog<"))),
        line=25, also=("C03",),
    ),
    Defect("C01", "unknown", _labels("tiger"), line=13),
    Defect("C01", "typo", _labels("catt"), line=13),
    Defect("C02", "case", _labels("Cat"), line=13),
    Defect("C02", "blank", _labels("cat "), line=13),
    Defect("C03", "dog", _labels("cat", "dog"), line=25, refuses=False),
    Defect("C04", "empty", _labels(""), line=13),
    Defect("C04", "blank", _labels(" "), line=13),
    Defect("D01", "both splits", _same_picture("verification", 1), "cat/verification/images/b.jpg", refuses=False),
    Defect("D04", "another box", _same_picture("training", 2), "cat/training/images/b.jpg", refuses=False),
    Defect("D09", "no verification", _without_split("verification"), "cat", refuses=False),
    Defect("D10", "no training", _without_split("training"), "cat", refuses=False),
    Defect("D11", "empty folder", lambda root: (root / "dog").mkdir(), "dog", refuses=False),
    Defect("D11", "collecting", lambda root: (root / "dog/unlabeled/images").mkdir(parents=True), "dog", refuses=False),
    Defect("D11", "no xml", lambda root: (root / "dog" / "training").mkdir(parents=True), "dog", refuses=False),
    Defect("D12", "twice", _same_picture("training", 1), "cat/training/images/b.jpg", refuses=False),
]  # fmt: skip


def build(defect: Defect, root: Path) -> None:
    """Write the sound class folder and put the defect into it."""
    write_class(root, "cat")
    defect.build(root)
