"""Building records from real pictures and XML: what goes in, what stays out, and what is left alone."""

import json
import os
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from collectors.errors import ConfigError, InputError
from labeling import image_probe
from labeling.check_cache import CheckCache
from labeling.errors import LabelMapError
from labeling.label_map import read_label_map
from labeling.validate import check_dataset
from records.build import build_from_plan, build_records
from records.build_report import NothingUsableError, State
from records.errors import LabelIdsMovedError, ManifestError, PictureChangedError
from records.manifest import read_manifest
from records.prepare import prepare_build, prepare_single_record
from records.reading import read_examples
from records.verify import verify_records
from tests.unit.records.pictures import HEIGHT, WIDTH, add_picture, make_data, picture_bytes


def _contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def _stamps(folder: Path) -> dict[str, tuple[int, int]]:
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir()}


def _notices(report) -> dict[str, str]:
    return {notice.code: notice.message for notice in report.notices}


def test_one_record_for_each_class_and_split_and_a_folder_complete_by_itself(tmp_path):
    data, out = make_data(tmp_path / "data"), tmp_path / "records"
    report = build_records(data, out)
    assert sorted(path.name for path in out.iterdir()) == [
        "cat_training.record", "cat_verification.record", "dog_training.record", "dog_verification.record",
        "label_map.csv", "label_map.pbtxt", "manifest.json",
    ]  # fmt: skip
    assert (report.num_found, report.num_written, report.num_refused, report.num_boxes) == (10, 10, 0, 10)
    assert [outcome.state for outcome in report.outcomes] == [State.WRITTEN] * 4
    assert (out / "label_map.pbtxt").read_bytes() == (data / "label_map.pbtxt").read_bytes()
    assert read_label_map(out / "label_map.csv").items == ((1, "cat"), (2, "dog"))
    assert verify_records(out).findings == ()


def test_pictures_pass_through_and_boxes_are_the_xmls(tmp_path):
    data = tmp_path / "data"
    _, jpeg = add_picture(data, "cat", "training", "a", boxes=[(10, 6, 30, 24), (0, 0, WIDTH, HEIGHT)])
    _, png = add_picture(data, "cat", "training", "b", kind="PNG", boxes=[])
    _, bmp = add_picture(data, "cat", "training", "c", kind="BMP")
    build_records(data, tmp_path / "records")
    examples = list(read_examples([tmp_path / "records" / "cat_training.record"]))
    assert [example.encoded for example in examples] == [path.read_bytes() for path in (jpeg, png, bmp)]
    assert [example.format for example in examples] == ["jpeg", "png", "bmp"]
    assert examples[0].boxes_norm.tolist() == np.float32([[0.25, 0.2, 0.75, 0.8], [0, 0, 1, 1]]).tolist()
    assert examples[1].num_boxes == 0
    assert [example.source_id for example in examples] == ["2000001", "2000002", "2000003"]


def test_what_was_checked_is_not_decoded_again(tmp_path, monkeypatch):
    data = make_data(tmp_path / "data")
    decoded = []
    whole = image_probe.Image.open
    monkeypatch.setattr(
        image_probe.Image, "open", lambda stream, *args: (decoded.append(stream), whole(stream, *args))[1]
    )
    build_records(data, tmp_path / "cold")
    assert len(decoded) == 10
    checked = check_dataset(data, cache=CheckCache(data))
    assert len(decoded) == 10, "the build has filled the cache as well"
    report = build_records(data, tmp_path / "warm")
    assert (len(decoded), report.num_written, len(checked.images)) == (10, 10, 10)
    assert _contents(tmp_path / "warm") == _contents(tmp_path / "cold")
    _, changed = add_picture(data, "cat", "training", "new")
    changed.write_bytes(picture_bytes(77))
    build_records(data, tmp_path / "warm")
    assert len(decoded) == 11


def test_each_class_carries_its_global_id_and_numbers_are_unique(tmp_path):
    build_records(make_data(tmp_path / "data"), tmp_path / "records")
    examples = list(read_examples([tmp_path / "records" / "*.record"]))
    assert {(text, int(label)) for e in examples for text, label in zip(e.texts, e.labels, strict=True)} == {
        ("cat", 1), ("dog", 2),
    }  # fmt: skip
    ids = [example.source_id for example in examples]
    assert len(set(ids)) == len(ids) == 10
    assert all(1 <= int(number) < 2**31 for number in ids)


