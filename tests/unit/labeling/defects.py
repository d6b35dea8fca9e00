"""Data sets with one defect each, at least one for every code; the checks must find that code and no other fault.

A data set is a sound class folder ``cat`` (two training pairs, one verification pair) into which the defect is put.
"""

import contextlib
import hashlib
import sqlite3
import unicodedata
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from labeling.annotations import Annotation, Box, LabeledObject
from labeling.voc import format_annotation
from tests.unit.labeling.labeled_pictures import (
    HEIGHT,
    WIDTH,
    annotation,
    encoded,
    picture_bytes,
    varied_picture,
    write_class,
    write_pair,
)

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
    (_folder(root) / "images" / "a.xml").write_bytes(format_annotation(annotation((2, 2, 30, 40))))


def _waiting(root: Path) -> None:
    write_pair(_folder(root, "unlabeled"), seed=_SEED)


def _twins_of_accents(root: Path) -> None:
    write_pair(_folder(root), "café", seed=_SEED)
    old = _folder(root) / "images" / "café.jpg"
    old.rename(old.with_name(unicodedata.normalize("NFD", "café") + ".jpg"))


def _same_picture(split: str, boxes: int) -> Callable[[Path], object]:
    def build(root: Path) -> None:
        write_pair(_folder(root), "a", seed=_SEED)
        second = annotation(*[_BOX, (2, 2, 20, 20)][:boxes], filename="b.jpg")
        write_pair(_folder(root, split), "b", xml=second, seed=_SEED)

    return build


def _without_split(split: str) -> Callable[[Path], object]:
    def build(root: Path) -> None:
        for path in _folder(root, split).rglob("*.*"):
            path.unlink()

    return build


def _many(
    *,
    training: int = 60,
    verification: int = 10,
    negatives: int = 3,
    verified: int = 0,
    labels: Callable[[int], tuple[str, ...]] = lambda index: ("cat",),
    box: Callable[[int], tuple[float, float, float, float]] = lambda index: _BOX,
) -> Callable[[Path], object]:
    """Fill the class folder, so that shares and numbers are judged; what is not given is usual."""

    def build(root: Path) -> None:
        for index in range(training + verification):
            split = "training" if index < training else "verification"
            names = () if index < negatives else labels(index)
            xmin, ymin, xmax, ymax = box(index)
            objects = tuple(
                LabeledObject(name, Box(xmin, ymin, xmax + place, ymax)) for place, name in enumerate(names)
            )
            stem = f"a{index:03d}"
            xml = Annotation(f"{stem}.jpg", WIDTH, HEIGHT, objects=objects, verified=index < verified)
            write_pair(_folder(root, split), stem, xml=xml, image=encoded(varied_picture(index)))

    return build


def _beside(name: str, content: bytes) -> Callable[[Path], object]:
    def build(root: Path) -> None:
        write_pair(_folder(root), seed=_SEED)
        _folder(root).joinpath(name).write_bytes(content)

    return build


def _linked_out(root: Path) -> None:
    write_pair(_folder(root), seed=_SEED)
    outside = root.parent / f"{root.name}-store.jpg"
    (_folder(root) / "images" / "a.jpg").rename(outside)
    (_folder(root) / "images" / "a.jpg").symlink_to(outside)


def _label_map(text: str) -> Callable[[Path], object]:
    return lambda root: (root / "label_map.pbtxt").write_text(text)


