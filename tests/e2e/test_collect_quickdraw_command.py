"""`tagbox collect quickdraw` as a person runs it: words in, files, tables and exit codes out."""

import csv
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.support.fake_bucket import FakeBucket
from tests.support.quickdraw_files import binary, bitmaps, drawings_of, ndjson

CATEGORIES = ("cat", "dog", "alarm clock")


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    found = {}
    for name in CATEGORIES:
        drawings = drawings_of(name, 300)
        found[f"full/numpy_bitmap/{name}.npy"] = bitmaps(drawings)
        found[f"full/binary/{name}.bin"] = binary(drawings)
        found[f"full/simplified/{name}.ndjson"] = ndjson(drawings)
    return found


@pytest.fixture
def server(files):
    with FakeBucket(files) as fake:
        yield fake


@pytest.fixture
def command(repository, server):
    program = "import sys; sys.path.insert(0, sys.argv.pop(1)); from scripts.cli import main; main()"

    def words(*more: str) -> list[str]:
        base = [] if "--from" in more else ["--base-url", server.url, "--back-off", "0.01"]
        return [sys.executable, "-c", program, str(repository), "collect", "quickdraw", *more, *base]

    return words


@pytest.fixture
def tagbox(tmp_path, command):
    """Run the command in an empty folder."""
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*more), cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120
        )

    return run


def test_bitmaps_then_the_same_again(tagbox, server, tmp_path: Path):
    done = tagbox("cat", "alarm_clock", "--limit", "128", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert [(entry["category"], entry["state"], entry["drawings"]) for entry in result["categories"]] == [
        ("cat", "written", 128),
        ("alarm clock", "written", 128),
    ]
    assert np.load(tmp_path / "drawings" / "bitmap-npy" / "alarm clock.npy").shape == (128, 784)
    assert sum(entry["bytes_fetched"] for entry in result["categories"]) == server.num_sent
    assert "256 drawings" in done.stderr
    assert (
        "CC BY" in (tmp_path / "drawings" / "ATTRIBUTION-quickdraw.md").read_text()
        or "Attribution 4.0" in (tmp_path / "drawings" / "ATTRIBUTION-quickdraw.md").read_text()
    )
    again = tagbox("cat", "alarm clock", "--limit", "128")
    assert again.returncode == 0
    assert again.stdout.count("unchanged") == 2
    assert "0 B fetched of" in again.stderr


def test_jpeg_raster_and_ndjson(tagbox, tmp_path: Path):
    assert tagbox("cat", "--as", "jpeg", "--size", "64", "--limit", "20", "--quality", "80").returncode == 0
    assert len(list((tmp_path / "drawings" / "jpeg" / "cat").glob("*.jpg"))) == 20
    assert tagbox("cat", "--as", "raster", "--channels", "3", "--limit", "20").returncode == 0
    assert np.load(tmp_path / "drawings" / "raster-85x85x3" / "cat.npy").shape == (20, 85, 85, 3)
    filtered = tagbox("cat", "--as", "ndjson", "--limit", "20", "--recognized-only", "--country", "us")
    assert filtered.returncode == 0
    assert "other-country" in filtered.stdout
    lines = (tmp_path / "drawings" / "ndjson" / "cat.ndjson").read_text().splitlines()
    assert len(lines) == 20
    assert {json.loads(line)["countrycode"] for line in lines} == {"US"}


def test_a_folder_of_downloads_is_walked(tagbox, files, tmp_path: Path):
    folder = tmp_path / "downloads"
    folder.mkdir()
    for name in CATEGORIES:
        (folder / f"full_numpy_bitmap_{name}.npy").write_bytes(files[f"full/numpy_bitmap/{name}.npy"])
    done = tagbox("--from", "downloads", "--as", "jpeg", "--size", "28", "--sample", "all", "--out", "pictures")
    assert done.returncode == 0, done.stderr
    folders = [path for path in (tmp_path / "pictures" / "jpeg").iterdir() if path.is_dir()]
    assert {path.name: len(list(path.iterdir())) for path in folders} == dict.fromkeys(CATEGORIES, 300)


def test_a_dry_run_tells_the_price(tagbox, server, tmp_path: Path):
    done = tagbox("cat", "dog", "--limit", "200", "--dry-run", "--json")
    assert done.returncode == 0
    assert [entry["bytes_to_fetch"] for entry in json.loads(done.stdout)["categories"]] == [4096 + 200 * 784] * 2
    assert server.num_sent == 2 * 4096
    assert not (tmp_path / "drawings" / "bitmap-npy").exists()


def test_a_typo_is_usage(tagbox, server):
    done = tagbox("kat", "giraff")
    assert done.returncode == 2
    assert "error: QuickDraw has no category 'kat'. Did you mean 'hat', 'cat' or 'bat'?" in done.stderr
    assert not server.journal
    assert tagbox().returncode == 2
    assert tagbox("cat", "--limit", "5", "--sample", "all").returncode == 2
    assert tagbox("cat", "--size", "64").returncode == 2


def test_all_names_are_listed(tagbox):
    done = tagbox("--list-categories")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 345)


@pytest.mark.parametrize(
    ("switch", "value", "code", "told"),
    [
        ("html", True, 6, "an HTML page"),
        ("lfs", True, 6, "a Git-LFS pointer"),
        ("ranges", False, 4, "ignores Range"),
        ("gzip", True, 4, "compresses"),
        ("statuses", [503] * 9, 4, "answered 503"),
    ],
)
def test_servers_that_misbehave(tagbox, server, switch, value, code, told):
    setattr(server, switch, value)
    done = tagbox("cat", "--limit", "200")
    assert done.returncode == code
    assert told in done.stderr
    assert f"failed: {server.url}" in done.stderr
    assert "Traceback" not in done.stderr


