"""The folders of the demonstration: it works in its own, and touches nobody else's."""

import pytest

from collectors.errors import ConfigError
from pipelines.demo import DemoPlaces, make_dataset


@pytest.fixture
def places(tmp_path):
    return DemoPlaces(tmp_path)


def _write(path, text="mine"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def _no_stage(_):
    raise AssertionError("nothing may be made")


@pytest.mark.parametrize("name", ["demo/notes.txt", "runs/demo/config.yaml"])
def test_folders_that_the_demo_did_not_make_are_refused_and_left_alone(places, tmp_path, name):
    mine = _write(tmp_path / name)
    for call in (places.start_over, lambda: make_dataset(places, _no_stage, 1)):
        with pytest.raises(ConfigError, match=r"has files in it that the demo did not make.*--root") as refusal:
            call()
        assert str(mine.parent) in str(refusal.value)
    assert mine.read_text() == "mine"
    assert not places.marker.exists()


def test_starting_over_removes_what_the_demo_made_and_nothing_else(places, tmp_path):
    places.mark(done=True)
    for name in ("demo/data/cat/training/a.xml", "demo/drawings/cat.ndjson", "runs/demo/config.yaml"):
        _write(tmp_path / name)
    others = [_write(tmp_path / name) for name in ("runs/mine/config.yaml", "data/cat/training/a.xml")]
    places.start_over()
    assert not places.home.exists()
    assert not places.run.exists()
    assert all(path.read_text() == "mine" for path in others)
    places.start_over()  # nothing is there: nothing to do


def test_starting_over_can_be_stopped_and_started_again(places, tmp_path, monkeypatch):
    places.mark(done=True)
    _write(tmp_path / "demo" / "data" / "a.xml")

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.demo.shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            places.start_over()
    assert not places.is_done()
    places.start_over()
    assert not places.home.exists()


def test_empty_folders_and_a_call_killed_in_its_first_moment_are_no_hindrance(places, tmp_path):
    (tmp_path / "demo").mkdir()
    (tmp_path / "runs" / "demo").mkdir(parents=True)
    places.refuse_foreign_folders()
    _write(tmp_path / "demo" / "tagbox_demo.json.tmp")
    places.refuse_foreign_folders()


def test_it_is_done_when_the_marker_says_so_and_the_report_is_there(places):
    assert not places.is_done()
    places.mark(done=False)
    _write(places.report)
    assert not places.is_done()
    places.mark(done=True)
    assert places.is_done()
    places.report.unlink()
    assert not places.is_done()