def _looks_like_training(content: bytes, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Callable[[Path], object]:
    def build(root: Path) -> None:
        write_pair(_folder(root), image=encoded(varied_picture(_SEED)))
        xml = annotation((5, 6, 20, 18), filename="b.jpg", size=size)
        write_pair(_folder(root, "verification"), "b", xml=xml, image=content)

    return build


def _of_one_post(root: Path) -> None:
    """Two pictures of one post, in the tables that the collector writes."""
    pictures = {split: encoded(varied_picture(index)) for index, split in enumerate(("training", "verification"))}
    for stem, (split, content) in zip("ab", pictures.items(), strict=True):
        write_pair(_folder(root, split), stem, image=content)
    (root / ".tagbox").mkdir(exist_ok=True)
    with contextlib.closing(sqlite3.connect(root / ".tagbox" / "ledger.sqlite")) as db, db:
        db.execute("CREATE TABLE posts (id INTEGER PRIMARY KEY, post_id TEXT)")
        db.execute("CREATE TABLE media (id INTEGER PRIMARY KEY, sha256 TEXT, path TEXT, duplicate_of INTEGER)")
        db.execute("CREATE TABLE sightings (media INTEGER, post INTEGER, root_post_id TEXT)")
        for index, content in enumerate(pictures.values(), start=1):
            db.execute("INSERT INTO posts VALUES (?, ?)", (index, f"100{index}"))
            db.execute("INSERT INTO media VALUES (?, ?, '', NULL)", (index, hashlib.sha256(content).hexdigest()))
            db.execute("INSERT INTO sightings VALUES (?, ?, '1000')", (index, index))


def _from_devkit(content: bytes) -> bytes:
    return content.replace(b"Unknown", b"The VOC2007 Database").replace(b"<xmin>5<", b"<xmin>1<")


def _animation(kind: str) -> bytes:
    frames = [varied_picture(index) for index in range(3)]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:])


def _jpeg_of(size: tuple[int, int], **options: int) -> bytes:
    return picture_bytes(seed=_SEED, size=size, **options)


