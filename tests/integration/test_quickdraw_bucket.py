"""Fetching parts of files from a real server on this machine that does what servers do."""

import os
import threading
from pathlib import Path
from threading import Event

import pytest

from collectors.errors import InputError, RemoteError
from collectors.http_client import user_agent
from collectors.quickdraw_bucket import (
    Bucket,
    BucketSettings,
    CollectingStoppedError,
    RangeIgnoredError,
    RemoteFile,
    RemoteFileChangedError,
)
from collectors.quickdraw_content import ForeignContentError
from collectors.quickdraw_partial import PartialFile
from tests.support.fake_bucket import FakeBucket
from tests.support.quickdraw_files import npy_bytes, old_header_npy

np = pytest.importorskip("numpy")

ROWS = np.random.default_rng(1).integers(0, 256, (3000, 784), dtype=np.uint8)
NPY = npy_bytes(ROWS)
PATH = "full/numpy_bitmap/alarm clock.npy"


@pytest.fixture
def server():
    with FakeBucket({PATH: NPY}) as fake:
        yield fake


def _bucket(server: FakeBucket, stop: Event | None = None, **changes) -> Bucket:
    settings = BucketSettings(**{"base_url": server.url, "back_off_s": 0.01, "timeout_s": 5.0, **changes})
    return Bucket(user_agent("tests@example.org"), settings, stop or Event())


def _file(bucket: Bucket, cache: Path, category: str = "alarm clock") -> RemoteFile:
    return RemoteFile(bucket, category, "numpy_bitmap", cache)


def test_only_what_is_asked_for_goes_over_the_wire(server, tmp_path: Path):
    with _file(_bucket(server), tmp_path) as remote:
        assert remote.size == len(NPY)
        assert remote.read(100_000, 200_000) == NPY[100_000:200_000]
        assert remote.read(2_000_000, 2_000_784) == NPY[2_000_000:2_000_784]
        assert remote.read(len(NPY) - 10, len(NPY) + 500) == NPY[-10:]
        assert remote.num_received == 4096 + 100_000 + 784 + 10
    assert server.num_sent == remote.num_received
    assert {request.path for request in server.journal} == {"/quickdraw_dataset/" + PATH}
    assert all(request.user_agent.startswith("tagbox/") for request in server.journal)


def test_nothing_is_fetched_twice_even_by_another_process(server, tmp_path: Path):
    for _ in range(2):
        with _file(_bucket(server), tmp_path) as remote:
            assert remote.read(50_000, 90_000) == NPY[50_000:90_000]
            assert remote.read(80_000, 120_000) == NPY[80_000:120_000]
    assert server.num_sent == 4096 + 40_000 + 30_000


@pytest.mark.parametrize("is_reset", [False, True])
def test_broken_transfers_go_on_where_they_broke(server, tmp_path: Path, is_reset):
    server.cut_after, server.cuts = 30_000, 6
    with _file(_bucket(server), tmp_path) as remote:
        assert remote.read(0, 400_000) == NPY[:400_000]
        assert remote.num_received == 400_000
    starts = [int(request.range[6:].split("-")[0]) for request in server.journal]
    assert starts == sorted(starts)
    assert len(starts) >= 7


def test_a_killed_run_leaves_what_it_has(server, tmp_path: Path):
    server.cut_after, server.cuts = 150_000, 99
    server.on_request = lambda number: setattr(server, "cut_after", 0 if number > 3 else 150_000)
    with _file(_bucket(server, attempts=2), tmp_path) as remote, pytest.raises(RemoteError, match="2 times in a row"):
        remote.read(0, 1_000_000)
    before = server.num_sent
    server.cuts = 0
    with _file(_bucket(server), tmp_path) as remote:
        assert remote.read(0, 1_000_000) == NPY[:1_000_000]
    assert server.num_sent - before == 1_000_000 - before


def test_failing_answers_are_tried_again(server, tmp_path: Path):
    server.statuses = [503, 429, 500]
    with _file(_bucket(server), tmp_path) as remote:
        assert remote.read(0, 5000) == NPY[:5000]
    server.statuses = [503] * 5
    with (
        pytest.raises(RemoteError, match="answered 503, 5 times in a row"),
        _file(_bucket(server), tmp_path / "b"),
    ):
        pass