def test_objects_of_several_classes_in_one_picture(tmp_path):
    data = make_data(tmp_path / "data")
    add_picture(data, "cat", "training", "both", boxes=[(1, 1, 9, 9), (2, 2, 20, 20)], labels=["dog", "cat"])
    build_records(data, tmp_path / "records")
    example = next(read_examples([tmp_path / "records" / "cat_training.record"]))
    assert (example.texts, example.labels.tolist()) == (("dog", "cat"), [2, 1])


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_bytes_depend_on_nothing_but_the_pictures(tmp_path, jobs):
    data = make_data(tmp_path / "a" / "data")
    build_records(data, tmp_path / "a" / "records", jobs=1, shard_bytes=1500)
    # The same files made in another order, elsewhere, with other times.
    files = [path for path in data.rglob("*") if path.is_file() and path.name.count("label_map") == 0]
    random.Random(jobs).shuffle(files)
    other = tmp_path / "elsewhere" / "pictures"
    for path in files:
        target = other / path.relative_to(data)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        os.utime(target, (1, 1))
    build_records(other, tmp_path / "b", jobs=jobs, shard_bytes=1500)
    assert _contents(tmp_path / "b") == _contents(tmp_path / "a" / "records")
    assert any(name.startswith("cat_training.record-00001-of-0000") for name in _contents(tmp_path / "b"))


def test_shards_are_read_as_one_record(tmp_path):
    data = make_data(tmp_path / "data", classes=["cat"], training=12)
    build_records(data, tmp_path / "one")
    build_records(data, tmp_path / "many", shard_bytes=6000)
    one, many = (list(read_examples([tmp_path / name / "cat_training.record"])) for name in ("one", "many"))
    assert len({example.path for example in many}) > 1
    assert sorted(example.filename for example in many) == [example.filename for example in one]
    assert len({example.source_id for example in many}) == 12
    assert verify_records(tmp_path / "many").findings == ()


def test_building_again_touches_nothing(tmp_path):
    data, out = make_data(tmp_path / "data"), tmp_path / "records"
    build_records(data, out)
    before, data_before = _stamps(out), _contents(data)
    report = build_records(data, out)
    assert report.is_up_to_date
    assert [outcome.state for outcome in report.outcomes] == [State.UP_TO_DATE] * 4
    assert _stamps(out) == before
    assert _contents(data) == data_before


def test_only_the_record_that_changed_is_written(tmp_path):
    data, out = make_data(tmp_path / "data"), tmp_path / "records"
    build_records(data, out)
    before = _stamps(out)
    add_picture(data, "dog", "training", "new")
    report = build_records(data, out)
    states = {outcome.plan.file: outcome.state for outcome in report.outcomes}
    assert states.pop("dog_training.record") is State.WRITTEN
    assert set(states.values()) == {State.UP_TO_DATE}
    changed = {name for name, stamp in _stamps(out).items() if before.get(name) != stamp}
    assert changed == {"dog_training.record", "manifest.json"}
    assert verify_records(out).findings == ()


@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_a_damaged_record_is_not_up_to_date(tmp_path, damage):
    data, out = make_data(tmp_path / "data", classes=["cat"]), tmp_path / "records"
    build_records(data, out)
    path = out / "cat_training.record"
    whole = path.read_bytes()
    if damage == "remove":
        path.unlink()
    else:
        path.write_bytes(whole[:-1] + (bytes([whole[-1] ^ 1]) if damage == "flip" else b""))
    report = build_records(data, out)
    assert [outcome.state for outcome in report.outcomes] == [State.WRITTEN, State.UP_TO_DATE]
    assert path.read_bytes() == whole


def _break_xml(data):
    xml, _ = add_picture(data, "cat", "training", "bad")
    xml.write_text(xml.read_text()[:-30])


def _remove_image(data):
    add_picture(data, "cat", "training", "bad")[1].unlink()


def _cut_image(data):
    _, image = add_picture(data, "cat", "training", "bad")
    image.write_bytes(image.read_bytes()[:-60])


