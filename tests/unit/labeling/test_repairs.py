import difflib
import io
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from labeling.annotations import Annotation, Box, LabeledObject
from labeling.codes import REPAIRABLE
from labeling.image_frame import Frame
from labeling.label_map import LabelMap
from labeling.pair_repair import DEFAULT_CODES, OPTIONAL_CODES, RepairOptions
from labeling.repair_log import RepairLog
from labeling.repairs import RepairResult, apply_repairs, diff_lines, plan_repairs
from labeling.validate import check_dataset
from labeling.voc import format_annotation, read_annotation
from tests.unit.labeling.defects import DEFECTS, Defect, build
from tests.unit.labeling.labeled_pictures import (
    EXIF_ORIENTATION,
    HEIGHT,
    WIDTH,
    annotation,
    encoded,
    picture_bytes,
    write_pair,
)

_LABEL_MAP = LabelMap.from_names(["cat", "dog"])
_OPTIONS = RepairOptions(label_map=_LABEL_MAP)

# What is mended without being asked. Everything else needs a person, or is no fault.
_MENDED = {
    "X11 double suffix", "L03 another name", "L03 no suffix", "L04 windows path", "L06 case", "L06 accents",
    "I03 png named jpg", "I04 gif", "I04 webp named jpg", "I04 tiff", "I04 palette bmp", "I05 proven", "I07 grey",
    "S01 zero", "S01 no size", "S01 negative", "S02 exif", "S05 depth 1", "B02 x", "B02 y", "B04 2 px right",
    "B04 1 px left", "B08 twice", "C02 case", "C02 blank",
}  # fmt: skip
# What has a repair that does not apply here, with the reason.
_LEFT = {
    "X04 latin-1": "no encoding is proven",
    "I05 upside down": "keeps width and height",
    "I05 square": "is square",
    "S02 swapped": "nothing proves",
    "I06 gif": "3 frames",
    "I06 webp": "3 frames",
    "B03 no width": "no other box",
    "B03 no height": "no other box",
}


def test_every_code_with_a_repair_has_one() -> None:
    assert DEFAULT_CODES | OPTIONAL_CODES == REPAIRABLE


def _files(root: Path) -> dict[str, bytes]:
    paths = (path for path in sorted(root.rglob("*")) if ".tagbox" not in path.parts and path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


def _mend(root: Path, options: RepairOptions = _OPTIONS) -> RepairResult:
    return apply_repairs(plan_repairs(root, options, jobs=1))


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.id)
def test_each_defect_is_mended_or_left_and_undone(defect: Defect, tmp_path: Path) -> None:
    build(defect, tmp_path)
    before = _files(tmp_path)
    plan = plan_repairs(tmp_path, _OPTIONS, jobs=1)
    assert _files(tmp_path) == before, "planning writes nothing"
    assert bool(plan.repairs) is (defect.id in _MENDED)
    assert [_LEFT[defect.id] in one.reason for one in plan.left] == ([True] if defect.id in _LEFT else [])
    result = apply_repairs(plan)
    assert {one.code for one in result.mended} <= {defect.code, *defect.also}
    assert result.left == ()
    if result.repair is None:
        assert _files(tmp_path) == before
        return
    found = {finding.code for finding in check_dataset(tmp_path, label_map=_LABEL_MAP, jobs=1).findings}
    assert found <= {"I07", "B13"}, "nothing is left to mend unasked"
    assert plan_repairs(tmp_path, _OPTIONS, jobs=1).repairs == (), "a second run changes nothing"
    assert RepairLog(tmp_path).undo(result.repair.id).num_files == result.repair.num_files
    assert _files(tmp_path) == before


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        ((b"<width>64", b"<width>0"), 2),
        ((b"<source>", b"<path>C:\\x\\a.jpg</path>\n\t<source>"), 1),
        ((b"a.jpg", b"b.jpg"), 1),
        ((b"<xmax>40", b"<xmax>-1"), 2),
        ((b"<xmax>40", b"<xmax>66"), 1),
        ((b">cat<", b">Cat <"), 1),
    ],
)
def test_a_diff_has_as_few_lines_as_were_wrong(change: tuple[bytes, bytes], lines: int, tmp_path: Path) -> None:
    old, new = change
    path = write_pair(tmp_path, change=lambda content: content.replace(old, new).replace(b"<height>48", b"<height>0")
                      if old == b"<width>64" else content.replace(old, new))  # fmt: skip
    before = path.read_text()
    plan = plan_repairs(tmp_path, _OPTIONS)
    shown = list(diff_lines(plan.repairs[0], tmp_path))
    _mend(tmp_path)
    real = list(
        difflib.unified_diff(before.splitlines(), path.read_text().splitlines(), "a/a.xml", "b/a.xml", lineterm="")
    )
    assert shown == real
    assert sum(line.startswith("+") for line in real) - 1 == lines


