"""What goes into records on request: merged classes, fewer boxes, converted pictures; and where pictures came from."""

import hashlib
import io
import json
import sqlite3
from pathlib import Path

import pytest
from PIL import Image

from collectors.errors import ConfigError
from collectors.forgetting import forget
from collectors.ledger import open_ledger
from labeling.annotations import Annotation, Box, LabeledObject
from labeling.voc import write_annotation
from records.box_filters import BoxFilters, parse_smallest_box
from records.build import build_records
from records.errors import PictureChangedError
from records.manifest import read_manifest
from records.prepare import ContentOptions
from records.reading import read_examples, read_features
from records.verify import verify_records
from tests.unit.records.pictures import add_picture, make_data, picture_bytes


def _notices(report) -> dict[str, str]:
    return {notice.code: notice.message for notice in report.notices}


def _shared_picture(data: Path) -> bytes:
    """One photograph of a cat and a dog, labelled once in each folder."""
    content = picture_bytes("both")
    add_picture(data, "cat", "training", "both", content=content, boxes=[(1, 1, 15, 15)])
    add_picture(data, "dog", "training", "other", content=content, boxes=[(20, 5, 39, 29)])
    return content


def test_merged_records_hold_every_class_and_a_shared_picture_once(tmp_path):
    data, out = make_data(tmp_path / "data"), tmp_path / "records"
    content = _shared_picture(data)
    report = build_records(data, out, content=ContentOptions(merge=True))
    assert sorted(path.name for path in out.glob("*.record")) == [
        "merged_training.record",
        "merged_verification.record",
    ]
    assert (report.num_found, report.num_written, report.num_merged, report.num_boxes) == (12, 11, 1, 12)
    examples = {example.filename: example for example in read_examples([out / "merged_training.record"])}
    assert examples["both.jpg"].texts == ("cat", "dog")
    assert examples["both.jpg"].encoded == content
    features = [
        f for f in read_features(out / "merged_training.record") if f["image/filename"].values == (b"both.jpg",)
    ]
    assert features[0]["tagbox/class_folder"].values == (b"cat", b"dog")
    assert features[0]["tagbox/xml_path"].values == (b"cat/training/both.xml", b"dog/training/other.xml")
    assert "1 went into the example of an equal one" in _notices(report)["merged"]
    assert json.loads((out / "manifest.json").read_text())["totals"]["merged"] == 1
    assert verify_records(out).findings == ()
    again = build_records(data, out, content=ContentOptions(merge=True), dry_run=True)
    assert again.is_current


def test_merged_records_do_not_stand_beside_those_of_classes(tmp_path):
    data, out = make_data(tmp_path / "data"), tmp_path / "records"
    build_records(data, out)
    report = build_records(data, out, content=ContentOptions(merge=True))
    assert report.removed == tuple(f"{c}_{s}.record" for c in ("cat", "dog") for s in ("training", "verification"))
    assert verify_records(out).num_examples == 10
    with pytest.raises(ConfigError, match="the folder has merged records"):
        build_records(data, out, classes=["cat"])
    report = build_records(data, out)
    assert report.removed == ("merged_training.record", "merged_verification.record")
    with pytest.raises(ConfigError, match="merged records hold every class folder"):
        build_records(data, out, classes=["cat"], content=ContentOptions(merge=True))


def test_a_class_folder_of_the_name_of_merged_records(tmp_path):
    with pytest.raises(ConfigError, match="a class folder is called 'merged'"):
        build_records(make_data(tmp_path / "data", classes=["merged"]), tmp_path / "records")


def test_contradictions_between_folders_are_told(tmp_path):
    data = make_data(tmp_path / "data")
    content = picture_bytes("both")
    add_picture(data, "cat", "training", "both", content=content, boxes=[(1, 1, 15, 15)])
    add_picture(data, "dog", "training", "both", content=content, boxes=[(1, 1, 15, 15)])
    report = build_records(data, tmp_path / "records", content=ContentOptions(merge=True))
    assert (
        "cat/training/both.xml says 'cat' where dog/training/both.xml says 'dog'"
        in (_notices(report)["merge-conflicts"])
    )
    assert report.num_boxes == 12