_SMALL_OBJECT = (
    b"<object><name>cat</name><bndbox><xmin>5</xmin><ymin>6</ymin><xmax>40</xmax><ymax>30</ymax></bndbox></object>"
)
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
    Defect(
        "X05", "5001 objects", _xml(b"<annotation>" + _SMALL_OBJECT * 5001 + b"</annotation>"),
        also=("S01", "B08", "L03"),
    ),
    Defect("X06", "no bndbox", _xml(_SOUND.replace(b"bndbox>", b"box>")), line=13, also=("X09",)),
    Defect("X06", "two names", _changed(b"<name>cat</name>", b"<name>cat</name><name>dog</name>"), line=14),
    Defect("X07", "word", _changed(b"<xmin>5", b"<xmin>five"), line=19),
    Defect("X07", "width", _changed(b"<width>64", b"<width>wide"), line=8, also=("S01",)),
    Defect("X08", "half", _boxes((5.5, 6, 40, 30)), line=13, refuses=False),
    Defect("X09", "polygon", _changed(b"<bndbox>", b"<polygon/><bndbox>"), refuses=False),
    Defect("X10", "empty", _xml(b"")),
    Defect("X11", "double suffix", _renamed("a.xml", "a.xml.xml"), "cat/training/a.xml.xml", refuses=False),
    Defect("X12", "dead link", _unreadable_xml),
    Defect("X13", "proposal", _changed(b"<database>Unknown", b"<database>tagbox proposal of run step 10")),
    Defect("L01", "no picture", _no_image),
    Defect("L02", "no xml", _no_xml, _PICTURE, refuses=False),
    Defect("L03", "another name", _changed(b"a.jpg", b"b.jpg"), line=3, refuses=False),
    Defect("L03", "no suffix", _changed(b"a.jpg", b"a"), line=3, refuses=False),
    Defect("L04", "windows path", _changed(b"<source>", b"<path>C:\\x\\a.jpg</path><source>"), refuses=False),
    Defect("L05", "jpg and png", _two_images),
    Defect("L06", "case", _renamed("images/a.jpg", "images/A.JPG"), refuses=False, also=("L03",)),
    Defect("L06", "accents", _twins_of_accents, "cat/training/café.xml", refuses=False, also=("L03",)),
    Defect("L07", "link", _linked_out, _PICTURE, refuses=False),
    Defect("L08", "yolo", _beside("a.txt", b"0 0.5 0.5 0.2 0.3\n"), "cat/training/a.txt", refuses=False),
    Defect(
        "L08", "createml", _beside("b.json", b'[{"image": "a.jpg", "annotations": []}]'),
        "cat/training/b.json", refuses=False,
    ),
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
    Defect("I06", "gif", _image(_animation("GIF"), ".gif"), "cat/training/images/a.gif", also=("I04",)),
    Defect("I06", "webp", _image(_animation("WEBP"), ".webp"), "cat/training/images/a.webp", also=("I04",)),
    Defect("I06", "apng", _image(_animation("PNG"), ".png"), "cat/training/images/a.png", refuses=False),
    Defect("I07", "grey", _image(picture_bytes(mode="L")), _PICTURE, refuses=False, also=("S05",)),
    Defect("I08", "900 megapixels", _image(_BOMB, ".png"), "cat/training/images/a.png"),
    Defect("I08", "speck", _image(_jpeg_of((44, 31)), size=(44, 31)), _PICTURE, refuses=False),
    Defect("I09", "jpeg", _image(_JPEG + b"more"), _PICTURE, refuses=False),
    Defect("I09", "png", _image(_PNG + b"more", ".png"), "cat/training/images/a.png", refuses=False),
    Defect("I10", "html", _image(b"<!DOCTYPE html>\n<html>404</html>"), _PICTURE),
    Defect("I10", "json", _image(b'{"error": "not found"}'), _PICTURE),
    Defect("I10", "lfs", _image(b"version https://git-lfs.github.com/spec/v1\n"), _PICTURE),
    Defect("I11", "dead link", _unreadable_image, _PICTURE),
    Defect("S01", "zero", _changed(b"<width>64", b"<width>0"), line=7),
    Defect("S01", "no size", _xml(b"<annotation><filename>a.jpg</filename></annotation>")),
    Defect("S01", "negative", _changed(b"<height>48", b"<height>-48"), line=7),
    Defect("S02", "exif", _image(_jpeg_of((HEIGHT, WIDTH), orientation=6)), line=7),
    Defect("S02", "swapped", _image(_jpeg_of((HEIGHT, WIDTH))), line=7),
    Defect("S03", "half", _image(_jpeg_of((WIDTH // 2, HEIGHT // 2))), line=7, also=("I08",)),
    Defect("S04", "another", _image(_jpeg_of((90, 50))), line=7),
    Defect("S05", "depth 1", _changed(b"<depth>3", b"<depth>1"), line=7, refuses=False),
    Defect("B01", "nan", _changed(b"<xmin>5", b"<xmin>nan"), line=13),
    Defect("B01", "inf", _changed(b"<xmax>40", b"<xmax>1e999"), line=13),
    Defect("B02", "x", _boxes((40, 6, 5, 30)), line=13),
    Defect("B02", "y", _boxes((5, 30, 40, 6)), line=13),
    Defect("B03", "no width", _boxes((5, 6, 5, 30)), line=13),
    Defect("B03", "no height", _boxes((5, 6, 40, 6)), line=13),
    Defect("B04", "2 px right", _boxes((5, 6, 66, 30)), line=13, refuses=False, also=("B13",)),
    Defect("B04", "1 px left", _boxes((-1, 6, 40, 30)), line=13, refuses=False, also=("B13",)),
    Defect("B05", "3 px below", _boxes((5, 6, 40, 51)), line=13),
    Defect("B05", "left", _boxes((-10, 6, 40, 30)), line=13),
    Defect("B06", "right of it", _boxes((64, 6, 66, 30)), line=13),
    Defect("B06", "left of it", _boxes((-2, 6, 0, 30)), line=13),
    Defect("B07", "sliver", _boxes((5, 6, 9, 30)), line=13, refuses=False),
    Defect("B08", "twice", _boxes(_BOX, _BOX), line=25, refuses=False),
    Defect(
        "B10", "cat and dog",
        _xml(_SOUND.replace(b"</annotation>", _SOUND[_SOUND.index(b"\t<object>") :].replace(b"cat<", b"dog<"))),
        line=25, also=("C03",),
    ),
    Defect("B09", "nearly", _boxes(_BOX, (5, 6, 41, 30)), line=25, refuses=False),
    Defect("B11", "whole", _boxes((0, 0, 64, 48)), line=13, refuses=False, also=("B13",)),
    Defect(
        "B12", "stripe", lambda root: write_pair(
            _folder(root), xml=annotation((5, 6, 700, 30), size=(800, 60)), image=_jpeg_of((800, 60))
        ),
        line=13, refuses=False,
    ),
    Defect("B13", "not set", _boxes((1, 6, 40, 30)), line=13, refuses=False),
    Defect("B13", "set", _changed(b"<truncated>0", b"<truncated>1"), line=13, refuses=False),
    Defect(
        "B14", "speck", _many(box=lambda index: (20, 20, 26, 26) if index == 30 else _BOX),
        "cat/training/a030.xml", line=13, refuses=False,
    ),
    Defect("B15", "inside", _boxes((5, 6, 60, 40), (10, 10, 30, 30)), line=25, refuses=False),
    Defect(
        "B16", "voc2007", lambda root: write_pair(_folder(root), change=_from_devkit, seed=_SEED),
        refuses=False, also=("B13",),
    ),
    Defect("C01", "unknown", _labels("tiger"), line=13),
    Defect("C01", "typo", _labels("catt"), line=13),
    Defect("C02", "case", _labels("Cat"), line=13),
    Defect("C02", "blank", _labels("cat "), line=13),
    Defect("C03", "dog", _labels("cat", "dog"), line=25, refuses=False),
    Defect("C04", "empty", _labels(""), line=13),
    Defect("C04", "blank", _labels(" "), line=13),
    Defect("C05", "id 0", _label_map("item { id: 0 name: 'cat' }"), "label_map.pbtxt", line=1, refuses=False),
    Defect(
        "C05", "same id", _label_map("item { id: 1 name: 'cat' }\nitem { id: 1 name: 'dog' }"), "label_map.pbtxt",
        line=2, refuses=False,
    ),
    Defect("C05", "gap", _label_map("item { id: 1 name: 'cat' } item { id: 3 name: 'dog' }"), "label_map.pbtxt",
           refuses=False),
    Defect(
        "C06", "dog", lambda root: write_pair(
            _folder(root, "verification"), xml=annotation(_BOX, name="dog"), seed=_SEED
        ),
        "cat/verification/a.xml", line=13, refuses=False, also=("C03",),
    ),
    Defect(
        "C07", "few dogs", _many(labels=lambda index: ("cat", "dog") if index % 20 == 5 else ("cat",)),
        "cat/training/a005.xml", line=25, refuses=False, also=("C03",),
    ),
    Defect(
        "C08", "one dog", _many(labels=lambda index: ("cat", "dog") if index == 5 else ("cat",)), ".",
        refuses=False, also=("C03", "C07"),
    ),
    Defect("C09", "accent", _labels("café"), line=13, refuses=False, also=("C03",)),
    Defect("D01", "both splits", _same_picture("verification", 1), "cat/verification/images/b.jpg", refuses=False),
    Defect(
        "D02", "saved again", _looks_like_training(encoded(varied_picture(_SEED), quality=40)),
        "cat/verification/images/b.jpg", refuses=False,
    ),
    Defect(
        "D02", "smaller", _looks_like_training(encoded(varied_picture(_SEED).resize((48, 36))), (48, 36)),
        "cat/verification/images/b.jpg", refuses=False,
    ),
    Defect(
        "D02", "mirrored", _looks_like_training(encoded(varied_picture(_SEED, mirrored=True))),
        "cat/verification/images/b.jpg", refuses=False,
    ),
    Defect("D03", "one post", _of_one_post, "cat/verification/images/b.jpg", refuses=False),
    Defect("D04", "another box", _same_picture("training", 2), "cat/training/images/b.jpg", refuses=False),
    Defect("D05", "no negatives", _many(negatives=0), ".", refuses=False),
    Defect("D06", "half", _many(verified=30), "cat", refuses=False),
    Defect("D07", "few", _many(training=80, verification=0), "cat", refuses=False),
    Defect("D07", "most", _many(training=20, verification=60), "cat", refuses=False),
    Defect("D08", "tmp", _beside("b.xml.tmp", b"<annotation>"), "cat/training/b.xml.tmp", refuses=False),
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
