"""Verification finds whatever is done to a records folder."""

import gzip
import hashlib
import io
import json
import random
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from labeling.label_map import LabelMap, write_label_map
from records.build import build_records
from records.errors import ManifestError
from records.example import BytesList, Feature, FloatList, Int64List, decode_example, encode_example
from records.tfrecord import read_tfrecord, write_frames
from records.verify import verify_records
from records.verify_findings import CODES
from tests.support.od_api_records import od_example, write_records
from tests.unit.records.pictures import add_picture, make_data


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("sound")
    data = make_data(root / "data", training=2, verification=1)
    add_picture(data, "cat", "training", "two", boxes=[(1, 1, 9, 9), (4, 4, 30, 20)], labels=["cat", "dog"])
    pictures = sorted((data / "cat" / "training" / "images").iterdir())
    build_records(data, root / "records", shard_bytes=sum(path.stat().st_size for path in pictures[:2]))
    return root / "records"


@pytest.fixture
def folder(sound, tmp_path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "records"))


def _codes(folder: Path) -> set[str]:
    found = {finding.code for finding in verify_records(folder).findings}
    assert found <= set(CODES)
    return found


def _rewrite(folder: Path, name: str, index: int, changes: dict[str, Feature | str]) -> None:
    """Replace keys of one example, or drop those that are ``"gone"``, and make the manifest agree with the file."""
    path = folder / name
    payloads = [frame.payload for frame in read_tfrecord(path)]
    features = {**decode_example(payloads[index]), **changes}
    payloads[index] = encode_example({key: value for key, value in features.items() if value != "gone"})
    _write_payloads(folder, path, payloads)


def _write_payloads(folder: Path, path: Path, payloads: list[bytes]) -> None:
    stream = io.BytesIO()
    write_frames(stream, payloads)
    path.write_bytes(stream.getvalue())
    document = json.loads((folder / "manifest.json").read_text())
    for record in document["records"]:
        for shard in record["shards"]:
            if shard["file"] == path.name:
                shard["bytes"] = path.stat().st_size
                shard["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(document))


_NAME = "cat_training.record-00001-of-00002"


def test_sound_records_have_no_findings(sound):
    report = verify_records(sound)
    assert report.findings == ()
    assert (report.num_examples, report.num_boxes) == (7, 8)
    assert report.num_bytes == sum(path.stat().st_size for path in sound.glob("*.record*"))
    assert (sound / _NAME).exists()


@settings(max_examples=60)
@given(data=st.data())
def test_a_flipped_bit_in_any_byte_is_found(sound, tmp_path_factory, data):
    folder = Path(shutil.copytree(sound, tmp_path_factory.mktemp("flip") / "records"))
    path = data.draw(st.sampled_from(sorted(folder.glob("*.record*"))))
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    assert {"V03", "V04"} <= _codes(folder)


@settings(max_examples=40)
@given(data=st.data())
def test_a_cut_at_any_length_is_found(sound, tmp_path_factory, data):
    folder = Path(shutil.copytree(sound, tmp_path_factory.mktemp("cut") / "records"))
    path = data.draw(st.sampled_from(sorted(folder.glob("*.record*"))))
    content = path.read_bytes()
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    assert _codes(folder) & {"V02", "V04"}


def test_a_cut_between_two_records_is_found_by_count_and_hash(folder):
    path = folder / "cat_training.record-00000-of-00002"
    frames = list(read_tfrecord(path))
    assert len(frames) == 2
    path.write_bytes(path.read_bytes()[: frames[1].offset])
    assert _codes(folder) == {"V04", "V05"}


def test_a_file_of_0_bytes(folder):
    (folder / _NAME).write_bytes(b"")
    assert _codes(folder) == {"V02"}


def test_damage_is_named_with_its_byte_and_other_files_are_still_judged(folder):
    path = folder / "cat_training.record-00000-of-00002"
    second = list(read_tfrecord(path))[1].offset
    content = bytearray(path.read_bytes())
    content[second + 20] ^= 1
    path.write_bytes(content)
    (folder / "dog_verification.record").write_bytes(b"")
    findings = verify_records(folder).findings
    (damage,) = [finding for finding in findings if finding.code == "V03"]
    assert str(damage) == f"{path}: example 1: V03 byte {second}: the content of a record fails its checksum"
    assert "V02" in {finding.code for finding in findings if finding.file.name == "dog_verification.record"}


def test_a_missing_shard(folder):
    (folder / _NAME).unlink()
    assert _codes(folder) == {"V01"}


def test_a_record_nobody_lists(folder):
    shutil.copy(folder / _NAME, folder / "more_training.record")
    assert _codes(folder) == {"V13"}


def test_an_exchange_of_two_sound_files(folder):
    first, second = folder / "cat_training.record-00000-of-00002", folder / _NAME
    first.rename(folder / "x")
    second.rename(first)
    (folder / "x").rename(second)
    assert _codes(folder) == {"V04", "V05", "V15"}


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("image/object/bbox/xmax", FloatList((1.5, 0.5)), "V09"),
        ("image/object/bbox/xmin", FloatList((0.99, 0.1)), "V09"),
        ("image/object/bbox/ymin", FloatList((float("nan"), 0.1)), "V09"),
        ("image/object/bbox/ymin", FloatList((-0.1, 0.1)), "V09"),
        ("image/object/bbox/ymin", FloatList((0.1,)), "V08"),
        ("image/object/is_crowd", Int64List(()), "V08"),
        ("image/object/bbox/ymin", Int64List((0, 0)), "V07"),
        ("image/source_id", BytesList((b"cat_01.jpg",)), "V10"),
        ("image/source_id", BytesList((b"0",)), "V10"),
        ("image/source_id", BytesList((b"",)), "V10"),
        ("image/source_id", BytesList((b"2147483648",)), "V10"),
        ("image/source_id", BytesList((b"2000001",)), "V10"),
        ("image/source_id", BytesList((b"1", b"2")), "V07"),
        ("image/source_id", "gone", "V07"),
        ("image/object/area", "gone", "V07"),
        ("image/height", BytesList((b"30",)), "V07"),
        ("image/encoded", BytesList((b"other bytes",)), "V12"),
        ("image/object/class/label", Int64List((1, 0)), "V11"),
        ("image/object/class/label", Int64List((1, 7)), "V11"),
        ("image/object/class/label", Int64List((2, 2)), "V11"),
        ("image/object/class/text", BytesList((b"cat", b"Dog")), "V11"),
        ("image/filename", BytesList((b"other.jpg",)), "V15"),
        ("image/object/bbox/xmin", FloatList((0.1, 0.1)), "V15"),
        ("tagbox/xml_sha256", "gone", "V15"),
    ],
)
def test_a_poisoned_example_is_found_though_every_checksum_is_right(folder, key, value, code):
    _rewrite(folder, _NAME, 0, {key: value})
    findings = [finding for finding in verify_records(folder).findings if finding.code == code]
    assert findings
    assert all((finding.file.name, finding.example) == (_NAME, 0) for finding in findings)
    assert not _codes(folder) & {"V03", "V04", "V05"}


