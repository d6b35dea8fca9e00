import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from labeling.annotations import Annotation, Box, LabeledObject
from labeling.dataset import LabelFile, Match
from labeling.errors import DatasetError, RepairError
from labeling.image_probe import ImageFacts
from labeling.labelled_pictures import Content, LabelledPicture, LabelledSet, look_at_labels
from labeling.picture_groups import Bond, group_pictures
from labeling.repair_log import RepairLog
from labeling.split_choice import place_in_queue
from labeling.splits import SPLIT_RECORD, HeldBack, SplitOptions, SplitPlan, apply_split, plan_split
from tests.unit.labeling.labeled_pictures import annotation, encoded, varied_picture, write_pair


def _picture(
    stem: str,
    *,
    digest: str = "",
    split: str = "unlabeled",
    class_name: str = "cat",
    labels: tuple[str, ...] = ("cat",),
) -> LabelledPicture:
    folder = Path(class_name) / split
    objects = tuple(LabeledObject(name, Box(5, 6, 40 + place, 30)) for place, name in enumerate(labels))
    drawn = Annotation(f"{stem}.jpg", 64, 48, objects=objects, verified=not objects)
    label = LabelFile(folder / f"{stem}.xml", (folder / "images" / f"{stem}.jpg",), Match.STEM, class_name, split)
    image = ImageFacts(1, digest or stem, "jpeg", "RGB", 64, 48)
    return LabelledPicture(label, class_name, Path(class_name), split, drawn, image, "0", None)


def _plan(pictures: list[LabelledPicture], tmp_path: Path = Path("nowhere"), **options: object) -> SplitPlan:
    posts = options.pop("posts", None)
    return plan_split(LabelledSet(tmp_path, tuple(pictures), ()), SplitOptions(**options), posts=posts)  # type: ignore[arg-type]


def _went(plan: SplitPlan) -> dict[str, str]:
    return {one.picture.stem: one.split for one in plan.assignments}


_MANY = [_picture(f"p{number:03}", labels=("cat",) * (1 + number % 3)) for number in range(200)]


def test_verification_gets_its_share_of_everything() -> None:
    mixed = [
        *(_picture(f"c{number}", labels=("cat", "dog") if number % 20 == 0 else ("cat",)) for number in range(300)),
        *(_picture(f"n{number}", labels=()) for number in range(60)),
        *(_picture(f"d{number}", class_name="dog", labels=("dog",)) for number in range(80)),
    ]
    plan = _plan(mixed, share=0.2)
    for one in plan.balance:
        assert abs(one.verification - one.target) <= max(1.0, 0.1 * one.target), one


def test_a_rare_label_is_in_both_splits() -> None:
    pictures = [*_MANY[:50], _picture("r1", labels=("rare",)), _picture("r2", labels=("rare",))]
    went = _went(_plan(pictures, share=0.1))
    assert {went["r1"], went["r2"]} == {"training", "verification"}


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_every_picture_is_assigned(share: float) -> None:
    counts = Counter(_went(_plan(_MANY, share=share)).values())
    assert counts.total() == 200
    assert counts["verification"] == pytest.approx(200 * share, abs=2)


def test_one_picture_goes_to_training() -> None:
    assert _went(_plan([_picture("a")], share=0.1)) == {"a": "training"}


def test_the_order_of_pictures_does_not_matter() -> None:
    assert _went(_plan(_MANY)) == _went(_plan(_MANY[::-1]))


def test_another_salt_is_another_split() -> None:
    assert _went(_plan(_MANY)) != _went(_plan(_MANY, salt="other"))


def test_growing_from_scratch_keeps_most_of_verification() -> None:
    small, large = _went(_plan(_MANY[:100], share=0.2)), _went(_plan(_MANY, share=0.2))
    kept = [stem for stem, split in small.items() if split == "verification" and large[stem] == "verification"]
    assert len(kept) >= 0.7 * sum(split == "verification" for split in small.values())


@settings(max_examples=50, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 15), st.sampled_from(["unlabeled", "unlabeled", "training", "verification"]),
                  st.sampled_from(["cat", "dog"]), st.integers(0, 20)),
        max_size=40,
    ),
    share=st.sampled_from([0.1, 0.3]), is_frozen=st.booleans(),
)  # fmt: skip
def test_groups_never_straddle_and_nothing_is_lost(
    rows: list[tuple[int, str, str, int]], share: float, is_frozen: bool
) -> None:
    pictures = [
        _picture(f"p{place}", digest=f"d{digest}", split=split, class_name=class_name)
        for place, (digest, split, class_name, _) in enumerate(rows)
    ]
    posts = {f"d{digest}": frozenset({f"post{post}"}) for digest, _, _, post in rows}
    plan = _plan(pictures, share=share, is_frozen=is_frozen, posts=posts)
    waiting = [one for one in pictures if one.split == "unlabeled"]
    assert len(plan.assignments) + len(plan.held) == len(waiting)
    went = {one.picture.label.xml_path: one.split for one in plan.assignments}
    for group in group_pictures(pictures, posts=posts):
        members = [pictures[index] for index in group.members]
        before = {one.split for one in members} - {"unlabeled"}
        after = before | {went[one.label.xml_path] for one in members if one.label.xml_path in went}
        assert len(after) <= max(1, len(before)), "a group that was whole stays whole"
    if is_frozen:
        assert "verification" not in went.values()


