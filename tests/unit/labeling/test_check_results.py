"""A check that recalls its whole result must say what a check without any cache says, whatever happened in between."""

import contextlib
import os
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from collectors.ledger_schema import LEDGER_PATH
from labeling import check_cache
from labeling.check_cache import CheckCache
from labeling.check_results import RESULTS_PATH, question_of, recall_report, report_from_json, report_to_json
from labeling.dataset_survey import survey
from labeling.label_map import LabelMap
from labeling.reports import json_lines
from labeling.validate import CheckReport, check_dataset
from tests.unit.labeling.defects import DEFECTS, Defect, build
from tests.unit.labeling.labeled_pictures import annotation, picture_bytes, write_class, write_pair

# Longer than a tick of any file system's clock that tests run on, far shorter than the two seconds of real life.
_SETTLED_S = 0.05


@pytest.fixture
def quick_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_cache, "_SETTLED_NS", int(_SETTLED_S * 1e9))


def _wait() -> None:
    time.sleep(_SETTLED_S * 1.2)


def _is_kept(root: Path) -> bool:
    question = question_of(root, None, None, None)
    return question is not None and recall_report(CheckCache(root), question) is not None


def _check(root: Path) -> CheckReport:
    return check_dataset(root, cache=CheckCache(root), jobs=1)


