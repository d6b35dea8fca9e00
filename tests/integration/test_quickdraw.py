"""Categories from a local bucket or folder to finished outputs: the same bytes on every way, all accounted for."""

import csv
import gc
import hashlib
import subprocess
import sys
import tracemalloc
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from PIL import Image

from collectors.errors import ConfigError
from collectors.forgetting import forget
from collectors.http_client import user_agent
from collectors.ledger import open_ledger
from collectors.quickdraw import CategoryReport, CollectJob, collect_drawings
from collectors.quickdraw_binary import read_binary
from collectors.quickdraw_bitmaps import read_header
from collectors.quickdraw_bucket import Bucket, BucketSettings, CollectingStoppedError
from collectors.quickdraw_flagged import FlaggedDrawings
from collectors.quickdraw_formats import read_simplified
from collectors.quickdraw_local import LocalFile, list_folder
from collectors.quickdraw_outputs import OutputSpec
from collectors.quickdraw_pictures import PictureSpec
from collectors.quickdraw_raw import read_raw
from collectors.quickdraw_selection import Selection, select_bitmaps
from collectors.quickdraw_sketchrnn import read_sketchrnn
from collectors.quickdraw_sources import BucketSource, FolderSource
from collectors.rasterize import rasterize_drawings
from tests.support.fake_bucket import FakeBucket
from tests.support.quickdraw_files import binary, bitmaps, drawings_of, ndjson, raw_ndjson, write_sketchrnn

EVERYTHING = Selection(limit=None, sample="all")
CATEGORIES = ("cat", "alarm clock", "The Eiffel Tower")
DRAWINGS = {name: drawings_of(name, 700) for name in CATEGORIES}
SMALL = {
    "bitmap-npy": OutputSpec("bitmap-npy", PictureSpec()),
    "jpeg": OutputSpec("jpeg", PictureSpec(side=48, channels=3, polarity="black-on-white")),
    "raster": OutputSpec("raster", PictureSpec(side=85, channels=3)),
    "ndjson": OutputSpec("ndjson", PictureSpec()),
}


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    found = {}
    for name, drawings in DRAWINGS.items():
        found[f"full/numpy_bitmap/{name}.npy"] = bitmaps(drawings)
        found[f"full/binary/{name}.bin"] = binary(drawings)
        found[f"full/simplified/{name}.ndjson"] = ndjson(drawings)
    return found


@pytest.fixture
def server(files):
    with FakeBucket(files) as fake:
        yield fake


def _collect(server: FakeBucket, out: Path, *, stop: Event | None = None, categories=CATEGORIES, kind="bitmap-npy",
             selection: Selection | None = None, progress=None, **options) -> list[CategoryReport]:  # fmt: skip
    settings = BucketSettings(base_url=server.url, back_off_s=0.01, timeout_s=5.0)
    bucket = Bucket(user_agent("tests@example.org"), settings, stop or Event())
    job = CollectJob(
        source=BucketSource(bucket, out / ".tagbox" / "quickdraw"),
        selection=selection or Selection(limit=200),
        output=SMALL[kind],
        out=out,
        **options,
    )
    return _run(job, categories, **({"progress": progress} if progress else {}))


def _run(job: CollectJob, categories, **options) -> list[CategoryReport]:
    ledger = open_ledger(job.out)
    try:
        return collect_drawings(job, categories, ledger, **options)
    finally:
        ledger.close()


def _outputs(out: Path) -> dict[str, str]:
    """Every file but the ledger and the cache, by digest."""
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file() and ".tagbox" not in path.parts and "ATTRIBUTION" not in path.name
    }


