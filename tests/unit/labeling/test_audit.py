from pathlib import Path

import pytest

from labeling.annotations import Annotation, Box, LabeledObject
from labeling.audit import AuditReport, audit_labels, merge_changes, move_changes
from labeling.labelled_pictures import Content, look_at_labels
from labeling.picture_groups import Bond
from labeling.repair_log import RepairLog
from labeling.voc import format_annotation, read_annotation
from labeling.xml_edit import NotEditableError
from tests.unit.labeling.labeled_pictures import encoded, varied_picture, write_pair


def _put(root: Path, place: str, number: int, *names: str, size: tuple[int, int] | None = None) -> Path:
    """Write picture ``number`` into a class and split, with one box for each label, every label at its own place."""
    picture = varied_picture(number)
    if size is not None:
        picture = picture.resize(size)
    class_split, _, stem = place.rpartition("/")
    places = {"cat": Box(2, 3, 20, 20), "dog": Box(25, 5, 45, 30), "fox": Box(1, 25, 20, 45)}
    objects = tuple(LabeledObject(name, places[name]) for name in names)
    xml = Annotation(f"{stem}.png", *picture.size, objects=objects)
    return write_pair(root / class_split, stem, xml=xml, image=encoded(picture, "PNG"), suffix=".png")


def _audit(root: Path, **options: str) -> AuditReport:
    return audit_labels(look_at_labels(root), **options)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number in range(3):
        _put(tmp_path, f"cat/training/t{number}", number, "cat")
    _put(tmp_path, "cat/verification/v", 9, "cat")
    return tmp_path


def test_clean_data(root: Path) -> None:
    report = _audit(root)
    assert (report.leaks, report.half_labelled, report.moves) == ((), (), ())
    assert report.counts == {("cat", "training", Content.BOXES): 3, ("cat", "verification", Content.BOXES): 1}


@pytest.mark.parametrize(
    ("place", "size", "bond"),
    [
        ("cat/verification/x", None, Bond.BYTES),
        ("dog/verification/x", None, Bond.BYTES),
        ("cat/verification/x", (48, 36), Bond.LOOK),
    ],
)
def test_a_leak_is_found_across_splits_and_classes(
    place: str, size: tuple[int, int] | None, bond: Bond, root: Path
) -> None:
    _put(root, place, 1, "cat", size=size)
    report = _audit(root)
    (leak,) = report.leaks
    assert leak.bond is bond
    assert [one.stem for one in (*leak.training, *leak.verification)] == ["t1", "x"]


@pytest.mark.parametrize(("to", "stem"), [("verification", "t1"), ("training", "x")])
def test_suggested_moves_mend_the_leaks(to: str, stem: str, root: Path) -> None:
    _put(root, "cat/verification/x", 1, "cat")
    report = _audit(root, to=to)
    (move,) = report.moves
    assert (move.picture.stem, move.split) == (stem, to)
    draft = RepairLog(root).begin("audit")
    assert draft.add(move_changes(move)) == ""
    draft.apply()
    assert _audit(root).leaks == ()
    RepairLog(root).undo("1")
    assert len(_audit(root).leaks) == 1


def test_posts_in_both_splits_are_leaks(root: Path) -> None:
    labelled = look_at_labels(root)
    posts = {one.image.sha256: frozenset({"7"}) for one in labelled.pictures if one.image and one.stem in ("t0", "v")}
    (leak,) = audit_labels(labelled, posts=posts).leaks
    assert (leak.bond, leak.detail) == (Bond.POST, "7")


def test_a_picture_of_two_classes_gets_the_objects_of_both(root: Path) -> None:
    cat = _put(root, "cat/training/both", 5, "cat", "fox")
    dog = _put(root, "dog/training/both2", 5, "dog", "fox")
    before = cat.read_bytes(), dog.read_bytes()
    (half,) = _audit(root).half_labelled
    assert half.missing == (((1, 0),), ((0, 0),))
    draft = RepairLog(root).begin("audit")
    assert draft.add(merge_changes(half)) == ""
    draft.apply()
    names = [sorted(one.name for one in read_annotation(path).objects) for path in (cat, dog)]
    assert names == [["cat", "dog", "fox"]] * 2
    assert cat.read_bytes() == format_annotation(read_annotation(cat)), "as LabelImg would have written it"
    assert _audit(root).half_labelled == ()
    RepairLog(root).undo("1")
    assert (cat.read_bytes(), dog.read_bytes()) == before


def test_a_copy_takes_on_the_style_of_the_file_it_comes_into(root: Path) -> None:
    cat, dog = _put(root, "cat/training/both", 5, "cat"), _put(root, "dog/training/both2", 5, "dog")
    windows = cat.read_bytes().replace(b"\n", b"\r\n")
    cat.write_bytes(windows)
    dog.write_bytes(dog.read_text().replace(">dog<", ">größer<").encode("utf-16"))
    (half,) = _audit(root).half_labelled
    draft = RepairLog(root).begin("audit")
    draft.add(merge_changes(half))
    draft.apply()
    assert [one.name for one in read_annotation(cat).objects] == ["cat", "größer"]
    assert [one.name for one in read_annotation(dog).objects] == ["größer", "cat"]
    assert b"\n" not in cat.read_bytes().replace(b"\r\n", b"")
    assert "\r" not in dog.read_bytes().decode("utf-16")


@pytest.mark.parametrize("mirrored", [False, True])
def test_look_alikes_in_two_classes_are_named_but_not_merged(mirrored: bool, root: Path) -> None:
    _put(root, "cat/training/both", 5, "cat", "fox")
    xml = Annotation(
        "other.jpg", 32, 24, objects=(LabeledObject("dog", Box(2, 2, 9, 9)), LabeledObject("fox", Box(1, 2, 9, 9)))
    )
    image = encoded(varied_picture(5, mirrored=mirrored).resize((32, 24)))
    write_pair(root / "dog" / "training", "other", xml=xml, image=image)
    (half,) = _audit(root).half_labelled
    assert half.bond is (Bond.MIRROR if mirrored else Bond.LOOK)
    assert half.missing == (((1, 0),), ((0, 0),)), "each lacks the other's own object; the fox is in both"
    with pytest.raises(NotEditableError, match="draw what is missing by hand"):
        merge_changes(half)


def test_an_empty_copy_gets_the_objects(root: Path) -> None:
    _put(root, "cat/training/both", 5, "cat")
    dog = _put(root, "dog/training/both2", 5)
    (half,) = _audit(root).half_labelled
    draft = RepairLog(root).begin("audit")
    draft.add(merge_changes(half))
    draft.apply()
    assert [one.name for one in read_annotation(dog).objects] == ["cat"]


def test_fully_labelled_copies_are_no_problem(root: Path) -> None:
    _put(root, "cat/training/both", 5, "cat", "dog")
    _put(root, "dog/training/both2", 5, "dog", "cat")
    assert _audit(root).half_labelled == ()


def test_three_ways_of_having_no_box(root: Path) -> None:
    _put(root, "cat/training/n", 20)
    sure = _put(root, "cat/training/s", 21)
    sure.write_bytes(sure.read_bytes().replace(b"<annotation>", b'<annotation verified="yes">'))
    _put(root, "cat/training/u", 22).unlink()
    counts = _audit(root).counts
    assert [counts["cat", "training", content] for content in Content] == [3, 1, 1, 1]


def test_intersection_over_union() -> None:
    assert Box(0, 0, 10, 10).iou(Box(5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert Box(0, 0, 10, 10).iou(Box(10, 0, 20, 10)) == 0
    assert Box(0, 0, 0, 10).iou(Box(0, 0, 10, 10)) == 0