def test_bytes_that_are_no_example(folder):
    _write_payloads(folder, folder / _NAME, [b"\xff\xfe"])
    assert "V06" in _codes(folder)


@pytest.mark.parametrize("name", ["label_map.pbtxt", "label_map.csv"])
def test_a_label_map_that_is_another_or_gone_or_broken(folder, name):
    path = folder / name
    text = path.read_text()
    path.write_text(text.replace("cat", "cow"))
    assert _codes(folder) == {"V14"}
    path.write_text("nonsense {")
    assert _codes(folder) == {"V14"}
    path.unlink()
    assert _codes(folder) == {"V14"}


def test_an_unfinished_build(folder):
    (folder / ".building").mkdir()
    assert _codes(folder) == {"V16"}


def test_a_folder_without_manifest(tmp_path):
    with pytest.raises(ManifestError, match="no manifest"):
        verify_records(tmp_path)


def test_random_bytes_in_place_of_a_record_never_crash(folder):
    chance = random.Random(1)
    for size in (1, 11, 12, 13, 100, 5000):
        (folder / _NAME).write_bytes(chance.randbytes(size))
        assert {"V03", "V04"} <= _codes(folder)


def test_the_reference_page_has_every_code(repository):
    text = (repository / "docs" / "reference" / "records.md").read_text()
    assert all(
        f"| {code} | {meaning.split(' (')[0].split(';')[0]}" in text.replace("`", "") for code, meaning in CODES.items()
    )