def _other_size(data):
    add_picture(data, "cat", "training", "bad", content=picture_bytes("x", size=(60, 60)))


def _gif(data):
    add_picture(data, "cat", "training", "bad", content=picture_bytes("x", kind="GIF"))


def _web_page(data):
    add_picture(data, "cat", "training", "bad", content=b"<!DOCTYPE html><p>not found")


def _inverted_box(data):
    add_picture(data, "cat", "training", "bad", boxes=[(20, 5, 4, 25)])


def _empty_box(data):
    add_picture(data, "cat", "training", "bad", boxes=[(1, 1, 9, 9), (7, 5, 7, 25)])


def _far_box(data):
    add_picture(data, "cat", "training", "bad", boxes=[(5, 5, WIDTH + 30, 25)])


def _unknown_label(data):
    add_picture(data, "cat", "training", "bad", boxes=[(5, 5, 9, 9), (1, 1, 5, 5)], labels=["cat", "zebra"])


def _hairline_box(data):
    # Sound as numbers of 64 bits; with 32 bits both edges fall together.
    xml, _ = add_picture(data, "cat", "training", "bad", boxes=[(10, 5, 30, 25)])
    xml.write_text(xml.read_text().replace("<xmax>30", "<xmax>10.0000000001"))


@pytest.mark.parametrize(
    "damage",
    [
        _break_xml, _remove_image, _cut_image, _other_size, _gif, _web_page, _inverted_box, _empty_box, _far_box,
        _unknown_label, _hairline_box,
    ],
)  # fmt: skip
def test_a_bad_picture_among_good_ones_is_refused_with_its_reason_and_the_rest_is_built(tmp_path, damage):
    data, out = make_data(tmp_path / "data"), tmp_path / "records"
    damage(data)
    report = build_records(data, out)
    assert (report.num_found, report.num_written, report.num_refused) == (11, 10, 1)
    (refusal,) = report.refusals()
    assert refusal.path == "cat/training/bad.xml"
    assert refusal.code
    assert refusal.reason
    names = [example.filename for example in read_examples([out / "*.record"])]
    assert len(names) == 10
    assert not any(name.startswith("bad") for name in names)
    listed = json.loads((out / "manifest.json").read_text())
    assert listed["totals"] == {"found": 11, "written": 10, "merged": 0, "refused": 1, "boxes": 10}
    refusals = [item for record in listed["records"] for item in record["refusals"]]
    assert refusals == [{"path": refusal.path, "code": refusal.code, "reason": refusal.reason}]


def test_what_the_checks_refuse_the_build_refuses_with_the_same_code(tmp_path):
    data = make_data(tmp_path / "data")
    for number, damage in enumerate([_break_xml, _gif, _inverted_box]):
        damage(data)
        for path in (data / "cat" / "training").rglob("bad.*"):
            path.rename(path.with_stem(f"bad{number}"))
    report = build_records(data, tmp_path / "records")
    checked = check_dataset(data, label_map=read_label_map(data / "label_map.pbtxt"))
    assert {(data / item.path, item.code) for item in report.refusals()} == {
        (item.path, item.code) for item in checked.refused
    }
    assert report.num_refused == 3


def test_a_picture_that_was_mended_comes_in(tmp_path):
    data, out = make_data(tmp_path / "data"), tmp_path / "records"
    _inverted_box(data)
    build_records(data, out)
    add_picture(data, "cat", "training", "bad")
    report = build_records(data, out)
    assert [outcome.state for outcome in report.outcomes].count(State.WRITTEN) == 1
    assert (report.num_written, report.num_refused) == (11, 0)
    assert next(read_examples([out / "cat_training.record"])).filename == "bad.jpg"


def test_a_refusal_that_comes_or_goes_changes_the_manifest_but_no_record(tmp_path):
    data, out = make_data(tmp_path / "data"), tmp_path / "records"
    build_records(data, out)
    before = _stamps(out)
    _inverted_box(data)
    report = build_records(data, out)
    assert report.is_up_to_date
    assert report.num_refused == 1
    assert {name for name, stamp in _stamps(out).items() if before[name] != stamp} == {"manifest.json"}
    assert sum(len(entry.refused) for entry in read_manifest(out).records) == 1