def test_boxes_left_out_on_request_are_counted_and_a_picture_without_any_left_stays_out(tmp_path):
    data, out = make_data(tmp_path / "data", classes=["cat"]), tmp_path / "records"
    add_picture(data, "cat", "training", "small", boxes=[(1, 1, 4, 4)])
    xml, _ = add_picture(data, "cat", "training", "two", boxes=[(1, 1, 20, 20), (10, 10, 30, 29)])
    text = xml.read_text()
    xml.write_text(text.replace("<difficult>0", "<difficult>1", 1))
    add_picture(data, "cat", "training", "negative", boxes=[])
    filters = BoxFilters(drop_difficult=True, smallest=parse_smallest_box("10@80x60"))
    report = build_records(data, out, content=ContentOptions(filters=filters))
    (refusal,) = report.refusals()
    assert (refusal.path, refusal.code) == ("cat/training/small.xml", "R03")
    assert report.outcomes[0].plan.dropped == {"difficult": 1}
    assert "1 difficult" in _notices(report)["dropped-boxes"]
    boxes = {example.filename: example.num_boxes for example in read_examples([out / "cat_training.record"])}
    assert (boxes["two.jpg"], boxes["negative.jpg"]) == (1, 0)
    entry = read_manifest(out).records[0]
    assert (entry.options, entry.dropped) == (("drop-difficult", "min-box 10@80x60"), {"difficult": 1})
    # Another wish is another record.
    assert not build_records(data, out, dry_run=True).is_up_to_date


def _turned_picture(data: Path, name: str) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    with Image.open(io.BytesIO(picture_bytes(name))) as image:
        image.save(stream, "JPEG", exif=exif, quality=95)
    xml, _ = add_picture(data, "cat", "training", name, content=stream.getvalue())
    annotation = Annotation(f"{name}.jpg", 30, 40, objects=(LabeledObject("cat", Box(3, 4, 15, 38)),))
    write_annotation(annotation, xml)
    return stream.getvalue()


def test_conversions_happen_on_request_and_stand_in_the_manifest(tmp_path):
    data, out = make_data(tmp_path / "data", classes=["cat"]), tmp_path / "records"
    add_picture(data, "cat", "training", "moving", content=picture_bytes("x", kind="GIF"), kind="GIF")
    stored = _turned_picture(data, "turned")
    plain = build_records(data, tmp_path / "plain")
    assert sorted(item.code for item in plain.refusals()) == ["I04", "S02"]
    assert "1 exif, 1 gif. Add --transcode exif --transcode gif" in _notices(plain)["convertible"]

    report = build_records(data, out, content=ContentOptions(transcode=frozenset({"exif", "gif"})))
    assert report.num_refused == 0
    examples = {example.filename: example for example in read_examples([out / "cat_training.record"])}
    assert (examples["turned.jpg"].width, examples["turned.jpg"].height) == (30, 40)
    assert examples["moving.gif"].format == "png"
    listed = {e.image_path.rpartition("/")[2]: e for e in read_manifest(out).records[0].all_examples()}
    assert {name: e.transcoding for name, e in listed.items() if e.transcoding} == {
        "moving.gif": "gif to png", "turned.jpg": "turned",
    }  # fmt: skip
    # The manifest has the hash of the file (the ledger forgets by it), the example that of its own bytes.
    assert listed["turned.jpg"].image_sha256 == hashlib.sha256(stored).hexdigest()
    features = next(
        f for f in read_features(out / "cat_training.record") if f["image/filename"].values == (b"turned.jpg",)
    )
    assert features["image/key/sha256"].values != features["tagbox/image_sha256"].values
    assert verify_records(out).findings == ()
    build_records(data, tmp_path / "again", content=ContentOptions(transcode=frozenset({"gif", "exif"})), jobs=2)
    assert (tmp_path / "again" / "cat_training.record").read_bytes() == (out / "cat_training.record").read_bytes()