def test_some_categories_failing_is_partly_done(tagbox, server, tmp_path: Path):
    del server.files["full/numpy_bitmap/dog.npy"]
    done = tagbox("cat", "dog", "--limit", "50")
    assert done.returncode == 5
    with (tmp_path / "drawings" / ".tagbox" / "quickdraw-failures.csv").open(newline="") as stream:
        (failure,) = csv.DictReader(stream)
    assert failure["category"] == "dog"
    assert "no such file" in failure["reason"]
    server.files["full/numpy_bitmap/dog.npy"] = server.files["full/numpy_bitmap/cat.npy"]
    assert tagbox("cat", "dog", "--limit", "50").returncode == 0
    assert not (tmp_path / "drawings" / ".tagbox" / "quickdraw-failures.csv").exists()


def test_nothing_left_after_filters_is_bad_input(tagbox):
    done = tagbox("cat", "--limit", "5", "--country", "XX")
    assert done.returncode == 6
    assert "no drawing is left" in done.stderr


def test_a_broken_line_is_named(tagbox, server):
    content = server.files["full/simplified/cat.ndjson"].splitlines(keepends=True)
    server.files["full/simplified/cat.ndjson"] = b"".join([*content[:4], b'{"word": "cat"\n', *content[4:]])
    done = tagbox("cat", "--as", "ndjson", "--limit", "50", "--sample", "first")
    assert done.returncode == 0
    assert "line 5: not JSON" in done.stderr
    assert "not-json 1" in done.stdout


def test_ctrl_c_keeps_what_is_there_and_a_kill_too(command, server, tmp_path: Path):
    server.bytes_per_s = 30_000
    words = command("cat", "--limit", "300")
    for number, code in ((signal.SIGINT, 130), (signal.SIGKILL, -9)):
        before = server.num_requests
        process = subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 60
        while server.num_requests == before and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.5)
        process.send_signal(number)
        _, told = process.communicate(timeout=60)
        assert process.returncode == code, told
        if number == signal.SIGINT:
            assert "Run the same command again to go on" in told
    server.bytes_per_s = 0
    assert subprocess.run(words, cwd=tmp_path, capture_output=True, check=True, timeout=60).returncode == 0
    whole = server.files["full/numpy_bitmap/cat.npy"]
    assert np.load(tmp_path / "drawings" / "bitmap-npy" / "cat.npy").tobytes() == whole[128:]
    assert server.num_sent < len(whole) + 200_000, "most was not fetched again"


def test_two_at_once_do_not_mix(command, server, tmp_path: Path):
    server.bytes_per_s = 60_000
    first = subprocess.Popen(command("cat", "--limit", "300"), cwd=tmp_path, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not server.num_requests and time.monotonic() < deadline:
        time.sleep(0.02)
    second = subprocess.run(
        command("dog", "--limit", "10"), cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    first.terminate()
    first.wait(timeout=60)
    assert second.returncode == 6
    assert "another collector is at work here" in second.stderr


def test_composing_scenes_of_what_was_collected(tagbox, repository, tmp_path: Path):
    assert tagbox("cat", "dog", "--as", "ndjson", "--limit", "60").returncode == 0
    program = "import sys; sys.path.insert(0, sys.argv.pop(1)); from scripts.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, str(repository), "labels", "scenes", "drawings/ndjson", "--training", "3",
         "--verification", "2"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "data" / "cat" / "training").glob("*.xml"))) == 3


@pytest.mark.slow
def test_the_commands_of_the_page(tagbox, server, repository, tmp_path: Path):
    page = (repository / "docs" / "how-to" / "collect-from-quickdraw.md").read_text(encoding="utf-8")
    lines = [shlex.split(line) for line in page.splitlines() if line.startswith("tagbox collect quickdraw cat")]
    assert len(lines) >= 5
    for words in lines:
        done = tagbox(*words[3:])
        assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "drawings").iterdir() if path.name != ".tagbox") == [
        "ATTRIBUTION-quickdraw.md", "bitmap-npy", "jpeg", "ndjson", "raster-85x85x3",
    ]  # fmt: skip


def test_status_and_attribution_know_the_drawings(tagbox, repository, tmp_path: Path):
    assert tagbox("cat", "--limit", "20", "--recognized-only").returncode == 0
    program = "import sys; sys.path.insert(0, sys.argv.pop(1)); from scripts.cli import main; main()"

    def collect(*words: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", program, str(repository), "collect", *words, "--data", "drawings"],
            cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60,
        ).stdout  # fmt: skip

    (entry,) = json.loads(collect("status", "--json"))["quickdraw"]
    assert (entry["folder"], entry["category"], entry["num_drawings"]) == ("bitmap-npy", "cat", 20)
    assert 0 < entry["bytes_fetched"] < entry["size"]
    assert "bitmap-npy" in collect("status")
    (tmp_path / "drawings" / "ATTRIBUTION-quickdraw.md").unlink()
    assert "ATTRIBUTION-quickdraw.md" in collect("attribution")
    assert "| bitmap-npy | cat | 20 |" in (tmp_path / "drawings" / "ATTRIBUTION-quickdraw.md").read_text()