@pytest.mark.skipif(os.name == "nt", reason="file names are text there")
def test_a_name_that_is_not_utf8_is_refused(tmp_path):
    data = make_data(tmp_path / "data")
    xml, image = add_picture(data, "cat", "training", "latin")
    for path in (xml, image):
        path.rename(path.with_stem(os.fsdecode(b"caf\xe9")))
    report = build_records(data, tmp_path / "records")
    (refusal,) = report.refusals()
    assert refusal.code == "R01"
    assert refusal.path == "cat/training/caf\ufffd.xml"
    assert verify_records(tmp_path / "records").findings == ()


def test_names_beyond_ascii(tmp_path):
    data = tmp_path / "data"
    add_picture(data, "猫 cats", "training", "été 1")
    build_records(data, tmp_path / "records")
    example = next(read_examples([tmp_path / "records" / "猫 cats_training.record"]))
    assert example.texts == ("猫 cats",)
    assert example.filename == "été 1.jpg"
    assert verify_records(tmp_path / "records").findings == ()


def test_a_class_without_verification_pictures_is_built_and_named_loudly(tmp_path):
    data = make_data(tmp_path / "data", classes=["cat"])
    add_picture(data, "dog", "training", "a")
    report = build_records(data, tmp_path / "records")
    assert (tmp_path / "records" / "dog_training.record").exists()
    assert report.num_refused == 0
    message = _notices(report)["no-verification"]
    assert "dog: NO VERIFICATION PICTURES" in message
    assert str(data / "dog" / "verification") in message


def test_an_empty_class_folder_is_named_and_has_no_id(tmp_path):
    data = make_data(tmp_path / "data", classes=["cat"])
    (data / "bird" / "training" / "images").mkdir(parents=True)
    report = build_records(data, tmp_path / "records")
    assert _notices(report)["empty-class"].startswith("bird: no labelled pictures")
    assert report.label_map == ((1, "cat"),)


def test_only_empty_class_folders(tmp_path):
    (tmp_path / "data" / "bird" / "training" / "images").mkdir(parents=True)
    with pytest.raises(InputError, match="no XML labels"):
        build_records(tmp_path / "data", tmp_path / "records")
    assert not (tmp_path / "records").exists()


def test_an_empty_class_folder_asked_for(tmp_path):
    data = make_data(tmp_path / "data", classes=["cat"])
    (data / "bird" / "training").mkdir(parents=True)
    with pytest.raises(InputError, match="no labelled pictures in bird"):
        build_records(data, tmp_path / "records", classes=["bird"])


def test_labels_that_wait_in_unlabeled_are_pointed_at(tmp_path):
    data = make_data(tmp_path / "data", classes=["cat"])
    add_picture(data, "bird", "training", "a")
    (data / "bird" / "training").rename(data / "bird" / "unlabeled")
    report = build_records(data, tmp_path / "records")
    assert "XML waiting in unlabeled/: 1" in _notices(report)["empty-class"]


def test_pictures_without_xml_are_counted_and_left_out(tmp_path):
    data = make_data(tmp_path / "data", classes=["cat"])
    add_picture(data, "cat", "training", "later")[0].unlink()
    report = build_records(data, tmp_path / "records")
    assert (report.num_found, report.num_refused) == (5, 0)
    assert report.outcomes[0].plan.num_unlabeled == 1
    assert "cat/training: pictures without XML, left out: 1" in _notices(report)["unlabeled"]


def test_a_split_of_which_everything_is_refused_has_no_record(tmp_path):
    data = make_data(tmp_path / "data", verification=0)
    add_picture(data, "cat", "verification", "bad", boxes=[(9, 9, 3, 3)])
    report = build_records(data, tmp_path / "records")
    assert not (tmp_path / "records" / "cat_verification.record").exists()
    assert (report.num_found, report.num_written, report.num_refused) == (7, 6, 1)
    assert "every picture is refused (1)" in _notices(report)["all-refused"]
    # The refusal has no record to stand under, and stands in the manifest all the same.
    assert [item.path for entry in read_manifest(tmp_path / "records").records for item in entry.refused] == [
        "cat/verification/bad.xml"
    ]
    assert verify_records(tmp_path / "records").findings == ()
    assert build_records(data, tmp_path / "records").is_up_to_date