def _index(out: Path, folder: str, category: str) -> list[dict[str, str]]:
    with (out / folder / f"{category}.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_bitmaps_are_the_published_rows(server, files, tmp_path: Path):
    reports = _collect(server, tmp_path)
    assert [(report.category, report.state, report.num_drawings) for report in reports] == [
        (name, "written", 200) for name in CATEGORIES
    ]
    for report in reports:
        rows = np.load(tmp_path / "bitmap-npy" / f"{report.category}.npy")
        published = np.frombuffer(files[f"full/numpy_bitmap/{report.category}.npy"][128:], np.uint8).reshape(-1, 784)
        places = [int(line["place"]) for line in _index(tmp_path, "bitmap-npy", report.category)]
        assert np.array_equal(rows, published[places])
        assert report.num_received == 4096 + 200 * 784 - _overlap(places)
        assert np.ptp(places) > 500


def _overlap(places: list[int]) -> int:
    """Bytes of the chosen rows that the head of the file had brought already."""
    return sum(max(0, min(4096, 128 + (row + 1) * 784) - (128 + row * 784)) for row in places if 128 + row * 784 < 4096)


def test_pictures_come_from_the_strokes_whatever_their_form(server, tmp_path: Path):
    results = {}
    for form in ("binary", "simplified"):
        out = tmp_path / form
        _collect(server, out, kind="raster", categories=["cat"], format_name=form, selection=EVERYTHING)
        results[form] = np.load(out / "raster-85x85x3" / "cat.npy")
    assert results["binary"].shape == (700, 85, 85, 3)
    assert np.array_equal(results["binary"], results["simplified"])
    expected = rasterize_drawings([drawing.strokes for drawing in DRAWINGS["cat"]], side=85)
    assert np.abs(results["binary"][..., 1].astype(int) - expected).max() <= 3


def test_jpeg_folders_hold_pictures_and_nothing_else(server, tmp_path: Path):
    _collect(server, tmp_path, kind="jpeg")
    folder = tmp_path / "jpeg"
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == sorted(CATEGORIES)
    for name in CATEGORIES:
        names = sorted(path.name for path in (folder / name).iterdir())
        assert names == sorted(line["item"] for line in _index(tmp_path, "jpeg", name))
        assert len(names) == 200
        keys = {line["key_id"] for line in _index(tmp_path, "jpeg", name)}
        assert keys <= {drawing.key_id for drawing in DRAWINGS[name]}
        with Image.open(folder / name / names[0]) as image:
            assert (image.size, image.mode) == ((48, 48), "RGB")
            assert image.getpixel((0, 0))[0] > 240, "paper is white"


def test_ndjson_holds_the_drawings(server, tmp_path: Path):
    _collect(server, tmp_path, kind="ndjson", selection=Selection(limit=300, recognized_only=True))
    for name in CATEGORIES:
        found = list(read_simplified(tmp_path / "ndjson" / f"{name}.ndjson", pytest.fail))
        assert len(found) == 300
        originals = {drawing.key_id: drawing for drawing in DRAWINGS[name]}
        assert all(drawing == originals[drawing.key_id] and drawing.recognized for drawing in found)


@pytest.mark.parametrize("kind", SMALL)
def test_the_bytes_do_not_depend_on_processes_order_or_interruptions(server, tmp_path: Path, kind, monkeypatch):
    monkeypatch.setattr("collectors.quickdraw._WORTH_PROCESSES", 1)
    selection = Selection(limit=300)
    _collect(server, tmp_path / "one", kind=kind, selection=selection, jobs=1)
    _collect(server, tmp_path / "two", kind=kind, selection=selection, jobs=2, categories=CATEGORIES[::-1])
    assert _outputs(tmp_path / "one") == _outputs(tmp_path / "two")

    stop, calls = Event(), []

    def interrupt(done, total, note=""):
        calls.append(done)
        stop.set()

    server.bytes_per_s = 400_000
    with pytest.raises(CollectingStoppedError):
        _collect(server, tmp_path / "three", kind=kind, selection=selection, stop=stop, progress=interrupt)
    server.bytes_per_s = 0
    assert calls
    _collect(server, tmp_path / "three", kind=kind, selection=selection)
    assert _outputs(tmp_path / "one") == _outputs(tmp_path / "three")


@pytest.mark.parametrize("kind", SMALL)
def test_what_is_there_is_left_alone_and_what_is_missing_is_made_again(server, tmp_path: Path, kind):
    _collect(server, tmp_path, kind=kind)
    before, sent = _outputs(tmp_path), server.num_sent
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if ".tagbox" not in path.parts}
    again = _collect(server, tmp_path, kind=kind)
    assert [(report.state, report.num_drawings) for report in again] == [("unchanged", 200)] * 3
    assert server.num_sent == sent
    assert {path: path.stat().st_mtime_ns for path in times} == times
    victim = next(
        path for path in sorted((tmp_path / SMALL[kind].folder).rglob("*")) if path.suffix not in ("", ".csv")
    )
    victim.unlink()
    assert "written" in {report.state for report in _collect(server, tmp_path, kind=kind)}
    assert server.num_sent == sent, "the cache has it all"
    assert _outputs(tmp_path) == before


