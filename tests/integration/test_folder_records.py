"""Classification records of pictures: the folder or the tag is the label, and nothing stands in both splits."""

import hashlib
import io
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from collectors.errors import ConfigError, InputError
from records.classification_manifest import read_classification_manifest
from records.classification_verify import verify_classification
from records.errors import PictureChangedError
from records.name_split import percentage_of_name
from records.picture_folder import FolderOptions, build_folder_records
from records.reading import read_features
from tests.support.tag_ledger import write_tag_ledger
from tests.unit.records.drawing_files import contents, write_picture


def _build(src, out, *, jobs=None, dry_run=False, **options):
    return build_folder_records(src, out, FolderOptions(**options), jobs=jobs, dry_run=dry_run)


def _read(out, split):
    """Return path and class names of every example by its path."""
    return {
        features["tagbox/image_path"].values[0].decode(): features
        for path in sorted(out.glob(f"pictures_{split}.record*"))
        for features in read_features(path)
    }


def _names(features):
    return [text.decode() for text in features["image/class/text"].values]


@pytest.fixture
def src(tmp_path):
    for label in ("cat", "dog"):
        for index in range(12):
            write_picture(tmp_path / "src" / label / f"{index:02d}.jpg", f"{label}{index}")
    return tmp_path / "src"


def test_every_picture_is_in_one_record_with_its_label_and_bytes(src, tmp_path):
    report = _build(src, tmp_path / "out", eval_share=0.25)
    training, verification = _read(tmp_path / "out", "training"), _read(tmp_path / "out", "verification")
    assert {*training, *verification} == {path.relative_to(src).as_posix() for path in src.rglob("*.jpg")}
    assert not set(training) & set(verification)
    assert (len(training), len(verification)) == (18, 6)
    for name, features in {**training, **verification}.items():
        assert _names(features) == [name.partition("/")[0]]
        assert features["image/encoded"].values[0] == (src / name).read_bytes()
        assert features["image/width"].values + features["image/height"].values == (40, 30)
    assert list(training) != sorted(training)
    assert report.num_refused == 0
    assert verify_classification(tmp_path / "out").findings == ()


def test_the_bytes_do_not_depend_on_processes_and_a_second_build_writes_nothing(src, tmp_path):
    _build(src, tmp_path / "one", jobs=1)
    _build(src, tmp_path / "two", jobs=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    report = _build(src, tmp_path / "one")
    assert {outcome.state.value for outcome in report.outcomes} == {"up to date"}


def test_what_tensorflow_does_not_read_as_it_should_is_made_a_jpeg(tmp_path):
    src = tmp_path / "src" / "cat"
    exif = Image.Exif()
    exif[0x0112] = 6
    write_picture(src / "turned.jpg", "turned", exif=exif)
    write_picture(src / "cmyk.jpg", "cmyk", mode="CMYK")
    write_picture(src / "web.webp", "web", kind="WEBP")
    write_picture(src / "still.gif", "still", mode="P", kind="GIF")
    write_picture(src / "clear.png", "clear", mode="RGBA", kind="PNG")
    write_picture(src / "large.jpg", "large", size=(100, 50))
    write_picture(src / "same.jpg", "same", size=(64, 20))
    deep = np.full((9, 9), 65535, np.uint16)
    deep[:4] = 0
    Image.fromarray(deep).save(src / "deep.png")
    _build(tmp_path / "src", tmp_path / "out", max_side=64)
    found = _read(tmp_path / "out", "training") | _read(tmp_path / "out", "verification")
    pictures = {}
    for name, features in found.items():
        content = features["image/encoded"].values[0]
        picture = pictures[name.partition("/")[2]] = Image.open(io.BytesIO(content))
        assert (picture.format, picture.getexif().get(0x0112)) == ("JPEG", None)
        assert picture.mode in ("L", "RGB")
        assert picture.size == features["image/width"].values + features["image/height"].values
        assert features["image/key/sha256"].values == (hashlib.sha256(content).hexdigest().encode(),)
    assert pictures["turned.jpg"].size == (30, 40)
    assert pictures["large.jpg"].size == (64, 32)
    assert np.asarray(pictures["deep.png"])[[0, -1], 0].tolist() == [0, 255]
    listed = {
        one.image_path.partition("/")[2]: one.transcoded
        for record in read_classification_manifest(tmp_path / "out").records
        for group in record.pictures
        for one in group
    }
    assert listed == {
        "turned.jpg": "turned upright (EXIF orientation 6)",
        "cmyk.jpg": "CMYK to RGB",
        "web.webp": "webp to JPEG",
        "still.gif": "gif to JPEG",
        "clear.png": "png to JPEG",
        "deep.png": "png to JPEG",
        "large.jpg": "shrunk to 64 px",
        "same.jpg": "",
    }


def test_what_is_no_picture_is_refused_with_a_code(src, tmp_path):
    cat = src / "cat"
    (cat / "page.jpg").write_text("<!doctype html><p>no")
    (cat / "empty.jpg").touch()
    (cat / "cut.jpg").write_bytes((cat / "00.jpg").read_bytes()[:-200])
    (cat / "noise.png").write_bytes(bytes(range(256)))
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "green")]
    frames[0].save(cat / "moving.gif", save_all=True, append_images=frames[1:])
    report = _build(src, tmp_path / "out")
    assert {item.path: item.code for item in report.plan.refusals} == {
        "cat/page.jpg": "not-a-picture",
        "cat/empty.jpg": "undecodable",
        "cat/cut.jpg": "truncated",
        "cat/noise.png": "undecodable",
        "cat/moving.gif": "animated",
    }
    assert report.as_json()["totals"] == {"found": 29, "written": 24, "unused": 0, "refused": 5}


