import hashlib
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from labeling.annotations import Box
from labeling.dataset import IMAGE_SUFFIXES
from labeling.errors import DatasetError
from labeling.findings import Severity
from labeling.label_map import LabelMap
from labeling.validate import check_dataset
from labeling.voc import read_annotation
from tests.unit.labeling.defects import DEFECTS, Defect
from tests.unit.labeling.labeled_pictures import annotation, picture_bytes, write_class, write_pair


def test_checked_image_says_what_a_record_needs(tmp_path: Path) -> None:
    content = picture_bytes("PNG", mode="L", seed=5)
    xml = annotation((-1, 6, 40, 30), filename="a.png", depth=1)
    xml_path = write_pair(tmp_path / "cat" / "training", xml=xml, image=content, suffix=".png")
    (image,) = check_dataset(tmp_path).images
    assert (image.class_name, image.split, image.xml_path) == ("cat", "training", xml_path)
    assert image.image_path == tmp_path / "cat" / "training" / "images" / "a.png"
    assert (image.width, image.height, image.format, image.mode) == (64, 48, "png", "L")
    assert image.annotation == read_annotation(xml_path)
    assert image.annotation.objects[0].box == Box(-1, 6, 40, 30), "boxes are not clipped here"
    assert image.sha256 == hashlib.sha256(content).hexdigest()
    assert image.xml_sha256 == hashlib.sha256(xml_path.read_bytes()).hexdigest()


def test_plain_folder_has_neither_class_nor_split(tmp_path: Path) -> None:
    write_pair(tmp_path)
    report = check_dataset(tmp_path)
    assert (report.images[0].class_name, report.images[0].split, report.class_names) == ("", "", ())


def test_chosen_classes_only(tmp_path: Path) -> None:
    write_class(tmp_path, "cat")
    write_class(tmp_path, "dog", first_seed=10)
    report = check_dataset(tmp_path, class_names=["dog"])
    assert report.class_names == ("dog",)
    assert {image.class_name for image in report.images} == {"dog"}


def test_broken_xml_among_good_ones_refuses_only_itself(tmp_path: Path) -> None:
    write_class(tmp_path, "cat", training=3)
    broken = tmp_path / "cat" / "training" / "cat_training_1.xml"
    broken.write_bytes(broken.read_bytes()[:100])
    report = check_dataset(tmp_path)
    assert len(report.images) == 3
    (refused,) = report.refused
    assert (refused.path, refused.code, refused.class_name, refused.split) == (broken, "X01", "cat", "training")
    assert refused.image_paths == (tmp_path / "cat" / "training" / "images" / "cat_training_1.jpg",)
    assert "the XML cannot be parsed" in refused.reason


def test_empty_class_folder_among_good_ones(tmp_path: Path) -> None:
    write_class(tmp_path, "cat")
    (tmp_path / "dog" / "training" / "images").mkdir(parents=True)
    report = check_dataset(tmp_path)
    (finding,) = report.findings
    assert (finding.code, finding.severity, finding.path) == ("D11", Severity.ERROR, tmp_path / "dog")
    assert len(report.images) == 3


def test_class_that_is_still_collected_is_only_a_warning(tmp_path: Path) -> None:
    write_class(tmp_path, "cat")
    (tmp_path / "dog" / "unlabeled" / "images").mkdir(parents=True)
    (finding,) = check_dataset(tmp_path).findings
    assert (finding.code, finding.severity) == ("D11", Severity.WARNING)


def test_empty_class_folder_alone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dog" / "training").mkdir(parents=True)
    with pytest.raises(DatasetError, match="no XML labels"):
        check_dataset(tmp_path)


def test_class_without_verification_pictures_is_usable_with_a_warning(tmp_path: Path) -> None:
    write_class(tmp_path, verification=0)
    report = check_dataset(tmp_path)
    assert [(finding.code, finding.severity) for finding in report.findings] == [("D09", Severity.WARNING)]
    assert len(report.images) == 2


def test_class_whose_verification_pictures_are_all_refused_counts_as_without(tmp_path: Path) -> None:
    folder = write_class(tmp_path, verification=1)
    (folder / "verification" / "images" / "cat_verification_0.jpg").write_bytes(b"")
    assert [finding.code for finding in check_dataset(tmp_path).findings] == ["D09", "I01"]


def test_progress_counts_every_pair(tmp_path: Path) -> None:
    write_class(tmp_path, training=4)
    calls: list[tuple[int, int | None]] = []
    check_dataset(tmp_path, progress=lambda done, total, note="": calls.append((done, total)), jobs=2)
    assert calls == [(done, 5) for done in range(6)]


def test_large_picture_is_a_warning_of_ours_not_of_pillow(tmp_path: Path) -> None:
    # 90 megapixels of one colour: Pillow warns above 89.5, and refuses above 179.
    content = picture_bytes("PNG", size=(64, 48))
    big = tmp_path / "big.png"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Image.new("1", (9000, 10_000)).save(big)
    write_pair(tmp_path, xml=annotation((5, 6, 4000, 3000), size=(9000, 10_000), depth=1), image=content, suffix=".png")
    big.replace(tmp_path / "images" / "a.png")
    report = check_dataset(tmp_path)
    found = [(finding.code, finding.severity.value) for finding in report.findings]
    assert found == [("L03", "warning"), ("I07", "info"), ("I08", "warning")]
    assert len(report.images) == 1


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(DEFECTS), max_size=6, unique_by=lambda defect: defect.id), st.integers(1, 4))
def test_every_file_is_accounted_for(
    tmp_path_factory: pytest.TempPathFactory, defects: list[Defect], jobs: int
) -> None:
    """Whatever is wrong: XML = usable + refused, pictures = usable + refused + unlabelled; threads change nothing."""
    root = tmp_path_factory.mktemp("data")
    write_class(root, "cat")
    write_class(root, "cow", training=1, verification=0, first_seed=50)
    for defect in defects:
        defect.build(root)
    on_disk = sorted(path for split in ("training", "verification") for path in root.glob(f"*/{split}/**/*.*"))
    label_map = LabelMap.from_names(["cat", "cow"])
    report = check_dataset(root, label_map=label_map, jobs=jobs)
    xml = [image.xml_path for image in report.images] + [one.path for one in report.refused]
    assert sorted(xml) == [path for path in on_disk if path.suffix == ".xml"]
    pictures = {image.image_path for image in report.images} | {
        path for one in report.refused for path in one.image_paths
    }
    assert not pictures & set(report.unlabeled)
    all_pictures = [path for path in on_disk if path.suffix.lower() in IMAGE_SUFFIXES]
    assert sorted(pictures | set(report.unlabeled)) == all_pictures
    errors = {finding.path for finding in report.findings if finding.severity is Severity.ERROR}
    for one in report.refused:
        assert errors & {one.path, *one.image_paths}
    assert report == check_dataset(root, label_map=label_map, jobs=1)
    assert list(report.findings) == sorted(report.findings, key=lambda finding: finding.sort_key)