def test_a_smaller_selection_takes_the_other_pictures_away(server, tmp_path: Path):
    _collect(server, tmp_path, kind="jpeg", categories=["cat"])
    notes = tmp_path / "jpeg" / "cat" / "my notes.txt"
    notes.write_text("mine")
    few = Selection(limit=30, sample="first")
    (report,) = _collect(server, tmp_path, kind="jpeg", categories=["cat"], selection=few)
    assert len(list((tmp_path / "jpeg" / "cat").glob("*.jpg"))) == report.num_drawings == 30
    assert report.num_removed > 150
    assert notes.read_text() == "mine"


def test_filters_account_for_every_drawing_read(server, tmp_path: Path):
    selection = Selection(limit=None, sample="all", recognized_only=True, countries=frozenset({"US", "GB"}),
                          flagged=FlaggedDrawings(frozenset(d.key_id for d in DRAWINGS["cat"][:9])))  # fmt: skip
    for kind in ("ndjson", "bitmap-npy"):
        for report in _collect(server, tmp_path, kind=kind, selection=selection):
            assert report.num_drawings + report.left_out.total() == 700
            assert report.format_name == ("simplified" if kind == "ndjson" else "binary")
        assert _collect(server, tmp_path, kind=kind, selection=selection)[0].left_out["flagged"] == 9


def test_flagged_rows_are_left_out_of_bitmaps(server, tmp_path: Path):
    selection = Selection(limit=50, sample="first", flagged=FlaggedDrawings(rows={"cat": frozenset({0, 7})}))
    (report,) = _collect(server, tmp_path, categories=["cat"], selection=selection)
    places = [int(line["place"]) for line in _index(tmp_path, "bitmap-npy", "cat")]
    assert places == [row for row in range(52) if row not in (0, 7)]
    assert report.left_out == {"flagged": 2}


def test_a_drawing_is_taken_back_by_listing_it_and_not_by_forget(server, tmp_path: Path):
    ten = Selection(limit=10, sample="first")
    _collect(server, tmp_path, categories=["cat"], kind="ndjson", selection=ten)
    key_id = _index(tmp_path, "ndjson", "cat")[3]["key_id"]
    before = _outputs(tmp_path)
    ledger = open_ledger(tmp_path)
    try:
        with pytest.raises(ConfigError, match="is no post but a drawing in ndjson/cat"):
            forget(ledger, key_id, records_dirs=[])
        assert ledger.connection.execute("SELECT count(*) FROM tombstones").fetchone()[0] == 0
    finally:
        ledger.close()
    assert _outputs(tmp_path) == before
    without = Selection(limit=10, sample="first", flagged=FlaggedDrawings(frozenset({key_id})))
    _collect(server, tmp_path, categories=["cat"], kind="ndjson", selection=without)
    assert key_id not in {line["key_id"] for line in _index(tmp_path, "ndjson", "cat")}
    assert key_id not in (tmp_path / "ndjson" / "cat.ndjson").read_text()


def test_nothing_left_is_one_clear_error_and_no_file(server, tmp_path: Path):
    (report,) = _collect(
        server, tmp_path, categories=["cat"], selection=Selection(limit=5, countries=frozenset({"XX"}))
    )
    assert report.state == "failed"
    assert "no drawing is left" in str(report.error)
    assert report.left_out == {"other-country": 700}
    assert not _outputs(tmp_path)


