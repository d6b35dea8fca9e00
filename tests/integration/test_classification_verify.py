"""Damage of any kind to classification records is found, and named by the same codes as elsewhere."""

import io
import json
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from records.classification_manifest import kind_of_manifest, read_classification_manifest
from records.classification_verify import verify_classification
from records.errors import ManifestError
from records.example import BytesList, Int64List, decode_example, encode_example
from records.picture_folder import FolderOptions, build_folder_records
from records.tfrecord import read_frames, write_frames
from tests.unit.records.drawing_files import build, write_npy, write_picture

_TRAINING, _VERIFICATION = "drawings_training.record", "drawings_verification.record"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    root = tmp_path_factory.mktemp("verify")
    for label in ("cat", "dog"):
        write_npy(root / "npy", label, 12)
    build(root / "npy", root / "out", 8, 4)
    return root / "out"


@pytest.fixture
def out(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "out")
    return tmp_path / "out"


def _codes(folder):
    return [finding.code for finding in verify_classification(folder).findings]


def _rewrite(path, change):
    """Change the features of every example of a file in place, with right checksums, and bring the manifest in line."""
    import hashlib

    payloads = [frame.payload for frame in read_frames(io.BytesIO(path.read_bytes()), path="x")]
    features = [decode_example(payload) for payload in payloads]
    changed = change(features) or features
    stream = io.BytesIO()
    write_frames(stream, [encode_example(one) for one in changed])
    path.write_bytes(stream.getvalue())
    manifest = path.parent / "manifest.json"
    document = json.loads(manifest.read_text())
    for record in document["records"]:
        for shard in record["shards"]:
            if shard["file"] == path.name:
                shard["bytes"], shard["examples"] = len(stream.getvalue()), len(changed)
                shard["sha256"] = hashlib.sha256(stream.getvalue()).hexdigest()
    manifest.write_text(json.dumps(document))


def test_a_sound_folder_has_no_findings(out):
    report = verify_classification(out, jobs=2)
    assert report.findings == ()
    assert (report.num_files, report.num_examples) == (2, 24)
    assert report.as_json()["findings"] == []
    assert kind_of_manifest(out) == "classification"


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_flipped_bit_or_a_cut_anywhere_is_found(out, whole, data):
    content = (whole / _TRAINING).read_bytes()
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        damaged = content[:place] + bytes([content[place] ^ 1 << data.draw(st.integers(0, 7))]) + content[place + 1 :]
    else:
        damaged = content[:place]
    (out / _TRAINING).write_bytes(damaged)
    codes = _codes(out)
    assert "V04" in codes or "V02" in codes


def test_missing_foreign_and_left_over_files_are_found(out):
    (out / _VERIFICATION).unlink()
    (out / "other.record").write_bytes(b"x")
    (out / "label_map.csv").write_text("1,dog\n2,cat\n")
    (out / ".building").mkdir()
    assert sorted(_codes(out)) == ["V01", "V13", "V14", "V16"]


def _set(key, value):
    def change(features):
        features[-1][key] = value

    return change


UNSOUND = {
    "a label of no class": (_set("image/class/label", Int64List((7,))), "V11"),
    "two names": (_set("image/class/text", BytesList((b"cat", b"dog"))), "V11"),
    "no label": (_set("image/class/label", Int64List(())), "V07"),
    "a label as text": (_set("image/class/label", BytesList((b"1",))), "V07"),
    "a pixel too few": (_set("image/raw", BytesList((bytes(783),))), "V07"),
    "no pixels": (_set("image/raw", BytesList(())), "V07"),
    "no height": (_set("image/height", None), "V07"),
    "one example less": (lambda features: features[:-1], "V15"),
}


@pytest.mark.parametrize("what", UNSOUND)
def test_an_unsound_example_is_found_after_sound_ones_of_its_kind(out, what):
    change, code = UNSOUND[what]
    _rewrite(out / _TRAINING, change)
    assert code in _codes(out)


def test_a_drawing_in_both_splits_is_found(out):
    taken = []
    _rewrite(out / _TRAINING, lambda features: taken.append(features[3]))
    _rewrite(out / _VERIFICATION, lambda features: features[0].update(taken[0]))
    report = verify_classification(out)
    assert "V17" in [finding.code for finding in report.findings]
    assert [(f.file.name, f.example) for f in report.findings if f.code == "V17"] == [(_VERIFICATION, 0)]


def test_a_picture_that_is_not_the_listed_one_is_found(tmp_path):
    for label in ("cat", "dog"):
        for index in range(6):
            write_picture(tmp_path / "src" / label / f"{index}.jpg", f"{label}{index}")
    out = tmp_path / "out"
    build_folder_records(tmp_path / "src", out, FolderOptions())
    assert _codes(out) == []
    path = out / "pictures_training.record"
    _rewrite(path, lambda features: [*features[1:], features[0]])
    assert "V15" in _codes(out)
    _rewrite(path, _set("image/encoded", BytesList((b"other",))))
    assert "V12" in _codes(out)


def test_a_manifest_that_is_none_is_refused(out, tmp_path):
    with pytest.raises(ManifestError, match="there is no manifest"):
        verify_classification(tmp_path)
    assert kind_of_manifest(tmp_path) is None
    path = out / "manifest.json"
    text = path.read_text()
    for damaged, words in (
        (text[:-20], "cannot read"),
        (text.replace("tagbox-records", "x"), "not a manifest of tagbox"),
        (text.replace('"classification"', '"detection"'), "detection records"),
        (text.replace('"sources"', '"other"'), "manifest is damaged"),
    ):
        path.write_text(damaged)
        with pytest.raises(ManifestError, match=words):
            read_classification_manifest(out)