def test_unknown_elements_and_strange_style_stay(tmp_path: Path) -> None:
    content = (
        b'<?xml version="1.0"?>\r\n<annotation verified="no">\r\n  <filename>a.jpg</filename><!-- kept -->\r\n'
        b"  <size><width>0</width><height>0</height></size>\r\n  <tool version='2'/>\r\n"
        b"  <object><polygon><x1>1</x1></polygon><bndbox><ymin>6</ymin><xmin>40.0</xmin><xmax>5</xmax><ymax>30</ymax>"
        b"</bndbox><name>cat</name></object>\r\n</annotation>"
    )
    path = write_pair(tmp_path, xml=content)
    _mend(tmp_path)
    assert path.read_bytes() == (
        content.replace(b"<width>0", b"<width>64").replace(b"<height>0", b"<height>48")
        .replace(b"<xmin>40.0<", b"<xmin>5<").replace(b"<xmax>5<", b"<xmax>40.0<")
    )  # fmt: skip


@pytest.mark.parametrize(
    ("style", "expected"), [("relative", "images/a.jpg"), ("blank", ""), ("absolute", "{root}/images/a.jpg")]
)
def test_absolute_paths(style: str, expected: str, tmp_path: Path) -> None:
    foreign = annotation((5, 6, 40, 30))
    path = write_pair(
        tmp_path, xml=format_annotation(foreign).replace(b"\t<source>", b"\t<path>D:\\a.jpg</path>\n\t<source>")
    )
    _mend(tmp_path, RepairOptions(path_style=style))
    assert read_annotation(path).path == expected.format(root=tmp_path.resolve())
    assert plan_repairs(tmp_path, RepairOptions(path_style=style)).repairs == ()


def test_a_removed_box_is_named_and_comes_back(tmp_path: Path) -> None:
    path = write_pair(tmp_path, xml=annotation((5, 6, 40, 30), (7, 7, 7, 9)))
    before = path.read_bytes()
    result = _mend(tmp_path)
    (removed,) = result.mended
    assert (removed.code, removed.object_index) == ("B03", 2)
    assert removed.what == "removed 'cat' (7, 7)-(7, 9), which has no area"
    assert len(read_annotation(path).objects) == 1
    assert result.repair is not None
    assert removed.what in result.repair.notes[0]
    RepairLog(tmp_path).undo(result.repair.id)
    assert path.read_bytes() == before


def test_copies_that_differ_in_a_flag_are_left(tmp_path: Path) -> None:
    box = Box(5, 6, 40, 30)
    objects = (LabeledObject("cat", box), LabeledObject("cat", box, difficult=True))
    write_pair(tmp_path, xml=Annotation("a.jpg", WIDTH, HEIGHT, objects=objects))
    plan = plan_repairs(tmp_path, _OPTIONS)
    assert plan.repairs == ()
    assert [(one.code, one.object_index) for one in plan.left] == [("B08", 2)]