def test_one_bad_category_does_not_stop_the_others(server, tmp_path: Path):
    server.files["full/numpy_bitmap/cat.npy"] = server.files["full/numpy_bitmap/cat.npy"][:-5000]
    del server.files["full/numpy_bitmap/alarm clock.npy"]
    reports = {report.category: report for report in _collect(server, tmp_path)}
    assert "the file is cut: its header promises 700" in str(reports["cat"].error)
    assert "no such file" in str(reports["alarm clock"].error)
    assert reports["The Eiffel Tower"].state == "written"
    ledger = open_ledger(tmp_path)
    rows = ledger.connection.execute(
        "SELECT category, state, code, bytes_fetched FROM quickdraw_files ORDER BY category"
    )
    found = {row["category"]: (row["state"], row["code"]) for row in rows}
    ledger.close()
    assert found == {
        "cat": ("refused", "InputError"),
        "alarm clock": ("refused", "RemoteError"),
        "The Eiffel Tower": ("fetched", ""),
    }
    assert "| bitmap-npy | The Eiffel Tower | 200 |" in (tmp_path / "ATTRIBUTION-quickdraw.md").read_text()


def test_a_file_that_changes_under_way_is_taken_from_the_new_version(server, tmp_path: Path):
    new = drawings_of("cat", 650, seed=9)

    def change(number: int) -> None:
        if number == 3:
            server.files["full/numpy_bitmap/cat.npy"] = bitmaps(new)

    server.on_request = change
    (report,) = _collect(server, tmp_path, categories=["cat"])
    assert report.state == "written"
    rows = np.load(tmp_path / "bitmap-npy" / "cat.npy")
    places = [int(line["place"]) for line in _index(tmp_path, "bitmap-npy", "cat")]
    assert np.array_equal(rows, rasterize_drawings([d.strokes for d in new]).reshape(-1, 784)[places])


def test_a_server_without_range(server, tmp_path: Path):
    server.ranges = False
    (report,) = _collect(server, tmp_path / "a", categories=["cat"])
    assert "ignores Range" in str(report.error)
    (report,) = _collect(server, tmp_path / "b", categories=["cat"], selection=Selection(limit=100, sample="first"))
    assert report.num_drawings == 100
    assert report.num_received < 100 * 784 + 3 * 65_536
    (report,) = _collect(server, tmp_path / "c", categories=["cat"], selection=Selection(limit=None, sample="all"))
    assert report.num_drawings == 700


def test_a_dry_run_reads_heads_only(server, tmp_path: Path):
    reports = _collect(server, tmp_path, dry_run=True)
    assert [(report.state, report.num_drawings, report.num_bytes) for report in reports] == [
        ("planned", 200, 4096 + 200 * 784)
    ] * 3
    assert server.num_sent == 3 * 4096
    assert not _outputs(tmp_path)


def test_a_folder_gives_what_the_bucket_gives(server, files, tmp_path: Path):
    folder = tmp_path / "downloaded"
    folder.mkdir()
    for name, content in files.items():
        (folder / name.replace("/", "_")).write_bytes(content)
    source = FolderSource(list_folder(folder))
    assert set(source.categories) == set(CATEGORIES)
    for kind, output in SMALL.items():
        job = CollectJob(source, Selection(limit=200), output, tmp_path / "local")
        assert all(report.state == "written" for report in _run(job, CATEGORIES))
        _collect(server, tmp_path / "remote", kind=kind)
    assert _outputs(tmp_path / "local") == _outputs(tmp_path / "remote")


def test_sketchrnn_and_raw_files_are_sources_too(server, tmp_path: Path):
    folder = tmp_path / "downloaded"
    folder.mkdir()
    write_sketchrnn(folder / "cat.npz", DRAWINGS["cat"])
    (folder / "dog.ndjson").write_bytes(raw_ndjson(DRAWINGS["cat"]))
    source = FolderSource(list_folder(folder))
    for selection in (Selection(limit=100), Selection(limit=100, sample="first"), Selection(limit=None, sample="all")):
        job = CollectJob(source, selection, SMALL["ndjson"], tmp_path / "out")
        for report in _run(job, ["cat", "dog"]):
            expected = 100 if selection.limit else 700
            assert report.num_drawings + report.left_out["duplicate"] == expected
            found = list(read_simplified(report.path, pytest.fail))
            assert len(found) == report.num_drawings