def test_ties_connect_in_chains() -> None:
    pictures = [_picture("a", digest="x"), _picture("b", digest="y"), _picture("c", digest="x"), _picture("d")]
    posts = {"x": frozenset({"1"}), "y": frozenset({"1", "2"})}
    first, second = group_pictures(pictures, posts=posts)
    assert (first.members, second.members) == ((0, 1, 2), (3,))
    assert {tie.bond for tie in first.ties} == {Bond.BYTES, Bond.POST}
    assert [one.members for one in group_pictures(pictures)] == [(0, 2), (1,), (3,)]
    blogs = {"y": frozenset({"blog"}), "d": frozenset({"blog"})}
    assert [one.members for one in group_pictures(pictures, blogs=blogs)] == [(0, 2), (1, 3)]


def test_what_is_bound_follows_and_a_leak_is_held() -> None:
    pictures = [
        _picture("t", digest="1", split="training"), _picture("v", digest="2", split="verification"),
        _picture("l1", digest="3", split="training"), _picture("l2", digest="3", split="verification"),
        _picture("a", digest="1"), _picture("b", digest="2"), _picture("c", digest="3"),
    ]  # fmt: skip
    plan = _plan(pictures)
    assert _went(plan) == {"a": "training", "b": "verification"}
    assert [(one.path.stem, one.code) for one in plan.held] == [("c", "leak")]
    frozen = _plan(pictures, is_frozen=True)
    assert [(one.path.stem, one.code) for one in frozen.held] == [("b", "frozen"), ("c", "leak")]


def test_place_in_the_queue_is_that_of_the_smallest_name() -> None:
    assert place_in_queue(["b", "a"], "s") == place_in_queue(["a", "z"], "s") != place_in_queue(["a"], "t")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "cat" / "unlabeled"
    for number in range(8):
        picture = encoded(varied_picture(number), "PNG")
        write_pair(folder, f"p{number}", image=picture, suffix=".png")
    return tmp_path / "data"


