import sys
from pathlib import Path

import pytest

from collectors.errors import InputError
from labeling.errors import DatasetError
from labeling.label_map import LabelMap
from labeling.labelimg_doctor import CLASSES_FILE, find_installations, judge, openings_of, write_classes
from tests.unit.labeling.labeled_pictures import write_class, write_pair


@pytest.mark.parametrize(
    ("package", "version", "python", "crashes"),
    [
        ("labelImg", "1.8.6", (3, 10, 0), True),
        ("labelImg", "1.8.6", (3, 11, 7), True),
        ("labelImg", "1.8.3", (3, 13, 0), True),
        ("labelImg", "1.8.6", (3, 9, 18), False),
        ("labelImg", "1.9.0", (3, 12, 0), False),
        ("labelimgplusplus", "3.5.0", (3, 12, 0), False),
    ],
)
def test_which_labelimg_crashes(package: str, version: str, python: tuple[int, ...], crashes: bool) -> None:
    assert bool(judge(package, version, python)) is crashes


def _install(folder: Path, version: str) -> Path:
    """An environment of its own with the metadata of a package, and the script that pip writes for it."""
    packages = folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    metadata = packages / f"labelImg-{version}.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: labelImg\nVersion: {version}\n")
    (folder / "bin").mkdir()
    (folder / "pyvenv.cfg").write_text(f"home = {Path(sys.executable).resolve().parent}\n")
    (folder / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    script = folder / "bin" / "labelImg"
    script.write_text(f"#!{folder}/bin/python\nimport sys\n")
    return script


def test_the_python_behind_the_program_is_asked(tmp_path: Path) -> None:
    script = _install(tmp_path / "env", "1.8.6")
    (one,) = find_installations([tmp_path / "env" / "bin", tmp_path / "none"])
    assert (one.command, one.package, one.version) == (script, "labelImg", "1.8.6")
    assert one.python == tuple(sys.version_info[:3])
    assert "crashes on Python 3." in one.problem


def test_a_program_whose_python_is_gone(tmp_path: Path) -> None:
    (tmp_path / "labelImg").write_text("#!/nowhere/python3\n")
    (one,) = find_installations([tmp_path])
    assert one.problem == "the Python behind it could not be asked"


def test_nothing_installed(tmp_path: Path) -> None:
    assert find_installations([tmp_path]) == ()


def test_commands_that_open_the_folders(tmp_path: Path) -> None:
    write_class(tmp_path, "cat", training=2, verification=1)
    write_pair(tmp_path / "cat" / "unlabeled", "new", seed=9).unlink()
    classes = tmp_path / CLASSES_FILE
    openings = openings_of(tmp_path, "labelImg", classes)
    assert [(one.folder.name, one.num_labelled, one.num_pictures) for one in openings] == [
        ("unlabeled", 0, 1), ("training", 2, 2), ("verification", 1, 1),
    ]  # fmt: skip
    folder = tmp_path / "cat" / "unlabeled"
    assert openings[0].command == ("labelImg", str(folder / "images"), str(classes), str(folder))
    assert openings_of(tmp_path / "cat", "labelImg", classes) == openings


def test_a_plain_set_with_annotations_beside_images(tmp_path: Path) -> None:
    """The XML is saved where it is, not beside the pictures."""
    for stem in "ab":
        write_pair(tmp_path / "annotations", stem)
    (tmp_path / "annotations" / "images").rename(tmp_path / "images")
    (tmp_path / "annotations" / "b.xml").unlink()
    (opening,) = openings_of(tmp_path, "labelImg", tmp_path / CLASSES_FILE)
    assert (opening.class_name, opening.num_labelled, opening.num_pictures) == (tmp_path.name, 1, 2)
    images, annotations = tmp_path / "images", tmp_path / "annotations"
    assert opening.command == ("labelImg", str(images), str(tmp_path / CLASSES_FILE), str(annotations))


def test_folders_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no pictures"):
        openings_of(tmp_path, "labelImg", tmp_path / CLASSES_FILE)
    with pytest.raises(DatasetError, match="no such folder"):
        openings_of(tmp_path / "none", "labelImg", tmp_path / CLASSES_FILE)


def test_the_list_of_labels_follows_the_label_map(tmp_path: Path) -> None:
    path = tmp_path / CLASSES_FILE
    assert write_classes(LabelMap(((2, "cat"), (1, "zebra"))), path)
    assert path.read_text() == "zebra\ncat\n"
    assert not write_classes(LabelMap(((2, "cat"), (1, "zebra"))), path)
    with pytest.raises(InputError, match="empty"):
        write_classes(LabelMap(), path)
    with pytest.raises(InputError, match="one label a line"):
        write_classes(LabelMap(((1, "a\nb"),)), path)
