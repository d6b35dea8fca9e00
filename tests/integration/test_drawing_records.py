"""Classification records of drawings, built from real files: the same bytes always, and nothing unaccounted for."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from collectors.errors import ConfigError, InputError
from collectors.rasterize import rasterize_drawings
from records.build import build_records
from records.classification_manifest import read_classification_manifest
from records.classification_verify import verify_classification
from records.errors import LabelIdsMovedError, ManifestError
from records.output_lock import OutputBusyError, output_lock
from records.reading import read_features
from records.stroke_style import StrokeStyle
from tests.unit.records.drawing_files import (
    bitmaps,
    build,
    contents,
    strokes,
    write_binary,
    write_ndjson,
    write_npy,
    write_picture,
    write_raw,
)
from tests.unit.records.pictures import make_data


def _read(out, split):
    """Return class name, drawing and pixels of every example, in order."""
    paths = sorted(out.glob(f"drawings_{split}.record*"))
    return [
        tuple(features[key].values[0] for key in ("image/class/text", "tagbox/drawing", "image/raw"))
        for path in paths
        for features in read_features(path)
    ]


@pytest.fixture
def src(tmp_path):
    folder = tmp_path / "npy"
    for label in ("ant", "bee", "cow"):
        write_npy(folder, label, 40)
    return folder


def test_every_drawing_chosen_is_in_a_record_with_its_class_and_pixels(src, tmp_path):
    out = tmp_path / "records"
    report = build(src, out, 25, 10)
    training, verification = _read(out, "training"), _read(out, "verification")
    assert (len(training), len(verification)) == (75, 30)
    for text, drawing, pixels in [*training, *verification]:
        assert bitmaps(text.decode(), 40)[int(drawing)].tobytes() == pixels
    assert not {row[:2] for row in training} & {row[:2] for row in verification}
    for rows, count in ((training, 25), (verification, 10)):
        assert all(sum(row[0] == label for row in rows) == count for label in (b"ant", b"bee", b"cow"))
    totals = report.as_json()["totals"]
    assert totals == {"found": 120, "written": 105, "unused": 15, "refused": 0}
    assert (out / "label_map.csv").read_text() == "1,ant\n2,bee\n3,cow\n"
    assert verify_classification(out).findings == ()


def test_the_order_is_shuffled_as_a_whole(tmp_path):
    for label, count in (("few", 100), ("many", 900)):
        write_npy(tmp_path / "npy", label, count)
    build(tmp_path / "npy", tmp_path / "records", 80, 20)
    texts = [row[0] for row in _read(tmp_path / "records", "training")]
    thirds = [texts[start : start + 53].count(b"few") for start in (0, 53, 106)]
    # With 80 of each in 160, a third has 26.5 on average; 12 would be five standard deviations off.
    assert all(12 < count < 41 for count in thirds)
    rows = [int(row[1]) for row in _read(tmp_path / "records", "training") if row[0] == b"many"]
    assert rows != sorted(rows)


def test_the_bytes_do_not_depend_on_processes_memory_or_the_names_of_folders(src, tmp_path, monkeypatch):
    build(src, tmp_path / "one", 20, 10, jobs=1, num_shards=3)
    build(src, tmp_path / "two", 20, 10, jobs=2, num_shards=3)
    shutil.copytree(src, tmp_path / "elsewhere")
    monkeypatch.setattr("records.drawings._CHUNK_PIXELS", 5000)
    monkeypatch.setattr("records.drawing_reading._BLOCK_ROWS_BYTES", 784 * 7)
    build(tmp_path / "elsewhere", tmp_path / "three", 20, 10, jobs=1, num_shards=3)
    assert contents(tmp_path / "one") == contents(tmp_path / "two") == contents(tmp_path / "three")
    assert sorted(path.name for path in (tmp_path / "one").glob("*training*")) == [
        f"drawings_training.record-{index:05d}-of-00003" for index in range(3)
    ]


@pytest.mark.parametrize("num_shards", [1, 7, 60])
def test_shards_are_even_and_together_the_same(src, tmp_path, num_shards):
    build(src, tmp_path / "whole", 20, 10)
    report = build(src, tmp_path / "cut", 20, 10, num_shards=num_shards)
    assert _read(tmp_path / "cut", "training") == _read(tmp_path / "whole", "training")
    sizes = [shard.num_examples for shard in report.outcomes[0].record.shards]
    assert (len(sizes), sum(sizes)) == (num_shards, 60)
    assert max(sizes) - min(sizes) <= 1


def test_more_drawings_move_none_to_the_other_split(src, tmp_path):
    build(src, tmp_path / "before", 25, 10)
    for label in ("ant", "bee", "cow"):
        rows = np.concatenate([bitmaps(f"new {label}", 30), bitmaps(label, 40)])
        np.save(src / f"{label}.npy", rows)
    build(src, tmp_path / "after", 25, 10)
    for mine, other in (("training", "verification"), ("verification", "training")):
        before = {row[2] for row in _read(tmp_path / "before", mine)}
        after = {row[2] for row in _read(tmp_path / "after", other)}
        assert not before & after


def test_strokes_are_drawn_at_any_size_and_keep_their_split_in_every_format(tmp_path):
    drawings = strokes("cat", 30)
    write_ndjson(tmp_path / "simplified", "cat", drawings)
    write_binary(tmp_path / "binary", "cat", drawings)
    write_raw(tmp_path / "raw", "cat", drawings)
    keys = {}
    for kind, side in (("simplified", 28), ("simplified", 64), ("binary", 28)):
        out = tmp_path / f"{kind}{side}"
        build(tmp_path / kind, out, 20, 10, side=side)
        assert verify_classification(out).findings == ()
        rows = _read(out, "training")
        assert {len(row[2]) for row in rows} == {side**2}
        assert all(max(row[2]) > 100 for row in rows)
        keys[kind, side] = [row[1] for row in rows]
    assert keys["simplified", 28] == keys["simplified", 64] == keys["binary", 28]
    build(tmp_path / "raw", tmp_path / "raw28", 20, 10)
    assert len(_read(tmp_path / "raw28", "training")) == 20


def test_strokes_are_drawn_with_another_pen_and_border(tmp_path):
    drawings = strokes("cat", 12)
    write_ndjson(tmp_path / "src", "cat", drawings)
    usual, thin = tmp_path / "usual", tmp_path / "thin"
    build(tmp_path / "src", usual, 8, 4, side=85)
    build(tmp_path / "src", thin, 8, 4, side=85, style=StrokeStyle(5, 0.5))
    assert verify_classification(thin).findings == ()
    by_key = {drawing.key_id.encode(): drawing.strokes for drawing in drawings}
    for split in ("training", "verification"):
        rows = _read(thin, split)
        assert [row[1] for row in rows] == [row[1] for row in _read(usual, split)]
        pixels = rasterize_drawings([by_key[row[1]] for row in rows], side=85, line_width=5, padding=0.5)
        assert [row[2] for row in rows] == [one.tobytes() for one in pixels]
    content = read_classification_manifest(thin).content
    assert (content["side"], content["line_width"], content["padding"]) == (85, 5, 0.5)
    assert "line_width" not in read_classification_manifest(usual).content
    # With other pens the records that are there are not up to date.
    assert contents(thin) != contents(usual)
    build(tmp_path / "src", thin, 8, 4, side=85)
    assert contents(thin) == contents(usual)


def test_a_pen_for_drawings_that_are_pictures_already_is_refused(src, tmp_path):
    with pytest.raises(ConfigError, match=r"line width and padding are for strokes; .* Leave --line-width"):
        build(src, tmp_path / "out", 20, 10, style=StrokeStyle(padding=3))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("line_width", "padding", "words"),
    [
        (0, 16, "the line width must be above 0, up to 128, not 0"),
        (129, 16, "up to 128, not 129"),
        (float("nan"), 16, "not nan"),
        (5, -1, "the padding must be 0 to 256, not -1"),
        (5, float("inf"), "not inf"),
    ],
)
def test_a_pen_that_cannot_draw(line_width, padding, words):
    with pytest.raises(ConfigError, match=words):
        StrokeStyle(line_width, padding)


def test_bad_lines_are_refused_one_by_one(tmp_path):
    path = write_ndjson(tmp_path / "src", "cat", strokes("cat", 5))
    path.write_bytes(path.read_bytes() + b'{"word": "cat"\n' + b'{"word":"cat","key_id":"1","drawing":[]}\n')
    report = build(tmp_path / "src", tmp_path / "out", 3, 2)
    assert [(item.code, item.path.split(":")[0]) for item in report.plan.refusals] == [
        ("not-json", "cat.ndjson"),
        ("bad-strokes", "cat.ndjson"),
    ]
    assert report.as_json()["totals"] == {"found": 7, "written": 5, "unused": 0, "refused": 2}


def test_copies_stay_out_and_what_has_two_labels_too(tmp_path):
    ant, bee = bitmaps("ant", 10), bitmaps("bee", 10)
    write_npy(tmp_path / "npy", "ant", rows=np.concatenate([ant, ant[:3], bee[:1]]))
    write_npy(tmp_path / "npy", "bee", rows=bee)
    report = build(tmp_path / "npy", tmp_path / "out")
    codes = [(item.path, item.code) for item in report.plan.refusals]
    copies = [(f"ant.npy:row {row}", "duplicate") for row in (10, 11, 12)]
    assert codes == [*copies, ("ant.npy:row 13", "two-labels"), ("bee.npy:row 0", "two-labels")]
    assert report.as_json()["totals"] == {"found": 24, "written": 19, "unused": 0, "refused": 5}
    assert "two-labels" in [notice.code for notice in report.plan.notices]


def test_too_few_drawings_are_said_with_numbers_and_nothing_is_written(src, tmp_path):
    write_npy(src, "ant", rows=np.concatenate([bitmaps("ant", 29), bitmaps("ant", 1)]))
    with pytest.raises(InputError, match=r"20 \+ 10 = 30 usable drawings .* ant has 29 \(30 found, 1 refused"):
        build(src, tmp_path / "out", 20, 10)
    assert not (tmp_path / "out").exists()


def test_bitmaps_of_several_sizes_need_a_size(src, tmp_path):
    write_npy(src, "dot", 40, side=20)
    with pytest.raises(InputError, match=r"ant.npy has 28 px, dot.npy 20 px a side"):
        build(src, tmp_path / "out")
    build(src, tmp_path / "out", side=24)
    assert {len(row[2]) for row in _read(tmp_path / "out", "training")} == {24 * 24}


def test_pictures_of_any_size_and_mode_become_drawings(tmp_path):
    folder = tmp_path / "src"
    kinds = [
        ("RGB", "JPEG"),
        ("L", "PNG"),
        ("P", "GIF"),
        ("CMYK", "JPEG"),
        ("RGBA", "PNG"),
        ("RGB", "WEBP"),
        ("1", "PNG"),
    ]
    for index, (mode, kind) in enumerate(kinds):
        path = folder / "cat" / f"{index}.{kind.lower()}"
        write_picture(path, f"cat{index}", size=(30 + index, 50), mode=mode, kind=kind)
        write_picture(folder / "dog" / f"{index}.png", f"dog{index}", size=(28, 28), kind="PNG")
    (folder / "cat" / "page.jpg").write_text("<html></html>")
    report = build(folder, tmp_path / "out", 5, 2)
    assert [(item.path, item.code) for item in report.plan.refusals] == [("cat/page.jpg", "not-a-picture")]
    assert {len(row[2]) for row in _read(tmp_path / "out", "training")} == {784}
    assert verify_classification(tmp_path / "out").findings == ()


@pytest.mark.parametrize("encoding", ["png", "jpeg"])
def test_encoded_records_are_whole(src, tmp_path, encoding):
    build(src, tmp_path / "out", 5, 2, encoding=encoding)
    assert verify_classification(tmp_path / "out").findings == ()


def test_a_second_build_writes_nothing_and_a_damaged_record_is_built_again(src, tmp_path):
    out = tmp_path / "out"
    build(src, out, 20, 10)
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    report = build(src, out, 20, 10)
    assert {outcome.state.value for outcome in report.outcomes} == {"up to date"}
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == before
    whole = contents(out)
    path = out / "drawings_training.record"
    path.write_bytes(path.read_bytes()[:-1])
    report = build(src, out, 20, 10)
    assert [outcome.state.value for outcome in report.outcomes] == ["written", "up to date"]
    assert contents(out) == whole


def test_fewer_shards_remove_the_files_of_before(src, tmp_path):
    out = tmp_path / "out"
    build(src, out, 20, 10, num_shards=4)
    report = build(src, out, 20, 10, num_shards=1)
    assert len(report.removed) == 8
    assert sorted(path.name for path in out.iterdir()) == [
        "drawings_training.record", "drawings_verification.record", "label_map.csv", "label_map.pbtxt", "manifest.json"
    ]  # fmt: skip
    assert verify_classification(out).findings == ()


def test_ids_never_move(src, tmp_path):
    out = tmp_path / "out"
    build(src, out, 20, 10)
    write_npy(src, "aardvark", 40)
    (src / "bee.npy").unlink()
    build(src, out, 20, 10)
    assert (out / "label_map.csv").read_text() == "1,ant\n2,bee\n3,cow\n4,aardvark\n"
    labels = {row["image/class/text"].values[0]: row["image/class/label"].values[0]
              for row in read_features(out / "drawings_training.record")}  # fmt: skip
    assert labels == {b"ant": 1, b"cow": 3, b"aardvark": 4}
    moved = tmp_path / "moved.pbtxt"
    moved.write_text("item { id: 1 name: 'cow' } item { id: 2 name: 'ant' } item { id: 3 name: 'aardvark' }")
    with pytest.raises(LabelIdsMovedError, match="must never move"):
        build(src, out, 20, 10, label_map_path=moved)
    moved.write_text("item { id: 1 name: 'ant' }")
    with pytest.raises(ConfigError, match="the label map has no aardvark, cow"):
        build(src, tmp_path / "other", 20, 10, label_map_path=moved)
    (src / "aardvark.npy").rename(src / "Aardvark.npy")
    with pytest.raises(InputError, match="two spellings of one label"):
        build(src, out, 20, 10)


def test_a_file_that_changes_while_the_build_runs_is_found(src, tmp_path):
    def meddle(done, total, note=""):
        if done == 0:
            rows = bitmaps("other", 40)
            content = (src / "bee.npy").read_bytes()
            status = (src / "bee.npy").stat()
            with (src / "bee.npy").open("r+b") as stream:
                stream.seek(len(content) - rows.size)
                stream.write(rows.tobytes())
            os.utime(src / "bee.npy", ns=(status.st_atime_ns, status.st_mtime_ns))

    with pytest.raises(InputError, match="changed while the build ran") as caught:
        build(src, tmp_path / "out", 20, 10, progress=meddle)
    assert caught.value.where.endswith("bee.npy")
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_two_builds_at_once_are_refused(src, tmp_path):
    with output_lock(tmp_path / "out"), pytest.raises(OutputBusyError, match="another build writes"):
        build(src, tmp_path / "out", 20, 10)
    build(src, tmp_path / "out", 20, 10)


def test_records_of_other_kinds_and_names_are_left_alone(src, tmp_path):
    data = make_data(tmp_path / "data")
    build_records(data, tmp_path / "detection")
    before = contents(tmp_path / "detection")
    with pytest.raises(ManifestError, match="detection records"):
        build(src, tmp_path / "detection", 20, 10)
    assert contents(tmp_path / "detection") == before
    build(src, tmp_path / "drawings", 20, 10)
    before = contents(tmp_path / "drawings")
    with pytest.raises(ManifestError, match="classification records, not detection"):
        build_records(data, tmp_path / "drawings")
    assert contents(tmp_path / "drawings") == before


def test_a_dry_run_writes_nothing(src, tmp_path):
    report = build(src, tmp_path / "out", 20, 10, dry_run=True)
    assert not (tmp_path / "out").exists()
    assert report.as_json()["totals"]["written"] == 90
    assert {outcome.state.value for outcome in report.outcomes} == {"planned"}


def test_manifest_says_the_same_as_the_report(src, tmp_path):
    report = build(src, tmp_path / "out", 20, 10)
    document = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert document["totals"] == report.as_json()["totals"]
    assert document["kind"] == "classification"
    assert read_classification_manifest(tmp_path / "out").content == {
        "of": "drawings", "encoding": "raw", "side": 28, "train_size": 20, "eval_size": 10, "salt": "tagbox"
    }  # fmt: skip
    assert str(tmp_path) not in (tmp_path / "out" / "manifest.json").read_text()


def test_killed_at_any_moment_and_run_again_it_gives_the_same_bytes(tmp_path, repository):
    for label in ("ant", "bee"):
        write_npy(tmp_path / "npy", label, 3000)
    words = [str(tmp_path / "npy"), "--train-size", "2500", "--eval-size", "400", "--shards", "12", "--jobs", "1"]
    program = [sys.executable, "-c", "from scripts.cli import main; main()", "records", "drawings", *words, "--out"]
    started = time.monotonic()
    subprocess.run([*program, str(tmp_path / "whole")], cwd=repository, check=True, capture_output=True)
    duration = time.monotonic() - started
    chance = np.random.default_rng(3)
    out = tmp_path / "killed"
    for _ in range(4):
        process = subprocess.Popen(
            [*program, str(out)], cwd=repository, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(duration * chance.uniform(0.3, 1))
        process.send_signal(signal.SIGKILL)
        process.wait()
        if (out / "manifest.json").exists():
            assert verify_classification(out).findings == ()
            shutil.rmtree(out)
    subprocess.run([*program, str(out)], cwd=repository, check=True, capture_output=True)
    assert contents(out) == contents(tmp_path / "whole")


def test_real_quickdraw_bitmaps(shared_data, tmp_path):
    report = build(shared_data / "quickdraw" / "npy", tmp_path / "out", 2000, 500)
    assert report.as_json()["totals"] == {"found": 6000, "written": 5000, "unused": 1000, "refused": 0}
    for text, drawing, pixels in _read(tmp_path / "out", "verification")[:50]:
        rows = np.load(shared_data / "quickdraw" / "npy" / f"{text.decode()}.npy", mmap_mode="r")
        assert rows[int(drawing)].tobytes() == pixels


def test_without_verification_there_is_one_record(src, tmp_path):
    out = tmp_path / "out"
    build(src, out, 20, 10)
    report = build(src, out, 30, 0)
    assert report.removed == ("drawings_verification.record",)
    assert len(_read(out, "training")) == 90
    assert [notice.code for notice in report.plan.notices] == ["no-verification"]
    assert verify_classification(out).findings == ()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of two megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("there is no mount command here")
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tagbox-test", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small file system takes root here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("rows", [3000, 60_000], ids=["for the records", "for the index"])
def test_a_full_disk_is_said_and_leaves_what_was_there(small_disk, src, tmp_path, rows):
    out = small_disk / "records"
    build(src, out, 20, 10)
    before = contents(out)
    rows = np.random.default_rng(1).integers(0, 256, (rows, 64), np.uint8)
    write_npy(tmp_path / "many", "ant", rows=np.repeat(np.repeat(rows.reshape(-1, 8, 8), 3, axis=1), 3, axis=2))
    with pytest.raises(InputError, match="No space left on device"):
        build(tmp_path / "many", out, 2900, 50)
    assert {name: content for name, content in contents(out).items() if not name.startswith(".building")} == before
