"""One example for a picture that stands in several class folders."""

import hashlib
from pathlib import Path

from PIL import Image

from labeling.annotations import Box
from records.features import ExampleObject, ExampleSource
from records.merging import merge_candidates
from tests.unit.records.pictures import picture_bytes


def _candidate(root: Path, folder: str, name: str, content: bytes, *objects: ExampleObject, posts=()):
    path = f"{folder}/training/images/{name}"
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(content)
    source = ExampleSource(
        source_id=0,
        image_path=path,
        xml_path=f"{folder}/training/{name}.xml",
        image_sha256=hashlib.sha256(content).hexdigest(),
        xml_sha256=f"{folder}{name}",
        width=40,
        height=30,
        format="jpeg",
        class_folder=folder,
        split="training",
        objects=objects,
        post_urls=tuple(posts),
    )
    return source, len(content)


_CAT = ExampleObject(1, "cat", Box(1, 1, 20, 20))
_DOG = ExampleObject(2, "dog", Box(20, 5, 39, 29))


def test_the_same_bytes_in_two_folders_become_one_example_with_all_boxes(tmp_path):
    content = picture_bytes("one")
    cat = _candidate(tmp_path, "cat", "a.jpg", content, _CAT, posts=["x"])
    dog = _candidate(tmp_path, "dog", "b.jpg", content, _DOG, posts=["w", "x"])
    alone = _candidate(tmp_path, "dog", "c.jpg", picture_bytes("two"), _DOG)
    merged = merge_candidates([alone, dog, cat], {}, tmp_path)
    (first, size), second = merged.examples
    assert second == alone
    assert size == len(content)
    assert first.image_path == "cat/training/images/a.jpg"
    assert first.objects == (_CAT, _DOG)
    assert first.post_urls == ("w", "x")
    assert [(o.xml_path, o.class_folder) for o in first.others] == [("dog/training/b.jpg.xml", "dog")]
    assert (merged.num_merged, merged.num_repeated, merged.conflicts) == (1, 0, [])


def test_the_same_pixels_in_another_file_are_the_same_picture(tmp_path):
    jpeg = picture_bytes("one", kind="BMP")
    (tmp_path / "x.bmp").write_bytes(jpeg)
    with Image.open(tmp_path / "x.bmp") as image:
        image.save(tmp_path / "x.png")
    cat = _candidate(tmp_path, "cat", "a.bmp", jpeg, _CAT)
    dog = _candidate(tmp_path, "dog", "a.png", (tmp_path / "x.png").read_bytes(), _DOG)
    other = _candidate(tmp_path, "dog", "b.png", picture_bytes("two", kind="PNG"), _DOG)
    looks = {cat[0].image_sha256: 7, dog[0].image_sha256: 7, other[0].image_sha256: 7}
    merged = merge_candidates([cat, dog, other], looks, tmp_path)
    assert sorted(len(example.objects) for example, _ in merged.examples) == [1, 2]
    assert merged.num_merged == 1


def test_pictures_that_look_different_are_not_even_decoded(tmp_path):
    cat = _candidate(tmp_path, "cat", "a.jpg", b"not a picture", _CAT)
    dog = _candidate(tmp_path, "dog", "b.jpg", b"nor this", _DOG)
    merged = merge_candidates([cat, dog], {cat[0].image_sha256: 1, dog[0].image_sha256: 2}, tmp_path)
    assert len(merged.examples) == 2


def test_a_box_that_both_folders_have_stands_once(tmp_path):
    content = picture_bytes("one")
    nearly = ExampleObject(1, "cat", Box(1.2, 1, 20, 20))
    cat = _candidate(tmp_path, "cat", "a.jpg", content, _CAT)
    ant = _candidate(tmp_path, "ant", "a.jpg", content, nearly, _DOG)
    merged = merge_candidates([cat, ant], {}, tmp_path)
    ((example, _),) = merged.examples
    # The cat of the folder of cats is taken, in the place of the other.
    assert example.objects == (_CAT, _DOG)
    assert (merged.num_repeated, merged.conflicts) == (1, [])


def test_other_flags_for_one_box_and_other_labels_are_conflicts(tmp_path):
    content = picture_bytes("one")
    hard = ExampleObject(1, "cat", Box(1, 1, 20, 20), difficult=True)
    wolf = ExampleObject(2, "dog", Box(1, 1, 20, 20))
    cat = _candidate(tmp_path, "cat", "a.jpg", content, _CAT)
    dog = _candidate(tmp_path, "dog", "b.jpg", content, hard, wolf)
    merged = merge_candidates([cat, dog], {}, tmp_path)
    ((example, _),) = merged.examples
    assert example.objects == (_CAT, wolf)
    assert [conflict.message for conflict in merged.conflicts] == [
        "'cat' has other flags in dog/training/b.jpg.xml than in cat/training/a.jpg.xml",
        "cat/training/a.jpg.xml says 'cat' where dog/training/b.jpg.xml says 'dog'",
    ]


def test_boxes_of_one_folder_are_never_merged_with_each_other(tmp_path):
    content = picture_bytes("one")
    cat = _candidate(tmp_path, "cat", "a.jpg", content, _CAT, _CAT)
    dog = _candidate(tmp_path, "dog", "a.jpg", content)
    merged = merge_candidates([cat, dog], {}, tmp_path)
    assert merged.examples[0][0].objects == (_CAT, _CAT)