def test_a_conversion_that_is_not_known():
    with pytest.raises(ConfigError, match="no conversion 'heic'"):
        ContentOptions(transcode=frozenset({"heic"}))


def _ledger_with(data: Path, content: bytes) -> None:
    """Let the ledger know a picture of this content from a post."""
    ledger = open_ledger(data)
    with ledger.transaction() as db:
        db.execute("INSERT INTO queries VALUES (1, 'cat', 'cat', '', 0, 0)")
        db.execute("INSERT INTO walks (id, query_id, state, is_head, floor) VALUES (1, 1, 'done', 0, 0)")
        db.execute(
            "INSERT INTO posts VALUES (1, '802850807956602881', 'somebody', 'u', 'https://somebody.example/post/1', "
            "1, '', '[]', 'photo', NULL, 0, 1, 1, 1)"
        )
        db.execute(
            "INSERT INTO media (id, media_key, url, declared_width, declared_height, class_name, query_id, walk_id, "
            "state, sha256, path) VALUES (1, 'k', 'u', 40, 30, 'cat', 1, 1, 'kept', ?, ?)",
            (hashlib.sha256(content).hexdigest(), "cat/training/images/posted.jpg"),
        )
        db.execute("INSERT INTO sightings VALUES (1, 1, 0, 'u', '', '', '')")
    ledger.close()


def test_the_post_of_a_collected_picture_goes_along_and_a_forgotten_one_goes_out(tmp_path):
    data, out = make_data(tmp_path / "data"), tmp_path / "records"
    content = picture_bytes("posted")
    add_picture(data, "cat", "training", "posted", content=content)
    _ledger_with(data, content)
    build_records(data, out)
    features = {f["image/filename"].values[0]: f for f in read_features(out / "cat_training.record")}
    assert features[b"posted.jpg"]["tagbox/post_url"].values == (b"https://somebody.example/post/1",)
    assert verify_records(out).findings == ()

    ledger = open_ledger(data)
    forgotten = forget(ledger, "802850807956602881", records_dirs=[out])
    ledger.close()
    assert forgotten.records == [str(out / "cat_training.record")]
    checked = build_records(data, out, dry_run=True)
    assert not checked.is_current
    assert [(file, str(why)) for outcome in checked.outcomes for file, why in outcome.rebuilt] == [
        ("cat_training.record", "holds a forgotten picture")
    ]
    # A build of the other class leaves the record alone, and says so.
    assert "cat_training.record" in _notices(build_records(data, out, classes=["dog"]))["forgotten"]
    build_records(data, out)
    assert verify_records(out).num_examples == 10

    # Whoever puts the picture back by hand does not get it into a record.
    add_picture(data, "cat", "training", "back", content=content)
    (refusal,) = build_records(data, out).refusals()
    assert (refusal.path, refusal.code) == ("cat/training/back.xml", "R02")


def test_a_damaged_ledger_does_not_stop_a_build(tmp_path):
    data = make_data(tmp_path / "data")
    (data / ".tagbox").mkdir()
    sqlite3.connect(data / ".tagbox" / "ledger.sqlite").close()
    assert build_records(data, tmp_path / "records").num_written == 10


def test_a_picture_replaced_between_check_and_build_is_found_by_its_hash(tmp_path, monkeypatch):
    data, out = make_data(tmp_path / "data"), tmp_path / "records"
    build_records(data, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    _, image = add_picture(data, "dog", "training", "new")
    from records import prepare

    def sneak(*args, **kwargs):
        plan = whole(*args, **kwargs)
        image.write_bytes(picture_bytes("other"))
        return plan

    whole = prepare._prepare
    monkeypatch.setattr(prepare, "_prepare", sneak)
    with pytest.raises(PictureChangedError, match=r"new\.jpg: the picture changed between the check and the build"):
        build_records(data, out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
