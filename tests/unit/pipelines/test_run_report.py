"""Reports of whole run folders, the usual and the odd; no TensorFlow is imported."""

import dataclasses
import json
import shutil

import pytest
from PIL import Image

from collectors.errors import InputError
from pipelines.comparison import compare
from pipelines.detection_record import DetectionRecord
from pipelines.report.blocks import Folded, Table
from pipelines.report.comparison_page import write_comparison
from pipelines.report.data import data_section
from pipelines.report.detector import DETECTOR
from pipelines.report.run_files import read_run
from pipelines.report.run_report import page_of, write_report
from pipelines.run_directory import RunDirectory
from tests.support.random_detections import random_record
from tests.support.synthetic_runs import write_run
from tests.unit.pipelines.test_report_page import read

TEN = {number: f"class {number:02d}" for number in range(1, 11)}
_PLOTS = ("training", "precision_recall", "thresholds", "calibration", "confusion", "errors")


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """Ten classes and five hundred verification pictures."""
    return write_run(tmp_path_factory.mktemp("big") / "ten", TEN, num_images=500)


def titles(page):
    return [section.title for section in page.sections if section.blocks]


def test_a_report_of_ten_classes_and_five_hundred_pictures_is_under_five_megabytes(big):
    path = write_report(big)
    page = path.read_text(encoding="utf-8")
    # Enough is on it to make that a feat, and what was left out stays within its bounds.
    assert page.count("data:image/jpeg") > 60
    assert 1_500_000 < path.stat().st_size < 5_000_000
    reader = read(page)
    for words in (
        "AP50",
        " <&>.xml",
        "tagbox train ssd_mobilenet_v1 --run 'runs/a b'",
        "class 10",
        "weights.npz (2 variables",
    ):
        assert words in reader.text
    for name in _PLOTS:
        with Image.open(big.path / "plots" / f"{name}.png") as picture:
            assert min(picture.size) > 200


def test_the_page_has_all_its_parts_in_order(big):
    page = page_of(read_run(big))
    assert titles(page) == [
        "What to look at first", "Training", "Data", "Precision, recall and the threshold", "Each class",
        "What is taken for what", "What goes wrong", "Mistakes", "Labels to doubt", "Verification pictures", "Time",
        "How this was made",
    ]  # fmt: skip
    table = next(section for section in page.sections if section.title == "Each class").blocks[0]
    results = big.read_results()
    assert [row[0] for row in table.rows] == list(TEN.values())
    assert table.rows[3][1].value == results["per_class"]["class 04"]["AP50"]
    assert (table.rows[3][1].low, table.rows[3][1].high) == tuple(results["intervals"]["per_class"]["class 04"]["AP50"])


def test_records_that_were_moved_leave_a_report_without_their_pictures(tmp_path):
    run = write_run(tmp_path / "moved", TEN, num_images=4, pictures=False)
    page = write_report(run).read_text(encoding="utf-8")
    assert "data:image/jpeg" not in page
    assert "The verification records are not where they were." in page


def test_records_that_changed_are_not_shown_under_old_detections(tmp_path):
    run = write_run(tmp_path / "a", {1: "cat"}, num_images=3)
    truth = json.loads((run.path / "ground_truth.json").read_text())
    for image in truth["images"]:
        image["width"] = 333
    (run.path / "ground_truth.json").write_text(json.dumps(truth))
    assert "not those of the evaluation any more" in write_report(run).read_text(encoding="utf-8")


NAMES = [
    "浣熊",
    "ракун",
    "راكون",
    '<img src="http://a">',
    "</style><script>x</script>",
    "$a_b$",
    "background",
    "a" * 150,
]