def test_copies_stay_out_and_a_picture_under_two_labels_too(src, tmp_path):
    shutil.copy(src / "cat" / "00.jpg", src / "cat" / "copy.jpg")
    shutil.copy(src / "cat" / "01.jpg", src / "dog" / "cat.jpg")
    report = _build(src, tmp_path / "out")
    assert {item.path: item.code for item in report.plan.refusals} == {
        "cat/copy.jpg": "duplicate",
        "cat/01.jpg": "two-labels",
        "dog/cat.jpg": "two-labels",
    }
    assert "2 files are the same picture" in next(n.message for n in report.plan.notices if n.code == "two-labels")


def test_pictures_that_look_the_same_never_straddle_the_splits(src, tmp_path):
    for label in ("cat", "dog"):
        for index in range(12):
            with Image.open(src / label / f"{index:02d}.jpg") as image:
                image.resize((80, 60)).save(src / label / f"{index:02d}b.png")
    _build(src, tmp_path / "out", eval_share=0.3)
    training, verification = _read(tmp_path / "out", "training"), _read(tmp_path / "out", "verification")
    assert verification
    for names in (training, verification):
        assert {name[:6] for name in names if "b.png" in name} == {name[:6] for name in names if "b.png" not in name}


def test_what_people_placed_stays_where_it_is_and_draws_its_like_along(tmp_path):
    root = tmp_path / "data"
    for index in range(10):
        write_picture(root / "cat" / "unlabeled" / "images" / f"{index}.jpg", f"cat{index}")
        write_picture(root / "dog" / "unlabeled" / "images" / f"{index}.jpg", f"dog{index}")
    kept = root / "cat" / "verification" / "images" / "kept.jpg"
    write_picture(kept, "cat3", size=(80, 60))
    write_picture(root / "cat" / "training" / "images" / "a.jpg", "new")
    write_picture(root / "dog" / "verification" / "images" / "b.jpg", "new", size=(80, 60))
    report = _build(root, tmp_path / "out", eval_share=0)
    verification = _read(tmp_path / "out", "verification")
    assert set(verification) == {
        "cat/verification/images/kept.jpg", "cat/unlabeled/images/3.jpg", "dog/verification/images/b.jpg"
    }  # fmt: skip
    assert "cat/training/images/a.jpg" in _read(tmp_path / "out", "training")
    assert [notice.code for notice in report.plan.notices] == ["both-splits", "alike"]


