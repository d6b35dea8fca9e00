"""A build that cannot finish: a full disk, a kill. The records that were there stay, and the next run goes on."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from records.build import build_records
from records.verify import verify_records
from tests.unit.records.pictures import add_picture, make_data, picture_bytes

_TAGBOX = [sys.executable, "-c", "from scripts.cli import main; main()"]


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _large_class(data: Path, class_name: str, count: int = 6) -> None:
    """Pictures of 300 kB each, uncompressed, so that few make a file that does not fit."""
    for index in range(count):
        content = picture_bytes(f"{class_name}{index}", kind="BMP", size=(400, 250))
        xml, _ = add_picture(data, class_name, "training", f"{class_name}{index}", kind="BMP", content=content)
        xml.write_text(xml.read_text().replace("<width>40", "<width>400").replace("<height>30", "<height>250"))


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("there is no mount command here")
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tagbox-test", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small file system takes root here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def _run(repository: Path, *words: str, preexec=None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*_TAGBOX, "records", "build", *words], cwd=repository, capture_output=True, text=True, check=False,
        preexec_fn=preexec,
    )  # fmt: skip


def test_a_full_disk_ends_with_one_line_and_the_old_records_intact(tmp_path, small_disk, repository):
    data, out = make_data(tmp_path / "data"), small_disk / "records"
    build_records(data, out)
    before = _contents(out)
    _large_class(data, "elephant")
    result = _run(repository, str(data), "--out", str(out))
    assert result.returncode == 6
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    assert "No space left on device" in line
    assert "elephant_training.record" in line
    assert "Free some space" in line
    assert "Traceback" not in result.stderr
    assert _contents(out) == before
    assert verify_records(out).findings == ()


def test_a_file_size_limit_leaves_finished_shards_only_and_the_next_run_takes_them_up(tmp_path, repository):
    data, out = make_data(tmp_path / "data"), tmp_path / "records"
    build_records(data, out)
    before = _contents(out)
    add_picture(data, "cat", "training", "new")
    _large_class(data, "elephant")
    limit = 1_000_000
    result = _run(
        repository, str(data), "--out", str(out),
        preexec=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip
    assert result.returncode == 6
    assert "error:" in result.stderr
    assert "File too large" in result.stderr
    left = _contents(out)
    staged = {name: left.pop(name) for name in list(left) if name.startswith(".building/")}
    assert left == before
    (name,) = staged
    assert name.startswith(".building/cat_training.record.")
    inode = (out / name).stat().st_ino

    build_records(data, out)
    assert (out / "cat_training.record").stat().st_ino == inode
    assert not (out / ".building").exists()
    build_records(data, tmp_path / "undisturbed")
    assert _contents(out) == _contents(tmp_path / "undisturbed")


def test_a_full_disk_on_the_first_build_leaves_no_folder(tmp_path, repository):
    _large_class(tmp_path / "data", "elephant")
    result = _run(
        repository, str(tmp_path / "data"), "--out", str(tmp_path / "records"),
        preexec=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
    )  # fmt: skip
    assert result.returncode == 6
    assert not (tmp_path / "records").exists()
    assert not (tmp_path / "data" / "label_map.pbtxt").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_output(tmp_path, repository):
    data, out = make_data(tmp_path / "data"), tmp_path / "records"
    out.mkdir(mode=0o500)
    result = _run(repository, str(data), "--out", str(out))
    assert result.returncode == 6
    assert "Permission denied" in result.stderr


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGINT])
def test_a_build_killed_in_the_middle_is_finished_by_the_next(tmp_path, repository, jobs, signal_number):
    data, out = make_data(tmp_path / "data"), tmp_path / "records"
    build_records(data, out)
    before = _contents(out)
    for name in ("ant", "bear", "cow", "deer"):
        _large_class(data, name, count=10)
    process = subprocess.Popen(
        [*_TAGBOX, "records", "build", str(data), "--out", str(out), "--jobs", jobs],
        cwd=repository, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    staging = out / ".building"
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if staging.is_dir() and any(not path.name.endswith(".tmp") for path in staging.iterdir()):
            os.killpg(process.pid, signal_number)
            break
        time.sleep(0.0005)
    _, errors = process.communicate(timeout=60)
    if (out / "ant_training.record").exists():
        pytest.skip("the build was faster than the signal")
    assert process.returncode == (130 if signal_number == signal.SIGINT else -signal.SIGKILL)
    if signal_number == signal.SIGINT:
        assert b"interrupted" in errors
        assert b"Traceback" not in errors
        assert not list(out.rglob("*.tmp"))
    left = _contents(out)
    assert {name: content for name, content in left.items() if not name.startswith(".building/")} == before

    report = build_records(data, out)
    assert report.num_written == 50
    build_records(data, tmp_path / "undisturbed")
    assert _contents(out) == _contents(tmp_path / "undisturbed")
    assert verify_records(out).findings == ()