@pytest.mark.parametrize("frame", [Frame.STORED, Frame.TURNED])
def test_boxes_are_right_after_turning_whichever_frame_they_were_drawn_in(frame: Frame, tmp_path: Path) -> None:
    # Stored 64x48, shown 48x64: the box (4, 10)-(20, 40) of the stored picture is (8, 4)-(38, 20) of the shown one.
    drawn = annotation((4, 10, 20, 40)) if frame is Frame.STORED else annotation((8, 4, 38, 20), size=(48, 64))
    path = write_pair(tmp_path, xml=drawn, image=picture_bytes(size=(64, 48), orientation=6))
    _mend(tmp_path)
    after = read_annotation(path)
    assert (after.width, after.height) == (48, 64)
    assert after.objects[0].box == Box(8, 4, 38, 20)
    (image,) = check_dataset(tmp_path).images
    assert (image.width, image.height) == (48, 64)


def _upright(orientation: int, kind: str) -> tuple[bytes, tuple[int, int], Box]:
    """A picture shown as 96x64 with a red field at (10, 8)-(50, 30); the stored size, and the field as stored."""
    shown = Image.new("RGB", (96, 64), (0, 0, 120))
    shown.paste((255, 0, 0), (10, 8, 50, 30))
    turns = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    stored = shown.transpose(Image.Transpose(turns[orientation]))
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    options = {"quality": 95} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    return encoded(stored, kind, exif=exif, **options), stored.size, _red_field(stored)


def _red_field(image: Image.Image) -> Box:
    rows, columns = np.nonzero(np.asarray(image.convert("RGB"))[..., 0] > 128)
    return Box(float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("frame", [Frame.STORED, Frame.TURNED])
def test_the_box_lies_on_its_object_after_turning(kind: str, orientation: int, frame: Frame, tmp_path: Path) -> None:
    image, size, box = _upright(orientation, kind)
    if frame is Frame.TURNED:
        size, box = (96, 64), Box(10, 8, 50, 30)
    suffix = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "TIFF": ".tif"}[kind]
    xml = Annotation(f"a{suffix}", *size, objects=(LabeledObject("cat", box),))
    path = write_pair(tmp_path, xml=xml, image=image, suffix=suffix)
    if orientation < 5:
        assert plan_repairs(tmp_path, _OPTIONS).repairs == (), "nothing proves the frame"
    _mend(tmp_path, RepairOptions(label_map=_LABEL_MAP, assumed_frame=frame if orientation < 5 else Frame.UNKNOWN))
    (image_path,) = (tmp_path / "images").iterdir()
    with Image.open(image_path) as after:  # as TensorFlow sees it: no one turns it any more
        assert after.getexif().get(EXIF_ORIENTATION, 1) == 1
        field, seen = _red_field(after), after.size
    mended = read_annotation(path)
    assert (mended.width, mended.height) == seen
    right = mended.objects[0].box
    assert (right.xmin, right.ymin, right.xmax, right.ymax) == pytest.approx(
        (field.xmin, field.ymin, field.xmax, field.ymax), abs=1
    )


def test_an_unproven_frame_takes_the_word_of_the_labeller(tmp_path: Path) -> None:
    path = write_pair(tmp_path, image=picture_bytes(orientation=3))
    assert plan_repairs(tmp_path, _OPTIONS).repairs == ()
    _mend(tmp_path, RepairOptions(assumed_frame=Frame.STORED))
    assert read_annotation(path).objects[0].box == Box(WIDTH - 40, HEIGHT - 30, WIDTH - 5, HEIGHT - 6)


def test_a_picture_that_two_files_label_is_not_touched(tmp_path: Path) -> None:
    write_pair(tmp_path, image=picture_bytes(orientation=6))
    (tmp_path / "images" / "a.xml").write_bytes((tmp_path / "a.xml").read_bytes())
    plan = plan_repairs(tmp_path, _OPTIONS)
    assert plan.repairs == ()
    assert {one.code for one in plan.left} == {"I05"}


def test_an_animation_is_left(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (WIDTH, HEIGHT), colour) for colour in ("red", "blue")]
    stream = io.BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    write_pair(tmp_path, xml=annotation((5, 6, 40, 30), filename="a.gif"), image=stream.getvalue(), suffix=".gif")
    plan = plan_repairs(tmp_path, _OPTIONS)
    assert plan.repairs == ()
    assert "2 frames" in plan.left[0].reason