def _files(root: Path) -> dict[str, bytes]:
    paths = (path for path in sorted(root.rglob("*")) if ".tagbox" not in path.parts and path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


def _split(root: Path, **options: object) -> tuple[SplitPlan, tuple[HeldBack, ...]]:
    plan = plan_split(look_at_labels(root), SplitOptions(**options))  # type: ignore[arg-type]
    _, blocked = apply_split(plan)
    return plan, blocked


def test_moved_found_again_and_taken_back(root: Path) -> None:
    before = _files(root)
    plan, blocked = _split(root, share=0.25)
    assert blocked == ()
    after = _files(root)
    assert sorted(after.values()) == sorted(before.values())
    assert Counter(name.split("/")[1] for name in after if name.endswith(".xml")) == {"training": 6, "verification": 2}
    assert all("/images/" in name for name in after if name.endswith(".png"))
    assert (root / SPLIT_RECORD).is_file()
    assert plan_split(look_at_labels(root), SplitOptions()).assignments == ()
    RepairLog(root).undo("0001")
    assert _files(root) == before
    assert not (root / SPLIT_RECORD).exists()
    assert len(plan.assignments) == 8


def test_placed_pictures_stay_when_more_are_labelled(root: Path) -> None:
    _split(root, share=0.25)
    before = {name for name in _files(root) if "verification" in name}
    for number in range(8, 20):
        write_pair(root / "cat/unlabeled", f"p{number}", image=encoded(varied_picture(number), "PNG"), suffix=".png")
    _split(root, share=0.25)
    assert before <= set(_files(root))
    assert sum(name.endswith(".xml") and "verification" in name for name in _files(root)) == 5


def test_look_alikes_stay_together(root: Path) -> None:
    same = varied_picture(1).resize((40, 30)).transpose(0)
    write_pair(root / "cat/unlabeled", "q", image=encoded(same, "PNG"), suffix=".png",
               xml=annotation((5, 6, 30, 20), filename="q.png", size=(40, 30)))  # fmt: skip
    groups = group_pictures(look_at_labels(root).pictures)
    (pair,) = (group for group in groups if len(group.members) > 1)
    assert {look_at_labels(root).pictures[index].stem for index in pair.members} == {"p1", "q"}


@pytest.mark.parametrize("mode", ["RGB", "I;16"])
def test_the_same_pixels_stay_together_where_there_is_nothing_to_see(mode: str, root: Path) -> None:
    """Blank pictures and sixteen bits a sample have no look; other bytes of the same pixels are still one picture."""
    for stem, grey, level in (("w1", 200, 1), ("w2", 200, 9), ("w3", 90, 1)):
        blank = Image.new("L", (64, 48), grey).convert(mode)
        write_pair(root / "cat/unlabeled", stem, image=encoded(blank, "PNG", compress_level=level), suffix=".png",
                   xml=annotation((5, 6, 30, 20), filename=f"{stem}.png"))  # fmt: skip
    pictures = look_at_labels(root).pictures
    (pair,) = (group for group in group_pictures(pictures) if len(group.members) > 1)
    assert {pictures[index].stem for index in pair.members} == {"w1", "w2"}
    assert [tie.bond for tie in pair.ties] == [Bond.PIXELS]


def test_what_is_not_fit_is_held_back_with_its_reason(root: Path) -> None:
    folder = root / "cat" / "unlabeled"
    write_pair(folder, "bad", xml=annotation((40, 6, 5, 30), filename="bad.jpg"), seed=70)
    write_pair(folder, "empty", xml=annotation(filename="empty.jpg"), seed=71)
    write_pair(root / "cat" / "training", "p0", seed=72)
    labelled = look_at_labels(root)
    plan = plan_split(labelled, SplitOptions())
    assert [(one.path.name, one.code) for one in plan.held] == [
        ("bad.xml", "B02"), ("empty.xml", "negative"), ("p0.xml", "name"),
    ]  # fmt: skip
    assert len(plan.assignments) == 7
    contents = {one.stem: one.content for one in labelled.pictures}
    assert contents["empty"] is Content.NEGATIVE
    with_negatives = plan_split(labelled, SplitOptions(with_negatives=True))
    assert "empty" in _went(with_negatives)


def test_verified_and_unlabelled_pictures_are_three_things(root: Path) -> None:
    folder = root / "cat" / "unlabeled"
    path = write_pair(folder, "sure", xml=annotation(filename="sure.jpg"), seed=73)
    path.write_bytes(path.read_bytes().replace(b"<annotation>", b'<annotation verified="yes">'))
    (folder / "images" / "nobody.jpg").write_bytes((folder / "images" / "sure.jpg").read_bytes())
    plan = plan_split(look_at_labels(root), SplitOptions())
    assert "sure" in _went(plan)
    assert plan.num_unlabelled == 1


def test_changes_of_verification_by_hand_are_noticed(root: Path) -> None:
    _split(root, share=0.25)
    first, second = sorted((root / "cat" / "verification").glob("*.xml"))
    first.unlink()
    second.write_bytes(second.read_bytes().replace(b"<xmax>40", b"<xmax>41"))
    write_pair(root / "cat" / "verification", "new", seed=74)
    plan = plan_split(look_at_labels(root), SplitOptions())
    assert plan.verification_changes == (
        f"cat/{first.stem} is gone", "cat/new was added", f"cat/{second.stem} was changed",
    )  # fmt: skip


def test_what_is_mended_beside_the_boxes_is_no_change_of_verification(root: Path) -> None:
    _split(root, share=0.25)
    first, second = sorted((root / "cat" / "verification").glob("*.xml"))
    first.write_bytes(first.read_bytes().replace(b"\t<source>", b"\t<path>D:\\a.png</path>\n\t<source>"))
    second.write_bytes(second.read_bytes().replace(b"<difficult>0", b"<difficult>1"))
    assert plan_split(look_at_labels(root), SplitOptions()).verification_changes == (f"cat/{second.stem} was changed",)


def test_changes_by_hand_are_told_until_they_are_taken_over(root: Path) -> None:
    _split(root, share=0.25)
    next((root / "cat" / "verification").glob("*.xml")).unlink()
    before = (root / SPLIT_RECORD).read_bytes()
    told, _ = _split(root, is_frozen=True)
    assert (len(told.verification_changes), told.assignments) == (1, ())
    assert plan_split(look_at_labels(root), SplitOptions()).verification_changes == ()
    RepairLog(root).undo("0002")
    assert (root / SPLIT_RECORD).read_bytes() == before


def test_a_record_of_the_first_version_is_compared_by_names(root: Path) -> None:
    _split(root, share=0.25)
    record = json.loads((root / SPLIT_RECORD).read_text())
    old = record | {"version": 1, "verification": dict.fromkeys(record["verification"], "0" * 16) | {"cat/gone": "1"}}
    (root / SPLIT_RECORD).write_text(json.dumps(old))
    assert plan_split(look_at_labels(root), SplitOptions()).verification_changes == ("cat/gone is gone",)
    (root / SPLIT_RECORD).write_text(json.dumps(record | {"version": 3}))
    with pytest.raises(RepairError, match="a newer tagbox"):
        plan_split(look_at_labels(root), SplitOptions())


def test_a_class_folder_alone(root: Path) -> None:
    plan = plan_split(look_at_labels(root / "cat"), SplitOptions())
    assert len(plan.assignments) == 8
    apply_split(plan)
    assert len(list((root / "cat" / "training").glob("*.xml"))) == 7


def test_a_folder_that_is_no_data_root_is_refused(tmp_path: Path) -> None:
    write_pair(tmp_path)
    with pytest.raises(DatasetError, match="no class folders"):
        look_at_labels(tmp_path)
    with pytest.raises(DatasetError, match="no such folder"):
        look_at_labels(tmp_path / "none")