class _Editor:
    """Does to a data set what people and programs do."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root = root
        self.random = random.Random(seed)
        self.made = 100
        write_class(root, "cat", training=4, verification=2)
        write_class(root, "dog", training=2, verification=1, first_seed=20)
        (root / "cat" / "unlabeled").mkdir()
        (root / "label_map.pbtxt").write_text("item { id: 1 name: 'cat' }\n")
        (root / ".tagbox").mkdir()
        # The connection stays open, as the collector's does: what it writes stands in the log beside the ledger.
        self.ledger = sqlite3.connect(root / LEDGER_PATH, isolation_level=None)
        self.ledger.execute("PRAGMA journal_mode=WAL")
        self.ledger.execute("CREATE TABLE posts (id INTEGER PRIMARY KEY, post_id TEXT)")
        self.ledger.execute("CREATE TABLE media (id INTEGER PRIMARY KEY, sha256 TEXT, path TEXT, duplicate_of INTEGER)")
        self.ledger.execute("CREATE TABLE sightings (media INTEGER, post INTEGER, root_post_id TEXT)")
        self.collect()

    def edits(self) -> tuple[Callable[[], None], ...]:
        return (
            self.nothing, self.touch, self.edit, self.same_size, self.same_size_and_times, self.rename, self.delete,
            self.add, self.add_bad, self.replace_picture, self.relabel, self.drop_map, self.collect, self.wait_there,
            self.neighbour, self.link, self.copy_over, self.new_class,
        )  # fmt: skip

    def nothing(self) -> None:
        pass

    def _any(self, pattern: str) -> Path | None:
        found = sorted(self.root.glob(pattern))
        return self.random.choice(found) if found else None

    def touch(self) -> None:
        if path := self._any("*/*/*.xml"):
            path.touch()

    def edit(self) -> None:
        if path := self._any("*/*/*.xml"):
            path.write_bytes(path.read_bytes().replace(b"</xmax>", b"0</xmax>"))

    def same_size(self) -> None:
        if path := self._any("*/*/*.xml"):
            path.write_bytes(path.read_bytes().replace(b"<xmin>5<", b"<xmin>9<"))

    def same_size_and_times(self) -> None:
        if path := self._any("*/*/*.xml"):
            times = path.stat()
            path.write_bytes(path.read_bytes().replace(b"<ymax>30<", b"<ymax>99<"))
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    def rename(self) -> None:
        if path := self._any("*/*/images/*.jpg"):
            path.rename(path.with_stem(f"{path.stem}_renamed"))

    def delete(self) -> None:
        if len(list(self.root.glob("*/*/*.xml"))) > 3 and (path := self._any("*/*/*.xml")):
            path.unlink()

    def add(self) -> None:
        self.made += 1
        write_pair(self.root / "cat" / "training", f"n{self.made}", seed=self.made)

    def add_bad(self) -> None:
        self.made += 1
        write_pair(self.root / "dog" / "verification", f"n{self.made}", xml=b"<annotation><obj", seed=self.made)

    def replace_picture(self) -> None:
        if path := self._any("*/*/images/*.jpg"):
            path.write_bytes(picture_bytes(seed=self.random.randrange(1000), size=(64, self.random.choice((48, 50)))))

    def relabel(self) -> None:
        name = self.random.choice(("cat", "dog", "cat' } item { id: 1 name: 'dog"))
        (self.root / "label_map.pbtxt").write_text(f"item {{ id: 1 name: '{name}' }}\n")

    def drop_map(self) -> None:
        (self.root / "label_map.pbtxt").unlink(missing_ok=True)

    def collect(self) -> None:
        (last,) = self.ledger.execute("SELECT coalesce(max(id), 0) FROM media").fetchone()
        self.ledger.execute("INSERT INTO posts VALUES (?, ?)", (last + 1, f"{last + 1}"))
        split, index = self.random.choice(("training", "verification")), self.random.randrange(2)
        path = f"cat/{split}/images/cat_{split}_{index}.jpg"
        self.ledger.execute("INSERT INTO media VALUES (?, ?, ?, NULL)", (last + 1, f"{last + 1:064}", path))
        self.ledger.execute("INSERT INTO sightings VALUES (?, ?, '7')", (last + 1, last + 1))

    def wait_there(self) -> None:
        (self.root / "cat" / "unlabeled" / f"w{self.random.randrange(5)}.xml").write_bytes(b"<annotation/>")

    def neighbour(self) -> None:
        if path := self._any("*/training/*.xml"):
            path.with_suffix(".txt").write_text(self.random.choice(("0 0.5 0.5 0.1 0.1\n", "just a few words\n")))

    def link(self) -> None:
        path = self.root / "dog" / "training" / "images" / "linked.jpg"
        path.unlink(missing_ok=True)
        path.symlink_to(self.random.choice(sorted(self.root.glob("cat/*/images/*"))))

    def copy_over(self) -> None:
        source = self._any("*/training/images/*.jpg")
        if source is not None and source.exists():
            write_pair(self.root / "cat" / "verification", "copied", image=source.read_bytes())

    def new_class(self) -> None:
        (self.root / "bird" / self.random.choice(("training", "unlabeled"))).mkdir(parents=True, exist_ok=True)


@pytest.fixture(params=range(2))
def editor(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[_Editor]:
    made = _Editor(tmp_path / "data", request.param)
    with contextlib.closing(made.ledger):
        yield made


@pytest.mark.usefixtures("quick_clock")
def test_whatever_is_edited_the_answer_is_that_of_a_check_without_cache(editor: _Editor) -> None:
    root, num_recalled = editor.root, 0
    options = (None, ["cat"])
    edits = list(editor.edits())
    editor.random.shuffle(edits)
    for edit in [*edits, *editor.random.choices(edits, k=6)]:
        edit()
        own_map = root / "label_map.pbtxt" if (root / "label_map.pbtxt").is_file() else None
        class_names = editor.random.choice(options)
        cold = check_dataset(root, class_names=class_names, label_map_path=own_map, jobs=1)
        # At once, when nothing may be trusted; then settled, which keeps the result; then from the result kept.
        for is_settled in (False, True, True):
            if is_settled:
                _wait()
            question = question_of(root, class_names, None, own_map)
            assert question is not None
            num_recalled += recall_report(CheckCache(root), question) is not None
            warm = check_dataset(root, class_names=class_names, label_map_path=own_map, cache=CheckCache(root), jobs=1)
            assert repr(warm) == repr(cold), edit.__name__
            assert list(json_lines(warm, root)) == list(json_lines(cold, root))
    assert num_recalled >= len(edits), "one a step at least, or this test shows nothing"


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.id)
def test_reports_survive_json(defect: Defect, tmp_path: Path) -> None:
    build(defect, tmp_path)
    report = check_dataset(tmp_path, label_map=LabelMap.from_names(["cat"]), jobs=1)
    assert repr(report_from_json(report_to_json(report))) == repr(report)


def test_nothing_is_kept_of_files_changed_a_moment_ago(tmp_path: Path) -> None:
    write_class(tmp_path)
    _check(tmp_path)
    assert not (tmp_path / RESULTS_PATH).exists()


@pytest.mark.usefixtures("quick_clock")
def test_a_read_only_cache_keeps_nothing_and_a_written_one_answers_it(tmp_path: Path) -> None:
    write_class(tmp_path)
    _wait()
    check_dataset(tmp_path, cache=CheckCache(tmp_path, read_only=True), jobs=1)
    assert not (tmp_path / RESULTS_PATH).exists()
    report = _check(tmp_path)
    cache = CheckCache(tmp_path, read_only=True)
    assert check_dataset(tmp_path, cache=cache, jobs=1) == report
    assert (cache.num_recalled, cache.num_read) == (3, 0)


@pytest.mark.usefixtures("quick_clock")
def test_what_comes_and_goes_during_a_check_is_not_kept(tmp_path: Path) -> None:
    """The files are the same before and after; the times of their folder are not."""
    write_class(tmp_path)
    _wait()
    passing = tmp_path / "cat" / "training" / "a.tmp"

    def disturb(done: int, total: int, note: str = "") -> None:
        if done == 0:
            passing.write_bytes(b"")
        if done == total:
            passing.unlink()

    check_dataset(tmp_path, cache=CheckCache(tmp_path), progress=disturb, jobs=1)
    assert not _is_kept(tmp_path)
    _check(tmp_path)
    assert _is_kept(tmp_path)


@pytest.mark.usefixtures("quick_clock")
def test_pictures_next_door_count(tmp_path: Path) -> None:
    root = tmp_path / "annotations"
    write_pair(root).parent.joinpath("images").rename(tmp_path / "images")
    _wait()
    assert [_check(root), _check(root)] == [check_dataset(root, jobs=1)] * 2
    assert _is_kept(root)
    (tmp_path / "images" / "b.jpg").write_bytes(picture_bytes(seed=3))
    assert _check(root) == check_dataset(root, jobs=1)
    assert [path.name for path in _check(root).unlabeled] == ["b.jpg"]


@pytest.mark.usefixtures("quick_clock")
def test_a_link_to_a_folder_is_left_to_the_check_of_pairs(tmp_path: Path) -> None:
    write_class(tmp_path / "elsewhere")
    write_class(tmp_path / "data", "dog", first_seed=9)
    (tmp_path / "data" / "cat").symlink_to(tmp_path / "elsewhere" / "cat")
    _wait()
    assert survey(tmp_path / "data") is None
    for _ in range(2):
        assert _check(tmp_path / "data") == check_dataset(tmp_path / "data", jobs=1)
    write_pair(tmp_path / "elsewhere" / "cat" / "training", "more", xml=annotation((5, 6, 40, 30), filename="more.jpg"))
    assert _check(tmp_path / "data") == check_dataset(tmp_path / "data", jobs=1)


@pytest.mark.usefixtures("quick_clock")
def test_a_ledger_held_by_another_program_is_asked_again(tmp_path: Path) -> None:
    """Without its posts nothing is kept: it can be let go of without any change."""
    write_class(tmp_path)
    (tmp_path / LEDGER_PATH).parent.mkdir()
    (tmp_path / LEDGER_PATH).write_bytes(b"cannot be asked")
    _wait()
    _check(tmp_path)
    assert not _is_kept(tmp_path)
