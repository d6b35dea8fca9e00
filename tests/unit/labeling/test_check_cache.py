import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from labeling import image_probe
from labeling.check_cache import CACHE_PATH, CheckCache
from labeling.check_results import RESULTS_PATH
from labeling.dataset import find_dataset
from labeling.pair_reading import PairFacts, read_pairs
from labeling.stored_facts import StoredFactsError, facts_from_json, facts_to_json
from labeling.validate import CheckReport, check_dataset
from tests.unit.labeling.defects import DEFECTS, Defect, build
from tests.unit.labeling.labeled_pictures import (
    annotation,
    encoded,
    picture_bytes,
    varied_picture,
    write_class,
    write_pair,
)

_LONG_AGO_S = time.time() - 3600


def _settle(root: Path) -> None:
    """Make files look as if they had been there for an hour (the change time cannot be set, so it is waited for)."""
    for path in root.rglob("*"):
        if not path.is_symlink() and ".tagbox" not in path.parts:
            os.utime(path, (_LONG_AGO_S, _LONG_AGO_S))


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting for two seconds after each write of a test."""
    monkeypatch.setattr("labeling.check_cache._SETTLED_NS", 0)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count every decoding of a picture, by its size in bytes."""
    counted: list[int] = []
    whole = Image.open

    def counting(stream, *args, **kwargs):
        counted.append(len(stream.getvalue()))
        return whole(stream, *args, **kwargs)

    monkeypatch.setattr(image_probe.Image, "open", counting)
    return counted


def _check(root: Path) -> tuple[CheckReport, CheckCache]:
    cache = CheckCache(root)
    return check_dataset(root, cache=cache, jobs=1), cache


@pytest.mark.usefixtures("settled")
def test_unchanged_files_are_neither_decoded_nor_opened(tmp_path: Path, decoded: list[int]) -> None:
    write_class(tmp_path)
    first, _ = _check(tmp_path)
    assert len(decoded) == 3
    second, cache = _check(tmp_path)
    assert second == first
    assert (len(decoded), cache.num_recalled, cache.num_read) == (3, 3, 0)


def test_a_file_changed_a_moment_ago_is_read_again_but_not_decoded(tmp_path: Path, decoded: list[int]) -> None:
    """Its times would not tell of another change within the clock's resolution."""
    write_class(tmp_path)
    _check(tmp_path)
    _, cache = _check(tmp_path)
    assert (len(decoded), cache.num_recalled, cache.num_read) == (3, 0, 3)


@pytest.mark.usefixtures("settled")
def test_only_what_changed_is_looked_at(tmp_path: Path, decoded: list[int]) -> None:
    training = write_class(tmp_path) / "training"
    _check(tmp_path)
    (training / "cat_training_0.xml").write_bytes(b"<")
    report, cache = _check(tmp_path)
    assert [one.code for one in report.refused] == ["X01"]
    assert (len(decoded), cache.num_read) == (3, 1), "the picture is known by its content"
    (training / "images" / "cat_training_1.jpg").write_bytes(picture_bytes(seed=40))
    _, cache = _check(tmp_path)
    assert (len(decoded), cache.num_read) == (4, 1)


@pytest.mark.usefixtures("settled")
def test_a_change_that_keeps_size_and_modification_time_is_seen(tmp_path: Path) -> None:
    xml = write_pair(tmp_path)
    os.utime(xml, (_LONG_AGO_S, _LONG_AGO_S))
    _check(tmp_path)
    xml.write_bytes(xml.read_bytes().replace(b"<xmax>40", b"<xmax>99"))
    os.utime(xml, (_LONG_AGO_S, _LONG_AGO_S))
    report, _ = _check(tmp_path)
    assert [one.code for one in report.refused] == ["B05"]