def test_one_picture_an_empty_folder_and_two_spellings(src, tmp_path):
    write_picture(src / "fox" / "only.jpg", "fox")
    (src / "owl").mkdir()
    (src / "rat").mkdir()
    (src / "rat" / "a.jpg").write_text("<html>")
    report = _build(src, tmp_path / "out")
    assert {notice.code: notice.message.partition(":")[0] for notice in report.plan.notices} == {
        "empty-class": "owl", "one-picture": "fox", "all-refused": "rat"
    }  # fmt: skip
    assert [name for _, name in report.plan.label_map.items] == ["cat", "dog", "fox"]
    write_picture(src / "Cat" / "a.jpg", "other")
    with pytest.raises(InputError, match=r"two spellings of one label: 'Cat' .* and 'cat'"):
        _build(src, tmp_path / "out")


def test_several_labels_a_picture_come_from_folders_and_from_tags(src, tmp_path):
    shutil.copy(src / "cat" / "01.jpg", src / "dog" / "both.jpg")
    tagged = hashlib.sha256((src / "cat" / "02.jpg").read_bytes()).hexdigest()
    write_tag_ledger(src, (tagged, '["Dog", "black and white", "nobody asked"]'))
    report = _build(src, tmp_path / "out", multi_label=True, tags=("black-and-white", "moon"))
    found = _read(tmp_path / "out", "training") | _read(tmp_path / "out", "verification")
    assert _names(found["cat/01.jpg"]) == ["cat", "dog"]
    assert _names(found["cat/02.jpg"]) == ["black-and-white", "cat", "dog"]
    assert found["cat/02.jpg"]["image/class/label"].values == (1, 2, 3)
    assert _names(found["cat/03.jpg"]) == ["cat"]
    assert [(item.path, item.code) for item in report.plan.refusals] == [("dog/both.jpg", "duplicate")]
    # Labels that no folder has are accounted for like the others.
    told = {notice.code: notice.message for notice in report.plan.notices}
    assert told["unknown-tag"].startswith("--tag moon: no picture of a post with this tag is here")
    assert told["one-picture"].startswith("black-and-white: one picture only")
    assert verify_classification(tmp_path / "out").findings == ()
    with pytest.raises(ConfigError, match="Add --multi-label"):
        FolderOptions(tags=("x",))


def test_common_tags_that_are_no_labels_are_named(src, tmp_path):
    tags = {"02.jpg": '["art", "Sea side", "dog"]', "03.jpg": '["Art", "sea-side", "once"]', "01.jpg": '["art"]'}
    write_tag_ledger(
        src,
        *((hashlib.sha256((src / "cat" / name).read_bytes()).hexdigest(), text) for name, text in tags.items()),
    )
    told = {notice.code: notice.message for notice in _build(src, tmp_path / "out", multi_label=True).plan.notices}
    assert "with their pictures: art (3), Sea side (2); --tag" in told["other-tags"]
    report = _build(src, tmp_path / "more", multi_label=True, tags=("art", "sea side"))
    assert "other-tags" not in {notice.code for notice in report.plan.notices}


def test_with_tags_alone_as_labels_a_picture_may_have_none(src, tmp_path):
    tagged = hashlib.sha256((src / "cat" / "02.jpg").read_bytes()).hexdigest()
    write_tag_ledger(src, (tagged, '["Cat", "sea"]'))
    report = _build(src, tmp_path / "out", multi_label=True, tags=("cat", "moon"), only_tags=True)
    found = _read(tmp_path / "out", "training") | _read(tmp_path / "out", "verification")
    # A folder of the tag's name is none of its labels.
    assert _names(found["cat/02.jpg"]) == ["cat"]
    assert _names(found["cat/03.jpg"]) == _names(found["dog/01.jpg"]) == []
    told = {notice.code: notice.message for notice in report.plan.notices}
    assert told["without-label"].startswith(f"{len(found) - 1} pictures have none of the tags")
    assert set(told) == {"without-label", "one-picture", "unknown-tag"}
    assert verify_classification(tmp_path / "out").findings == ()
    with pytest.raises(InputError, match="no picture of a post with moon is here"):
        _build(src, tmp_path / "none", multi_label=True, tags=("moon",), only_tags=True)
    with pytest.raises(ConfigError, match="there must be tags"):
        FolderOptions(multi_label=True, only_tags=True)


