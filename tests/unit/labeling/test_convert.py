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


def _picture(path: Path, size: tuple[int, int], *, orientation: int = 1, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture_bytes(size=size, orientation=orientation, seed=seed))


def _taken(source: Path, source_format: str) -> tuple[dict[str, tuple[str, list[tuple[str, Box]]]], Conversion]:
    conversion = plan_conversion(source, source_format=source_format, target_format="tagbox", class_name="x")
    return {
        one.name: (one.split, [(labeled.name, labeled.box) for labeled in one.annotation.objects])
        for one in conversion.pictures
    }, conversion


def test_the_download_of_coco(tmp_path: Path) -> None:
    """Annotation 1768, the example in many explanations of COCO, with keypoints and captions beside it."""
    name = "000000289343.jpg"
    _picture(tmp_path / "val2017" / name, (640, 427))
    (tmp_path / "annotations").mkdir()
    image = {"id": 289343, "file_name": name, "width": 640, "height": 427}
    box = {"id": 1768, "image_id": 289343, "category_id": 18, "bbox": [473.07, 395.93, 38.65, 28.67], "iscrowd": 0}
    dog, person = {"id": 18, "name": "dog"}, {"id": 1, "name": "person"}
    for kind, document in {
        "instances": {"images": [image], "annotations": [box], "categories": [dog]},
        "person_keypoints": {"images": [image], "annotations": [box | {"category_id": 1}], "categories": [person]},
        "captions": {"images": [image], "annotations": [{"id": 1, "image_id": 289343, "caption": "a dog"}]},
    }.items():
        (tmp_path / "annotations" / f"{kind}_val2017.json").write_text(json.dumps(document))
    expected = {name: ("verification", [("dog", Box(473.07, 395.93, 511.72, 424.6))])}
    taken, conversion = _taken(tmp_path, "coco")
    assert (taken, conversion.refused) == (expected, ())
    assert _taken(tmp_path / "annotations" / "instances_val2017.json", "coco")[0] == expected, "the file alone"
    (tmp_path / "val2017" / name).unlink()
    (refused,) = _taken(tmp_path, "coco")[1].refused
    assert "its picture is not there" in refused.reason


def test_a_picture_of_two_label_files_is_taken_once(tmp_path: Path) -> None:
    _picture(tmp_path / "a.jpg", (20, 10))
    image = {"id": 1, "file_name": "a.jpg", "width": 20, "height": 10}
    for name in ("train", "val"):
        document = {"images": [image], "annotations": [], "categories": []}
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    taken, conversion = _taken(tmp_path, "coco")
    assert taken == {"a.jpg": ("training", [])}
    assert [one.reason for one in conversion.refused] == [
        "several label files speak of it; that of verification is left out"
    ]