@pytest.mark.usefixtures("settled")
def test_a_moved_picture_is_not_decoded_again(tmp_path: Path, decoded: list[int]) -> None:
    root = tmp_path / "cat"
    write_class(tmp_path)
    _check(tmp_path)
    for name in ("cat_training_0.xml", "images/cat_training_0.jpg"):
        (root / "training" / name).rename(root / "verification" / name)
    report, cache = _check(tmp_path)
    assert (len(decoded), cache.num_read, len(report.images)) == (3, 1, 3)


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("defect", DEFECTS[::2], ids=lambda defect: defect.id)
def test_a_warm_check_says_the_same(defect: Defect, tmp_path: Path) -> None:
    build(defect, tmp_path)
    cold = check_dataset(tmp_path, jobs=1)
    _check(tmp_path)
    warm, cache = _check(tmp_path)
    assert repr(warm) == repr(cold), "lines and NaN included"
    assert cache.num_recalled >= 1


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("is_result", [False, True], ids=["pairs", "result"])
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.floats(0, 1), num_lost=st.integers(0, 50), put=st.binary(max_size=50))
def test_a_damaged_cache_changes_nothing(
    tmp_path: Path, is_result: bool, where: float, num_lost: int, put: bytes
) -> None:
    if not (tmp_path / "cat").exists():
        write_class(tmp_path)
    cold = check_dataset(tmp_path, jobs=1)
    _check(tmp_path)
    (result,) = (tmp_path / RESULTS_PATH).iterdir()
    path = result if is_result else tmp_path / CACHE_PATH
    content = bytearray(path.read_bytes())
    at = int(where * len(content))
    content[at : at + num_lost] = put
    if not is_result:
        result.unlink()
    path.write_bytes(bytes(content))
    assert _check(tmp_path)[0] == cold
    result.unlink()
    assert _check(tmp_path)[1].num_recalled == 3, "and it is mended"


@pytest.mark.usefixtures("settled")
def test_other_class_folders_stay_known_and_files_that_are_gone_do_not(tmp_path: Path) -> None:
    write_class(tmp_path, "cat")
    dog = write_class(tmp_path, "dog", first_seed=10)
    _check(tmp_path)
    cache = CheckCache(tmp_path)
    check_dataset(tmp_path, cache=cache, class_names=["cat"])
    assert _check(tmp_path)[1].num_recalled == 6
    (dog / "training" / "dog_training_0.xml").unlink()
    (dog / "training" / "images" / "dog_training_0.jpg").unlink()
    _check(tmp_path)
    assert b"dog_training_0" not in (tmp_path / CACHE_PATH).read_bytes()


def test_without_looks_a_picture_must_be_looked_at_once_more(tmp_path: Path) -> None:
    """A plain folder needs no looks; as a class folder with two splits it does."""
    write_pair(tmp_path, image=encoded(varied_picture(1)))
    labels = find_dataset(tmp_path).labels
    for with_looks in (False, True):
        cache = CheckCache(tmp_path)
        facts = read_pairs(labels, progress=lambda *_: None, jobs=1, with_looks=with_looks, cache=cache)
        cache.save()
        assert all((one.image.look is not None) is with_looks for one in facts if one.image is not None)


def test_no_place_for_a_cache_is_no_error(tmp_path: Path) -> None:
    write_class(tmp_path)
    (tmp_path / ".tagbox").write_bytes(b"a file in the way")
    report, cache = _check(tmp_path)
    assert len(report.images) == 3
    assert cache.save() is False


def test_two_processes_at_once(tmp_path: Path) -> None:
    write_class(tmp_path, training=20)
    code = (
        "import sys; from pathlib import Path; from labeling.check_cache import CheckCache\n"
        "from labeling.validate import check_dataset\nroot = Path(sys.argv[1])\n"
        "for _ in range(5):\n    (root / '.tagbox/check-cache.json').unlink(missing_ok=True)\n"
        "    print(len(check_dataset(root, cache=CheckCache(root)).images))"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], env=environment, stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    for process in running:
        assert process.communicate()[0] == b"21\n" * 5
        assert process.returncode == 0
    left = {path.name for path in (tmp_path / ".tagbox").rglob("*") if path.is_file()}
    assert {name for name in left if not re.fullmatch(r"\d\.json", name)} <= {CACHE_PATH.name}
    shutil.rmtree(tmp_path / RESULTS_PATH, ignore_errors=True)
    _check(tmp_path)
    assert len(CheckCache(tmp_path)._rows) == 21


@pytest.mark.parametrize("defect", DEFECTS[::4], ids=lambda defect: defect.id)
def test_facts_survive_json(defect: Defect, tmp_path: Path) -> None:
    build(defect, tmp_path)
    labels = find_dataset(tmp_path).labels
    for facts in read_pairs(labels, progress=lambda *_: None, jobs=1, with_looks=True):
        again = facts_from_json(facts_to_json(facts))
        assert repr(again) == repr(facts), "lines and NaN included"


def test_what_are_no_facts_is_refused() -> None:
    for values in ([], [1], ["", [], None, [], [], []], ["", None, [1], [], [], []], "text"):
        with pytest.raises(StoredFactsError):
            facts_from_json(values)  # type: ignore[arg-type]


def test_annotation_is_as_it_was(tmp_path: Path) -> None:
    write_pair(tmp_path, xml=annotation((5.5, 6, 40, 30)))
    (facts,) = read_pairs(find_dataset(tmp_path).labels, progress=lambda *_: None, jobs=1)
    again = facts_from_json(facts_to_json(facts))
    assert isinstance(again, PairFacts)
    assert again == facts
