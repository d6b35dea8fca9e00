import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collectors.errors import ConfigError, InputError
from labeling.annotations import Annotation, Box, LabeledObject
from labeling.convert import Conversion, plan_conversion, write_conversion
from labeling.convert_devkit import from_devkit, to_devkit
from labeling.convert_yolo import parse_line
from labeling.interchange import touches_edge
from labeling.validate import check_dataset
from labeling.voc import format_annotation
from tests.unit.labeling.labeled_pictures import HEIGHT, WIDTH, annotation, picture_bytes, write_pair

_LABELS = ["cat", "dog", "großer Hund"]
_X, _Y = (st.integers(0, 100 * side).map(lambda value: value / 100) for side in (WIDTH, HEIGHT))


@st.composite
def _objects(draw: st.DrawFn, *, bare: bool) -> LabeledObject:
    left, right = sorted(draw(st.lists(_X, min_size=2, max_size=2, unique=True)))
    top, bottom = sorted(draw(st.lists(_Y, min_size=2, max_size=2, unique=True)))
    box, name = Box(left, top, right, bottom), draw(st.sampled_from(_LABELS))
    if bare:
        return LabeledObject(name, box, truncated=touches_edge(box, WIDTH, HEIGHT))
    flags = draw(st.tuples(st.booleans(), st.booleans(), st.sampled_from(["Unspecified", "Left"])))
    return LabeledObject(name, box, truncated=flags[0], difficult=flags[1], pose=flags[2])


def _sets(*, bare: bool) -> st.SearchStrategy[dict[str, tuple[str, Annotation]]]:
    objects = st.lists(_objects(bare=bare), max_size=4, unique_by=lambda one: one.box)
    verified = st.just(False) if bare else st.booleans()
    one = st.tuples(st.sampled_from(["training", "verification"]), objects, verified)
    stems = st.sampled_from(["a", "b b", "ü", "c.d", "x-1"])
    return st.dictionaries(stems, one, min_size=1, max_size=4).map(
        lambda rows: {
            stem: (split, Annotation(f"{stem}.jpg", WIDTH, HEIGHT, objects=tuple(objects), verified=verified))
            for stem, (split, objects, verified) in rows.items()
        }
    )


def _write(root: Path, rows: dict[str, tuple[str, Annotation]]) -> None:
    for number, (stem, (split, drawn)) in enumerate(rows.items()):
        write_pair(root / "pets" / split, stem, xml=drawn, image=picture_bytes(seed=number))


def _read(root: Path) -> dict[str, tuple[str, Annotation]]:
    report = check_dataset(root)
    assert report.refused == ()
    return {one.xml_path.stem: (one.split, one.annotation) for one in report.images}


def _convert(source: Path, out: Path, source_format: str, target_format: str) -> Conversion:
    conversion = plan_conversion(source, source_format=source_format, target_format=target_format, class_name="pets")
    write_conversion(conversion, out)
    return conversion