@pytest.mark.parametrize("in_processes", [False, True])
def test_the_same_report_however_many_read(folder, monkeypatch, in_processes):
    content = bytearray((folder / _NAME).read_bytes())
    content[50] ^= 1
    (folder / _NAME).write_bytes(content)
    shutil.copy(folder / "cat_verification.record", folder / "dog_verification.record")
    alone = verify_records(folder, jobs=1)
    monkeypatch.setattr("records.verify._BYTES_WORTH_THREADS", 0)
    monkeypatch.setattr("records.verify._BYTES_WORTH_PROCESSES", 0 if in_processes else 1 << 30)
    together = verify_records(folder, jobs=2)
    assert alone.findings
    assert alone == together


def test_a_picture_in_both_splits(tmp_path):
    data = make_data(tmp_path / "data", classes=["cat"])
    _, image = add_picture(data, "cat", "training", "same")
    add_picture(data, "cat", "verification", "other_name", content=image.read_bytes())
    build_records(data, tmp_path / "records")
    (finding,) = verify_records(tmp_path / "records").findings
    assert (finding.code, finding.file.name, finding.example) == ("V17", "cat_verification.record", 2)
    assert "(cat/verification/images/other_name.jpg) is trained on as well" in finding.message
    assert "cat_training.record: example 3 (cat/training/images/same.jpg)" in finding.message
    # The files alone tell the same.
    (tmp_path / "records" / "manifest.json").unlink()
    assert [finding.code for finding in verify_records(tmp_path / "records").findings] == ["V17"]


def test_pictures_are_decoded_on_request_and_where_nothing_vouches_for_them(folder):
    assert verify_records(folder).num_decoded == 0
    assert verify_records(folder, decode=True).num_decoded == 7
    assert verify_records(folder / _NAME).num_decoded == 0
    (folder / "manifest.json").unlink()
    report = verify_records(folder)
    assert (report.num_decoded, report.findings) == (7, ())
    assert any("no manifest names these files" in notice for notice in report.notices)


def test_one_file_of_a_folder_is_held_against_the_manifest_and_nothing_else_is_read(folder):
    (folder / "dog_training.record").write_bytes(b"")
    report = verify_records(folder / _NAME)
    assert (report.num_files, report.findings) == (1, ())
    path = folder / _NAME
    path.write_bytes(path.read_bytes()[:-1])
    assert {finding.code for finding in verify_records(path).findings} == {"V03", "V04", "V05"}
    assert verify_records(folder / "manifest.json").findings == verify_records(folder).findings


def test_a_manifest_entry_that_no_record_can_have_is_a_finding_and_no_crash(folder):
    document = json.loads((folder / "manifest.json").read_text())
    document["records"][0]["examples"][0]["boxes"][0]["xmax"] = -5
    document["tomorrow"] = document["records"][0]["tomorrow"] = {"more": "keys"}
    (folder / "manifest.json").write_text(json.dumps(document))
    assert _codes(folder) == {"V15"}


def test_a_newer_manifest_is_refused(folder):
    document = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**document, "version": 99}))
    with pytest.raises(ManifestError, match="version 99"):
        verify_records(folder)


_PICTURE = Image.effect_noise((60, 40), 80).convert("RGB")
_BOX = (0.1, 0.2, 0.5, 0.6)


def _foreign(folder: Path, *examples: bytes, name: str = "train.record") -> Path:
    return write_records(folder / name, examples or [od_example(_PICTURE, [_BOX], [1])])


def _foreign_codes(path: Path, **more) -> list[str]:
    return [finding.code for finding in verify_records(path, **more).findings]


def test_a_record_of_the_od_api_has_no_findings_and_its_text_ids_are_told(tmp_path):
    report = verify_records(_foreign(tmp_path))
    assert report.findings == ()
    assert any("image/source_id is a text: 1" in notice for notice in report.notices)
    assert any("no label map is known" in notice for notice in report.notices)
    write_label_map(LabelMap(((1, "thing"),)), tmp_path / "label_map.pbtxt")
    assert not any("no label map" in notice for notice in verify_records(tmp_path).notices)
    write_label_map(LabelMap(((1, "other"),)), tmp_path / "mine.pbtxt")
    assert _foreign_codes(tmp_path, label_map_path=tmp_path / "mine.pbtxt") == ["V11"]