def test_nothing_usable_at_all_writes_nothing_and_tells_everything(tmp_path):
    data = make_data(tmp_path / "data", classes=["cat"], verification=0)
    for xml in (data / "cat" / "training").glob("*.xml"):
        xml.write_text("<annotation>")
    with pytest.raises(NothingUsableError, match="every labelled picture is refused") as caught:
        build_records(data, tmp_path / "records")
    assert len(list(caught.value.report.refusals())) == 3
    assert not (tmp_path / "records").exists()
    assert not (data / "label_map.pbtxt").exists()


def test_a_split_that_went_takes_its_record_with_it(tmp_path):
    data, out = make_data(tmp_path / "data"), tmp_path / "records"
    build_records(data, out)
    shutil.rmtree(data / "dog" / "verification")
    report = build_records(data, out)
    assert report.removed == ("dog_verification.record",)
    assert not (out / "dog_verification.record").exists()
    assert "removed dog_verification.record" in _notices(report)["removed"]
    assert verify_records(out).findings == ()


def test_a_class_whose_labels_went_takes_its_records_with_it(tmp_path):
    data, out = make_data(tmp_path / "data"), tmp_path / "records"
    build_records(data, out)
    for path in (data / "dog").rglob("*.xml"):
        path.unlink()
    report = build_records(data, out)
    assert report.removed == ("dog_training.record", "dog_verification.record")
    assert report.label_map == ((1, "cat"), (2, "dog"))
    assert verify_records(out).findings == ()


def test_records_of_a_class_folder_that_is_gone_stay_until_somebody_removes_them(tmp_path):
    data, out = make_data(tmp_path / "data"), tmp_path / "records"
    build_records(data, out)
    shutil.rmtree(data / "dog")
    report = build_records(data, out)
    assert "dog_training.record, dog_verification.record" in _notices(report)["other-records"]
    assert "other-records" not in _notices(build_records(make_data(tmp_path / "data"), out, classes=["cat"]))
    shutil.rmtree(data / "dog")
    assert verify_records(out).num_examples == 10
    for path in out.glob("dog*"):
        path.unlink()
    report = build_records(data, out)
    assert "other-records" not in _notices(report)
    assert verify_records(out).findings == ()
    assert verify_records(out).num_examples == 5


def test_a_record_that_grows_into_shards_leaves_no_old_file(tmp_path):
    data, out = make_data(tmp_path / "data", classes=["cat"]), tmp_path / "records"
    build_records(data, out)
    build_records(data, out, shard_bytes=1500)
    assert not (out / "cat_training.record").exists()
    assert verify_records(out).findings == ()
    build_records(data, out)
    assert sorted(path.name for path in out.glob("cat_training*")) == ["cat_training.record"]


def test_one_class_at_a_time_gives_the_same_folder(tmp_path):
    data = make_data(tmp_path / "data")
    build_records(data, tmp_path / "all")
    for name in ("dog", "cat"):
        build_records(data, tmp_path / "each", classes=[name])
    assert _contents(tmp_path / "each") == _contents(tmp_path / "all")


def test_one_record_at_a_time_under_names_of_ones_own(tmp_path):
    data, out = make_data(tmp_path / "data"), tmp_path / "records"
    for split in ("training", "verification"):
        plan = prepare_single_record(
            data, file=f"pose_{split}.record", class_name="dog", split=split, label_map_path=tmp_path / "map.pbtxt"
        )
        build_from_plan(plan, out)
    assert sorted(path.name for path in out.glob("*.record")) == ["pose_training.record", "pose_verification.record"]
    assert read_label_map(tmp_path / "map.pbtxt").items == ((1, "cat"), (2, "dog"))
    assert verify_records(out).num_examples == 5
    build_records(data, tmp_path / "usual", classes=["dog"])
    assert (out / "pose_training.record").read_bytes() == (tmp_path / "usual" / "dog_training.record").read_bytes()


