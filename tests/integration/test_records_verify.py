"""Verification finds whatever is done to a records folder."""

import hashlib
import io
import json
import random
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from records.build import build_records
from records.errors import ManifestError
from records.example import BytesList, Feature, FloatList, Int64List, decode_example, encode_example
from records.tfrecord import read_tfrecord, write_frames
from records.verify import verify_records
from records.verify_findings import CODES
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