def test_a_picture_that_changes_after_the_check_stops_the_build(src, tmp_path, monkeypatch):
    from records import picture_folder

    real = picture_folder.build_classification

    def meddle(*arguments, **options):
        write_picture(src / "cat" / "00.jpg", "another")
        return real(*arguments, **options)

    monkeypatch.setattr(picture_folder, "build_classification", meddle)
    with pytest.raises(PictureChangedError, match="changed between the check and the build"):
        _build(src, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_to_work_on_is_said(src, tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        _build(tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(InputError, match="no label folders"):
        _build(src / "cat", tmp_path / "out")
    (tmp_path / "bare" / "cat").mkdir(parents=True)
    with pytest.raises(InputError, match="no pictures here"):
        _build(tmp_path / "bare", tmp_path / "out")
    (tmp_path / "bare" / "cat" / "a.jpg").write_text("<html>")
    with pytest.raises(InputError, match=r"every picture is refused .1., the first, cat/a.jpg, because of not-a-pict"):
        _build(tmp_path / "bare", tmp_path / "out")
    with pytest.raises(ConfigError, match="no label folder mouse"):
        _build(src, tmp_path / "out", labels=("mouse",))
    assert not (tmp_path / "out").exists()


def test_large_records_are_cut_into_shards(src, tmp_path, monkeypatch):
    monkeypatch.setattr("records.picture_folder.SHARD_BYTES", 6000)
    report = _build(src, tmp_path / "out")
    assert len(report.outcomes[0].record.shards) > 2
    assert len(_read(tmp_path / "out", "training")) == report.outcomes[0].record.num_examples
    assert verify_classification(tmp_path / "out").findings == ()


def test_names_that_no_manifest_can_hold_are_refused(src, tmp_path):
    bad = b"caf\xe9.jpg"
    try:
        (src / "cat" / os.fsdecode(bad)).write_bytes((src / "cat" / "00.jpg").read_bytes() + b"\0")
    except OSError:
        pytest.skip("this file system takes valid Unicode only")
    report = _build(src, tmp_path / "out")
    assert [(item.path, item.code) for item in report.plan.refusals] == [("cat/caf\\udce9.jpg", "bad-name")]
    assert read_classification_manifest(tmp_path / "out").refusals == report.plan.refusals
    (src / os.fsdecode(b"d\xe9")).mkdir()
    with pytest.raises(InputError, match="not valid Unicode"):
        _build(src, tmp_path / "out")


def test_output_that_cannot_be_written_is_said(src, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="this is a file, not a folder"):
        _build(src, tmp_path / "file")


def test_split_by_name_goes_by_the_hash_and_says_what_falls_apart(src, tmp_path):
    for copy in ("cat/twin_nohash_1.jpg", "cat/twin_nohash_2.jpg"):
        write_picture(src / copy, copy)
    # The same look in both splits: split by look keeps them together, split by name only says so.
    verification = next(path for path in sorted(src.rglob("*.jpg")) if _percent(path, src) < 25)
    training = next(path for path in sorted(src.rglob("*.jpg")) if _percent(path, src) >= 25)
    Image.open(verification).save(training, quality=60)
    report = _build(src, tmp_path / "out", eval_share=0.25, split_by="name", name_prefix="out/")
    found = _read(tmp_path / "out", "verification")
    wanted = {path.relative_to(src).as_posix() for path in src.rglob("*.jpg") if _percent(path, src) < 25}
    assert set(found) == wanted
    assert sum("twin" in name for name in found) in (0, 2)
    assert [notice.code for notice in report.plan.notices if notice.code == "both-splits"]
    content = read_classification_manifest(tmp_path / "out").content
    assert (content["split_by"], content["name_prefix"]) == ("name", "out/")


def _percent(path, src):
    return percentage_of_name("out/" + path.relative_to(src).as_posix())