def test_one_record_of_a_split_without_labels(tmp_path):
    data = make_data(tmp_path / "data", verification=0)
    with pytest.raises(InputError, match="no labelled pictures in cat/verification"):
        prepare_single_record(data, file="x.record", class_name="cat", split="verification")
    with pytest.raises(ConfigError, match="no split 'test'"):
        prepare_single_record(data, file="x.record", class_name="cat", split="test")


def test_a_misspelt_class_names_the_nearest(tmp_path):
    data = make_data(tmp_path / "data")
    with pytest.raises(ConfigError, match=r"no class folder 'cta'\. Did you mean cat\? It has: cat, dog\."):
        build_records(data, tmp_path / "records", classes=["cta"])


@pytest.mark.parametrize("part", ["cat", "cat/training"])
def test_a_folder_that_is_no_data_root(tmp_path, part):
    data = make_data(tmp_path / "data")
    with pytest.raises(InputError, match="not a data root"):
        build_records(data / part, tmp_path / "records")


def test_a_missing_data_root(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        build_records(tmp_path / "data", tmp_path / "records")


def test_a_new_class_moves_no_id(tmp_path):
    data, out = make_data(tmp_path / "data", classes=["dog"]), tmp_path / "records"
    build_records(data, out)
    before = (out / "dog_training.record").read_bytes()
    make_data(data, classes=["ant"])
    report = build_records(data, out)
    assert report.label_map == ((1, "dog"), (2, "ant"))
    assert report.added_labels == ("ant",)
    assert (out / "dog_training.record").read_bytes() == before


def test_a_label_map_whose_ids_moved_is_refused(tmp_path):
    data, out = make_data(tmp_path / "data"), tmp_path / "records"
    build_records(data, out)
    before = _contents(out)
    (data / "label_map.pbtxt").write_text("item { id: 2 name: 'cat' } item { id: 1 name: 'dog' }")
    with pytest.raises(LabelIdsMovedError, match="built with"):
        build_records(data, out)
    assert _contents(out) == before


def test_labels_that_only_the_users_map_has(tmp_path):
    data = make_data(tmp_path / "data", classes=["pets"], training=0, verification=0)
    add_picture(data, "pets", "training", "a", boxes=[(1, 1, 9, 9), (4, 4, 9, 9)], labels=["cat", "dog"])
    label_map = tmp_path / "mine.pbtxt"
    label_map.write_text("item { id: 1 name: 'cat' } item { id: 5 name: 'dog' }")
    report = build_records(data, tmp_path / "records", label_map_path=label_map)
    example = next(read_examples([tmp_path / "records" / "pets_training.record"]))
    assert example.labels.tolist() == [1, 5]
    assert 'add: item { id: 6 name: "pets" }' in _notices(report)["class-not-in-label-map"]
    assert verify_records(tmp_path / "records").findings == ()


def test_a_map_of_the_caller_in_the_records_folder_stays_as_it_was_written(tmp_path):
    data, out = make_data(tmp_path / "data", classes=["cat"]), tmp_path / "records"
    out.mkdir()
    text = "# mine\nitem { name: 'cat' id: 3 }\n"
    (out / "label_map.pbtxt").write_text(text)
    build_records(data, out, label_map_path=out / "label_map.pbtxt")
    assert (out / "label_map.pbtxt").read_text() == text
    assert (out / "label_map.csv").read_text() == "3,cat\n"
    assert verify_records(out).findings == ()


def test_a_broken_copy_of_the_label_map_is_written_anew(tmp_path):
    data, out = make_data(tmp_path / "data", classes=["cat"]), tmp_path / "records"
    build_records(data, out)
    (out / "label_map.pbtxt").write_text("item {")
    build_records(data, out)
    assert verify_records(out).findings == ()


def test_labels_that_no_map_has_come_with_the_text_that_mends_it(tmp_path):
    data = tmp_path / "data"
    add_picture(data, "pets", "training", "a", boxes=[(1, 1, 9, 9), (4, 4, 9, 9)], labels=["zebra", "ant eater"])
    with pytest.raises(NothingUsableError) as caught:
        build_records(data, tmp_path / "records")
    message = _notices(caught.value.report)["unknown-labels"]
    assert "'ant eater' (1 times), 'zebra' (1 times)" in message
    # Doing what it says is enough.
    (data / "label_map.pbtxt").write_text(message.partition("build again: ")[2])
    report = build_records(data, tmp_path / "records")
    assert (report.num_written, report.num_boxes) == (1, 2)
    add_picture(data, "pets", "training", "b", labels=["owl"])
    message = _notices(build_records(data, tmp_path / "records"))["unknown-labels"]
    with (data / "label_map.pbtxt").open("a") as stream:
        stream.write(message.partition("build again: ")[2])
    assert build_records(data, tmp_path / "records").num_written == 2


def test_a_broken_label_map(tmp_path):
    data = make_data(tmp_path / "data")
    (data / "label_map.pbtxt").write_text("item { id: 0 name: 'cat' }")
    with pytest.raises(LabelMapError, match="background"):
        build_records(data, tmp_path / "records")


def test_a_picture_in_both_splits_is_written_and_named_loudly(tmp_path):
    data = make_data(tmp_path / "data")
    _, image = add_picture(data, "cat", "training", "same")
    add_picture(data, "dog", "verification", "again", content=image.read_bytes())
    report = build_records(data, tmp_path / "records")
    assert report.num_written == 12
    message = _notices(report)["both-splits"]
    assert message.startswith("PICTURES IN TRAINING AND IN VERIFICATION: 1")
    assert "cat/training/images/same.jpg = dog/verification/images/again.jpg" in message


def test_a_picture_in_both_splits_is_found_when_one_of_the_records_was_there_before(tmp_path):
    data = make_data(tmp_path / "data")
    _, image = add_picture(data, "cat", "training", "same")
    build_records(data, tmp_path / "records", classes=["cat"])
    add_picture(data, "dog", "verification", "again", content=image.read_bytes())
    assert "both-splits" in _notices(build_records(data, tmp_path / "records", classes=["dog"]))


def test_a_dry_run_writes_nothing(tmp_path):
    data = make_data(tmp_path / "data")
    before = _contents(tmp_path)
    report = build_records(data, tmp_path / "records", dry_run=True)
    assert (report.num_written, [outcome.state for outcome in report.outcomes]) == (10, [State.PLANNED] * 4)
    assert _contents(tmp_path) == before
    assert not (tmp_path / "records").exists()


def test_a_picture_replaced_between_check_and_build_stops_it_and_the_old_records_stay(tmp_path):
    data, out = make_data(tmp_path / "data"), tmp_path / "records"
    build_records(data, out)
    before = _contents(out)
    _, image = add_picture(data, "cat", "training", "new")
    plan = prepare_build(data)
    image.write_bytes(picture_bytes("replaced"))
    with pytest.raises(PictureChangedError, match=r"new\.jpg"):
        build_from_plan(plan, out)
    assert _contents(out) == before
    assert build_records(data, out).num_written == 11


def test_a_manifest_of_another_program_is_not_overwritten(tmp_path):
    data, out = make_data(tmp_path / "data"), tmp_path / "records"
    out.mkdir()
    (out / "manifest.json").write_text('{"name": "my app"}')
    with pytest.raises(ManifestError, match="not a manifest of tagbox records"):
        build_records(data, out)
    assert _contents(out) == {"manifest.json": b'{"name": "my app"}'}


def test_an_output_that_is_a_file(tmp_path):
    data = make_data(tmp_path / "data")
    (tmp_path / "records").write_text("mine")
    with pytest.raises(InputError, match="records"):
        build_records(data, tmp_path / "records")
    assert (tmp_path / "records").read_text() == "mine"


def test_the_real_raccoon_set(tmp_path, shared_data):
    source = shared_data / "voc" / "raccoon"
    for split, names in (("training", range(1, 161)), ("verification", range(161, 201))):
        folder = tmp_path / "data" / "raccoon" / split
        (folder / "images").mkdir(parents=True)
        for number in names:
            shutil.copy(source / "annotations" / f"raccoon-{number}.xml", folder)
            shutil.copy(source / "images" / f"raccoon-{number}.jpg", folder / "images")
    report = build_records(tmp_path / "data", tmp_path / "records")
    assert (report.num_found, report.num_written, report.num_boxes) == (200, 200, 217)
    verified = verify_records(tmp_path / "records")
    assert (verified.num_examples, verified.num_boxes, verified.findings) == (200, 217, ())