def test_a_resized_picture_has_to_be_asked_for(tmp_path: Path) -> None:
    path = write_pair(tmp_path, xml=annotation((10, 12, 80, 60), size=(2 * WIDTH, 2 * HEIGHT)))
    assert plan_repairs(tmp_path, _OPTIONS).repairs == ()
    _mend(tmp_path, RepairOptions(codes=DEFAULT_CODES | OPTIONAL_CODES))
    after = read_annotation(path)
    assert (after.width, after.height, after.objects[0].box) == (WIDTH, HEIGHT, Box(5, 6, 40, 30))


def test_an_encoding_that_the_picture_proves(tmp_path: Path) -> None:
    xml = format_annotation(annotation((5, 6, 40, 30), filename="猫.jpg")).decode().encode("gb18030")
    path = write_pair(tmp_path, "猫", xml=xml)
    _mend(tmp_path)
    assert path.read_bytes() == format_annotation(annotation((5, 6, 40, 30), filename="猫.jpg"))


def test_labels_that_wait_in_unlabeled_are_mended_too(tmp_path: Path) -> None:
    path = write_pair(tmp_path / "cat" / "unlabeled", change=lambda content: content.replace(b">64<", b">0<"))
    _mend(tmp_path)
    assert read_annotation(path).width == WIDTH


def test_a_name_that_xml_cannot_hold_does_not_keep_the_rest_from_being_mended(tmp_path: Path) -> None:
    stem = os.fsdecode(b"caf\xe9")
    path = write_pair(tmp_path, "x", xml=annotation((40, 6, 5, 30), filename="b.jpg")).rename(tmp_path / f"{stem}.xml")
    (tmp_path / "images/x.jpg").rename(tmp_path / f"images/{stem}.jpg")
    plan = plan_repairs(tmp_path, _OPTIONS)
    assert [(one.code, one.reason) for one in plan.left] == [("L03", "the name holds a character that XML cannot hold")]
    _mend(tmp_path)
    assert read_annotation(path).objects[0].box == Box(5, 6, 40, 30)


def test_codes_can_be_left_out(tmp_path: Path) -> None:
    path = write_pair(tmp_path, xml=annotation((40, 6, 5, 30), filename="b.jpg"))
    _mend(tmp_path, RepairOptions(codes=frozenset({"L03"})))
    after = read_annotation(path)
    assert (after.filename, after.objects[0].box) == ("a.jpg", Box(40, 6, 5, 30))


_EDGE = st.one_of(st.integers(-4, 70), st.floats(-4, 70, allow_nan=False).map(lambda edge: round(edge, 2)))
_OBJECT = st.builds(
    LabeledObject, st.sampled_from(["cat", "Cat", "dog ", "tiger"]), st.builds(Box, _EDGE, _EDGE, _EDGE, _EDGE),
    difficult=st.booleans(),
)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    objects=st.lists(_OBJECT, max_size=5),
    size=st.sampled_from([(0, 0), (64, 48), (48, 64), (128, 96), (50, 90)]),
    orientation=st.integers(1, 8),
    filename=st.sampled_from(["a.jpg", "b.jpg", "a", ""]),
    codes=st.sampled_from([DEFAULT_CODES, DEFAULT_CODES | OPTIONAL_CODES, frozenset({"B02", "B08"})]),
)
def test_any_annotation_is_mended_once_and_undone(
    objects: list[LabeledObject], size: tuple[int, int], orientation: int, filename: str, codes: frozenset[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    root = tmp_path_factory.mktemp("any")
    options = RepairOptions(codes=codes, label_map=_LABEL_MAP)
    drawn = Annotation(filename, *size, objects=tuple(objects))
    path = write_pair(root, xml=drawn, image=picture_bytes(orientation=orientation))
    before = _files(root)
    result = _mend(root, options)
    again = plan_repairs(root, options)
    assert again.repairs == (), [one.what for one in again.mended]
    removed = sum(one.what.startswith("removed") for one in result.mended)
    assert len(read_annotation(path).objects) == len(objects) - removed, "no box goes unnamed"
    if result.repair is not None:
        RepairLog(root).undo(result.repair.id)
    assert _files(root) == before
