"""What collecting costs: bytes over the wire beside whole files, and drawings a second for each output."""

import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from collectors.http_client import user_agent
from collectors.ledger import open_ledger
from collectors.quickdraw import CollectJob, collect_drawings
from collectors.quickdraw_binary import format_record, iter_binary
from collectors.quickdraw_bitmaps import rows_of
from collectors.quickdraw_bucket import Bucket, BucketSettings
from collectors.quickdraw_formats import Drawing, format_simplified, read_simplified
from collectors.quickdraw_outputs import OutputSpec
from collectors.quickdraw_pictures import PictureSpec
from collectors.quickdraw_selection import Selection
from collectors.quickdraw_sources import BucketSource
from tests.support.fake_bucket import FakeBucket
from tests.support.quickdraw_files import npy_bytes

pytestmark = pytest.mark.bench

CATEGORIES = ("cat", "dog", "pizza", "axe", "zebra", "owl", "bear", "apple", "banana", "kangaroo")
MEAN_DRAWINGS = 146_163
"""Drawings of a category on average: 50,426,266 in 345."""


@pytest.fixture(scope="module")
def drawings(shared_data: Path) -> list[Drawing]:
    folder = shared_data / "quickdraw" / "simplified_25x344"
    return [d for path in sorted(folder.glob("*.ndjson"))[::4] for d in read_simplified(path, pytest.fail)]


@pytest.fixture(scope="module")
def server(shared_data: Path, drawings: list[Drawing]) -> Iterator[FakeBucket]:
    """Ten categories of the usual size; the ten share their content, so that it fits into memory."""
    official = np.load(shared_data / "quickdraw" / "npy" / "cat.npy")
    repeats = -(-MEAN_DRAWINGS // len(official))
    files = {"numpy_bitmap": npy_bytes(np.tile(official, (repeats, 1))[:MEAN_DRAWINGS])}
    records = [format_record(drawing) for drawing in drawings]
    lines = [format_simplified(drawing) for drawing in drawings]
    repeats = -(-MEAN_DRAWINGS // len(drawings))
    keys = range(repeats * len(drawings))
    files["binary"] = b"".join(struct.pack("<Q", key) + records[key % len(records)][8:] for key in keys)
    files["simplified"] = b"".join(
        lines[key % len(lines)].replace(drawings[key % len(lines)].key_id.encode(), b"%016d" % key) for key in keys
    )
    suffixes = {"numpy_bitmap": "npy", "binary": "bin", "simplified": "ndjson"}
    with FakeBucket(
        {f"full/{form}/{name}.{suffixes[form]}": content for form, content in files.items() for name in CATEGORIES}
    ) as fake:
        yield fake


@pytest.mark.parametrize(
    ("title", "output", "limit", "most_share", "least_rate"),
    [
        ("bitmaps, 28 px", OutputSpec("bitmap-npy", PictureSpec()), 10_000, 0.0685, 5_000),
        ("ndjson", OutputSpec("ndjson", PictureSpec()), 10_000, 0.09, 500),
        ("raster, 85 px", OutputSpec("raster", PictureSpec(side=85)), 1_000, 0.02, 500),
        ("jpeg, 224 px", OutputSpec("jpeg", PictureSpec(side=224, channels=3)), 1_000, 0.02, 200),
    ],
)
def test_ten_categories(server: FakeBucket, tmp_path: Path, title, output, limit, most_share, least_rate):
    bucket = Bucket(user_agent(), BucketSettings(base_url=server.url))
    job = CollectJob(BucketSource(bucket, tmp_path / "cache"), Selection(limit=limit), output, tmp_path / "out", jobs=2)
    sent = server.num_sent
    started = time.perf_counter()
    ledger = open_ledger(tmp_path / "out")
    reports = collect_drawings(job, CATEGORIES, ledger)
    ledger.close()
    seconds = time.perf_counter() - started
    assert {report.state for report in reports} == {"written"}
    fetched, whole = sum(r.num_received for r in reports), sum(r.size for r in reports)
    taken = sum(report.num_drawings for report in reports)
    assert taken == limit * len(CATEGORIES)
    print(
        f"\n{title}: {taken:,} drawings of {reports[0].format_name}: {fetched / 1e6:.2f} MB fetched of "
        f"{whole / 1e6:.0f} MB in whole files ({fetched / whole:.2%}), {taken / seconds:,.0f} drawings/s"
    )
    assert server.num_sent - sent <= fetched * 1.02
    assert fetched / whole <= most_share
    assert taken / seconds >= least_rate


def test_readers(server: FakeBucket, drawings: list[Drawing]):
    binary = b"".join(map(format_record, drawings))
    rate = _rate(len(drawings), lambda: sum(1 for _ in iter_binary(_reader(binary), "cat", pytest.fail)))
    print(f"\nbinary: {rate:,.0f} drawings/s")
    assert rate > 5_000
    rows = server.files["full/numpy_bitmap/cat.npy"][128 : 128 + 784 * 50_000]
    print(f"bitmaps: {_rate(50_000, lambda: rows_of(rows).sum()):,.0f} drawings/s")


def _reader(content: bytes) -> Callable[[int], bytes]:
    position = 0

    def read(size: int) -> bytes:
        nonlocal position
        block = content[position : position + size]
        position += len(block)
        return block

    return read


def _rate(count: int, work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return count / best
