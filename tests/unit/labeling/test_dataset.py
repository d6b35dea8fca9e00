import os
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.dataset import IMAGE_SUFFIXES, ImageFile, LabelFile, Match, NormalPaths, find_dataset
from labeling.errors import DatasetError


def _touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def _found(root: Path) -> dict[str, list[str]]:
    """XML path to picture paths, below the root."""
    return {
        str(label.xml_path.relative_to(root)): [str(path.relative_to(root)) for path in label.image_paths]
        for label in find_dataset(root).labels
    }


@pytest.mark.parametrize(
    ("xml", "image"),
    [
        ("a.xml", "a.jpg"),
        ("a.xml", "images/a.jpg"),
        ("train/a.xml", "train/a.jpeg"),
        ("annotations/a.xml", "images/a.jpg"),
        ("Annotations/a.xml", "JPEGImages/a.jpg"),
        ("annotations/xmls/a.xml", "images/a.jpg"),
        ("a.b.c.xml", "a.b.c.PNG"),
        ("a.XML", "a.Bmp"),
    ],
)
def test_finds_the_picture_of_a_plain_folder(xml: str, image: str, tmp_path: Path) -> None:
    _touch(tmp_path, xml, image)
    assert _found(tmp_path) == {xml: [image]}


def test_finds_pictures_next_door_to_the_folder_given(tmp_path: Path) -> None:
    _touch(tmp_path, "annotations/a.xml", "images/a.jpg", "images/b.jpg")
    files = find_dataset(tmp_path / "annotations")
    assert files.labels[0].image_paths == (tmp_path / "images" / "a.jpg",)
    assert [image.path for image in files.unlabeled] == [tmp_path / "images" / "b.jpg"]


def test_works_in_the_folder_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _touch(tmp_path, "annotations/a.xml", "images/a.jpg")
    monkeypatch.chdir(tmp_path / "annotations")
    assert find_dataset(Path()).labels[0].image_paths == (Path("../images/a.jpg"),)


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
def test_every_picture_suffix_is_found(suffix: str, tmp_path: Path) -> None:
    _touch(tmp_path, "a.xml", f"a{suffix}")
    assert _found(tmp_path) == {"a.xml": [f"a{suffix}"]}


def test_nearest_picture_wins_and_the_other_is_unlabelled(tmp_path: Path) -> None:
    _touch(tmp_path, "a.xml", "a.jpg", "images/a.jpg")
    files = find_dataset(tmp_path)
    assert files.labels[0].image_paths == (tmp_path / "a.jpg",)
    assert files.unlabeled == (ImageFile(tmp_path / "images" / "a.jpg", "", ""),)


def test_two_pictures_of_one_stem_come_in_sorted_order(tmp_path: Path) -> None:
    _touch(tmp_path, "a.xml", "a.png", "a.jpg", "a.txt")
    assert _found(tmp_path) == {"a.xml": ["a.jpg", "a.png"]}


def test_stem_that_differs_in_case_is_found_loosely(tmp_path: Path) -> None:
    _touch(tmp_path, "cat.xml", "Cat.jpg")
    (label,) = find_dataset(tmp_path).labels
    assert (label.match, label.image_paths) == (Match.LOOSE, (tmp_path / "Cat.jpg",))


def test_double_suffix_is_found(tmp_path: Path) -> None:
    _touch(tmp_path, "cat.xml.xml", "cat.jpg")
    assert find_dataset(tmp_path).labels[0].match is Match.DOUBLE_SUFFIX


def test_class_folders(tmp_path: Path) -> None:
    _touch(
        tmp_path,
        "dog/training/d.xml",
        "dog/training/images/d.jpg",
        "dog/unlabeled/images/u.jpg",
        "dog/unlabeled/w.xml",
        "cat/training/c.xml",
        "cat/training/c.png",
        "cat/training/images/x.jpg",
        "cat/verification/images/v.xml",
        "cat/verification/images/v.jpg",
        "cat/stray.xml",
        "label_map.pbtxt",
        ".tagbox/notes.xml",
    )
    files = find_dataset(tmp_path)
    cat, dog = tmp_path / "cat", tmp_path / "dog"
    assert files.labels == (
        LabelFile(cat / "training/c.xml", (cat / "training/c.png",), Match.STEM, "cat", "training"),
        LabelFile(
            cat / "verification/images/v.xml", (cat / "verification/images/v.jpg",), Match.STEM, "cat", "verification"
        ),
        LabelFile(dog / "training/d.xml", (dog / "training/images/d.jpg",), Match.STEM, "dog", "training"),
    )
    assert files.unlabeled == (ImageFile(cat / "training/images/x.jpg", "cat", "training"),)
    assert files.num_images == 4
    assert [(one.name, one.num_waiting, one.stray_xml) for one in files.class_folders] == [
        ("cat", 0, (cat / "stray.xml",)),
        ("dog", 1, ()),
    ]