@pytest.mark.parametrize(
    ("names", "record", "pictures"),
    [
        (dict(enumerate(NAMES, start=1)), None, True),
        ({1: "cat"}, random_record(3, num_images=1, num_classes=1, truths=1, detections=1), True),
        ({1: "cat", 2: "dog"}, DetectionRecord([{"id": 1, "width": 640, "height": 480}]), True),
        ({1: "cat"}, DetectionRecord(), True),
        ({1: "cat", 2: "unicorn"}, random_record(3, num_images=9, num_classes=1, truths=1, detections=2), True),
        ({number: f"kind {number}" for number in range(1, 301)}, None, False),
    ],
    ids=["names", "one picture", "nothing to find", "no picture", "a class without truth", "hundreds of classes"],
)  # fmt: skip
def test_odd_runs_have_a_report(tmp_path, names, record, pictures):
    count = 12 if record is None else len(record.images)
    run = write_run(tmp_path / "run <b>", names, num_images=count, record=record, pictures=pictures)
    path = write_report(run)
    reader = read(path.read_text(encoding="utf-8"))
    assert all(address.startswith(("data:", "#")) for address in reader.addresses)
    assert reader.tags.count("script") == reader.tags.count("style") == 1
    assert "run <b>" in reader.text
    assert all(name in reader.text for name in names.values())
    assert path.stat().st_size < 5_000_000


@pytest.mark.parametrize(("num_classes", "kind"), [(30, Table), (345, Folded)])
def test_counts_of_hundreds_of_classes_stand_back(big, num_classes, kind):
    split = {"num_images": num_classes, "classes": {f"class {number}": 1 for number in range(num_classes)}}
    files = dataclasses.replace(read_run(big), data={"training": split, "verification": split})
    block = data_section(files, counted="pictures").blocks[-1]
    assert isinstance(block, kind)
    [table] = block.blocks if isinstance(block, Folded) else [block]
    assert len(table.rows) == num_classes


def test_a_run_that_was_not_evaluated_says_so_first(tmp_path):
    run = write_run(tmp_path / "a", {1: "cat"}, num_images=2)
    for name in ("results.json", "ground_truth.json", "detections.json", "data.json", "results.csv", "status.json"):
        (run.path / name).unlink()
    shutil.rmtree(run.path / "mistakes")
    (run.path / "environment.json").unlink()
    page = page_of(read_run(run))
    assert titles(page) == ["What to look at first", "Data", "How this was made"]
    assert "was not evaluated" in page.sections[0].blocks[0].items[0].seen
    assert read((write_report(run)).read_text(encoding="utf-8"))


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="not the folder of a run"):
        write_report(RunDirectory(tmp_path))
    run = write_run(tmp_path / "a", {1: "cat"}, num_images=2, pictures=False)
    (run.path / "detections.json").write_text("{")
    with pytest.raises(InputError, match=r"detections\.json: cannot read"):
        write_report(run)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"AP50": 0.0, "AP": 0.0}, "practically nothing is found"),
        ({"AP50": 0.8, "AP": 0.3}, "lie loosely"),
        ({"AP50": 0.8, "AP": 0.6}, "AP50 is 0.800, AP 0.600"),
        ({"AP50": None, "AP": None}, "no box to find"),
        ({"intervals": {"AP50": [0.2, 0.9], "level": 0.95}}, "anywhere from 0.20 to 0.90"),
    ],
)
def test_what_to_look_at_first(tmp_path, change, words):
    run = write_run(tmp_path / "a", {1: "cat"}, num_images=8, pictures=False)
    run.write_results(run.read_results() | change)
    seen = " ".join(one.seen for one in DETECTOR.findings(read_run(run)))
    assert words in seen
    assert "25 % of the training boxes have no anchor" in seen


def test_runs_side_by_side(tmp_path):
    record = random_record(1, num_images=20, num_classes=2, truths=2, detections=6, scores_tell=True)
    worse = DetectionRecord(record.images, record.annotations, record.detections[::2])
    names = {1: "cat", 2: "<dog>"}
    runs = [
        write_run(tmp_path / name, names, num_images=20, record=found, pictures=False)
        for name, found in (("first <1>", record), ("second", worse))
    ]
    config = runs[1].config_path
    config.write_text(config.read_text().replace("global_batch_size: 8", "global_batch_size: 16"))
    write_comparison(runs, compare(runs, resamples=100), tmp_path / "compare.html")
    reader = read((tmp_path / "compare.html").read_text(encoding="utf-8"))
    for words in ("first <1>", "second has AP50", "<dog>", "task.train_data.global_batch_size", "are the same"):
        assert words in reader.text
    assert reader.tags.count("svg") > 3
    assert all(address.startswith(("data:", "#")) for address in reader.addresses)
