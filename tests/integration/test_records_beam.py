"""The same plan on Apache Beam: the same bytes, wherever the workers read and write."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from collectors.errors import ConfigError, InputError, MissingPartError
from records import beam_engine
from records.beam_engine import BeamEngine, require_beam
from records.build import build_from_plan, build_records
from records.errors import PictureChangedError
from records.prepare import prepare_build
from records.verify import verify_records
from tests.unit.records.pictures import make_data, picture_bytes

# Beam and what it imports warn of things of their own.
pytestmark = [pytest.mark.filterwarnings("ignore")]
pytest.importorskip("apache_beam")

_TAGBOX = [sys.executable, "-c", "from scripts.cli import main; main()"]
_SMALL = 4000


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_data(tmp_path / "data", training=12, verification=3)


def _build(data: Path, out: Path, engine: BeamEngine):
    return build_from_plan(prepare_build(data, shard_bytes=_SMALL), out, engine=engine)


def test_in_memory_the_bytes_are_those_of_the_local_build(tmp_path, data):
    build_records(data, tmp_path / "local", shard_bytes=_SMALL)
    told = []
    plan = prepare_build(data, shard_bytes=_SMALL)
    build_from_plan(plan, tmp_path / "beam", engine=BeamEngine(), progress=lambda *step: told.append(step[:2]))
    assert _contents(tmp_path / "beam") == _contents(tmp_path / "local")
    assert told[-1] == (30, 30)
    assert _build(data, tmp_path / "beam", BeamEngine()).is_up_to_date


@pytest.mark.slow
def test_in_several_processes_the_bytes_are_those_of_the_local_build(tmp_path, data, repository):
    build_records(data, tmp_path / "local", shard_bytes=_SMALL)
    done = subprocess.run(
        [
            *_TAGBOX, "records", "build", str(data), "--out", str(tmp_path / "beam"), "--shard-mb", "0.004",
            "--engine", "beam", "--beam-arg=--direct_running_mode=multi_processing",
            "--beam-arg=--direct_num_workers=2",
        ],
        cwd=repository, env={**os.environ, "PYTHONPATH": str(repository)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert _contents(tmp_path / "beam") == _contents(tmp_path / "local")


def test_workers_may_know_both_folders_by_other_names(tmp_path, data):
    """The pictures are copied elsewhere and the shards are written elsewhere; they are fetched from there."""
    build_records(data, tmp_path / "local", shard_bytes=_SMALL)
    shutil.copytree(data, tmp_path / "mirror" / "data")
    engine = BeamEngine(worker_data=str(tmp_path / "mirror" / "data"), worker_out=str(tmp_path / "mirror" / "out"))
    _build(data, tmp_path / "beam", engine)
    assert _contents(tmp_path / "beam") == _contents(tmp_path / "local")
    assert _contents(tmp_path / "mirror" / "out") == {}


def test_workers_may_use_a_file_system_of_beams(tmp_path, data, monkeypatch):
    from apache_beam.io.localfilesystem import LocalFileSystem

    class SecondFileSystem(LocalFileSystem):
        """Stands for a bucket: files are reached by URL only."""

        @classmethod
        def scheme(cls):
            return "second"

        @staticmethod
        def _local(path):
            # The base class calls itself with what it was given.
            return str(tmp_path / "bucket" / path.removeprefix("second://")) if "://" in path else path

        def mkdirs(self, path):
            super().mkdirs(self._local(path))

        def create(self, path, mime_type="application/octet-stream", compression_type="auto"):
            return super().create(self._local(path), mime_type, compression_type)

        def open(self, path, mime_type="application/octet-stream", compression_type="auto"):
            return super().open(self._local(path), mime_type, compression_type)

        def rename(self, source_file_names, destination_file_names):
            super().rename(
                [self._local(p) for p in source_file_names], [self._local(p) for p in destination_file_names]
            )

        def exists(self, path):
            return super().exists(self._local(path))

        def delete(self, paths):
            super().delete([self._local(path) for path in paths])

    build_records(data, tmp_path / "local", shard_bytes=_SMALL)
    shutil.copytree(data, tmp_path / "bucket" / "data")
    engine = BeamEngine(worker_data="second://data", worker_out="second://records")
    _build(data, tmp_path / "beam", engine)
    assert _contents(tmp_path / "beam") == _contents(tmp_path / "local")
    assert _contents(tmp_path / "bucket" / "records") == {}

    # A worker's second try over its first, and a picture that is not there.
    (tmp_path / "bucket" / "data" / "cat" / "training" / "images" / "cat_training_00.jpg").unlink()
    with pytest.raises(InputError, match=r"the Beam pipeline failed: .*cannot read the picture"):
        _build(data, tmp_path / "again", engine)
    shutil.copytree(data, tmp_path / "bucket" / "data", dirs_exist_ok=True)
    _build(data, tmp_path / "again", engine)
    assert _contents(tmp_path / "again") == _contents(tmp_path / "local")


def test_what_is_finished_is_not_built_again(tmp_path, data, monkeypatch):
    out = tmp_path / "records"
    plan = prepare_build(data, shard_bytes=_SMALL)
    build_from_plan(plan, tmp_path / "local")
    image = data / "dog" / "training" / "images" / "dog_training_03.jpg"
    whole = image.read_bytes()
    image.write_bytes(picture_bytes("other"))
    with pytest.raises(InputError, match="the picture changed between the check and the build") as caught:
        build_from_plan(plan, out, engine=BeamEngine())
    assert caught.value.where.endswith("dog/training/images/dog_training_03.jpg")
    assert not (out / "manifest.json").exists()
    image.write_bytes(whole)
    built = []
    real = beam_engine.BeamEngine._run_pipeline

    def counting(self, names, data_root, folder):
        built.extend(names)
        real(self, names, data_root, folder)

    monkeypatch.setattr(beam_engine.BeamEngine, "_run_pipeline", counting)
    build_from_plan(plan, out, engine=BeamEngine())
    assert len(built) == 1
    assert _contents(out) == _contents(tmp_path / "local")


def test_a_picture_that_changed_is_named_without_a_second_try(tmp_path, data):
    plan = prepare_build(data)
    (data / "cat" / "training" / "images" / "cat_training_00.jpg").write_bytes(picture_bytes("other"))
    with pytest.raises((InputError, PictureChangedError), match="changed between the check and the build"):
        build_from_plan(plan, tmp_path / "records", engine=BeamEngine())


def test_arguments_that_beam_does_not_take(tmp_path, data):
    with pytest.raises((ConfigError, InputError)):
        _build(data, tmp_path / "records", BeamEngine(("--runner=NoSuchRunner",)))
    with pytest.raises(ConfigError, match="Beam does not take"):
        _build(data, tmp_path / "records", BeamEngine(("--direct_num_workers=many",)))


def test_without_beam_the_command_says_what_to_install(tmp_path, data, repository, monkeypatch):
    program = (
        "import sys; sys.modules['apache_beam'] = None; from scripts.cli import main; "
        f"main(['records', 'build', {str(data)!r}, '--out', {str(tmp_path / 'records')!r}, '--engine', 'beam'])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=repository, capture_output=True, text=True, check=False)
    assert done.returncode == 7
    assert done.stderr == (
        "error: Apache Beam is not installed. Install the extra: pip install '.[beam]' -c constraints.txt\n"
    )
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(MissingPartError):
        require_beam()


@pytest.mark.parametrize("flag", ["--beam-arg=--x=1", "--worker-data=a", "--worker-out=b"])
def test_flags_of_beam_without_beam(data, repository, flag):
    done = subprocess.run(
        [*_TAGBOX, "records", "build", str(data), flag], cwd=repository, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "goes with --engine beam" in done.stderr


def test_records_of_beam_verify(tmp_path, data):
    _build(data, tmp_path / "records", BeamEngine())
    assert verify_records(tmp_path / "records").findings == ()
