"""`tagbox records` as a person runs it: words in, tables and exit codes out."""

import json
import re
import subprocess
import sys

import pytest
from PIL import Image

from tests.unit.records.pictures import add_picture, make_data


@pytest.fixture
def tagbox(tmp_path, repository):
    """Run the command in an empty folder."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        program = "import sys; sys.path.insert(0, sys.argv.pop(1)); from scripts.cli import main; main()"
        return subprocess.run(
            [sys.executable, "-c", program, str(repository), *words],
            cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    return run


def test_build_then_build_again_then_verify_then_show(tagbox, tmp_path):
    make_data(tmp_path / "data")
    first = tagbox("records", "build")
    assert first.returncode == 0, first.stderr
    assert re.search(r"cat +training +3 +3 +0 .* written +cat_training\.record", first.stdout)
    assert "labelled pictures: 10 = 10 in records + 0 refused; wrote 4 of 4 records to records" in first.stderr
    assert "wrote the label map data/label_map.pbtxt: 1 cat, 2 dog" in first.stderr

    again = tagbox("records", "build", "data", "--out", "records")
    assert again.returncode == 0
    assert "up to date in records" in again.stderr
    assert "wrote" not in again.stderr

    verified = tagbox("records", "verify")
    assert (verified.returncode, verified.stdout) == (0, "")
    assert "10 examples with 10 boxes in 4 files" in verified.stderr
    assert "findings: 0" in verified.stderr

    shown = tagbox("records", "show", "records/dog_training.record", "--index", "1")
    assert shown.returncode == 0
    assert re.search(r"image/filename +bytes +1 +dog_training_01\.jpg", shown.stdout)

    drawn = tagbox("records", "show", "records/*.record", "--index", "9", "--output", "pictures/x.png")
    assert drawn.returncode == 0
    with Image.open(tmp_path / "pictures" / "x.png") as picture:
        assert picture.size == (40, 30)


def test_refused_pictures_are_listed_and_the_exit_code_says_so(tagbox, tmp_path):
    make_data(tmp_path / "data")
    xml, _ = add_picture(tmp_path / "data", "cat", "training", "bad")
    xml.write_text("<annotation>")
    result = tagbox("records", "build")
    assert result.returncode == 5
    assert "refused: cat/training/bad.xml: X01" in result.stderr
    assert "labelled pictures: 11 = 10 in records + 1 refused" in result.stderr
    again = tagbox("records", "build")
    assert (again.returncode, "up to date" in again.stderr) == (5, True)


def test_many_refusals_are_counted_and_the_file_with_all_is_named(tagbox, tmp_path):
    make_data(tmp_path / "data", classes=["cat"])
    for index in range(25):
        add_picture(tmp_path / "data", "cat", "training", f"bad{index}", boxes=[(9, 9, 3, 3)])
    result = tagbox("records", "build")
    assert result.stderr.count("refused: cat/") == 20
    assert "refused: 5 more; records/manifest.json has them all" in result.stderr
    manifest = json.loads((tmp_path / "records" / "manifest.json").read_text())
    assert sum(len(record["refusals"]) for record in manifest["records"]) == 25


def test_nothing_usable(tagbox, tmp_path):
    add_picture(tmp_path / "data", "cat", "training", "bad", boxes=[(9, 9, 3, 3)])
    result = tagbox("records", "build")
    assert result.returncode == 6
    assert "refused: cat/training/bad.xml: B02" in result.stderr
    assert "error: data: every labelled picture is refused (1 of 1)" in result.stderr
    assert not (tmp_path / "records").exists()


def test_no_labels_at_all(tagbox, tmp_path):
    (tmp_path / "data" / "cat" / "training" / "images").mkdir(parents=True)
    result = tagbox("records", "build")
    assert result.returncode == 6
    assert result.stderr.count("\n") == 1
    assert "Draw boxes in LabelImg" in result.stderr


def test_a_class_without_verification_pictures_is_a_loud_warning_and_no_failure(tagbox, tmp_path):
    make_data(tmp_path / "data", verification=0, classes=["cat"])
    result = tagbox("records", "build")
    assert result.returncode == 0
    assert "warning: cat: NO VERIFICATION PICTURES" in result.stderr


def test_json_is_the_whole_account_and_nothing_else_on_stdout(tagbox, tmp_path):
    make_data(tmp_path / "data")
    add_picture(tmp_path / "data", "cat", "training", "bad", boxes=[(9, 9, 3, 3)])
    result = tagbox("records", "build", "--json")
    report = json.loads(result.stdout)
    assert result.returncode == 5
    assert report["totals"] == {"found": 11, "written": 10, "merged": 0, "refused": 1, "boxes": 10}
    assert [record["file"] for record in report["records"]] == [
        "cat_training.record", "cat_verification.record", "dog_training.record", "dog_verification.record",
    ]  # fmt: skip
    assert report["refusals"][0]["path"] == "cat/training/bad.xml"
    assert report["label_map"]["items"] == [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]

    verified = json.loads(tagbox("records", "verify", "--json").stdout)
    assert (verified["examples"], verified["findings"]) == (10, [])
    shown = json.loads(tagbox("records", "show", "records/cat_training.record", "--json").stdout)
    assert {"key": "image/width", "kind": "int64", "count": 1, "values": [40]} in shown


def test_a_dry_run(tagbox, tmp_path):
    make_data(tmp_path / "data")
    result = tagbox("records", "build", "--dry-run")
    assert result.returncode == 0
    assert "planned" in result.stdout
    assert "nothing was written (dry run)" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    assert not (tmp_path / "data" / "label_map.pbtxt").exists()


def test_the_flags_of_the_older_script(tagbox, tmp_path):
    make_data(tmp_path / "data", classes=["pose"])
    for split in ("training", "verification"):
        result = tagbox(
            "records", "build", "--data_dir=data", "--custom_class=pose", f"--training_type={split}",
            f"--output_path=records/pose_{split}.record", "--label_map_path=label_map.pbtxt",
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
    assert 'name: "pose"' in (tmp_path / "label_map.pbtxt").read_text()
    assert sorted(path.name for path in (tmp_path / "records").iterdir()) == [
        "label_map.csv", "label_map.pbtxt", "manifest.json", "pose_training.record", "pose_verification.record",
    ]  # fmt: skip
    assert tagbox("records", "verify").returncode == 0
    # The same folder as the one command makes.
    assert tagbox("records", "build", "--out", "all").returncode == 0
    for path in (tmp_path / "all").iterdir():
        assert path.read_bytes() == (tmp_path / "records" / path.name).read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--custom_class=cat"], "--data_dir is missing"),
        (["data", "--data_dir=data"], "DATA does not go with --data_dir"),
        (["--out=records", "--custom_class=cat"], "--out does not go with --custom_class"),
        (
            ["--data_dir=data", "--custom_class=cat", "--training_type=training", "--output_path=data"],
            "is a folder: data",
        ),
        (["--training_type=test"], "'test' is not one of 'training', 'verification'"),
        (["--jobs=0"], "Invalid value for '--jobs'"),
        (["--class=cta"], "Did you mean cat?"),
        (["--label-map=broken.pbtxt"], "broken.pbtxt:1"),
        (["--nonsense"], "No such option"),
    ],
)
def test_wrong_usage(tagbox, tmp_path, words, message):
    make_data(tmp_path / "data")
    (tmp_path / "broken.pbtxt").write_text("item { id: 'x' }")
    result = tagbox("records", "build", *words)
    assert result.returncode == 2
    assert message in result.stderr
    assert not (tmp_path / "records").exists()


@pytest.mark.parametrize(
    "words", [["build", "nowhere"], ["build", "data/cat"], ["verify", "data"], ["show", "x.record"]]
)
def test_input_that_is_missing_or_another_thing(tagbox, tmp_path, words):
    make_data(tmp_path / "data")
    result = tagbox("records", *words)
    assert result.returncode == 6
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert words[1] in result.stderr


def test_verify_finds_a_flipped_byte(tagbox, tmp_path):
    make_data(tmp_path / "data", classes=["cat"])
    tagbox("records", "build")
    path = tmp_path / "records" / "cat_training.record"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    result = tagbox("records", "verify")
    assert result.returncode == 1
    assert (
        "records/cat_training.record: example 0: V03 byte 0: the content of a record fails its checksum"
        in result.stdout
    )
    assert "Traceback" not in result.stderr
    result = tagbox("records", "show", "records/cat_training.record")
    assert result.returncode == 6
    assert "byte 0" in result.stderr


def test_show_names_the_last_index(tagbox, tmp_path):
    make_data(tmp_path / "data", classes=["cat"])
    tagbox("records", "build")
    result = tagbox("records", "show", "records/cat_training.record", "--index", "3")
    assert result.returncode == 6
    assert "there is no example 3. It has 3: give --index 0 to 2." in result.stderr
    result = tagbox("records", "show", "records/cat_training.record", "--output", "x.unknown")
    assert result.returncode == 6
    assert "x.unknown: cannot write the picture" in result.stderr


def test_help_imports_no_tensorflow(repository):
    program = (
        "import sys; from scripts.cli import root; "
        "root.main(['records', 'build', '--help'], standalone_mode=False); "
        "sys.exit(any(name.split('.')[0] in {'tensorflow', 'tf_keras', 'official'} for name in sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=repository, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "Check the labels of DATA and build one record" in result.stdout