@pytest.mark.parametrize(
    ("example", "codes"),
    [
        (od_example(_PICTURE, [(0.1, 0.2, 0.5, 1.2)], [1]), ["V09"]),
        (od_example(_PICTURE, [(0.6, 0.2, 0.5, 0.9)], [1]), ["V09"]),
        (od_example(_PICTURE, [_BOX], [0]), ["V11"]),
        (od_example(_PICTURE, [_BOX], []), ["V08"]),
        (od_example(_PICTURE, [_BOX], [1], image__object__difficult=Int64List((0, 1))), ["V08"]),
        (od_example(_PICTURE, [_BOX], [1], image__object__class__label=FloatList((1.0,))), ["V07"]),
        (od_example(_PICTURE, [_BOX], [1], image__encoded=BytesList()), ["V07"]),
        (od_example(_PICTURE, [_BOX], [1], image__encoded=BytesList((b"<html>no</html>",))), ["V18"]),
        (od_example(_PICTURE, [_BOX], [1], image__width=Int64List((61,))), ["V18"]),
        (od_example(_PICTURE, [_BOX], [1], kind="GIF"), ["V18"]),
        (od_example(_PICTURE, [_BOX], [1], image__key__sha256=BytesList((b"0" * 64,))), ["V12"]),
        (od_example(_PICTURE, [_BOX], [1], source_id=None), ["V10"]),
        (od_example(_PICTURE, [], []), []),
        (b"\xff\xfe", ["V06", "V10"]),
    ],
)
def test_a_poisoned_example_of_another_tool(tmp_path, example, codes):
    assert _foreign_codes(_foreign(tmp_path, example)) == codes


def test_a_cut_off_jpeg_in_a_record_of_another_tool(tmp_path):
    whole = decode_example(od_example(_PICTURE))["image/encoded"].values[0]
    path = _foreign(tmp_path, od_example(_PICTURE, image__encoded=BytesList((whole[: len(whole) // 2],))))
    (finding,) = verify_records(path).findings
    assert finding.code == "V18"
    assert "truncated" in finding.message


def test_a_label_of_two_names_and_a_number_of_two_pictures(tmp_path):
    other = od_example(_PICTURE, [_BOX], [1], image__object__class__text=BytesList((b"cow",)))
    path = _foreign(tmp_path, od_example(_PICTURE, [_BOX], [1]), other)
    found = verify_records(path).findings
    assert [finding.code for finding in found] == ["V10", "V11"]
    assert "label 1 is 'thing' here and 'cow' in" in found[1].message
    # Two records may number their pictures alike; the shards of one may not.
    _foreign(tmp_path / "two", od_example(_PICTURE, [_BOX], [1]), name="a.record")
    _foreign(tmp_path / "two", od_example(_PICTURE.rotate(90), [_BOX], [1]), name="b.record")
    assert _foreign_codes(tmp_path / "two") == []
    for index in range(2):
        _foreign(tmp_path / "shards", name=f"a.tfrecord-0000{index}-of-00002")
    assert _foreign_codes(tmp_path / "shards") == ["V10"]


def test_the_shard_that_another_tools_folder_lacks(tmp_path):
    _foreign(tmp_path, name="a.tfrecord-00000-of-00003")
    _foreign(tmp_path, od_example(_PICTURE, source_id="x"), name="a.tfrecord-00002-of-00003")
    for asked in (tmp_path, tmp_path / "a.tfrecord", tmp_path / "a.tfrecord-*"):
        (finding,) = verify_records(asked).findings
        assert (finding.code, finding.file.name) == ("V01", "a.tfrecord-00001-of-00003")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 12\n", "git lfs pull"),
        (b"<!DOCTYPE html>\n<html><title>404</title></html>", "a web page"),
        (b'{"error": "not found", "more": 1}', "a JSON file"),
        (b"PK\x03\x04" + bytes(range(100)), "zip archive"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "a PNG picture"),
        (b"# a plain text\nof two lines\n", "a text file"),
    ],
)
def test_what_is_no_record_at_all_is_named(tmp_path, folder, content, words):
    path = tmp_path / "x.record"
    path.write_bytes(content)
    (finding,) = verify_records(path).findings
    assert finding.code == "V20"
    assert words in finding.message
    (folder / _NAME).write_bytes(content)
    assert _codes(folder) == {"V04", "V05", "V20"}


def test_a_compressed_record_is_read_and_told(tmp_path):
    path = _foreign(tmp_path, od_example(_PICTURE, [(0.1, 0.2, 0.5, 1.2)], [1]))
    path.write_bytes(gzip.compress(path.read_bytes()))
    assert _foreign_codes(path) == ["V09", "V19"]
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert _foreign_codes(path) == ["V03", "V19"]


def test_a_folder_that_holds_no_record_at_all(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing here")
    with pytest.raises(ManifestError, match=r"no manifest\.json and no record"):
        verify_records(tmp_path)