def test_broken_records_are_counted_and_named(server, tmp_path: Path):
    good = ndjson(DRAWINGS["cat"])
    server.files["full/simplified/cat.ndjson"] = good[:5000] + b"#" + good[5001:] + b'{"word":"cat","drawing":[]}\n'
    server.files["full/binary/cat.bin"] = binary(DRAWINGS["cat"])[:-3]
    selection = Selection(limit=None, sample="all")
    (report,) = _collect(server, tmp_path, categories=["cat"], kind="ndjson", selection=selection)
    assert report.num_drawings == 699
    assert report.refused.total() == 2
    assert {record.reason.split(":")[0] for record in report.first_refused} >= {"line 701"}
    (report,) = _collect(server, tmp_path, categories=["cat"], kind="raster", selection=selection)
    assert (report.num_drawings, report.refused) == (699, {"cut-record": 1})


@pytest.mark.parametrize("kind", SMALL)
def test_a_full_disk_is_one_clear_error_and_no_broken_output(server, tmp_path: Path, kind):
    limit = {"jpeg": 800, "bitmap-npy": 200_000, "raster": 200_000, "ndjson": 60_000}[kind]
    folder = tmp_path / "downloaded"
    folder.mkdir()
    (folder / "cat.npy").write_bytes(bitmaps(DRAWINGS["cat"]))
    (folder / "cat.ndjson").write_bytes(ndjson(DRAWINGS["cat"]))
    # A limit on the size of a file fails a write halfway, as a full disk does.
    script = (
        "import resource, sys\n"
        "from tests.integration.test_quickdraw import *\n"
        "job = CollectJob(FolderSource(list_folder(Path(sys.argv[1]))), Selection(limit=400), SMALL[sys.argv[3]],"
        " Path(sys.argv[2]))\n"
        "open_ledger(job.out).close()\n"
        "from collectors import quickdraw_ledger\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY))\n"
        "report = CategoryReport('cat')\n"
        "from collectors.quickdraw import _collect_category, _Tally\n"
        "from collectors.progress import no_progress\n"
        "print(_collect_category(job, 'cat', None, None, _Tally(no_progress, None)).error)\n"
    )
    out = tmp_path / "out"
    command = [sys.executable, "-c", script, str(folder), str(out), kind]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert "cannot write: File too large" in done.stdout
    assert "Free some space" in done.stdout
    assert not list(out.rglob("*.csv"))
    assert not list(out.rglob("*.tmp"))
    for path in out.rglob("*.jpg"):
        with Image.open(path) as image:
            image.load()


@pytest.mark.parametrize("form", ["binary", "simplified", "raw", "sketchrnn", "numpy_bitmap"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, form):
    peaks = []
    for count in (150, 1500):
        path = tmp_path / f"{count}"
        drawings = drawings_of("cat", count)
        if form == "sketchrnn":
            path = path.with_suffix(".npz")
            write_sketchrnn(path, drawings)
        else:
            write = {"binary": binary, "simplified": ndjson, "raw": raw_ndjson, "numpy_bitmap": bitmaps}[form]
            path.write_bytes(write(drawings) * (1 if form == "numpy_bitmap" else 4))
        del drawings
        gc.collect()
        tracemalloc.start()
        assert _count(path, form) >= count // 3
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    slack = {"numpy_bitmap": 4096 * 784, "sketchrnn": 600_000}.get(form, 400_000)
    assert peaks[1] < peaks[0] + slack


def _count(path: Path, form: str) -> int:
    if form == "binary":
        return sum(1 for _ in read_binary(path, "cat", pytest.fail))
    if form == "raw":
        return sum(1 for _ in read_raw(path, pytest.fail))
    if form == "sketchrnn":
        return sum(1 for _ in read_sketchrnn(path))
    if form == "simplified":
        return sum(1 for _ in read_simplified(path, pytest.fail))
    with LocalFile(path) as source:
        table = read_header(source.read(0, 4096), str(path))
        return sum(len(block.rows) for block in select_bitmaps(source, table, EVERYTHING, frozenset(), pytest.fail))