def test_a_server_without_range_gives_the_beginning_and_no_byte_more_is_read(server, tmp_path: Path):
    server.ranges = False
    with _file(_bucket(server), tmp_path) as remote:
        assert remote.read(0, 10_000) == NPY[:10_000]
        assert remote.num_received <= 20_000
        with pytest.raises(RangeIgnoredError, match=r"ignores Range.*--sample first"):
            remote.read(1_000_000, 1_000_100)
        assert remote.num_received <= 20_000


def test_a_part_under_another_name_is_not_believed(server, tmp_path: Path):
    server.wrong_content_range = True
    with pytest.raises(RemoteError, match="another part than asked"), _file(_bucket(server), tmp_path):
        pass


def test_a_compressing_server_is_refused(server, tmp_path: Path):
    server.gzip = True
    with pytest.raises(RemoteError, match="compresses"), _file(_bucket(server), tmp_path):
        pass


@pytest.mark.parametrize(("switch", "told"), [("html", "an HTML page"), ("lfs", "Git-LFS pointer")])
@pytest.mark.parametrize("ranges", [True, False])
def test_a_page_or_pointer_is_refused_and_not_kept(server, tmp_path: Path, switch, told, ranges):
    setattr(server, switch, True)
    server.ranges = ranges
    with pytest.raises(ForeignContentError, match=told) as caught, _file(_bucket(server), tmp_path):
        pass
    assert caught.value.where.endswith("/full/numpy_bitmap/alarm%20clock.npy")
    setattr(server, switch, False)
    with _file(_bucket(server), tmp_path) as remote:
        assert remote.read(0, 3000) == NPY[:3000]


def test_a_missing_file_and_an_empty_one(server, tmp_path: Path):
    with pytest.raises(RemoteError, match=r"no such file \(HTTP 404\)"), _file(_bucket(server), tmp_path, "cat"):
        pass
    server.files["full/numpy_bitmap/cat.npy"] = b""
    with pytest.raises(RemoteError, match="empty"), _file(_bucket(server), tmp_path, "cat"):
        pass


def test_nobody_listens(tmp_path: Path):
    settings = BucketSettings(base_url="http://127.0.0.1:9", back_off_s=0.01, attempts=2)
    with (
        pytest.raises(RemoteError, match="cannot reach the server"),
        RemoteFile(Bucket("tagbox", settings), "cat", "numpy_bitmap", tmp_path),
    ):
        pass


def test_a_changed_file_drops_the_old_parts(server, tmp_path: Path):
    with _file(_bucket(server), tmp_path) as remote:
        remote.read(0, 50_000)
        server.files[PATH] = old_header_npy(ROWS[::-1])
        with pytest.raises(RemoteFileChangedError, match="has changed"):
            remote.read(60_000, 70_000)
    with _file(_bucket(server), tmp_path) as remote:
        assert remote.read(0, 70_000) == server.files[PATH][:70_000]


def test_a_file_that_became_shorter_is_a_changed_one(server, tmp_path: Path):
    with _file(_bucket(server), tmp_path) as remote:
        server.files[PATH] = npy_bytes(ROWS[:10])
        with pytest.raises(RemoteFileChangedError, match="has changed"):
            remote.read(1_000_000, 1_000_100)
    with _file(_bucket(server), tmp_path) as remote:
        assert remote.read(0, 10**9) == server.files[PATH]


def test_a_stop_ends_a_slow_transfer_and_keeps_what_came(server, tmp_path: Path):
    stop = Event()
    with _file(_bucket(server, stop), tmp_path) as remote:
        server.bytes_per_s = 20_000
        threading.Timer(0.3, stop.set).start()
        with pytest.raises(CollectingStoppedError):
            remote.read(0, 500_000)
    with PartialFile(remote.path, remote.where) as partial:
        assert partial.num_bytes > 4096


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")  # noqa: PTH110
def test_a_full_disk_is_named_and_nothing_is_lost(server, tmp_path: Path):
    with _file(_bucket(server), tmp_path) as remote:
        remote.read(0, 10_000)
        good = remote._partial._descriptor
        remote._partial._descriptor = os.open("/dev/full", os.O_RDWR)
        with pytest.raises(InputError, match=r"No space left on device.*what was fetched is kept"):
            remote.read(20_000, 30_000)
        os.close(remote._partial._descriptor)
        remote._partial._descriptor = good
    with _file(_bucket(server), tmp_path) as remote:
        assert remote._partial.missing(0, 10_000) == []