def _there_and_back(rows: dict[str, tuple[str, Annotation]], target_format: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _write(root / "ours", rows)
        there = _convert(root / "ours", root / "there", "tagbox", target_format)
        assert there.losses == {}
        assert (there.refused, there.unlabelled) == ((), ())
        back = _convert(root / "there", root / "back", target_format, "tagbox")
        assert (back.refused, back.unlabelled, back.losses) == ((), (), {})
        assert _read(root / "back") == rows
        for one in check_dataset(root / "ours").images:
            copy = root / "back" / one.image_path.relative_to(root / "ours")
            assert copy.read_bytes() == one.image_path.read_bytes()


_SETTINGS = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@_SETTINGS
@given(rows=_sets(bare=False), target_format=st.sampled_from(["coco", "voc-devkit"]))
def test_nothing_is_lost_in_formats_that_hold_everything(
    rows: dict[str, tuple[str, Annotation]], target_format: str
) -> None:
    _there_and_back(rows, target_format)


@_SETTINGS
@given(rows=_sets(bare=True), target_format=st.sampled_from(["yolo", "createml"]))
def test_bare_boxes_survive_formats_of_bare_boxes(rows: dict[str, tuple[str, Annotation]], target_format: str) -> None:
    _there_and_back(rows, target_format)


@pytest.mark.parametrize(
    ("target_format", "losses"),
    [
        ("yolo", {"verified marks": 1, "difficult marks": 1, "truncated marks": 1, "poses": 1,
                  "edges beyond the picture": 1}),
        ("createml", {"difficult marks": 1, "truncated marks": 1, "poses": 1}),
        ("coco", {}),
        ("voc-devkit", {}),
    ],
)  # fmt: skip
def test_losses_are_counted(target_format: str, losses: dict[str, int], tmp_path: Path) -> None:
    objects = (
        LabeledObject("cat", Box(5, 6, 40, 30), pose="Left", difficult=True),
        LabeledObject("cat", Box(5, 6, 41, 30), truncated=True),
        LabeledObject("cat", Box(5, 6, WIDTH + 1, 30), truncated=True),
    )
    write_pair(tmp_path, xml=Annotation("a.jpg", WIDTH, HEIGHT, objects=objects, verified=True))
    conversion = plan_conversion(tmp_path, source_format="tagbox", target_format=target_format)
    assert dict(conversion.losses) == losses


def test_negatives_and_unlabelled_pictures_stay_apart(tmp_path: Path) -> None:
    write_pair(tmp_path / "in", "full", seed=1)
    write_pair(tmp_path / "in", "negative", xml=annotation(filename="negative.jpg"), seed=2)
    write_pair(tmp_path / "in", "unlabelled", seed=3).unlink()
    _convert(tmp_path / "in", tmp_path / "yolo", "tagbox", "yolo")
    assert (tmp_path / "yolo/labels/training/negative.txt").read_bytes() == b""
    (tmp_path / "yolo/images/training/nobody.jpg").write_bytes(picture_bytes(seed=4))
    back = plan_conversion(tmp_path / "yolo", source_format="yolo", target_format="tagbox")
    assert [len(one.annotation.objects) for one in back.pictures] == [1, 0]
    assert [path.name for path in back.unlabelled] == ["nobody.jpg"]


def test_coco_keeps_the_ids_of_the_label_map(tmp_path: Path) -> None:
    from labeling.label_map import LabelMap

    write_pair(tmp_path)
    conversion = plan_conversion(
        tmp_path, source_format="tagbox", target_format="coco", label_map=LabelMap(((3, "cat"), (7, "dog")))
    )
    content = conversion.outputs["annotations/instances_all.json"]
    assert isinstance(content, bytes)
    document = json.loads(content)
    assert document["categories"] == [{"id": 3, "name": "cat"}, {"id": 7, "name": "dog"}]
    (labelled,) = document["annotations"]
    assert (labelled["bbox"], labelled["area"], labelled["category_id"]) == ([5, 6, 35, 24], 840, 3)


def test_same_names_of_two_classes_get_numbers(tmp_path: Path) -> None:
    for number, name in enumerate(("cat", "dog")):
        write_pair(tmp_path / name / "training", "a", xml=annotation((5, 6, 40, 30), name=name), seed=number)
    conversion = plan_conversion(tmp_path, source_format="tagbox", target_format="createml")
    assert [one.name for one in conversion.pictures] == ["a.jpg", "a_2.jpg"]


def test_sets_without_splits_wait_in_unlabeled(tmp_path: Path) -> None:
    write_pair(tmp_path / "in")
    _convert(tmp_path / "in", tmp_path / "coco", "tagbox", "coco")
    conversion = plan_conversion(tmp_path / "coco", source_format="coco", target_format="tagbox")
    assert sorted(conversion.outputs) == ["cat/unlabeled/a.xml", "cat/unlabeled/images/a.jpg"]
    assert conversion.outputs["cat/unlabeled/a.xml"] == format_annotation(annotation((5, 6, 40, 30)))


def test_nothing_is_overwritten_and_a_second_run_writes_nothing(tmp_path: Path) -> None:
    write_pair(tmp_path / "in")
    conversion = _convert(tmp_path / "in", tmp_path / "out", "tagbox", "yolo")
    assert write_conversion(conversion, tmp_path / "out") == 0
    (tmp_path / "out/data.yaml").write_text("mine")
    with pytest.raises(InputError, match="other content"):
        write_conversion(conversion, tmp_path / "out")
    assert (tmp_path / "out/data.yaml").read_text() == "mine"


def test_outlines_and_crowds_of_coco_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(picture_bytes())
    document = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": WIDTH, "height": HEIGHT},
                   {"id": 2, "file_name": "gone.jpg", "width": 1, "height": 1}],
        "categories": [{"id": 5, "name": "cat"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 5, "bbox": [1, 2, 3, 4], "iscrowd": 1,
                         "segmentation": [[1, 2, 3, 4, 5, 6]]}],
    }  # fmt: skip
    (tmp_path / "x.json").write_text(json.dumps(document))
    conversion = plan_conversion(tmp_path / "x.json", source_format="coco", target_format="tagbox")
    assert conversion.losses == {"crowd marks": 1, "outlines": 1}
    assert ["gone.jpg" in one.where for one in conversion.refused] == [True]
    assert conversion.pictures[0].annotation.objects[0].box == Box(1, 2, 4, 6)


def test_devkit_boxes_are_pixels_from_one() -> None:
    ours = annotation((0, 0, WIDTH, HEIGHT))
    assert to_devkit(ours).objects[0].box == Box(1, 1, WIDTH, HEIGHT)
    assert from_devkit(to_devkit(ours)) == ours


@pytest.mark.parametrize(
    ("line", "reason"),
    [("0 1 2 3", "4 numbers"), ("0 .1 .2 .3 .4 .5 .6", "an outline"), ("9 .1 .2 .3 .4", "class 9"),
     ("-1 .1 .2 .3 .4", "class -1"), ("0 nan .2 .3 .4", "not finite"), ("0 a .2 .3 .4", "could not convert")],
)  # fmt: skip
def test_lines_of_yolo_that_are_no_boxes(line: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_line(line, ["cat"], 10, 10)


@given(st.text(max_size=60))
def test_any_line_is_a_box_or_refused(line: str) -> None:
    try:
        name, box = parse_line(line, ["cat"], 10, 10)
    except ValueError:
        return
    assert name == "cat"
    assert isinstance(box, Box)


@pytest.mark.parametrize("source_format", ["coco", "yolo", "createml", "voc-devkit"])
def test_a_folder_of_something_else_is_refused(source_format: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("[1]")
    with pytest.raises(InputError):
        plan_conversion(tmp_path, source_format=source_format, target_format="tagbox")


def test_many_labels_need_a_class_folder(tmp_path: Path) -> None:
    for number, name in enumerate(("cat", "dog")):
        write_pair(tmp_path / "in", name, xml=annotation((5, 6, 40, 30), name=name), seed=number)
    _convert(tmp_path / "in", tmp_path / "coco", "tagbox", "coco")
    with pytest.raises(ConfigError, match="which class folder"):
        plan_conversion(tmp_path / "coco", source_format="coco", target_format="tagbox")
    with pytest.raises(ConfigError, match="cannot be the name"):
        plan_conversion(tmp_path / "coco", source_format="coco", target_format="tagbox", class_name="../x")