def test_folders_that_are_no_class_are_left_alone(tmp_path: Path) -> None:
    _touch(tmp_path, "cat/training/a.xml", "notes/readme.txt", "forgotten/b.xml", "new/unlabeled/images/c.jpg")
    (tmp_path / "empty").mkdir()
    folders = {folder.name: folder.has_splits for folder in find_dataset(tmp_path).class_folders}
    assert folders == {"cat": True, "empty": False, "forgotten": False, "new": False}


def test_one_class_folder_is_a_data_set_too(tmp_path: Path) -> None:
    _touch(tmp_path, "cat/training/a.xml", "cat/training/images/a.jpg", "cat/verification/images/b.jpg")
    files = find_dataset(tmp_path / "cat")
    assert [(label.class_name, label.split) for label in files.labels] == [("cat", "training")]
    assert [image.split for image in files.unlabeled] == ["verification"]


def test_a_split_never_takes_the_pictures_of_another(tmp_path: Path) -> None:
    _touch(tmp_path, "cat/training/a.xml", "cat/verification/images/a.jpg", "cat/images/a.jpg", "cat/a.jpg")
    assert find_dataset(tmp_path).labels[0].image_paths == ()


def test_chosen_classes_only(tmp_path: Path) -> None:
    _touch(tmp_path, "cat/training/a.xml", "dog/training/b.xml", "cow/training/c.xml")
    files = find_dataset(tmp_path, ["dog", "cat", "dog"])
    assert [folder.name for folder in files.class_folders] == ["cat", "dog"]
    with pytest.raises(DatasetError, match=r"no class folder 'cot'.*cat, cow, dog"):
        find_dataset(tmp_path, ["cot"])


def test_order_of_the_folder_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _touch(tmp_path, *(f"{name}{suffix}" for name in "abcdefgh" for suffix in (".xml", ".jpg", ".png")))
    expected = find_dataset(tmp_path)
    real = Path.iterdir
    shuffler = random.Random(3)

    def shuffled(folder: Path) -> list[Path]:
        entries = list(real(folder))
        shuffler.shuffle(entries)
        return entries

    monkeypatch.setattr(Path, "iterdir", shuffled)
    assert find_dataset(tmp_path) == expected


def test_folder_links_are_not_followed_in_circles(tmp_path: Path) -> None:
    _touch(tmp_path, "a.xml", "a.jpg")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert _found(tmp_path) == {"a.xml": ["a.jpg"]}


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "no XML labels under"),
        (["a.jpg"], "Draw boxes in LabelImg"),
        (["cat/training/images/a.jpg"], "no XML labels in the training/ and verification/ folders"),
        (["cat/unlabeled/a.xml", "cat/unlabeled/b.xml"], "2 XML files lie in unlabeled/"),
    ],
)
def test_folder_without_labels_is_refused_with_advice(names: list[str], words: str, tmp_path: Path) -> None:
    _touch(tmp_path, *names)
    with pytest.raises(DatasetError, match=words):
        find_dataset(tmp_path)


def test_missing_folder_and_file(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such folder"):
        find_dataset(tmp_path / "none")
    _touch(tmp_path, "a.xml")
    with pytest.raises(DatasetError, match="it is a file"):
        find_dataset(tmp_path / "a.xml")


@given(
    st.lists(
        st.tuples(st.sampled_from(["", "/", "//"]), st.lists(st.sampled_from(["a", "b.jpg", "..", "é"]), max_size=5))
    )
)
def test_normal_paths_are_those_of_normpath(paths):
    normal = NormalPaths()
    for start, parts in paths:
        path = Path(start, *parts)
        assert normal.of(path) == os.path.normpath(path)
