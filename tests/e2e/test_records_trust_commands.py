"""`tagbox records verify`, `diff`, `show` and `card` as a person runs them."""

import gzip
import json
import re
from pathlib import Path

import pytest
from PIL import Image

from records.build import build_records
from records.manifest import FORMAT_VERSION
from tests.support.command import Answer, tagbox_here
from tests.support.od_api_records import od_example, write_records
from tests.unit.records.pictures import add_picture, make_data


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    build_records(make_data(tmp_path / "data"), tmp_path / "records")
    picture = Image.effect_noise((60, 40), 60).convert("RGB")
    examples = [od_example(picture, [(0.1, 0.2, 0.5, 0.6)], [1]), od_example(picture, source_id="b")]
    write_records(tmp_path / "theirs" / "train.record", examples)
    return tmp_path


def _run(*words: object) -> Answer:
    answer = tagbox_here("records", *words)
    assert "Traceback" not in answer.err
    return answer


def test_verify_records_of_ours_and_of_others_at_once(home):
    answer = _run("verify", "records", "theirs")
    assert (answer.code, answer.out) == (0, "")
    assert "note: no manifest names these files" in answer.err
    assert "12 examples with 11 boxes in 5 files" in answer.err
    assert "2 pictures decoded; findings: 0" in answer.err
    answer = _run("verify", "--decode", "--jobs", 2, "--json")
    document = json.loads(answer.out)
    assert (document["examples"], document["decoded"], document["findings"]) == (10, 10, [])


def test_one_fault_repeated_is_shown_a_few_times_and_counted(home):
    picture = Image.new("RGB", (8, 8))
    write_records(home / "many.record", [od_example(picture, [(0, 0, 2, 2)], [1], source_id=str(n)) for n in range(30)])
    answer = _run("verify", "many.record")
    assert answer.code == 1
    assert answer.out.count("V09 box 1 is (0, 0, 2, 2)") == 20
    assert "many.record: V09 10 more; --json prints them all" in answer.out
    assert len(json.loads(_run("verify", "many.record", "--json").out)["findings"]) == 30


def test_what_is_no_record(home):
    (home / "pointer.record").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    packed = home / "packed.record"
    packed.write_bytes(gzip.compress((home / "theirs" / "train.record").read_bytes()))
    answer = _run("verify", "pointer.record", "packed.record")
    assert answer.code == 1
    assert re.search(r"pointer\.record: V20 this is a pointer of Git LFS.*git lfs pull", answer.out)
    assert re.search(r"packed\.record: V19 .*gunzip it", answer.out)
    for words in (["show", "pointer.record"], ["diff", "pointer.record", "records"]):
        answer = _run(*words)
        assert answer.code == 6
        assert "pointer.record: this is no TFRecord but a pointer of Git LFS" in answer.error_line
    assert _run("show", "packed.record").code == 0


def test_a_manifest_of_a_newer_tagbox(home):
    path = home / "records" / "manifest.json"
    path.write_text(path.read_text().replace(f'"version": {FORMAT_VERSION}', '"version": 99'))
    for words in (["verify"], ["diff", "records", "theirs"], ["card"]):
        answer = _run(*words)
        assert answer.code == 6
        assert "the manifest has version 99" in answer.error_line


def test_diff(home):
    same = _run("diff", "records", "records/manifest.json")
    assert (same.code, same.out) == (0, "")
    assert "10 pictures are the same; no difference" in same.err
    add_picture(home / "data", "cat", "training", "cat_training_01", boxes=[(4, 5, 25, 25)], labels=["dog"])
    add_picture(home / "data", "cat", "verification", "new", boxes=[])
    build_records(home / "data", home / "new")
    answer = _run("diff", "records", "new")
    assert answer.code == 1
    assert answer.out.splitlines() == [
        "cat/training/images/cat_training_01.jpg object 1 moved: (4, 5)-(24, 25) -> (4, 5)-(25, 25)",
        "cat/training/images/cat_training_01.jpg object 1 relabelled: 'cat' -> 'dog'",
        "cat/verification/images/new.jpg added: verification, 0 boxes",
    ]
    assert "9 pictures are the same" in answer.err
    document = json.loads(_run("diff", "records", "new", "--json").out)
    assert (document["same"], len(document["changes"]), document["classes"]) == (9, 3, [])
    missing = _run("diff", "records", "nowhere")
    assert (missing.code, "nowhere" in missing.error_line) == (6, True)


def test_show_selects_by_name_number_and_place(home):
    assert re.search(r"image/source_id +bytes +1 +b\b", _run("show", "theirs", "--source-id", "b").out)
    found = _run("show", "records", "--filename", "training/dog_training_01.xml")
    assert "example 1 of records/dog_training.record" in found.err
    drawn = _run("show", "theirs/train.record", "records", "--index", 3, "--output", "x.png")
    assert "drew example 1 of records/cat_training.record" in drawn.err
    with Image.open(home / "x.png") as picture:
        assert picture.size == (40, 30)
    assert _run("show", "records", "--index", 1, "--source-id", "2").code == 2
    assert _run("show", "records", "--filename", "nobody.jpg").code == 6
    assert _run("show", "data").code == 6


def test_card(home):
    planned = _run("card", "--dry-run")
    assert planned.code == 0
    assert re.search(r"README\.md +planned", planned.out)
    assert not (home / "records" / "README.md").exists()
    made = _run("card", "--name", "Cats", "--license", "MIT", "--json")
    assert json.loads(made.out)["files"]["croissant.json"] == "written"
    assert "no licence" not in made.err
    again = _run("card")
    assert again.out.count("up to date") == 4
    assert "# Cats" in (home / "records" / "README.md").read_text()
    assert _run("verify").code == 0
    (home / "records" / "README.md").write_text("mine")
    assert _run("card").code == 6
    assert _run("card", "--published", "yesterday").code == 2
    assert _run("card", "--data", "nowhere").code == 6
    assert _run("card", "--data", "data", "--no-data").code == 2
    assert _run("card", "theirs").code == 6