def test_yolo_as_roboflow_exports_it(tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        _picture(tmp_path / split / "images" / f"{split}_jpg.rf.1.jpg", (640, 480))
        (tmp_path / split / "labels").mkdir()
        (tmp_path / split / "labels" / f"{split}_jpg.rf.1.txt").write_text("1 0.5 0.5 0.25 0.25")
    (tmp_path / "README.roboflow.txt").write_text("This dataset was exported\n")
    (tmp_path / "data.yaml").write_text("train: ../train/images\nval: ../valid/images\nnc: 2\nnames: ['cat', 'dog']\n")
    taken, conversion = _taken(tmp_path, "yolo")
    box = Box(240, 180, 400, 300)
    assert taken == {
        "train_jpg.rf.1.jpg": ("training", [("dog", box)]),
        "valid_jpg.rf.1.jpg": ("verification", [("dog", box)]),
        "test_jpg.rf.1.jpg": ("verification", [("dog", box)]),
    }
    assert (conversion.refused, conversion.unlabelled) == ((), ())


def test_yolo_as_ultralytics_lays_coco_out(tmp_path: Path) -> None:
    _picture(tmp_path / "images" / "train2017" / "zidane.jpg", (1280, 720))
    (tmp_path / "labels" / "train2017").mkdir(parents=True)
    # The lines of their own description of the format, here with the line ends of Windows.
    lines = b"0 0.481719 0.634028 0.690625 0.713278\r\n27 0.364844 0.795833 0.078125 0.400000\r\n"
    (tmp_path / "labels" / "train2017" / "zidane.txt").write_bytes(lines)
    names = "".join(
        f"  {number}: {'person' if number == 0 else 'tie' if number == 27 else number}\n" for number in range(80)
    )
    (tmp_path / "coco.yaml").write_text(f"path: ../coco\ntrain: images/train2017\nnames:\n{names}")
    taken, _ = _taken(tmp_path, "yolo")
    split, objects = taken["zidane.jpg"]
    assert (split, [name for name, _ in objects]) == ("training", ["person", "tie"])
    for (_, box), edges in zip(objects, [(174.6, 199.72, 1058.6, 713.28), (417, 429, 517, 717)], strict=True):
        assert (box.xmin, box.ymin, box.xmax, box.ymax) == pytest.approx(edges, abs=0.01)


def test_yolo_as_labelimg_saves_it(tmp_path: Path) -> None:
    for name in ("a", "train"):
        _picture(tmp_path / f"{name}.jpg", (100, 50))
        (tmp_path / f"{name}.txt").write_bytes(b"\xef\xbb\xbf1 0.500000 0.500000 0.200000 0.400000\n")
    (tmp_path / "classes.txt").write_bytes("dog\r\n猫\r\n".encode("utf-8-sig"))
    (tmp_path / "notes.txt").write_text("labelled in May\n")
    (tmp_path / "gone.txt").write_text("1 0.5 0.5 0.2 0.4\n")
    taken, conversion = _taken(tmp_path, "yolo")
    assert taken == dict.fromkeys(("a.jpg", "train.jpg"), ("", [("猫", Box(40, 15, 60, 35))]))
    assert [Path(one.where).name for one in conversion.refused] == ["gone.txt"]
    (tmp_path / "classes.txt").write_bytes("dog\ncafé\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"classes\.txt: it is not UTF-8 text"):
        _taken(tmp_path, "yolo")


@pytest.mark.parametrize("source_format", ["yolo", "createml"])
def test_a_picture_that_exif_turns_is_not_guessed_at(source_format: str, tmp_path: Path) -> None:
    for name, orientation in (("turned", 6), ("mirrored", 2), ("negative", 6), ("plain", 1)):
        _picture(tmp_path / f"{name}.jpg", (100, 50), orientation=orientation, seed=orientation)
        (tmp_path / f"{name}.txt").write_text("" if name == "negative" else "0 0.5 0.5 0.2 0.4\n")
    (tmp_path / "classes.txt").write_text("cat\n")
    coordinates = {"x": 50, "y": 25, "width": 20, "height": 20}
    box = [{"label": "cat", "coordinates": coordinates}]
    names = ("turned", "mirrored", "negative", "plain")
    document = [{"image": f"{name}.jpg", "annotations": [] if name == "negative" else box} for name in names]
    (tmp_path / "a.json").write_text(json.dumps(document))
    taken, conversion = _taken(tmp_path, source_format)
    assert sorted(taken) == ["negative.jpg", "plain.jpg"]
    assert sorted(Path(one.where.rpartition(": ")[2]).stem for one in conversion.refused) == ["mirrored", "turned"]
    assert all("EXIF turns the picture" in one.reason for one in conversion.refused)
    assert conversion.unlabelled == ()


def test_a_refused_picture_hides_no_unlabelled_one(tmp_path: Path) -> None:
    for name in ("a", "label", "b"):
        _picture(tmp_path / f"{name}.jpg", (100, 50))
    (tmp_path / "classes.txt").write_text("cat\n")
    (tmp_path / "label.txt").write_text("0 nan 0.5 0.2 0.4\n")
    _, conversion = _taken(tmp_path, "yolo")
    assert [path.name for path in conversion.unlabelled] == ["a.jpg", "b.jpg"]


def test_elements_that_no_one_reads_are_a_loss(tmp_path: Path) -> None:
    polygon = b"<polygon><x1>1</x1></polygon><bndbox>"
    write_pair(tmp_path / "in", change=lambda content: content.replace(b"<bndbox>", polygon))
    conversion = plan_conversion(tmp_path / "in", source_format="tagbox", target_format="coco")
    assert conversion.losses == {"files with elements that LabelImg does not know": 1}
    write_pair(tmp_path / "devkit" / "Annotations", change=lambda content: content.replace(b"<bndbox>", polygon))
    _picture(tmp_path / "devkit" / "JPEGImages" / "a.jpg", (WIDTH, HEIGHT))
    assert _taken(tmp_path / "devkit", "voc-devkit")[1].losses == conversion.losses


def test_labels_that_wait_are_counted(tmp_path: Path) -> None:
    write_pair(tmp_path / "cat" / "training", "a", seed=1)
    write_pair(tmp_path / "cat" / "unlabeled", "b", seed=2)
    conversion = plan_conversion(tmp_path, source_format="tagbox", target_format="coco")
    assert (len(conversion.pictures), conversion.num_waiting) == (1, 1)
